"""People and solids that the studio's tests photograph."""

from functools import cache

import numpy as np
import torch
from torch import Tensor

from repro.data.studio.camera import fashion_camera
from repro.data.studio.garments import build_person
from repro.data.studio.identity import Body, Identity
from repro.data.studio.mesh import Mesh
from repro.data.studio.pose import random_pose
from repro.data.studio.raster import Fragments
from repro.data.studio.shot import Shot
from repro.data.studio.skeleton import BONES, Pose, build_skeleton


@cache
def person(index: int, detail: str) -> Mesh:
    return build_person(Identity("fashion", "train", index), detail)


@cache
def shots(index: int, size: int, count: int = 4) -> tuple[Shot, ...]:
    """The first fashion views of a person: low detail up to 64 pixels, full above."""
    identity, mesh = Identity("fashion", "train", index), person(index, "low" if size <= 64 else "full")
    return tuple(
        Shot.take(
            mesh,
            random_pose(mesh, identity.rng("pose", view)),
            fashion_camera(identity.rng("camera", view), identity.body.height),
            (size, size),
        )
        for view in range(count)
    )


def parts_seen(mesh: Mesh, seen: Fragments) -> Tensor:
    """(B, H, W) part ids, -1 background."""
    return torch.where(seen.face >= 0, torch.from_numpy(mesh.part)[seen.face.clamp_min(0)], -1)


def solid(vertices: np.ndarray, faces: np.ndarray, two_sided: bool = False) -> Mesh:
    """A rigid mesh that is no person."""
    count = len(faces)
    return Mesh(
        rest_vertices=np.asarray(vertices, dtype=np.float64),
        faces=np.asarray(faces, dtype=np.int64),
        uv=np.zeros((len(vertices), 2)),
        weld=np.arange(len(vertices)),
        weights=np.eye(len(BONES))[np.zeros(len(vertices), dtype=int)],
        part=np.zeros(count, dtype=np.int64),
        material=np.zeros(count, dtype=np.int64),
        two_sided=np.full(count, two_sided),
        skeleton=build_skeleton(Body(0.0, 1.75)),
    )


def cube(side: float = 1.0, cells: int = 4) -> Mesh:
    """A cube about the origin, each side a grid of squares."""
    ticks = (np.arange(cells + 1) / cells - 0.5) * side
    u, v = np.meshgrid(ticks, ticks, indexing="ij")
    index = np.arange((cells + 1) ** 2).reshape(cells + 1, cells + 1)
    a, b, c, d = (index[:-1, :-1].ravel(), index[1:, :-1].ravel(), index[1:, 1:].ravel(), index[:-1, 1:].ravel())
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    all_vertices, all_faces = [], []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            grid = np.zeros(((cells + 1) ** 2, 3))
            first, second = ((axis + 1) % 3, (axis + 2) % 3) if sign > 0 else ((axis + 2) % 3, (axis + 1) % 3)
            grid[:, axis], grid[:, first], grid[:, second] = sign * side / 2, u.ravel(), v.ravel()
            all_faces.append(faces + len(all_vertices) * len(grid))
            all_vertices.append(grid)
    return solid(np.concatenate(all_vertices), np.concatenate(all_faces))


def shot_of(mesh: Mesh, vertices: np.ndarray, camera: object, size: int) -> Shot:
    return Shot(mesh, np.asarray(vertices, dtype=np.float64), Pose(), camera, (size, size))  # type: ignore[arg-type]
