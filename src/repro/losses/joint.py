"""The joint loss (paper Eq. 15): six weighted terms, each visible by name."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import NamedTuple

import torch
from torch import Tensor


@dataclass(frozen=True)
class LossWeights:
    """The weights lambda of Eq. 15; the defaults are the paper's, those of the second (image) stage."""

    correctness: float = 5.0
    regularization: float = 0.0025
    l1: float = 5.0
    adversarial: float = 2.0
    perceptual: float = 0.5
    style: float = 500.0


IMAGE_STAGE = LossWeights()
# The authors' code trains the flow estimator alone first, with four times the paper's weights of its two losses.
FLOW_STAGE = LossWeights(correctness=20.0, regularization=0.01, l1=0.0, adversarial=0.0, perceptual=0.0, style=0.0)


class JointLoss(NamedTuple):
    """The joint loss and what it is made of."""

    total: Tensor
    weighted: dict[str, Tensor]


def joint_loss(terms: Mapping[str, Tensor], weights: LossWeights = IMAGE_STAGE) -> JointLoss:
    r"""Return the joint loss L_G of Eq. 15 and every weighted term by name.

    .. math:: L_G = \lambda_c L_c + \lambda_r L_r + \lambda_{\ell_1} L_{\ell_1} + \lambda_a L_{adv}
              + \lambda_p L_{perc} + \lambda_s L_{style}

    Args:
        terms: unweighted scalars by name; the names are the fields of ``LossWeights``. A term whose weight is 0 may be
            left out; if it is given, it is reported as 0 and carries no gradient.
        weights: the lambdas, ``IMAGE_STAGE`` or ``FLOW_STAGE`` or your own.

    Returns:
        total and weighted terms, in the order of the equation.

    Raises:
        ValueError: an unknown term, a missing term with a weight, or no term at all.
    """
    factors = asdict(weights)
    if unknown := sorted(set(terms) - set(factors)):
        raise ValueError(f"unknown loss terms {', '.join(unknown)}: choose from {', '.join(factors)}")
    if missing := [name for name, factor in factors.items() if factor and name not in terms]:
        raise ValueError(f"missing loss terms {', '.join(missing)}: compute them or set their weights to 0")
    weighted = {
        name: factor * terms[name] if factor else torch.zeros_like(terms[name])
        for name, factor in factors.items()
        if name in terms
    }
    if not weighted:
        raise ValueError("expected at least one loss term, got none: all weights are 0")
    return JointLoss(torch.stack(list(weighted.values())).sum(), weighted)
