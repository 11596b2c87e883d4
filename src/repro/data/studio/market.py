"""The procedural set ``market``: people in the street as six surveillance cameras see them, imitating Market-1501."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.nn import functional as F

from repro.data.studio import bystanders as others
from repro.data.studio import street, stride
from repro.data.studio import wardrobe as clothes
from repro.data.studio.backdrop import Backdrop
from repro.data.studio.bystanders import NOTHING, Bystander, Layer, bystanders
from repro.data.studio.cache import Arrays
from repro.data.studio.camera import Camera
from repro.data.studio.identity import Identity
from repro.data.studio.mesh import Mesh, pose_vertices
from repro.data.studio.people_set import FACE_JOINTS, PeopleSet, detail, person_mesh, person_wardrobe
from repro.data.studio.raster import face_map
from repro.data.studio.render import SUPERSAMPLING, View, feet, render
from repro.data.studio.shot import Shot, joints_visible, shoot
from repro.data.studio.skeleton import OPENPOSE_18, Pose
from repro.data.studio.street import STATIONS, Spot, Station, aim, paint_street

LOOSE = 0.08
"""By how much of its length each side of a person's box is off."""
MARGIN = 1.08
"""How much higher than the person the box is meant to be."""
NOISE = 0.015
"""Standard deviation of the sensor's noise."""
RESAMPLED = 0.5
"""Share of the pictures that were small once and were enlarged."""
BLUR = (0.2, 0.9)
"""Standard deviation of the lens' blur, in pixels of a picture 128 high."""
CONTACT = 0.35
"""Depth of the shadow under soles."""
GREY = 0.5
"""Brightness of what is no surface of a person or thing, on pictures without light."""


class MarketSet(PeopleSet):
    """People who pass six fixed cameras; several of each person's views come from one camera, others from another.

    Passers-by, poles and bicycles hide parts of them: those pixels are not the person's, and what they hide in the
    source is not visible there.
    """

    name = "market"
    SIZE = (128, 64)

    @property
    def station(self) -> Tensor:
        """(N,) int64, the camera of each view, 0 to 5."""
        return torch.tensor(self.of_views("station")).long()

    @property
    def occluded(self) -> Tensor:
        """(N,) bool: somebody or something stands before the person."""
        return torch.tensor(self.of_views("occluded"))

    def scene(self, identity: Identity, number: int) -> "Scene":
        """Return where a person's view ``number`` is taken, and who and what else is in it."""
        return scene(identity, number, self.views)

    def stage(self, identity: Identity, number: int, mesh: Mesh) -> tuple[Pose, Camera]:
        """Return how a person stands in view ``number``, and the part of the camera's picture that is their box."""
        pose = stride.passing_pose(mesh, identity.rng("pose", number))
        eye = self.scene(identity, number).spot.eye
        return pose, loose_box(pose_vertices(mesh, pose), eye, self.size, identity.rng("box", number))

    def shoot(self, identity: Identity, number: int, pose: Pose, camera: Camera) -> Shot:
        """Return the geometry of a staged view with everybody and everything in it."""
        mesh = person_mesh(identity, detail(self.size))
        obstacles = tuple(bystander.obstacle for bystander in self.scene(identity, number).beside)
        return Shot(mesh, pose_vertices(mesh, pose), pose, camera, self.size, obstacles)

    def photograph(self, identity: Identity, shots: list[Shot], numbers: list[int]) -> list[View]:
        """Return the pictures of a person's views ``numbers``, as the cameras' sensors record them."""
        scenes = [self.scene(identity, number) for number in numbers]
        alone = render(
            shots[0].mesh,
            person_wardrobe(identity),
            [shot.pose for shot in shots],
            [shot.camera for shot in shots],
            self.size,
            light=[scene.spot.light for scene in scenes],
            background=NOTHING,
        )
        return [
            _in_the_street(view, shot, scene, identity.rng("sensor", number))
            for view, shot, scene, number in zip(alone, shots, scenes, numbers)
        ]

    def draw(self, index: int) -> Arrays:
        """Return a person's pictures and what belongs to them, with the camera of each view."""
        identity = Identity(self.name, self.split, index)
        scenes = [self.scene(identity, number) for number in range(self.views)]
        return super().draw(index) | {
            "station": np.array([scene.spot.station.number for scene in scenes], np.int8),
            "occluded": np.array([any(other.in_front for other in scene.beside) for scene in scenes]),
        }

    def settings(self) -> dict[str, Any]:
        """Return what else decides the content."""
        return {
            "detail": detail(self.size),
            "supersampling": [SUPERSAMPLING, street.FINER],
            "box": [MARGIN, LOOSE],
            "sensor": [NOISE, RESAMPLED, BLUR],
            "bystanders": [others.OCCLUDED, others.BEHIND, others.PASSERS],
            "walking": [stride.WALKING, stride.PHONE],
            "held_out": [clothes.HELD_OUT, clothes.HELD_OUT_SHARE],
            "face_joints": FACE_JOINTS,
            "people": [self.people, self.views],
        }


@dataclass(frozen=True)
class Scene:
    """Where a picture is taken, and who and what else is in it, the farthest first."""

    spot: Spot
    beside: tuple[Bystander, ...]


