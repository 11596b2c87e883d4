"""The sets ``fashion_video`` and ``iper``: people who move before a camera that stands still."""

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from repro.data.joints import MISSING
from repro.data.studio.cache import Arrays
from repro.data.studio.camera import Camera
from repro.data.studio.clip_set import FPS, FRAMES, REFERENCE_FRAMES, ClipSet
from repro.data.studio.cloth import animate
from repro.data.studio.detector import detect
from repro.data.studio.film import Film
from repro.data.studio.identity import Identity
from repro.data.studio.motion import HELD_OUT_KIND, KINDS, Motion, clip_motion
from repro.data.studio.people_set import camera_numbers, camera_of, detail, person_mesh, person_wardrobe
from repro.data.studio.render import SUPERSAMPLING, View, render
from repro.data.studio.rooms import Room, indoor_room, white_studio
from repro.data.studio.shading import random_light
from repro.data.studio.shot import Shot, joints_visible
from repro.data.studio.skeleton import COCO_17, Pose
from repro.data.studio.tubes import Array
from repro.data.studio.view_set import pixels
from repro.data.studio.wardrobe import HELD_OUT, HELD_OUT_SHARE

NOISE = "typical"
"""Level of the simulated detector."""
HELD_OUT_EVERY = 4
"""Every so many clips of the test split move as no training clip does."""
CANDIDATES = 32
"""People among whom the one for a clip is cast."""
MARGIN = 0.045
"""Parts of the picture's side that stay free around everything the person reaches during the clip."""


class PeopleClips(ClipSet):
    """Clips of a person each; a subclass says who (:meth:`suits`), how (``MOTIONS``) and where (:meth:`room`).

    One camera and one light per clip; the camera frames whatever the person reaches. The cache keeps pictures, masks,
    poses and joints; cloth is simulated again from frame 0 where flow is asked for.
    """

    MOTIONS: ClassVar[dict[str, float]]
    """Kinds of motion and how often each is seen in training."""
    STARTS: ClassVar[dict[str, tuple[int, int]]] = {}
    """Kinds of which a clip shows a later part, and the earliest and latest frame that it begins with."""

    @abstractmethod
    def suits(self, identity: Identity, index: int) -> bool:
        """Tell whether a person may appear in clip ``index``."""

    @abstractmethod
    def room(self, index: int, camera: Camera) -> Room:
        """Return the background of clip ``index``."""

    def person(self, index: int) -> Identity:
        """Return who appears in clip ``index``: the first of its candidates who suits."""
        candidates = [Identity(self.name, self.split, CANDIDATES * index + number) for number in range(CANDIDATES)]
        return next((person for person in candidates if self.suits(person, index)), candidates[0])

    def motion_kind(self, index: int) -> str:
        """Return how the person of clip ``index`` moves."""
        if self.split == "test" and index % HELD_OUT_EVERY == HELD_OUT_EVERY - 1:
            return HELD_OUT_KIND
        shares = np.array(list(self.MOTIONS.values()))
        return str(self.rng(index, "kind").choice(list(self.MOTIONS), p=shares / shares.sum()))

    def settings(self) -> dict[str, Any]:
        """Return what decides the content beside the constructor's arguments."""
        return {
            "detail": detail(self.size),
            "supersampling": SUPERSAMPLING,
            "frames": [FRAMES, FPS, REFERENCE_FRAMES, self.STARTS],
            "clips": self.count,
            "noise": NOISE,
            "kinds": self.MOTIONS,
            "held_out": [HELD_OUT, HELD_OUT_SHARE, HELD_OUT_KIND, HELD_OUT_EVERY],
            "framing": [CANDIDATES, MARGIN],
        }

    def draw(self, index: int) -> Arrays:
        """Return a clip's pictures, masks, joints, poses and camera."""
        identity, kind = self.person(index), self.motion_kind(index)
        mesh = person_mesh(identity, detail(self.size))
        earliest, latest = self.STARTS.get(kind, (0, 0))
        whole = clip_motion(kind, mesh, self.rng(index, "motion"), latest + FRAMES, FPS)
        first = int(self.rng(index, "start").integers(earliest, latest + 1))
        motion = Motion(kind, whole.poses[first : first + FRAMES], FPS)
        vertices = animate(mesh, motion)
        camera = framing_camera(self.rng(index, "camera"), vertices, self.size)
        views = self._photograph(index, motion, vertices, camera)
        shots = [Shot(mesh, own, pose, camera, self.size) for own, pose in zip(vertices, motion.poses)]
        clean, coco = (
            np.stack([projected_joints(shot, layout) for shot in shots]) for layout in ("human36m17", "coco17")
        )
        hidden = ~np.stack([joints_visible(shot, view.depth, COCO_17) for shot, view in zip(shots, views)])
        height = identity.body.height * pixels_per_metre(camera, self.size)
        found = detect(coco, height, self.rng(index, "detector"), NOISE, hidden)
        dressed = person_wardrobe(identity)
        return {
            "images": np.stack([pixels(view.image) for view in views]),
            "masks": np.stack([(view.part >= 0).numpy() for view in views]),
            "joints_clean": clean,
            "joints_noisy": inside_or_missing(found.joints, self.size),
            "score": found.score,
            "rotations": np.stack([pose.rotations for pose in motion.poses]),
            "roots": np.stack([pose.root for pose in motion.poses]),
            "camera": camera_numbers(camera),
            "kind": np.array(KINDS.index(kind)),
            "held_out": np.array(dressed.wears_held_out or kind == HELD_OUT_KIND),
        }

    def film(self, index: int) -> Film:
        """Return the geometry of a clip: its poses from the cache, its cloth simulated from frame 0."""
        arrays = self.arrays(index)
        mesh = person_mesh(self.person(index), detail(self.size))
        poses = [Pose(np.array(turns), np.array(root)) for turns, root in zip(arrays["rotations"], arrays["roots"])]
        vertices = animate(mesh, Motion(self.motion_kind(index), tuple(poses), FPS))
        camera = camera_of(arrays["camera"])
        return Film([Shot(mesh, own, pose, camera, self.size) for own, pose in zip(vertices, poses)])

    def render(self, index: int, frames: list[int]) -> list[View]:
        """Render frames of a clip anew, with everything that is not kept in the cache (albedo, parts, depth, alpha)."""
        shots = [self._film(index).shots[frame] for frame in frames]
        motion = Motion(self.motion_kind(index), tuple(shot.pose for shot in shots), FPS)
        return self._photograph(index, motion, np.stack([shot.vertices for shot in shots]), shots[0].camera)

    @property
    def kind(self) -> Tensor:
        """(N,) int64: how the person moves, as an index into ``motion.KINDS``."""
        return torch.tensor(self.whole("kind"))

    def _photograph(self, index: int, motion: Motion, vertices: Array, camera: Camera) -> list[View]:
        identity = self.person(index)
        return render(
            person_mesh(identity, detail(self.size)),
            person_wardrobe(identity),
            motion.poses,
            [camera] * len(vertices),
            self.size,
            vertices=list(vertices),
            light=random_light(self.rng(index, "light"), camera),
            background=self.room(index, camera),
        )


