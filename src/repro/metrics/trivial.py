"""Rows that learn nothing: what a table must be read against."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from repro.data.pair import Pair
from repro.metrics.bone_warp import bone_flow
from repro.ops import bilinear_warp


class Prediction(NamedTuple):
    """What a trivial row says, in the form of a generator's result.

    Attributes:
        image: (B, 3, H, W) in [-1, 1].
        flows: none, or one (B, 2, H, W) in pixels of the image.
        masks: none, or one (B, 1, H, W), 1 where the source is said to show the pixel.
    """

    image: Tensor
    flows: list[Tensor]
    masks: list[Tensor]


def copy_source(batch: Pair) -> Prediction:
    """Return the source as it is: zero flow, everything visible."""
    count, _, height, width = batch.source.shape
    flow = batch.source.new_zeros(count, 2, height, width)
    return Prediction(batch.source * 2 - 1, [flow], [torch.ones_like(flow[:, :1])])


def mean_colour(batch: Pair) -> Prediction:
    """Return the target with its person painted in the person's mean colour: silhouette, mean, background are given."""
    return Prediction(_person_over_target(batch, _mean_person(batch)), [], [])


def bone_warp(batch: Pair) -> Prediction:
    """Return the source moved bone by bone (two skeletons), inside the true silhouette, on the true background."""
    flow = bone_flow(batch.source_joints, batch.target_joints, batch.size).to(batch.source.dtype)
    image = _person_over_target(batch, bilinear_warp(batch.source, flow))
    return Prediction(image, [flow], [torch.ones_like(flow[:, :1])])


def exact_flow(batch: Pair) -> Prediction:
    """Return the source moved by the true flow where it is visible, the mean colour elsewhere on the person."""
    visible = batch.visible[:, None]
    flow = torch.where(visible, batch.flow, 0).to(batch.source.dtype)
    person = torch.where(visible, bilinear_warp(batch.source, flow), _mean_person(batch))
    return Prediction(_person_over_target(batch, person), [flow], [visible.to(flow.dtype)])


TRIVIAL: dict[str, Callable[[Pair], Prediction]] = {
    "copy_source": copy_source,
    "mean_colour": mean_colour,
    "bone_warp": bone_warp,
    "exact_flow": exact_flow,
}


def _mean_person(batch: Pair) -> Tensor:
    """Return the mean colour of each target's person pixels, (B, 3, 1, 1)."""
    person = batch.person[:, None]
    return (batch.target * person).sum((2, 3), keepdim=True) / person.sum((2, 3), keepdim=True).clamp(min=1)


def _person_over_target(batch: Pair, person: Tensor) -> Tensor:
    """Return ``person`` where the target shows one, the target's own background elsewhere, in [-1, 1]."""
    return torch.where(batch.person[:, None], person, batch.target) * 2 - 1
