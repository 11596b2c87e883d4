"""Motion: clips of a person who walks, turns, waves or dances, with feet that stand where they stand."""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from repro.checks import require_choice
from repro.data.studio.choreography import Stage
from repro.data.studio.mesh import Mesh
from repro.data.studio.performer import Performer
from repro.data.studio.pose import intersects
from repro.data.studio.skeleton import Pose
from repro.data.studio.splines import Curve
from repro.data.studio.standing import STANDING
from repro.data.studio.stepping import STEPPING
from repro.data.studio.tubes import Array

CHOREOGRAPHIES = STANDING | STEPPING
KINDS: tuple[str, ...] = tuple(CHOREOGRAPHIES)
HELD_OUT_KIND = "step_touch"
"""The kind that only test clips show."""
CHECK, SOFT = 0.04, 0.6
"""Seconds between the poses that are tested for arms in the body, and over which arms give way before and after."""
RAISE, ROUNDS = 7.0, 10
"""Degrees by which arms that hit are raised at a time, and how often."""


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

    def __post_init__(self) -> None:
        _require_frames(len(self.poses), self.fps)


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
    _require_frames(frames, fps)
    until = frames / fps
    performer = Performer(mesh, CHOREOGRAPHIES[kind](Stage.of(mesh), rng, until), until)
    raised = _arms_clear(mesh, performer, until)
    return Motion(kind, performer.poses(np.arange(frames) / fps, raised), fps)


def _arms_clear(mesh: Mesh, performer: Performer, until: float) -> Curve:
    """Degrees by which both arms are raised over time so that none enters the body: around each hit a soft bump."""
    times: Array = np.arange(-1.0, np.ceil(until / CHECK) + 2.0) * CHECK
    height = np.zeros(len(times))
    near = np.abs(times[:, None] - times) / SOFT
    bump = np.where(near < 1, np.cos(np.pi / 2 * np.minimum(near, 1)) ** 2, 0.0)
    for _ in range(ROUNDS):
        raised = CubicSpline(times, height)
        hits = [intersects(mesh, pose) for pose in performer.poses(times, raised)]
        if not any(hits):
            break
        height = height + RAISE * (bump * np.array(hits)).max(1)
    return CubicSpline(times, height)


def _require_frames(frames: int, fps: float) -> None:
    if frames < 1 or not fps > 0:
        raise ValueError(f"expected at least one frame at a positive rate, got {frames} frames at {fps:g} per second")
