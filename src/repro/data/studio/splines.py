"""Curves over time: constants, waves and splines through keys, added and scaled."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.interpolate import PchipInterpolator

from repro.data.studio.tubes import Array

Curve = Callable[[Array], Array]
"""Seconds (T,) -> values (T,)."""


def constant(value: float) -> Curve:
    """Return the curve that has one value."""
    return lambda t: np.full(len(t), float(value))


STILL = constant(0.0)


def wave(period: float, phase: float, amplitude: float) -> Curve:
    """Return amplitude sin(2 pi (t / period + phase)), the phase in turns."""
    return lambda t: amplitude * np.sin(2 * np.pi * (t / period + phase))


def keys(at: Sequence[float], values: Sequence[float], period: float | None = None) -> Curve:
    """Return the cubic spline through keys: monotone between them, so no angle leaves the range of its keys.

    Args:
        at: seconds, rising; with a period, from one period.
        values: the keys.
        period: seconds after which the curve repeats; without, it holds its first and last value.
    """
    if period is None:
        curve = PchipInterpolator(at, values)
        return lambda t: curve(np.clip(t, at[0], at[-1]))
    around = np.add.outer(np.array([-period, 0.0, period]), at).ravel()
    again = PchipInterpolator(around, np.tile(values, 3))
    return lambda t: again((t - at[0]) % period + at[0])


def plus(*curves: Curve) -> Curve:
    """Return the sum of curves."""
    return lambda t: np.sum([curve(t) for curve in curves], axis=0)


def scaled(factor: float, curve: Curve) -> Curve:
    """Return a curve scaled."""
    return lambda t: factor * curve(t)
