"""Convolutions with spectral normalisation in its classic order of iteration."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

EPS = 1e-12
Sides = int | tuple[int, ...]  # one number for all axes, or one per axis


class SpectralNorm(_ConvNd):
    r"""A convolution whose weight is divided by an estimate of its largest singular value.

    With W the weight as a matrix [out, rest], one power iteration per forward pass in training mode is

    .. math:: v \leftarrow \frac{W^\top u}{\|W^\top u\|},\qquad u \leftarrow \frac{W v}{\|W v\|},\qquad
        \bar W = \frac{W}{u^\top W v}

    with u and v constants for the gradient. In evaluation mode the stored u and v are used as they are.

    Convention: v first, then u, as the authors' networks were trained. PyTorch's parametrisation iterates u first, so
    the same checkpoint gives other scores there in training mode (the same in evaluation mode).
    """

    weight_u: Tensor
    weight_v: Tensor

    def __init__(
        self, channels_in: int, channels_out: int, side: Sides, *, stride: Sides = 1, padding: Sides = 0
    ) -> None:
        super().__init__(channels_in, channels_out, side, stride=stride, padding=padding)  # type: ignore[call-arg, arg-type]
        rows, columns = self.weight.flatten(1).shape
        self.register_buffer("weight_u", F.normalize(torch.randn(rows), dim=0, eps=EPS))
        self.register_buffer("weight_v", F.normalize(torch.randn(columns), dim=0, eps=EPS))

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of ``x`` with the normalised weight."""
        with torch.autocast(x.device.type, enabled=False):  # half precision would lose u and v
            matrix = self.weight.flatten(1)
            u, v = self._vectors(matrix.detach())
            weight = self.weight / torch.dot(u, matrix @ v)
        return self._conv_forward(x, weight, self.bias)

    @torch.no_grad()
    def _vectors(self, matrix: Tensor) -> tuple[Tensor, Tensor]:
        if not self.training:
            return self.weight_u, self.weight_v
        v = F.normalize(matrix.T @ self.weight_u, dim=0, eps=EPS)
        u = F.normalize(matrix @ v, dim=0, eps=EPS)
        # Written in place and not used by the graph: the next forward pass may come before this one's backward pass.
        self.weight_u.copy_(u)
        self.weight_v.copy_(v)
        return u, v


class SpectralNormConv2d(SpectralNorm, nn.Conv2d):
    """A spectrally normalised convolution of images."""


class SpectralNormConv3d(SpectralNorm, nn.Conv3d):
    """A spectrally normalised convolution of clips."""
