"""What each kind of clip does: footsteps, how the pelvis sways over them, and the angles above it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from repro.data.studio.gait import Footsteps, Step
from repro.data.studio.mesh import PART, Mesh
from repro.data.studio.skeleton import BONE
from repro.data.studio.splines import Curve, constant, plus, wave

SIDES = ("right", "left")


@dataclass(frozen=True)
class Stage:
    """What a choreography must know of the person.

    Attributes:
        leg: metres from hip to ankle: the unit of strides and crouches.
        stance: metres between the middle and each foot of a person who stands.
        ease: 1, or less in a skirt: strides and crouches shrink with it.
    """

    leg: float
    stance: float
    ease: float

    @classmethod
    def of(cls, mesh: Mesh) -> "Stage":
        """Return the stage of a person."""
        joints = mesh.skeleton.joints
        leg = float(joints[BONE["left_thigh"], 1] - joints[BONE["left_foot"], 1])
        skirt = mesh.rest_vertices[np.unique(mesh.faces[mesh.part == PART["skirt"]]), 1]
        # To the knee a skirt leaves the legs half free, to the ankles it does not.
        hem = 1.0 if len(skirt) == 0 else float(np.interp(skirt.min() / leg, [0.2, 0.8], [0.5, 0.75]))
        return cls(leg, 1.15 * float(joints[BONE["left_thigh"], 0]), hem)


STILL = constant(0.0)


@dataclass
class Plan:
    """A clip as a choreography writes it; all curves are functions of seconds.

    Attributes:
        footsteps: where the feet stand and step.
        angles: degrees of the joints above the pelvis, and "lean" and "sway" of the pelvis (see ``pose.articulate``).
        side, front: metres by which the pelvis leaves its place over the feet.
        crouch: metres below the height that the legs allow.
        twist: degrees by which the pelvis is turned against the feet.
        settle: seconds over which the pelvis' way is smoothed.
        weight: part of the way to the standing foot that the pelvis goes while the other foot flies.
        arm_swing, trunk_swing: degrees per leg length that the right foot is ahead of the left.
        period: seconds after which everything repeats, or None.
    """

    footsteps: Footsteps
    angles: dict[str, Curve]
    side: Curve = STILL
    front: Curve = STILL
    crouch: Curve = STILL
    twist: Curve = STILL
    settle: float = 0.15
    weight: float = 0.3
    arm_swing: float = 0.0
    trunk_swing: float = 0.0
    period: float | None = None


Choreography = Callable[[Stage, np.random.Generator, float], Plan]


def _idle_sway(stage: Stage, rng: np.random.Generator, until: float) -> Plan:
    """Stands, breathes, and rocks a little."""
    period = rng.uniform(2.5, 4.0)
    sway = lambda low, high, per=1: wave(period / per, rng.uniform(), rng.uniform(low, high))  # noqa: E731
    angles = _standing(rng)
    for name, low, high in (("spine_side", 1, 3), ("neck_yaw", 5, 25), ("neck_nod", 1, 4), ("spine_twist", 2, 6),
                            ("right_shoulder_flex", 2, 7), ("left_shoulder_flex", 2, 7),
                            ("right_elbow", 2, 8), ("left_elbow", 2, 8)):  # fmt: skip
        angles[name] = plus(angles[name], sway(low, high))
    angles["spine_bend"] = plus(angles["spine_bend"], sway(0.5, 1.5, 2))  # breath
    return Plan(_stand(stage, rng), angles, side=sway(0.015, 0.04), front=sway(0.003, 0.01, 2), period=period,
                crouch=constant(0.005))  # fmt: skip


def _walk_in_place(stage: Stage, rng: np.random.Generator, until: float) -> Plan:
    """Lifts one knee after the other."""
    period, phase = rng.uniform(0.9, 1.3), rng.uniform()
    home, height = _stand(stage, rng).home, rng.uniform(0.13, 0.28) * stage.leg * stage.ease
    steps = []
    for number in range(int(-3 / period * 2), int((until + 2) / period * 2) + 1):
        start = (number / 2 + phase) * period
        side = SIDES[number % 2]
        steps.append(Step(side, start, start + 0.46 * period, home[side][:2], home[side][2], height, toe_off=18.0))
    angles, swing = _standing(rng), rng.uniform(15, 35)
    middle = phase + 0.23  # of the right knee's flight
    for side, lag in (("right", 0.5), ("left", 0.0)):
        beat = lambda size, late=0.0, lag=lag: wave(period, 0.25 - middle - lag - late, size)  # noqa: E731
        angles[f"{side}_shoulder_flex"] = plus(angles[f"{side}_shoulder_flex"], beat(swing))
        angles[f"{side}_elbow"] = plus(angles[f"{side}_elbow"], constant(swing), beat(0.6 * swing, 0.05))
    angles["spine_twist"] = plus(angles["spine_twist"], wave(period, 0.25 - middle, rng.uniform(3, 7)))
    return Plan(Footsteps(home, steps), angles, settle=0.12, weight=0.35, period=period)


def _wave(stage: Stage, rng: np.random.Generator, until: float) -> Plan:
    """Waves a hand."""
    plan = _idle_sway(stage, rng, until)
    side, period = SIDES[rng.integers(2)], rng.uniform(0.8, 1.2)
    swing, lift = rng.uniform(15, 30), rng.uniform(70, 95)
    plan.angles |= {
        f"{side}_shoulder_abduct": plus(constant(lift), wave(period, 0.2, 4)),
        f"{side}_shoulder_flex": constant(rng.uniform(0, 15)),
        f"{side}_shoulder_twist": constant(rng.uniform(-78, -62)),
        f"{side}_elbow": plus(constant(rng.uniform(70, 95)), wave(period, 0.0, swing)),
        f"{side}_wrist_side": wave(period, 0.9, 8),
    }
    plan.period = None
    return plan


def _stand(stage: Stage, rng: np.random.Generator, width: float = 1.0) -> Footsteps:
    """Both feet side by side about the origin, toes a little outward."""
    out = np.deg2rad(rng.uniform(4, 12))
    wide = stage.stance * width * rng.uniform(0.95, 1.25)
    shift = rng.uniform(-0.03, 0.03)
    return Footsteps({"right": (-wide, shift, -out), "left": (wide, -shift, out)})


def _standing(rng: np.random.Generator) -> dict[str, Curve]:
    """Angles of a person at ease: upright, arms hanging, every angle that a choreography may add to."""
    mean = {"lean": 1, "sway": 0, "spine_bend": 1, "spine_side": 0, "spine_twist": 0, "neck_yaw": 0, "neck_nod": 2,
            "neck_tilt": 0}  # fmt: skip
    spread = {"lean": 1, "sway": 0.5, "spine_bend": 2, "spine_twist": 2, "neck_yaw": 5, "neck_nod": 3, "neck_tilt": 2}
    arm = {"shoulder_flex": (2, 4), "shoulder_abduct": (13, 3), "shoulder_twist": (8, 8), "elbow": (16, 6),
           "wrist_flex": (5, 6), "wrist_side": (0, 4)}  # fmt: skip
    draw = lambda middle, wide: float(middle + wide * np.clip(rng.normal(), -2, 2))  # noqa: E731
    angles = {name: constant(draw(middle, spread.get(name, 1))) for name, middle in mean.items()}
    for side in SIDES:
        angles |= {f"{side}_{name}": constant(max(0.0, draw(*numbers))) if name == "elbow" else
                   constant(draw(*numbers)) for name, numbers in arm.items()}  # fmt: skip
    return angles


KINDS: dict[str, Choreography] = {"idle_sway": _idle_sway, "walk_in_place": _walk_in_place, "wave": _wave}
