"""Feet on the ground: a person of other proportions than the captured one must neither float nor slide."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, minimum_filter1d

from repro.data.mocap.capture import product, rotation_vectors
from repro.data.mocap.feet import pinned, slide
from repro.data.studio.mesh import Mesh
from repro.data.studio.skeleton import BONE, Pose, rotation_matrices
from repro.data.studio.tubes import Array

# A point of a sole stands where it is slower than a swinging foot and among the lowest of its time.
SLOW = 0.5  # metres per second
LOW = 0.05  # metres above the lowest point within
AROUND = 0.5  # seconds before and after
SMOOTH = 0.06  # seconds over which the height of the ground is blended from step to step
PITCHES = np.deg2rad(sorted(np.arange(-30, 30.25, 0.25), key=abs))
"""What a foot may be pitched to come out of the ground, the least first."""
FEET = ("right_foot", "left_foot")


def planted(mesh: Mesh, poses: tuple[Pose, ...], fps: float) -> tuple[Pose, ...]:
    """Return the poses with standing soles at y = 0 that stay where they are, and nothing below the ground.

    Where a foot stands is taken from the motion: a sole's slow and low points; the whole person is shifted so that they
    rest. Between steps, in a run or a jump, the height of the ground is blended, so a jump keeps its height. A toe or
    heel that would dip below the ground, because this foot is longer than the captured one, is pitched out of it.

    Slopes and stairs become level as far as both feet stand at one height.

    Args:
        mesh: the person.
        poses: one per frame.
        fps: frames per second.
    """
    soles = _soles(mesh, poses)
    stands = _stands(soles, fps)
    shift = np.zeros((len(poses), 3))
    shift[:, 1] = -_ground(soles[..., 1], stands, fps)
    level = _pitched(mesh, _shifted(poses, shift))
    soles = _soles(mesh, level)
    shift[1:, [0, 2]] = -np.cumsum(slide(soles, stands), axis=0)
    # What no pitch brings out comes up with the whole person.
    shift[:, 1] = -np.minimum(soles[..., 1].min(1), 0.0)
    poses, soles = _shifted(level, shift), soles + shift[:, None]
    for foot, own in zip(FEET, _points(mesh)):
        poses = pinned(mesh, poses, soles[:, own], stands[:, own], foot.partition("_")[0], fps)
    return poses


def _shifted(poses: tuple[Pose, ...], shift: Array) -> tuple[Pose, ...]:
    return tuple(replace(pose, root=pose.root + own) for pose, own in zip(poses, shift))


def _soles(mesh: Mesh, poses: tuple[Pose, ...]) -> Array:
    """The points of both shoes that move with the foot alone, (T, N, 3)."""
    transforms = np.stack([mesh.skeleton.transforms(pose) for pose in poses])
    places = []
    for foot in FEET:
        own, rest = transforms[:, BONE[foot]], mesh.rest_vertices[mesh.weights[:, BONE[foot]] > 0.99]
        places.append(np.einsum("tij,nj->tni", own[..., :3], rest) + own[:, None, :, 3])
    return np.concatenate(places, 1)


def _points(mesh: Mesh) -> tuple[slice, slice]:
    """Which of the points of :func:`_soles` are the right foot's, and which the left one's."""
    right, left = (int((mesh.weights[:, BONE[foot]] > 0.99).sum()) for foot in FEET)
    return slice(right), slice(right, right + left)


def _stands(soles: Array, fps: float) -> NDArray[np.bool_]:
    """Whether a point stands, (T - 1, N): from each frame to the next."""
    speed = np.linalg.norm(np.diff(soles, axis=0), axis=-1) * fps
    height = (soles[1:, :, 1] + soles[:-1, :, 1]) / 2
    window = 2 * round(AROUND * fps) + 1
    floor = minimum_filter1d(height.min(1), window, mode="nearest")
    return (speed < SLOW) & (height < floor[:, None] + LOW)


def _ground(heights: Array, stands: NDArray[np.bool_], fps: float) -> Array:
    """The height (T,) of the ground under the feet: of the lowest point that stands, blended where none does."""
    standing = np.zeros(heights.shape, dtype=bool)
    standing[:-1] |= stands
    standing[1:] |= stands
    frames = np.flatnonzero(standing.any(1))
    if not len(frames):
        return np.full(len(heights), heights.min())
    lowest = np.where(standing, heights, np.inf).min(1)
    height = np.interp(np.arange(len(heights)), frames, lowest[frames])
    return gaussian_filter1d(height, SMOOTH * fps, mode="nearest")


def _pitched(mesh: Mesh, poses: tuple[Pose, ...]) -> tuple[Pose, ...]:
    """The poses with feet turned about their own side axis, by the least angle that leaves nothing below the ground."""
    turns = rotation_matrices(PITCHES[:, None] * np.array([1.0, 0.0, 0.0]))
    rotations = np.stack([pose.rotations for pose in poses])
    for foot in FEET:
        bone = BONE[foot]
        transforms = np.stack([mesh.skeleton.transforms(pose)[bone] for pose in poses])
        ankle = mesh.skeleton.joints[bone]
        sole = mesh.rest_vertices[mesh.weights[:, bone] > 0.99] - ankle
        high = transforms[:, 1, :3] @ ankle + transforms[:, 1, 3]
        pitched = np.einsum("pjk,nk->pnj", turns, sole)
        below = np.stack([(pitched @ up).min(1) for up in transforms[:, 1, :3]]) + high[:, None]
        # The first pitch that is free, else the one that leaves least below.
        free = below > -1e-3
        chosen = np.where(free.any(1), free.argmax(1), below.argmax(1))
        local = product(rotation_matrices(rotations[:, bone]), turns[chosen])
        moved = chosen > 0
        rotations[moved, bone] = rotation_vectors(local[moved])
    return tuple(replace(pose, rotations=own) for pose, own in zip(poses, rotations))
