"""Arms that keep clear of the body: what was free on the captured person may pass through a wider one."""

from dataclasses import replace

import numpy as np
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from repro.data.mocap.capture import product, rotation_vectors
from repro.data.studio.mesh import Mesh
from repro.data.studio.pose import intersects
from repro.data.studio.skeleton import BONE, Pose, rotation_matrices
from repro.data.studio.tubes import Array

STEPS = np.arange(4.0, 33.0, 4.0)
"""Degrees by which an arm may be raised sideways; what more would be needed for is left as it was captured."""
HOLD, SMOOTH = 0.16, 0.08
"""Seconds before and after a touch for which the arm stays raised, and over which it gets there."""
BONES = ("right_upper_arm", "left_upper_arm")


def cleared(mesh: Mesh, poses: tuple[Pose, ...], fps: float) -> tuple[Pose, ...]:
    """Return the poses with arms raised to the side, softly and as little as will do, wherever they enter the body.

    Args:
        mesh: the person.
        poses: one per frame.
        fps: frames per second.
    """
    needed = np.stack([_needed(mesh, pose) for pose in poses])
    held = maximum_filter1d(needed, 2 * round(HOLD * fps) + 1, axis=0, mode="nearest")
    raised = gaussian_filter1d(held, SMOOTH * fps, axis=0, mode="nearest")
    return tuple(_raise(pose, own) if own.any() else pose for pose, own in zip(poses, raised))


def _needed(mesh: Mesh, pose: Pose) -> Array:
    """The degrees (2,) right and left that free a pose: of one arm if one will do; zero where the most will not."""
    if intersects(mesh, pose) and not intersects(mesh, _raise(pose, STEPS[[-1, -1]])):
        for step in STEPS:
            for own in ((step, 0.0), (0.0, step), (step, step)):
                if not intersects(mesh, _raise(pose, np.array(own))):
                    return np.array(own)
    return np.zeros(2)


def _raise(pose: Pose, degrees: Array) -> Pose:
    rotations = pose.rotations.copy()
    for bone, sign, angle in zip(BONES, (-1.0, 1.0), np.deg2rad(degrees)):
        about = rotation_matrices(np.array([0.0, 0.0, sign * angle]))
        rotations[BONE[bone]] = rotation_vectors(product(about, rotation_matrices(rotations[BONE[bone]])))
    return replace(pose, rotations=rotations)
