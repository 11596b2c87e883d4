"""Does the gradient of a loss lead a wrong flow back to the exact one? A measurement without training."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from repro.checks import require_shape


def way_back_cosine(loss: Callable[[Tensor], Tensor], true_flow: Tensor, offset: Tensor) -> Tensor:
    r"""Return the cosine of the angle between a loss's descent at a displaced flow and the way back, (B, H, W).

    .. math:: \cos\theta^l = \frac{\langle -\nabla_{w^l} L(\hat w + \delta),\; -\delta^l \rangle}
                                  {\lVert \nabla_{w^l} L \rVert\, \lVert \delta^l \rVert}

    1: a small step of descent leads straight to the exact flow; 0: across, or there is no gradient at all; -1: away.

    Args:
        loss: from a flow (B, 2, H, W) to a scalar.
        true_flow: exact, (B, 2, H, W), (x, y).
        offset: delta, how far the flow is displaced, any shape that broadcasts to the flow's; nowhere 0.

    Raises:
        ValueError: shapes that do not fit, or an offset of 0: it has no way back.
    """
    require_shape("true flow", true_flow, "B 2 H W")
    away = offset.to(true_flow).expand_as(true_flow)
    if not bool(torch.linalg.vector_norm(away, dim=1).all()):
        raise ValueError("expected an offset that is 0 nowhere: at the exact flow there is no way back to it")
    with torch.enable_grad():
        displaced = (true_flow + away).detach().requires_grad_()
        (gradient,) = torch.autograd.grad(loss(displaced), displaced)
    # A gradient may be far below cosine_similarity's epsilon, and still has a direction.
    largest = gradient.abs().amax(dim=1, keepdim=True)
    return F.cosine_similarity(gradient / torch.where(largest > 0, largest, 1), away, dim=1)
