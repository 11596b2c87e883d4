"""What cleans a track of joints without learning: four filters, and one linear map from skeleton to skeleton.

The filters' numbers are chosen on 64 of the studio's training sequences: of a small grid (Gaussians of 1, 2, 3 frames;
windows of 7, 11, 15; cut-offs of 0.5 to 4 Hz with beta from 0.003 to 0.1) those with the smallest acceleration error
whose MPJPE is within 1 % of the grid's smallest. Wider filters tremble less still, and damage what is true.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, median_filter
from scipy.signal import savgol_filter
from torch import Tensor

from repro.checks import require_shape
from repro.data.clip import MotionSequence
from repro.data.motion_windows import hold_last
from repro.metrics.motion import COCO_SHARED, HUMAN36M_SHARED

Array = NDArray[np.float64]

MEDIAN = 5
"""Frames of the median filter, which takes out what lasts up to two."""


def identity(track: Array, fps: float) -> Array:
    """Return the track as it is: what any cleaning must beat."""
    return track


def gaussian(track: Array, fps: float, sigma: float = 3.0) -> Array:
    """Return the track (T, ...) under a Gaussian of ``sigma`` frames; border frames repeat."""
    return gaussian_filter1d(track, sigma, axis=0, mode="nearest")


def savitzky_golay(track: Array, fps: float, window: int = 15, order: int = 2) -> Array:
    """Return the value in the middle of the polynomial that fits ``window`` frames best, for every frame.

    The first and last half window are read off the polynomials of the first and last whole one.

    Raises:
        ValueError: the track is shorter than the window.
    """
    if len(track) < window:
        raise ValueError(f"expected at least {window} frames (the window), got {len(track)}: choose another filter")
    return savgol_filter(track, window, order, axis=0, mode="interp")


def median_gaussian(track: Array, fps: float, sigma: float = 3.0) -> Array:
    """Return the track under a median of 5 frames, which drops single outliers, and then a Gaussian."""
    return gaussian(median_filter(track, size=(MEDIAN, *[1] * (track.ndim - 1)), mode="nearest"), fps, sigma)


def one_euro(
    track: Array, fps: float, min_cutoff: float = 1.0, beta: float = 0.1, derivative_cutoff: float = 1.0
) -> Array:
    r"""Return the track under the One-Euro filter: an exponential mean that follows faster what moves faster.

    .. math:: \hat x_t = \alpha(f_c)\, x_t + (1 - \alpha(f_c))\, \hat x_{t-1}, \qquad
        \alpha(f) = \frac{1}{1 + r / (2 \pi f)}, \qquad f_c = f_{min} + \beta\, |\hat{\dot x}_t|

    with r frames per second, and the speed :math:`\hat{\dot x}` of the raw track under the same mean with a fixed
    cut-off. Every coordinate has its own. It looks at the past only, so it lags, and it can run live.

    Args:
        track: (T, ...).
        fps: r, frames per second.
        min_cutoff: f_min in Hz: how still a joint at rest is.
        beta: Hz per (pixel per second): how much less a moving one is held back.
        derivative_cutoff: Hz, of the speed.

    Source: Casiez, Roussel, Vogel: 1 € Filter, CHI 2012. The speed is (x_t - x̂_{t-1}) r, as in its listing.
    """

    def weight(cutoff: Array | float) -> Array | float:
        return 1 / (1 + fps / (2 * np.pi * cutoff))

    smooth = np.empty_like(track)
    value, speed = track[0], np.zeros_like(track[0])
    smooth[0] = value
    for frame in range(1, len(track)):
        share = weight(derivative_cutoff)
        speed = share * (track[frame] - value) * fps + (1 - share) * speed
        share = weight(min_cutoff + beta * np.abs(speed))
        value = share * track[frame] + (1 - share) * value
        smooth[frame] = value
    return smooth


FILTERS: dict[str, Callable[[Array, float], Array]] = {
    "identity": identity,
    "gaussian": gaussian,
    "savitzky_golay": savitzky_golay,
    "one_euro": one_euro,
    "median_gaussian": median_gaussian,
}


@dataclass(frozen=True)
class SkeletonMap:
    r"""A fixed linear map from COCO's 17 joints to the 12 shared ones of Human3.6M.

    .. math:: \hat g_j - c = \sum_k A_{jk} (p_k - c), \qquad c = \tfrac{1}{17} \sum_k p_k

    Rows and columns share the weights, so a person who is moved, made larger or turned in the picture stays the same
    person. Where the two skeletons place a joint differently, this is what remains to be learnt without time.

    Attributes:
        weights: A, (12, 17) float64.
    """

    weights: Tensor

    @classmethod
    def fit(cls, sequences: Iterable[MotionSequence]) -> "SkeletonMap":
        """Return the map with the smallest squared error on what a detector found; gaps are held."""
        square, product = torch.zeros(17, 17, dtype=torch.float64), torch.zeros(17, 12, dtype=torch.float64)
        for sequence in sequences:
            found = hold_last(sequence.noisy).double()
            middle = found.mean(1, keepdim=True)
            # Frames and both coordinates are the examples of one regression.
            inputs = (found - middle).transpose(1, 2).flatten(0, 1)
            targets = (sequence.clean[:, list(HUMAN36M_SHARED)] - middle).transpose(1, 2).flatten(0, 1)
            square, product = square + inputs.T @ inputs, product + inputs.T @ targets
        # The joints without their mean have rank 16: the pseudo-inverse takes the smallest of the equal solutions.
        return cls((torch.linalg.pinv(square, hermitian=True) @ product).T)

    def __call__(self, joints: Tensor) -> Tensor:
        """Return the shared joints (T, 12, 2) of COCO's (T, 17, 2)."""
        require_shape("joints", joints, "T 17 2", hint="COCO's joints")
        middle = joints.mean(1, keepdim=True)
        return middle + torch.einsum("jk,tkc->tjc", self.weights, joints - middle)


def shared_joints(joints: Tensor) -> Tensor:
    """Return the shared joints (T, 12, 2) of COCO's (T, 17, 2) as they are."""
    return joints[:, list(COCO_SHARED)]


def filter_sequence(name: str, sequence: MotionSequence, to_shared: Callable[[Tensor], Tensor]) -> Tensor:
    """Return the shared joints (T, 12, 2) of a sequence under a filter of :data:`FILTERS`; gaps are held.

    Args:
        name: of the filter.
        sequence: as a detector saw it.
        to_shared: :func:`shared_joints`, or a :class:`SkeletonMap`.
    """
    track = hold_last(sequence.noisy).double().numpy()
    return to_shared(torch.from_numpy(FILTERS[name](track, sequence.fps)))
