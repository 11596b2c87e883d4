"""Forward kinematics of whole clips at once, and which joints the body itself hides from a camera."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from repro.data.studio.pose import ARM_RADIUS, CAPSULES
from repro.data.studio.skeleton import BONE, BONES, PARENT, Pose, Skeleton, rotation_matrices

Array = NDArray[np.float64]

LIMBS = tuple(
    (f"{side}_{bone}", f"{side}_{start}", f"{side}_{end}", radius)
    for side in ("right", "left")
    for bone, start, end, radius in (
        ("upper_arm", "shoulder", "elbow", 0.026), ("forearm", "elbow", "wrist", ARM_RADIUS),
        ("hand", "wrist", "fingertip", ARM_RADIUS), ("shin", "knee", "ankle", 0.032), ("foot", "heel", "toe", 0.02),
    )
)  # fmt: skip
"""Bone, from point, to point, radius in parts of the stature: what ``pose.CAPSULES`` (trunk and thighs) leaves out."""
CLOTHED = 1.3
"""Flesh, cloth and hair around the capsules: with it they hide nearly what the depth buffer of the mesh hides."""
FLAT = np.array([1.0, 1.0, 1.35])
"""Trunk and pelvis are flat: depth counts more."""
INSIDE = 0.3
"""A joint within a capsule is hidden when it lies this part of the radius behind the axis."""


def clip_transforms(skeleton: Skeleton, poses: Sequence[Pose]) -> Array:
    """Return (T, 17, 3, 4), what carries each bone's rest points to the world: every pose's ``Skeleton.transforms``."""
    rotations = rotation_matrices(np.stack([pose.rotations for pose in poses]))
    world = np.empty((len(poses), len(BONES), 3, 4))
    for bone, parent in enumerate(PARENT):
        rotation = rotations[:, bone]
        shift = skeleton.joints[bone] - (rotation * skeleton.joints[bone]).sum(-1)
        if parent < 0:
            world[:, bone, :, :3], world[:, bone, :, 3] = rotation, shift + np.stack([pose.root for pose in poses])
        else:
            above = world[:, parent]
            world[:, bone, :, :3] = np.einsum("tij,tjk->tik", above[..., :3], rotation)
            world[:, bone, :, 3] = np.einsum("tij,tj->ti", above[..., :3], shift) + above[..., 3]
    return world


def clip_points(skeleton: Skeleton, transforms: Array, names: Sequence[str]) -> Array:
    """Return the posed places (T, N, 3), metres, of named rest points."""
    bones = [skeleton.points[name][0] for name in names]
    rest = np.stack([skeleton.points[name][1] for name in names])
    chosen = transforms[:, bones]
    return (chosen[..., :3] * rest[:, None, :]).sum(-1) + chosen[..., 3]


def hidden_joints(skeleton: Skeleton, transforms: Array, joints: Array, eye: Array) -> NDArray[np.bool_]:
    """Return (T, N) bool: the body stands between the camera and the joint.

    The body is trunk, head and limbs as capsules. A joint outside of a capsule is hidden when the line of sight passes
    through it; a joint within (a hip in the pelvis, an eye in the head) when it lies on the far side of the axis.

    Args:
        skeleton: who it is.
        transforms: (T, 17, 3, 4) of the poses.
        joints: (T, N, 3) posed joints, metres.
        eye: (3,) where the camera stands.
    """
    hidden = np.zeros(joints.shape[:2], bool)
    for bone, start, end, radius, scale in _capsules(skeleton):
        rotation, shift = transforms[:, bone, :, :3], transforms[:, bone, :, 3]
        local = lambda points, r=rotation, s=shift, f=scale: (  # noqa: E731
            np.einsum("tji,tnj->tni", r, points - s[:, None]) * f
        )
        hidden |= _behind(local(eye[None, None]), local(joints), start * scale, end * scale, radius)
    return hidden


def _capsules(skeleton: Skeleton) -> list[tuple[int, Array, Array, float, Array]]:
    """Bone, ends of the axis in the rest pose, radius, scale of the axes."""
    place = {name: rest for name, (_, rest) in skeleton.points.items()}
    stature = float(place["crown"][1])
    found = []
    for bone, start, end, radius in (*CAPSULES, *LIMBS):
        if bone != "head":
            scale = FLAT if bone in ("pelvis", "chest") else np.ones(3)
            found.append((BONE[bone], place[start], place[end], CLOTHED * radius * stature, scale))
    # The skull: around a vertical axis between the ears, from the mouth to above the brow; the nose stands out.
    unit, middle = stature - float(place["chin"][1]), (place["right_ear"] + place["left_ear"]) / 2
    up = np.array([0.0, unit, 0.0])
    found.append((BONE["head"], middle - 0.15 * up, middle + 0.2 * up, 0.42 * unit, np.ones(3)))
    return found


def _behind(eye: Array, joints: Array, start: Array, end: Array, radius: float) -> NDArray[np.bool_]:
    """Whether a capsule hides joints (T, N, 3) from eyes (T, 1, 3)."""
    axis, sight, offset = end - start, joints - eye, eye - start
    squared = max(float((axis * axis).sum()), 1e-12)

    def from_axis(points: Array) -> Array:
        along = np.clip(((points - start) * axis).sum(-1) / squared, 0, 1)
        return points - start - along[..., None] * axis

    own = from_axis(joints)
    length = np.linalg.norm(sight, axis=-1)
    inside = np.linalg.norm(own, axis=-1) < radius
    beyond = (own * sight).sum(-1) > INSIDE * radius * length

    # Nearest points of two segments: on the line of sight (0 eye, 1 joint) and on the axis.
    across, depth = (sight * axis).sum(-1), (sight * offset).sum(-1)
    height = (axis * offset).sum(-1)
    spread = np.maximum(length**2 * squared - across**2, 1e-12)
    near = np.clip((across * height - depth * squared) / spread, 0, 1)
    on_axis = np.clip((across * near + height) / squared, 0, 1)
    near = np.clip((across * on_axis - depth) / length**2, 0, 1)
    gap = np.linalg.norm(offset + near[..., None] * sight - on_axis[..., None] * axis, axis=-1)
    return np.where(inside, beyond, gap < radius)
