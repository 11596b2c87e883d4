"""What a linear probe reads from features: ridge regression, scored as R² on examples that it has not seen."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from repro.checks import require_shape

STRENGTHS = tuple(10.0**power for power in range(-8, 3))
"""Ridge strengths to choose from, where features have the mean square 1."""


@dataclass(frozen=True)
class LinearProbe:
    """A linear map from features to one number, fitted by :func:`fit_probe`.

    Attributes:
        weights: (D,) float64.
        offset: added to the weighted sum.
        strength: of the ridge, chosen on the training examples.
    """

    weights: Tensor
    offset: float
    strength: float

    def __call__(self, features: Tensor) -> Tensor:
        """Return what the probe reads, (N,) float64, from features (N, D)."""
        return features.double() @ self.weights + self.offset


@dataclass(frozen=True)
class ProbeScore:
    """R² of a probe on held-out examples, and on resamplings of them; ``a - b`` compares two on the same resamplings.

    Attributes:
        r2: 1 all is explained, 0 no better than the mean of the held-out examples, negative worse than that.
        draws: (repeats,), the same of every bootstrap resampling.
    """

    r2: float
    draws: NDArray[np.float64]

    def __sub__(self, other: "ProbeScore") -> "ProbeScore":
        return ProbeScore(self.r2 - other.r2, self.draws - other.draws)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the ends of the percentile bootstrap interval.

        Args:
            level: coverage, between 0 and 1.
        """
        low, high = np.quantile(self.draws, [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)


def fit_probe(features: Tensor, wanted: Tensor, groups: Tensor) -> LinearProbe:
    r"""Return the ridge regression of one number on features.

    .. math::
        \min_{\mathbf w, b} \frac1N \sum_n (\mathbf w^\top \mathbf f_n + b - y_n)^2
        + \lambda s^2 \lVert \mathbf w \rVert^2

    The strength :math:`\lambda` is the one of :data:`STRENGTHS` with the smallest squared error where every group in
    turn is predicted from the others; no test example has a say. One number :math:`s`, the root mean square of all
    features, is their unit: the strength means the same before and after a norm, and what is small beside the features
    themselves (their rounding errors, the constant in a norm's denominator) cannot be blown up and read.

    Args:
        features: (N, D) of the training examples.
        wanted: (N,).
        groups: (N,) whole numbers; examples of one group (a person, say) are alike. At least two groups.

    Raises:
        ValueError: shapes that do not fit, or a single group.
    """
    sizes = require_shape("features", features, "N D")
    require_shape("wanted", wanted, "N", sizes=sizes)
    require_shape("groups", groups, "N", sizes=sizes)
    names = groups.unique()
    if len(names) < 2:
        raise ValueError("expected at least two groups of training examples: the ridge strength is chosen between them")
    x, y = features.double(), wanted.double()
    errors = torch.zeros(len(STRENGTHS), dtype=torch.float64)
    for name in names:
        out = groups == name
        weights, offsets = _ridge(x[~out], y[~out])
        errors += (x[out] @ weights + offsets - y[out, None]).square().sum(0)
    best = int(errors.argmin())
    weights, offsets = _ridge(x, y)
    return LinearProbe(weights[:, best], float(offsets[best]), STRENGTHS[best])


def score_probe(predicted: Tensor, true: Tensor, groups: Tensor, *, repeats: int = 10_000, seed: int = 0) -> ProbeScore:
    r"""Return R² of predictions, with a bootstrap over groups of examples.

    .. math:: R^2 = 1 - \frac{\sum_n (y_n - \hat y_n)^2}{\sum_n (y_n - \bar y)^2}

    Whole groups are drawn with replacement, because examples of one recording resemble each other; each resampling has
    its own mean. The same groups and seed give the same resamplings.

    Args:
        predicted, true: (N,), of the held-out examples.
        groups: (N,) whole numbers, at least two different ones.
        repeats: resamplings.
        seed: of the resampling.

    Raises:
        ValueError: shapes that do not fit, a single group, or true values that are all the same.
    """
    sizes = require_shape("true", true, "N", sizes=require_shape("predicted", predicted, "N"))
    require_shape("groups", groups, "N", sizes=sizes)
    names, place = groups.unique(return_inverse=True)
    if len(names) < 2:
        raise ValueError("expected at least two groups of held-out examples: an interval needs them")
    y, error = true.double() - true.double().mean(), (true.double() - predicted.double()).square()
    if not bool(y.any()):
        raise ValueError("expected true values that differ: R² compares with their variance")
    per_example = torch.stack([torch.ones_like(y), y, y.square(), error], 1)
    sums = torch.zeros(len(names), 4, dtype=torch.float64).index_add_(0, place, per_example).numpy()

    def r2(times: NDArray[np.int64]) -> NDArray[np.float64]:
        count, total, squares, left = (times @ sums).T
        return 1 - left / (squares - total**2 / count)

    rng = np.random.Generator(np.random.PCG64(seed))
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=repeats)
    return ProbeScore(float(r2(np.ones((1, len(names)), dtype=np.int64))[0]), r2(drawn))


def _ridge(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Weights (D, S) and offsets (S,) for every strength, from one decomposition of the features' covariance."""
    mean, middle = x.mean(0), y.mean()
    unit = x.square().mean().sqrt().clamp(min=torch.finfo(x.dtype).tiny)  # features may be all zero
    x, y = (x - mean) / unit, y - middle
    values, vectors = torch.linalg.eigh(x.T @ x / len(x))
    along = vectors.T @ (x.T @ y / len(x))
    weights = vectors @ (along[:, None] / (values[:, None] + x.new_tensor(STRENGTHS))) / unit
    return weights, middle - mean @ weights
