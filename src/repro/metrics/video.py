"""Distances between clips seen through a video network: Fréchet distance (FID-Video) and AED in all its readings."""

from typing import Any

import torch
from torch import Tensor

from repro import records
from repro.checks import require_shape
from repro.features.video_network import VideoNetwork
from repro.metrics.frechet import frechet_distance

WINDOW = 16
"""Frames that a network sees at a time; the paper does not say how many it takes."""
SAMPLES_PER_COMPONENT = 10
"""Windows behind every principal component of the reduced Fréchet distance."""


def windows(frames: Tensor, length: int = WINDOW) -> Tensor:
    """Return non-overlapping windows (N, length, ...) of frames (T, ...) at their own rate; the rest is dropped."""
    count = len(frames) // length
    return frames[: count * length].unflatten(0, (count, length))


@torch.inference_mode()
def video_features(network: VideoNetwork, frames: Tensor, batch_size: int = 4) -> Tensor:
    """Return a vector per window, (N, D), of frames (T, 3, H, W) in [0, 1]; (0, D) of fewer than 16 frames.

    Raises:
        ValueError: the network is in training mode, where the same clip has other features each time.
    """
    require_shape("frames", frames, "T 3 H W")
    if network.training:
        raise ValueError(f"expected {network.name} in eval mode: load it with repro.features.load_video")
    parts = [network(part * 2 - 1) for part in windows(frames).split(batch_size) if len(part)]
    return torch.cat(parts) if parts else frames.new_zeros(0, network.dimension)


def aed(generated: Tensor, real: Tensor) -> dict[str, Tensor]:
    r"""Return the readings of "average Euclidean distance" per pair of windows, each (N,), float64.

    ======= ==================================== =======================================================
    ``ms``  :math:`\lVert a - b \rVert^2 / D`    the reading that the paper's numbers allow (:func:`readings`)
    ``l2``  :math:`\lVert a - b \rVert`          what the name says
    ``sq``  :math:`\lVert a - b \rVert^2`        what the evaluation script of Monkey-Net computes
    ======= ==================================== =======================================================

    Args:
        generated: features (N, D).
        real: features of the true clips at the same frames, (N, D).
    """
    sizes = require_shape("generated features", generated, "N D")
    require_shape("real features", real, "N D", sizes=sizes)
    squared = (generated.double() - real.double()).square().sum(1)
    return {"ms": squared / sizes["D"], "l2": squared.sqrt(), "sq": squared}


def principal_frechet(generated: Tensor, real: Tensor) -> tuple[float, int]:
    """Return the Fréchet distance on the first p principal components of the real features, and p = N / 10.

    With fewer windows than dimensions the full distance is biased upwards; here every component has ten windows.

    Args:
        generated: (N, D).
        real: (N, D), N at least 10; the components are those of its covariance.
    """
    sizes = require_shape("real features", real, "N D")
    require_shape("generated features", generated, "N D", sizes=sizes)
    count = min(sizes["N"] // SAMPLES_PER_COMPONENT, sizes["D"])
    if count < 1:
        raise ValueError(f"expected at least {SAMPLES_PER_COMPONENT} windows for a component, got {sizes['N']}")
    real, generated = real.double().cpu(), generated.double().cpu()
    _, _, axes = torch.linalg.svd(real - real.mean(0), full_matrices=False)
    return frechet_distance(real @ axes[:count].T, generated @ axes[:count].T), count


def frechet_name(network: str) -> str:
    """Return what the Fréchet distance of windows through a network is called: only through I3D FID-Video."""
    return "fid_video_i3d" if network == "i3d" else f"fd_{network}"


def video_scores(name: str, generated: Tensor, real: Tensor) -> dict[str, float]:
    """Return all scores of windows seen through one network.

    Args:
        name: of the network; ``"i3d"`` gives the scores their published names: ``fid_video_i3d`` instead of ``fd_i3d``.
        generated: features (N, D), N at least 2.
        real: features of the true windows, (N, D).

    Returns:
        ``fd_{name}``, with ten windows or more ``fd_{name}_pc{p}``, and ``aed_ms_{name}``, ``aed_l2_{name}``,
        ``aed_sq_{name}``: means over windows.
    """
    frechet = frechet_name(name)
    scores = {frechet: frechet_distance(real, generated)}
    if len(real) >= SAMPLES_PER_COMPONENT:
        reduced, count = principal_frechet(generated, real)
        scores[f"{frechet}_pc{count}"] = reduced
    return scores | {f"aed_{kind}_{name}": values.mean().item() for kind, values in aed(generated, real).items()}


def readings(fid_video: float, aed: float, dimension: int) -> dict[str, Any]:
    r"""Return which readings of a published AED are possible beside the FID-Video of the same features.

    The Gaussian Wasserstein distance is the cheapest way to turn one set into the other, so no pairing costs less:

    .. math:: \mathrm{FID} \le \operatorname{mean} \lVert a - b \rVert^2

    (up to N / (N - 1) where covariances are unbiased). If AED is a mean norm, the right side is at most N AED², reached
    when a single clip carries everything: so there must be at least FID / AED² clips. If AED is the mean square per
    dimension, the right side is D AED.

    Args:
        fid_video: as published.
        aed: as published.
        dimension: D of the features: 1024 (pooled) or 400 (logits).

    Returns:
        ``l2_clips``: clips that the plain norm would need; ``sq``: whether the plain mean square satisfies the bound;
        ``ms_square``: D AED, the mean square if AED is one per dimension; ``ms``: whether that satisfies it.
    """
    return {
        "l2_clips": fid_video / aed**2,
        "sq": fid_video <= aed,
        "ms_square": dimension * aed,
        "ms": fid_video <= dimension * aed,
    }


def published_readings(dimension: int = 1024) -> list[dict[str, Any]]:
    """Return :func:`readings` of every row of Tables IV and V, with its table, label, dataset and numbers."""
    lines = []
    for table, prefixes in (("IV", {"": "FashionVideo"}), ("V", {"fashionvideo_": "FashionVideo", "iper_": "iPER"})):
        for row in records.published(table)["rows"].values():
            for prefix, dataset in prefixes.items():
                pair = {"fid_video": row[f"{prefix}fid_video"], "aed": row[f"{prefix}aed"]}
                head = {"table": table, "label": row["label"], "dataset": dataset}
                lines.append(head | pair | readings(**pair, dimension=dimension))
    return lines
