"""Standing feet that stay: what still slides once the person is on the ground is pinned, and the leg bent after it."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_closing

from repro.data.mocap.capture import product, rotation_vectors
from repro.data.studio.legs import Leg
from repro.data.studio.mesh import Mesh
from repro.data.studio.skeleton import BONE, PARENT, Pose, rotation_matrices
from repro.data.studio.tubes import Array

NEAR = 0.012
"""Metres: a foot that swings faster than ``GRAZE`` keeps so far above the ground."""
GRAZE = 0.5
"""Metres per second of what touches the ground: faster is no standing."""
UNMOVED = 1e-5
"""Metres by which an ankle is not worth moving."""


def pinned(
    mesh: Mesh, poses: tuple[Pose, ...], soles: Array, stands: NDArray[np.bool_], side: str, fps: float
) -> tuple[Pose, ...]:
    """Return the poses with one foot that stays where it stands and clears the ground where it swings.

    The foot keeps its turn; thigh and shin follow the ankle (:func:`reached`). While the foot stands, the slide of the
    points that carry it is taken back, about the middle of where it was; while it swings, what was taken back is
    blended from stand to stand.

    Args:
        mesh: the person.
        poses: one per frame.
        soles: (T, N, 3) points of the foot.
        stands: (T - 1, N) whether a point stands from each frame to the next.
        side: "right" or "left".
        fps: frames per second.
    """
    # One step between two stands is no swing.
    standing = binary_closing(np.pad(stands.any(1), 1), np.ones(2))[1:-1] | stands.any(1)
    shift = np.zeros((len(poses), 3))
    shift[:, [0, 2]] = _taken_back(slide(soles, stands | (standing & ~stands.any(1))[:, None]), standing)
    shift[:, 1] = _cleared(soles, standing, fps)
    return reached(mesh, poses, side, shift)


def slide(soles: Array, stands: NDArray[np.bool_]) -> Array:
    """Return how far the standing points (T - 1, N) of soles (T, N, 3) slide from frame to frame, (T - 1, 2).

    The lowest points carry the weight; zero where none stands.
    """
    steps = np.diff(soles[..., [0, 2]], axis=0)
    height = (soles[1:, :, 1] + soles[:-1, :, 1]) / 2
    weight = stands * np.exp(-(height - height.min(1, keepdims=True)) / 0.01)
    return np.einsum("tn,tnk->tk", weight, steps) / np.maximum(weight.sum(1), 1e-9)[:, None]


def _taken_back(slides: Array, standing: NDArray[np.bool_]) -> Array:
    """The shift (T, 2) that undoes slides (T - 1, 2) where the foot stands (T - 1,), blended in between."""
    frames, values = [], []
    edges = np.flatnonzero(np.diff(np.pad(standing.astype(int), 1)))
    for first, last in edges.reshape(-1, 2):  # steps first ... last - 1: frames first ... last
        own = -np.concatenate([np.zeros((1, 2)), np.cumsum(slides[first:last], axis=0)])
        frames.append(np.arange(first, last + 1))
        values.append(own - (own.max(0) + own.min(0)) / 2)
    if not frames:
        return np.zeros((len(standing) + 1, 2))
    at, known = np.concatenate(frames), np.concatenate(values)
    every = np.arange(len(standing) + 1)
    return np.stack([np.interp(every, at, known[:, axis]) for axis in range(2)], 1)


def _cleared(soles: Array, standing: NDArray[np.bool_], fps: float) -> Array:
    """How far (T,) a swinging foot must be lifted so that nothing fast of it is at the ground."""
    low = soles[..., 1] < NEAR
    fast = np.linalg.norm(np.diff(soles[..., [0, 2]], axis=0), axis=-1) * fps > GRAZE
    grazes = (low[1:] & low[:-1] & fast).any(1) & ~standing
    either = np.zeros(len(soles), dtype=bool)
    either[1:] |= grazes
    either[:-1] |= grazes
    stood = np.zeros(len(soles), dtype=bool)
    stood[1:] |= standing
    stood[:-1] |= standing
    return np.where(either & ~stood, np.maximum(NEAR - soles[..., 1].min(1), 0.0), 0.0)


def reached(mesh: Mesh, poses: tuple[Pose, ...], side: str, shift: Array) -> tuple[Pose, ...]:
    r"""Return the poses with one ankle moved by ``shift``, the foot's turn in the world kept, the hip where it was.

    The knee bends in the plane of the leg to the distance d of hip and ankle, by the law of cosines

    .. math:: d^2 = a^2 + b^2 + 2 a b \cos k ,

    with thigh a, shin b and bend k; then the whole leg turns the shortest way to where the ankle is wanted. Out of
    reach, the ankle is approached: no bone is stretched.

    Args:
        mesh: the person.
        poses: one per frame.
        side: "right" or "left".
        shift: (T, 3) metres, world axes.
    """
    moved = np.flatnonzero(np.linalg.norm(shift, axis=1) > UNMOVED)
    if not len(moved):
        return poses
    bones = [BONE[f"{side}_{name}"] for name in ("thigh", "shin", "foot")]
    transforms = np.stack([mesh.skeleton.transforms(poses[frame]) for frame in moved])
    world = transforms[:, bones, :, :3]
    hip, knee, ankle = (
        transforms[:, bone, :, :3] @ mesh.skeleton.joints[bone] + transforms[:, bone, :, 3] for bone in bones
    )
    upper, lower, wanted = knee - hip, ankle - knee, ankle + shift[moved] - hip
    a, b, now, far = (np.linalg.norm(one, axis=1) for one in (upper, lower, ankle - hip, wanted))
    # Not straighter than a leg that counts as stretched, unless it was; not folded further than heel and seat allow.
    d = np.clip(far, 0.4 * (a + b), np.maximum(now, Leg.of(mesh.skeleton, side).reach))

    bend = lambda distance: np.arccos(np.clip((distance**2 - a**2 - b**2) / (2 * a * b), -1, 1))  # noqa: E731
    axis = np.cross(upper, lower)
    straight = np.linalg.norm(axis, axis=1) < 1e-3 * a * b
    axis[straight] = world[straight, 0, :, 0]  # the knee's own axis
    more = rotation_matrices((bend(d) - bend(now))[:, None] * _unit(axis))
    turn = _shortest(upper + np.einsum("tij,tj->ti", more, lower), wanted)

    world[:, 0] = product(turn, world[:, 0])
    world[:, 1] = product(turn, product(more, world[:, 1]))
    parents = [transforms[:, PARENT[bones[0]], :, :3], world[:, 0], world[:, 1]]
    result = list(poses)
    local = np.stack([product(np.swapaxes(parent, 1, 2), world[:, place]) for place, parent in enumerate(parents)], 1)
    for frame, vectors in zip(moved, rotation_vectors(local)):
        rotations = poses[frame].rotations.copy()
        rotations[bones] = vectors
        result[frame] = replace(poses[frame], rotations=rotations)
    return tuple(result)


def _shortest(first: Array, second: Array) -> Array:
    """The least turns (T, 3, 3) that carry directions (T, 3) onto others, none of them opposite."""
    one, other = _unit(first), _unit(second)
    axis = np.cross(one, other)
    sine, cosine = np.linalg.norm(axis, axis=1, keepdims=True), (one * other).sum(1, keepdims=True)
    return rotation_matrices(np.arctan2(sine, cosine) * axis / np.maximum(sine, 1e-12))


def _unit(vectors: Array) -> Array:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
