"""Sets of pairs of people: who they are, how they stand, where their joints are, what they wear."""

from abc import abstractmethod
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from repro.data.joints import MISSING
from repro.data.pair import Pair
from repro.data.studio.cache import Arrays
from repro.data.studio.camera import Camera
from repro.data.studio.garments import build_person
from repro.data.studio.identity import Identity
from repro.data.studio.mesh import Mesh
from repro.data.studio.render import View
from repro.data.studio.shot import Shot
from repro.data.studio.skeleton import Pose
from repro.data.studio.view_set import ViewSet, pixels
from repro.data.studio.wardrobe import TEXTURED, Wardrobe

SCALES = {
    "tiny": {"train": 6, "test": 6, "views": 4},
    "default": {"train": 400, "test": 100, "views": 6},
    "full": {"train": 8000, "test": 1000, "views": 6},
}
"""People per split and views of each."""
FACE_JOINTS = (0, 14, 15, 16, 17)
"""Nose, eyes, ears: a detector finds them only where they are seen; limbs it also guesses behind the body."""


class PeopleSet(ViewSet):
    """Pairs of views of a person; a subclass says how they stand and from where they are seen (:meth:`stage`), and what
    else is in the picture (:meth:`photograph`).

    Missing joints: outside the image, or of the face and hidden.
    """

    SCALES = SCALES

    @abstractmethod
    def stage(self, identity: Identity, number: int, mesh: Mesh) -> tuple[Pose, Camera]:
        """Return how a person stands in view ``number``, and the camera that sees them."""

    def shoot(self, identity: Identity, number: int, pose: Pose, camera: Camera) -> Shot:
        """Return the geometry of a staged view; a subclass may add obstacles."""
        return Shot.take(person_mesh(identity, detail(self.size)), pose, camera, self.size)

    @abstractmethod
    def photograph(self, identity: Identity, shots: list[Shot], numbers: list[int]) -> list[View]:
        """Return the pictures of a person's views ``numbers``, whose geometry is in ``shots``."""

    @property
    def people(self) -> int:
        """How many people the split has."""
        return self.count

    @property
    def joints(self) -> Tensor:
        """(N, 18, 2) float64 (row, column), -1 missing."""
        return torch.tensor(self.of_views("joints"))

    @property
    def texture(self) -> Tensor:
        """(N, 5) int64: texture family (index into ``wardrobe.TEXTURES``) of each garment of ``TEXTURED``, -1 none."""
        return torch.tensor(self.of_views("texture")).long()

    def person(self, view: int) -> Identity:
        """Return who is seen in a view."""
        return Identity(self.name, self.split, view // self.views)

    def pair(self, source: int, target: int) -> Pair:
        """Return the pair of two views of one person."""
        return Pair(
            truth=self.truth(source, target),
            source=self.image(source),
            target=self.image(target),
            source_joints=torch.tensor(self.of_view("joints", source)),
            target_joints=torch.tensor(self.of_view("joints", target)),
            identity=int(self.identity[source]),
            sigma=self.sigma,
        )

    def draw(self, index: int) -> Arrays:
        """Return a person's pictures, part ids, joints, poses, cameras and clothes."""
        identity, numbers = Identity(self.name, self.split, index), list(range(self.views))
        mesh = person_mesh(identity, detail(self.size))
        staged = [self.stage(identity, number, mesh) for number in numbers]
        shots = [self.shoot(identity, number, *scene) for number, scene in zip(numbers, staged)]
        views = self.photograph(identity, shots, numbers)
        dressed = person_wardrobe(identity)
        labels = [dressed.texture_labels[garment] for garment in TEXTURED]
        return {
            "images": np.stack([pixels(view.image) for view in views]),
            "parts": np.stack([view.part.numpy() for view in views]).astype(np.int8),
            "joints": np.stack([_joints(view) for view in views]),
            "rotations": np.stack([pose.rotations for pose, _ in staged]),
            "roots": np.stack([pose.root for pose, _ in staged]),
            "cameras": np.stack([camera_numbers(camera) for _, camera in staged]),
            "texture": np.tile(np.array(labels, np.int8), (self.views, 1)),
            "held_out": np.full(self.views, dressed.wears_held_out),
        }

    def take(self, view: int) -> Shot:
        """Return the geometry of a view, built anew from the pose and the camera in the cache."""
        rotations, root, camera = (np.array(self.of_view(name, view)) for name in ("rotations", "roots", "cameras"))
        return self.shoot(self.person(view), view % self.views, Pose(rotations, root), camera_of(camera))

    def render(self, views: list[int]) -> list[View]:
        """Render views of one person anew, with everything that is not kept in the cache (albedo, depth, alpha)."""
        numbers = [view % self.views for view in views]
        return self.photograph(self.person(views[0]), [self.shot(view) for view in views], numbers)


def detail(size: tuple[int, int]) -> str:
    """Return the level of detail that people of a set of this size have."""
    return "low" if max(size) <= 64 else "full"


@lru_cache(16)
def person_mesh(identity: Identity, level: str) -> Mesh:
    """Return a person's mesh; the same object as long as it is among those used last."""
    return build_person(identity, level)


@lru_cache(4)
def person_wardrobe(identity: Identity) -> Wardrobe:
    """Return what a person wears; the same object as long as it is among those used last."""
    return Wardrobe.for_identity(identity)


def _joints(view: View) -> NDArray[np.float64]:
    joints = view.joints2d.numpy().copy()
    hidden = [joint for joint in FACE_JOINTS if not view.visible[joint]]
    joints[hidden] = MISSING
    return joints


def camera_numbers(camera: Camera) -> NDArray[np.float64]:
    """Return a camera as the numbers (8,) that the cache keeps."""
    return np.array([camera.yaw, camera.pitch, camera.roll, camera.distance, *camera.look_at, camera.focal])


def camera_of(numbers: NDArray[np.float64]) -> Camera:
    """Return the camera of :func:`camera_numbers`."""
    yaw, pitch, roll, distance, x, y, z, focal = (float(number) for number in numbers)
    return Camera(yaw, pitch, roll, distance, (x, y, z), focal)
