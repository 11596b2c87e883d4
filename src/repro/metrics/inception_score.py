"""The inception score: are single pictures easy to name, and the set full of different names?"""

import numpy as np
import torch
from torch import Tensor

from repro.checks import require_shape

SPLITS = 10


def inception_score(logits: Tensor, splits: int = SPLITS, *, shuffle_seed: int | None = None) -> tuple[float, float]:
    r"""Return the inception score and its spread over parts of the set (Salimans et al. 2016).

    .. math:: \mathrm{IS} = \exp \frac{1}{N} \sum_i \sum_k p_{ik} \log \frac{p_{ik}}{\bar p_k},
              \qquad p_i = \operatorname{softmax}(z_i)

    for each of ``splits`` parts, then mean and population standard deviation over the parts. It lies between 1 and the
    number of classes, and never above the number of pictures of a part: scores of small sets are small. It does not
    look at targets, so copying the source scores as well as the source does.

    Convention: part i holds the pictures iN/splits to (i+1)N/splits, rounded down, in the order given.

    Args:
        logits: a classifier's outputs before the softmax, (N, K), N at least ``splits``.
        splits: parts; the literature takes 10.
        shuffle_seed: None keeps the order, as the first implementation and the papers do; torch-fidelity shuffles with
            ``numpy.random.RandomState(2020)``.

    Raises:
        ValueError: fewer pictures than parts, or logits that are not finite.
    """
    sizes = require_shape("logits", logits, "N K")
    if not 1 <= splits <= sizes["N"] or not bool(logits.isfinite().all()):
        raise ValueError(f"expected finite logits of at least {splits} pictures (a part each), got {sizes['N']}")
    z = logits.double().cpu()
    if shuffle_seed is not None:
        z = z[torch.from_numpy(np.random.RandomState(shuffle_seed).permutation(len(z)))]
    log_p = z.log_softmax(1)
    scores = []
    for part in range(splits):
        own = log_p[part * len(z) // splits : (part + 1) * len(z) // splits]
        log_mean = own.logsumexp(0) - np.log(len(own))
        scores.append((own.exp() * (own - log_mean)).nan_to_num(0.0).sum(1).mean().exp().item())
    return float(np.mean(scores)), float(np.std(scores))
