"""Do features match corresponding points? Measured with the studio's true flow (never used in training)."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.nn import functional as F

from repro.data.pair import Pair
from repro.features.network import FeatureNetwork, taps_on_grid
from repro.ops import bilinear_warp

Describe = Callable[[Tensor, tuple[int, int]], Tensor]
"""From images (B, 3, H, W) in [-1, 1] and a grid (h, w) to features (B, C, h, w)."""


def by_tap(network: FeatureNetwork, tap: str) -> Describe:
    """Return the description of a cell by one tap of a network."""
    return lambda images, size: taps_on_grid(network(images, taps=(tap,)), tap, size)[0]


def by_colour(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the mean colour of each cell: what a network has to beat."""
    return F.adaptive_avg_pool2d(images, size)


@torch.inference_mode()
def matching(describe: Describe, pairs: Iterable[Pair], stride: int, reach: float = 2.0) -> dict[str, float]:
    """Return how well features find the true position of what is visible.

    Every visible cell l of the target is compared, by the cosine, with the source at its true position l + w (read
    bilinearly) and with every cell of the source.

    Args:
        describe: what to compare (:func:`by_tap`, :func:`by_colour`).
        pairs: studio pairs.
        stride: image pixels per cell.
        reach: distance in cells up to which a match counts as right.

    Returns:
        ``true`` mean cosine with the true position; ``best_wrong`` mean cosine of the best cell farther away than
        ``reach``; ``found`` share of cells whose best match lies within ``reach``; ``distance_px`` mean distance of the
        best match from the true position in image pixels; ``cells`` number of cells.
    """
    true, wrong, distances = [], [], []
    for pair in pairs:
        size = (pair.size[0] // stride, pair.size[1] // stride)
        flow, visible = pair.flow_at(*size)
        source, target = (describe(image[None] * 2 - 1, size)[0] for image in (pair.source, pair.target))
        at_truth = bilinear_warp(source[None], torch.where(visible, flow, 0).to(source.dtype)[None])[0]
        wanted = target[:, visible]
        true.append(F.cosine_similarity(at_truth[:, visible], wanted, dim=0))

        similarity = F.normalize(wanted, dim=0).mT @ F.normalize(source.flatten(1), dim=0)
        rows, columns = torch.meshgrid(*(torch.arange(n) for n in size), indexing="ij")
        cells = torch.stack((columns, rows)).flatten(1).to(flow.dtype)
        positions = cells.view(2, *size)[:, visible] + flow[:, visible]
        away = torch.cdist(positions.mT, cells.mT)
        wrong.append(similarity.masked_fill(away <= reach, -1).amax(1))
        distances.append(away.gather(1, similarity.argmax(1, keepdim=True))[:, 0])
    distance = torch.cat(distances)
    return {
        "true": torch.cat(true).mean().item(),
        "best_wrong": torch.cat(wrong).mean().item(),
        "found": (distance <= reach).float().mean().item(),
        "distance_px": distance.mean().item() * stride,
        "cells": len(distance),
    }
