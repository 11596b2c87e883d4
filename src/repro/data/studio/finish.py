"""What the surfaces of things look like: finishes, and panels painted on them by rest position."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from repro.data.studio.atlas import Atlas
from repro.data.studio.palette import Colour
from repro.data.studio.patterns import Tile
from repro.data.studio.shading import dot
from repro.data.studio.solids import Solid
from repro.data.studio.tubes import Array

FACING = 0.3
"""A panel lies on what looks its way: cosine of the largest angle between the surface and the panel's plane."""
FAINT = 0.3
"""Panels that would cover less than this share of a sample are left out."""
FOOTPRINT = 1.4
"""Samples over which a tile is averaged, as for cloth: at 1 it aliases."""
PLANES = {  # axes of the picture, axis looked along, and the side that is seen
    "right": ((2, 1), 0, -1.0), "left": ((2, 1), 0, 1.0), "front": ((0, 1), 2, 1.0), "back": ((0, 1), 2, -1.0),
    "top": ((0, 2), 1, 1.0),
}  # fmt: skip


@dataclass(frozen=True)
class Finish:
    """A kind of surface.

    Attributes:
        colour: (3,) in [0, 1].
        gloss: strength of the highlight.
        mirror: share of light that is reflected head-on; more at grazing angles.
        tile: a pattern instead of the one colour.
    """

    colour: Colour
    gloss: float = 0.0
    mirror: float = 0.0
    tile: Tile | None = None


@dataclass(frozen=True)
class Panel:
    """A convex shape of another finish, painted on a material as if projected along an axis.

    Attributes:
        on: the material that it is painted on.
        plane: key of ``PLANES``; outlines are (z, y) from the sides, (x, y) from front and back, (x, z) from above.
        outline: (N, 2) metres, convex, in either sense.
        finish: name of the finish.
        radius: of the corners, metres.
        beyond: only where the coordinate along the plane's axis, times its sign, is larger: metres.
    """

    on: str
    plane: str
    outline: Array
    finish: str
    radius: float = 0.0
    beyond: float = -np.inf

    @cached_property
    def thickness(self) -> float:
        """Metres across its narrowest side."""
        lines = np.array(_edges(self.outline))
        distances = lines[:, :2] @ self.outline.T + lines[:, 2:]
        return float(-distances.min(1).max())

    def mirrored(self) -> "Panel":
        """Return the panel seen in a mirror (x -> -x)."""
        if self.plane in ("left", "right"):
            return replace(self, plane="right" if self.plane == "left" else "left")
        return replace(self, outline=self.outline * [-1.0, 1.0])


@dataclass(frozen=True)
class Model:
    """A thing: its solid, the finish of each of its materials, and the panels, later ones over earlier ones."""

    solid: Solid
    finishes: dict[str, Finish]
    panels: tuple[Panel, ...] = ()
    texture: str = "plain"
    held_out: bool = False

    def mirrored(self) -> "Model":
        """Return the model seen in a mirror (x -> -x); textures keep their coordinates and are mirrored with it."""
        return replace(self, solid=self.solid.mirrored(), panels=tuple(panel.mirrored() for panel in self.panels))


class Painter:
    """A model's finishes as tensors: albedo, gloss and mirror of any points of its surface."""

    def __init__(self, model: Model, device: torch.device) -> None:
        self.names = list(model.finishes)
        finishes = list(model.finishes.values())
        white = np.ones((1, 1, 3), np.float32)
        self.atlas = Atlas.build(
            [white if finish.tile is None else finish.tile.picture[..., :3] for finish in finishes]
        )
        self.atlas = self.atlas.to(device)
        self.metres = torch.tensor([1.0 if finish.tile is None else finish.tile.metres for finish in finishes]).to(
            device
        )
        look = [[*finish.colour, finish.gloss, finish.mirror] for finish in finishes]
        self.look = torch.tensor(np.array(look), dtype=torch.float32, device=device)
        self.number = torch.tensor([self.names.index(name) for name in model.solid.material_names], device=device)
        self.tiled = [number for number, finish in enumerate(finishes) if finish.tile is not None]
        self.panels = [
            (self.names.index(panel.on), self.names.index(panel.finish), panel, _edges(panel.outline))
            for panel in model.panels
        ]

    def look_at(self, material: Tensor, rest: Tensor, normal: Tensor, uv: Tensor, spacing: float) -> Tensor:
        """Return albedo, gloss and mirror (N, 5) of points.

        Args:
            material: (N,) index into the solid's materials.
            rest, normal: (N, 3) at rest.
            uv: (N, 2) metres.
            spacing: metres from sample to sample.
        """
        own = self.number[material]
        look = self._finish(own, uv, spacing)
        painted = {}
        for on, finish, panel, edges in self.panels:
            if (on, panel.plane) not in painted:
                painted[on, panel.plane] = _seen_from(panel.plane, (own == on).nonzero().squeeze(1), rest, normal)
            # What is thinner than the spacing covers a part of it; what is much thinner is not seen.
            thin = min(1.0, panel.thickness / spacing)
            if thin < FAINT:
                continue
            points, place, along = painted[on, panel.plane]
            if not len(points):
                continue
            low, high = panel.outline.min(0) - spacing, panel.outline.max(0) + spacing
            x, y = place
            near = (x > low[0]) & (x < high[0]) & (y > low[1]) & (y < high[1])
            if panel.beyond > -np.inf:
                near &= along > panel.beyond
            hit = near.nonzero().squeeze(1)
            if len(hit):
                distance = _distance(edges, x[hit], y[hit], panel.radius)
                share = ((0.5 - distance / spacing).clamp(0, 1) * thin)[:, None]
                points = points[hit]
                there = self._finish(torch.full_like(points, finish), uv[points], spacing)
                look[points] = look[points] + share * (there - look[points])
        return look

    def _finish(self, number: Tensor, uv: Tensor, spacing: float) -> Tensor:
        look = self.look[number]
        for tiled in self.tiled:
            own = (number == tiled).nonzero().squeeze(1)
            if len(own):
                u, v = (uv[own] / self.metres[tiled]).unbind(1)
                footprint = (FOOTPRINT * spacing / self.metres[tiled]).expand_as(u)
                look[own, :3] = look[own, :3] * self.atlas.sample(number[own], footprint, u, v)
        return look


