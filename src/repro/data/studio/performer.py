"""A performer: carries a plan out with one person's body, pelvis over the feet and legs in closed form."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation

from repro.data.studio.choreography import SIDES, Plan
from repro.data.studio.gait import Track, carry, grid, ride
from repro.data.studio.legs import Leg, reach_feet
from repro.data.studio.mesh import Mesh
from repro.data.studio.pose import CENTRAL, LIMITS, bone_rotations
from repro.data.studio.skeleton import BONE, Pose
from repro.data.studio.splines import STILL, Curve, plus, scaled
from repro.data.studio.tubes import Array

ANKLE_SOFT, ANKLE_YIELD = 25.0, 1.5
"""Degrees of ankle flexion from which the heel rises instead, and over which it begins to."""


class Performer:
    """One person who carries out one plan: the pelvis over the feet, as high as the legs allow, less what is crouched.

    Args:
        mesh: the person.
        plan: what to do.
        until: seconds of the clip.
    """

    def __init__(self, mesh: Mesh, plan: Plan, until: float) -> None:
        self.skeleton, self.plan = mesh.skeleton, plan
        self.legs = {side: Leg.of(mesh.skeleton, side) for side in SIDES}
        self.feet = {side: Foot.of(mesh, side) for side in SIDES}
        self.carriage = carry(plan.footsteps, until, plan.settle, plan.weight)
        self.twist = self._swing_along(plan)
        times = grid(until)
        self.heel: dict[str, Curve] = dict.fromkeys(SIDES, STILL)
        self.height = self._height(times)
        # A heel that rises bends the knee a little more, so the ankle is asked three times.
        for _ in range(3):
            self.heel = self._heels(times)

    def poses(self, times: Array, raised: Curve) -> tuple[Pose, ...]:
        """Return the poses at some times (T,), both arms raised to the side by so many degrees more than planned."""
        pelvis, root, legs, _ = self._legs(times)
        angles = {name: curve(times) for name, curve in self.plan.angles.items()}
        for name in [name for name in angles if name.endswith("shoulder_abduct")]:
            angles[name] = angles[name] + raised(times)
        angles = {name: np.clip(value, *limits(name)) for name, value in angles.items()}
        rotations = bone_rotations(angles)
        rotations[:, BONE["pelvis"]] = pelvis
        rotations[:, BONE["right_thigh"] :] = legs
        return tuple(Pose(*frame) for frame in zip(rotations, root))

    def _swing_along(self, plan: Plan) -> Curve:
        """Let arms and trunk swing against the legs and the hip of the flying foot drop; the pelvis' own twist."""
        leg = self.legs["right"].reach
        ahead = scaled(1 / leg, self.carriage.ahead)
        for side, sign in (("right", -1.0), ("left", 1.0)):
            plan.add(f"{side}_shoulder_flex", scaled(sign * plan.arm_swing, ahead))
            plan.add(f"{side}_elbow", scaled(sign * 0.3 * plan.arm_swing, ahead))
        plan.add("spine_twist", scaled(-1.6 * plan.trunk_swing, ahead))
        plan.add("sway", scaled(plan.hip_drop, self.carriage.support))
        plan.add("spine_side", scaled(-plan.hip_drop, self.carriage.support))
        return scaled(plan.trunk_swing, ahead)

    def _height(self, times: Array) -> Curve:
        """The height of the pelvis joint, metres."""
        place, rotation = self._pelvis(times)
        highest = np.full(len(times), np.inf)
        for side, leg in self.legs.items():
            ankle = self._foot(side, times)[0]
            hip = self._hip(leg, rotation)
            away = ankle[:, [0, 2]] - place - hip[:, [0, 2]]
            room = leg.reach**2 - (away**2).sum(-1)
            drop = np.sqrt(np.maximum(room, (0.4 * leg.reach) ** 2))
            highest = np.minimum(highest, ankle[:, 1] + drop - hip[:, 1])
        return CubicSpline(times, ride(highest) - self.plan.crouch(times))

    def _heels(self, times: Array) -> dict[str, Curve]:
        """Degrees by which each heel rises more than planned where its ankle would bend beyond its limit."""
        ankles = self._legs(times)[3]
        more = {side: ANKLE_YIELD * np.logaddexp(0.0, (ankles[side] - ANKLE_SOFT) / ANKLE_YIELD) for side in SIDES}
        return {side: plus(self.heel[side], CubicSpline(times, more[side])) for side in SIDES}

    def _foot(self, side: str, times: Array) -> tuple[Array, Array, Array]:
        """A foot's ankle (T, 3), rotation (T, 3, 3) and yaw (T,)."""
        track = self.plan.footsteps.track(side, times)
        pitch = track.pitch + np.deg2rad(self.heel[side](times))
        return (*self.feet[side].place(replace(track, pitch=pitch)), track.yaw)

    def _pelvis(self, times: Array) -> tuple[Array, Array]:
        """Where the pelvis joint is on the ground (T, 2) and its rotation (T, 3, 3)."""
        plan, heading = self.plan, self.carriage.yaw(times)
        turn, lean, sway = (
            heading + np.deg2rad(self.twist(times)),
            plan.angles["lean"](times),
            plan.angles["sway"](times),
        )
        rotation = Rotation.from_euler("YXZ", np.stack([turn, np.deg2rad(lean), np.deg2rad(-sway)], 1)).as_matrix()
        side, front, sine, cosine = plan.side(times), plan.front(times), np.sin(heading), np.cos(heading)
        offset = np.stack([side * cosine + front * sine, front * cosine - side * sine], 1)
        return self.carriage.place(times) + offset, rotation

    def _hip(self, leg: Leg, rotation: Array) -> Array:
        """From the pelvis joint to the hip, (T, 3)."""
        return (rotation * (leg.hip - self.skeleton.joints[BONE["pelvis"]])).sum(-1)

    def _legs(self, times: Array) -> tuple[Array, Array, Array, dict[str, Array]]:
        """Axis-angles of the pelvis (T, 3), roots (T, 3), axis-angles of both legs (T, 6, 3), degrees of ankles."""
        place, rotation = self._pelvis(times)
        joint = np.stack([place[:, 0], self.height(times), place[:, 1]], 1)
        facing = self.carriage.yaw(times) + np.deg2rad(self.twist(times))
        limit = np.deg2rad(LIMITS["hip_twist"][1])
        legs, ankles = [], {}
        for side, leg in self.legs.items():
            ankle, foot, yaw = self._foot(side, times)
            out = np.clip(yaw - facing, -limit, limit)
            rotations, angles = reach_feet(leg, rotation, ankle - joint - self._hip(leg, rotation), foot, out)
            legs.append(rotations)
            ankles[side] = angles["ankle"]
        root = joint - self.skeleton.joints[BONE["pelvis"]]
        return Rotation.from_matrix(rotation).as_rotvec(), root, np.concatenate(legs, 1), ankles


def limits(name: str) -> tuple[float, float]:
    """Return the limits of an angle, degrees."""
    return LIMITS[name if name in CENTRAL else name.partition("_")[2]]


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
