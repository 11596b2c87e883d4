"""The skeleton: 17 bones in a rest A-pose, forward kinematics, and the joint lists that detectors and data sets use."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from repro.checks import require_choice

if TYPE_CHECKING:
    from repro.data.studio.identity import Body

Array = NDArray[np.float64]

BONES = (
    "pelvis", "spine", "chest", "neck", "head",
    "right_upper_arm", "right_forearm", "right_hand", "left_upper_arm", "left_forearm", "left_hand",
    "right_thigh", "right_shin", "right_foot", "left_thigh", "left_shin", "left_foot",
)  # fmt: skip
BONE = {name: index for index, name in enumerate(BONES)}
PARENT = (-1, 0, 1, 2, 3, 2, 5, 6, 2, 8, 9, 0, 11, 12, 0, 14, 15)
MIRROR = np.array([0, 1, 2, 3, 4, 8, 9, 10, 5, 6, 7, 14, 15, 16, 11, 12, 13])
"""The bone on the other side of the body."""

REST_ABDUCTION = 40.0
"""Degrees between the resting upper arm and straight down: 50 degrees below the horizontal."""

OPENPOSE_18 = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
    "right_eye", "left_eye", "right_ear", "left_ear",
)  # fmt: skip
COCO_17 = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip
HUMAN36M_17 = (
    "hip", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "spine", "thorax", "nose",
    "crown", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist",
)  # fmt: skip
LAYOUTS = {"openpose18": OPENPOSE_18, "coco17": COCO_17, "human36m17": HUMAN36M_17}


@dataclass(frozen=True)
class Pose:
    """One axis-angle per bone, applied at the bone's joint in the axes of the rest pose, and a shift of the root.

    Attributes:
        rotations: (17, 3), radians, relative to the parent bone.
        root: (3,), metres.
    """

    rotations: Array = field(default_factory=lambda: np.zeros((len(BONES), 3)))
    root: Array = field(default_factory=lambda: np.zeros(3))

    def __post_init__(self) -> None:
        if self.rotations.shape != (len(BONES), 3) or self.root.shape != (3,):
            raise ValueError(
                f"expected rotations (17, 3) and root (3,), got {self.rotations.shape} and {self.root.shape}"
            )

    def mirrored(self) -> "Pose":
        """Return the pose seen in a mirror (x -> -x, left and right exchanged)."""
        return Pose(self.rotations[MIRROR] * [1.0, -1.0, -1.0], self.root * [-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Skeleton:
    """Rest joints and named rest points of one body.

    Attributes:
        joints: (17, 3) where each bone starts, metres, world axes (+y up, the person faces +z, right = -x).
        points: name -> (bone, rest position (3,)): joints by their detector names, and nose, eyes, ears, crown,
            chin, finger tips, toes, heels.
    """

    joints: Array
    points: dict[str, tuple[int, Array]]

    def transforms(self, pose: Pose) -> Array:
        """Return (17, 3, 4): what carries each bone's rest points to the posed world."""
        rotations = rotation_matrices(pose.rotations)
        world = np.empty((len(BONES), 3, 4))
        for bone, parent in enumerate(PARENT):
            local = np.empty((3, 4))
            local[:, :3] = rotations[bone]
            local[:, 3] = self.joints[bone] - (rotations[bone] * self.joints[bone]).sum(1)
            if parent < 0:
                world[bone] = local
                world[bone, :, 3] += pose.root
            else:
                world[bone, :, :3] = np.einsum("ij,jk->ik", world[parent, :, :3], local[:, :3])
                world[bone, :, 3] = np.einsum("ij,j->i", world[parent, :, :3], local[:, 3]) + world[parent, :, 3]
        return world

    def posed_point(self, name: str, transforms: Array) -> Array:
        """Return the posed position (3,) of a named rest point."""
        bone, rest = self.points[require_choice("rest point", name, tuple(self.points))]
        return (transforms[bone, :, :3] * rest).sum(1) + transforms[bone, :, 3]

    def posed_joints(self, pose: Pose, layout: str = "openpose18") -> Array:
        """Return the joints of a layout in the posed world, (18, 3) or (17, 3), metres."""
        names = LAYOUTS[require_choice("joint layout", layout, tuple(LAYOUTS))]
        transforms = self.transforms(pose)
        return np.stack([self.posed_point(name, transforms) for name in names])

    def arm_direction(self, side: str) -> Array:
        """Return the unit vector (3,) along the resting arm, from shoulder to wrist."""
        along = self.joints[BONE[f"{side}_hand"]] - self.joints[BONE[f"{side}_upper_arm"]]
        return along / np.linalg.norm(along)


CANONICAL = {"ground": 0.0, "ankle": 0.043, "knee": 0.285, "hip": 0.52, "shoulder": 0.815, "chin": 0.872, "crown": 1.0}
"""Heights of the marks of an average body, as parts of its stature. Tables of shape are written in these heights."""


def stature_map(body: "Body", canonical: Array | float) -> Any:
    """Return the height in metres that a body gives to a canonical height (a part of the stature)."""
    leg, head = CANONICAL["hip"] * body.leg, (1 - CANONICAL["chin"]) * body.head
    shoulder = 1 - head - (CANONICAL["chin"] - CANONICAL["shoulder"])
    own = [0.0, CANONICAL["ankle"], CANONICAL["knee"] * body.leg, leg, shoulder, 1 - head, 1.0]
    return body.height * np.interp(canonical, list(CANONICAL.values()), own)


