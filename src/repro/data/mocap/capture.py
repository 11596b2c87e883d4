"""A captured motion: a skeleton of named joints, and how each one turns and moves from frame to frame."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.spatial.transform import Rotation

from repro.data.studio.skeleton import rotation_matrices
from repro.data.studio.tubes import Array


@dataclass(frozen=True)
class Capture:
    """T frames of J joints; a joint is where a bone starts, and its rotation is the bone's.

    Convention: positions in the file's own unit and axes (retargeting scales and turns them); rotations carry the rest
    pose to the frame, in the axes of the rest pose, so that all of them are the identity at rest.

    Attributes:
        names: of the joints; the ends of the last bones are joints named ``<bone>_end``.
        parents: (J,) index of each joint's parent, always a smaller one; -1 the root.
        offsets: (J, 3) from the parent to the joint at rest; the root's from the origin.
        rotations: (T, J, 3, 3) relative to the parent.
        steps: (T, J, 3) from the parent to the joint in the parent's axes; the root's from the origin.
        fps: frames per second.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Array
    rotations: Array
    steps: Array
    fps: float

    def __len__(self) -> int:
        return len(self.rotations)

    @cached_property
    def rest(self) -> Array:
        """Joints at rest, (J, 3), the root's offset included."""
        places = np.empty_like(self.offsets)
        for joint, parent in enumerate(self.parents):
            places[joint] = self.offsets[joint] + (places[parent] if parent >= 0 else 0)
        return places

    @cached_property
    def world(self) -> tuple[Array, Array]:
        """Rotations (T, J, 3, 3) from rest to the world, and joints (T, J, 3) in the world."""
        rotations, positions = np.empty_like(self.rotations), np.empty_like(self.steps)
        for joint, parent in enumerate(self.parents):
            if parent < 0:
                rotations[:, joint], positions[:, joint] = self.rotations[:, joint], self.steps[:, joint]
            else:
                rotations[:, joint] = product(rotations[:, parent], self.rotations[:, joint])
                step = np.einsum("tij,tj->ti", rotations[:, parent], self.steps[:, joint])
                positions[:, joint] = positions[:, parent] + step
        return rotations, positions

    @property
    def positions(self) -> Array:
        """Joints (T, J, 3) in the world."""
        return self.world[1]

    def resampled(self, fps: float) -> "Capture":
        """Return the capture at another rate: turns along the shortest arc, shifts along the straight line.

        The first frame stays; the last one is the last that lies within the capture's time.
        """
        if not fps > 0:
            raise ValueError(f"expected a rate above 0 frames per second, got {fps:g}")
        # A hair more than the last frame's time counts as reached: rates are rounded in files.
        count = int((len(self) - 1) / self.fps * fps + 1e-6) + 1
        at = np.minimum(np.arange(count) * (self.fps / fps), len(self) - 1)
        before = np.minimum(at.astype(int), max(len(self) - 2, 0))
        after = np.minimum(before + 1, len(self) - 1)
        share = (at - before)[:, None, None]
        first, last = self.rotations[before], self.rotations[after]
        turn = rotation_vectors(product(np.swapaxes(first, -1, -2), last))
        return replace(
            self,
            rotations=product(first, rotation_matrices(share * turn)),
            steps=(1 - share) * self.steps[before] + share * self.steps[after],
            fps=float(fps),
        )


def product(first: Array, second: Array) -> Array:
    """Return the matrix products (..., 3, 3): ``second`` is applied first."""
    return np.einsum("...ij,...jk->...ik", first, second)


def rotation_vectors(matrices: Array) -> Array:
    """Return the axis-angle vectors (..., 3) of rotation matrices (..., 3, 3); half a turn is one as well."""
    return Rotation.from_matrix(matrices.reshape(-1, 3, 3)).as_rotvec().reshape(matrices.shape[:-1])


def turned(axes: Sequence[str], angles: Array) -> Array:
    """Return the product (..., 3, 3) of turns about coordinate axes, the last applied first.

    Args:
        axes: "x", "y" or "z", n of them.
        angles: (..., n) radians.
    """
    result = np.broadcast_to(np.eye(3), (*angles.shape[:-1], 3, 3))
    for place, axis in enumerate(axes):
        vector = np.eye(3)["xyz".index(axis)]
        result = product(result, rotation_matrices(angles[..., place, None] * vector))
    return result
