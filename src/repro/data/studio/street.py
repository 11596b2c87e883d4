"""The street of the ``market`` set: six fixed cameras, each with its own light, colours, ground, wall and clutter."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from repro.data.studio.camera import Camera
from repro.data.studio.palette import Colour, oklch
from repro.data.studio.patterns import noise_tile
from repro.data.studio.seeds import child_generator
from repro.data.studio.shading import Light

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

FINER = 2
"""Rays per pixel along each side."""


@dataclass(frozen=True)
class Station:
    """A camera on a mast and the street before it, in a frame of its own: origin below the camera, which looks along
    -z; x to the right, y up, metres.

    Attributes:
        number: 0 to 5.
        height: of the camera.
        near, far: between which distances (on the ground) people walk.
        wall: distance of the wall behind them.
        gain: (red, green, blue), gamma: how the camera renders colours, (gain * colour) ** gamma.
        sun: degrees: azimuth of the light from behind the camera (negative = left), and its elevation.
        ambient: share of light that comes from everywhere.
        ground, facade: textures, of ``GROUNDS`` and ``FACADES``.
    """

    number: int
    height: float
    near: float
    far: float
    wall: float
    gain: tuple[float, float, float]
    gamma: float
    sun: tuple[float, float]
    ambient: float
    ground: str
    facade: str

    @cached_property
    def sunlight(self) -> Array:
        """Unit vector (3,) to the sun in the street's frame."""
        azimuth, elevation = np.deg2rad(self.sun)
        return np.array([np.cos(elevation) * np.sin(azimuth), np.sin(elevation), np.cos(elevation) * np.cos(azimuth)])

    def lightness(self, normal: Array) -> Array:
        """Return what light falls on surfaces with normals (..., 3); the same rule as on people, without highlight."""
        direct = np.clip((normal * self.sunlight).sum(-1), 0, None)
        return self.ambient * (0.85 + 0.15 * normal[..., 1]) + (1.2 - self.ambient) * direct

    def in_shadow(self) -> float:
        """Return how much darker the ground is where nothing but ambient light falls."""
        return self.ambient / float(self.lightness(np.array([0.0, 1.0, 0.0])))


STATIONS = (
    Station(0, 1.80, 5.3, 6.8, 11.5, (1.06, 1.02, 0.96), 0.92, (-35, 42), 0.60, "slabs", "shops"),
    Station(1, 2.15, 5.4, 8.2, 13.5, (0.97, 1.00, 1.08), 0.88, (60, 50), 0.68, "asphalt", "plaster"),
    Station(2, 2.50, 5.8, 8.6, 13.0, (1.00, 1.06, 0.97), 0.95, (20, 38), 0.55, "grass", "hedge"),
    Station(3, 2.90, 6.0, 8.4, 14.0, (1.10, 1.03, 0.90), 0.85, (-110, 55), 0.66, "cobbles", "blocks"),
    Station(4, 3.10, 5.8, 7.8, 12.0, (0.94, 0.98, 1.04), 0.90, (-60, 60), 0.64, "crossing", "glass"),
    Station(5, 3.50, 6.9, 8.3, 14.5, (1.08, 1.08, 1.04), 0.84, (130, 48), 0.70, "slabs", "blocks"),
)
"""Pitches from 6 (first) to 23 degrees (last), distances from 5 to 9 metres."""


@dataclass(frozen=True)
class Spot:
    """Where a person stands before a station, and how they are turned.

    People stay in their own frame (feet at the origin, facing +z); the street is turned and moved around them.

    Attributes:
        station: the camera.
        across, away: where they stand in the street's frame: x and -z, metres.
        heading: radians, where the camera is about the person; 0 = in front, +pi/2 = at their left side.
    """

    station: Station
    across: float
    away: float
    heading: float

    @property
    def turn(self) -> float:
        """Angle by which the street is turned about the vertical on its way into the person's frame."""
        return self.heading + float(np.arctan2(self.across, self.away))

    def to_person(self, points: Array) -> Array:
        """Return points (..., 3) of the street's frame in the person's."""
        return rotate(np.asarray(points, dtype=np.float64) - [self.across, 0.0, -self.away], self.turn)

    @property
    def eye(self) -> Array:
        """Where the camera is in the person's frame, (3,)."""
        return self.to_person(np.array([0.0, self.station.height, 0.0]))

    @property
    def light(self) -> Light:
        """The station's light in the person's frame."""
        x, y, z = (float(value) for value in rotate(self.station.sunlight, self.turn))
        return Light((x, y, z), self.station.ambient)


