"""Clips of people who stay where they are: what trunk, arms and knees do over standing feet."""

import numpy as np

from repro.data.studio.choreography import SIDES, Choreography, Plan, Stage, at_ease, side_by_side
from repro.data.studio.splines import Curve, constant, keys, plus, scaled, wave


def idle_sway(stage: Stage, rng: np.random.Generator, until: float) -> Plan:
    """Stands, breathes, rocks a little."""
    return _rocking(stage, rng, rng.uniform(2.5, 4.0))


def weight_shift(stage: Stage, rng: np.random.Generator, until: float) -> Plan:
    """Puts the weight on one leg, then on the other, whose hip rises; the free knee gives way."""
    period, phase = rng.uniform(2.4, 4.0), rng.uniform()
    plan = Plan(side_by_side(stage, rng, 1.2), at_ease(rng), period=period)
    to_left = _there_and_back(period, phase, rest=0.3, signed=True)
    plan.side = scaled(rng.uniform(0.6, 0.9) * stage.stance, to_left)
    tilt = rng.uniform(4, 8)
    plan.add("sway", scaled(-tilt, to_left))
    plan.add("spine_side", scaled(1.3 * tilt, to_left))
    plan.add("spine_twist", scaled(rng.uniform(-6, 6), to_left))
    plan.add("neck_yaw", scaled(rng.uniform(-20, 20), to_left))
    plan.add("shoulder_flex", wave(period, rng.uniform(), 4))
    return plan


def hands_on_hips(stage: Stage, rng: np.random.Generator, until: float) -> Plan:
    """Puts both hands on the hips, turns the trunk, and lets them hang again."""
    period, phase = rng.uniform(3.2, 4.0), rng.uniform()
    plan = _rocking(stage, rng, period)
    up = _there_and_back(period, phase, rest=rng.uniform(0.1, 0.25), moving=0.16)
    for side in SIDES:
        for name, low, high, hanging in (("shoulder_flex", -22, -12, 2), ("shoulder_abduct", 38, 48, 14),
                                         ("shoulder_twist", 40, 55, 8), ("elbow", 82, 98, 16),
                                         ("wrist_flex", 5, 25, 5)):  # fmt: skip
            _between(plan, f"{side}_{name}", hanging, rng.uniform(low, high), up)
    twist = rng.uniform(8, 18)
    plan.add("spine_twist", wave(period / 2, phase, twist))
    plan.add("neck_yaw", wave(period / 2, phase - 0.05, 0.8 * twist))
    return plan


def waving(stage: Stage, rng: np.random.Generator, until: float) -> Plan:
    """Waves a hand beside the head."""
    beat, beats = rng.uniform(0.8, 1.2), 3
    plan = _rocking(stage, rng, beats * beat)
    side = SIDES[rng.integers(2)]
    plan.angles |= {
        f"{side}_shoulder_abduct": plus(constant(rng.uniform(70, 95)), wave(beat, 0.2, 4)),
        f"{side}_shoulder_flex": constant(rng.uniform(0, 15)),
        f"{side}_shoulder_twist": constant(rng.uniform(-78, -62)),
        f"{side}_elbow": plus(constant(rng.uniform(70, 95)), wave(beat, 0.0, rng.uniform(15, 30))),
        f"{side}_wrist_side": wave(beat, 0.9, 8),
    }
    return plan


def arm_circles(stage: Stage, rng: np.random.Generator, until: float) -> Plan:
    """Swings both arms in circles at the sides, together or one after the other."""
    period, phase, sense = rng.uniform(1.2, 2.4), rng.uniform(), rng.choice([-1.0, 1.0])
    plan = _rocking(stage, rng, period)
    large, lag = rng.uniform(0.6, 1.0), rng.choice([0.0, 0.5])
    for side, late in zip(SIDES, (0.0, lag)):
        plan.angles |= {
            f"{side}_shoulder_flex": plus(constant(62), wave(period, sense * phase + late, sense * 92 * large)),
            f"{side}_shoulder_abduct": plus(constant(45), wave(period, sense * phase + late + 0.25, 24 * large)),
            f"{side}_elbow": plus(constant(rng.uniform(8, 18)), wave(period, phase, 5)),
        }
    plan.add("spine_bend", wave(period, sense * phase + 0.5, 3))
    return plan


