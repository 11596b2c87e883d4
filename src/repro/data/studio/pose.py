"""Poses: anatomical angles to bone rotations, random standing poses within limits, and no limb through another."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from repro.data.studio.mesh import PART, Mesh, pose_vertices
from repro.data.studio.skeleton import BONE, BONES, REST_ABDUCTION, Pose, axis_angles, rotation_matrices
from repro.data.studio.tubes import Array

LIMITS: dict[str, tuple[float, float]] = {
    "turn": (-180, 180), "lean": (-30, 30), "sway": (-15, 15),
    "spine_bend": (-20, 30), "spine_side": (-20, 20), "spine_twist": (-30, 30),
    "neck_yaw": (-70, 70), "neck_nod": (-30, 35), "neck_tilt": (-25, 25),
    "shoulder_flex": (-50, 170), "shoulder_abduct": (-20, 170), "shoulder_twist": (-80, 80),
    "elbow": (0, 145), "wrist_flex": (-60, 60), "wrist_side": (-20, 30),
    "hip_flex": (-20, 120), "hip_abduct": (-20, 45), "hip_twist": (-40, 40),
    "knee": (0, 140), "ankle": (-40, 30),
}  # fmt: skip
"""Degrees. Angles of limbs are given per side, for example "right_elbow"."""
CENTRAL = ("turn", "lean", "sway", "spine_bend", "spine_side", "spine_twist", "neck_yaw", "neck_nod", "neck_tilt")
ANGLES = CENTRAL + tuple(f"{side}_{name}" for side in ("right", "left") for name in LIMITS if name not in CENTRAL)


def articulate(angles: Mapping[str, float], root: Array | None = None) -> Pose:
    """Return the pose of anatomical angles in degrees; angles not named are 0 (standing, arms hanging down).

    Convention: bends and flexions go forward, sides and tilts to the person's left, turns and twists to the person's
    left (about +y); limbs are alike on both sides: abduction goes outward, twist inward; knee flexion goes backward;
    ankle flexion lifts the toes.

    Raises:
        ValueError: an angle that is not in ``ANGLES`` or lies outside its limits.
    """
    for name, value in angles.items():
        if name not in ANGLES:
            raise ValueError(f"unknown angle {name!r}: choose of {', '.join(ANGLES)}")
        low, high = LIMITS[name if name in CENTRAL else name.partition("_")[2]]
        if not low <= value <= high:
            raise ValueError(f"expected {name} between {low} and {high} degrees, got {value:g}")
    return Pose(bone_rotations(angles), np.zeros(3) if root is None else np.asarray(root, dtype=np.float64))


def bone_rotations(angles: Mapping[str, float | Array]) -> Array:
    """Return the axis-angles (..., 17, 3) of anatomical angles in degrees, a number or (...) each; see ``articulate``.

    Nothing is checked: that many poses at once are what a motion asks for, and a limit may be touched between keys.
    """
    shape = np.broadcast_shapes(*(np.shape(value) for value in angles.values()))
    a = {name: np.broadcast_to(np.deg2rad(angles.get(name, 0.0)), shape) for name in ANGLES}
    rotations = np.zeros((*shape, len(BONES), 3))
    rotations[..., BONE["pelvis"], :] = _compose(_y(a["turn"]), _x(a["lean"]), _z(-a["sway"]))
    for bone in ("spine", "chest"):  # each takes half
        rotations[..., BONE[bone], :] = _compose(
            _y(a["spine_twist"] / 2), _x(a["spine_bend"] / 2), _z(-a["spine_side"] / 2)
        )  # fmt: skip
    for bone in ("neck", "head"):
        rotations[..., BONE[bone], :] = _compose(_y(a["neck_yaw"] / 2), _x(a["neck_nod"] / 2), _z(-a["neck_tilt"] / 2))
    for side, sign in (("right", -1.0), ("left", 1.0)):
        get = lambda name, side=side: a[f"{side}_{name}"]  # noqa: E731
        rest = np.deg2rad(REST_ABDUCTION)
        arm = np.array([sign * np.sin(rest), -np.cos(rest), 0.0])
        forward = np.cross(arm, [0.0, 0.0, 1.0])  # turning about it carries the arm towards +z
        rotations[..., BONE[f"{side}_upper_arm"], :] = _compose(
            _x(-get("shoulder_flex")),
            _z(sign * (get("shoulder_abduct") - rest)),
            _about(arm * sign, get("shoulder_twist")),
        )
        rotations[..., BONE[f"{side}_forearm"], :] = _about(forward, get("elbow"))
        rotations[..., BONE[f"{side}_hand"], :] = _compose(
            _z(-sign * get("wrist_flex")), _about(forward, get("wrist_side"))
        )
        rotations[..., BONE[f"{side}_thigh"], :] = _compose(
            _x(-get("hip_flex")), _z(sign * get("hip_abduct")), _y(-sign * get("hip_twist"))
        )
        rotations[..., BONE[f"{side}_shin"], :] = _x(get("knee"))
        rotations[..., BONE[f"{side}_foot"], :] = _x(-get("ankle"))
    return rotations


def random_angles(rng: np.random.Generator, ease: float = 1.0) -> dict[str, float]:
    """Return the angles of a random standing pose, degrees: natural stances, arms anywhere plausible.

    Args:
        rng: generator of the purpose.
        ease: how far the legs may open and bend, below 1 for tight skirts.
    """
    draw = lambda name, mean, spread: float(  # noqa: E731
        np.clip(rng.normal(mean, spread), *LIMITS[name if name in CENTRAL else name.partition("_")[2]])
    )
    angles = {
        "lean": draw("lean", 1, 3), "sway": draw("sway", 0, 3), "spine_bend": draw("spine_bend", 2, 5),
        "spine_side": draw("spine_side", 0, 5), "spine_twist": draw("spine_twist", 0, 8),
        "neck_yaw": draw("neck_yaw", 0, 18), "neck_nod": draw("neck_nod", 3, 8), "neck_tilt": draw("neck_tilt", 0, 6),
    }  # fmt: skip
    for side in ("right", "left"):
        kind = rng.choice(["hanging", "hip", "raised", "free"], p=(0.45, 0.2, 0.12, 0.23))
        means = {
            #           flex    abduct   twist    elbow
            "hanging": ((2, 10), (12, 5), (5, 15), (14, 9)),
            "hip": ((-18, 8), (38, 8), (48, 8), (88, 10)),
            "raised": ((40, 40), (95, 30), (0, 25), (60, 35)),
            "free": ((20, 25), (28, 14), (20, 25), (50, 30)),
        }[str(kind)]
        for name, (mean, spread) in zip(("shoulder_flex", "shoulder_abduct", "shoulder_twist", "elbow"), means):
            angles[f"{side}_{name}"] = draw(f"{side}_{name}", mean, spread)
        angles[f"{side}_wrist_flex"] = draw(f"{side}_wrist_flex", 5, 12)
        # A bent knee goes with a thigh that comes forward and a foot that stays on the ground.
        knee = min(abs(rng.normal(0, 14 * ease)), 60.0)
        angles[f"{side}_knee"] = knee
        angles[f"{side}_hip_flex"] = float(np.clip(0.55 * knee + rng.normal(0, 5 * ease), -20, 60))
        angles[f"{side}_ankle"] = float(np.clip(0.3 * knee + rng.normal(0, 2), -20, 25))
        angles[f"{side}_hip_abduct"] = float(np.clip(rng.normal(5, 4 * ease), -2, 25))
        angles[f"{side}_hip_twist"] = draw(f"{side}_hip_twist", -6, 8)
    return angles


def random_pose(mesh: Mesh, rng: np.random.Generator, attempts: int = 40) -> Pose:
    """Return a random standing pose of a person, free of self-intersection, with the lowest vertex on the ground.

    Poses in which a fore-arm or hand enters trunk, head, legs or the other arm are drawn again; should all attempts
    fail (never seen), the arms hang down.
    """
    skirted = bool((mesh.part == PART["skirt"]).any())
    for _ in range(attempts):
        angles = random_angles(rng, ease=0.6 if skirted else 1.0)
        pose = articulate(angles)
        if not intersects(mesh, pose):
            return grounded(mesh, pose)
    still = {name: value for name, value in angles.items() if "shoulder" not in name and "elbow" not in name}
    return grounded(mesh, articulate(still | {"right_shoulder_abduct": 20.0, "left_shoulder_abduct": 20.0}))


def grounded(mesh: Mesh, pose: Pose) -> Pose:
    """Return the pose with its root shifted so that the lowest vertex touches y = 0."""
    lowest = float(pose_vertices(mesh, pose)[:, 1].min())
    return replace(pose, root=pose.root - [0.0, lowest, 0.0])


CAPSULES = (  # bone, from point, to point, radius in parts of the stature
    ("pelvis", "hip", "spine", 0.085), ("chest", "spine", "thorax", 0.080), ("head", "chin", "crown", 0.055),
    ("right_thigh", "right_hip", "right_knee", 0.045), ("left_thigh", "left_hip", "left_knee", 0.045),
)  # fmt: skip
ARM_RADIUS = 0.02


def intersects(mesh: Mesh, pose: Pose) -> bool:
    """Tell whether a fore-arm or a hand enters the trunk, the head, a thigh or the other arm.

    Trunk and pelvis are flat: their capsules are measured in the bone's rest frame with depth stretched by 1.35.
    Fore-arm and hand are sampled; the 6 cm next to the elbow are left out.
    """
    skeleton = mesh.skeleton
    transforms = skeleton.transforms(pose)
    stature = float(skeleton.points["crown"][1][1])
    at = {name: skeleton.posed_point(name, transforms) for name in skeleton.points}
    arms = {}
    for side in ("right", "left"):
        elbow, wrist, tip = (at[f"{side}_{name}"] for name in ("elbow", "wrist", "fingertip"))
        t = np.linspace(0.25, 1.0, 6)[:, None]
        arms[side] = np.concatenate([elbow + t * (wrist - elbow), wrist + np.array([[0.4], [0.8]]) * (tip - wrist)])
    both = np.concatenate([arms["right"], arms["left"]])
    for bone, start, end, radius in CAPSULES:
        rotation, shift = transforms[BONE[bone], :, :3], transforms[BONE[bone], :, 3]
        local = ((both - shift)[:, None, :] * rotation.T).sum(-1)
        flat = np.array([1.0, 1.0, 1.35]) if bone in ("pelvis", "chest") else np.ones(3)
        a, b = skeleton.points[start][1] * flat, skeleton.points[end][1] * flat
        if (_distance(local * flat, a, b) < (radius + ARM_RADIUS * 0.8) * stature).any():
            return True
    for side, other in (("right", "left"), ("left", "right")):
        for start, end in (("shoulder", "elbow"), ("elbow", "wrist"), ("wrist", "fingertip")):
            a, b = at[f"{other}_{start}"], at[f"{other}_{end}"]
            if (_distance(arms[side], a, b) < 1.8 * ARM_RADIUS * stature).any():
                return True
    return False


def _distance(points: Array, a: Array, b: Array) -> Array:
    """Distances (N,) of points to the segment from a to b."""
    along = np.clip(((points - a) * (b - a)).sum(1) / max(float(((b - a) ** 2).sum()), 1e-12), 0, 1)
    return np.linalg.norm(points - a - along[:, None] * (b - a), axis=1)


def _compose(*rotations: Array) -> Array:
    """The axis-angles (..., 3) of several rotations, the last applied first."""
    matrix = rotation_matrices(rotations[0])
    for rotation in rotations[1:]:
        matrix = np.einsum("...ij,...jk->...ik", matrix, rotation_matrices(rotation))
    return axis_angles(matrix)


def _about(axis: Array, angle: Array) -> Array:
    return axis * angle[..., None]


def _x(angle: Array) -> Array:
    return _about(np.array([1.0, 0.0, 0.0]), angle)


def _y(angle: Array) -> Array:
    return _about(np.array([0.0, 1.0, 0.0]), angle)


def _z(angle: Array) -> Array:
    return _about(np.array([0.0, 0.0, 1.0]), angle)
