"""Local attention (paper Eq. 8-9) by two exact identities, without ever storing a patch.

1. All taps of one position share their sub-pixel fraction, so a convolution of sampled patches is one bilinear read of
   an ordinary convolution's result. Beyond k div 2 pixels outside the map all taps of an axis see the same edge pixel,
   hence a margin of k div 2 loses nothing.
2. The weighted sum over k x k bilinear reads is a weighted sum over (k + 1) x (k + 1) pixels, with weights that all
   channels share.

Values and gradients equal those of the reference, which is written on ``extract_patches``, to round-off, at integer
positions and far outside included. The fast path has first derivatives only; the reference has them all.

The same bits every time on a CPU, where sums have one order at no cost. On GPUs the source's gradient is summed by
atomics in any order; ``torch.use_deterministic_algorithms(True)`` takes a sorted sum instead, whose cost
``benchmarks/gpu.py`` measures.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from repro.checks import require_choice, require_shape
from repro.ops import attention_fused
from repro.ops.patches import extract_patches
from repro.ops.sampling import check_source_and_flow

IMPLEMENTATIONS = ("auto", "reference", "fused")


def attention_coefficients(
    source: Tensor,
    target: Tensor,
    flow: Tensor,
    weight1: Tensor,
    bias1: Tensor,
    weight2: Tensor,
    bias2: Tensor,
    *,
    impl: str = "auto",
) -> Tensor:
    r"""Return the k x k attention coefficients of every position, k_l of Eq. 8.

    .. math:: k_l = M(N_k(f_s, l + w^l), N_k(f_t, l)),\quad
              M = \mathrm{softmax} \circ W_2 \circ \mathrm{LeakyReLU}_{0.1} \circ W_1

    Convention: the kernel net wants the **target half first** (the authors' code; the paper writes the source first).
    Coefficients are row-major: channel u k + v belongs to the patch pixel at row u - k div 2, column v - k div 2.

    Args:
        source: features f_s, (B, C, S, T).
        target: features f_t, (B, C, H, W).
        flow: offsets w, (B, 2, H, W), (x, y), pixels of the source, target -> source.
        weight1: first layer, (M, 2C, k, k), k odd; M = 128 in the paper's network.
        bias1: (M).
        weight2: second layer, (k*k, M, 1, 1).
        bias2: (k*k).
        impl: "fused" never stores a patch; "reference" is Eq. 8 on patches; "auto" is "fused".

    Returns:
        (B, k*k, H, W), at least float32, they sum to 1. NaN in the flow gives NaN at that position only.

    Raises:
        TypeError, ValueError: shapes or dtypes that do not fit, an even k, an unknown ``impl``.
    """
    require_choice("impl", impl, IMPLEMENTATIONS)
    sizes = check_source_and_flow(source, flow)
    require_shape("target", target, "B C H W", sizes=sizes, hint="target features live on the grid of the flow")
    sizes = require_shape("weight1", weight1, "M D k k", sizes=sizes)
    channels, k = sizes["C"], _odd(sizes["k"])
    require_shape("weight1", weight1, f"M {2 * channels} k k", sizes=sizes, hint="target half first, then source half")
    require_shape("bias1", bias1, "M", sizes=sizes)
    require_shape("weight2", weight2, f"{k * k} M 1 1", sizes=sizes)
    require_shape("bias2", bias2, f"{k * k}")

    source, target, *weights = _as_autocast_wants(source, target, weight1, bias1, weight2, bias2)
    for name, tensor in zip(("target", "weight1", "bias1", "weight2", "bias2"), (target, *weights)):
        if tensor.dtype != source.dtype:
            raise TypeError(f"expected {name} of the source's {source.dtype}, got {tensor.dtype}: convert one of them")
    with torch.autocast(source.device.type, enabled=False):
        if impl == "reference":
            return _coefficients_reference(source, target, flow, *weights)
        return attention_fused.attention_coefficients(source, target, flow, *weights)[0]


def attend(source: Tensor, flow: Tensor, coefficients: Tensor, mean: bool = True, *, impl: str = "auto") -> Tensor:
    r"""Return the source patch that the flow points at, pooled with its coefficients, f_attn of Eq. 9.

    .. math:: f_{attn}^l = \frac{1}{k^2} \sum_{t} k_l[t]\, f_s(l + w^l + t)

    The paper's P is global average pooling, and so is the authors': the weighted sum is divided by k^2 and is smaller
    than a convex combination by that factor. ``mean=False`` leaves the factor out.

    Args:
        source: features f_s, (B, C, S, T).
        flow: offsets w, (B, 2, H, W), (x, y), pixels of the source, target -> source.
        coefficients: k_l, (B, k*k, H, W), row-major, k odd.
        mean: divide by k^2.
        impl: "fused" never stores a patch; "reference" is Eq. 9 on patches; "auto" is "fused".

    Returns:
        (B, C, H, W), dtype of ``source``. NaN in the flow gives NaN at that position only; backward, at that position
        of flow and coefficients and in the (k + 1) x (k + 1) pixels of the source that its window touches, an axis with
        NaN being read at place 0.

    Raises:
        TypeError, ValueError: shapes that do not fit, a number of coefficients that is no odd square, an unknown
            ``impl``.
    """
    require_choice("impl", impl, IMPLEMENTATIONS)
    sizes = check_source_and_flow(source, flow)
    sizes = require_shape("coefficients", coefficients, "B N H W", sizes=sizes)
    k = round(sizes["N"] ** 0.5)
    if k * k != sizes["N"]:
        raise ValueError(f"expected k*k coefficients per position, got {sizes['N']}, which is no square")
    _odd(k)
    if impl == "reference":
        return _attend_reference(source, flow, coefficients, k, mean)
    with torch.autocast(source.device.type, enabled=False):
        return attention_fused.attend(source, flow, coefficients, mean)


def local_attention(
    source: Tensor,
    target: Tensor,
    flow: Tensor,
    weight1: Tensor,
    bias1: Tensor,
    weight2: Tensor,
    bias2: Tensor,
    *,
    mean: bool = True,
    impl: str = "auto",
) -> Tensor:
    """Return the local attention of the target to the source, f_attn (Eq. 8 and 9): coefficients, then pooling.

    Args:
        source: features f_s, (B, C, S, T).
        target: features f_t, (B, C, H, W).
        flow: offsets w, (B, 2, H, W), (x, y), pixels of the source, target -> source.
        weight1: kernel net, first layer, (M, 2C, k, k), target half first, k odd.
        bias1: (M).
        weight2: kernel net, second layer, (k*k, M, 1, 1).
        bias2: (k*k).
        mean: divide by k^2, as the paper's average pooling (see ``attend``).
        impl: "fused" never stores a patch; "reference" is Eq. 8-9 on patches; "auto" is "fused".

    Returns:
        (B, C, H, W), dtype of ``source``.

    Raises:
        TypeError, ValueError: shapes or dtypes that do not fit, an even k, an unknown ``impl``.
    """
    coefficients = attention_coefficients(source, target, flow, weight1, bias1, weight2, bias2, impl=impl)
    return attend(source, flow, coefficients, mean, impl=impl)


def _coefficients_reference(
    source: Tensor, target: Tensor, flow: Tensor, weight1: Tensor, bias1: Tensor, weight2: Tensor, bias2: Tensor
) -> Tensor:
    """Return Eq. 8 as the paper writes it: both patches side by side, and the kernel net on each pair."""
    k = weight1.shape[-1]
    patches = torch.cat([extract_patches(target, torch.zeros_like(flow), k), extract_patches(source, flow, k)], dim=1)
    hidden = F.leaky_relu(F.conv2d(patches, weight1, bias1, stride=k), attention_fused.SLOPE)
    return F.conv2d(hidden, weight2, bias2).softmax(dim=1)


def _attend_reference(source: Tensor, flow: Tensor, coefficients: Tensor, k: int, mean: bool) -> Tensor:
    """Return Eq. 9 as the paper writes it: every cell of k x k pixels weighted and averaged."""
    pooled = F.avg_pool2d(F.pixel_shuffle(coefficients, k) * extract_patches(source, flow, k), k)
    return (pooled if mean else pooled * k**2).to(source.dtype)


def _as_autocast_wants(*tensors: Tensor) -> list[Tensor]:
    """Return the tensors in autocast's dtype where it is on: the whole operation has one dtype, its backward too."""
    device = tensors[0].device.type
    if not torch.is_autocast_enabled(device):
        return list(tensors)
    dtype = torch.get_autocast_dtype(device)
    return [x if x.dtype == torch.float64 else x.to(dtype) for x in tensors]


def _odd(k: int) -> int:
    if k % 2 == 0:
        raise ValueError(f"expected an odd patch side k (a patch with a centre pixel), got k = {k}")
    return k
