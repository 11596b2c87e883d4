"""Motion: clips of a person who walks, turns, waves or dances, with feet that stand where they stand."""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation

from repro.checks import require_choice
from repro.data.studio.choreography import KINDS as CHOREOGRAPHIES
from repro.data.studio.choreography import Plan, Stage
from repro.data.studio.gait import Track, carry, grid, ride
from repro.data.studio.legs import Leg, reach_feet
from repro.data.studio.mesh import Mesh
from repro.data.studio.pose import CENTRAL, LIMITS, articulate, intersects
from repro.data.studio.skeleton import BONE, Pose
from repro.data.studio.tubes import Array

KINDS: tuple[str, ...] = tuple(CHOREOGRAPHIES)
HELD_OUT_KIND = "wave"
"""The kind that only test clips show."""
SPREADS = (0.0, 5.0, 10.0, 15.0, 20.0, 28.0, 36.0)
"""Degrees by which both arms are raised to the side, for the whole clip, until no hand enters the body."""
SIDES = ("right", "left")


@dataclass(frozen=True)
class Motion:
    """A person's poses over time.

    Attributes:
        kind: one of ``KINDS``, or where the motion was captured.
        poses: one per frame.
        fps: frames per second.
    """

    kind: str
    poses: tuple[Pose, ...]
    fps: float = 25.0


def clip_motion(kind: str, mesh: Mesh, rng: np.random.Generator, frames: int, fps: float = 25.0) -> Motion:
    """Return a clip of a kind: tempo, phase, size and what the arms do drawn at random, planted feet at rest.

    A kind says where the feet step and which way the joints above them go; the pelvis is carried over the feet as
    high as the legs allow, and the legs follow in closed form: so a planted foot cannot skate. The frame rate samples
    the same motion more or less densely.

    Args:
        kind: one of ``KINDS``.
        mesh: who moves: stature, soles, skirt; arms keep clear of this body.
        rng: generator of the purpose.
        frames: number of frames.
        fps: frames per second.

    Raises:
        ValueError: an unknown kind, no frames or no frame rate.
    """
    require_choice("motion kind", kind, KINDS)
    if frames < 1 or fps <= 0:
        raise ValueError(f"expected at least one frame at a positive rate, got {frames} frames at {fps:g} per second")
    plan = CHOREOGRAPHIES[kind](Stage.of(mesh), rng, frames / fps)
    times = np.arange(frames) / fps
    below = _Below(mesh, plan, frames / fps)
    lower = below.at(times)
    for spread in SPREADS:
        poses = _poses(plan, times, lower, spread)
        if not any(intersects(mesh, pose) for pose in poses):
            break
    return Motion(kind, poses, fps)


def _poses(plan: Plan, times: Array, lower: tuple[Array, Array, Array], spread: float) -> tuple[Pose, ...]:
    """Poses of the planned angles above the pelvis and of what is given below: pelvis, roots and legs."""
    pelvis, root, legs = lower
    angles = {name: curve(times) for name, curve in plan.angles.items() if name not in ("lean", "sway")}
    for side in SIDES:
        angles[f"{side}_shoulder_abduct"] = angles[f"{side}_shoulder_abduct"] + spread
    angles = {name: np.clip(value, *_limits(name)) for name, value in angles.items()}
    poses = []
    for frame in range(len(times)):
        pose = articulate({name: float(value[frame]) for name, value in angles.items()}, root[frame])
        pose.rotations[BONE["pelvis"]] = pelvis[frame]
        for number, side in enumerate(SIDES):
            start = BONE[f"{side}_thigh"]
            pose.rotations[start : start + 3] = legs[frame, number]
        poses.append(pose)
    return tuple(poses)


def _limits(name: str) -> tuple[float, float]:
    return LIMITS[name if name in CENTRAL else name.partition("_")[2]]


