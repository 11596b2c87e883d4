"""The sequential network for faces: one flow estimator for both branches."""

from collections.abc import Mapping

import torch
from torch import Tensor

from repro.models.flow_estimator import FlowOutput, FlowPyramid
from repro.models.sequential import RecurrentRenderer, State
from repro.models.settings import FACE_CHANNELS


class FaceFlowEstimator(FlowPyramid):
    """Predicts the flows to the previous frame and to the source picture at once.

    Args:
        layers: attention layer -> window, see :class:`FlowPyramid`.
        width: factor on every channel count except inputs and outputs.
        pose_channels: channels of one face structure (S).
    """

    def __init__(self, layers: Mapping[int, int], width: float = 1.0, pose_channels: int = FACE_CHANNELS) -> None:
        super().__init__(layers, width, 3 * pose_channels + 6, branches=2)

    def forward(
        self, previous: Tensor, previous_pose: Tensor, reference: Tensor, reference_pose: Tensor, pose: Tensor
    ) -> tuple[FlowOutput, FlowOutput]:
        """Return flows and masks to the previous frame and to the source picture.

        Args:
            previous, reference: images (B, 3, H, W) in [-1, 1].
            previous_pose, reference_pose, pose: structures (B, S, H, W); ``pose`` is the target's.
        """
        both = self.estimate(torch.cat([pose, previous, previous_pose, reference, reference_pose], dim=1))
        flows = [flow.chunk(2, dim=1) for flow in both.flows]
        masks = [mask.chunk(2, dim=1) for mask in both.masks]
        to_previous, to_reference = (
            FlowOutput([flow[branch] for flow in flows], [mask[branch] for mask in masks]) for branch in (0, 1)
        )
        return to_previous, to_reference


class FaceGFLA(RecurrentRenderer):
    """Animates the face of a source picture along a sequence of facial structures.

    Args:
        layers, width, attention_mean: see :class:`RecurrentRenderer`.
        pose_channels: an edge map, 14 distance maps and a map of labels.
    """

    def __init__(
        self,
        layers: Mapping[int, int],
        width: float = 1.0,
        *,
        attention_mean: bool = True,
        pose_channels: int = FACE_CHANNELS,
    ) -> None:
        super().__init__(layers, width, pose_channels, attention_mean)
        self.flow_net = FaceFlowEstimator(layers, width, pose_channels)

    def estimate(
        self, previous: State, reference: Tensor, reference_pose: Tensor, pose: Tensor
    ) -> tuple[FlowOutput, FlowOutput]:
        """Return flows and masks of both branches, from one look at everything."""
        return self.flow_net(previous.image, previous.pose, reference, reference_pose, pose)
