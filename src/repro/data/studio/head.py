"""A head that can speak: a fine grid of skin with nose, eyes, lips and chin, a mouth between the lips, 68 landmarks."""

from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from repro.data.studio.body import Detail, head_frame, head_rows
from repro.data.studio.face_paint import LIP_WIDTH, lip_line
from repro.data.studio.garments import build_person
from repro.data.studio.identity import Identity
from repro.data.studio.mesh import MATERIAL, MATERIALS, PART, PARTS, Mesh
from repro.data.studio.patterns import Tile
from repro.data.studio.skinning import rigid_weights, smoothstep
from repro.data.studio.tubes import Array, Indices, Profile, Surface, grid_surface, join
from repro.data.studio.wardrobe import Material, Wardrobe

MOUTH = len(PARTS)
"""Part id of the inside of the mouth, next after those of ``mesh.PARTS``."""
MOUTH_HEIGHT = 0.2
"""Where the lips meet, in heights of the head above the chin (the rest point "mouth")."""
GAP = 0.0007
"""Half the height of the closed mouth between its two loops of vertices, in heights of the head: 0.15 mm."""
SECTORS = 80
FRONT = 0.76
"""Part of the columns that lies before the ears."""
LEVELS = (0.985, 0.72, 0.46)
RINGS = (28, 58, 50, 6, 58)
"""Rings at full detail from the crown to the forehead, to the lower lids, to the upper lip, through the mouth, to the
chin: 200 in all."""
CUT = 1.4
"""Heights of the head below the chin from where on the person is left out: the picture ends above."""
MOUTH_TILE = 0.06
"""Metres on the picture of an open mouth."""

LANDMARK_MIRROR = np.array(
    [*range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1), 45, 44, 43, 42, 47, 46, 39, 38, 37, 36,
     41, 40, *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1)]
)  # fmt: skip
"""Which of dlib's landmarks each one becomes in a mirror."""


@dataclass(frozen=True)
class Talker(Mesh):
    """Head, neck and dressed shoulders of a person whose lips can part.

    Attributes:
        landmark_vertices, landmark_weights: (68, 3) each: dlib's points as mixtures of vertices.
        unit: height of the head, metres; chin: its height above the ground at rest, metres.
    """

    landmark_vertices: Indices
    landmark_weights: Array
    unit: float
    chin: float

    material_names = (*MATERIALS, "mouth")  # type: ignore[assignment]  # one more than people have

    def mirrored(self) -> "Talker":
        """Return the head seen in a mirror (x -> -x): parts and landmarks exchanged, winding kept outward."""
        inside = self.part == MOUTH
        other = cast(Talker, Mesh.mirrored(replace(self, part=np.where(inside, 0, self.part))))
        return replace(
            other,
            part=np.where(inside, MOUTH, other.part),
            landmark_vertices=self.landmark_vertices[LANDMARK_MIRROR],
            landmark_weights=self.landmark_weights[LANDMARK_MIRROR],
        )

    @property
    def moving(self) -> NDArray[np.bool_]:
        """(V,) bool: vertices of the face and the mouth, which expressions move."""
        moved = np.zeros(len(self.rest_vertices), dtype=bool)
        own = (self.material == MATERIAL["face"]) | (self.material == len(MATERIALS))
        moved[self.faces[own]] = True
        return moved

    def in_units(self) -> tuple[Array, Array, Array]:
        """Return the rest position of each vertex, (V,) each: x, height above the chin, z in heights of the head."""
        x, y, z = self.rest_vertices.T
        return x / self.unit, (y - self.chin) / self.unit, z / self.unit

    def landmarks(self, vertices: Array) -> Array:
        """Return the landmarks (..., 68, 3) of posed vertices (..., V, 3), metres."""
        corners = vertices[..., self.landmark_vertices, :] * self.landmark_weights[..., None]
        return corners[..., 0, :] + corners[..., 1, :] + corners[..., 2, :]


@dataclass(frozen=True)
class Features:
    """Strengths of one face's relief, 1 = average: nose (length), wings (its width), lips, chin, cheeks, ridge."""

    nose: float = 1.0
    wings: float = 1.0
    lips: float = 1.0
    chin: float = 1.0
    cheeks: float = 1.0
    ridge: float = 1.0

    @classmethod
    def random(cls, rng: Generator, femininity: float) -> "Features":
        """Return the features of one person."""
        spread = rng.uniform(0.75, 1.25, 6)
        sex = np.array([0.0, 0.0, 0.1, -0.15, 0.05, -0.35]) * (2 * femininity - 1)
        return cls(*(spread + sex).tolist())


