"""The temporal discriminator: whether six frames in a row move as a real clip does."""

from typing import Self

import torch
from torch import Tensor, nn

from repro.checks import require_shape
from repro.models import initialisation
from repro.models.blocks import ResBlockDown, ResBlockDown3d, activation
from repro.models.discriminators import require_scorable
from repro.models.settings import scaled
from repro.models.spectral_norm import SpectralNormConv2d

FRAMES = 6
CLIP_CHANNELS = (32, 64)  # after each block in space and time, which takes two frames away
IMAGE_CHANNELS = (128, 128)


class TemporalDiscriminator(nn.Module):
    """Scores how real the motion of six consecutive frames looks, patch by patch; raw scores, no sigmoid (D_v, Eq. 21).

    Two residual blocks in space and time leave two frames, which become channels for two blocks in space. In training
    mode every forward pass advances the power iteration of the spectral norm.

    Args:
        width: factor on every channel count except input and output.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        first, second = (scaled(c, width) for c in CLIP_CHANNELS)
        third, last = (scaled(c, width) for c in IMAGE_CHANNELS)
        merged = second * (FRAMES - 2 * len(CLIP_CHANNELS))
        self.clip_encoder = nn.Sequential(
            ResBlockDown3d(3, first, hidden=first), ResBlockDown3d(first, second, hidden=first)
        )
        self.image_encoder = nn.Sequential(
            ResBlockDown(merged, third, hidden=merged), ResBlockDown(third, last, hidden=third)
        )
        self.score = nn.Sequential(activation(), SpectralNormConv2d(last, 1, 1))

    @classmethod
    def preset(cls, width: float = 1.0, seed: int | None = None) -> Self:
        """Return the initialised discriminator."""
        seed = initialisation.seed_or_draw(seed)
        net = cls(width)
        initialisation.kaiming(net, seed)
        return net

    def forward(self, clip: Tensor) -> Tensor:
        """Return scores (B, 1, H / 16, W / 16) of clips (B, 6, 3, H, W) in [-1, 1].

        Convention: frames before channels, as clips are stored here; the authors' network takes (B, 3, 6, H, W).

        Raises:
            TypeError, ValueError: the clip does not fit (the message says how).
        """
        hint = "six frames in [-1, 1]; clip.transpose(1, 2) for channels before frames"
        sizes = require_shape("clip", clip, f"B {FRAMES} 3 H W", hint=hint)
        require_scorable("clip", clip, sizes, 2 ** (len(CLIP_CHANNELS) + len(IMAGE_CHANNELS)))
        x = self.clip_encoder(clip.transpose(1, 2))
        return self.score(self.image_encoder(x.flatten(1, 2)))  # channel-major: both frames of a channel side by side


def frame_differences(clip: Tensor) -> Tensor:
    """Return each frame minus the next, on the channels: what the video discriminator of faces looks at.

    That discriminator is an :class:`ImageDiscriminator` with ``channels_in=6``.

    Args:
        clip: consecutive frames (B, 3, 3, H, W), frames before channels.

    Returns:
        (B, 6, H, W): first - second, second - third.

    Raises:
        ValueError: another shape.
    """
    require_shape("clip", clip, "B 3 3 H W", hint="three frames of three channels")
    return torch.cat([clip[:, 0] - clip[:, 1], clip[:, 1] - clip[:, 2]], dim=1)
