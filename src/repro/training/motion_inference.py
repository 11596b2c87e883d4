"""What the Motion Extraction Network is given, and how it cleans a whole video: block by block."""

import torch
from torch import Tensor

from repro.checks import require_choice, require_shape
from repro.data.joints import is_missing
from repro.data.motion_windows import LENGTH, from_channels, hold_last, to_channels, window
from repro.models import MotionExtractionNetwork

MISSING = ("zero", "hold")
BLOCKS = 64
"""Blocks that go through the network at once: bounds the memory."""


def without_gaps(joints: Tensor, missing: str, width: int) -> Tensor:
    """Return joints (T, K, 2) that hold no -1 any more.

    Args:
        joints: (T, K, 2), (row, column) in pixels, -1 missing.
        missing: "zero" as the authors do it: zeros after normalisation, which is the middle of a square picture;
            "hold": where the joint was last found.
        width: of the picture.
    """
    if require_choice("handling of missing joints", missing, MISSING) == "hold":
        return hold_last(joints)
    return torch.where(is_missing(joints)[..., None], width / 2, joints)


@torch.no_grad()
def extract_motion(network: MotionExtractionNetwork, joints: Tensor, width: int, *, missing: str = "zero") -> Tensor:
    """Return the clean skeleton of a whole video, (T, 17, 2) in pixels, float64 on the joints' device.

    The video is cut into blocks of 24 frames, each seen with 40 frames before and after it, as in training: the norms
    look at the whole window. Outside the video its first and last frames repeat.

    Args:
        network: in eval mode.
        joints: as a detector finds them, COCO's (T, 17, 2), (row, column) in pixels, -1 missing.
        width: of the picture.
        missing: "zero" or "hold", as the network was trained.

    Raises:
        ValueError: another shape; with "hold", a video in which no joint is ever found.
    """
    require_shape("joints", joints, f"T {network.joints} 2", hint="COCO's joints as (row, column)")
    if network.training:
        raise ValueError(
            "expected a network in eval mode: call network.eval(), or dropout draws other joints each time"
        )
    parameter = next(network.parameters())
    found = ~is_missing(joints)
    filled = without_gaps(joints, missing, width)
    starts = range(0, len(joints), LENGTH)
    cleaned = []
    for first in range(0, len(starts), BLOCKS):
        some = starts[first : first + BLOCKS]
        inputs = to_channels(torch.stack([window(filled, start) for start in some]), width).to(parameter)
        valid = None
        if network.validity:
            valid = torch.stack([window(found, start) for start in some]).transpose(1, 2).to(parameter.device)
        cleaned.append(from_channels(network(inputs, valid).to(joints.device).double(), width))
    return torch.cat(cleaned).flatten(0, 1)[: len(joints)]
