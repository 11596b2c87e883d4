"""Local attention (paper Eq. 8-9) by two exact identities, without ever storing a patch.

1. All taps of one position share their sub-pixel fraction, so a convolution of sampled patches is one bilinear read of
   an ordinary convolution's result. Beyond k div 2 pixels outside the map all taps of an axis see the same edge pixel,
   hence a margin of k div 2 loses nothing.
2. The weighted sum over k x k bilinear reads is a weighted sum over (k + 1) x (k + 1) pixels, with weights that all
   channels share.

Values and gradients equal those of ``extract_patches`` to round-off, at integer positions and far outside included.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from repro.checks import require_shape
from repro.ops.sampling import at_least_float32, axis_window, check_source_and_flow, sample_positions, sum_window
from repro.ops.warp import bilinear_warp

SLOPE = 0.1  # of the kernel net's LeakyReLU: the authors' everywhere


def attention_coefficients(
    source: Tensor, target: Tensor, flow: Tensor, weight1: Tensor, bias1: Tensor, weight2: Tensor, bias2: Tensor
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

    Returns:
        (B, k*k, H, W), they sum to 1. NaN in the flow gives NaN at that position only.

    Raises:
        TypeError, ValueError: shapes that do not fit, or an even k.
    """
    sizes = check_source_and_flow(source, flow)
    require_shape("target", target, "B C H W", sizes=sizes, hint="target features live on the grid of the flow")
    sizes = require_shape("weight1", weight1, "M D k k", sizes=sizes)
    channels, k = sizes["C"], _odd(sizes["k"])
    require_shape("weight1", weight1, f"M {2 * channels} k k", sizes=sizes, hint="target half first, then source half")
    require_shape("bias1", bias1, "M", sizes=sizes)
    require_shape("weight2", weight2, f"{k * k} M 1 1", sizes=sizes)
    require_shape("bias2", bias2, f"{k * k}")

    reach = k // 2
    target_half, source_half = weight1.split(channels, dim=1)
    # Target half: the flow is zero, so it is a convolution of the edge-extended target.
    hidden = F.conv2d(_extend(target, reach), target_half, bias1)
    # Source half (identity 1): convolve, with a margin of `reach` on every side of the result, then read once.
    convolved = F.conv2d(_extend(source, 2 * reach), source_half)
    hidden = hidden + bilinear_warp(convolved, at_least_float32(flow) + reach)
    return F.conv2d(F.leaky_relu(hidden, SLOPE), weight2, bias2).softmax(dim=1)


def attend(source: Tensor, flow: Tensor, coefficients: Tensor, mean: bool = True) -> Tensor:
    r"""Return the source patch that the flow points at, pooled with its coefficients, f_attn of Eq. 9.

    .. math:: f_{attn}^l = \frac{1}{k^2} \sum_{t} k_l[t]\, f_s(l + w^l + t)

    The paper's P is global average pooling, and so is the authors': the weighted sum is divided by k^2 and is smaller
    than a convex combination by that factor. ``mean=False`` leaves the factor out.

    Args:
        source: features f_s, (B, C, S, T).
        flow: offsets w, (B, 2, H, W), (x, y), pixels of the source, target -> source.
        coefficients: k_l, (B, k*k, H, W), row-major, k odd.
        mean: divide by k^2.

    Returns:
        (B, C, H, W), dtype of ``source``. NaN in the flow gives NaN at that position only.

    Raises:
        TypeError, ValueError: shapes that do not fit, or a number of coefficients that is no odd square.
    """
    sizes = check_source_and_flow(source, flow)
    sizes = require_shape("coefficients", coefficients, "B N H W", sizes=sizes)
    k = round(sizes["N"] ** 0.5)
    if k * k != sizes["N"]:
        raise ValueError(f"expected k*k coefficients per position, got {sizes['N']}, which is no square")
    reach = _odd(k) // 2
    x, y = sample_positions(flow)
    columns, alpha = axis_window(x, sizes["T"], before=reach, after=reach + 1)
    rows, beta = axis_window(y, sizes["S"], before=reach, after=reach + 1)
    # Identity 2: spread each coefficient bilinearly over the pixels that its sample touches.
    weights = coefficients.permute(0, 2, 3, 1).unflatten(3, (k, k)).to(torch.promote_types(x.dtype, coefficients.dtype))
    weights = torch.lerp(F.pad(weights, (0, 1)), F.pad(weights, (1, 0)), alpha[..., None, None].to(weights.dtype))
    weights = torch.lerp(
        F.pad(weights, (0, 0, 0, 1)), F.pad(weights, (0, 0, 1, 0)), beta[..., None, None].to(weights.dtype)
    )
    return sum_window(source, rows, columns, weights / k**2 if mean else weights)


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

    Returns:
        (B, C, H, W), dtype of ``source``.

    Raises:
        TypeError, ValueError: shapes that do not fit, or an even k.
    """
    coefficients = attention_coefficients(source, target, flow, weight1, bias1, weight2, bias2)
    return attend(source, flow, coefficients, mean)


def _extend(features: Tensor, margin: int) -> Tensor:
    """Return the map with its edge pixels repeated ``margin`` times on every side.

    Channels last: the convolution's result is then read pixel by pixel without a copy (a tenth of the time on CPU).
    """
    return F.pad(features, (margin,) * 4, mode="replicate").contiguous(memory_format=torch.channels_last)


def _odd(k: int) -> int:
    if k % 2 == 0:
        raise ValueError(f"expected an odd patch side k (a patch with a centre pixel), got k = {k}")
    return k
