"""A shot: a posed person in front of a camera, and where the joints appear in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from repro.data.studio.camera import Camera
from repro.data.studio.mesh import Mesh, pose_vertices
from repro.data.studio.raster import Fragments, rasterize
from repro.data.studio.skeleton import Pose
from repro.data.studio.tubes import Array

# How deep a joint lies below the skin or cloth seen at its pixel and still counts as visible, metres.
JOINT_DEPTH = {
    "nose": 0.03, "eye": 0.03, "ear": 0.04, "neck": 0.12, "shoulder": 0.1, "elbow": 0.08, "wrist": 0.06,
    "hip": 0.17, "knee": 0.10, "ankle": 0.09, "spine": 0.17, "thorax": 0.14, "crown": 0.06,
}  # fmt: skip


@dataclass(frozen=True)
class Obstacle:
    """Something else in the scene: it hides the person and is hidden by them, but no flow leads to it.

    Attributes:
        vertices: (V, 3) metres, as it stands.
        faces: (F, 3) int64 into its own vertices.
        two_sided: (F,) bool.
    """

    vertices: Array
    faces: NDArray[np.int64]
    two_sided: NDArray[np.bool_]


@dataclass(frozen=True)
class Shot:
    """What the geometry of one picture needs: who, how they stand, from where, at what size, and what is in the way.

    Rasterised, the faces of the person come first (``own_faces`` of them), then those of the obstacles.

    Attributes:
        mesh: the person at rest.
        vertices: (V, 3) posed vertices, metres; skinning, or anything else that moves them.
        pose: the pose, for the joints.
        camera: the camera.
        size: (height, width) of the image in pixels; flow may be asked for at other sizes of the same shape.
        obstacles: what else is in the scene.
    """

    mesh: Mesh
    vertices: Array
    pose: Pose
    camera: Camera
    size: tuple[int, int]
    obstacles: tuple[Obstacle, ...] = ()

    @classmethod
    def take(cls, mesh: Mesh, pose: Pose, camera: Camera, size: tuple[int, int]) -> "Shot":
        """Return the shot of a skinned pose."""
        return cls(mesh, pose_vertices(mesh, pose), pose, camera, size)

    def screen(self, size: tuple[int, int] | None = None) -> Tensor:
        """Return screen points (V, 3) float64 (x, y in pixels of an image of ``size``, z in metres), obstacles last."""
        points = np.concatenate([self.vertices, *(obstacle.vertices for obstacle in self.obstacles)])
        return torch.from_numpy(self.camera.project(points, self.size if size is None else size))

    @property
    def own_faces(self) -> int:
        """How many of the ``faces`` are the person's."""
        return len(self.mesh.faces)

    @cached_property
    def faces(self) -> Tensor:
        """(F, 3) int64, corners of the person's faces and then of the obstacles', into the points of ``screen``."""
        every, start = [self.mesh.faces], len(self.vertices)
        if not self.obstacles:  # shared with all shots of the mesh
            return torch.from_numpy(self.mesh.faces)
        for obstacle in self.obstacles:
            every.append(obstacle.faces + start)
            start += len(obstacle.vertices)
        return torch.from_numpy(np.concatenate(every))

    @cached_property
    def two_sided(self) -> Tensor:
        """(F,) bool."""
        sides = [self.mesh.two_sided, *(obstacle.two_sided for obstacle in self.obstacles)]
        return torch.from_numpy(np.concatenate(sides))

    def joints(self, layout: str = "openpose18") -> Array:
        """Return the joints (J, 2) as (row, column), pixel centres at integers; -1 where outside the image."""
        points = self.camera.project(self.mesh.skeleton.posed_joints(self.pose, layout), self.size)
        return integer_centres(points, self.size)


def integer_centres(screen: Array, size: tuple[int, int]) -> Array:
    """Return (row, column) with centres at integers of screen points (J, 3); (-1, -1) outside the image or behind."""
    inside = (
        (screen[:, 2] > 0)
        & (screen[:, 0] >= 0) & (screen[:, 0] < size[1]) & (screen[:, 1] >= 0) & (screen[:, 1] < size[0])
    )  # fmt: skip
    return np.where(inside[:, None], screen[:, 1::-1] - 0.5, -1.0)


def shoot(shots: Sequence[Shot], height: int, width: int, device: torch.device | str = "cpu") -> Fragments:
    """Return what the pixels of several shots see at a size, rasterised together on a device, where it stays."""
    return rasterize(
        [shot.screen((height, width)).to(device) for shot in shots],
        [shot.faces.to(device) for shot in shots],
        height,
        width,
        two_sided=[shot.two_sided.to(device) for shot in shots],
    )


def joints_visible(shot: Shot, depth: Tensor, layout_names: Sequence[str]) -> np.ndarray:
    """Return (J,) bool: the joint is inside the image and nothing but its own body part lies in front of it.

    Args:
        shot: the shot.
        depth: (H, W) of the rasterised shot at its own or any finer size, inf = background.
        layout_names: names of the joints, for example ``skeleton.OPENPOSE_18``.
    """
    transforms = shot.mesh.skeleton.transforms(shot.pose)
    points = np.stack([shot.mesh.skeleton.posed_point(name, transforms) for name in layout_names])
    height, width = depth.shape
    screen = shot.camera.project(points, (height, width))
    inside = integer_centres(screen, (height, width))[:, 0] >= 0
    column = np.clip(screen[:, 0].astype(int), 0, width - 1)
    row = np.clip(screen[:, 1].astype(int), 0, height - 1)
    allowed = np.array([JOINT_DEPTH[name.removeprefix("right_").removeprefix("left_")] for name in layout_names])
    return inside & (screen[:, 2] - allowed < depth.numpy()[row, column])
