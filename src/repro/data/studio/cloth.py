"""Moving cloth: skirts, coats and long hair lag behind the body like damped springs, simulated from the first frame."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from repro.data.studio.mesh import MATERIAL, PART, Mesh, pose_vertices
from repro.data.studio.motion import Motion
from repro.data.studio.skeleton import BONE
from repro.data.studio.tubes import Array, Indices

STEP = 0.01
"""Seconds of one step of the springs, whatever the frame rate: four per frame at 25 frames per second."""
LIMIT_ANGLE, LIMIT_SHIFT = np.deg2rad(30), 0.09
"""Radians and metres that no hem exceeds: legs and back stay inside, also when motion capture jumps."""


@dataclass(frozen=True)
class Hanging:
    """Cloth or hair that hangs on a bone.

    Attributes:
        bone: the bone it hangs on; its joint is the axis.
        vertices: (N,) indices of the vertices that move.
        share: (N,) in (0, 1], how far each follows the spring: 0 where the cloth is held, 1 at the free end.
        stiffness, damping: of the spring, 1/s^2 and 1/s.
        give: shares of the sideways, forward and backward shift that there is room for.
    """

    bone: str
    vertices: Indices
    share: Array
    stiffness: float
    damping: float
    give: tuple[float, float, float] = (1.0, 1.0, 1.0)


def hanging(mesh: Mesh) -> list[Hanging]:
    """Return what hangs on a person: skirts, dresses and coats below the waist, and hair below the chin."""
    joints, points = mesh.skeleton.joints, mesh.skeleton.points
    stature = float(points["crown"][1][1])
    waist, hip = float(joints[BONE["spine"], 1]), float(joints[BONE["right_thigh"], 1])
    found = []
    on_trunk = np.isin(mesh.part, (PART["top"], PART["skirt"]))
    for material in ("skirt", "dress", "coat"):
        vertices = _used(mesh, on_trunk & (mesh.material == MATERIAL[material]))
        # A hem just below the hips is hardly free: a short garment moves less than a skirt to the knee.
        if len(vertices) and mesh.rest_vertices[vertices, 1].min() < hip - 0.03 * stature:
            found.append(_hang(mesh, vertices, "pelvis", waist, waist - 0.3 * stature, 60.0, 5.0, (1.0, 1.0, 1.0)))
    hair, chin = _used(mesh, mesh.part == PART["hair"]), float(points["chin"][1][1])
    if len(hair) and mesh.rest_vertices[hair, 1].min() < chin - 0.05 * stature:
        # The back is in the way of hair that swings forward.
        found.append(_hang(mesh, hair, "chest", chin, chin - 0.15 * stature, 120.0, 9.0, (1.0, 0.15, 1.0)))
    return found


def animate(mesh: Mesh, motion: Motion) -> Array:
    """Return the vertices (T, V, 3), metres, of a person in motion: skinning, and springs for all that hangs.

    The springs start at rest on the first pose and turn with it; so a clip is simulated from frame 0, and what a frame
    looks like depends on the frames before it. A motion that stands still gives the vertices of skinning exactly.

    Args:
        mesh: the person at rest.
        motion: T poses at a frame rate.
    """
    vertices = np.stack([pose_vertices(mesh, pose) for pose in motion.poses])
    transforms = np.stack([mesh.skeleton.transforms(pose) for pose in motion.poses])
    for cloth in hanging(mesh):
        rotation, shift = transforms[:, BONE[cloth.bone], :, :3], transforms[:, BONE[cloth.bone], :, 3]
        axis = (rotation * mesh.skeleton.joints[BONE[cloth.bone]]).sum(-1) + shift
        yaw = np.unwrap(np.arctan2(rotation[:, 0, 2], rotation[:, 2, 2]))
        lag, push = lags(yaw, axis[:, [0, 2]], motion.fps, cloth.stiffness, cloth.damping)
        push = _room(push, yaw, cloth.give)
        for frame, (angle, (x, z)) in enumerate(zip(lag, push)):
            moved = vertices[frame, cloth.vertices]
            turn = cloth.share * angle
            sine, cosine = np.sin(turn), np.cos(turn) - 1  # as a change: nothing at rest, to the last bit
            dx, dz = moved[:, 0] - axis[frame, 0], moved[:, 2] - axis[frame, 2]
            vertices[frame, cloth.vertices, 0] += cosine * dx + sine * dz + cloth.share * x
            vertices[frame, cloth.vertices, 2] += cosine * dz - sine * dx + cloth.share * z
    return vertices


def lags(yaw: Array, place: Array, fps: float, stiffness: float, damping: float) -> tuple[Array, Array]:
    r"""Return how far a hem is behind its bone at each frame: angle (T,) radians, shift (T, 2) metres in x and z.

    .. math:: \ddot\theta = -k(\theta - \theta_{bone}) - c\,\dot\theta \qquad
              \ddot s = -k s - c\,\dot s - \ddot p_{bone}

    Between frames the bone moves on a cubic spline, sampled every ``STEP`` seconds: frame rates change the samples of
    the bone's path, not the springs. Both limits are approached smoothly.

    Args:
        yaw: (T,) radians, without jumps of a full turn.
        place: (T, 2) x and z of the bone, metres.
        fps: frames per second.
        stiffness, damping: k and c.
    """
    if len(yaw) == 1:
        return np.zeros(1), np.zeros((1, 2))
    times = np.arange(len(yaw)) / fps
    fine = np.arange(int(np.ceil(times[-1] / STEP - 1e-9)) + 1) * STEP
    path = CubicSpline(times, np.column_stack([yaw, place]), bc_type="natural")
    # A step of the spring is driven by the middle of its time, the first value is where it starts.
    middle = np.clip(fine - STEP / 2, 0.0, times[-1])
    target = np.column_stack([path(middle)[:, 0], -path(middle, 2)[:, 1:] / stiffness])
    target[0, 1:] = 0.0
    behind = spring(target, np.concatenate([path(0.0, 1)[:1], np.zeros(2)]), stiffness, damping)
    behind[:, 0] -= path(np.minimum(fine, times[-1]))[:, 0]
    behind = np.stack([np.interp(times, fine, column) for column in behind.T], 1)
    limit = np.array([LIMIT_ANGLE, LIMIT_SHIFT, LIMIT_SHIFT])
    behind = limit * np.tanh(behind / limit)
    return behind[:, 0], behind[:, 1:]


def spring(target: Array, velocity: Array, stiffness: float, damping: float) -> Array:
    r"""Return the path (N, C) of damped springs that follow a target, from rest on its first value.

    Each step is the exact solution of :math:`\ddot x = -k(x - u) - c\,\dot x` for a target u that holds during it, so
    any step is stable.

    Args:
        target: (N, C), every ``STEP`` seconds.
        velocity: (C,) at the start, per second.
        stiffness, damping: k and c.

    Raises:
        ValueError: a spring that does not swing, c^2 >= 4k.
    """
    if damping**2 >= 4 * stiffness:
        raise ValueError(f"expected damping below {2 * np.sqrt(max(stiffness, 0.0)):g} (2 sqrt(k)), got {damping:g}")
    decay, frequency = damping / 2, np.sqrt(stiffness - damping**2 / 4)
    fade, sine, cosine = np.exp(-decay * STEP), np.sin(frequency * STEP), np.cos(frequency * STEP)
    path = np.empty_like(target)
    path[0], speed = target[0], np.asarray(velocity, dtype=np.float64)
    for n in range(1, len(target)):
        away = path[n - 1] - target[n]
        slope = (speed + decay * away) / frequency
        path[n] = target[n] + fade * (away * cosine + slope * sine)
        speed = fade * (speed * cosine - (decay * slope + frequency * away) * sine)
    return path


def _used(mesh: Mesh, faces: NDArray[np.bool_]) -> Indices:
    return np.unique(mesh.faces[faces])


def _hang(
    mesh: Mesh, vertices: Indices, bone: str, held: float, free: float, stiffness: float, damping: float,
    give: tuple[float, float, float],
) -> Hanging:  # fmt: skip
    """What hangs below the height ``held``; its free end is at ``free`` or, if it hangs lower, there."""
    height = mesh.rest_vertices[vertices, 1]
    free = min(free, float(height.min()))
    moves = height < held
    share = ((held - height[moves]) / (held - free)) ** 1.3
    return Hanging(bone, vertices[moves], share, stiffness, damping, give)


def _room(push: Array, yaw: Array, give: tuple[float, float, float]) -> Array:
    """The shift (T, 2) in world x and z, cut to the room there is to the sides, in front and behind."""
    sine, cosine = np.sin(yaw), np.cos(yaw)
    side = (push[:, 0] * cosine - push[:, 1] * sine) * give[0]
    front = push[:, 0] * sine + push[:, 1] * cosine
    front = np.where(front > 0, give[1], give[2]) * front
    return np.stack([side * cosine + front * sine, front * cosine - side * sine], 1)