def rotate(vectors: Array, angle: float) -> Array:
    """Return vectors (..., 3) turned about +y: +z goes towards +x."""
    cosine, sine = np.cos(angle), np.sin(angle)
    x, y, z = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    return np.stack([cosine * x + sine * z, y, cosine * z - sine * x], -1)


def aim(eye: Array, target: Array, focal: float) -> Camera:
    """Return the camera at ``eye`` that looks at ``target``, both (3,) metres."""
    back = eye - target
    distance = float(np.sqrt((back * back).sum()))
    x, y, z = (float(value) for value in target)
    yaw, pitch = float(np.arctan2(back[0], back[2])), float(np.arcsin(back[1] / distance))
    return Camera(yaw, pitch, 0.0, distance, (x, y, z), focal)


def paint_street(spot: Spot, camera: Camera, size: tuple[int, int], shadow: Mask | None = None) -> Tensor:
    """Return the street without people, (3, H, W) float32 in [0, 1], in perspective, lit but not yet graded.

    Args:
        spot: which station, and where the person's frame lies in its street.
        camera: in the person's frame, at ``spot.eye``.
        size: (H, W).
        shadow: (FINER * H, FINER * W) bool, the samples where a shadow falls if they see the ground.
    """
    station = spot.station
    height, width = size
    rays = np.ascontiguousarray(rotate(camera.rays(size, FINER), -spot.turn).reshape(-1, 3).T)
    eye = np.array([0.0, station.height, 0.0])
    colour, nearest = _facade(station, eye, rays)

    way = _way(-station.height, rays[1])
    ground = way < nearest
    nearest = np.where(ground, way, nearest)
    boxes = [box for box in clutter(station.number) if box.in_sight(rays)]
    x, z = (eye[axis] + nearest[ground] * rays[axis, ground] for axis in (0, 2))
    tone = np.full(len(x), float(station.lightness(np.array([0.0, 1.0, 0.0]))))
    if shadow is not None:
        tone = np.where(shadow.reshape(-1)[ground], tone * station.in_shadow(), tone)
    for box in boxes:
        tone = tone * np.where(box.beside(x, z), 0.75, 1.0)
    colour[ground] = _ground(station, x, z) * tone[:, None]

    for box in boxes:
        way, axis = box.hit(eye, rays)
        seen = np.flatnonzero(way < nearest)
        nearest[seen] = way[seen]
        normal = np.zeros((len(seen), 3))
        side = axis[seen]
        normal[np.arange(len(seen)), side] = -np.sign(rays[side, seen])
        u, v = ((eye[k] + way[seen] * rays[k, seen] - box.low[k]) / box.extent[k] for k in (0, 1))
        colour[seen] = box.paint(u, v) * station.lightness(normal)[:, None]
    samples = colour.clip(0, 1).reshape(height, FINER, width, FINER, 3)
    return torch.from_numpy(samples.mean((1, 3)).transpose(2, 0, 1).astype(np.float32))


@dataclass(frozen=True)
class Box:
    """A thing that stands in the street: a box with its back to the wall.

    Attributes:
        middle: (x, z) of its footprint; extent: (width, height, depth), metres.
        body, trim: colours (3,).
        band: (low, high) parts of its height that have the trim's colour.
    """

    middle: tuple[float, float]
    extent: tuple[float, float, float]
    body: Colour
    trim: Colour
    band: tuple[float, float]

    @property
    def low(self) -> Array:
        """Its corner with the smallest coordinates, (3,) metres."""
        return np.array([self.middle[0] - self.extent[0] / 2, 0.0, self.middle[1] - self.extent[2] / 2])

    def in_sight(self, rays: Array) -> bool:
        """Tell whether it is between the leftmost and the rightmost of rays (3, N) from the mast."""
        low, high = self.low, self.low + self.extent
        corners = [x / -z for x in (low[0], high[0]) for z in (low[2], high[2])]
        slope = rays[0] / -rays[2]
        return bool(min(corners) < slope.max() and max(corners) > slope.min())

    def hit(self, eye: Array, rays: Array) -> tuple[Array, NDArray[np.int64]]:
        """Return how far along rays (3, N) the box lies (N,), inf = nowhere, and the axis (N,) of the side they hit."""
        low = self.low
        enter, leave = [], []
        for k in range(3):
            direction = np.where(np.abs(rays[k]) < 1e-9, 1e-9, rays[k])
            first, second = (low[k] - eye[k]) / direction, (low[k] + self.extent[k] - eye[k]) / direction
            enter.append(np.minimum(first, second))
            leave.append(np.maximum(first, second))
        way = np.maximum(np.maximum(enter[0], enter[1]), enter[2])
        axis = np.where(enter[0] == way, 0, np.where(enter[1] == way, 1, 2))
        inside = (way < np.minimum(np.minimum(leave[0], leave[1]), leave[2])) & (way > 0)
        return np.where(inside, way, np.inf), axis

    def beside(self, x: Array, z: Array) -> Mask:
        """Tell where the ground is so near to the box that it gets less light."""
        dx = np.abs(x - self.middle[0]) - self.extent[0] / 2
        dz = np.abs(z - self.middle[1]) - self.extent[2] / 2
        return np.maximum(dx, dz) < 0.15

    def paint(self, u: Array, v: Array) -> Array:
        """Return colours (N, 3) at places u along and v up, parts of the box."""
        on_band = (v > self.band[0]) & (v < self.band[1]) & (np.abs(u % 0.5 - 0.25) < 0.22)
        return np.where(on_band[:, None], self.trim, self.body)


