"""Who and what else is in the street: passers-by, poles and bicycles, as layers of the picture and as obstacles."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from repro.data.studio.backdrop import Backdrop
from repro.data.studio.camera import Camera
from repro.data.studio.garments import build_person
from repro.data.studio.identity import Identity
from repro.data.studio.mesh import Mesh, pose_vertices
from repro.data.studio.palette import Colour, oklch
from repro.data.studio.raster import face_map
from repro.data.studio.render import SUPERSAMPLING, View, render
from repro.data.studio.shading import Light, face_normals, unit
from repro.data.studio.shot import Obstacle
from repro.data.studio.street import Spot
from repro.data.studio.stride import passing_pose, placed
from repro.data.studio.tubes import Array, Surface, grid_surface, join
from repro.data.studio.wardrobe import Wardrobe

OCCLUDED = 0.30
"""Share of the pictures in which somebody or something stands before the person."""
BEHIND = 0.35
"""Share of the pictures in which somebody walks behind the person."""
PASSERS = 12
"""Passers-by of each split; the data set holds none of them."""
NOTHING = Backdrop((0.0, 0.0, 0.0), 0.0, 0.0)


@dataclass(frozen=True)
class Layer:
    """What one thing adds to a picture: colour and albedo (3, H, W), times its coverage (H, W)."""

    colour: Tensor
    albedo: Tensor
    alpha: Tensor

    @classmethod
    def of(cls, view: View) -> "Layer":
        """Return the layer of a view that was rendered before :data:`NOTHING`."""
        return cls(view.image, view.albedo, view.alpha)

    def over(self, below: "Layer") -> "Layer":
        """Return this layer in front of another."""
        free = 1 - self.alpha
        return Layer(self.colour + free * below.colour, self.albedo + free * below.albedo, 1 - free * (1 - below.alpha))


class Bystander(ABC):
    """Somebody or something beside the person of a picture.

    Attributes:
        obstacle: its surface in the person's frame.
        in_front: it stands between the camera and the person.
        feet: (N, 3) where it touches the ground, for contact shadows.
    """

    obstacle: Obstacle
    in_front: bool
    feet: Array

    @abstractmethod
    def layer(self, camera: Camera, light: Light, size: tuple[int, int]) -> Layer:
        """Return its part of the picture."""


class Passer(Bystander):
    """Another person of the studio, with few faces."""

    def __init__(self, identity: Identity, rng: Generator, place: Array, in_front: bool) -> None:
        self.mesh, self.wardrobe, self.in_front = _mesh(identity), _wardrobe(identity), in_front
        self.pose = placed(passing_pose(self.mesh, rng), float(rng.uniform(-3.1, 3.1)), place)
        vertices = pose_vertices(self.mesh, self.pose)
        self.obstacle = Obstacle(vertices, self.mesh.faces, self.mesh.two_sided)
        self.feet = vertices[vertices[:, 1] < 0.03].mean(0, keepdims=True)

    def layer(self, camera: Camera, light: Light, size: tuple[int, int]) -> Layer:
        """Return the person's part of the picture."""
        views = render(self.mesh, self.wardrobe, [self.pose], [camera], size, light=light, background=NOTHING)
        return Layer.of(views[0])


class Thing(Bystander):
    """Something made of rods in plain colours."""

    def __init__(self, parts: Sequence[tuple[Surface, Colour]], place: Array, heading: float) -> None:
        surface = join([part for part, _ in parts])
        sine, cosine = np.sin(heading), np.cos(heading)
        x, y, z = surface.vertices.T
        vertices = np.stack([cosine * x + sine * z, y, cosine * z - sine * x], 1) + place
        self.obstacle = Obstacle(vertices, surface.faces, np.zeros(len(surface.faces), dtype=bool))
        self.in_front = True
        self.feet = vertices[vertices[:, 1] < 0.02].mean(0, keepdims=True)
        self.colours = np.concatenate([np.tile(colour, (len(part.faces), 1)) for part, colour in parts])

    def layer(self, camera: Camera, light: Light, size: tuple[int, int]) -> Layer:
        """Return the thing's part of the picture: flat faces, several samples per pixel."""
        height, width = (SUPERSAMPLING * side for side in size)
        screen = torch.from_numpy(camera.project(self.obstacle.vertices, (height, width)))
        faces = torch.from_numpy(self.obstacle.faces)
        face = face_map([screen], faces, height, width, two_sided=torch.from_numpy(self.obstacle.two_sided))[0]
        normal = unit(face_normals(torch.from_numpy(self.obstacle.vertices)[None], faces))[0].numpy()
        direct = (normal * np.asarray(light.direction)).sum(1).clip(0, None)
        tone = light.ambient * (0.85 + 0.15 * normal[:, 1]) + (1.2 - light.ambient) * direct
        values = np.concatenate([self.colours * tone[:, None], self.colours, np.ones((len(tone), 1))], 1)
        values = np.concatenate([values, np.zeros((1, 7))]).clip(0, 1)  # face -1 finds the last row: nothing
        samples = values[face.numpy()].reshape(size[0], SUPERSAMPLING, size[1], SUPERSAMPLING, 7).mean((1, 3))
        picture = torch.from_numpy(samples.transpose(2, 0, 1).astype(np.float32))
        return Layer(picture[:3], picture[3:6], picture[6])


