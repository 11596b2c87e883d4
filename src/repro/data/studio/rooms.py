"""Backgrounds that stand still through a clip: a white studio with a shaded floor, and furnished rooms."""

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from repro.data.studio.backdrop import Backdrop
from repro.data.studio.camera import Camera
from repro.data.studio.palette import oklch
from repro.data.studio.skinning import smoothstep

Array = NDArray[np.float64]

FINER = 3
"""Rays per pixel along each side."""
HEIGHT = 2.7
"""Metres from floor to ceiling."""


@dataclass(frozen=True)
class Room(Backdrop):
    """A backdrop with a picture of its own, painted once; only the contact shadow under the feet is new in each frame.

    Attributes:
        picture: (3, H, W) float32, the empty room as the clip's camera sees it.
    """

    picture: Tensor = field(default_factory=lambda: torch.ones(3, 1, 1))

    def paint(self, camera: Camera, feet: NDArray[np.float64], size: tuple[int, int]) -> Tensor:
        """Return the room (3, H, W), shadowed under feet (N, 3) in world metres."""
        return (self.picture * super().paint(camera, feet, size)).clamp(0, 1)


def white_studio(rng: Generator, camera: Camera, size: tuple[int, int]) -> Room:
    """Return a white studio: paper without an edge, its floor shaded towards the viewer."""
    grey, tint = rng.uniform(0.9, 0.98), rng.normal(0, 0.006, 3)
    shade, contact = rng.uniform(0.04, 0.14), rng.uniform(0.25, 0.45)
    # Level rays meet the wall, those that go down by more than 5 cm on a metre the floor.
    light = 1 - shade * smoothstep(-0.05, -0.3, camera.rays(size, FINER)[..., 1])
    return _room(np.clip(grey + tint, 0, 1)[:, None, None] * light, float(contact), size)


def indoor_room(rng: Generator, camera: Camera, size: tuple[int, int]) -> Room:
    """Return a furnished room behind a person who stands at the point that the camera looks at.

    Four walls with skirting board, pictures, a door, a window or a cupboard; a floor of planks, tiles or carpet; the
    corners are darker. Everything in perspective, one picture of ``size`` for the whole clip.
    """
    turn = camera.yaw + rng.uniform(-0.35, 0.35)
    across = np.array([np.cos(turn), 0.0, -np.sin(turn)])
    away = np.array([-np.sin(turn), 0.0, -np.cos(turn)])
    side, back = rng.uniform(1.9, 3.2, 2), rng.uniform(1.6, 2.6)
    rays = camera.rays(size, FINER)
    eye = camera.position - [camera.look_at[0], 0.0, camera.look_at[2]]
    start = np.array([(eye * axis).sum() for axis in (across, [0.0, 1.0, 0.0], away)])
    x, y, z = (
        rays[..., 0] * axis[0] + rays[..., 1] * axis[1] + rays[..., 2] * axis[2] for axis in (across, (0, 1, 0), away)
    )
    # The way to each of five planes; the nearest one in front is seen.
    ways = np.stack([
        _way(0.0 - start[1], y), _way(HEIGHT - start[1], y), _way(back - start[2], z),
        _way(side[1] - start[0], x), _way(-side[0] - start[0], x),
    ])  # fmt: skip
    plane, way = ways.argmin(0), ways.min(0)
    px, py, pz = (origin + way * direction for origin, direction in zip(start, (x, y, z)))

    wall = oklch(rng.uniform(0.72, 0.93), rng.uniform(0.005, 0.05), rng.uniform(0, 360))
    colour = np.empty((*plane.shape, 3))
    colour[:] = wall
    colour[plane == 1] = 0.93
    on_floor = plane == 0
    colour[on_floor] = _floor(rng, px[on_floor], pz[on_floor])
    # Along a wall: x on the back wall, z on the sides.
    along, on_wall = np.where(plane == 2, px, pz), plane >= 2
    for number, (low, high) in ((2, (-side[0], side[1])), (3, (-3.0, back)), (4, (-3.0, back))):
        own = plane == number
        colour[own] = _furnish(rng, colour[own], along[own], py[own], low, high)
    board = on_wall & (py < 0.09)
    colour[board] = np.clip(wall * 1.12, 0, 1)

    edges = np.stack([side[1] - px, px + side[0], back - pz, py, HEIGHT - py])
    near = np.sort(edges, axis=0)[1]  # the nearest plane is the one that is seen
    light = 1 - 0.22 * np.exp(-np.maximum(near, 0) / 0.35)
    bright = rng.choice([-1.0, 1.0]) * rng.uniform(0.05, 0.14)
    light = light * (1 + bright * np.clip(px / 3.0, -1, 1)) * np.array([0.92, 1.0, 1.0, 0.9, 0.86])[plane]
    picture = colour.transpose(2, 0, 1) * light * rng.uniform(0.85, 1.0)
    return _room(picture, float(rng.uniform(0.3, 0.5)), size)


