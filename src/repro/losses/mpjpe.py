"""The loss of the Motion Extraction Network (paper Eq. 16)."""

from torch import Tensor

from repro.checks import require_choice, require_shape
from repro.losses.precision import full_precision

FORMS = ("squared", "absolute", "distance")


@full_precision
def mpjpe(predicted: Tensor, target: Tensor, form: str = "squared") -> Tensor:
    r"""Return how far the predicted joints are from the true ones, L_mpjpe of Eq. 16.

    .. math:: \text{squared: } \overline{e^2} \qquad \text{absolute: } \overline{|e|} \qquad
        \text{distance: } \overline{\sqrt{e_y^2 + e_x^2}}\,,\qquad e = \hat{\mathbf{J}} - \mathbf{J}_{gt}

    Paper and code: Eq. 16 has the l1 norm ("absolute", its mean) and calls it the mean per joint position error, which
    is "distance"; the authors' code takes the mean square.

    Args:
        predicted: (B, 2K, L), all rows, then all columns, as the network returns them.
        target: the same shape.
        form: "squared" (the code), "absolute" (Eq. 16), "distance" (the error's name).

    Returns:
        a scalar, at least float32, in the unit of the joints ("squared": its square).

    Raises:
        ValueError: the shapes differ or hold no pairs of coordinates, or an unknown form.
    """
    require_choice("form", form, FORMS)
    require_shape("predicted", predicted, "B C L", hint="all rows, then all columns of the joints, over time")
    require_shape("target", target, " ".join(map(str, predicted.shape)), hint="the prediction's shape")
    error = predicted - target
    if form == "squared":
        return error.square().mean()
    if form == "absolute":
        return error.abs().mean()
    if error.shape[1] % 2:
        raise ValueError(f"expected predicted (B, 2K, L), a row and a column per joint, got {tuple(error.shape)}")
    # The vector norm's gradient at distance 0 is 0; that of a square root would not be finite.
    return error.unflatten(1, (2, -1)).norm(dim=1).mean()
