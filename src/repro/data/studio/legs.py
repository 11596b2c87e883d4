"""Legs that reach their feet: hip, knee and ankle from where the pelvis is and where the feet stand, in closed form."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from repro.data.studio.skeleton import BONE, Skeleton, rotation_matrices
from repro.data.studio.tubes import Array

KNEE_STRAIGHT = np.deg2rad(5.0)
"""A leg counts as stretched at this bend: fully straight knees snap."""


@dataclass(frozen=True)
class Leg:
    """One leg at rest: thigh from hip to knee, shin from knee to ankle, metres."""

    side: str
    hip: Array
    thigh: Array
    shin: Array

    @classmethod
    def of(cls, skeleton: Skeleton, side: str) -> "Leg":
        """Return a person's leg, side "right" or "left"."""
        hip, knee, ankle = (skeleton.joints[BONE[f"{side}_{bone}"]] for bone in ("thigh", "shin", "foot"))
        return cls(side, hip, knee - hip, ankle - knee)

    @property
    def reach(self) -> float:
        """Metres from hip to ankle of the stretched leg."""
        return float(np.linalg.norm(self.thigh + rotation_matrices(np.array([KNEE_STRAIGHT, 0, 0])) @ self.shin))


def reach_feet(leg: Leg, pelvis: Array, ankle: Array, foot: Array, out: Array) -> tuple[Array, dict[str, Array]]:
    r"""Return axis-angles (T, 3, 3) of thigh, shin and foot that carry the ankle and foot to where they are wanted.

    The knee follows from the distance of hip and ankle (law of cosines). The thigh is turned as in
    :func:`~repro.data.studio.pose.articulate`, flexion after abduction after twist; with the twist given, abduction
    follows from where the ankle is sideways and flexion from what is left. An ankle out of reach is approached.

    Args:
        leg: the leg at rest.
        pelvis: (T, 3, 3) rotations of the pelvis.
        ankle: (T, 3) from hip to ankle, world axes, metres.
        foot: (T, 3, 3) rotations of the foot, world axes.
        out: (T,) radians by which the leg is turned about +y against the pelvis.

    Returns:
        the axis-angles, and the anatomical angles in degrees: hip_flex, hip_abduct, hip_twist, knee, ankle.
    """
    u, v = leg.thigh, leg.shin
    a, b = u[1] * v[1] + u[2] * v[2], u[2] * v[1] - u[1] * v[2]  # u . Rx(k) v = ux vx + a cos k + b sin k
    square = (ankle**2).sum(-1)
    cosine = (square - u @ u - v @ v - 2 * u[0] * v[0]) / (2 * np.hypot(a, b))
    knee = np.clip(np.arctan2(b, a) + np.arccos(np.clip(cosine, -1, 1)), 0.0, np.deg2rad(140))
    along = u + np.stack([np.full_like(knee, v[0]), v[1] * np.cos(knee) - v[2] * np.sin(knee),
                          v[1] * np.sin(knee) + v[2] * np.cos(knee)], -1)  # fmt: skip
    turned = Rotation.from_euler("y", out[:, None]).apply(along)
    wanted = np.einsum("tji,tj->ti", pelvis, ankle)
    wanted *= (np.linalg.norm(along, axis=1) / np.linalg.norm(wanted, axis=1))[:, None]
    flat = np.hypot(turned[:, 0], turned[:, 1])
    down = -np.arccos(np.clip(wanted[:, 0] / flat, -1, 1))
    beta = down - np.arctan2(turned[:, 1], turned[:, 0])
    flex = np.arctan2(turned[:, 2], flat * np.sin(down)) - np.arctan2(wanted[:, 2], wanted[:, 1])
    flex = (flex + np.pi) % (2 * np.pi) - np.pi
    thigh = Rotation.from_euler("XZY", np.stack([-flex, beta, out], 1))
    shin = Rotation.from_euler("x", knee[:, None])
    sole = (Rotation.from_matrix(pelvis) * thigh * shin).inv() * Rotation.from_matrix(foot)
    sign = -1.0 if leg.side == "right" else 1.0
    angles = {"hip_flex": flex, "hip_abduct": sign * beta, "hip_twist": -sign * out, "knee": knee,
              "ankle": -sole.as_euler("XZY")[:, 0]}  # fmt: skip
    rotations = np.stack([rotation.as_rotvec() for rotation in (thigh, shin, sole)], 1)
    return rotations, {name: np.rad2deg(value) for name, value in angles.items()}
