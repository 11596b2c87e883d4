r"""From a capture to a person of the studio: bones point where the captured ones point, feet stay on the ground.

Every bone of the studio gets a rotation from its rest pose to the world,

.. math:: W_b = G_c\, A_b,

with the capture's G from its own rest to the world and the calibration A, which carries the studio's resting bone to
the capture's: the same direction, and the same side to which the limb bends. That side is not in the file; the motion
itself shows it. So rest poses may differ (arms spread, arms hanging), and lengths do not matter.
"""

from itertools import pairwise

import numpy as np
from scipy.spatial.transform import Rotation

from repro.data.mocap.capture import Capture, product, rotation_vectors
from repro.data.mocap.clear import cleared
from repro.data.mocap.ground import planted
from repro.data.mocap.names import drivers, leaves
from repro.data.problems import DataError, Problem
from repro.data.studio.mesh import Mesh
from repro.data.studio.motion import Motion
from repro.data.studio.skeleton import BONE, BONES, PARENT, Pose, Skeleton, rotation_matrices
from repro.data.studio.tubes import Array

SIDES = ("right", "left")
# Limbs as (start, middle, end) and the side to which they bend at rest: elbows forward, knees backward.
LIMBS = {
    "arm": (("upper_arm", "forearm", "hand"), np.array([0.0, 0.0, 1.0])),
    "leg": (("thigh", "shin", "foot"), np.array([0.0, 0.0, -1.0])),
}
FORWARD, UP = np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 0.0])
# A limb that on average bends less than this (sine) does not show to which side it does, nor does a bone that points
# there itself.
STRAIGHT = 0.1
# A bone shorter than this, in the capture's unit, points nowhere.
NO_LENGTH = 1e-9


def retarget(capture: Capture, mesh: Mesh, fps: float = 25.0, facing: float | None = 0.0) -> Motion:
    """Return the captured motion as a person of the studio makes it.

    Args:
        capture: from :func:`read_bvh` or :func:`read_asf_amc`; its unit does not matter, the leg's length decides.
        mesh: the person, for lengths and for soles that meet the ground.
        fps: frames per second of the result.
        facing: where the person faces in the first frame, degrees from +z to the person's left, then standing above
            the origin; None = place and heading as they were captured.

    Raises:
        DataError: joints without which nobody can be moved are missing, bones of the limbs have no length, or the rest
            pose is no standing person.
    """
    skeleton = mesh.skeleton
    capture = capture.resampled(fps)
    joints = drivers(capture)
    _require_lengths(capture, joints)
    axes = _axes(capture, joints)
    turns, places = capture.world
    turns = np.einsum("ji,tajk,kl->tail", axes, turns, axes)  # to the studio's axes: x left, y up, z forward
    places, rest = places @ axes, capture.rest @ axes
    world = np.empty((len(turns), len(BONES), 3, 3))
    for bone in ("pelvis", "chest", "head"):
        world[:, BONE[bone]] = turns[:, joints[bone]]
    for bone, below, above in (("spine", "pelvis", "chest"), ("neck", "chest", "head")):
        own = turns[:, joints[bone]] if bone in joints else _between(world[:, BONE[below]], world[:, BONE[above]])
        world[:, BONE[bone]] = own
    for side in SIDES:
        for limb in LIMBS:
            for bone, rotations in _limb(capture, joints, skeleton, side, limb, turns, places, rest).items():
                world[:, BONE[bone]] = rotations
    length = _leg(skeleton.joints, {bone: BONE[bone] for bone in joints}) / _leg(rest, joints)
    hips = places[:, [joints["right_thigh"], joints["left_thigh"]]].mean(1) * length
    poses = cleared(mesh, planted(mesh, _poses(skeleton, world, hips), fps), fps)
    return Motion("capture", poses if facing is None else _faced(skeleton, poses, facing), fps)


