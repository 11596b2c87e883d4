"""Bone weights as functions of the rest position: skin and the cloth above it ask the same functions."""

import numpy as np

from repro.data.studio.skeleton import BONE, BONES, Skeleton
from repro.data.studio.tubes import Array


def smoothstep(low: float, high: float, x: Array) -> Array:
    """Return 0 at ``low``, 1 at ``high`` (which may lie below), smooth between, constant outside."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def chain(shares: list[tuple[str, Array]], first: str, count: int) -> Array:
    """Return weights (count, 17): ``first`` has all, then each (bone, share) takes its share of what is there."""
    weights = np.zeros((count, len(BONES)))
    weights[:, BONE[first]] = 1.0
    for bone, share in shares:
        weights *= 1.0 - share[:, None]
        weights[:, BONE[bone]] += share
    return weights


def trunk_weights(skeleton: Skeleton, points: Array) -> Array:
    """Return weights (V, 17) of points on the trunk and neck: up to half of a limb's weight near shoulder and hip."""
    joints, y = skeleton.joints, points[:, 1]
    height = lambda bone: float(joints[BONE[bone], 1])  # noqa: E731
    shares = [
        ("spine", smoothstep(height("spine") - 0.06, height("spine") + 0.06, y)),
        ("chest", smoothstep(height("chest") - 0.06, height("chest") + 0.06, y)),
        ("neck", smoothstep(height("neck") - 0.02, height("neck") + 0.03, y)),
        ("head", smoothstep(height("head") - 0.02, height("head") + 0.03, y)),
    ]
    for side in ("right", "left"):
        along, away = _along_arm(skeleton, side, points)
        near = smoothstep(0.15, 0.07, away) * smoothstep(0.20, 0.06, along)  # flanks stay when an arm is raised
        shares.append((f"{side}_upper_arm", 0.5 * near * smoothstep(-0.09, 0.03, along)))
        sign = -1.0 if side == "right" else 1.0
        shares.append((f"{side}_thigh", 0.5 * smoothstep(0.06, -0.06, y - height("right_thigh"))
                       * smoothstep(0.0, 0.06, sign * points[:, 0])))  # fmt: skip
    return chain(shares, "pelvis", len(points))


def arm_weights(skeleton: Skeleton, side: str, points: Array) -> Array:
    """Return weights (V, 17) of points on one arm, its sleeve or its hand."""
    along, _ = _along_arm(skeleton, side, points)
    shoulder = skeleton.joints[BONE[f"{side}_upper_arm"]]
    elbow = float(np.linalg.norm(skeleton.joints[BONE[f"{side}_forearm"]] - shoulder))
    wrist = float(np.linalg.norm(skeleton.joints[BONE[f"{side}_hand"]] - shoulder))
    shares = [
        (f"{side}_upper_arm", smoothstep(-0.075, 0.045, along)),
        (f"{side}_forearm", smoothstep(elbow - 0.06, elbow + 0.06, along)),
        (f"{side}_hand", smoothstep(wrist - 0.025, wrist + 0.025, along)),
    ]
    return chain(shares, "chest", len(points))


def leg_weights(skeleton: Skeleton, side: str, points: Array) -> Array:
    """Return weights (V, 17) of points on one leg, its trouser leg or its shoe."""
    y = points[:, 1]
    height = lambda bone: float(skeleton.joints[BONE[f"{side}_{bone}"], 1])  # noqa: E731
    shares = [
        (f"{side}_thigh", smoothstep(height("thigh") + 0.07, height("thigh") - 0.07, y)),
        (f"{side}_shin", smoothstep(height("shin") + 0.06, height("shin") - 0.06, y)),
        (f"{side}_foot", smoothstep(height("foot") + 0.03, height("foot") - 0.03, y)),
    ]
    return chain(shares, "pelvis", len(points))


def skirt_weights(skeleton: Skeleton, points: Array, hem: float) -> Array:
    """Return weights (V, 17) of a skirt, dress or long coat: the nearer thigh's share grows to 0.75 at the hem (y)."""
    weights = trunk_weights(skeleton, points)
    top = float(skeleton.joints[BONE["right_thigh"], 1]) + 0.06
    hanging = smoothstep(top, min(hem, top - 0.2), points[:, 1])[:, None]
    left = smoothstep(-0.10, 0.10, points[:, 0])
    legs = np.zeros_like(weights)
    legs[:, BONE["left_thigh"]] = 0.75 * left
    legs[:, BONE["right_thigh"]] = 0.75 * (1 - left)
    legs[:, BONE["pelvis"]] = 0.25
    return (1 - hanging) * weights + hanging * legs


def hair_weights(skeleton: Skeleton, points: Array) -> Array:
    """Return weights (V, 17) of hair: the head's down to the chin, the chest's below the shoulders."""
    chin, y = float(skeleton.points["chin"][1][1]), points[:, 1]
    shares = [("neck", smoothstep(chin, chin - 0.06, y)), ("chest", smoothstep(chin - 0.04, chin - 0.14, y))]
    return chain(shares, "head", len(points))


def rigid_weights(bone: str, points: Array) -> Array:
    """Return weights (V, 17) of points that move with one bone."""
    return chain([], bone, len(points))


def _along_arm(skeleton: Skeleton, side: str, points: Array) -> tuple[Array, Array]:
    """Metres along the resting arm from the shoulder, and away from its line, (V,) each."""
    offset = points - skeleton.joints[BONE[f"{side}_upper_arm"]]
    direction = skeleton.arm_direction(side)
    along = (offset * direction).sum(1)
    return along, np.linalg.norm(offset - along[:, None] * direction, axis=1)