THINGS = {  # width, height, depth in metres; the band; how bright body and trim are
    "car": ((4.1, 1.4, 1.7), (0.55, 0.9), (0.35, 0.85), (0.2, 0.35)),
    "bin": ((0.55, 0.95, 0.55), (0.8, 0.9), (0.3, 0.6), (0.2, 0.4)),
    "planter": ((1.3, 0.9, 0.5), (0.45, 1.01), (0.55, 0.75), (0.4, 0.55)),
    "kiosk": ((1.7, 2.3, 1.2), (0.4, 0.8), (0.5, 0.85), (0.3, 0.8)),
    "bench": ((1.5, 0.5, 0.5), (0.0, 0.6), (0.4, 0.6), (0.2, 0.3)),
    "board": ((0.9, 1.6, 0.1), (0.25, 0.95), (0.3, 0.6), (0.6, 0.95)),
}


@lru_cache(len(STATIONS))
def clutter(number: int) -> tuple[Box, ...]:
    """Return what stands between the people and the wall of a station, always the same things."""
    station, rng = STATIONS[number], child_generator("market", "clutter", number)
    boxes = []
    for _ in range(7):
        kind = str(rng.choice(list(THINGS)))
        extent, band, light, trim = THINGS[kind]
        depth = rng.uniform(station.far + 1.6 + extent[2] / 2, station.wall - 0.2 - extent[2] / 2)
        green = kind == "planter"
        boxes.append(
            Box(
                (float(rng.uniform(-4, 4)), -float(depth)),
                extent,
                oklch(rng.uniform(*light), rng.uniform(0, 0.14), rng.uniform(0, 360)),
                oklch(
                    rng.uniform(*trim), 0.1 if green else rng.uniform(0, 0.08), 140 if green else rng.uniform(0, 360)
                ),
                band,
            )
        )
    return tuple(boxes)


GROUNDS = {  # lightness, chroma, hue; cells (along, across) in metres, 0 = none; strength of the noise, of the joints
    "slabs": (0.72, 0.015, 80, (0.6, 0.4), 0.05, 0.22),
    "asphalt": (0.56, 0.005, 260, (0.0, 0.0), 0.10, 0.0),
    "grass": (0.62, 0.11, 128, (0.0, 0.0), 0.16, 0.0),
    "cobbles": (0.64, 0.02, 60, (0.16, 0.16), 0.08, 0.3),
    "crossing": (0.52, 0.005, 250, (0.0, 0.0), 0.08, 0.0),
}


def _ground(station: Station, x: Array, z: Array) -> Array:
    """Colours (N, 3) of the ground."""
    lightness, chroma, hue, cell, rough, joint = GROUNDS[station.ground]
    tone = 1 + rough * _noise(station.number, x, z, 3.1) + 0.04 * _noise(station.number + 1, x, z, 11.0)
    colour = np.broadcast_to(oklch(lightness, chroma, hue), (len(x), 3))
    if joint:
        row = np.floor(z / cell[1])
        u, v = x / cell[0] + 0.37 * row, z / cell[1]
        tone = tone * (1 + 0.07 * np.sin(12.9 * np.floor(u) + 78.2 * row)) * _joints(u, v, 0.025 / cell[1], joint)
    if station.ground == "crossing":  # bars of paint, across the way of those who cross
        painted = (np.floor(x / 0.5) % 2 == 0) & (np.abs(-z - station.far + 0.8) < 1.6)
        colour = np.where(painted[:, None], oklch(0.92, 0.01, 100), colour)
    return colour * tone[:, None]


