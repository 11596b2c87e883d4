"""Intervals and verdicts, against hand-computed cases."""

import math

import pytest

from repro.metrics.comparison import Interval, bootstrap_interval, paired_t_interval, verdict


def test_t_interval_by_hand():
    """1, 2, 3: mean 2, standard deviation 1, t quantile 4.3027 with two degrees of freedom."""
    interval = paired_t_interval([1, 2, 3])
    assert interval.mean == 2
    assert interval.high - 2 == pytest.approx(4.3027 / math.sqrt(3), abs=1e-4)
    assert interval.n == 3


def test_one_difference_has_no_interval():
    interval = paired_t_interval([0.5])
    assert math.isnan(interval.low)
    assert "no interval" in str(interval)


def test_bootstrap_is_repeatable_and_near_the_normal_interval():
    values = [(-1) ** i * 0.5 + 0.2 for i in range(400)]
    interval = bootstrap_interval(values, repeats=2000)
    assert interval == bootstrap_interval(values, repeats=2000)
    assert interval.high - interval.mean == pytest.approx(1.96 * 0.5 / 20, rel=0.15)


@pytest.mark.parametrize(
    ("interval", "sign", "expected"),
    [
        (Interval(0.2, 0.1, 0.3, 3), +1, "confirmed"),
        (Interval(0.2, 0.1, 0.3, 3), -1, "contradicted"),
        (Interval(-0.2, -0.3, -0.1, 3), -1, "confirmed"),
        (Interval(0.2, -0.1, 0.5, 3), +1, "open"),
        (Interval(0.2, 0.1, 0.3, 2), +1, "open"),
        (Interval(0.2, math.nan, math.nan, 1), +1, "open"),
    ],
)
def test_verdict(interval, sign, expected):
    assert verdict(interval, sign) == expected


@pytest.mark.parametrize("bad", [[], [float("nan")], [[1.0]]])
def test_refuses_what_is_no_list_of_differences(bad):
    with pytest.raises(ValueError, match="expected at least one finite difference"):
        paired_t_interval(bad)


def test_refuses_a_sign_that_is_none():
    with pytest.raises(ValueError, match="claimed_sign"):
        verdict(Interval(0, 0, 0, 3), 0)
