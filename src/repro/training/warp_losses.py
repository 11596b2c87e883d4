"""Reconstruction through the warp alone: what trains a flow where nothing but the flow is trained.

The weights of a stage for pictures (``l1``) and features (``perceptual``) count here what the flow brings from the
source, since the first stage generates nothing.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from repro.features import taps_on_grid
from repro.losses import LossWeights, warped_l1
from repro.training.batches import Batch


class WarpLosses:
    """L1 between the target and the source along the flow, summed over the flows' scales.

    Args:
        taps: features compared at each scale, coarse to fine: those of the correctness loss.
        weights: of the stage; terms without one are left out.
        masked: only where the target shows a person.
    """

    def __init__(self, taps: Sequence[str], weights: LossWeights, masked: bool) -> None:
        self.taps, self.weights, self.masked = taps, weights, masked

    def __call__(
        self, flows: Sequence[Tensor], batch: Batch, source: Mapping[str, Tensor], target: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Return the terms that have a weight.

        Args:
            flows: coarse to fine.
            batch: its pictures are averaged over the flow's cells.
            source, target: features of both pictures at ``taps``; frozen.
        """
        mask = batch.person if self.masked else None
        terms: dict[str, Tensor] = {}
        if self.weights.l1:
            pictures = [[_averaged(one, flow) for one in (batch.source, batch.target)] for flow in flows]
            terms["l1"] = _sum([warped_l1(s, t, flow, mask) for (s, t), flow in zip(pictures, flows)])
        if self.weights.perceptual:
            seen = [[_on_grid(one, tap, flow) for one in (source, target)] for tap, flow in zip(self.taps, flows)]
            terms["perceptual"] = _sum([warped_l1(s, t, flow, mask) for (s, t), flow in zip(seen, flows)])
        return terms


def _averaged(picture: Tensor, flow: Tensor) -> Tensor:
    return F.adaptive_avg_pool2d(picture, (flow.shape[-2], flow.shape[-1]))


def _on_grid(seen: Mapping[str, Tensor], tap: str, flow: Tensor) -> Tensor:
    return taps_on_grid(seen, tap, (flow.shape[-2], flow.shape[-1]))[0]


def _sum(terms: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(terms)).sum()