def _floor(rng: Generator, x: Array, z: Array) -> Array:
    """Colours (N, 3) of planks, tiles or carpet at floor places, metres."""
    kind = rng.choice(["planks", "tiles", "carpet"], p=(0.5, 0.25, 0.25))
    base = oklch(rng.uniform(0.45, 0.75), rng.uniform(0.02, 0.07), rng.uniform(40, 90))
    wide, long, phase = rng.uniform(0.1, 0.2), rng.uniform(0.9, 1.6), rng.uniform(0, 6.3, 4)
    if kind == "planks":
        row = np.floor(x / wide)
        column = np.floor(z / long + 0.37 * row)
        tone = 1 + 0.09 * np.sin(12.9 * row + 78.2 * column + phase[0])
        grain = 1 + 0.03 * np.sin(x * 140 + 2 * np.sin(3 * z + row))
        joint = (x / wide - row < 0.03) | (z / long + 0.37 * row - column < 0.005)
        tone = tone * grain * np.where(joint, 0.75, 1)
    elif kind == "tiles":
        cell = 3 * wide
        joint = (np.abs(x / cell - np.round(x / cell)) < 0.012) | (np.abs(z / cell - np.round(z / cell)) < 0.012)
        tone = (1 + 0.04 * np.sin(7.3 * np.floor(x / cell) + 31.7 * np.floor(z / cell))) * np.where(joint, 0.8, 1)
    else:
        tone = 1 + 0.05 * np.sin(5 * x + phase[1] + np.sin(3 * z)) * np.sin(4 * z + phase[2] + np.sin(2 * x))
    return np.clip(base * tone[:, None], 0, 1)


def _furnish(rng: Generator, colour: Array, along: Array, y: Array, low: float, high: float) -> Array:
    """Return wall colours (N, 3) with things hung on or stood against the wall between two places."""
    colour = colour.copy()
    place = low + rng.uniform(0.1, 0.6)
    while place < high - 0.5:
        kind = rng.choice(["picture", "door", "window", "cupboard", "nothing"], p=(0.35, 0.13, 0.17, 0.2, 0.15))
        wide = rng.uniform(*{"picture": (0.3, 0.9), "door": (0.8, 0.95), "window": (0.8, 1.4)}.get(kind, (0.5, 1.2)))
        foot, head = {
            "picture": (1.2, 1.2 + rng.uniform(0.3, 0.8)), "door": (0.0, 2.05), "window": (0.9, 2.15),
            "cupboard": (0.0, rng.uniform(0.5, 1.9)), "nothing": (0.0, 0.0),
        }[str(kind)]  # fmt: skip
        frame, inner = (oklch(rng.uniform(*tone), rng.uniform(0, 0.1), rng.uniform(0, 360))
                        for tone in ((0.3, 0.9), (0.35, 0.85)))  # fmt: skip
        if kind == "window":
            frame, inner = np.full(3, 0.95), np.array([0.86, 0.93, 0.99])
        u, v = (along - place) / wide, (y - foot) / max(head - foot, 1e-6)
        inside = (u > 0) & (u < 1) & (v > 0) & (v < 1)
        rim = 0.05 / wide
        core = inside & (u > rim) & (u < 1 - rim) & (v > rim) & (v < 1 - rim)
        if kind in ("window", "cupboard"):  # a bar, or the gap between two doors
            core &= np.abs(u - 0.5) > 0.3 * rim
        colour[inside] = frame
        colour[core] = inner
        if kind == "picture":
            a, b, c = rng.uniform(2, 9), rng.uniform(2, 9), rng.uniform(0, 6.3)
            wave = np.sin(a * u[core] + c) * np.sin(b * v[core] + 2 * u[core])
            colour[core] = np.clip(inner + 0.18 * wave[:, None] * rng.normal(0, 1, 3), 0, 1)
        place += wide + rng.uniform(0.3, 1.1)
    return colour


def _way(distance: float, direction: Array) -> Array:
    """How far along each ray a plane lies; infinite where the ray does not meet it."""
    way = distance / np.where(np.abs(direction) < 1e-9, 1e-9, direction)
    return np.where(way > 1e-6, way, np.inf)


def _room(picture: Array, contact: float, size: tuple[int, int]) -> Room:
    """A room of a picture with several samples per pixel."""
    height, width = size
    average = picture.reshape(3, height, FINER, width, FINER).mean((2, 4)).clip(0, 1)
    return Room((1.0, 1.0, 1.0), 0.02, contact, torch.from_numpy(average.astype(np.float32)))