class _Below:
    """Pelvis and legs of a plan: the pelvis over the feet, as high as the legs allow, less what the plan crouches."""

    def __init__(self, mesh: Mesh, plan: Plan, until: float) -> None:
        self.skeleton, self.plan = mesh.skeleton, plan
        self.legs = {side: Leg.of(mesh.skeleton, side) for side in SIDES}
        self.feet = {side: Foot.of(mesh, side) for side in SIDES}
        self.carriage = carry(plan.footsteps, until, plan.settle, plan.weight)
        times = grid(until)
        place, rotation = self._pelvis(times)
        highest = np.full(len(times), np.inf)
        for side in SIDES:
            leg = self.legs[side]
            ankle, _ = self.feet[side].place(plan.footsteps.track(side, times))
            hip = self._hip(leg, rotation)
            away = ankle[:, [0, 2]] - place - hip[:, [0, 2]]
            room = leg.reach**2 - (away**2).sum(-1)
            below = np.sqrt(np.maximum(room, (0.4 * leg.reach) ** 2))
            highest = np.minimum(highest, ankle[:, 1] + below - hip[:, 1])
        self.height = CubicSpline(times, ride(highest) - plan.crouch(times))

    def _pelvis(self, times: Array) -> tuple[Array, Array]:
        """Where the pelvis joint is on the ground (T, 2) and its rotation (T, 3, 3)."""
        plan = self.plan
        yaw = self.carriage.yaw(times) + np.deg2rad(plan.twist(times))
        rotation = Rotation.from_euler(
            "YXZ", np.stack([yaw, np.deg2rad(plan.angles["lean"](times)), np.deg2rad(-plan.angles["sway"](times))], 1)
        ).as_matrix()
        heading = self.carriage.yaw(times)
        side, front = plan.side(times), plan.front(times)
        offset = np.stack([side * np.cos(heading) + front * np.sin(heading),
                           front * np.cos(heading) - side * np.sin(heading)], 1)  # fmt: skip
        return self.carriage.place(times) + offset, rotation

    def _hip(self, leg: Leg, rotation: Array) -> Array:
        """From the pelvis joint to the hip, (T, 3)."""
        return (rotation * (leg.hip - self.skeleton.joints[BONE["pelvis"]])).sum(-1)

    def at(self, times: Array) -> tuple[Array, Array, Array]:
        """Axis-angles of the pelvis (T, 3), roots (T, 3) and axis-angles of the legs (T, 2, 3, 3)."""
        place, rotation = self._pelvis(times)
        joint = np.stack([place[:, 0], self.height(times), place[:, 1]], 1)
        legs = []
        for side in SIDES:
            track = self.plan.footsteps.track(side, times)
            ankle, foot = self.feet[side].place(track)
            out = track.yaw - self.carriage.yaw(times) - np.deg2rad(self.plan.twist(times))
            limit = np.deg2rad(LIMITS["hip_twist"][1])
            reach = ankle - joint - self._hip(self.legs[side], rotation)
            legs.append(reach_feet(self.legs[side], rotation, reach, foot, np.clip(out, -limit, limit))[0])
        root = joint - self.skeleton.joints[BONE["pelvis"]]
        return Rotation.from_matrix(rotation).as_rotvec(), root, np.stack(legs, 1)


@dataclass(frozen=True)
class Foot:
    """A foot or shoe at rest, measured from the ankle: its sole (N, 3), and how far before it toe and heel touch."""

    sole: Array
    toe: float
    heel: float

    @classmethod
    def of(cls, mesh: Mesh, side: str) -> "Foot":
        """Return a person's foot, side "right" or "left"."""
        bone = BONE[f"{side}_foot"]
        ankle = mesh.skeleton.joints[bone]
        own = mesh.rest_vertices[mesh.weights[:, bone] > 0.99] - ankle
        sole = own[own[:, 1] < own[:, 1].min() + 0.6 * ankle[1]]
        flat = sole[sole[:, 1] < sole[:, 1].min() + 0.005, 2]
        return cls(sole, float(flat.max()), float(flat.min()))

    def place(self, track: Track) -> tuple[Array, Array]:
        """Return the ankle (T, 3) and the rotation (T, 3, 3) of the foot: the lowest point at its lift, rolling over.

        A foot pitched up or down stands on its toe or heel, which stays where it was when the foot stood flat.
        """
        rotation = Rotation.from_euler("YX", np.stack([track.yaw, track.pitch], 1)).as_matrix()
        lowest = sum(rotation[:, 1, axis, None] * self.sole[:, axis] for axis in range(3)).min(1)
        middle, half = (self.toe + self.heel) / 2, (self.toe - self.heel) / 2
        pivot = middle + half * np.tanh(track.pitch / np.deg2rad(4))
        ground = float(self.sole[:, 1].min())
        back = pivot - np.cos(track.pitch) * pivot - np.sin(track.pitch) * ground
        ankle = np.empty((len(lowest), 3))
        ankle[:, [0, 2]] = (
            track.place + track.extra + back[:, None] * np.stack([np.sin(track.yaw), np.cos(track.yaw)], 1)
        )
        ankle[:, 1] = track.lift - lowest
        return ankle, rotation
