"""The procedural sets ``car`` and ``chair``: things on white, seen from a ring of cameras, imitating ShapeNet."""

from abc import abstractmethod
from dataclasses import asdict, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from repro.data.pair import Pair
from repro.data.studio import car_paint
from repro.data.studio import chair as joinery
from repro.data.studio.cache import Arrays
from repro.data.studio.camera import Camera
from repro.data.studio.car import build_car
from repro.data.studio.chair import build_chair
from repro.data.studio.finish import Model
from repro.data.studio.identity import Identity
from repro.data.studio.object_render import photograph, shot
from repro.data.studio.people_set import detail
from repro.data.studio.render import SUPERSAMPLING, View
from repro.data.studio.shading import Light, studio_light
from repro.data.studio.shot import Shot
from repro.data.studio.view_set import ViewSet, pixels
from repro.data.view_code import AZIMUTHS, ELEVATIONS, VIEWS, view_code, view_pairs

SCALES = {
    "tiny": {"train": 6, "test": 6, "views": VIEWS},
    "default": {"train": 400, "test": 100, "views": VIEWS},
    "full": {"train": 8000, "test": 1000, "views": VIEWS},
}
"""Things per split and views of each; the cache keeps 0.9 MB of a thing at 64 x 64 pixels, 14 MB at 256 x 256."""
NO_JOINTS = torch.empty(0, 2, dtype=torch.float64)


class ObjectSet(ViewSet):
    """Pairs of views of one thing; each has 54, from 18 azimuths at elevations of 0, 10 and 20 degrees.

    The camera circles the thing at a fixed distance. The light goes with the camera, so that the light of a target is
    known from the source. Pairs have codes instead of joints; :func:`repro.data.view_code.view_pairs` lists them.
    """

    SCALES = SCALES
    CAMERA: Camera
    """The camera in front of the thing, at elevation 0."""
    TEXTURES: tuple[str, ...]
    """Names of the texture labels, in order."""
    HELD_OUT: tuple[str, ...]
    """Textures that no training thing has."""

    @staticmethod
    @abstractmethod
    def build(identity: Identity, level: str) -> Model:
        """Return the thing that an identity names."""

    def list_pairs(self) -> Tensor:
        """Return ``pairs``."""
        return view_pairs(self.split, self.count)

    def settings(self) -> dict[str, Any]:
        """Return what decides the content beside name, split, size, scale and generator version."""
        return {
            "detail": detail(self.size),
            "supersampling": SUPERSAMPLING,
            "camera": asdict(self.CAMERA),
            "ring": [AZIMUTHS, *ELEVATIONS],
            "held_out": self.HELD_OUT,
            "things": self.count,
        }

    def pair(self, source: int, target: int) -> Pair:
        """Return the pair of two views of one thing."""
        return Pair(
            truth=self.truth(source, target),
            source=self.image(source),
            target=self.image(target),
            source_joints=NO_JOINTS,
            target_joints=NO_JOINTS,
            identity=int(self.identity[source]),
            sigma=self.sigma,
            source_code=view_code(source % VIEWS),
            target_code=view_code(target % VIEWS),
        )

    @property
    def codes(self) -> Tensor:
        """(N, 21) float32, the code of each view."""
        return torch.stack([view_code(view) for view in range(VIEWS)]).repeat(self.count, 1)

    @property
    def texture(self) -> Tensor:
        """(N,) int64: what the thing is covered with, index into ``TEXTURES``."""
        return torch.tensor(self.of_views("texture")).long()

    def thing(self, view: int) -> Identity:
        """Return what is seen in a view."""
        return Identity(self.name, self.split, view // VIEWS)

    def model(self, identity: Identity) -> Model:
        """Return a thing; the same object as long as it is among those used last."""
        return _model(type(self), identity, detail(self.size))

    def camera(self, view: int) -> Camera:
        """Return the camera of a view."""
        azimuth, elevation = 2 * np.pi / AZIMUTHS * (view % AZIMUTHS), np.deg2rad(ELEVATIONS[view % VIEWS // AZIMUTHS])
        return replace(self.CAMERA, yaw=float(azimuth), pitch=float(elevation))

    def draw(self, index: int) -> Arrays:
        """Return a thing's pictures, part ids and what it is covered with."""
        views = self.render(list(range(index * VIEWS, (index + 1) * VIEWS)))
        model = self.model(self.thing(index * VIEWS))
        return {
            "images": np.stack([pixels(view.image) for view in views]),
            "parts": np.stack([view.part.numpy() for view in views]).astype(np.int8),
            "texture": np.full(VIEWS, self.TEXTURES.index(model.texture), np.int8),
            "held_out": np.full(VIEWS, model.held_out),
        }

    def take(self, view: int) -> Shot:
        """Return the geometry of a view."""
        return shot(self.model(self.thing(view)), self.camera(view), self.size)

    def render(self, views: list[int]) -> list[View]:
        """Render views of one thing anew, with everything that is not kept in the cache (albedo, depth, alpha)."""
        identity, cameras = self.thing(views[0]), [self.camera(view) for view in views]
        return photograph(self.model(identity), cameras, [light_of(identity, camera) for camera in cameras], self.size)


class CarSet(ObjectSet):
    """The set ``car``: hatchbacks, saloons, estates, SUVs, pick-ups, coupés, vans."""

    name, UNIT = "car", "car"
    CAMERA = Camera(distance=9.0, look_at=(0.0, 0.72, 0.0), focal=1.5)
    TEXTURES, HELD_OUT = car_paint.LIVERIES, car_paint.HELD_OUT

    @staticmethod
    def build(identity: Identity, level: str) -> Model:
        """Return the car that an identity names."""
        return build_car(identity, level)


class ChairSet(ObjectSet):
    """The set ``chair``: kitchen, office and easy chairs."""

    name, UNIT = "chair", "chair"
    CAMERA = Camera(distance=4.0, look_at=(0.0, 0.5, 0.0), focal=2.9)
    TEXTURES, HELD_OUT = joinery.FABRICS, joinery.HELD_OUT

    @staticmethod
    def build(identity: Identity, level: str) -> Model:
        """Return the chair that an identity names."""
        return build_chair(identity, level)


@lru_cache(16)
def _model(kind: type[ObjectSet], identity: Identity, level: str) -> Model:
    return kind.build(identity, level)


def light_of(identity: Identity, camera: Camera) -> Light:
    """Return the light of a view; it goes with the camera, the same in all views of one thing."""
    rng = identity.rng("light")
    yaw, elevation, ambient = rng.uniform(-0.9, 0.9), np.deg2rad(rng.uniform(30, 60)), rng.uniform(0.5, 0.65)
    return studio_light(camera, float(yaw), float(elevation), float(ambient))
