"""What a clip is written in: who is on stage, where the feet step, and curves of the angles above them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from repro.data.studio.gait import Footsteps, Step
from repro.data.studio.mesh import PART, Mesh
from repro.data.studio.pose import articulate, intersects
from repro.data.studio.skeleton import BONE
from repro.data.studio.splines import STILL, Curve, constant, plus
from repro.data.studio.tubes import Array

SIDES = ("right", "left")


@dataclass(frozen=True)
class Stage:
    """What a choreography must know of the person.

    Attributes:
        leg: metres from hip to ankle: the unit of strides and crouches.
        stance: metres between the middle and each foot of a person who stands.
        ease: 1, or less in a skirt: strides and crouches shrink with it.
        free: tells of angles whether, standing still, no arm enters the body.
    """

    leg: float
    stance: float
    ease: float
    free: Callable[[Mapping[str, float]], bool]

    @classmethod
    def of(cls, mesh: Mesh) -> "Stage":
        """Return the stage of a person."""
        joints = mesh.skeleton.joints
        leg = float(joints[BONE["left_thigh"], 1] - joints[BONE["left_foot"], 1])
        skirt = mesh.rest_vertices[np.unique(mesh.faces[mesh.part == PART["skirt"]]), 1]
        # To the knee a skirt leaves the legs half free, to the ankles it does not.
        ease = 1.0 if len(skirt) == 0 else float(np.interp(skirt.min() / leg, [0.25, 0.8], [0.5, 0.75]))
        stance = 1.1 * float(joints[BONE["left_thigh"], 0])
        return cls(leg, stance, ease, lambda angles: not intersects(mesh, articulate(angles)))


@dataclass
class Plan:
    """A clip as a choreography writes it; all curves are functions of seconds.

    Attributes:
        footsteps: where the feet stand and step.
        angles: degrees of all angles above the legs (see ``pose.articulate``) but the turn, which follows the feet.
        side, front: metres by which the pelvis leaves its place over the feet.
        crouch: metres below the height that the legs allow.
        settle: seconds over which the pelvis' way is smoothed.
        weight: part of the way to the standing foot that the pelvis goes while the other foot flies.
        arm_swing, trunk_swing: degrees per leg length that one foot is ahead of the other.
        hip_drop: degrees by which the hip of the flying foot drops.
        period: seconds after which everything repeats, or None.
    """

    footsteps: Footsteps
    angles: dict[str, Curve]
    side: Curve = STILL
    front: Curve = STILL
    crouch: Curve = STILL
    settle: float = 0.15
    weight: float = 0.3
    arm_swing: float = 0.0
    trunk_swing: float = 0.0
    hip_drop: float = 0.0
    period: float | None = None

    def add(self, name: str, *curves: Curve) -> None:
        """Add curves to an angle; without a side, to the angle of both arms."""
        for own in [name] if name in self.angles else [f"{side}_{name}" for side in SIDES]:
            self.angles[own] = plus(self.angles[own], *curves)


Choreography = Callable[[Stage, np.random.Generator, float], Plan]
"""(who, generator, seconds) -> the plan of at least that long."""


def at_ease(rng: np.random.Generator) -> dict[str, Curve]:
    """Return the angles of a person at ease: upright, arms hanging, every angle that a choreography may add to."""
    trunk = {"lean": (1, 1), "sway": (0, 0.5), "spine_bend": (1, 2), "spine_side": (0, 1), "spine_twist": (0, 2),
             "neck_yaw": (0, 5), "neck_nod": (2, 3), "neck_tilt": (0, 2)}  # fmt: skip
    arm = {"shoulder_flex": (2, 4), "shoulder_abduct": (13, 3), "shoulder_twist": (8, 8), "elbow": (16, 5),
           "wrist_flex": (5, 6), "wrist_side": (0, 4)}  # fmt: skip
    both = {f"{side}_{name}": numbers for side in SIDES for name, numbers in arm.items()}
    return {name: constant(mean + spread * float(np.clip(rng.normal(), -2, 2)))
            for name, (mean, spread) in (trunk | both).items()}  # fmt: skip


def side_by_side(stage: Stage, rng: np.random.Generator, width: float = 1.0) -> Footsteps:
    """Return both feet side by side about the origin, toes a little outward, ``width`` times as wide as usual."""
    out = np.deg2rad(rng.uniform(4, 12))
    wide = stage.stance * width * rng.uniform(0.95, 1.25)
    shift = rng.uniform(-0.03, 0.03)
    return Footsteps({"right": (-wide, shift, -out), "left": (wide, -shift, out)})


class Walker:
    """Writes the footsteps of someone who walks, turns and stops: the body goes on, the other foot lands beside it.

    Attributes:
        clock: seconds, when the next foot lifts.
        place: (x, z) of the body on the ground, metres.
        heading: radians about +y.
        side: the foot that goes next.
    """

    def __init__(
        self, stage: Stage, rng: np.random.Generator, *, clock: float, place: tuple[float, float] = (0.0, 0.0),
        heading: float = 0.0, width: float = 1.0,
    ) -> None:  # fmt: skip
        self.leg, self.wide, self.out = stage.leg, stage.stance * width, np.deg2rad(rng.uniform(4, 10))
        self.clock, self.place, self.heading = clock, np.array(place), heading
        self.side = SIDES[rng.integers(2)]
        self.home = {side: (*self._beside(side), heading + self._sign(side) * self.out) for side in SIDES}
        self.steps: list[Step] = []

    def step(self, beat: float, ahead: float = 0.0, aside: float = 0.0, turn: float = 0.0, **flight: Any) -> None:
        """Move the body and land the next foot beside it; the foot flies for four fifths of the beat.

        Args:
            beat: seconds until the other foot may lift.
            ahead, aside: metres forward and to the left, after the turn.
            turn: radians to the left.
            flight: what else is special about the :class:`~repro.data.studio.gait.Step`.
        """
        self.heading += turn
        self.place = self.place + self.direction(ahead, aside)
        size = float(np.clip(ahead / (0.6 * self.leg), 0, 1))  # a long stride rolls over the foot
        given: dict[str, Any] = {
            "height": 0.05 + 0.03 * size,
            "toe_off": 12 + 16 * size,
            "heel_strike": 14 * size,
        } | flight
        self.steps.append(Step(
            self.side, self.clock, self.clock + 0.8 * beat, self._beside(self.side),
            self.heading + self._sign(self.side) * self.out, **given,
        ))  # fmt: skip
        self.clock += beat
        self.side = self.other

    def wait(self, seconds: float) -> None:
        """Stand for some seconds."""
        self.clock += seconds

    @property
    def other(self) -> str:
        """The foot that does not go next."""
        return SIDES[1 - SIDES.index(self.side)]

    @property
    def footsteps(self) -> Footsteps:
        """All steps so far."""
        return Footsteps(self.home, tuple(self.steps))

    def direction(self, ahead: float, aside: float) -> Array:
        """Return (x, z) of metres forward and to the left."""
        sine, cosine = np.sin(self.heading), np.cos(self.heading)
        return np.array([aside * cosine + ahead * sine, ahead * cosine - aside * sine])

    def _beside(self, side: str) -> tuple[float, float]:
        x, z = self.place + self.direction(0.0, self._sign(side) * self.wide)
        return float(x), float(z)

    @staticmethod
    def _sign(side: str) -> float:
        return -1.0 if side == "right" else 1.0
