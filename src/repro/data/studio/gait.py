"""Footsteps: where both feet are at any time, and where the pelvis is carried above them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline, PchipInterpolator
from scipy.ndimage import gaussian_filter1d

from repro.data.studio.tubes import Array

GRID = 0.01
"""Seconds between the samples of what is smoothed over time."""
ROLL_OFF, ROLL_ON = 0.14, 0.10
"""Seconds before lifting in which the heel rises, and after landing in which the toes come down."""


@dataclass(frozen=True)
class Step:
    """A foot leaves the ground and lands; before and after it stands still.

    Attributes:
        side: "right" or "left".
        start, end: seconds.
        place: (x, z) where it lands, metres.
        yaw: radians about +y, how it is turned then.
        height: metres of clearance at mid-flight.
        reach: (x, z) metres beside the straight way at mid-flight (kicks).
        toe_off, apex, heel_strike: degrees of the foot at lifting (heel up), at mid-flight (heel up) and at landing
            (toes up).
    """

    side: str
    start: float
    end: float
    place: tuple[float, float]
    yaw: float
    height: float = 0.06
    reach: tuple[float, float] = (0.0, 0.0)
    toe_off: float = 0.0
    apex: float = 0.0
    heel_strike: float = 0.0


@dataclass(frozen=True)
class Roll:
    """A standing foot raises its heel (degrees) and lowers it again: seconds when it starts, is up, lowers, is down."""

    side: str
    start: float
    up: float
    lower: float
    end: float
    degrees: float


@dataclass(frozen=True)
class Track:
    """A foot at times (T,): place (T, 2) on the ground, extra (T, 2) in flight, yaw, lift (metres), pitch (radians)."""

    place: Array
    extra: Array
    yaw: Array
    lift: Array
    pitch: Array
    flying: Array


@dataclass(frozen=True)
class Footsteps:
    """All steps of a clip, and where the feet stand before: (x, z, yaw) for right and left."""

    home: dict[str, tuple[float, float, float]]
    steps: Sequence[Step] = ()
    rolls: Sequence[Roll] = ()

    def track(self, side: str, times: Array) -> Track:
        """Return one foot's track. Flights start and end with zero speed (minimum jerk), so that no foot skates."""
        x, z, yaw = self.home[side]
        place, turn = np.tile([x, z], (len(times), 1)), np.full(len(times), yaw)
        extra, lift, pitch, flying = (
            np.zeros_like(place),
            np.zeros(len(times)),
            np.zeros(len(times)),
            np.zeros(len(times)),
        )
        for step in self.steps:
            if step.side != side:
                continue
            s = np.clip((times - step.start) / (step.end - step.start), 0, 1)
            go, bump = s**3 * (10 - 15 * s + 6 * s * s), 16 * (s * (1 - s)) ** 2
            place += go[:, None] * (np.array(step.place) - (x, z))
            turn += go * (step.yaw - yaw)
            lift += step.height * bump
            extra += bump[:, None] * np.array(step.reach)
            flying += bump
            pitch += _pitch(step, times)
            (x, z), yaw = step.place, step.yaw
        for roll in self.rolls:
            if roll.side == side:
                pitch += _over(
                    (roll.start, roll.up, roll.lower, roll.end), (0.0, roll.degrees, roll.degrees, 0.0), times
                )
        return Track(place, extra, turn, lift, np.deg2rad(pitch), flying)


def _pitch(step: Step, times: Array) -> Array:
    """Degrees of pitch that a step gives its foot: heel up before lifting, toes up at landing."""
    flight = step.end - step.start
    at = (
        step.start - ROLL_OFF,
        step.start + 0.12 * flight,
        step.start + 0.5 * flight,
        step.end - 0.15 * flight,
        step.end + ROLL_ON,
    )
    return _over(at, (0.0, step.toe_off, step.apex, -step.heel_strike, 0.0), times)


def _over(at: Sequence[float], values: Sequence[float], times: Array) -> Array:
    """A spline through keys, 0 before the first and after the last."""
    return np.where(
        (times > at[0]) & (times < at[-1]), PchipInterpolator(at, values)(np.clip(times, at[0], at[-1])), 0.0
    )


@dataclass(frozen=True)
class Carriage:
    """The way of the pelvis above the feet, as splines of time: (x, z), yaw, how far ahead the right foot is, and how
    much the right foot carries (from -1: the left alone, to 1)."""

    place: CubicSpline
    yaw: CubicSpline
    ahead: CubicSpline
    support: CubicSpline


def carry(footsteps: Footsteps, until: float, settle: float, weight: float) -> Carriage:
    """Return the pelvis' way: the middle of the feet, more of the standing one while the other flies, smoothed.

    Args:
        footsteps: the steps.
        until: seconds of the clip.
        settle: seconds of smoothing (Gaussian); slow moves shift their weight earlier.
        weight: part of the half distance between the feet by which the weight goes over the standing foot.
    """
    times = grid(until)
    right, left = footsteps.track("right", times), footsteps.track("left", times)
    support = left.flying - right.flying
    share = 0.5 + weight / 2 * support  # the right foot's
    place = share[:, None] * right.place + (1 - share[:, None]) * left.place
    yaw = (right.yaw + left.yaw) / 2
    gap = right.place - left.place
    ahead = gap[:, 0] * np.sin(yaw) + gap[:, 1] * np.cos(yaw)
    smooth = [CubicSpline(times, gaussian_filter1d(values, settle / GRID, axis=0, mode="nearest"))
              for values in (place, yaw, ahead, support)]  # fmt: skip
    return Carriage(*smooth)


def grid(until: float) -> Array:
    """Return the times of the samples: the clip, and a second before and after for the smoothing."""
    times: Array = np.arange(-100.0, np.ceil(until / GRID) + 101.0) * GRID
    return times


def ride(highest: Array, radius: float = 0.12) -> Array:
    """Return a smooth height (N,) on the grid that nowhere exceeds the highest (N,) that the legs allow.

    The smallest value within the radius, averaged over the same radius: an average of values none of which exceeds.
    """
    count = round(radius / GRID)
    padded = np.pad(highest, 2 * count, mode="edge")
    lowest = np.lib.stride_tricks.sliding_window_view(padded, 2 * count + 1).min(-1)
    kernel: Array = np.hanning(2 * count + 3)[1:-1]
    kernel = kernel / kernel.sum()
    return np.einsum("nk,k->n", np.lib.stride_tricks.sliding_window_view(lowest, 2 * count + 1), kernel)