class FashionVideoSet(PeopleClips):
    """Walks and turns in a white studio, mostly in skirts and dresses, imitating FashionVideo."""

    name = "fashion_video"
    MOTIONS: ClassVar = {"catwalk": 0.6, "walk_forward": 0.2, "turn": 0.2}
    STARTS: ClassVar = {"catwalk": (30, 70)}  # the turn comes after three to four seconds of approach and pose

    def suits(self, identity: Identity, index: int) -> bool:
        """Skirts and dresses in three of four clips."""
        skirted = identity.garment("skirt") is not None or identity.garment("dress") is not None
        return skirted or index % 4 == 3

    def room(self, index: int, camera: Camera) -> Room:
        """A white studio, its floor shaded."""
        return white_studio(self.rng(index, "room"), camera, self.size)


class IperSet(PeopleClips):
    """Turns in an A pose and free motion of arms and legs in a furnished room, imitating iPER."""

    name = "iper"
    MOTIONS: ClassVar = {"a_pose_turn": 0.4, "random_keyframes": 0.4, "arm_circles": 0.1, "kick": 0.1}

    def suits(self, identity: Identity, index: int) -> bool:
        """Everybody."""
        return True

    def room(self, index: int, camera: Camera) -> Room:
        """A furnished room."""
        return indoor_room(self.rng(index, "room"), camera, self.size)


def framing_camera(rng: np.random.Generator, vertices: Array, size: tuple[int, int]) -> Camera:
    """Return a camera that stands still and has everything a person reaches in its picture, as large as possible.

    Args:
        rng: generator of the purpose.
        vertices: (T, V, 3) of all frames, metres.
        size: (H, W) of the picture.
    """
    low, high = vertices.min((0, 1)), vertices.max((0, 1))
    x, y, z = ((low + high) / 2).tolist()
    camera = Camera(
        yaw=float(np.clip(rng.normal(0, 0.12), -0.35, 0.35)),
        pitch=float(np.deg2rad(rng.uniform(0, 4))),
        distance=float(rng.uniform(3.8, 4.6) + (high[2] - low[2]) / 2),
        look_at=(x, y, z),
        focal=1.0,
    )
    height, width = size
    seen = camera.project(vertices.reshape(-1, 3), (1, 1))[:, :2] - 0.5  # in units of the height, at focal length 1
    reach = max(np.abs(seen[:, 1]).max(), np.abs(seen[:, 0]).max() * height / width)
    return Camera(camera.yaw, camera.pitch, 0.0, camera.distance, camera.look_at, float((0.5 - MARGIN) / reach))


def pixels_per_metre(camera: Camera, size: tuple[int, int]) -> float:
    """Return the scale of the picture at the point that the camera looks at."""
    return camera.focal * size[0] / camera.distance


def projected_joints(shot: Shot, layout: str) -> Array:
    """Return all joints (17, 2) of a layout as (row, column), those outside the picture too."""
    points = shot.camera.project(shot.mesh.skeleton.posed_joints(shot.pose, layout), shot.size)
    return points[:, 1::-1] - 0.5


def inside_or_missing(joints: Array, size: tuple[int, int]) -> Array:
    """Return joints (..., 2) with (-1, -1) for those outside the picture."""
    inside = ((joints >= -0.5) & (joints < np.array(size) - 0.5)).all(-1, keepdims=True)
    return np.where(inside, joints, MISSING)