def raise_arms(stage: Stage, rng: np.random.Generator, until: float) -> Plan:
    """Raises both arms, to the front or to the sides, above the head and lowers them."""
    period, phase = rng.uniform(2.0, 4.0), rng.uniform()
    plan = _rocking(stage, rng, period)
    up = _there_and_back(period, phase, rest=0.12, moving=0.3)
    frontal, high = rng.random() < 0.5, rng.uniform(125, 160)
    for side in SIDES:
        if frontal:
            _between(plan, f"{side}_shoulder_flex", 2, high, up)
            _between(plan, f"{side}_shoulder_abduct", 13, 25, up)
        else:
            _between(plan, f"{side}_shoulder_abduct", 13, min(high, 150), up)
            _between(plan, f"{side}_shoulder_flex", 2, 12, up)
    plan.add("spine_bend", scaled(-5, up))
    plan.add("neck_nod", scaled(-rng.uniform(0, 18), up))
    return plan


def squat(stage: Stage, rng: np.random.Generator, until: float) -> Plan:
    """Bends both knees, hips back, arms forward, and comes up again."""
    period, phase = rng.uniform(2.0, 4.0), rng.uniform()
    plan = Plan(side_by_side(stage, rng, 1.7), at_ease(rng), period=period)
    down = _there_and_back(period, phase, rest=0.1, moving=0.32)
    depth = rng.uniform(0.22, 0.36) * stage.ease
    plan.crouch = scaled(depth * stage.leg, down)
    plan.front = scaled(-0.45 * depth * stage.leg, down)
    plan.add("lean", scaled(75 * depth, down))
    plan.add("spine_bend", scaled(15 * depth, down))
    plan.add("neck_nod", scaled(-60 * depth, down))
    reach, bend = rng.uniform(60, 85), rng.uniform(5, 30)
    for side in SIDES:
        _between(plan, f"{side}_shoulder_flex", 2, reach, down)
        _between(plan, f"{side}_elbow", 15, bend, down)
    return plan


def _rocking(stage: Stage, rng: np.random.Generator, period: float) -> Plan:
    """A person who stands at ease and rocks, breathes and looks about within a period."""
    plan = Plan(side_by_side(stage, rng), at_ease(rng), period=period)
    drift = lambda low, high, per=1: wave(period / per, rng.uniform(), rng.uniform(low, high))  # noqa: E731
    plan.side, plan.front = drift(0.008, 0.035), drift(0.003, 0.01, 2)
    plan.crouch = constant(0.004)
    for name, low, high in (("spine_side", 1, 3), ("neck_yaw", 4, 22), ("neck_nod", 1, 4), ("spine_twist", 2, 5),
                            ("right_shoulder_flex", 2, 6), ("left_shoulder_flex", 2, 6),
                            ("right_elbow", 2, 6), ("left_elbow", 2, 6)):  # fmt: skip
        plan.add(name, drift(low, high))
    plan.add("spine_bend", drift(0.5, 1.5, 2))
    return plan


def _there_and_back(
    period: float, phase: float, rest: float, moving: float = 0.25, signed: bool = False
) -> Curve:  # fmt: skip
    """From 0 (or -1) to 1 and back once per period: rests, goes for a part of the period, holds, comes back."""
    start = -phase * period
    at = [start, start + rest * period, start + (rest + moving) * period, start + (1 - moving) * period]
    return keys(at, [-1.0 if signed else 0.0] * 2 + [1.0, 1.0], period)


def _between(plan: Plan, name: str, low: float, high: float, share: Curve) -> None:
    """Let an angle go from one value to another with a share."""
    plan.angles[name] = plus(constant(low), scaled(high - low, share))


STANDING: dict[str, Choreography] = {
    "idle_sway": idle_sway, "weight_shift": weight_shift, "hands_on_hips": hands_on_hips, "wave": waving,
    "arm_circles": arm_circles, "raise_arms": raise_arms, "squat": squat,
}  # fmt: skip
