"""People on their way: the pose of one moment of a walk, as surveillance cameras see it."""

from dataclasses import replace

import numpy as np

from repro.data.studio.mesh import PART, Mesh
from repro.data.studio.pose import articulate, grounded, intersects, random_pose
from repro.data.studio.skeleton import BONE, Pose, axis_angles, rotation_matrices
from repro.data.studio.tubes import Array

WALKING = 0.75
"""Share of people who walk; the others stand."""
PHONE = 0.12
"""Share of walkers who look at something in their hand."""


def passing_pose(mesh: Mesh, rng: np.random.Generator, attempts: int = 20) -> Pose:
    """Return the pose of somebody in the street, walking or standing, facing +z, the lowest vertex on the ground.

    Poses in which an arm enters another part of the body are drawn again.
    """
    if rng.random() < WALKING:
        skirted = bool((mesh.part == PART["skirt"]).any())
        for _ in range(attempts):
            pose = articulate(walking_angles(rng, ease=0.7 if skirted else 1.0))
            if not intersects(mesh, pose):
                return grounded(mesh, pose)
    return random_pose(mesh, rng)


def walking_angles(rng: np.random.Generator, ease: float = 1.0) -> dict[str, float]:
    """Return the angles in degrees at a random moment of a walk.

    Legs swing against each other and arms against the legs; the knee bends while its leg swings forward, the heel rises
    behind the body.

    Args:
        rng: generator of the purpose.
        ease: length of the steps, below 1 for tight skirts.
    """
    phase, step, swing = rng.uniform(0, 2 * np.pi), ease * rng.uniform(16, 25), rng.uniform(8, 26)
    bend, out = rng.uniform(14, 40), rng.uniform(9, 16)
    angles = {
        "lean": rng.uniform(1, 5),
        "spine_twist": -rng.uniform(2, 6) * np.sin(phase),
        "neck_yaw": float(np.clip(rng.normal(0, 18), -60, 60)),
        "neck_nod": float(np.clip(rng.normal(5, 7), -20, 30)),
    }
    for side, moment in (("right", phase), ("left", phase + np.pi)):
        forward, gaining = np.sin(moment), max(0.0, float(np.cos(moment)))
        behind = max(0.0, float(-forward))
        angles[f"{side}_hip_flex"] = 6 + step * forward
        angles[f"{side}_knee"] = 5 + 38 * ease * gaining + 14 * behind
        angles[f"{side}_ankle"] = 5 * max(0.0, float(forward)) - 14 * behind
        angles[f"{side}_hip_abduct"] = 3.0
        angles[f"{side}_shoulder_flex"] = -swing * forward
        angles[f"{side}_shoulder_abduct"] = out
        angles[f"{side}_elbow"] = bend + 8 * behind
    if rng.random() < PHONE:
        side = "right" if rng.random() < 0.6 else "left"
        angles |= {
            f"{side}_elbow": rng.uniform(85, 105),
            f"{side}_shoulder_flex": rng.uniform(12, 25),
            "neck_nod": 24.0,
        }
    return {name: float(value) for name, value in angles.items()}


def placed(pose: Pose, turn: float, place: Array) -> Pose:
    """Return a pose turned by ``turn`` radians about +y (+z goes towards +x) and moved by ``place`` (3,) metres."""
    rotations = pose.rotations.copy()
    pelvis = BONE["pelvis"]
    around = rotation_matrices(np.array([0.0, turn, 0.0]))
    rotations[pelvis] = axis_angles(around @ rotation_matrices(rotations[pelvis]))
    return replace(pose, rotations=rotations, root=pose.root + place)
