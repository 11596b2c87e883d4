"""The global flow field estimator F: where each target position looks in the source, and whether it should."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from repro.models import initialisation
from repro.models.blocks import JumpBlock, ResBlockUp, encoder
from repro.models.settings import POSE_CHANNELS, attention_layers, coarse_to_fine, require_pair, scaled
from repro.ops.precision import without_tf32

ENCODER_CHANNELS = (32, 64, 128, 256, 256)


class FlowOutput(NamedTuple):
    """What a flow estimator returns, coarse to fine.

    Attributes:
        flows: displacement from target to source per attention layer, (B, 2, h, w), (x, y), in pixels of that map.
        masks: m in (0, 1) per attention layer, (B, 1, h, w): 1 takes the source's content, 0 leaves it to the decoder.
    """

    flows: list[Tensor]
    masks: list[Tensor]


class FlowPyramid(nn.Module):
    """The body of every flow estimator: an encoder to 1/32, a decoder with jumps, heads at the attention layers.

    Args:
        layers: attention layer -> window. The windows are not used here, but belong to the flow: the affine
            regulariser reads them from ``attention_layers``.
        width: factor on every channel count except inputs and outputs.
        channels_in: channels of what it looks at.
        branches: number of pictures that it estimates flow to.
    """

    def __init__(self, layers: Mapping[int, int], width: float, channels_in: int, branches: int = 1) -> None:
        super().__init__()
        self.attention_layers = coarse_to_fine(layers)
        depth = len(ENCODER_CHANNELS)
        channels = [channels_in] + [scaled(c, width) for c in ENCODER_CHANNELS]
        self.encoder = encoder(channels)
        # Decoder step i leads to layer depth - 1 - i and to the channels that the encoder has there.
        visited = range(depth - 1, min(self.attention_layers) - 1, -1)
        self.decoder = nn.ModuleList(ResBlockUp(channels[L + 1], channels[L], hidden=channels[L]) for L in visited)
        self.jump = nn.ModuleList(JumpBlock(channels[L]) for L in visited)
        self.flow_head, self.mask_head = (
            nn.ModuleDict(
                {str(L): nn.Conv2d(channels[L], branches * values, 3, padding=1) for L in self.attention_layers}
            )
            for values in (2, 1)
        )

    def estimate(self, x: Tensor, bottleneck: Callable[[Tensor], Tensor] | None = None) -> FlowOutput:
        """Return flows (B, 2 * branches, h, w) and masks (B, branches, h, w).

        Args:
            x: (B, channels_in, H, W).
            bottleneck: what happens to the encoder's features at 1/32; it keeps their shape.
        """
        skips = []  # skips[L - 1] is the encoder's map at layer L
        for block in self.encoder:
            x = block(x)
            skips.append(x)
        if bottleneck is not None:
            x = bottleneck(x)

        flows, masks = [], []
        layer = len(skips)
        for up, jump in zip(self.decoder, self.jump):
            layer -= 1
            x = up(x) + jump(skips[layer - 1])
            if layer in self.attention_layers:
                flows.append(_exactly(self.flow_head[str(layer)], x))
                masks.append(torch.sigmoid(_exactly(self.mask_head[str(layer)], x)))
        return FlowOutput(flows, masks)


class FlowEstimator(FlowPyramid):
    r"""Predicts flow fields and occlusion masks at the attention layers from the source image and both poses.

    .. math:: (\mathbf{w}, \mathbf{m}) = F(\mathbf{x}_s, \mathbf{p}_s, \mathbf{p}_t) \quad (1)

    Args:
        layers: attention layer -> window, see :class:`FlowPyramid`.
        width: factor on every channel count except inputs and outputs.
        pose_channels: heat maps of one pose (S).
    """

    def __init__(self, layers: Mapping[int, int], width: float = 1.0, pose_channels: int = POSE_CHANNELS) -> None:
        super().__init__(layers, width, 3 + 2 * pose_channels)
        self.pose_channels = pose_channels

    @classmethod
    def preset(cls, task: str, width: float = 1.0, init_gain: float = 0.02, seed: int | None = None) -> Self:
        """Return the initialised estimator of ``task``, "fashion" or "market".

        With the same seed it starts from the same weights as ``GFLA.preset(...).flow_net``.
        """
        seed = initialisation.seed_or_draw(seed)
        net = cls(attention_layers(task), width)
        initialisation.orthogonal(net, init_gain, seed, prefix="flow_net.")
        return net

    def forward(self, source: Tensor, source_pose: Tensor, target_pose: Tensor) -> FlowOutput:
        """Return flows and masks (Eq. 1).

        Args:
            source: image x_s, (B, 3, H, W) in [-1, 1]; sides multiples of 32, at least 64.
            source_pose: heat maps p_s, (B, 18, H, W).
            target_pose: heat maps p_t, (B, 18, H, W).

        Raises:
            TypeError, ValueError: an input does not fit (the message says which and how).
        """
        require_pair(source, source_pose, target_pose, self.pose_channels)
        return self.estimate(torch.cat([source, source_pose, target_pose], dim=1))


def _exactly(head: nn.Module, x: Tensor) -> Tensor:
    """Apply ``head`` in the weights' own precision: in bfloat16 a flow of 32 pixels would move in steps of 1/4.

    TF32 keeps no more than 10 bits of the fraction either (steps of 1/32), so it is left out too.
    """
    with torch.autocast(x.device.type, enabled=False), without_tf32(x.device):
        return head(x.to(next(head.parameters()).dtype))
