"""The local neural texture renderer G: a source net, and a target net whose features are blended with attended ones."""

from collections.abc import Callable, Mapping

from torch import Tensor, nn

from repro.models.blocks import OutputBlock, ResBlock, ResBlockUp, encoder
from repro.models.settings import POSE_CHANNELS, scaled

CHANNELS = (64, 128, 256)  # after each halving: layer L = 1, 2, 3 has CHANNELS[L - 1]


def blend(mask: Tensor, x: Tensor, attended: Tensor) -> Tensor:
    """Return the features f_out of Eq. 10: ``attended`` where the mask is 1, the decoder's own ``x`` where it is 0."""
    return (1 - mask) * x + mask * attended


class SourceNet(nn.Module):
    """Extracts the features f_s of the source image at layers 1, 2, 3.

    All three blocks exist whatever layers have attention: in the Market network the last one gets no gradient.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        self.encoder = encoder([3] + [scaled(c, width) for c in CHANNELS])

    def forward(self, source: Tensor) -> dict[int, Tensor]:
        """Return {layer: features (B, C, H / 2^layer, W / 2^layer)} of an image (B, 3, H, W)."""
        features, x = {}, source
        for layer, block in enumerate(self.encoder, start=1):
            x = features[layer] = block(x)
        return features


class TargetNet(nn.Module):
    """Renders the image from the target pose, with attention into the source on the way up.

    Args:
        attention: the module that looks into the source, per attention layer.
        width: factor on every channel count except inputs and outputs.
        channels_in: channels of the structure it starts from; None = it has no encoder and starts from features of
            layer 3.
        bottleneck: extra residual blocks between encoder and decoder (none in GFLA).
    """

    def __init__(
        self,
        attention: Mapping[int, nn.Module],
        width: float = 1.0,
        channels_in: int | None = POSE_CHANNELS,
        bottleneck: int = 0,
    ) -> None:
        super().__init__()
        c1, c2, c3 = (scaled(c, width) for c in CHANNELS)
        self.encoder = encoder([c3] if channels_in is None else [channels_in, c1, c2, c3])
        self.bottleneck = nn.Sequential(*(ResBlock(c3) for _ in range(bottleneck)))
        self.attention = nn.ModuleDict({str(layer): module for layer, module in attention.items()})
        self.decoder = nn.ModuleList(
            nn.Sequential(ResBlock(i), ResBlockUp(i, o, hidden=i)) for i, o in ((c3, c2), (c2, c1), (c1, c1))
        )
        self.output = OutputBlock(c1)

    def forward(self, structure: Tensor, attend: Callable[[nn.Module, int, Tensor], Tensor] | None = None) -> Tensor:
        """Return the image (B, 3, H, W) in [-1, 1].

        Args:
            structure: (B, channels_in, H, W), GFLA: the target pose; without encoder features (B, C, H/8, W/8).
            attend: called at each attention layer, coarse to fine, as ``attend(module, layer, x)`` with the features
                f_t so far; returns the features f_out to go on with.
        """
        x = structure
        for block in self.encoder:
            x = block(x)
        x = self.bottleneck(x)
        for layer, step in zip((3, 2, 1), self.decoder):
            if attend is not None and str(layer) in self.attention:
                x = attend(self.attention[str(layer)], layer, x)
            x = step(x)
        return self.output(x)

    def after(self, layer: int) -> nn.Sequential:
        """Return the decoder's two blocks that go on from attention ``layer``, ResBlock and ResBlockUp."""
        step = self.decoder[len(CHANNELS) - layer]
        assert isinstance(step, nn.Sequential)
        return step
