"""Rigid things made of lofts: rounded boxes, turned and swept shapes, with edges where faces meet at an angle."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from repro.data.studio.mesh import Mesh
from repro.data.studio.skeleton import BONES, Skeleton
from repro.data.studio.tubes import Array, Indices, Surface, grid_surface, join, signed_volume

CREASE = 40.0
"""Degrees: faces that meet at a larger angle form an edge, at a smaller one a smooth surface."""


@dataclass(frozen=True)
class Solid(Mesh):
    """A rigid mesh; where normals or texture break at an edge, its faces have vertices of their own.

    Attributes:
        normals: (V, 3) unit normals at rest.
        material_names: what ``material`` counts.
    """

    normals: Array
    material_names: tuple[str, ...]  # type: ignore[misc, assignment]  # its own, where people share theirs

    def mirrored(self) -> "Solid":
        """Return the mesh seen in a mirror (x -> -x), winding kept outward."""
        flip = np.array([-1.0, 1.0, 1.0])
        return replace(
            self, rest_vertices=self.rest_vertices * flip, normals=self.normals * flip, faces=self.faces[:, [0, 2, 1]]
        )


@dataclass(frozen=True)
class Piece:
    """A closed surface on its way into a solid.

    Attributes:
        surface: its geometry.
        part: index of the part.
        material: name of the material, or one name per face.
        grain: the axis (0, 1, 2) along which the texture runs.
    """

    surface: Surface
    part: int
    material: str | Sequence[str]
    grain: int = 1


def bake(pieces: Sequence[Piece]) -> Solid:
    """Return one solid of several pieces; the texture lies on every face as if projected along its main axis."""
    whole = join([piece.surface for piece in pieces])
    named = [
        [piece.material] * len(piece.surface.faces) if isinstance(piece.material, str) else list(piece.material)
        for piece in pieces
    ]
    names = sorted({name for material in named for name in material})
    number = {name: index for index, name in enumerate(names)}
    faces = len(whole.faces)
    grain = np.concatenate([np.full(len(piece.surface.faces), piece.grain) for piece in pieces])
    corners = whole.vertices[whole.faces]
    across = np.abs(_face_normals(corners)).argmax(1)
    # v runs along the grain, unless the face looks that way; u along the axis that is left.
    along = np.where(grain == across, (across + 1) % 3, grain)
    rows = np.arange(faces)[:, None], np.arange(3)[None]
    uv = np.stack([corners[*rows, (3 - across - along)[:, None]], -corners[*rows, along[:, None]]], -1)
    normals = corner_normals(corners, whole.weld[whole.faces])
    # Corners that agree in everything are one vertex.
    surface = np.concatenate([corners, normals, uv], -1).reshape(-1, 8)
    as_bytes = np.ascontiguousarray(surface).view(np.dtype((np.void, surface.dtype.itemsize * 8)))[:, 0]
    _, first, vertex = np.unique(as_bytes, return_index=True, return_inverse=True)
    surface = surface[first]
    return Solid(
        rest_vertices=surface[:, :3].copy(),
        faces=vertex.reshape(-1, 3),
        uv=surface[:, 6:].copy(),
        weld=np.arange(len(surface)),
        # A rigid thing hangs on the first bone; it has no others and no joints.
        weights=np.eye(len(BONES))[np.zeros(len(surface), dtype=int)],
        part=np.concatenate([np.full(len(piece.surface.faces), piece.part) for piece in pieces]),
        material=np.array([number[name] for material in named for name in material]),
        two_sided=np.zeros(faces, dtype=bool),
        skeleton=Skeleton(np.zeros((len(BONES), 3)), {}),
        normals=surface[:, 3:6].copy(),
        material_names=tuple(names),
    )


def corner_normals(corners: Array, vertex: Indices, crease: float = CREASE) -> Array:
    """Return unit normals (F, 3, 3) of the corners: the mean over the faces at the same vertex that are nearly flush.

    Args:
        corners: (F, 3, 3) triangles.
        vertex: (F, 3) number of the vertex at each corner.
        crease: degrees up to which two faces are flush.
    """
    flat = _face_normals(corners)
    # Weighted by the face's angle at the vertex: how a square is cut in two makes no difference.
    ahead, back = np.roll(corners, -1, 1) - corners, np.roll(corners, 1, 1) - corners
    across = np.linalg.norm(np.cross(ahead, back), axis=-1)
    weighted = (flat[:, None] * np.arctan2(across, (ahead * back).sum(-1))[..., None]).reshape(-1, 3)
    at = vertex.reshape(-1)
    order = np.argsort(at, kind="stable")
    count = np.bincount(at)
    first = np.cumsum(count) - count
    # All ordered pairs (own, other) of corners that share a vertex.
    own = np.repeat(order, count[at[order]])
    within = np.arange(len(own)) - np.repeat(np.cumsum(count[at[order]]) - count[at[order]], count[at[order]])
    other = order[first[at[own]] + within]
    flush = (flat[own // 3] * flat[other // 3]).sum(1) > np.cos(np.deg2rad(crease))
    own, other = own[flush], other[flush]
    total = np.stack([np.bincount(own, weighted[other, axis], len(at)) for axis in range(3)], -1)
    return (total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)).reshape(-1, 3, 3)


def loft(sections: Array) -> Surface:
    """Return the closed surface through sections (R, C, 3), loops without a repeated point; the ends are filled."""
    ends = [np.broadcast_to(ring.mean(0), ring.shape) for ring in (sections[0], sections[-1])]
    grid = np.concatenate([ends[0][None], sections, ends[1][None]])
    grid = np.concatenate([grid, grid[:, :1]], 1)
    surface = grid_surface(grid, np.zeros((*grid.shape[:2], 2)))
    if signed_volume(surface.vertices, surface.faces) < 0:
        surface = replace(surface, faces=surface.faces[:, [0, 2, 1]])
    return surface


def outline(width: float, height: float, radius: float, steps: int = 3) -> Array:
    """Return the points (N, 2) of a rectangle with round corners about the origin, counter-clockwise."""
    radius = min(radius, width / 2, height / 2)
    points = []
    for corner, (x, y) in enumerate(((1, 1), (-1, 1), (-1, -1), (1, -1))):
        angle = np.pi / 2 * (corner + np.linspace(0, 1, steps + 1))
        centre = np.array([x * (width / 2 - radius), y * (height / 2 - radius)])
        points.append(centre + radius * np.stack([np.cos(angle), np.sin(angle)], 1))
    return np.concatenate(points)


def box(
    size: Sequence[float], centre: Sequence[float], radius: float = 0.0, puff: float = 0.0, steps: int = 2
) -> Surface:
    """Return a box with round edges and corners.

    Args:
        size, centre: (3,) metres.
        radius: of the edges, metres.
        puff: metres by which the middle of the upper side rises, as a cushion's does.
        steps: segments of a quarter of a circle.
    """
    width, height, depth = size
    steps = steps if radius else 0
    radius = min(radius, min(size) / 2)
    angle = np.linspace(0, np.pi / 2, steps + 1) if radius else np.zeros(1)
    below = [(radius * (1 - np.cos(a)), radius * (1 - np.sin(a))) for a in angle]  # height, inset
    levels = [(-height / 2 + up, inset) for up, inset in below] + [
        (height / 2 - up, inset) for up, inset in below[::-1]
    ]
    rings = []
    for level, inset in levels:
        flat = outline(width - 2 * inset, depth - 2 * inset, max(radius - inset, 1e-4) if radius else 0.0, steps)
        rings.append(np.stack([flat[:, 0], np.full(len(flat), level), flat[:, 1]], 1))
    for share in (0.8, 0.5, 0.2) if puff else ():
        inner = rings[len(levels) - 1] * [share, 1, share]
        inner[:, 1] += puff * (1 - (2 * inner[:, 0] / width) ** 2) * (1 - (2 * inner[:, 2] / depth) ** 2)
        rings.append(inner)
    return loft(np.stack(rings) + np.asarray(centre))


def turned(profile: Sequence[tuple[float, float]], centre: Sequence[float], axis: int, sectors: int = 24) -> Surface:
    """Return a shape turned on a lathe.

    Args:
        profile: (radius, place along the axis) of its rings, metres.
        centre: (3,) metres.
        axis: 0, 1 or 2.
        sectors: around.
    """
    angle = 2 * np.pi * np.arange(sectors) / sectors
    rings = np.empty((len(profile), sectors, 3))
    for ring, (radius, along) in zip(rings, profile):
        ring[:, axis] = along
        ring[:, (axis + 1) % 3], ring[:, (axis + 2) % 3] = radius * np.cos(angle), radius * np.sin(angle)
    return loft(rings + np.asarray(centre))


def swept(path: Array, section: Array, front: Sequence[float] = (1.0, 0.0, 0.0), taper: Array | float = 1.0) -> Surface:
    """Return a bar: a section carried along a path.

    Args:
        path: (N, 3) metres.
        section: (M, 2) loop across ``front`` and across the rest, metres.
        front: direction that the section's first axis keeps to; never along the path.
        taper: factor of the section, a number or (N,).
    """
    tangent = np.gradient(path, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    first = np.asarray(front) - tangent * (tangent * np.asarray(front)).sum(1, keepdims=True)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(tangent, first)
    factor = np.broadcast_to(taper, len(path))[:, None, None]
    return loft(
        path[:, None] + factor * (section[None, :, :1] * first[:, None] + section[None, :, 1:] * second[:, None])
    )


def bent(points: Sequence[Sequence[float]], radius: float, steps: int = 4) -> Array:
    """Return the path (N, 3) through corner points, the inner corners rounded as a bent tube's are."""
    corners = np.asarray(points, dtype=np.float64)
    path = [corners[0]]
    for before, here, after in zip(corners, corners[1:], corners[2:]):
        towards = [(end - here) / np.linalg.norm(end - here) for end in (before, after)]
        reach = min(radius, 0.45 * np.linalg.norm(before - here), 0.45 * np.linalg.norm(after - here))
        start, end = (here + reach * direction for direction in towards)
        t = np.linspace(0, 1, steps + 1)[:, None]
        path += list((1 - t) ** 2 * start + 2 * t * (1 - t) * here + t**2 * end)
    return np.stack([*path, corners[-1]])


def tilted(surface: Surface, degrees: float, axis: int, pivot: Sequence[float]) -> Surface:
    """Return a surface turned about an axis (0, 1, 2) through a point, right-handed."""
    angle, turn = np.deg2rad(degrees), np.eye(3)
    b, c = (axis + 1) % 3, (axis + 2) % 3
    turn[b, b] = turn[c, c] = np.cos(angle)
    turn[b, c], turn[c, b] = -np.sin(angle), np.sin(angle)
    offset = surface.vertices - np.asarray(pivot)
    turned_ = np.stack([(offset * row).sum(1) for row in turn], 1)
    return replace(surface, vertices=turned_ + np.asarray(pivot))


def placed(surface: Surface, shift: Sequence[float], mirror: bool = False) -> Surface:
    """Return a surface moved by (3,) metres, before that mirrored (x -> -x) if asked for."""
    if mirror:
        surface = replace(surface, vertices=surface.vertices * [-1.0, 1.0, 1.0], faces=surface.faces[:, [0, 2, 1]])
    return replace(surface, vertices=surface.vertices + np.asarray(shift, dtype=np.float64))


def _face_normals(corners: Array) -> Array:
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
