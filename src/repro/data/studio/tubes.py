"""Generalised tubes: a centre line with egg-shaped sections, sampled on a grid of rings and sectors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


class Profile:
    """A centre line with sections: radii to the side, to the front and to the back, interpolated monotonically.

    Position s runs from the first control ring (0) to the last (``length``): the length, in metres, of the control
    polygon through centres and radii together, so steep shoulders get as many rings as long limbs.

    Args:
        controls: (N, 6) or (N, 7) rows: centre x, y, z, radius to the side, front, back in metres and, optionally, the
            exponent of the super-ellipse (2 = ellipse, larger = boxier).
        front: the direction from which the angle counts; +z for all that hangs, +y for feet.
    """

    def __init__(self, controls: Sequence[Sequence[float]] | Array, front: Sequence[float] = (0.0, 0.0, 1.0)) -> None:
        rows = np.asarray(controls, dtype=np.float64)
        if rows.ndim != 2 or len(rows) < 2 or rows.shape[1] not in (6, 7):
            raise ValueError(f"expected at least two control rings of 6 or 7 numbers, got shape {rows.shape}")
        if rows.shape[1] == 6:
            rows = np.column_stack([rows, np.full(len(rows), 2.0)])
        self.controls = rows
        self.front = np.asarray(front, dtype=np.float64)
        self.knots = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(rows[:, :6], axis=0), axis=1))])
        self.length = float(self.knots[-1])
        self._interpolate = PchipInterpolator(self.knots, rows)
        self._slope = self._interpolate.derivative()

    def at_height(self, y: Array | float) -> Array:
        """Return s where the centre line has height y; only for lines that go down all the way."""
        s = np.linspace(0.0, self.length, 1025)
        return np.interp(-np.asarray(y), -self._interpolate(s)[:, 1], s)

    def radii(self, s: Array | float) -> Array:
        """Return (..., 3): radii to the side, front and back at s."""
        return self._interpolate(s)[..., 3:6]

    def centre(self, s: Array | float) -> Array:
        """Return (..., 3): the centre line at s."""
        return self._interpolate(s)[..., :3]

    def points(self, s: Array, phi: Array, offset: Array | float = 0.0, fold: Array | float = 0.0) -> Array:
        """Return surface points (..., 3) at position s and angle phi (radians; 0 = front, pi/2 = the side axis).

        Args:
            s, phi: arrays that broadcast.
            offset: metres added to every radius.
            fold: relative change of the radius, r (1 + fold).
        """
        s, phi = np.broadcast_arrays(s, phi)
        rows = self._interpolate(s)
        tangent = self._slope(s)[..., :3]
        tangent = tangent / np.maximum(np.linalg.norm(tangent, axis=-1, keepdims=True), 1e-12)
        forward = self.front - tangent * (tangent * self.front).sum(-1, keepdims=True)
        forward /= np.linalg.norm(forward, axis=-1, keepdims=True)
        side = np.cross(forward, tangent)
        cosine, sine, power = np.cos(phi), np.sin(phi), 2.0 / rows[..., 6]
        depth = np.where(cosine > 0, rows[..., 4], rows[..., 5]) + offset
        along_front = np.sign(cosine) * np.abs(cosine) ** power * depth * (1 + fold)
        along_side = np.sign(sine) * np.abs(sine) ** power * (rows[..., 3] + offset) * (1 + fold)
        return rows[..., :3] + along_front[..., None] * forward + along_side[..., None] * side


@dataclass(frozen=True)
class Surface:
    """A triangulated grid.

    Attributes:
        vertices: (V, 3) metres.
        faces: (F, 3), wound so that a closed tube has positive volume.
        uv: (V, 2) metres: u around, 0 at the front, growing to the side axis; v along, 0 at the first ring.
        weld: (V,) the first vertex at the same place: the seam column and the poles share their normals through it.
    """

    vertices: Array
    faces: Indices
    uv: Array
    weld: Indices


def join(surfaces: Sequence[Surface]) -> Surface:
    """Return one surface that holds all vertices and faces of several, in order."""
    starts = np.cumsum([0] + [len(surface.vertices) for surface in surfaces])
    return Surface(
        np.concatenate([surface.vertices for surface in surfaces]),
        np.concatenate([surface.faces + start for surface, start in zip(surfaces, starts)]),
        np.concatenate([surface.uv for surface in surfaces]),
        np.concatenate([surface.weld + start for surface, start in zip(surfaces, starts)]),
    )


Modulation = Callable[[Array, Array, Array], Array]
"""(phi, metres along, part of the way 0..1) -> relative change of the radius, all (rings, sectors + 1)."""


def tube(
    profile: Profile,
    rings: int,
    sectors: int,
    *,
    start: Array | float = 0.0,
    end: Array | float | None = None,
    offset: float = 0.0,
    fold: Modulation | None = None,
    caps: tuple[float, float] = (0.0, 0.0),
) -> Surface:
    """Return a tube as a grid of ``rings`` x (``sectors`` + 1) vertices, the seam at the back.

    Args:
        profile: centre line and sections.
        rings: rings along it, at least 2.
        sectors: sectors around, at least 3; the seam column is stored twice so that u is continuous.
        start, end: where it begins and ends, in the profile's s: a number, or one per column (neck lines, hair lines).
            ``end`` None is the profile's end.
        offset: metres added to every radius.
        fold: relative change of the radius.
        caps: heights in metres of the domes that close the two ends; 0 = open.
    """
    if rings < 2 or sectors < 3:
        raise ValueError(f"expected at least 2 rings and 3 sectors, got {rings} and {sectors}")
    phi = np.linspace(-np.pi, np.pi, sectors + 1)[None]
    start = np.broadcast_to(np.asarray(start, dtype=np.float64), phi.shape)
    end = np.broadcast_to(np.asarray(profile.length if end is None else end, dtype=np.float64), phi.shape)
    part = np.linspace(0.0, 1.0, rings)[:, None]
    s = start + part * (end - start)
    smooth = profile.points(s, phi, offset)
    grid = smooth if fold is None else profile.points(s, phi, offset, fold(*np.broadcast_arrays(phi, s, part)))
    grid[:, -1] = grid[:, 0]  # cos(-pi) and cos(pi) agree, their sines only almost

    domes = [_dome(grid[end_ring], grid[end_ring] - grid[inner], height, rings, sectors)
             for end_ring, inner, height in ((0, 1, caps[0]), (-1, -2, caps[1]))]  # fmt: skip
    grid = np.concatenate([domes[0][::-1], grid, domes[1]])
    smooth = np.concatenate([domes[0][::-1], smooth, domes[1]])
    return grid_surface(grid, _arc_lengths(smooth, len(domes[0])))


def _dome(rim: Array, outward: Array, height: float, rings: int, sectors: int) -> Array:
    """Rings (n, S, 3) that close a rim by a quarter of an ellipse, from near the rim to the pole."""
    if height <= 0:
        return np.empty((0, *rim.shape))
    centre = rim[:-1].mean(0)
    axis = outward[:-1].mean(0)
    axis = axis / np.maximum(np.linalg.norm(axis), 1e-12)
    angle = np.linspace(0, np.pi / 2, max(3, min(rings, sectors) // 6) + 1)[1:, None, None]
    dome = centre + np.cos(angle) * (rim - centre) + np.sin(angle) * height * axis
    dome[-1] = centre + height * axis
    return dome


def _arc_lengths(grid: Array, first: int) -> Array:
    """(u, v) of a grid in metres: around each ring from the front column, along each column from ring ``first``."""
    around = np.concatenate([np.zeros((len(grid), 1)), np.cumsum(np.linalg.norm(np.diff(grid, axis=1), axis=-1), 1)], 1)
    sectors = grid.shape[1] - 1
    middle = (
        around[:, sectors // 2] if sectors % 2 == 0 else (around[:, sectors // 2] + around[:, sectors // 2 + 1]) / 2
    )
    along = np.concatenate([np.zeros((1, sectors + 1)), np.cumsum(np.linalg.norm(np.diff(grid, axis=0), axis=-1), 0)])
    along = np.broadcast_to(along.mean(1, keepdims=True), along.shape)
    return np.stack([around - middle[:, None], along - along[first]], -1)


def grid_surface(grid: Array, uv: Array) -> Surface:
    """Return the surface of a grid of rings (R, S + 1, 3) whose last column repeats the first, with its uv."""
    rings, columns = grid.shape[:2]
    index = np.arange(rings * columns).reshape(rings, columns)
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    faces = np.stack([np.stack([a, b, c], -1), np.stack([a, c, d], -1)], 2).reshape(-1, 3)
    vertices = grid.reshape(-1, 3)
    area = np.linalg.norm(
        np.cross(vertices[faces[:, 1]] - vertices[faces[:, 0]], vertices[faces[:, 2]] - vertices[faces[:, 0]]), axis=1
    )
    weld = index.copy()
    weld[:, -1] = weld[:, 0]
    for pole in (0, -1):
        if np.ptp(grid[pole], axis=0).max() < 1e-9:
            weld[pole] = weld[pole, 0]
    return Surface(vertices, faces[area > 1e-12], uv.reshape(-1, 2), weld.reshape(-1))


def signed_volume(vertices: Array, faces: Indices) -> float:
    r"""Return the signed volume of a closed triangle mesh in cubic metres: positive = normals point outward.

    .. math:: V = \tfrac16 \sum_f v_0 \cdot (v_1 \times v_2)
    """
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    return float((a * np.cross(b, c)).sum() / 6)
