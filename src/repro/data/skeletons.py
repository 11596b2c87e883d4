"""Orders of joints that pose files come in: which one it is, the way to OpenPose's 18, COCO's and Human3.6M's 17."""

import numpy as np
from numpy.typing import NDArray

from repro.checks import require_choice
from repro.data.joints import MISSING
from repro.data.studio.skeleton import COCO_17, HUMAN36M_17, OPENPOSE_18

Array = NDArray[np.float64]

BODY_25 = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist", "hip",
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
    "right_eye", "left_eye", "right_ear", "left_ear",
    "left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel",
)  # fmt: skip
ORDERS: dict[str, tuple[str, ...]] = {
    "body25": BODY_25, "openpose18": OPENPOSE_18, "coco17": COCO_17, "human36m17": HUMAN36M_17,
}  # fmt: skip
"""Layout -> names of its joints, in order."""
FACE = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
CROWN = 1.5
"""Where the top of the head lies on the way from the thorax over the middle of the face, which is at 1."""
THORAX, SHOULDERS, NEAR = 8, (11, 14), 0.1
"""Human3.6M's joint 8 lies between its joints 11 and 14, within a tenth of the person; COCO's are elbow, hip, knee."""
SIDED = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
SWAP, APART = 0.5, 0.05
"""An exchange explains the step when it leaves less than half of it; sides nearer than 5 % of the person show none."""


def layout_of(joints: Array) -> str:
    """Return the layout of joints (T, K, 2): by their number, and of the two with 17 by where the thorax would lie.

    Raises:
        ValueError: no layout has K joints.
    """
    count = joints.shape[-2]
    fitting = [name for name, order in ORDERS.items() if len(order) == count]
    if not fitting:
        known = ", ".join(f"{name} ({len(order)})" for name, order in ORDERS.items())
        raise ValueError(f"expected joints of one of {known}, got {count} per person: export them in one of these")
    if len(fitting) == 1:
        return fitting[0]
    found = _found(joints)
    off = [
        np.linalg.norm(frame[THORAX] - frame[list(SHOULDERS)].mean(0)) / _extent(frame[there])
        for frame, there in zip(joints, found)
        if there[[THORAX, *SHOULDERS]].all()
    ]
    return "human36m17" if off and np.median(off) < NEAR else "coco17"


def to_openpose18(joints: Array, layout: str) -> Array:
    """Return joints (..., K, 2) in the order of OpenPose, (..., 18, 2); what the layout has not is missing.

    A neck that the layout lacks lies between the shoulders. Human3.6M has no eyes and ears.
    """
    given = _reordered(joints, layout, OPENPOSE_18)
    if "neck" in ORDERS[layout]:
        return given
    right, left = (given[..., OPENPOSE_18.index(f"{side}_shoulder"), :] for side in ("right", "left"))
    given[..., OPENPOSE_18.index("neck"), :] = _between(right, left, 0.5)
    return given


def to_coco17(joints: Array, layout: str) -> Array:
    """Return joints (..., K, 2) in the order of COCO, (..., 17, 2); what the layout has not is missing.

    Human3.6M has no eyes and ears: only its nose and limbs come over.
    """
    return _reordered(joints, layout, COCO_17)


def to_human36m17(joints: Array, layout: str) -> Array:
    r"""Return joints (..., K, 2) in the order of Human3.6M, (..., 17, 2).

    Limbs and nose are taken over. What the other layouts lack lies between their joints:

    .. math:: hip = \tfrac12 (hip_r + hip_l), \quad thorax = \tfrac12 (shoulder_r + shoulder_l), \quad
              spine = \tfrac12 (hip + thorax), \quad crown = thorax + 1.5\,(face - thorax)

    with the mean of the found joints of the face. A joint is missing when something it is made of is.
    """
    given = _reordered(joints, layout, HUMAN36M_17)
    if layout == "human36m17":
        return given
    place = {name: given[..., index, :] for index, name in enumerate(HUMAN36M_17)}
    face = _mean(_reordered(joints, layout, FACE))
    hip, thorax = (_between(place[f"right_{end}"], place[f"left_{end}"], 0.5) for end in ("hip", "shoulder"))
    made = {"hip": hip, "thorax": thorax, "spine": _between(hip, thorax, 0.5), "crown": _between(thorax, face, CROWN)}
    return np.stack([made.get(name, place[name]) for name in HUMAN36M_17], -2)


def exchanged_sides(joints: Array) -> list[int]:
    """Return the frames in which a left and a right joint look exchanged against the frame before.

    The step of a pair from frame to frame is the way of its joints, left to left and right to right; they look
    exchanged when crossing over (left to right, right to left) leaves less than half of it. Nothing is changed: a
    person who really turns is crossed only where both sides meet, and there, nearer than 5 % of the person, nobody can
    tell.

    Args:
        joints: (T, 17, 2) Human3.6M, -1 missing.
    """
    found = _found(joints)
    right, left = ([HUMAN36M_17.index(f"{side}_{name}") for name in SIDED] for side in ("right", "left"))
    size = np.median([_extent(frame[there]) for frame, there in zip(joints, found) if there.any()] or [0.0])
    apart = np.linalg.norm(joints[:, right] - joints[:, left], axis=-1) > APART * size
    seen = found[:, right] & found[:, left] & apart
    straight = _steps(joints, right, right) + _steps(joints, left, left)
    crossed = _steps(joints, right, left) + _steps(joints, left, right)
    exchanged = (crossed < SWAP * straight) & seen[1:] & seen[:-1]
    return (np.flatnonzero(exchanged.any(1)) + 1).tolist()


def _steps(joints: Array, before: list[int], after: list[int]) -> Array:
    """The way (T - 1, n) from joints ``before`` of a frame to joints ``after`` of the next."""
    ways: Array = np.linalg.norm(joints[1:, after] - joints[:-1, before], axis=-1)
    return ways


def _reordered(joints: Array, layout: str, names: tuple[str, ...]) -> Array:
    order = ORDERS[require_choice("joint layout", layout, tuple(ORDERS))]
    if joints.shape[-2:] != (len(order), 2):
        raise ValueError(f"expected {layout} joints (..., {len(order)}, 2) as (row, column), got {joints.shape}")
    result = np.full((*joints.shape[:-2], len(names), 2), MISSING)
    for index, name in enumerate(names):
        if name in order:
            result[..., index, :] = joints[..., order.index(name), :]
    return np.where(_found(result)[..., None], result, MISSING)


def _between(first: Array, second: Array, share: float) -> Array:
    there = (_found(first) & _found(second))[..., None]
    return np.where(there, first + share * (second - first), MISSING)


def _mean(joints: Array) -> Array:
    there = _found(joints)[..., None]
    count = there.sum(-2)
    return np.where(count > 0, (joints * there).sum(-2) / np.maximum(count, 1), MISSING)


def _found(joints: Array) -> NDArray[np.bool_]:
    return (joints != MISSING).all(-1)


def _extent(points: Array) -> float:
    """The diagonal of the box around points (n, 2)."""
    return float(np.linalg.norm(points.max(0) - points.min(0))) or 1e-9