def build_skeleton(body: "Body") -> Skeleton:
    """Return the rest skeleton of a body."""
    height = body.height
    y = lambda part: float(stature_map(body, part))  # noqa: E731
    joints = np.zeros((len(BONES), 3))
    for name, part, z in (("pelvis", 0.53, 0), ("spine", 0.6, 0), ("chest", 0.69, 0), ("neck", 0.85, -0.004)):
        joints[BONE[name]] = (0, y(part), z * height)
    joints[BONE["head"]] = (0, y(0.885), 0.002 * height)
    points: dict[str, tuple[int, Array]] = {}
    for side, sign in (("right", -1.0), ("left", 1.0)):
        angle = np.deg2rad(REST_ABDUCTION)
        arm = np.array([sign * np.sin(angle), -np.cos(angle), 0.0])
        shoulder = np.array([sign * 0.103 * height * body.shoulder, y(0.8), -0.004 * height])
        elbow = shoulder + arm * 0.172 * height * body.arm
        wrist = elbow + arm * 0.15 * height * body.arm
        hip = np.array([sign * 0.05 * height * body.hip, y(0.52), 0.0])
        knee = np.array([sign * 0.05 * height * body.hip, y(0.285), 0.004 * height])
        ankle = np.array([sign * 0.05 * height * body.hip, y(0.043), -0.008 * height])
        for bone, joint, name in (
            ("upper_arm", shoulder, "shoulder"), ("forearm", elbow, "elbow"), ("hand", wrist, "wrist"),
            ("thigh", hip, "hip"), ("shin", knee, "knee"), ("foot", ankle, "ankle"),
        ):  # fmt: skip
            joints[BONE[f"{side}_{bone}"]] = joint
            points[f"{side}_{name}"] = (BONE[f"{side}_{bone}"], joint)
        points[f"{side}_fingertip"] = (BONE[f"{side}_hand"], wrist + arm * 0.1 * height * body.arm)
        points[f"{side}_toe"] = (BONE[f"{side}_foot"], np.array([ankle[0], 0.02 * height, 0.105 * height]))
        points[f"{side}_heel"] = (BONE[f"{side}_foot"], np.array([ankle[0], 0.02 * height, -0.04 * height]))

    # The head's own unit is its height from chin to crown; the numbers are those of the skull table in body.py.
    chin, unit = y(CANONICAL["chin"]), (1 - CANONICAL["chin"]) * body.head * height
    head = BONE["head"]
    points["nose"] = (head, np.array([0, chin + 0.36 * unit, 0.52 * unit]))
    points["mouth"] = (head, np.array([0, chin + 0.2 * unit, 0.385 * unit]))
    points["chin"] = (head, np.array([0, chin, 0.38 * unit]))
    points["crown"] = (head, np.array([0, y(1.0), 0.0]))
    for side, sign in (("right", -1.0), ("left", 1.0)):
        points[f"{side}_eye"] = (head, np.array([sign * 0.14 * unit, chin + 0.5 * unit, 0.345 * unit]))
        points[f"{side}_ear"] = (head, np.array([sign * 0.35 * unit, chin + 0.47 * unit, -0.02 * unit]))
    middle = (points["right_shoulder"][1] + points["left_shoulder"][1]) / 2
    points["neck"] = (BONE["chest"], middle + np.array([0.0, 0.012 * height, 0.0]))
    points["thorax"] = (BONE["chest"], middle)
    points["spine"] = (BONE["spine"], joints[BONE["chest"]])
    points["hip"] = (BONE["pelvis"], (points["right_hip"][1] + points["left_hip"][1]) / 2)
    return Skeleton(joints, points)


def rotation_matrices(axis_angle: Array) -> Array:
    r"""Return the rotation matrices (..., 3, 3) of axis-angle vectors (..., 3) by Rodrigues' formula.

    .. math:: R = I + \sin\theta\,[a]_\times + (1 - \cos\theta)\,[a]_\times^2
    """
    angle = np.linalg.norm(axis_angle, axis=-1)[..., None, None]
    x, y, z = np.moveaxis(axis_angle / np.maximum(angle[..., 0], 1e-12), -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*x.shape, 3, 3)
    square = np.einsum("...ij,...jk->...ik", cross, cross)
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * square


def axis_angles(matrices: Array) -> Array:
    """Return axis-angle vectors (..., 3) of rotation matrices (..., 3, 3); of half a turn one of the two axes."""
    cosine = np.clip((np.trace(matrices, axis1=-2, axis2=-1) - 1) / 2, -1, 1)
    angle = np.arccos(cosine)
    skew = np.stack(
        [
            matrices[..., 2, 1] - matrices[..., 1, 2],
            matrices[..., 0, 2] - matrices[..., 2, 0],
            matrices[..., 1, 0] - matrices[..., 0, 1],
        ],
        -1,
    )
    sine = np.sin(angle)
    scale = np.where(sine > 1e-9, angle / np.maximum(2 * sine, 1e-12), 0.5)
    vectors = skew * scale[..., None]
    half = (cosine < 0) & (sine < 1e-6)  # half a turn: the skew part says nothing
    if half.any():
        vectors[half] = Rotation.from_matrix(matrices[half]).as_rotvec()
    return vectors