def _require_lengths(capture: Capture, joints: dict[str, int]) -> None:
    """Refuse limbs whose bones point nowhere; only the last bone, hand or foot, may be without length."""
    problems = []
    for side in SIDES:
        for names, _ in LIMBS.values():
            for bone, end in pairwise(names):
                first, second = (joints[f"{side}_{one}"] for one in (bone, end))
                if np.linalg.norm(capture.rest[second] - capture.rest[first]) < NO_LENGTH:
                    ends = f"{capture.names[first]} and {capture.names[second]} lie at one place"
                    problems.append(Problem("bone without length", "", f"{side}_{bone}", ends))
    if problems:
        raise DataError(
            "the capture's rest pose does not show where these bones point:",
            problems,
            "Give the joints at their ends offsets in the file.",
        )


def _axes(capture: Capture, joints: dict[str, int]) -> Array:
    """The studio's axes (columns: left, up, forward) in the capture's, from a person who stands along some axes."""
    rest = capture.rest
    left = rest[joints["left_thigh"]] - rest[joints["right_thigh"]]
    up = rest[joints["head"]] - (rest[joints["left_thigh"]] + rest[joints["right_thigh"]]) / 2
    left, up = (np.rint(one / max(float(np.linalg.norm(one)), 1e-12)) for one in (left, up))
    forward = np.cross(left, up)
    if not all(np.abs(one).sum() == 1 for one in (left, up, forward)):
        raise DataError(
            "the capture's rest pose is no standing person:",
            [Problem("rest pose", "", "offsets", f"left hip towards {left}, head towards {up}")],
            "Export it with a rest pose that stands upright along the axes (a T pose or hanging arms).",
        )
    return np.stack([left, up, forward], 1)


def _limb(
    capture: Capture,
    joints: dict[str, int],
    skeleton: Skeleton,
    side: str,
    limb: str,
    turns: Array,
    places: Array,
    rest: Array,
) -> dict[str, Array]:
    """Rotations (T, 3, 3) of the three bones of an arm or a leg."""
    names, bend = LIMBS[limb]
    upper, lower, end = (f"{side}_{name}" for name in names)
    a, b, c = (joints[bone] for bone in (upper, lower, end))
    tip = rest[leaves(capture, c)].mean(0)
    theirs = {upper: rest[b] - rest[a], lower: rest[c] - rest[b], end: tip - rest[c]}
    own = skeleton.joints[BONE[upper]], skeleton.joints[BONE[lower]], skeleton.joints[BONE[end]]
    fingertip = skeleton.points[f"{side}_{'fingertip' if limb == 'arm' else 'toe'}"][1]
    ours = {upper: own[1] - own[0], lower: own[2] - own[1], end: fingertip - own[2]}
    if limb == "leg":
        # Feet stand flat at rest, whatever the height of the toe's joint; where they point down, it is their direction.
        flat = theirs[end] * [1, 0, 1]
        if np.linalg.norm(flat) > 0.5 * np.linalg.norm(theirs[end]):
            theirs[end], ours[end] = flat, ours[end] * [1, 0, 1]
    # Where the lower bone points, seen from the upper one: its mean sideways part is the side to which the limb bends.
    seen = np.einsum("tji,tj->ti", turns[:, a], places[:, c] - places[:, b]).mean(0) / np.linalg.norm(theirs[lower])
    along = theirs[upper] / np.linalg.norm(theirs[upper])
    seen = seen - (seen @ along) * along
    shown = seen if np.linalg.norm(seen) > STRAIGHT else bend
    sides = {upper: shown, lower: shown, end: shown if limb == "arm" else UP}
    rotations: dict[str, Array] = {}
    for bone, joint in ((upper, a), (lower, b), (end, c)):
        if np.linalg.norm(theirs[bone]) < NO_LENGTH:  # a file that ends at wrist or ankle: hand and foot follow stiffly
            rotations[bone] = rotations[lower]
            continue
        side_of_ours = bend if sides[bone] is shown else sides[bone]
        # What shows the side of a bone that points there itself: turned down, a foot has its instep in front; turned
        # to where the limb bends, the lower bone has there what pointed back along the upper one.
        others = (FORWARD,) if sides[bone] is UP else (-along, UP)
        calibration = _frame(theirs[bone], sides[bone], *others) @ _frame(ours[bone], side_of_ours).T
        rotations[bone] = np.einsum("tij,jk->tik", turns[:, joint], calibration)
    if limb == "arm":
        # The fore-arm takes half of the hand's turn about it, as skin does.
        rotations[lower] = _half_twist(rotations[lower], rotations[end], ours[lower])
    return rotations