FACADES = {  # lightness, chroma, hue of the wall; its blocks (width, height) in metres; lightness of the openings
    "shops": (0.78, 0.05, 60, (0.0, 0.0), 0.45),
    "plaster": (0.84, 0.04, 85, (0.0, 0.0), 0.4),
    "hedge": (0.55, 0.1, 135, (0.0, 0.0), 0.0),
    "blocks": (0.66, 0.06, 45, (0.42, 0.2), 0.35),
    "glass": (0.72, 0.03, 230, (0.0, 0.0), 0.6),
}
OPENINGS = {  # width, height and sill of doors and windows, and how far apart they are; metres
    "shops": (2.2, 2.3, 0.35, 2.9), "plaster": (1.1, 1.5, 0.9, 2.4), "blocks": (1.0, 1.6, 0.8, 3.1),
    "glass": (1.35, 2.6, 0.05, 1.45),
}  # fmt: skip


def _facade(station: Station, eye: Array, rays: Array) -> tuple[Array, Array]:
    """Colours (N, 3) of the wall along rays (3, N), and how far it is (N,)."""
    lightness, chroma, hue, block, opening = FACADES[station.facade]
    way = np.minimum(_way(-station.wall - eye[2], rays[2]), 1e3)
    x, y = eye[0] + way * rays[0], eye[1] + way * rays[1]
    leaves = 0.25 if station.facade == "hedge" else 0.035
    tone = 1 + leaves * _noise(station.number + 2, x, y, 2.3)
    colour = np.broadcast_to(oklch(lightness, chroma, hue), (len(x), 3)).copy()
    if block[0]:
        row = np.floor(y / block[1])
        u = x / block[0] + 0.5 * (row % 2)
        tone = tone * (1 + 0.06 * np.sin(9.7 * np.floor(u) + 41.3 * row)) * _joints(u, y / block[1], 0.06, 0.12)
    if opening:
        wide, high, sill, apart = OPENINGS[station.facade]
        number, u = np.floor(x / apart + 0.3), (x / apart + 0.3) % 1 * apart / wide
        v = (y - sill) / high
        frame = (u < 1) & (v > 0) & (v < 1)
        inner = (np.abs(u - 0.5) < 0.5 - 0.05 / wide) & (np.abs(v - 0.5) < 0.5 - 0.05 / high)
        glow = 1 + 0.25 * np.sin(5.1 * number) + 0.2 * v + 0.15 * _noise(station.number, x, y, 4.0)
        colour[frame] = oklch(0.9 if station.number % 2 else 0.4, 0.01, 80)
        colour[inner & frame] = oklch(opening, 0.04, 235)
        tone = np.where(inner & frame, glow, tone)
    tone = tone * np.where(y < 0.35, 0.8, 1.0)  # dirt near the ground
    return colour * (tone * float(station.lightness(np.array([0.0, 0.0, 1.0]))))[:, None], way


def _joints(u: Array, v: Array, wide: float, depth: float) -> Array:
    """1, darker by ``depth`` on the lines between cells; ``wide``: of the lines, in parts of a cell."""
    line = np.minimum(np.abs(u - np.round(u)), np.abs(v - np.round(v)))
    return 1 - depth * np.clip(1.5 - line / wide, 0, 1)


@lru_cache(8)
def _noise_field(seed: int) -> NDArray[np.floating]:
    return noise_tile(100 + seed, 256, 2.4).clip(-2.5, 2.5)


def _noise(seed: int, x: Array, y: Array, metres: float) -> Array:
    """Noise with mean 0 and deviation 1 at places in metres; it repeats after ``metres``."""
    row, column = ((place / metres % 1 * 256).astype(np.int64) % 256 for place in (y, x))
    return _noise_field(seed)[row, column].astype(np.float64)


def _way(distance: float, direction: Array) -> Array:
    """How far along each ray (N,) a plane lies; infinite where the ray does not meet it."""
    way = distance / np.where(np.abs(direction) < 1e-9, 1e-9, direction)
    return np.where(way > 1e-6, way, np.inf)
