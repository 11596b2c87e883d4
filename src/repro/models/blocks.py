"""The building blocks of all image networks, in pre-activation order: norm, LeakyReLU, convolution.

Convention: the very first norm of a network meets the raw image or heat maps and removes each channel's mean and
contrast. The paper draws convolution before norm; the code, and this module, do it the other way round.
"""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from repro.models.spectral_norm import SpectralNormConv2d, SpectralNormConv3d


def activation() -> nn.Module:
    """Return the activation of every network here, LeakyReLU with slope 0.1."""
    return nn.LeakyReLU(0.1)


def norm(channels: int) -> nn.Module:
    """Return instance normalisation with learnable scale and shift and no running statistics."""
    return nn.InstanceNorm2d(channels, eps=1e-5, affine=True)


class EncoderBlock(nn.Module):
    """Half the resolution: a strided convolution, then one that mixes (EB, without skip path)."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.model = nn.Sequential(
            norm(channels_in),
            activation(),
            nn.Conv2d(channels_in, channels_out, 4, stride=2, padding=1),
            norm(channels_out),
            activation(),
            nn.Conv2d(channels_out, channels_out, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return features (B, channels_out, H/2, W/2)."""
        return self.model(x)


class ResBlock(nn.Module):
    """The same resolution; the skip path is the identity, or a 1x1 convolution where the channels change (RB).

    Args:
        channels: of the input and between the two convolutions.
        channels_out: of the output; None = as many.
    """

    def __init__(self, channels: int, channels_out: int | None = None) -> None:
        super().__init__()
        out = channels if channels_out is None else channels_out
        self.model = nn.Sequential(
            norm(channels),
            activation(),
            nn.Conv2d(channels, channels, 3, padding=1),
            norm(channels),
            activation(),
            nn.Conv2d(channels, out, 3, padding=1),
        )
        self.shortcut = nn.Sequential() if out == channels else nn.Sequential(nn.Conv2d(channels, out, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return features (B, channels_out, H, W)."""
        return self.model(x) + self.shortcut(x)


class ResBlockUp(nn.Module):
    """Twice the resolution by transposed convolutions, on the main and on the skip path (RBD)."""

    def __init__(self, channels_in: int, channels_out: int, hidden: int) -> None:
        super().__init__()
        self.model = nn.Sequential(
            norm(channels_in),
            activation(),
            nn.Conv2d(channels_in, hidden, 3, padding=1),
            norm(hidden),
            activation(),
            _double(hidden, channels_out),
        )
        self.shortcut = nn.Sequential(_double(channels_in, channels_out))

    def forward(self, x: Tensor) -> Tensor:
        """Return features (B, channels_out, 2H, 2W)."""
        return self.model(x) + self.shortcut(x)


class ResBlockDown(nn.Module):
    """Half the resolution, spectrally normalised and without norm layers: the discriminators' block (RBE)."""

    def __init__(self, channels_in: int, channels_out: int, hidden: int) -> None:
        super().__init__()
        self.model = nn.Sequential(
            activation(),
            SpectralNormConv2d(channels_in, hidden, 3, padding=1),
            activation(),
            SpectralNormConv2d(hidden, channels_out, 4, stride=2, padding=1),
        )
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), SpectralNormConv2d(channels_in, channels_out, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return features (B, channels_out, H/2, W/2)."""
        return self.model(x) + self.shortcut(x)


class ResBlockDown3d(nn.Module):
    """Half the resolution and two frames less: the temporal discriminator's block (RBE3)."""

    def __init__(self, channels_in: int, channels_out: int, hidden: int) -> None:
        super().__init__()
        self.model = nn.Sequential(
            activation(),
            SpectralNormConv3d(channels_in, hidden, 3, padding=1),
            activation(),
            SpectralNormConv3d(hidden, channels_out, (3, 4, 4), stride=(1, 2, 2), padding=(0, 1, 1)),
        )
        self.shortcut = nn.Sequential(
            nn.AvgPool3d((3, 2, 2), stride=(1, 2, 2)), SpectralNormConv3d(channels_in, channels_out, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return features (B, channels_out, T - 2, H/2, W/2) of (B, channels_in, T, H, W)."""
        return self.model(x) + self.shortcut(x)


class OutputBlock(nn.Module):
    """Features to an image in [-1, 1] (OUT)."""

    def __init__(self, channels_in: int, channels_out: int = 3) -> None:
        super().__init__()
        self.model = nn.Sequential(
            activation(), nn.ReflectionPad2d(1), nn.Conv2d(channels_in, channels_out, 3), nn.Tanh()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return an image (B, channels_out, H, W) in [-1, 1]."""
        return self.model(x)


class JumpBlock(nn.Module):
    """The connection that carries an encoder's features to the decoder's sum of the same size (JUMP)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.model = nn.Sequential(activation(), nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Return features of ``x``'s shape."""
        return self.model(x)


def encoder(channels: Sequence[int]) -> nn.ModuleList:
    """Return the chain of encoder blocks channels[0] -> channels[1] -> ..., each of which halves the resolution."""
    return nn.ModuleList(EncoderBlock(i, o) for i, o in pairwise(channels))


def _double(channels_in: int, channels_out: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(channels_in, channels_out, 3, stride=2, padding=1, output_padding=1)
