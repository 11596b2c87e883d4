"""The network of views: a thing (a car, a chair) seen from elsewhere; codes of views take the place of poses."""

from collections.abc import Mapping
from typing import Self

import torch
from torch import Tensor, nn

from repro.models import initialisation
from repro.models.blocks import ResBlock, ResBlockUp
from repro.models.flow_estimator import ENCODER_CHANNELS, FlowOutput, FlowPyramid
from repro.models.gfla import FlowGuidedRenderer, Output
from repro.models.renderer import CHANNELS
from repro.models.settings import STRIDE, VIEW_CHANNELS, attention_layers, require_views, scaled


class ViewFlowEstimator(FlowPyramid):
    """Predicts the flow from the source picture; the change of view enters at the bottleneck.

    Args:
        layers: attention layer -> window, see :class:`FlowPyramid`.
        width: factor on every channel count except inputs and outputs.
    """

    def __init__(self, layers: Mapping[int, int], width: float = 1.0) -> None:
        super().__init__(layers, width, channels_in=3)
        deepest = scaled(ENCODER_CHANNELS[-1], width)
        self.merge = ResBlock(deepest + VIEW_CHANNELS, deepest)

    @classmethod
    def preset(cls, width: float = 1.0, init_gain: float = 0.02, seed: int | None = None) -> Self:
        """Return the initialised estimator; with the same seed it starts as ``ViewGFLA.preset(...).flow_net``."""
        seed = initialisation.seed_or_draw(seed)
        net = cls(attention_layers("fashion"), width)
        initialisation.orthogonal(net, init_gain, seed, prefix="flow_net.")
        return net

    def forward(self, source: Tensor, source_code: Tensor, target_code: Tensor) -> FlowOutput:
        """Return flows and masks.

        Args:
            source: image (B, 3, H, W) in [-1, 1]; sides multiples of 32, at least 64.
            source_code, target_code: codes of views, (B, 21, 1, 1).

        Raises:
            TypeError, ValueError: an input does not fit (the message says which and how).
        """
        require_views(source, source_code, target_code)
        change = source_code - target_code

        def merge(x: Tensor) -> Tensor:
            return self.merge(torch.cat([x, change.expand(-1, -1, *x.shape[2:])], dim=1))

        return self.estimate(source, merge)


class ViewGFLA(FlowGuidedRenderer):
    """Renders the thing of a source picture as seen from another view.

    The target net has no encoder: the code, repeated over a map of 1/32 of the picture, is doubled in size twice.

    Convention: the authors fix that map at 8 x 8, which is 1/32 of their 256 x 256.

    Args:
        layers: attention layer -> odd window.
        width: factor on every channel count except inputs, outputs, windows and the kernel nets' 128.
        attention_mean, sampling: see :class:`GFLA`.
    """

    def __init__(
        self,
        layers: Mapping[int, int],
        width: float = 1.0,
        *,
        attention_mean: bool = True,
        sampling: str = "attention",
    ) -> None:
        super().__init__(ViewFlowEstimator(layers, width), None, width, attention_mean, sampling)
        c1, _, c3 = (scaled(c, width) for c in CHANNELS)
        self.expand = nn.Sequential(
            ResBlockUp(VIEW_CHANNELS, c1, hidden=VIEW_CHANNELS),
            ResBlockUp(c1, c3, hidden=c1),
        )

    @classmethod
    def preset(
        cls,
        width: float = 1.0,
        attention_mean: bool = True,
        init_gain: float = 0.02,
        sampling: str = "attention",
        seed: int | None = None,
    ) -> Self:
        """Return the initialised network with the authors' layers and windows. Arguments as :meth:`GFLA.preset`."""
        seed = initialisation.seed_or_draw(seed)
        model = cls(attention_layers("fashion"), width, attention_mean=attention_mean, sampling=sampling)
        initialisation.orthogonal(model, init_gain, seed)
        return model

    def forward(self, source: Tensor, source_code: Tensor, target_code: Tensor) -> Output:
        """Return the generated image with its flows and masks.

        Args:
            source: image (B, 3, H, W) in [-1, 1]; sides multiples of 32, at least 64.
            source_code, target_code: codes of views, (B, 21, 1, 1): one-hot 18 azimuths, then one-hot 3 elevations.

        Raises:
            TypeError, ValueError: an input does not fit (the message says which and how).
        """
        guides = self.flow_net(source, source_code, target_code)
        height, width = (side // STRIDE for side in source.shape[2:])
        return self.render(source, self.expand(target_code.expand(-1, -1, height, width)), guides)
