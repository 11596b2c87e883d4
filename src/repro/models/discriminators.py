"""The image discriminator: residual, spectrally normalised, a score per patch of the image."""

from collections.abc import Mapping
from typing import Self

import torch
from torch import Tensor, nn

from repro.checks import require_choice, require_shape
from repro.models import initialisation
from repro.models.blocks import ResBlockDown, activation
from repro.models.settings import scaled
from repro.models.spectral_norm import SpectralNormConv2d

CHANNELS = (32, 64, 128, 128)
LAYERS = {"fashion": 4, "market": 3}


def require_scorable(name: str, tensor: Tensor, sizes: Mapping[str, int], smallest: int) -> None:
    """Check that a discriminator's input is floating point and its sides can be halved as often as needed.

    Raises:
        TypeError, ValueError: the input does not fit (the message says how).
    """
    if not torch.is_floating_point(tensor):
        raise TypeError(f"expected {name} to be floating point, got {tensor.dtype}: convert it to [-1, 1]")
    if min(sizes["H"], sizes["W"]) < smallest:
        raise ValueError(f"expected sides of at least {smallest}, got {sizes['H']}x{sizes['W']} (height x width)")


class ImageDiscriminator(nn.Module):
    """Scores how real an image looks, patch by patch; raw scores, no sigmoid.

    In training mode every forward pass advances the power iteration of the spectral norm.

    Args:
        layers: number of halvings, 1 to 4 (4 in the authors' networks, 3 for Market-1501).
        width: factor on every channel count except input and output.
        channels_in: 3 for an image; 6 for the differences of three frames (see :func:`frame_differences`).
    """

    def __init__(self, layers: int = 4, width: float = 1.0, channels_in: int = 3) -> None:
        super().__init__()
        if not 1 <= layers <= len(CHANNELS):
            raise ValueError(f"expected 1 to {len(CHANNELS)} layers, got {layers}")
        self.channels_in = channels_in
        channels = [scaled(c, width) for c in CHANNELS[:layers]]
        # The hidden width is the input's, except in the first block, where that would be 3.
        steps = zip([channels_in, *channels[:-1]], channels, [channels[0], *channels[:-1]])
        self.encoder = nn.ModuleList(ResBlockDown(i, o, hidden=h) for i, o, h in steps)
        self.score = nn.Sequential(activation(), SpectralNormConv2d(channels[-1], 1, 1))

    @classmethod
    def preset(cls, task: str, width: float = 1.0, seed: int | None = None, channels_in: int = 3) -> Self:
        """Return the initialised discriminator of ``task``, "fashion" (also of animation and views) or "market"."""
        seed = initialisation.seed_or_draw(seed)
        net = cls(LAYERS[require_choice("preset", task, tuple(LAYERS))], width, channels_in)
        initialisation.kaiming(net, seed)
        return net

    def forward(self, image: Tensor) -> Tensor:
        """Return scores (B, 1, H / 2^layers, W / 2^layers) of images (B, 3, H, W) in [-1, 1].

        Raises:
            TypeError, ValueError: the image does not fit (the message says how).
        """
        c = self.channels_in
        sizes = require_shape("image", image, f"B {c} H W", hint=f"images are (B, {c}, H, W) in [-1, 1]")
        require_scorable("image", image, sizes, 2 ** len(self.encoder))
        x = image
        for block in self.encoder:
            x = block(x)
        return self.score(x)
