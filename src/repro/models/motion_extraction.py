"""The Motion Extraction Network: from joints as a detector finds them to the motion of a clean skeleton."""

from itertools import pairwise
from typing import Self

import torch
from torch import Tensor, nn

from repro.checks import require_shape
from repro.models import initialisation
from repro.models.adaptive_normalisation import BatchNorm, LayerNorm, normalisation
from repro.models.blocks import activation
from repro.models.settings import scaled

JOINTS = 17
CHANNELS = 256
DILATIONS = (3, 9, 27)
DROPOUT = 0.15
RECEPTIVE_FIELD = 1 + 2 * (1 + sum(DILATIONS))  # 81: the entry and every block take their dilation off at both ends
CONTEXT = RECEPTIVE_FIELD - 1  # frames that the result is shorter than the input


class StatisticExtractor(nn.Module):
    """Sums up a window of joints in one vector: what layer norm removes of it, mean and deviation, can come back (E).

    Args:
        channels_in: of the joints.
        channels: of the vector.
    """

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv1d(i, o, 3, stride=2, bias=False) for i, o in pairwise([channels_in, channels, channels, channels])
        )
        self.activation = activation()

    def forward(self, joints: Tensor) -> Tensor:
        """Return a vector (B, channels) of joints (B, channels_in, L)."""
        x = joints
        for convolution in self.convolutions:
            x = self.activation(convolution(x))
        return x.mean(dim=2)


class TemporalBlock(nn.Module):
    """A dilated convolution over time and one that mixes channels, each normalised; the skip path is cropped."""

    def __init__(self, channels: int, dilation: int, kind: str, dropout: float) -> None:
        super().__init__()
        self.dilation = dilation
        self.dilated = nn.Conv1d(channels, channels, 3, dilation=dilation, bias=False)
        self.dilated_norm = normalisation(kind, channels, channels)
        self.mix = nn.Conv1d(channels, channels, 1, bias=False)
        self.mix_norm = normalisation(kind, channels, channels)
        self.finish = nn.Sequential(activation(), nn.Dropout(dropout))

    def forward(self, x: Tensor, statistics: Tensor | None) -> Tensor:
        """Return features (B, C, L - 2 * dilation) of (B, C, L)."""
        skip = x[..., self.dilation : -self.dilation]
        x = self.finish(self.dilated_norm(self.dilated(x), statistics))
        x = self.finish(self.mix_norm(self.mix(x), statistics))
        return skip + x


class MotionExtractionNetwork(nn.Module):
    r"""Cleans and re-maps a track of joints: in the skeleton of the detector, out the skeleton of the motion.

    Temporal convolutions without padding see 81 frames; layer norm removes a window's mean and deviation,
    :class:`AdaptiveLayerNorm` puts them back from the statistics of the same window.

    Convention: the norms look at the whole window, so a frame's result depends on the window's length: test with the
    length of training (24 + 80).

    Args:
        joints: K, of input and output.
        width: factor on the 256 channels.
        normalisation: "adaptive" (the authors' code), or a variant, see
            :func:`repro.models.adaptive_normalisation.normalisation`; "batch" reaches the entry layer too, which has a
            plain layer norm otherwise.
        validity: with an input channel per joint that says whether the detector found it. The authors have none.
        dropout: share of features left out in training.
    """

    def __init__(
        self,
        joints: int = JOINTS,
        width: float = 1.0,
        *,
        normalisation: str = "adaptive",
        validity: bool = False,
        dropout: float = DROPOUT,
    ) -> None:
        super().__init__()
        self.joints = joints
        self.validity = validity
        channels, channels_in = scaled(CHANNELS, width), (3 if validity else 2) * joints
        adaptive = normalisation.startswith("adaptive")
        self.statistics = StatisticExtractor(channels_in, channels) if adaptive else None
        self.entry = nn.Conv1d(channels_in, channels, 3, bias=False)
        self.entry_norm = BatchNorm(channels) if normalisation == "batch" else LayerNorm(channels)
        self.entry_finish = nn.Sequential(activation(), nn.Dropout(dropout))
        self.blocks = nn.ModuleList(TemporalBlock(channels, d, normalisation, dropout) for d in DILATIONS)
        self.exit = nn.Conv1d(channels, 2 * joints, 1)

    @classmethod
    def preset(
        cls,
        width: float = 1.0,
        normalisation: str = "adaptive",
        validity: bool = False,
        init_gain: float = 0.02,
        seed: int | None = None,
        dropout: float = DROPOUT,
    ) -> Self:
        """Return the initialised network for 17 joints.

        Args:
            width, normalisation, validity, dropout: see the class.
            init_gain: gain of the orthogonal initialisation; 0.02 in the authors' runs.
            seed: initial weights; None draws one number from torch's global generator.
        """
        seed = initialisation.seed_or_draw(seed)
        net = cls(width=width, normalisation=normalisation, validity=validity, dropout=dropout)
        initialisation.orthogonal(net, init_gain, seed)
        return net

    def forward(self, joints: Tensor, valid: Tensor | None = None) -> Tensor:
        """Return clean joints (B, 2K, L - 80): those of the input's frames 40 ... L - 41.

        Args:
            joints: (B, 2K, L), all rows, then all columns, 2 v / width - 1 (``repro.data.motion_windows.to_channels``);
                L >= 81. No -1 for missing: gaps are filled (``hold_last``).
            valid: (B, K, L), true or 1 where the detector found the joint; only and always with ``validity``.

        Raises:
            TypeError, ValueError: an input does not fit (the message says which and how).
        """
        hint = "all rows, then all columns of the joints, over time"
        sizes = require_shape("joints", joints, f"B {2 * self.joints} L", hint=hint)
        if not torch.is_floating_point(joints):
            raise TypeError(f"expected joints to be floating point, got {joints.dtype}: normalise them to [-1, 1]")
        if sizes["L"] < RECEPTIVE_FIELD:
            raise ValueError(
                f"expected at least {RECEPTIVE_FIELD} frames, got {sizes['L']}: a clip of T frames needs "
                f"{CONTEXT // 2} more at both ends (repro.data.motion_windows.window repeats the border frame)"
            )
        if (valid is not None) != self.validity:
            raise ValueError(
                "expected valid (B, K, L): this network has validity channels"
                if self.validity
                else "expected no valid: this network has no validity channels (validity=True)"
            )
        x = joints
        if valid is not None:
            require_shape("valid", valid, f"B {self.joints} L", sizes=sizes, hint="one number per joint and frame")
            x = torch.cat([joints, valid.to(joints)], dim=1)
        statistics = None if self.statistics is None else self.statistics(x)
        x = self.entry_finish(self.entry_norm(self.entry(x)))
        for block in self.blocks:
            x = block(x, statistics)
        return self.exit(x)
