"""Normalisation of tracks of joints (paper Eq. 23-26), and what the variants put in its place."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from repro.checks import require_choice

EPS = 1e-5
HIDDEN = 128  # hidden units of the net that turns statistics into gamma and beta, at any width of the network


def layer_norm(x: Tensor) -> Tensor:
    r"""Return features without the mean and deviation of their sample, over channels and time together.

    .. math::
        \frac{\mathbf{f} - \mu(\mathbf{f})}{\sigma(\mathbf{f})},\qquad
        \mu_b = \frac{1}{CL}\sum_{c,l}\mathbf{f}_{bcl}\quad(24)\qquad
        \sigma_b = \sqrt{\frac{1}{CL}\sum_{c,l}(\mathbf{f}_{bcl} - \mu_b)^2}\quad(25)

    Convention: 1e-5 is added to the variance. The result depends on the length of the window.

    Args:
        x: features (B, C, L).
    """
    return F.layer_norm(x, x.shape[1:], eps=EPS)


class LayerNorm(nn.Module):
    """Layer norm over channels and time, then a scale and a shift per channel that are the same for every sample.

    Args:
        channels: C.
        affine: with scale and shift; False leaves them out.
    """

    def __init__(self, channels: int, affine: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels, 1)) if affine else None
        self.bias = nn.Parameter(torch.zeros(channels, 1)) if affine else None

    def forward(self, x: Tensor, statistics: Tensor | None = None) -> Tensor:
        """Return normalised features of ``x``'s shape (B, C, L); ``statistics`` is not looked at."""
        x = layer_norm(x)
        return x if self.weight is None or self.bias is None else x * self.weight + self.bias


class AdaptiveLayerNorm(nn.Module):
    r"""Layer norm whose scale and shift come from statistics of the motion: ADALN.

    .. math:: ADALN(\mathbf{f}) = \gamma\,\frac{\mathbf{f} - \mu(\mathbf{f})}{\sigma(\mathbf{f})} + \beta\quad(23)
        \qquad \beta, \gamma = E(\mathbf{J}_t^{[1,K]})\quad(26)

    Paper and code: the authors' code scales by 1 + gamma. As gamma is the output of a layer with a bias, both forms can
    compute the same; but from small initial weights Eq. 23 as printed starts with almost nothing of f left.

    Args:
        channels: C of the features.
        statistics: D of the vector from the statistic extractor.
        one_plus: scale by 1 + gamma (the code); False: by gamma (Eq. 23).
    """

    def __init__(self, channels: int, statistics: int, one_plus: bool = True) -> None:
        super().__init__()
        self.one_plus = one_plus
        self.shared = nn.Sequential(nn.Linear(statistics, HIDDEN), nn.ReLU())
        self.gamma = nn.Linear(HIDDEN, channels)
        self.beta = nn.Linear(HIDDEN, channels)

    def forward(self, x: Tensor, statistics: Tensor) -> Tensor:
        """Return normalised features of ``x``'s shape (B, C, L), scaled and shifted as ``statistics`` (B, D) say."""
        shared = self.shared(statistics)
        gamma, beta = self.gamma(shared)[..., None], self.beta(shared)[..., None]
        return layer_norm(x) * (1 + gamma if self.one_plus else gamma) + beta


class BatchNorm(nn.BatchNorm1d):
    """Batch norm, called as the others are."""

    def forward(self, x: Tensor, statistics: Tensor | None = None) -> Tensor:
        """Return normalised features of ``x``'s shape (B, C, L); ``statistics`` is not looked at."""
        return super().forward(x)


KINDS = ("adaptive", "adaptive-paper", "batch", "layer", "affine")


def normalisation(kind: str, channels: int, statistics: int) -> nn.Module:
    """Return the norm of one layer, called as ``norm(x, statistics)``.

    Args:
        kind: "adaptive" (ADALN as the authors' code computes it), "adaptive-paper" (Eq. 23 as printed), "batch" (batch
            norm), "layer" (layer norm without adaptation: nothing is restored), "affine" (no statistics branch: scale
            and shift are learned, the same for every sample).
        channels: C of the features.
        statistics: D of the vector from the statistic extractor, for the adaptive kinds.

    Raises:
        ValueError: an unknown kind.
    """
    if require_choice("normalisation", kind, KINDS).startswith("adaptive"):
        return AdaptiveLayerNorm(channels, statistics, one_plus=kind == "adaptive")
    return BatchNorm(channels) if kind == "batch" else LayerNorm(channels, affine=kind == "affine")
