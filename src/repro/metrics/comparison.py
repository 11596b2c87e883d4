"""Is a difference between two rows real? Paired intervals over seeds and over pairs, and the verdict they allow."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

SEEDS_FOR_A_VERDICT = 3


@dataclass(frozen=True)
class Interval:
    """A mean difference with its interval.

    Attributes:
        mean: of the differences.
        low, high: ends of the interval; not a number where ``n`` is too small for one.
        n: differences behind it.
    """

    mean: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        if np.isnan(self.low):
            return f"{self.mean:+.4f} (n = {self.n}, no interval)"
        return f"{self.mean:+.4f} [{self.low:+.4f}, {self.high:+.4f}] (n = {self.n})"


def paired_t_interval(differences: Sequence[float], level: float = 0.95) -> Interval:
    """Return mean and Student t interval of paired differences (one per seed).

    Args:
        differences: row A minus row B, the same seed in both; at least one.
        level: coverage, between 0 and 1.

    Raises:
        ValueError: no differences, or one that is not finite.
    """
    values = _finite(differences)
    n, mean = len(values), float(values.mean())
    if n < 2:
        return Interval(mean, float("nan"), float("nan"), n)
    reach = float(stats.t.ppf((1 + level) / 2, n - 1) * values.std(ddof=1) / np.sqrt(n))
    return Interval(mean, mean - reach, mean + reach, n)


def bootstrap_interval(
    differences: Sequence[float], level: float = 0.95, repeats: int = 10_000, seed: int = 0
) -> Interval:
    """Return mean and percentile bootstrap interval of paired differences (one per test pair).

    Args:
        differences: row A minus row B on the same test pair; at least one.
        level: coverage, between 0 and 1.
        repeats: resamplings with replacement.
        seed: of the resampling; the same seed gives the same interval.

    Raises:
        ValueError: no differences, or one that is not finite.
    """
    values = _finite(differences)
    generator = np.random.Generator(np.random.PCG64(seed))
    means = np.array([values[generator.integers(0, len(values), len(values))].mean() for _ in range(repeats)])
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(values.mean()), float(low), float(high), len(values))


def verdict(interval: Interval, claimed_sign: int) -> str:
    """Return "confirmed", "contradicted" or "open" for a claim about the sign of a difference.

    Args:
        interval: of the paired differences over seeds.
        claimed_sign: +1 if the claim says that the difference is positive, -1 if negative.

    Returns:
        "open" with fewer than three seeds, or where the interval holds zero.

    Raises:
        ValueError: ``claimed_sign`` is neither +1 nor -1.
    """
    if claimed_sign not in (-1, 1):
        raise ValueError(f"expected claimed_sign +1 or -1, got {claimed_sign}")
    if interval.n < SEEDS_FOR_A_VERDICT or not (interval.low > 0 or interval.high < 0):
        return "open"
    return "confirmed" if interval.mean * claimed_sign > 0 else "contradicted"


def _finite(differences: Sequence[float]) -> np.ndarray:
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1 or len(values) == 0 or not np.isfinite(values).all():
        raise ValueError(f"expected at least one finite difference in one list, got {differences!r}")
    return values
