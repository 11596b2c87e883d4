"""What is sewn or printed on clothes: glyphs, numbers, pockets, plackets with buttons, buckles, shoe laces.

A decal is a small RGBA picture and the place of its rectangle in the *rest* pose; it sticks to the cloth because the
rest position of a surface point never changes. Its outermost pixels are
transparent, so it may live among periodic tiles.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from repro.data.studio.palette import Colour

Array = NDArray[np.floating]

# No vowels, so that random glyphs spell nothing; the letters with holes (B, D, P, R) are in.
GLYPHS = "BCDFGHJKLMNPRSTVWXZ0123456789&?!%#+"
SIDE = 128  # pixels: 2 mm for the largest decal, half a pixel of a 256-pixel portrait
MARGIN = 8  # transparent border: three mip levels of it stay transparent


@dataclass(frozen=True)
class Decal:
    """A picture on a rectangle of the rest pose.

    Attributes:
        picture: (S, S, 4) float32.
        centre: (3,) metres, the middle of the rectangle.
        right, down: (3,) the picture's axes as seen by who looks at it, divided by its extent: metres to [-0.5, 0.5].
        facing: (3,) only points on this side of the centre are printed.
    """

    picture: Array
    centre: Array
    right: Array
    down: Array
    facing: Array


def place(
    picture: Array, centre: tuple[float, float, float], width: float, height: float, side: str = "front"
) -> Decal:
    """Return a picture on the front, the back or the top side of the rest pose, ``width`` x ``height`` metres."""
    axes = {
        "front": ((1, 0, 0), (0, -1, 0), (0, 0, 1)),
        "back": ((-1, 0, 0), (0, -1, 0), (0, 0, -1)),
        "top": ((1, 0, 0), (0, 0, 1), (0, 1, 0)),
    }
    if side not in axes:
        raise ValueError(f"unknown side {side!r}: choose one of {', '.join(axes)}")
    right, down, facing = (np.array(axis, np.float32) for axis in axes[side])
    # Facing is tested against the body's middle plane (front, back), not against the rectangle: chests are curved.
    return Decal(picture, np.array(centre, np.float32), right / np.float32(width), down / np.float32(height), facing)


def fill_even_odd(polygons: list[NDArray[np.float64]], size: int, oversampling: int = 4) -> Array:
    """Return the coverage (size, size) of polygons in pixel coordinates under the even-odd rule: holes stay open.

    Every edge toggles all samples to its right in the rows that it crosses; the parity of the toggles is the inside.
    """
    side = size * oversampling
    toggles = np.zeros(side * (side + 1), np.int64)
    for polygon in polygons:
        start = polygon * oversampling
        end = np.roll(start, -1, axis=0)
        first = np.clip(np.ceil(np.minimum(start[:, 1], end[:, 1]) - 0.5), 0, side).astype(int)
        last = np.clip(np.ceil(np.maximum(start[:, 1], end[:, 1]) - 0.5), 0, side).astype(int)
        count = last - first
        edge = np.repeat(np.arange(len(start)), count)
        row = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + first[edge]
        slope = (end[edge, 0] - start[edge, 0]) / (end[edge, 1] - start[edge, 1])
        column = np.ceil(start[edge, 0] + (row + 0.5 - start[edge, 1]) * slope - 0.5)
        toggles += np.bincount(row * (side + 1) + np.clip(column, 0, side).astype(int), minlength=toggles.size)
    inside = np.cumsum(toggles.reshape(side, side + 1)[:, :side], axis=1) % 2
    return inside.reshape(size, oversampling, size, oversampling).mean((1, 3)).astype(np.float32)


@lru_cache(maxsize=256)
def glyphs(text: str) -> tuple[Array, float]:
    """Return the coverage (SIDE, SIDE) of a text in DejaVu Sans Bold that fills the square, and its width/height."""
    import matplotlib
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    font = FontProperties(fname=Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans-Bold.ttf")
    polygons = [np.asarray(polygon)[:-1] for polygon in TextPath((0, 0), text, size=100, prop=font).to_polygons()]
    every = np.concatenate(polygons)
    low, high = every.min(0), every.max(0)
    scale = (SIDE - 2 * MARGIN) / (high - low)
    down = np.array([1, -1])
    moved = [MARGIN + (polygon - np.where(down > 0, low, high)) * scale * down for polygon in polygons]
    coverage = fill_even_odd(moved, SIDE)
    coverage.setflags(write=False)
    width, height = high - low
    return coverage, float(width / height)


def random_text(rng: Generator) -> str:
    """Return one to four glyphs."""
    return "".join(rng.choice(list(GLYPHS), size=int(rng.integers(1, 5))))


def printed(text: str, colour: Colour, rim: Colour | None = None) -> tuple[Array, float]:
    """Return a text as a picture, with an optional rim in a second colour, and its width/height."""
    coverage, aspect = glyphs(text)
    if rim is None:
        return _paint(colour, coverage), aspect
    wide = coverage
    for axis in (0, 1):
        wide = np.max([np.roll(wide, step, axis) for step in (-3, 0, 3)], axis=0)
    picture = _paint(rim, wide)
    picture[..., :3] += coverage[..., None] * (colour - rim)
    return picture, aspect


def pocket(colour: Colour, seam: Colour) -> Array:
    """Return a patch pocket: a shield with a seam and a folded upper edge."""
    x, y = _axes()
    floor = 0.40 - 0.12 * np.abs(x) / 0.4
    depth = np.minimum(np.minimum(0.4 - np.abs(x), y + 0.42), floor - y)
    picture = _paint(colour, _inside(depth))
    line = _inside(0.015 - np.abs(depth - 0.03)) + _inside(0.015 - np.abs(y + 0.26)) * _inside(depth)
    picture[..., :3] += np.clip(line, 0, 1)[..., None] * (seam - colour)
    return picture


def placket(buttons: int, colour: Colour, seam: Colour) -> Array:
    """Return a strip with two seams and a column of buttons; the strip itself is transparent."""
    x, y = _axes()
    span = _inside(0.43 - np.abs(y))
    picture = _paint(seam, 0.6 * span * _inside(0.03 - np.abs(np.abs(x) - 0.36)))
    step = 0.86 / buttons
    middle = (np.floor((y + 0.43) / step) + 0.5) * step - 0.43
    # A button is round on the cloth: the strip is about 8 times as long as wide.
    disc = _inside(0.2 - np.hypot(x, (y - middle) * 8)) * span
    shade = 1 - 0.35 * _inside(0.08 - np.hypot(x, (y - middle) * 8))
    picture[..., :3] += disc[..., None] * (colour * shade[..., None] - seam)
    picture[..., 3] = np.maximum(picture[..., 3], disc)
    return picture


def fly(seam: Colour) -> Array:
    """Return the fly of trousers: the seam in the middle and the stitched J beside it."""
    x, y = _axes()
    middle = _inside(0.025 - np.abs(x)) * _inside(0.4 - np.abs(y))
    bow = np.hypot(x, np.maximum(y - 0.1, 0) * 1.2) - 0.3
    stitched = _inside(0.02 - np.abs(bow)) * _inside(x) * _inside(0.4 - np.abs(y))
    return _paint(seam, np.maximum(middle, 0.7 * stitched))


def buckle(metal: Colour, leather: Colour) -> Array:
    """Return a belt buckle: a metal frame with a tongue."""
    x, y = _axes()
    outer = 0.42 - np.maximum(np.abs(x), np.abs(y))
    picture = _paint(leather, _inside(outer))
    frame = np.clip(_inside(outer) - _inside(outer - 0.13) + _inside(0.05 - np.abs(y)) * _inside(outer), 0, 1)
    picture[..., :3] += frame[..., None] * (metal - leather)
    return picture


def laces(colour: Colour) -> Array:
    """Return crossed shoe laces, to be seen from above."""
    x, y = _axes()
    phase = (y + 0.4) / 0.2
    cross = np.abs(np.abs(1 - 2 * np.abs(phase % 1 - 0.5)) * 0.6 - 0.3)
    lines = np.minimum(np.abs(x - cross), np.abs(x + cross))
    return _paint(colour, _inside(0.06 - lines) * _inside(0.4 - np.abs(y)) * _inside(0.38 - np.abs(x)))


def _axes() -> tuple[Array, Array]:
    """Return x (right) and y (down) of the pixel centres, broadcast to the picture, in (-0.5, 0.5)."""
    line = ((np.arange(SIDE) + 0.5) / SIDE - 0.5).astype(np.float32)
    return np.broadcast_to(line[None, :], (SIDE, SIDE)), np.broadcast_to(line[:, None], (SIDE, SIDE))


def _inside(depth: Array) -> Array:
    return np.clip(depth * SIDE / 2 + 0.5, 0, 1)


def _paint(colour: Colour, coverage: Array) -> Array:
    return np.dstack([np.broadcast_to(colour, (*coverage.shape, 3)), coverage]).astype(np.float32)
