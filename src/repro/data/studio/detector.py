"""A simulated 2-D pose detector: true joints become what a network finds in a video, with its typical errors."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter1d

from repro.checks import require_choice
from repro.data.joints import MISSING
from repro.data.studio.skeleton import COCO_17

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Level:
    """How wrong a detector is; lengths in parts of the person's height, rates per frame (25 to 50 Hz).

    Attributes:
        bias: sigma per coordinate of each joint's constant offset, one draw per sequence.
        slow: sigma of the slow error, white noise under a Gaussian of ``tau`` frames.
        white: sigma of the error that is new in each frame.
        burst: start rate per joint, smallest and largest offset; lasts 3 to 15 frames.
        inversion: start rate per left/right pair, mean length in frames (geometric).
        miss: start rate per joint, mean length in frames (geometric).
    """

    bias: float
    slow: float
    tau: float
    white: float
    burst: tuple[float, float, float]
    inversion: tuple[float, float]
    miss: tuple[float, float]


LEVELS = {
    "clean": Level(0.0050, 0.0065, 10, 0.0006, (0.0010, 0.02, 0.07), (0.0004, 4), (0.0005, 3)),
    "typical": Level(0.0055, 0.0078, 10, 0.0018, (0.0025, 0.03, 0.10), (0.0010, 4), (0.0020, 3)),
    "hard": Level(0.0060, 0.0090, 8, 0.0040, (0.0060, 0.04, 0.14), (0.0040, 5), (0.0080, 4)),
}
"""Like HRNet; like the cascaded pyramid network; loose clothes and back views (no published measurement)."""

_WEIGHT = {"wrist": 1.5, "ankle": 1.5, "elbow": 1.2, "knee": 1.2, "hip": 1.2, "shoulder": 1.0}
_raw = np.array([_WEIGHT.get(name.rpartition("_")[2], 0.6) for name in COCO_17])
JOINT_WEIGHTS = _raw / _raw.mean()
"""How much of white noise, and how many bursts and misses a joint has; 1 on average, so that the rates above hold."""
PAIRS = np.array([(joint, joint + 1) for joint in range(5, 17, 2)])
"""The left and right joints that a detector mixes up: shoulders, elbows, wrists, hips, knees, ankles."""
BURST_FRAMES = (3, 15)
COUPLING = 3.0
"""Bursts and misses of hidden joints, inversions of near or turned pairs are this much likelier."""
NEAR = 0.08
"""A pair is near below this distance (parts of the height)."""
TURNED = 0.1
"""Seen from the side or from behind: the left shoulder is less than this to the right of the right one (front: 0.2)."""
GRID = 1 / 450
"""Quarter of a heat-map pixel in parts of the height: maps of H/4 rows over a person who is 450 rows high."""
SCORE_LENGTH = 0.05
"""Error, in parts of the height, at which the score is 1/e."""


@dataclass(frozen=True)
class Detection:
    """What the detector found.

    Attributes:
        joints: (T, 17, 2) COCO-17 as (row, column), -1 missing.
        score: (T, 17) exp(-error / 0.05 h), 0 where missing.
        missed: (T, 17) bool: the joint is there, the detector did not find it.
        inverted: (T, 17) bool: found at the joint of the other side.
        burst: (T, 17) bool: off by some hundredths of the height for a few frames.
    """

    joints: Array
    score: Array
    missed: Mask
    inverted: Mask
    burst: Mask

    @property
    def faults(self) -> dict[str, Mask]:
        """The gross errors by name."""
        return {"missed": self.missed, "inverted": self.inverted, "burst": self.burst}


def detect(
    joints: ArrayLike,
    height: ArrayLike,
    rng: np.random.Generator,
    level: str = "typical",
    occluded: ArrayLike | None = None,
    amplitude: float = 1.0,
) -> Detection:
    r"""Return what a pose detector finds of a moving person.

    .. math:: e_j(t) = b_j + s_j(t) + w_j(t) + burst_j(t), \quad \text{then inversions, misses, the grid of a heat map}

    Most of the error is slow (bias and s), as published errors are: smoothing removes the jitter, not the error. Bursts
    and misses are three times likelier where a joint is occluded; inversions where the pair is near, or the person seen
    from the side or from behind. An inverted pair has changed places with all its errors.

    Convention: one frame of ``joints`` per frame of the video at 25 to 50 Hz. Equal generators give equal errors; the
    kinds of error have generators of their own, so each is the same whatever the others do.

    Args:
        joints: true joints (T, 17, 2), COCO-17 (row, column) in pixels, -1 missing (stays missing).
        height: the person's height in pixels, one number or (T,).
        rng: generator of the purpose, fresh: it is split, not drawn from.
        level: "clean", "typical" or "hard".
        occluded: (T, 17) bool: the joint is hidden; None = all are seen.
        amplitude: factor on all lengths of the error.

    Raises:
        ValueError: shapes that do not fit, a height that is not positive, an unknown level.
    """
    settings = LEVELS[require_choice("noise level", level, tuple(LEVELS))]
    true = np.asarray(joints, dtype=np.float64)
    if true.ndim != 3 or true.shape[1:] != (17, 2):
        raise ValueError(f"expected joints (T, 17, 2) of COCO-17 as (row, column), got {true.shape}")
    frames = len(true)
    tall = np.asarray(height, dtype=np.float64)
    if tall.shape not in ((), (frames,)) or not (tall > 0).all():
        raise ValueError(f"expected a height in pixels above 0, one or one per frame ({frames}), got {tall}")
    tall = np.broadcast_to(tall, (frames,))
    hidden = np.zeros((frames, 17), bool) if occluded is None else np.asarray(occluded, dtype=bool)
    if hidden.shape != (frames, 17):
        raise ValueError(f"expected occluded (T, 17) with T={frames}, got {hidden.shape}")
    if not amplitude >= 0:
        raise ValueError(f"expected an amplitude of at least 0, got {amplitude}")
    there = (true != MISSING).all(-1)

    of_bias, of_slow, of_white, of_burst, of_inversion, of_miss = rng.spawn(6)
    error = settings.bias * of_bias.standard_normal((1, 17, 2))
    error = error + _slow(of_slow, frames, settings)
    # The grid's rounding is new in each frame too: it counts as a part of the white noise.
    white = np.sqrt(np.maximum((settings.white * JOINT_WEIGHTS) ** 2 - GRID**2 / 12, 0.0))
    error += white[:, None] * of_white.standard_normal((frames, 17, 2))
    rates = JOINT_WEIGHTS * np.where(hidden, COUPLING, 1.0)
    offsets, burst = _bursts(of_burst, rates, settings)
    found = true + amplitude * (error + offsets) * tall[:, None, None]

    inverted = _inversions(of_inversion, true, there, tall, settings)
    found, burst = _exchanged(found, inverted), _exchanged(burst, inverted)
    missed = _episodes(*_geometric(of_miss, rates * settings.miss[0], settings.miss[1])) >= 0
    missed &= there

    grid = GRID * tall[:, None, None]
    found = np.round(found / grid) * grid
    score = np.exp(-np.linalg.norm(found - true, axis=-1) / (SCORE_LENGTH * tall[:, None]))
    lost = missed | ~there
    found[lost], score[lost] = MISSING, 0.0
    return Detection(found, score, missed, inverted & ~lost, burst & ~lost)


def _slow(rng: np.random.Generator, frames: int, settings: Level) -> Array:
    """White noise (T, 17, 2) under a Gaussian, scaled back to its sigma; it does not feel where the sequence begins."""
    margin = int(4 * settings.tau)
    white = rng.standard_normal((frames + 2 * margin, 17, 2))
    smooth = gaussian_filter1d(white, settings.tau, axis=0, truncate=4.0)[margin : margin + frames]
    # The squares of a normalised Gaussian of tau sum to 1 / (2 sqrt(pi) tau).
    return settings.slow * np.sqrt(2 * np.sqrt(np.pi) * settings.tau) * smooth


def _bursts(rng: np.random.Generator, rates: Array, settings: Level) -> tuple[Array, Mask]:
    """Offsets (T, 17, 2) that stay for a few frames, and where they are."""
    rate, low, high = settings.burst
    starts = rng.random(rates.shape) < rate * rates
    lengths = rng.integers(BURST_FRAMES[0], BURST_FRAMES[1], rates.shape, endpoint=True)
    angle, radius = rng.uniform(0, 2 * np.pi, rates.shape), rng.uniform(low, high, rates.shape)
    offsets = radius[..., None] * np.stack([np.sin(angle), np.cos(angle)], -1)
    began = _episodes(starts, lengths)
    inside = began >= 0
    return np.where(inside[..., None], offsets[began, np.arange(17)], 0.0), inside


def _inversions(rng: np.random.Generator, true: Array, there: Mask, tall: Array, settings: Level) -> Mask:
    """Where (T, 17) a pair has changed places; only pairs of which both joints are there."""
    left, right = PAIRS.T
    both = there[:, left] & there[:, right]
    apart = np.linalg.norm(true[:, left] - true[:, right], axis=-1)
    shoulders = np.where(both[:, 0], true[:, left[0], 1] - true[:, right[0], 1], np.inf)
    likely = (apart < NEAR * tall[:, None]) | (shoulders < TURNED * tall)[:, None]
    rates = settings.inversion[0] * np.where(likely, COUPLING, 1.0)
    swapped = (_episodes(*_geometric(rng, rates, settings.inversion[1])) >= 0) & both
    inverted = np.zeros(there.shape, bool)
    inverted[:, left] = inverted[:, right] = swapped
    return inverted


def _exchanged(values: NDArray, inverted: Mask) -> NDArray:
    """Values (T, 17, ...) with the inverted joints' exchanged between left and right."""
    left, right = PAIRS.T
    mirror = np.arange(17)
    mirror[left], mirror[right] = right, left
    chosen = inverted.reshape(inverted.shape + (1,) * (values.ndim - 2))
    return np.where(chosen, values[:, mirror], values)


def _geometric(rng: np.random.Generator, rates: Array, length: float) -> tuple[Mask, NDArray[np.int64]]:
    """Starts (T, N) at given rates and a geometric length for each."""
    return rng.random(rates.shape) < rates, rng.geometric(1 / length, rates.shape)


def _episodes(starts: Mask, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return (T, N): where the episode that goes on there began, -1 where none does; none starts within another."""
    began = np.full(starts.shape, -1)
    for frame, joint in np.argwhere(starts):
        if began[frame, joint] < 0:
            began[frame : frame + lengths[frame, joint], joint] = frame
    return began
