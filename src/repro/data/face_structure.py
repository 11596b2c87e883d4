"""The structure of a face for the generator: 68 landmarks and the picture become 16 channels (drawn as the authors do).

Channel 0: the curves through the landmarks and the Canny edges outside the face's parts, in [0, 1]. Channels 1 to 14:
the distance to each of the 14 curves. Channel 15: which part each pixel belongs to, 0 to 6, not scaled.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import distance_transform_cdt
from skimage.draw import line, polygon
from skimage.feature import canny
from torch import Tensor

from repro.checks import require_shape

LANDMARKS = 68
CHANNELS = 16
Points = NDArray[np.int64]

_FACE = (*range(17), *range(68, 83), 0)
PARTS: tuple[tuple[int, tuple[tuple[int, ...], ...]], ...] = (
    (1, (_FACE,)),
    (2, (tuple(range(17, 22)),)),
    (2, (tuple(range(22, 27)),)),
    (3, ((28, 31), tuple(range(31, 36)), (35, 28))),
    (4, ((36, 37, 38, 39), (39, 40, 41, 36))),
    (4, ((42, 43, 44, 45), (45, 46, 47, 42))),
    (5, (tuple(range(48, 55)), (54, 55, 56, 57, 58, 59, 48))),
    (6, (tuple(range(60, 65)), (64, 65, 66, 67, 60))),
)
"""Label and curves of each part: face, brows, nose, eyes, mouth, inner mouth; numbers of landmarks, 68 to 82 being
the forehead (:func:`with_forehead`)."""


def face_structure(landmarks: Tensor, image: Tensor) -> Tensor:
    """Return the structure (16, H, W) float32 of one face (GFLA's face task).

    Convention: landmarks are (row, column), pixel centres at integers, in dlib's order; fractions are cut off, places
    outside the image are drawn on its border.

    Args:
        landmarks: (68, 2).
        image: (3, H, W) in [0, 1]; the channels have its size.

    Raises:
        ValueError: wrong shapes, landmarks that are not finite.
    """
    require_shape("landmarks", landmarks, "68 2", hint="dlib's 68 points as (row, column)")
    size = require_shape("image", image, "3 H W")
    height, width = size["H"], size["W"]
    if not bool(torch.isfinite(landmarks).all()):
        raise ValueError("expected finite landmarks, got nan or infinity: leave frames without a face out")
    points = with_forehead(landmarks.detach().cpu().numpy())
    labels = part_labels(points, height, width)
    edges = np.zeros((height, width), dtype=bool)
    distances = []
    for _, curves in PARTS:
        for curve in curves:
            drawn = draw_curve(points[list(curve)], height, width)
            edges |= drawn
            distances.append(distance_map(drawn))
    bytes_ = (image.detach().cpu().clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    grey = np.asarray(Image.fromarray(bytes_).convert("L"))
    edges |= canny(grey, sigma=1.0) & (labels == 0)
    channels = np.stack([edges, *distances, labels]).astype(np.float32)
    return torch.from_numpy(channels).to(image.device)


def with_forehead(landmarks: NDArray[np.floating]) -> Points:
    """Return (83, 2) whole (row, column): the landmarks and 15 points that close the face above the brows.

    The outline's points 15 ... 1 are mirrored about the mean height of its ends 0 and 16 and drawn in to two thirds.
    """
    points = np.trunc(landmarks).astype(np.int64)
    middle = (points[0, 0] + points[16, 0]) / 2
    upper = points[15:0:-1].copy()
    upper[:, 0] = np.trunc(middle + (middle - upper[:, 0]) * 2 // 3).astype(np.int64)
    return np.concatenate([points, upper])


def part_labels(points: Points, height: int, width: int) -> NDArray[np.uint8]:
    """Return (H, W) uint8: 0 outside, else the label of the last part of ``PARTS`` that covers the pixel."""
    labels = np.zeros((height, width), np.uint8)
    for label, curves in PARTS:
        corners = points[[index for curve in curves for index in curve]]
        labels[polygon(corners[:, 0], corners[:, 1], (height, width))] = label
        for start, end in zip(corners, np.roll(corners, -1, axis=0)):  # the border belongs to the part
            rows, columns = line(*start, *end)
            inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
            labels[rows[inside], columns[inside]] = label
    return labels


def draw_curve(points: Points, height: int, width: int) -> NDArray[np.bool_]:
    """Return (H, W) bool: pieces through three neighbouring points each (the last through two if they are even)."""
    drawn = np.zeros((height, width), dtype=bool)
    for first in range(0, max(1, len(points) - 1), 2):
        rows, columns = curve_pixels(points[first : first + 3])
        drawn[rows.clip(0, height - 1), columns.clip(0, width - 1)] = True
    return drawn


def curve_pixels(points: Points) -> tuple[Points, Points]:
    r"""Return rows and columns of the parabola through three points (of the line through two).

    The independent variable is the axis x or y with the larger step between neighbours, x if they are equal. The curve
    :math:`a t^2 + b t + c` has as many samples as pixels between its ends, both ends included (one fewer than a gapless
    curve would have: so the authors), cut off to whole pixels; it is left out where :math:`|a| > 1`. Two points at the
    same t are replaced by their mean: the curve is a line.

    Args:
        points: (3, 2) or (2, 2), whole (row, column).
    """
    steps = np.abs(np.diff(points, axis=0)).max(0)
    axis = 0 if steps[1] < steps[0] else 1
    t, values = points[:, axis].astype(np.float64), points[:, 1 - axis].astype(np.float64)
    knots = np.unique(t)
    means = np.array([values[t == knot].mean() for knot in knots])
    slopes = np.diff(means) / np.diff(knots)
    bend = (slopes[1] - slopes[0]) / (knots[2] - knots[0]) if len(knots) == 3 else 0.0
    count = int(abs(t[-1] - t[0]))
    if abs(bend) > 1 or count == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    low, high = sorted((t[0], t[-1]))
    along = np.linspace(low, high, count)
    # Newton's form from the first knot; a hair above whole numbers, which must not be cut to the number below.
    across = means[0] + (along - knots[0]) * (slopes[0] + bend * (along - knots[1]))
    pixels = [
        np.trunc(axis_values + np.copysign(1e-6, axis_values)).astype(np.int64) for axis_values in (along, across)
    ]
    return (pixels[0], pixels[1]) if axis == 0 else (pixels[1], pixels[0])


def distance_map(drawn: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return (H, W): a third of the city-block distance to the drawn pixels, whole, at most 255, over 255; else 1."""
    if not drawn.any():
        return np.ones(drawn.shape)
    distance = distance_transform_cdt(~drawn, metric="taxicab")
    return np.minimum(distance // 3, 255) / 255
