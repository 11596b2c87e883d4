"""Adversarial losses (paper Eq. 12), on score maps without a sigmoid."""

from torch import Tensor
from torch.nn import functional as F

from repro.checks import require_choice
from repro.losses.precision import full_precision

MODES = ("lsgan", "log")


@full_precision
def generator_loss(scores: Tensor, mode: str = "lsgan") -> Tensor:
    r"""Return what the generator minimises, L_adv of Eq. 12 as far as it depends on the generated image.

    .. math:: \text{lsgan: } E[(D(\hat x) - 1)^2] \qquad \text{log: } E[\log(1 - \sigma(D(\hat x)))]

    Paper and code: Eq. 12 is the log form; the authors' code trains with least squares. "log" is Eq. 12 as printed,
    which saturates while the discriminator wins: at score s its slope is -sigmoid(s).

    Args:
        scores: discriminator output for generated images, any shape, before any sigmoid.
        mode: "lsgan" (least squares) or "log".

    Returns:
        a scalar, at least float32.

    Raises:
        ValueError: an unknown mode.
    """
    if require_choice("mode", mode, MODES) == "lsgan":
        return (scores - 1).square().mean()
    return -F.softplus(scores).mean()  # log(1 - sigmoid(s)) = -softplus(s)


@full_precision
def discriminator_loss(real_scores: Tensor, fake_scores: Tensor, mode: str = "lsgan") -> Tensor:
    r"""Return what the discriminator minimises: the negative of Eq. 12, or its least-squares counterpart.

    .. math:: \text{lsgan: } \tfrac12\big(E[(D(x) - 1)^2] + E[D(\hat x)^2]\big) \qquad
              \text{log: } -E[\log\sigma(D(x))] - E[\log(1 - \sigma(D(\hat x)))]

    Args:
        real_scores: discriminator output for real images, any shape, before any sigmoid.
        fake_scores: the same for generated images; detach them from the generator.
        mode: "lsgan" (least squares) or "log".

    Returns:
        a scalar, at least float32.

    Raises:
        ValueError: an unknown mode.
    """
    if require_choice("mode", mode, MODES) == "lsgan":
        return 0.5 * ((real_scores - 1).square().mean() + fake_scores.square().mean())
    return F.softplus(-real_scores).mean() + F.softplus(fake_scores).mean()
