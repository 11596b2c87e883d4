"""Expressions of a face: displacement fields on the rest shape, and how strong each is over a clip."""

from collections.abc import Mapping

import numpy as np
from numpy.random import Generator

from repro.data.studio.face_paint import EYE_WIDTH, LIP_WIDTH, lids, lip_line
from repro.data.studio.head import GAP, MOUTH_HEIGHT, Talker
from repro.data.studio.mesh import pose_vertices
from repro.data.studio.pose import articulate
from repro.data.studio.skeleton import BONE, Pose
from repro.data.studio.skinning import smoothstep
from repro.data.studio.splines import Curve, keys
from repro.data.studio.tubes import Array

EXPRESSIONS = ("jaw", "smile", "pout", "blink", "brows", "cheeks")
"""Names of the fields; strength 0 is rest, 1 the most a face does."""
OPENING = 0.085
"""Heights of the head by which the jaw drops at strength 1."""
RIM = 0.004
"""Heights of the head by which the opening between the lids is taken larger: its vertices straddle the painted edge."""
LID_SKIN = 0.06
"""Heights of the head above the eye over which the skin follows the upper lid."""

KINDS = ("talk", "look", "smile", "nod")
HELD_OUT_KIND = "nod"
"""A kind of motion that only the test split shows."""
TURNS = ("neck_yaw", "neck_nod", "neck_tilt")
LARGEST_TURN = 30.0


def fields(talker: Talker) -> dict[str, Array]:
    """Return the displacement (V, 3), metres, of every vertex for each of ``EXPRESSIONS`` at strength 1."""
    x, y, z = talker.in_units()
    side, sign = np.abs(x), np.sign(x)
    moved = (talker.moving * smoothstep(0.04, 0.16, z)).astype(np.float64)
    up = y - MOUTH_HEIGHT - lip_line(side)
    zero = np.zeros_like(x)

    def bell(at_x: float, at_up: float, wide: float, high: float) -> Array:
        return np.exp(-(((side - at_x) / wide) ** 2) - ((up - at_up) / high) ** 2)

    # The lower lip follows the jaw, the upper stays; towards the corners both follow by half, as the cheeks do.
    below = np.clip((GAP - up) / (2 * GAP), 0, 1)
    cheek = smoothstep(0.13, -0.13, up)
    corner = np.clip(side / LIP_WIDTH, 0, 1) ** 2
    upper, lower = cheek * corner, 1 - (1 - cheek) * corner
    drop = np.where(side < LIP_WIDTH, upper + below * (lower - upper), cheek) * smoothstep(0.36, 0.2, side)
    hollow = 4 * below * (1 - below) * (1 - corner)  # the inside lies behind the lips
    jaw = OPENING * np.stack([-0.25 * sign * bell(LIP_WIDTH, 0, 0.05, 0.05), -drop, -0.25 * drop - 0.5 * hollow], -1)

    at_corner = bell(LIP_WIDTH, 0.0, 0.055, 0.05)
    smile = np.stack([0.024 * sign * at_corner, 0.024 * at_corner, -0.012 * at_corner], -1)
    pout = np.stack([-0.5 * x * bell(0.0, 0.0, 0.13, 0.05), zero, 0.024 * bell(0.0, 0.0, 0.075, 0.05)], -1)
    cheeks = np.stack([zero, 0.014 * bell(0.2, 0.2, 0.07, 0.06), 0.012 * bell(0.2, 0.2, 0.08, 0.07)], -1)

    eye_x, eye_y = _eye(talker, side, y)
    lid, edge = lids(eye_x)
    open_eye = smoothstep(1.0, 0.9, np.abs(eye_x) / EYE_WIDTH)
    lid, edge = lid + RIM * open_eye, edge - RIM * open_eye
    within = np.clip((eye_y - edge) / np.maximum(lid - edge, 1e-9), 0, 1)
    blink = -(lid - edge) * within * smoothstep(LID_SKIN, 0.0, eye_y - lid)
    brows = 0.032 * np.exp(-(((eye_x + 0.01) / 0.11) ** 2) - ((eye_y - 0.095) / 0.045) ** 2)

    found = {
        "jaw": jaw, "smile": smile, "pout": pout, "blink": np.stack([zero, blink, zero], -1),
        "brows": np.stack([zero, brows, zero], -1), "cheeks": cheeks,
    }  # fmt: skip
    return {name: found[name] * (talker.unit * moved)[:, None] for name in EXPRESSIONS}


def _eye(talker: Talker, side: Array, y: Array) -> tuple[Array, Array]:
    """Return the place (V,) from the centre of the nearer eye, outwards and up, in heights of the head."""
    eye = talker.skeleton.points["left_eye"][1]
    return side - eye[0] / talker.unit, y - (eye[1] - talker.chin) / talker.unit