def bystanders(rng: Generator, spot: Spot, split: str) -> tuple[Bystander, ...]:
    """Return who and what else a picture shows, the farthest first.

    Nobody stands so near to the person that they could touch: layers may be laid over each other.

    Args:
        rng: generator of the purpose.
        spot: where the person stands.
        split: passers-by of the two splits differ.
    """
    found: list[Bystander] = []
    behind, in_front, kind = rng.random() < BEHIND, rng.random() < OCCLUDED, str(rng.choice(["passer", *THINGS]))
    if behind:
        place = _beside(spot, 1 + rng.uniform(1.5, 3.0) / spot.away, rng.uniform(0.25, 0.9) * rng.choice([-1, 1]))
        found.append(_passer(rng, split, place, in_front=False))
    if in_front:
        nearer = 1 - rng.uniform(1.5, 2.4) / spot.away
        if kind == "passer":
            place = _beside(spot, nearer, rng.uniform(0.25, 0.55) * rng.choice([-1, 1]))
            found.append(_passer(rng, split, place, in_front=True))
        else:
            shift = rng.uniform(-0.3, 0.3)
            heading = spot.heading + float(rng.normal(0, 0.5))
            found.append(Thing(THINGS[kind](rng), _beside(spot, nearer, shift), heading))
    return tuple(found)


def pole(rng: Generator) -> list[tuple[Surface, Colour]]:
    """Return a lamp post or sign post, taller than any picture."""
    colour = oklch(rng.uniform(0.3, 0.75), rng.uniform(0, 0.06), rng.uniform(100, 280))
    radius = rng.uniform(0.035, 0.075)
    line = np.array([[0.0, 0.0, 0.0], [0.0, 0.4, 0.0], [0.0, 2.0, 0.0], [0.0, 4.5, 0.0]])
    foot = np.array([[0.0, 0.0, 0.0], [0.0, 0.25, 0.0]])
    return [(rod(line, radius, 10), colour), (rod(foot, 1.7 * radius, 10), 0.8 * colour)]


def bicycle(rng: Generator) -> list[tuple[Surface, Colour]]:
    """Return a parked bicycle, its length along x."""
    paint = oklch(rng.uniform(0.4, 0.75), rng.uniform(0.02, 0.17), rng.uniform(0, 360))
    dark, metal = oklch(0.25, 0.0, 0), oklch(0.7, 0.0, 0)
    rear, front, crank = (-0.52, 0.34, 0.0), (0.52, 0.34, 0.0), (-0.08, 0.28, 0.0)
    seat, head, fork = (-0.22, 0.80, 0.0), (0.34, 0.82, 0.0), (0.38, 0.62, 0.0)
    angle = np.linspace(0, 2 * np.pi, 25)
    wheel = np.stack([0.325 * np.cos(angle), 0.325 * np.sin(angle), 0 * angle], 1)
    parts = [(rod(wheel + axle, 0.022), dark) for axle in (rear, front)]
    for line in ((seat, crank), (crank, fork), (head, seat), (rear, crank), (rear, seat), (head, fork), (fork, front)):
        parts.append((rod(np.array(line), 0.019), paint))
    parts.append((rod(np.array([seat, (-0.25, 0.93, 0.0)]), 0.014), metal))
    parts.append((rod(np.array([(-0.38, 0.95, 0.0), (-0.14, 0.95, 0.0)]), 0.045), dark))
    parts.append((rod(np.array([head, (0.31, 0.98, 0.0)]), 0.016), metal))
    parts.append((rod(np.array([(0.24, 0.99, -0.27), (0.31, 0.98, 0.0), (0.24, 0.99, 0.27)]), 0.016), metal))
    basket = [(0.42, 0.72, 0.0), (0.42, 0.92, 0.0)]
    if rng.random() < 0.4:
        parts.append((rod(np.array(basket), 0.13, 8), oklch(0.6, 0.06, 70)))
    return parts


def rod(line: Array, radius: float, sectors: int = 6) -> Surface:
    """Return a round rod along a line (N, 3) in metres, its ends closed; a line that ends where it began is a ring."""
    ring = bool(np.allclose(line[0], line[-1]))
    tangent = np.gradient(line, axis=0)
    if ring:
        tangent[[0, -1]] = line[1] - line[-2]
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    # A direction that is nowhere parallel to the line: one frame without twist for all of it.
    helper = np.eye(3)[np.abs(tangent).max(0).argmin()]
    side = np.cross(tangent, helper)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    other = np.cross(side, tangent)
    angle = np.linspace(0, 2 * np.pi, sectors + 1)
    circle = np.cos(angle)[:, None] * side[:, None] + np.sin(angle)[:, None] * other[:, None]
    grid = line[:, None] + radius * circle
    grid[:, -1] = grid[:, 0]
    if not ring:
        ends = [np.repeat(line[end][None, None], sectors + 1, 1) for end in (0, -1)]
        grid = np.concatenate([ends[0], grid, ends[1]])
    return grid_surface(grid, np.zeros((*grid.shape[:2], 2)))


THINGS = {"pole": pole, "bicycle": bicycle}


def _beside(spot: Spot, part: float, shift: float) -> Array:
    """A place on the ground in the person's frame: so far along the way from the camera to the person (1 = the person),
    shifted so that the person sees it ``shift`` metres to the right of the line of sight."""
    to_camera = spot.eye * [1.0, 0.0, 1.0]
    right = np.array([to_camera[2], 0.0, -to_camera[0]]) / np.linalg.norm(to_camera)
    return (1 - part) * to_camera + part * shift * right


def _passer(rng: Generator, split: str, place: Array, in_front: bool) -> Passer:
    return Passer(Identity("market passers-by", split, int(rng.integers(PASSERS))), rng, place, in_front)


@lru_cache(2 * PASSERS)
def _mesh(identity: Identity) -> Mesh:
    return build_person(identity, "low")


@lru_cache(2 * PASSERS)
def _wardrobe(identity: Identity) -> Wardrobe:
    return Wardrobe.for_identity(identity, tile_size=64)
