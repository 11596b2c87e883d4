"""Feet on the ground: a person of other proportions than the captured one must neither float nor slide."""

from dataclasses import replace

import numpy as np
from scipy.ndimage import gaussian_filter1d, minimum_filter1d

from repro.data.studio.mesh import Mesh
from repro.data.studio.skeleton import BONE, Pose
from repro.data.studio.tubes import Array

# A point of a sole stands where it is slower than a swinging foot and among the lowest of its time.
SLOW = 0.5  # metres per second
LOW = 0.05  # metres above the lowest point within
AROUND = 0.5  # seconds before and after
SMOOTH = 0.06  # seconds over which the height of the ground is blended from step to step


def planted(mesh: Mesh, poses: tuple[Pose, ...], fps: float) -> tuple[Pose, ...]:
    """Return the poses with roots shifted so that standing soles lie at y = 0 and stay where they are.

    Where a foot stands is taken from the motion: a sole's slow and low points. Between steps, in a run or a jump, the
    height of the ground is blended, so a jump keeps its height. Slopes and stairs become level as far as both feet
    stand at one height.

    Args:
        mesh: the person.
        poses: one per frame.
        fps: frames per second.
    """
    soles = _soles(mesh, poses)
    roots = np.stack([pose.root for pose in poses])
    if len(poses) > 1:
        stands = _stands(soles, fps)
        roots[:, 1] -= _ground(soles[..., 1], stands, fps)
        roots[1:, [0, 2]] -= np.cumsum(_slide(soles, stands), axis=0)
    lowest = soles[..., 1].min(1) + roots[:, 1] - [pose.root[1] for pose in poses]
    # What the blend left below the ground comes up; a single frame is set down.
    roots[:, 1] -= np.minimum(lowest, 0.0) if len(poses) > 1 else lowest
    return tuple(replace(pose, root=root) for pose, root in zip(poses, roots))


def _soles(mesh: Mesh, poses: tuple[Pose, ...]) -> Array:
    """The points of both shoes that move with the foot alone, (T, N, 3)."""
    transforms = np.stack([mesh.skeleton.transforms(pose) for pose in poses])
    places = []
    for side in ("right", "left"):
        bone = BONE[f"{side}_foot"]
        rest = mesh.rest_vertices[mesh.weights[:, bone] > 0.99]
        places.append(np.einsum("tij,nj->tni", transforms[:, bone, :, :3], rest) + transforms[:, bone, None, :, 3])
    return np.concatenate(places, 1)


def _stands(soles: Array, fps: float) -> Array:
    """Whether a point stands, (T - 1, N): from each frame to the next."""
    speed = np.linalg.norm(np.diff(soles, axis=0), axis=-1) * fps
    height = (soles[1:, :, 1] + soles[:-1, :, 1]) / 2
    window = 2 * round(AROUND * fps) + 1
    floor = minimum_filter1d(height.min(1), window, mode="nearest")
    return (speed < SLOW) & (height < floor[:, None] + LOW)


def _ground(heights: Array, stands: Array, fps: float) -> Array:
    """The height (T,) of the ground under the feet: of the lowest point where a foot stands, blended in between."""
    lowest = heights.min(1)
    standing = np.zeros(len(heights), dtype=bool)
    standing[:-1] |= stands.any(1)
    standing[1:] |= stands.any(1)
    if not standing.any():
        return np.full(len(heights), lowest.min())
    frames = np.flatnonzero(standing)
    height = np.interp(np.arange(len(heights)), frames, lowest[frames])
    return gaussian_filter1d(height, SMOOTH * fps, mode="nearest")


def _slide(soles: Array, stands: Array) -> Array:
    """How far the standing points slide, (T - 1, 2), from each frame to the next; zero where none stands."""
    shift = np.diff(soles[..., [0, 2]], axis=0)
    # The lowest points carry the weight.
    height = (soles[1:, :, 1] + soles[:-1, :, 1]) / 2
    weight = stands * np.exp(-(height - height.min(1, keepdims=True)) / 0.01)
    total = weight.sum(1)
    return np.einsum("tn,tnk->tk", weight, shift) / np.maximum(total, 1e-9)[:, None]