def build_talker(identity: Identity, detail: str = "full") -> Talker:
    """Return head, hair, neck and dressed shoulders of an identity.

    Args:
        identity: whose.
        detail: "full" (200 rings of skin), "low" (half the rings and sectors).
    """
    person = build_person(identity, detail)
    chin, unit = head_frame(identity.body, person.skeleton)
    features = Features.random(identity.rng("head"), identity.body.femininity)
    grid, lips, columns = _grid(
        Profile(head_rows(identity.body, person.skeleton)), chin, unit, features, Detail(detail)
    )
    count = grid.shape[1]

    skin = grid_surface(grid, grid[..., :2] * [1.0, -1.0])
    row, column = skin.faces // count, skin.faces % count
    in_mouth = ((row >= lips.start) & (row < lips.stop) & (column >= columns.start) & (column < columns.stop)).all(1)
    skin = replace(skin, faces=skin.faces[~in_mouth])
    mouth = _mouth(grid[lips, columns])

    rest = person.rest_vertices
    keep = (person.material != MATERIAL["face"]) & (rest[person.faces, 1].max(1) > chin - CUT * unit)
    whole = join([Surface(rest, person.faces[keep], person.uv, person.weld), skin, mouth])
    rigid = rigid_weights("head", np.concatenate([skin.vertices, mouth.vertices]))
    used = np.zeros(len(whole.vertices), dtype=bool)
    used[whole.faces] = used[whole.weld[whole.faces]] = True
    used[len(rest) : len(rest) + len(skin.vertices)] = True  # landmarks may lie on the mouth's border
    number = np.cumsum(used) - 1
    fill = lambda own, head, inside: np.concatenate(  # noqa: E731
        [own[keep], np.full(len(skin.faces), head), np.full(len(mouth.faces), inside)]
    )
    vertices, weights = _landmarks(grid, lips, chin, unit)
    return Talker(
        rest_vertices=whole.vertices[used],
        faces=number[whole.faces],
        uv=whole.uv[used],
        weld=number[whole.weld[used]],
        weights=np.concatenate([person.weights, rigid])[used],
        part=fill(person.part, PART["head"], MOUTH),
        material=fill(person.material, MATERIAL["face"], len(MATERIALS)),
        two_sided=fill(person.two_sided, False, False),
        skeleton=person.skeleton,
        landmark_vertices=number[len(rest) + vertices],
        landmark_weights=weights,
        unit=unit,
        chin=chin,
    )


def talker_wardrobe(identity: Identity) -> Wardrobe:
    """Return the wardrobe of a person with the inside of the mouth as its last material.

    Where people at a distance have painted shadows, a modelled face has its own: the paint is weaker, the skin matt.
    """
    wardrobe = Wardrobe.for_identity(identity)
    face = replace(wardrobe.materials["face"], gloss=0.03)
    mouth = Material(Tile(mouth_picture(), MOUTH_TILE), wardrobe.body.lips, gloss=0.1)
    return replace(
        wardrobe,
        materials={**wardrobe.materials, "face": face, "mouth": mouth},
        face_style={**wardrobe.face_style, "shadow": 0.45},
    )


def mouth_picture(size: int = 64) -> NDArray[np.float32]:
    """Return an open mouth (size, size, 4), upper lip at the top: teeth, darkness, tongue, lower teeth.

    Convention: the left column is the middle of the mouth, the left edge repeats to the right of the right one.
    """
    v = ((np.arange(size) + 0.5) / size)[:, None]
    u = (np.arange(size) + 0.5) / size
    across = (np.minimum(u, 1 - u) * MOUTH_TILE)[None]  # metres from the middle
    picture = np.broadcast_to(np.array([0.17, 0.06, 0.06]), (size, size, 3)).copy()
    tongue = np.exp(-(((v - 0.76) / 0.16) ** 2) - (across / 0.016) ** 2)[..., None]
    picture += tongue * (np.array([0.66, 0.30, 0.30]) - picture)
    width = 0.0078
    gaps = np.abs((across / width) - np.round(across / width)) * width
    for edge, height, light in ((v, 0.34 - 3.8 * across, 1.0), (1 - v, 0.16 + 0 * across, 0.55)):
        tooth = light * np.clip((height - edge) / 0.05, 0, 1) * np.clip((edge - 0.03) / 0.04, 0, 1)
        tooth = tooth * np.clip(gaps / 0.0006, 0.55, 1) * (1 - 0.5 * (across / 0.028) ** 2).clip(0.2)
        picture += tooth[..., None] * (np.array([0.92, 0.89, 0.83]) - picture)
    return np.dstack([picture, np.ones((size, size))]).astype(np.float32)


