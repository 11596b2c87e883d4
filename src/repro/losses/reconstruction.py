"""Reconstruction (paper Eq. 11)."""

from torch import Tensor

from repro.checks import require_shape
from repro.losses.precision import full_precision


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