def reflection(normal: Tensor, to_eye: Tensor, mirror: Tensor) -> Tensor:
    r"""Return the light (N, 3) that a surface mirrors of a bright sky above a grey floor.

    .. math:: F = m + (1 - m)\,m^{1/2}\,(1 - n \cdot e)^5, \qquad r = 2 (n \cdot e)\, n - e

    Args:
        normal, to_eye: unit vectors (N, 3).
        mirror: m, share reflected head-on (N,).
    """
    cosine = dot(normal, to_eye).clamp(0, 1)
    height = 2 * cosine * normal[:, 1] - to_eye[:, 1]  # of the mirrored ray: -1 floor, 0 horizon, 1 zenith
    grazing = 1 - cosine
    square = grazing * grazing
    share = mirror + (1 - mirror) * mirror.sqrt() * square * square * grazing
    floor, sky = mirror.new_tensor([0.42, 0.41, 0.40]), mirror.new_tensor([0.72, 0.84, 1.0])
    haze = mirror.new_tensor([0.97, 0.98, 1.0])
    up, above = height.clamp(0, 1)[:, None], (height * 12 + 0.5).clamp(0, 1)[:, None]
    light = floor + above * (haze + (up * 1.4).clamp(0, 1) * (sky - haze) - floor)
    return share[:, None] * light


def _seen_from(
    plane: str, points: Tensor, rest: Tensor, normal: Tensor
) -> tuple[Tensor, tuple[Tensor, Tensor], Tensor]:
    """Of points (N,): those that look to the plane, their two coordinates on it, and how far out they are."""
    (across, up), along, sign = PLANES[plane]
    points = points[(sign * normal[points, along] > FACING).nonzero().squeeze(1)]
    return points, (rest[points, across], rest[points, up]), sign * rest[points, along]


def _edges(outline: Array) -> list[tuple[float, float, float]]:
    """Lines whose a x + b y + c is the distance outwards from a convex outline's edges."""
    ahead = np.roll(outline, -1, 0) - outline
    area = (outline[:, 0] * np.roll(outline[:, 1], -1) - np.roll(outline[:, 0], -1) * outline[:, 1]).sum()
    outward = np.sign(area) * np.stack([ahead[:, 1], -ahead[:, 0]], 1) / np.linalg.norm(ahead, axis=1, keepdims=True)
    return [(float(a), float(b), -float(a * x + b * y)) for (a, b), (x, y) in zip(outward, outline)]


def _distance(edges: list[tuple[float, float, float]], x: Tensor, y: Tensor, radius: float) -> Tensor:
    """Signed distances (N,) from a convex outline with round corners, negative inside."""
    if not radius:
        return torch.stack([a * x + b * y + c for a, b, c in edges]).amax(0)
    lines = torch.stack([a * x + b * y + (c + radius) for a, b, c in edges])
    outside, largest = lines.clamp(min=0), lines.amax(0)
    total = torch.zeros_like(x)
    for line in outside:
        total = total + line * line
    return torch.where(largest > 0, total.sqrt(), largest) - radius


def rectangle(x: tuple[float, float], y: tuple[float, float]) -> Array:
    """Return the outline of a rectangle."""
    return np.array([[x[0], y[0]], [x[1], y[0]], [x[1], y[1]], [x[0], y[1]]])