def _grid(profile: Profile, chin: float, unit: float, features: Features, detail: Detail) -> tuple[Array, slice, slice]:
    """Return the skin as a grid (R, S + 1, 3) from pole to pole, its rings of the mouth and their columns.

    Two loops of vertices follow the lip line; between them lies the mouth. Columns are denser at the front.
    """
    counts = [max(2, detail(count, 8)[0]) for count in RINGS]
    t = np.linspace(-1, 1, detail(2, SECTORS)[1] + 1)
    phi = np.pi * (0.42 * t + 0.58 * t**3)
    side = float(profile.radii(profile.at_height(chin + MOUTH_HEIGHT * unit))[0]) / unit
    x = side * np.abs(np.sin(np.clip(phi, -np.pi / 2, np.pi / 2)))
    lips = MOUTH_HEIGHT + lip_line(x)
    levels = [np.full(len(t), level) for level in LEVELS] + [lips + GAP, lips - GAP, np.full(len(t), -0.02)]
    spans = [low + (high - low) * np.linspace(0, 1, count, endpoint=False)[:, None]
             for low, high, count in zip(levels[:-1], levels[1:], counts)]  # fmt: skip
    height = np.concatenate([*spans, levels[-1][None]])
    s = profile.at_height(chin + height * unit)
    points = profile.points(s, phi[None])
    front = smoothstep(0.05, 0.22, points[..., 2] / unit)
    points[..., 2] += unit * front * relief(np.abs(points[..., 0]) / unit, height, features)
    points[:, -1] = points[:, 0]
    poles = [np.broadcast_to(points[ring].mean(0) + np.array([0, shift * unit, 0]), points[ring].shape)
             for ring, shift in ((0, 0.015), (-1, -0.02))]  # fmt: skip
    grid = np.concatenate([poles[0][None], points, poles[1][None]])
    first = 1 + sum(counts[:3])
    inside = np.flatnonzero((x < 0.985 * LIP_WIDTH) & (np.abs(phi) < np.pi / 2))
    return grid, slice(first, first + counts[3] + 1), slice(int(inside[0]), int(inside[-1]) + 1)


def relief(x: Array, y: Array, features: Features) -> Array:
    """Return how far the skin stands out over the egg of the skull, in heights of the head.

    Args:
        x, y: distance from the middle and height above the chin, in heights of the head.
        features: strengths.
    """

    def bell(at_x: float, at_y: float, wide: float, high: float) -> Array:
        return np.exp(-(((x - at_x) / wide) ** 2) - ((y - at_y) / high) ** 2)

    bridge = np.interp(y, [0.318, 0.335, 0.365, 0.48, 0.56, 0.60], [0.0, 0.095, 0.122, 0.058, 0.026, 0.0])
    width = np.interp(y, [0.33, 0.38, 0.50, 0.58], [0.036, 0.034, 0.026, 0.034])
    nose = features.nose * bridge * np.exp(-((x / width) ** 2)) + 0.052 * features.wings * bell(
        0.046, 0.347, 0.021, 0.022
    )
    ball = np.clip(1 - ((x - 0.14) / 0.085) ** 2 - ((y - 0.503) / 0.06) ** 2, 0, 1)
    eyes = (
        0.025 * ball - 0.044 * bell(0.135, 0.51, 0.085, 0.055) + 0.015 * features.ridge * bell(0.10, 0.595, 0.11, 0.03)
    )
    below = MOUTH_HEIGHT + lip_line(x) - y
    taper = np.clip(1 - (x / (1.15 * LIP_WIDTH)) ** 2, 0, 1)
    full = np.exp(-(((below + 0.021) / 0.020) ** 2)) + 1.15 * np.exp(-(((below - 0.024) / 0.022) ** 2))
    lips = 0.024 * features.lips * taper * full + 0.014 * bell(0, MOUTH_HEIGHT, 0.13, 0.09)
    chin = 0.034 * features.chin * bell(0, 0.045, 0.085, 0.05) - 0.014 * bell(0, 0.125, 0.08, 0.018)
    return nose + eyes + lips + chin + 0.014 * features.cheeks * bell(0.2, 0.42, 0.08, 0.07)


def _mouth(grid: Array) -> Surface:
    """Return the inside of the mouth; its cloth coordinate v runs over the whole picture however small the gap is."""
    rows, columns = grid.shape[:2]
    u = grid[..., 0]
    v = np.broadcast_to(np.linspace(0.01, 0.99, rows)[:, None] * MOUTH_TILE, (rows, columns))
    surface = grid_surface(grid, np.stack([u, v], -1))
    # No tube: the last column is no copy of the first.
    return replace(surface, weld=np.arange(rows * columns))