def _frame(direction: Array, *sides: Array) -> Array:
    """A right-handed frame (columns): along ``direction``, then towards the first side that is not parallel to it."""
    first = direction / np.linalg.norm(direction)
    seconds = [side / np.linalg.norm(side) - (side @ first) / np.linalg.norm(side) * first for side in sides]
    second = next((one for one in seconds if np.linalg.norm(one) > STRAIGHT), seconds[-1])
    second = second / np.linalg.norm(second)
    return np.stack([first, second, np.cross(first, second)], 1)


def _half_twist(lower: Array, end: Array, along: Array) -> Array:
    """``lower`` (T, 3, 3) turned about its bone by half the angle by which ``end`` is turned about it."""
    axis = along / np.linalg.norm(along)
    quaternion = Rotation.from_matrix(product(np.swapaxes(lower, 1, 2), end)).as_quat(canonical=True)
    angle = 2 * np.arctan2(quaternion[:, :3] @ axis, quaternion[:, 3])
    angle = (angle + np.pi) % (2 * np.pi) - np.pi
    return product(lower, rotation_matrices(angle[:, None] / 2 * axis))


def _between(first: Array, second: Array) -> Array:
    """The rotations (T, 3, 3) half-way between two."""
    turn = rotation_vectors(product(np.swapaxes(first, 1, 2), second))
    return product(first, rotation_matrices(turn / 2))


def _leg(joints: Array, index: dict[str, int]) -> float:
    """The mean length of a leg, hip to ankle."""
    return float(
        sum(
            np.linalg.norm(joints[index[f"{side}_{end}"]] - joints[index[f"{side}_{start}"]])
            for side in SIDES
            for start, end in (("thigh", "shin"), ("shin", "foot"))
        )
        / 2
    )


def _poses(skeleton: Skeleton, world: Array, hips: Array) -> tuple[Pose, ...]:
    """The poses of world rotations (T, 17, 3, 3) whose hips' middle lies at ``hips`` (T, 3)."""
    local = world.copy()
    for bone, parent in enumerate(PARENT):
        if parent >= 0:
            local[:, bone] = product(np.swapaxes(world[:, parent], 1, 2), world[:, bone])
    vectors = rotation_vectors(local)
    pelvis, rest = skeleton.joints[BONE["pelvis"]], skeleton.points["hip"][1]
    # The hips' middle hangs on the pelvis, which turns about its joint.
    roots = hips - pelvis - np.einsum("tij,j->ti", world[:, BONE["pelvis"]], rest - pelvis)
    return tuple(Pose(vectors[frame], roots[frame]) for frame in range(len(world)))


def _faced(skeleton: Skeleton, poses: tuple[Pose, ...], facing: float) -> tuple[Pose, ...]:
    """The poses turned about the vertical so that the first one faces ``facing`` degrees above the origin."""
    pelvis = skeleton.joints[BONE["pelvis"]]
    left = rotation_matrices(poses[0].rotations[BONE["pelvis"]])[:, 0]
    # The person's left, not the front, which points anywhere once somebody bends over.
    angle = np.deg2rad(facing) + np.arctan2(left[2], left[0])
    turn = rotation_matrices(np.array([0.0, angle, 0.0]))
    first = (pelvis + poses[0].root) * [1, 0, 1]
    result = []
    for pose in poses:
        rotations = pose.rotations.copy()
        rotations[BONE["pelvis"]] = rotation_vectors(turn @ rotation_matrices(rotations[BONE["pelvis"]]))
        result.append(Pose(rotations, turn @ (pelvis + pose.root - first) - pelvis))
    return tuple(result)
