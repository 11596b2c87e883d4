"""Reconstruction (paper Eq. 11): of a generated picture, or of what a flow brings."""

from torch import Tensor
from torch.nn import functional as F

from repro.checks import require_shape
from repro.losses.precision import full_precision
from repro.ops import bilinear_warp


@full_precision
def l1(generated: Tensor, target: Tensor) -> Tensor:
    r"""Return the mean absolute difference, L_l1 of Eq. 11.

    .. math:: L_{\ell_1} = \frac{1}{BCHW}\,\|x_t - \hat x_t\|_1

    The paper writes the norm; the authors' code, for which the weight 5 is meant, takes the mean.

    Args:
        generated: images in [-1, 1] (or any two tensors of one shape), (B, C, H, W).
        target: the same shape.

    Returns:
        a scalar, at least float32.

    Raises:
        ValueError: the shapes differ.
    """
    require_shape("generated", generated, " ".join(map(str, target.shape)), hint="the target's shape")
    return (generated - target).abs().mean()


@full_precision
def warped_l1(source: Tensor, target: Tensor, flow: Tensor, mask: Tensor | None = None) -> Tensor:
    r"""Return how much the source, read along a flow, differs from the target: reconstruction through the warp alone.

    .. math:: \frac{1}{\sum_l m^l} \sum_l m^l \,\frac{1}{C} \|x_s^{l + w^l} - x_t^l\|_1

    Convention: a bilinear warp; outside the source is its nearest edge pixel.

    Args:
        source: x_s, pictures or features, (B, C, H, W).
        target: x_t, the same shape.
        flow: w, (B, 2, H, W), (x, y), pixels, target -> source.
        mask: m, weights of target positions, (B, 1, any, any), resized by nearest neighbour; None counts all alike.

    Returns:
        a scalar, at least float32: the mean over batch and positions, weighted by ``mask``.

    Raises:
        ValueError: shapes that do not fit.
    """
    sizes = require_shape("source", source, "B C H W")
    require_shape("target", target, "B C H W", sizes=sizes)
    require_shape("flow", flow, "B 2 H W", sizes=sizes)
    difference = (bilinear_warp(source, flow) - target).abs().mean(dim=1, keepdim=True)
    if mask is None:
        return difference.mean()
    require_shape("mask", mask, "B 1 h w", sizes={"B": sizes["B"]})
    weights = F.interpolate(mask.to(difference.dtype), (sizes["H"], sizes["W"]), mode="nearest")
    return (weights * difference).sum() / weights.sum().clamp(min=1e-8)