# dlib's outline from the right ear to the chin: heights, and the angle from the front in degrees where it is seen.
_OUTLINE = (
    (0.49, 82),
    (0.40, 82),
    (0.31, 81),
    (0.225, 77),
    (0.15, 71),
    (0.085, 63),
    (0.035, 50),
    (0.005, 30),
    (-0.008, 0),
)
# The right half of the face (x to its side, height); the left half is its mirror image.
_BROW = ((0.235, 0.583), (0.195, 0.607), (0.145, 0.612), (0.10, 0.603), (0.06, 0.588))
_BRIDGE = (0.535, 0.475, 0.42, 0.365)
_BASE = ((0.058, 0.335), (0.030, 0.322), (0.0, 0.318))
_EYE = ((0.210, 0.504), (0.165, 0.524), (0.115, 0.524), (0.073, 0.494), (0.115, 0.480), (0.165, 0.480))
_LIPS = ((0.115, 0.0), (0.072, 0.020), (0.024, 0.033), (0.0, 0.028))
_LOWER_LIPS = ((0.072, -0.030), (0.030, -0.042), (0.0, -0.044))


def landmark_places() -> list[tuple[float, float]]:
    """Return 68 places (x, height) in heights of the head, dlib's order; the subject's right is -x. The inner lips
    (60 to 67) lie on the lip line: :func:`_landmarks` puts them on the loop of their lip."""
    mouth = lambda x, up: (x, MOUTH_HEIGHT + up)  # noqa: E731
    flip = lambda places: [(-x, y) for x, y in places]  # noqa: E731
    places: list[tuple[float, float]] = [(np.nan, np.nan)] * 17  # the outline is given by angles
    places += flip(_BROW) + list(_BROW[::-1])
    places += [(0.0, y) for y in _BRIDGE] + flip(_BASE) + list(_BASE[1::-1])
    places += flip(_EYE)
    places += [_EYE[k] for k in (3, 2, 1, 0, 5, 4)]
    upper = [mouth(*place) for place in _LIPS]
    lower = [mouth(*place) for place in _LOWER_LIPS]
    places += flip(upper) + upper[2::-1] + lower + flip(lower[1::-1])
    inner = [mouth(x, 0.0) for x in (0.098, 0.045, 0.0)]
    places += flip(inner) + inner[1::-1] + inner[1:] + flip(inner[1:2])
    return places


def _landmarks(grid: Array, lips: slice, chin: float, unit: float) -> tuple[Indices, Array]:
    """Return vertices of the grid and weights (68, 3) each: where the landmarks lie in its triangles."""
    columns = grid.shape[1]
    middle = (columns - 1) // 2
    phi = np.arctan2(grid[..., 0], grid[..., 2])
    height, x = (grid[..., 1] - chin) / unit, grid[..., 0] / unit
    vertices, weights = np.zeros((68, 3), dtype=np.int64), np.zeros((68, 3))
    for index, place in enumerate(landmark_places()):
        if index < 17:
            y, angle = _OUTLINE[min(index, 16 - index)]
            wanted, seen = np.deg2rad(angle) * np.sign(index - 8), phi
        else:
            (wanted, y), seen = place, x
        # The front half of the columns, where x and the angle grow together; first the ring, then the place on it.
        front = slice(middle - int(FRONT * middle), middle + int(FRONT * middle) + 1)
        if index >= 60:
            row = float(lips.start if index < 65 else lips.stop - 1)
        else:
            near = int(np.abs(seen[int(np.abs(height[:, middle] - y).argmin()), front] - wanted).argmin()) + front.start
            row = float(np.interp(-y, -height[:, near], np.arange(len(grid))))
        low = min(int(row), len(grid) - 2)
        part = row - low
        at = (1 - part) * seen[low, front] + part * seen[low + 1, front]
        column = float(np.interp(wanted, at, np.arange(front.start, front.start + len(at))))
        left = int(column)
        across = column - left
        a, b, c, d = (low * columns + left, (low + 1) * columns + left, (low + 1) * columns + left + 1,
                      low * columns + left + 1)  # fmt: skip
        if across <= part:
            vertices[index], weights[index] = (a, b, c), (1 - part, part - across, across)
        else:
            vertices[index], weights[index] = (a, d, c), (1 - across, across - part, part)
    return vertices, weights
