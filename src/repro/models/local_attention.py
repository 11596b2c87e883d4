"""How a target position looks into the source features at the place that the flow assigns to it."""

from torch import Tensor, nn

from repro import ops
from repro.models.blocks import activation

HIDDEN = 128  # hidden channels of the kernel net, at any width of the network


class LocalAttention(nn.Module):
    r"""Content-aware sampling: a k x k source patch, weighted by a kernel predicted from both patches.

    .. math::
        \mathbf{k}_l = M(\mathcal{N}_k(\mathbf{f}_s, l + \mathbf{w}^l), \mathcal{N}_k(\mathbf{f}_t, l))\quad(8)
        \qquad
        \mathbf{f}^l_{attn} = P(\mathbf{k}_l \otimes \mathcal{N}_k(\mathbf{f}_s, l + \mathbf{w}^l))\quad(9)

    Convention: the pooling P is a mean over the k² cells, as in the authors' code, so the result is a convex
    combination divided by k²; ``mean=False`` leaves that factor out. The kernel net M takes the target patch first.

    Args:
        channels: C of both feature maps.
        k: odd side of the patch.
        mean: divide by k² (the authors' pooling).
    """

    def __init__(self, channels: int, k: int, mean: bool = True) -> None:
        super().__init__()
        if k < 1 or k % 2 == 0:
            raise ValueError(f"expected an odd patch side k >= 1, got {k}")
        self.k = k
        self.mean = mean
        # M on a pair of patches. Its layers own the weights; repro.ops applies them without building the patches.
        self.kernel_net = nn.Sequential(
            nn.Conv2d(2 * channels, HIDDEN, k, stride=k), activation(), nn.Conv2d(HIDDEN, k * k, 1)
        )

    def forward(self, source: Tensor, target: Tensor, flow: Tensor) -> Tensor:
        """Return the attended features f_attn (B, C, H, W) of Eq. 9.

        Args:
            source: source features f_s, (B, C, H, W).
            target: target features f_t, (B, C, H, W): the decoder's running features.
            flow: displacement w from target to source, (B, 2, H, W), (x, y), in pixels of this map.
        """
        return ops.local_attention(source, target, flow, *self._weights(), mean=self.mean)

    def coefficients(self, source: Tensor, target: Tensor, flow: Tensor) -> Tensor:
        """Return the kernels k_l of Eq. 8, (B, k², H, W), row by row over the patch; they sum to 1 at each position."""
        return ops.attention_coefficients(source, target, flow, *self._weights())

    def _weights(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        weight1, bias1, weight2, bias2 = self.kernel_net.parameters()
        return weight1, bias1, weight2, bias2


class BilinearSampling(nn.Module):
    """Bilinear warping in the place of local attention: the "Bi-Sample" row of Table II. It has no parameters."""

    def forward(self, source: Tensor, target: Tensor, flow: Tensor) -> Tensor:
        """Return ``source`` (B, C, H, W) read at own position + ``flow`` (B, 2, H, W); ``target`` is not looked at."""
        return ops.bilinear_warp(source, flow)
