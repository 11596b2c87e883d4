"""A motion fitted to the person of a source picture: as large, in the same place, on the same ground."""

from dataclasses import dataclass

import torch
from torch import Tensor

from repro.checks import require_shape
from repro.data.joints import MISSING, is_missing
from repro.data.studio.skeleton import HUMAN36M_17

SEGMENTS = {
    "head": (("thorax", "nose"),),
    "trunk": (("hip", "thorax"),),
    "thigh": (("right_hip", "right_knee"), ("left_hip", "left_knee")),
    "shin": (("right_knee", "right_ankle"), ("left_knee", "left_ankle")),
}
"""What a person's height is made of; of two sides the mean."""
FITS = ("body", "none")
"""Given joints are made as large as the source person, or taken as pixels of the photograph."""
QUANTILE = 0.8
"""Foreshortening only shortens, so a segment is as long as it mostly is at most; outliers of a detector are longer."""
ANKLES = [HUMAN36M_17.index(f"{side}_ankle") for side in ("right", "left")]
ANCHORS = ("hip", "thorax")
"""What is put into the source's column, and without ankles into its row: the first that both have."""


@dataclass(frozen=True)
class Fit:
    r"""A similarity :math:`q = s\,p + d`.

    Attributes:
        scale: s.
        shift: d as (rows, columns) in pixels of the source.
    """

    scale: float
    shift: tuple[float, float]

    def __call__(self, joints: Tensor) -> Tensor:
        """Return the joints (..., 2) in pixels of the source; missing ones stay missing."""
        moved = self.scale * joints + torch.tensor(self.shift, dtype=joints.dtype)
        return moved.masked_fill(is_missing(joints)[..., None], MISSING)


def fit(motion: Tensor, source: Tensor) -> Fit:
    r"""Return the similarity that puts a motion into the place of the source person.

    .. math:: s = \frac{\sum_i \ell_i^{source}}{\sum_i \ell_i^{motion}}, \qquad d = a^{source} - s\, a^{motion}

    The heights are sums over the segments that both have: head, trunk, thigh, shin; :math:`\ell^{motion}` is the 80 %
    quantile over the frames. The anchor a is, in rows, the ground: the lower ankle (of the motion its 80 % quantile
    over the frames, so that a jump leaves the ground); in columns the hip of the first frame. Without ankles both are
    the hip's, without hips the thorax's, of the first frame.

    Args:
        motion: (T, 17, 2) Human3.6M, without gaps (:class:`~repro.data.tracking.Track`).
        source: (17, 2) Human3.6M, -1 missing.

    Raises:
        ValueError: nothing to compare: no segment, or no anchor, that both have.
    """
    require_shape("motion", motion, "T 17 2", hint="joints of Human3.6M over time")
    require_shape("source", source, "17 2", hint="joints of Human3.6M")
    theirs, ours = (_lengths(joints) for joints in (motion, source[None]))
    common = [name for name in SEGMENTS if name in theirs and name in ours]
    if not common or sum(theirs[name] for name in common) <= 0:
        raise ValueError(
            "expected head, trunk, thigh or shin among the joints of both the source and the motion, found none in "
            "common: give joints of a larger part of the person"
        )
    scale = sum(ours[name] for name in common) / sum(theirs[name] for name in common)
    anchor = next((name for name in ANCHORS if _place(motion, name) and _place(source[None], name)), None)
    if anchor is None:
        raise ValueError("expected hips or shoulders in both the source and the motion: there is no place to put it")
    (row, column), (own_row, own_column) = _place(motion, anchor) or (0, 0), _place(source[None], anchor) or (0, 0)
    ground, own_ground = _ground(motion), _ground(source[None])
    if ground is not None and own_ground is not None:
        row, own_row = ground, own_ground
    return Fit(scale, (own_row - scale * row, own_column - scale * column))


def _lengths(joints: Tensor) -> dict[str, float]:
    """The length of each segment that is there, in pixels."""
    lengths = {}
    for name, pairs in SEGMENTS.items():
        own = [one for start, end in pairs if (one := _distance(joints, start, end)) is not None]
        if own:
            lengths[name] = sum(own) / len(own)
    return lengths


def _distance(joints: Tensor, start: str, end: str) -> float | None:
    first, second = (joints[:, HUMAN36M_17.index(name)] for name in (start, end))
    there = ~(is_missing(first) | is_missing(second))
    return float((second - first).norm(dim=-1)[there].quantile(QUANTILE)) if there.any() else None


def _place(joints: Tensor, name: str) -> tuple[float, float] | None:
    """(row, column) of a joint in the first frame."""
    row, column = joints[0, HUMAN36M_17.index(name)].tolist()
    return None if MISSING in (row, column) else (row, column)


def _ground(joints: Tensor) -> float | None:
    """The row of the ground: of the lower ankle, the quantile over the frames."""
    ankles = joints[:, ANKLES]
    rows = ankles[..., 0].masked_fill(is_missing(ankles), -torch.inf).amax(1)
    return float(rows.quantile(QUANTILE)) if bool(rows.isfinite().all()) else None
