"""Clips of people who step: walks, turns, lunges, kicks, dances, and whatever comes at random."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from repro.data.studio.choreography import SIDES, Choreography, Plan, Stage, Walker, at_ease, side_by_side
from repro.data.studio.gait import Footsteps, Roll, Step
from repro.data.studio.pose import random_angles
from repro.data.studio.splines import constant, keys, plus, scaled, wave

COURSE = 2.4
"""Metres that a walk goes before it turns back: the camera does not move."""
BEFORE, AFTER = 1.5, 1.0
"""Seconds that steps are written before the first frame and after the last, so that a clip begins amid them."""
QUARTER = np.pi / 4


def walk_in_place(stage: Stage, rng: np.random.Generator, until: float) -> Plan:
    """Lifts one knee after the other, arms swinging against them."""
    period, phase = rng.uniform(0.9, 1.3), rng.uniform()
    home, height = side_by_side(stage, rng).home, rng.uniform(0.13, 0.28) * stage.leg * stage.ease
    steps = []
    for start, number in _beats(period / 2, phase * period, until):
        side = SIDES[number % 2]
        x, z, yaw = home[side]
        steps.append(Step(side, start, start + 0.46 * period, (x, z), yaw, height, toe_off=18.0))
    plan = Plan(Footsteps(home, steps), at_ease(rng), settle=0.12, weight=0.35, hip_drop=2.0, period=period)
    swing, middle = rng.uniform(15, 35), phase + 0.23  # of the right knee's flight
    for side, lag in zip(SIDES, (0.5, 0.0)):
        plan.add(f"{side}_shoulder_flex", wave(period, 0.25 - middle - lag, swing))
        plan.add(f"{side}_elbow", constant(swing), wave(period, 0.2 - middle - lag, 0.6 * swing))
    plan.add("spine_twist", wave(period, 0.25 - middle, rng.uniform(3, 7)))
    return plan


def walk_forward(stage: Stage, rng: np.random.Generator, until: float) -> Plan:
    """Walks on, and back when the course ends."""
    beat, stride = rng.uniform(0.44, 0.6), rng.uniform(0.5, 0.75) * stage.leg * stage.ease
    heading = float(np.clip(rng.normal(0, 0.5), -1.2, 1.2))
    half = min(COURSE, stride * until / beat) / 2
    walker = _on_course(stage, rng, heading, half + BEFORE / beat * stride, width=0.85)
    walker.wait(-rng.uniform(0, beat))
    while walker.clock < until + AFTER:
        if np.dot(walker.place, walker.direction(1.0, 0.0)) + stride < half:
            walker.step(beat, stride)
        else:
            _about_turn(walker, beat, rng.choice([-1.0, 1.0]))
    return Plan(walker.footsteps, at_ease(rng), **_walking(rng), hip_drop=3.0)


def catwalk(stage: Stage, rng: np.random.Generator, until: float) -> Plan:
    """Walks to the front on one line, poses with a hand on the hip, turns and walks back."""
    beat, stride = rng.uniform(0.46, 0.58), rng.uniform(0.62, 0.78) * stage.leg * stage.ease
    count = int(np.clip(0.42 * until / beat, 2, COURSE / stride))
    walker = _on_course(stage, rng, 0.0, stride * count / 2, width=0.45)
    walker.clock = -rng.uniform(0, 0.4)
    at, posed, side = [-BEFORE], [0.0], SIDES[rng.integers(2)]
    while walker.clock < until + AFTER:
        for _ in range(count):
            walker.step(beat, stride)
        walker.step(beat, 0.2 * stride)
        start, hold = walker.clock, rng.uniform(0.5, 1.0)
        at += [start - 0.35, start + 0.1, start + hold - 0.1, start + hold + 0.35]
        posed += [0.0, 1.0, 1.0, 0.0]
        walker.wait(hold)
        _about_turn(walker, 0.8 * beat, rng.choice([-1.0, 1.0]))
    plan = Plan(walker.footsteps, at_ease(rng), **_walking(rng), hip_drop=rng.uniform(5, 8))
    pose, sign = keys(at, posed), -1.0 if side == "right" else 1.0
    plan.weight = 0.5
    plan.side = scaled(-sign * 0.04, pose)
    plan.add("sway", scaled(sign * 5, pose))
    plan.add("spine_side", scaled(-sign * 6, pose))
    plan.add("neck_yaw", scaled(rng.uniform(-25, 25), pose))
    for name, more in (("shoulder_flex", -18), ("shoulder_abduct", 27), ("shoulder_twist", 36), ("elbow", 68)):
        plan.add(f"{side}_{name}", scaled(more, pose))
    return plan


def turn(stage: Stage, rng: np.random.Generator, until: float) -> Plan:
    """Turns about full circle on the spot, with pauses; looks ahead of the turn."""
    plan = Plan(_turning(stage, rng, until, pauses=True), at_ease(rng), settle=0.18, arm_swing=15.0)
    plan.add("neck_yaw", wave(rng.uniform(2, 4), rng.uniform(), rng.uniform(5, 15)))
    return plan


def a_pose_turn(stage: Stage, rng: np.random.Generator, until: float) -> Plan:
    """Turns about full circle on the spot, arms held away from the body in an A."""
    plan = Plan(_turning(stage, rng, until, pauses=False), at_ease(rng), settle=0.2)
    period = rng.uniform(2, 4)
    for side in SIDES:
        plan.angles |= {
            f"{side}_shoulder_abduct": plus(constant(rng.uniform(36, 48)), wave(period, rng.uniform(), 2)),
            f"{side}_elbow": constant(rng.uniform(3, 10)),
        }
    return plan


def lunge(stage: Stage, rng: np.random.Generator, until: float) -> Plan:
    """Steps far forward, bends both knees, comes back; then the other leg."""
    period, phase = rng.uniform(2.6, 3.6), rng.uniform()
    home = side_by_side(stage, rng).home
    stride, depth = rng.uniform(0.65, 0.85) * stage.leg * stage.ease, rng.uniform(0.1, 0.2) * stage.leg * stage.ease
    steps, rolls, at, down = [], [], [], []
    for start, number in _beats(period, phase * period, until):
        side, other = SIDES[number % 2], SIDES[1 - number % 2]
        x, z, yaw = home[side]
        go, back = start + 0.2 * period, start + 0.6 * period
        steps.append(Step(side, start, go, (x, z + stride), yaw, 0.1, heel_strike=10.0))
        steps.append(Step(side, back, back + 0.22 * period, (x, z), yaw, 0.1, toe_off=10.0))
        rolls.append(Roll(other, start + 0.1 * period, go, back, back + 0.2 * period, 42.0))
        at += [go - 0.05 * period, start + 0.35 * period, start + 0.5 * period, back + 0.1 * period]
        down += [0.0, depth, depth, 0.0]
    plan = Plan(Footsteps(home, steps, rolls), at_ease(rng), crouch=keys(at, down), settle=0.2, weight=0.5)
    plan.period = 2 * period
    plan.add("shoulder_abduct", constant(rng.uniform(5, 30)))
    plan.add("elbow", constant(rng.uniform(10, 60)))
    plan.add("lean", scaled(4 / depth, keys(at, down)))
    return plan


def kick(stage: Stage, rng: np.random.Generator, until: float) -> Plan:
    """Kicks forward, one leg and then the other, arms on guard."""
    period, phase = rng.uniform(1.5, 2.2), rng.uniform()
    home, steps = side_by_side(stage, rng, 1.2).home, []
    high, far = rng.uniform(0.3, 0.6) * stage.leg * stage.ease, rng.uniform(0.55, 0.75) * stage.leg * stage.ease
    for start, number in _beats(period, phase * period, until):
        side = SIDES[number % 2]
        x, z, yaw = home[side]
        steps.append(Step(side, start, start + 0.55 * period, (x, z), yaw, high, (0.0, far), 15.0, -90 * high))
    plan = Plan(Footsteps(home, steps), at_ease(rng), settle=0.2, weight=0.75, period=2 * period)
    middle = phase + 0.275
    for side in SIDES:
        plan.add(f"{side}_shoulder_flex", constant(rng.uniform(15, 30)))
        plan.add(f"{side}_shoulder_abduct", constant(rng.uniform(8, 20)))
        plan.add(f"{side}_elbow", constant(rng.uniform(60, 95)))
    plan.add("lean", constant(-3), wave(period, 0.75 - middle, 5))
    plan.add("spine_bend", constant(4), wave(period, 0.25 - middle, 4))
    plan.add("spine_twist", wave(2 * period, 0.25 - middle / 2, rng.uniform(4, 10)))
    return plan


def step_touch(stage: Stage, rng: np.random.Generator, until: float) -> Plan:
    """Dances: a step to the side, the other foot touches beside it, and back; hips and arms go along."""
    period, phase = rng.uniform(1.6, 2.4), rng.uniform()
    home, beat = side_by_side(stage, rng).home, period / 4
    far, steps = rng.uniform(0.25, 0.45) * stage.leg * stage.ease, []
    for start, number in _beats(beat, phase * period, until):
        side, off = (("right", -far), ("left", -far), ("left", far), ("right", far))[number % 4]
        x, z, yaw = home[side]
        steps.append(Step(side, start, start + 0.8 * beat, (x + off / 2, z), yaw, 0.05, toe_off=10.0))
    plan = Plan(Footsteps(home, steps), at_ease(rng), settle=0.13, weight=0.4, hip_drop=4.0, period=period)
    plan.crouch = plus(constant(0.025), wave(period / 2, 2 * phase, 0.018))
    swing, bend = rng.uniform(15, 35), rng.uniform(35, 80)
    together = rng.choice([0.0, 0.5])
    for side, lag in zip(SIDES, (0.0, together)):
        plan.add(f"{side}_shoulder_flex", constant(12), wave(period / 2, lag - 2 * phase, swing))
        plan.add(f"{side}_shoulder_abduct", constant(10), wave(period, -phase, 8))
        plan.add(f"{side}_elbow", constant(bend), wave(period / 2, lag + 0.1 - 2 * phase, 0.4 * bend))
    plan.add("spine_side", wave(period, 0.25 - phase, rng.uniform(4, 9)))
    plan.add("spine_twist", wave(period, 0.1 - phase, rng.uniform(4, 10)))
    plan.add("neck_tilt", wave(period, -phase, 4))
    return plan


def tai_chi(stage: Stage, rng: np.random.Generator, until: float) -> Plan:
    """Slowly shifts the weight in a wide, low stance, a foot steps in and out; the hands pass like clouds."""
    period, phase = rng.uniform(3.4, 4.0), rng.uniform()
    home, steps = side_by_side(stage, rng, 2.4 * stage.ease).home, []
    for start, number in _beats(period, phase * period, until):
        side = SIDES[number // 2 % 2]
        x, z, yaw = home[side]
        place = (0.45 * x, z) if number % 2 == 0 else (x, z)
        steps.append(Step(side, start, start + 0.45 * period, place, yaw, 0.05))
    plan = Plan(Footsteps(home, steps), at_ease(rng), settle=0.35, weight=0.85, period=4 * period)
    plan.crouch = plus(constant(0.1 * stage.leg * stage.ease), wave(period, rng.uniform(), 0.025 * stage.leg))
    turning, late = rng.uniform(10, 22), 0.25 - phase
    plan.add("spine_twist", wave(2 * period, late, turning))
    plan.add("neck_yaw", wave(2 * period, late - 0.03, turning))
    for side, lag in zip(SIDES, (0.0, 0.5)):
        plan.angles |= {
            f"{side}_shoulder_flex": plus(constant(48), wave(period, late + lag, 24)),
            f"{side}_shoulder_abduct": plus(constant(24), wave(period, late + lag + 0.25, 12)),
            f"{side}_shoulder_twist": plus(constant(18), wave(period, late + lag + 0.5, 14)),
            f"{side}_elbow": plus(constant(66), wave(period, late + lag + 0.1, 22)),
            f"{side}_wrist_flex": wave(period, late + lag, 20),
        }
    return plan


def random_keyframes(stage: Stage, rng: np.random.Generator, until: float) -> Plan:
    """Goes through poses drawn at random, and between them steps, kicks, crouches or stands."""
    walker = Walker(stage, rng, clock=-BEFORE, heading=rng.normal(0, 0.4))
    angles = at_ease(rng)
    at, poses, deep = [-BEFORE], [_drawn(stage, rng)], [0.0]
    while at[-1] < until + AFTER:
        at.append(at[-1] + rng.uniform(0.6, 1.3))
        poses.append(_drawn(stage, rng))
        deep.append(float(rng.choice([0.0, rng.uniform(0.05, 0.2)])) * stage.leg * stage.ease)
        while walker.clock < at[-1]:
            _at_random(walker, stage, rng)
    for name in angles:
        if name in poses[0]:
            angles[name] = keys(at, [pose[name] for pose in poses])
    return Plan(walker.footsteps, angles, crouch=keys(at, deep), settle=0.18, weight=0.55, hip_drop=2.0)


def _drawn(stage: Stage, rng: np.random.Generator) -> dict[str, float]:
    """Random angles above the legs in which no arm enters the body (should forty tries fail, arms give way later)."""
    for _ in range(40):
        angles = {name: value for name, value in random_angles(rng).items() if not _of_leg(name)}
        if stage.free(angles):
            break
    return angles


def _of_leg(name: str) -> bool:
    return any(joint in name for joint in ("hip", "knee", "ankle"))


def _at_random(walker: Walker, stage: Stage, rng: np.random.Generator) -> None:
    """One step, knee lift or kick, or a rest; from far off, back towards the middle."""
    what, size = rng.random(), stage.leg * stage.ease
    beat, turn = rng.uniform(0.5, 0.8), rng.uniform(-0.5, 0.5)
    ahead, aside = rng.uniform(-0.25, 0.4) * size, rng.uniform(0.0, 0.25) * size
    high, forward = rng.uniform(0.1, 0.35) * size, rng.uniform(0.5, 1.6)  # nearly level kicks would brush the ground
    if np.linalg.norm(walker.place) > 0.8:
        home = [float(-0.4 * walker.place @ walker.direction(*axis)) for axis in ((1.0, 0.0), (0.0, 1.0))]
        walker.side = "left" if home[1] > 0 else "right"
        walker.step(beat, *home)
        walker.step(beat)
    elif what < 0.45:
        walker.step(beat, ahead, aside if walker.side == "left" else -aside, turn)
        walker.step(beat)
    elif what < 0.75:
        reach = walker.direction(forward * high, 0.0)
        walker.step(1.3 * beat, height=high, reach=tuple(reach), apex=-60 * high)
    else:
        walker.wait(beat)


def _beats(beat: float, shift: float, until: float) -> Iterator[tuple[float, int]]:
    """(seconds, number) of regular beats from before the first frame until after the last."""
    for number in range(int(np.floor((-BEFORE - shift) / beat)) // 4 * 4, int((until + AFTER - shift) / beat) + 1):
        yield shift + number * beat, number


def _on_course(stage: Stage, rng: np.random.Generator, heading: float, behind: float, width: float) -> Walker:
    """A walker so far behind the middle, in time ``BEFORE`` the first frame."""
    place = (-behind * float(np.sin(heading)), -behind * float(np.cos(heading)))
    return Walker(stage, rng, clock=-BEFORE, place=place, heading=heading, width=width)


def _about_turn(walker: Walker, beat: float, sense: float) -> None:
    """Half a turn in four steps; the foot on the inner side goes first."""
    walker.side = "left" if sense > 0 else "right"
    for _ in range(4):
        walker.step(beat, turn=sense * QUARTER)


def _walking(rng: np.random.Generator) -> dict[str, Any]:
    """What goes with a walk: arms and trunk against the legs."""
    return {"arm_swing": rng.uniform(25, 45), "trunk_swing": rng.uniform(5, 10), "settle": 0.14, "weight": 0.3}


def _turning(stage: Stage, rng: np.random.Generator, until: float, pauses: bool) -> Footsteps:
    """Steps on the spot that turn once around in the length of the clip, no faster than a person would."""
    sense = rng.choice([-1.0, 1.0])
    count = int(np.clip((until - 1.2 * pauses) / 0.5, 8, 14))
    beat = float(np.clip((until - 1.2 * pauses) / count, 0.34, 0.7))
    walker = Walker(stage, rng, clock=-rng.uniform(0, 0.5), heading=0.0 if not pauses else rng.uniform(-0.6, 0.6))
    walker.side = "left" if sense > 0 else "right"
    stops = {count // 3, 2 * count // 3, 0} if pauses else set()
    number = 0
    while walker.clock < until + AFTER:
        walker.step(beat, turn=sense * 2 * np.pi / count)
        number += 1
        if number % count in stops:
            walker.wait(rng.uniform(0.3, 0.6))
    return walker.footsteps


STEPPING: dict[str, Choreography] = {
    "walk_in_place": walk_in_place, "walk_forward": walk_forward, "turn": turn, "catwalk": catwalk, "lunge": lunge,
    "kick": kick, "step_touch": step_touch, "tai_chi": tai_chi, "random_keyframes": random_keyframes,
    "a_pose_turn": a_pose_turn,
}  # fmt: skip