def perform(talker: Talker, poses: list[Pose], strengths: Mapping[str, Array]) -> Array:
    """Return the vertices (T, V, 3) of a face in motion, metres: expressions at rest, then the head's turn.

    Args:
        talker: whose face.
        poses: T poses of the neck and head.
        strengths: name of an expression -> (T,).
    """
    own = fields(talker)
    result = []
    for frame, pose in enumerate(poses):
        shift = sum((strengths[name][frame] * own[name] for name in strengths), np.zeros_like(talker.rest_vertices))
        # All of the face hangs on the head's bone, so its displacement turns as the head does.
        turn = talker.skeleton.transforms(pose)[BONE["head"], :, :3]
        turned = sum(shift[:, axis, None] * turn[:, axis] for axis in range(3))
        result.append(pose_vertices(talker, pose) + turned)
    return np.stack(result)


def head_poses(turns: Array) -> list[Pose]:
    """Return the poses of heads turned by (T, 3) degrees of yaw, nod and tilt."""
    return [articulate(dict(zip(TURNS, own.tolist()))) for own in turns]


def script(kind: str, rng: Generator, frames: int, fps: float = 25.0) -> tuple[dict[str, Array], Array]:
    """Return the strengths (T,) of the expressions and the head's turns (T, 3) in degrees over a clip.

    Args:
        kind: of ``KINDS``: "talk" speaks, "look" turns the head far, "smile" laughs, brows raised, "nod" says yes.
        rng: generator of the clip.
        frames, fps: how long.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown motion of a face {kind!r}: choose one of {', '.join(KINDS)}")
    seconds = np.arange(frames) / fps
    end = max(float(seconds[-1]), 1.0)
    talking = {"talk": 1.0, "look": 0.5, "smile": 0.6, "nod": 0.3}[kind]
    smiling = 0.9 if kind == "smile" else 0.25
    strengths = {
        "jaw": talking * _speech(rng, end)(seconds),
        "pout": talking * _wander(rng, end, 0.35, 0.0, 0.8)(seconds),
        "smile": _wander(rng, end, 0.8, -0.15, smiling)(seconds),
        "brows": _wander(rng, end, 0.6, -0.3, 1.0 if kind == "smile" else 0.5)(seconds),
        "blink": _blinks(rng, end)(seconds),
    }
    strengths["cheeks"] = strengths["smile"].clip(0)
    far = {"talk": 14.0, "look": LARGEST_TURN, "smile": 12.0, "nod": 8.0}[kind]
    yaw = _wander(rng, end, 0.9, -far, far)(seconds)
    nod = _wander(rng, end, 0.7, -7.0, 7.0)(seconds)
    tilt = _wander(rng, end, 0.8, -7.0, 7.0)(seconds)
    if kind == "nod":
        period, phase = rng.uniform(0.55, 0.8), rng.uniform()
        nod = 0.4 * nod + 9.0 * np.sin(2 * np.pi * (seconds / period + phase))
    return strengths, np.stack([yaw, nod, tilt], -1)


def _wander(rng: Generator, end: float, step: float, low: float, high: float) -> Curve:
    """A slow curve through random keys about ``step`` seconds apart."""
    at = np.cumsum(rng.uniform(0.6, 1.4, int(end / (0.6 * step)) + 3) * step) - step
    return keys(at.tolist(), rng.uniform(low, high, len(at)).tolist())


def _speech(rng: Generator, end: float) -> Curve:
    """Syllables, four to seven in a second, in words with short pauses: the jaw opens and nearly closes."""
    at, value, now = [0.0], [0.0], 0.0
    while now < end:
        for _ in range(int(rng.integers(2, 6))):
            length = rng.uniform(0.14, 0.25)
            at += [now + 0.45 * length, now + length]
            value += [float(rng.uniform(0.25, 1.0)), float(rng.uniform(0.0, 0.2))]
            now += length
        pause = rng.uniform(0.08, 0.4)
        at += [now + 0.06, now + 0.06 + pause]
        value += [0.0, 0.0]
        now += 0.06 + pause
    return keys(at, value)


def _blinks(rng: Generator, end: float) -> Curve:
    """Lids that close in 0.1 and open in 0.16 seconds, every two seconds or so, the first within a second."""
    at, value, now = [-1.0], [0.0], float(rng.uniform(0.15, 1.0))
    while now < end:
        at += [now, now + 0.1, now + 0.14, now + 0.3]
        value += [0.0, 1.0, 1.0, 0.0]
        now += 0.3 + float(rng.uniform(0.8, 3.0))
    return keys([*at, now + end], [*value, 0.0])