@lru_cache(16)
def scene(identity: Identity, number: int, views: int) -> Scene:
    """Return the scene of one of a person's views: it follows from the seeds alone.

    Half of the views and one have cameras of their own, the others come back to the first of these, so that there are
    pairs within a camera and across cameras.
    """
    cameras = identity.rng("stations").permutation(len(STATIONS))[: views // 2 + 1]
    station, rng = STATIONS[int(cameras[number % len(cameras)])], identity.rng("spot", number)
    away, heading = rng.uniform(station.near, station.far), rng.uniform(-np.pi, np.pi)
    spot = Spot(station, float(rng.uniform(-1.2, 1.2)), float(away), float(heading))
    return Scene(spot, bystanders(identity.rng("bystanders", number), spot, identity.split))


def loose_box(vertices: NDArray[np.float64], eye: NDArray[np.float64], size: tuple[int, int], rng: Generator) -> Camera:
    """Return the camera at ``eye`` whose picture is the box around a person, each side off by up to 8 %.

    Args:
        vertices: (V, 3) of the person, metres.
        eye: (3,) where the camera is.
        size: (H, W), whose shape the box has.
        rng: generator of the purpose.
    """
    middle = (vertices.max(0) + vertices.min(0)) / 2
    straight = aim(eye, middle, 1.0)
    screen = straight.project(vertices, (1, 1))[:, :2] - 0.5
    low, high = screen.min(0), screen.max(0)
    shape = size[1] / size[0]
    tall = MARGIN * max(high[1] - low[1], 0.9 * (high[0] - low[0]) / shape)
    top, bottom, left, right = rng.uniform(-LOOSE, LOOSE, 4)
    x, y = (low + high) / 2 + tall * np.array([shape * (right - left) / 2, (bottom - top) / 2])
    across, up, away = straight.axes
    return aim(eye, eye + straight.distance * (away + x * across - y * up), float(1 / (tall * (1 + top + bottom))))


def _in_the_street(alone: View, shot: Shot, scene: Scene, rng: Generator) -> View:
    """Return the view of a person in the street, among bystanders, made from the view of the person before nothing."""
    camera, size, spot, beside = shot.camera, shot.size, scene.spot, scene.beside
    shadow = cast_shadow(shot, np.asarray(spot.light.direction))
    soles = np.concatenate([feet(shot), *(bystander.feet for bystander in beside)])
    contact = Backdrop((1.0, 1.0, 1.0), 0.0, CONTACT).paint(camera, soles, size)
    empty = paint_street(spot, camera, size, shadow) * contact
    picture = Layer(empty, torch.full_like(empty, GREY), torch.zeros(size))
    alpha = alone.alpha
    for bystander in beside:
        if not bystander.in_front:
            picture = bystander.layer(camera, spot.light, size).over(picture)
    picture = Layer.of(alone).over(picture)
    for bystander in beside:
        if bystander.in_front:
            layer = bystander.layer(camera, spot.light, size)
            picture, alpha = layer.over(picture), (1 - layer.alpha) * alpha

    seen = shoot([shot], *size)
    own = (seen.face[0] >= 0) & (seen.face[0] < shot.own_faces)
    depth = seen.depth[0].float()
    return replace(
        alone,
        image=expose(picture.colour, spot.station, rng),
        albedo=picture.albedo.clamp(0, 1),
        alpha=alpha,
        part=torch.where(own, alone.part, -1).to(torch.int8),
        depth=torch.where(own, depth, torch.inf),
        visible=torch.from_numpy(joints_visible(shot, depth, OPENPOSE_18)),
    )


def cast_shadow(shot: Shot, sun: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return where the ground lies in the shadow of the shot's person and obstacles, (FINER * H, FINER * W) bool.

    Args:
        shot: the scene, the ground at y = 0.
        sun: (3,) unit vector to the sun.
    """
    height, width = (street.FINER * side for side in shot.size)
    points = np.concatenate([shot.vertices, *(obstacle.vertices for obstacle in shot.obstacles)])
    flat = points - points[:, 1:2] / sun[1] * sun
    return (
        face_map([torch.from_numpy(shot.camera.project(flat, (height, width)))], shot.faces, height, width)[0] >= 0
    ).numpy()


def expose(picture: Tensor, station: Station, rng: Generator) -> Tensor:
    """Return a picture (3, H, W) as a camera records it: blurred, its colours shifted, often enlarged, and noisy.

    Args:
        picture: in [0, 1], as the light comes in.
        station: whose colour gain and gamma.
        rng: generator of the purpose.
    """
    height, width = picture.shape[1:]
    blur, small, factor = rng.uniform(*BLUR) * height / 128, rng.random() < RESAMPLED, rng.uniform(0.4, 0.8)
    graded = (picture * torch.tensor(station.gain)[:, None, None]).clamp(0, 1) ** station.gamma
    blurred = torch.from_numpy(gaussian_filter(graded.numpy(), (0, blur, blur), mode="nearest"))
    if small:
        less = (max(8, round(factor * height)), max(8, round(factor * width)))
        shrunk = F.interpolate(blurred[None], size=less, mode="bilinear", align_corners=False, antialias=True)
        blurred = F.interpolate(shrunk, size=(height, width), mode="bilinear", align_corners=False)[0]
    noise = torch.from_numpy(rng.normal(0, NOISE, picture.shape).astype(np.float32))
    return (blurred + noise).clamp(0, 1)
