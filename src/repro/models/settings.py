"""What a task fixes about the networks: pose channels, attention layers and windows; channel counts at a width."""

from collections.abc import Mapping

import torch
from torch import Tensor

from repro.checks import require_choice, require_shape

POSE_CHANNELS = 18  # heat maps of one pose (OpenPose order)
SKELETON_CHANNELS = 20  # animation: 17 heat maps and a drawing of the skeleton in three colours
FACE_CHANNELS = 16  # edges, 14 distance maps, labels of the parts
VIEW_CHANNELS = 21  # code of a view: one-hot 18 azimuths, then one-hot 3 elevations

# Attention layer -> patch side k, coarse -> fine; layer L works at 1/2^L of the image's resolution.
ATTENTION_LAYERS: dict[str, dict[int, int]] = {"fashion": {3: 3, 2: 5}, "market": {2: 3}}

SMALLEST_SIDE = 64  # the bottleneck at 1/32 must keep 2x2 pixels: a 1x1 map has no instance norm
STRIDE = 32


def attention_layers(task: str) -> dict[int, int]:
    """Return ``{layer: window}``, coarse to fine, of ``task`` ("fashion" or "market")."""
    return dict(ATTENTION_LAYERS[require_choice("preset", task, tuple(ATTENTION_LAYERS))])


def coarse_to_fine(layers: Mapping[int, int]) -> dict[int, int]:
    """Return ``layers`` sorted coarse to fine, after checking that the decoder visits each and its window is odd."""
    for layer, window in layers.items():
        if layer not in (1, 2, 3) or window < 1 or window % 2 == 0:
            raise ValueError(
                f"expected attention layers among 1, 2, 3 with an odd window each, got layer {layer}, window {window}"
            )
    return {layer: layers[layer] for layer in sorted(layers, reverse=True)}


def scaled(channels: int, width: float) -> int:
    """Return ``channels`` times ``width``, rounded, at least 1."""
    if not width > 0:
        raise ValueError(f"expected width > 0 (1.0 = the authors' channel counts), got {width}")
    return max(1, round(channels * width))


def require_pair(source: Tensor, source_pose: Tensor, target_pose: Tensor, pose_channels: int = POSE_CHANNELS) -> None:
    """Check what a generator receives: an image and two poses of one size, floating point, sides multiples of 32.

    Raises:
        TypeError: something is no floating-point tensor.
        ValueError: a shape does not fit.
    """
    sizes = require_shape("source", source, "B 3 H W", hint="images are (B, 3, H, W) in [-1, 1]")
    for name, pose in (("source_pose", source_pose), ("target_pose", target_pose)):
        sizes = require_shape(
            name, pose, f"B {pose_channels} H W", sizes=sizes, hint="heat maps have the image's batch and size"
        )
    _require_floating(source=source, source_pose=source_pose, target_pose=target_pose)
    _require_sides(sizes["H"], sizes["W"])


def require_views(source: Tensor, source_code: Tensor, target_code: Tensor) -> None:
    """Check what the network of views receives: an image and two codes (B, 21, 1, 1), floating point.

    Raises:
        TypeError: something is no floating-point tensor.
        ValueError: a shape does not fit.
    """
    sizes = require_shape("source", source, "B 3 H W", hint="images are (B, 3, H, W) in [-1, 1]")
    for name, code in (("source_code", source_code), ("target_code", target_code)):
        require_shape(
            name,
            code,
            f"B {VIEW_CHANNELS} 1 1",
            sizes={"B": sizes["B"]},
            hint="write code[..., None, None] for (B, 21)",
        )
    _require_floating(source=source, source_code=source_code, target_code=target_code)
    _require_sides(sizes["H"], sizes["W"])


def _require_floating(**tensors: Tensor) -> None:
    for name, tensor in tensors.items():
        if not torch.is_floating_point(tensor):
            raise TypeError(f"expected {name} to be floating point, got {tensor.dtype}: convert it, images to [-1, 1]")


def _require_sides(height: int, width: int) -> None:
    if height % STRIDE or width % STRIDE or min(height, width) < SMALLEST_SIDE:
        raise ValueError(
            f"expected sides that are multiples of {STRIDE} and at least {SMALLEST_SIDE}, got {height}x{width} "
            "(height x width): resize or pad the image and its joints"
        )
