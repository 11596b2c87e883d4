"""The procedural set ``face``: heads that speak, blink and turn before a blurred room, imitating FaceForensics."""

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from repro.data.studio.cache import Arrays
from repro.data.studio.camera import Camera
from repro.data.studio.clip_set import FPS, FRAMES, REFERENCE_FRAMES, ClipSet
from repro.data.studio.expression import EXPRESSIONS, HELD_OUT_KIND, KINDS, LARGEST_TURN, head_poses, perform, script
from repro.data.studio.film import Film
from repro.data.studio.head import RINGS, SECTORS, Talker, build_talker, talker_wardrobe
from repro.data.studio.identity import Identity
from repro.data.studio.people_set import camera_numbers, camera_of, detail
from repro.data.studio.render import SUPERSAMPLING, View, render
from repro.data.studio.rooms import Room, indoor_room
from repro.data.studio.shading import random_light
from repro.data.studio.shot import Shot
from repro.data.studio.tubes import Array
from repro.data.studio.view_set import pixels
from repro.data.studio.wardrobe import HELD_OUT, HELD_OUT_SHARE, Wardrobe

HELD_OUT_EVERY = 4
"""Every so many clips of the test split move as no training clip does."""
HEAD_SHARE = (0.48, 0.62)
"""Parts of the picture's height that a head fills."""
BLUR = 0.025
"""Blur of the room behind, standard deviation in parts of the picture's height."""


class FaceSet(ClipSet):
    """Clips of one face each with 68 landmarks, ``dataset[i].landmarks`` (T, 68, 2), and their structures ``poses``.

    Convention: landmarks are dlib's, fixed points of the skin, given also where they are turned away; (row, column),
    pixel centres at integers.
    """

    name = "face"

    def settings(self) -> dict[str, Any]:
        """Return what decides the content beside the constructor's arguments."""
        return {
            "detail": detail(self.size),
            "supersampling": SUPERSAMPLING,
            "head": [RINGS, SECTORS],
            "frames": [FRAMES, FPS, REFERENCE_FRAMES],
            "clips": self.count,
            "motion": [KINDS, LARGEST_TURN],
            "held_out": [HELD_OUT, HELD_OUT_SHARE, HELD_OUT_KIND, HELD_OUT_EVERY],
            "framing": [HEAD_SHARE, BLUR],
        }

    def person(self, index: int) -> Identity:
        """Return whose face clip ``index`` shows."""
        return Identity(self.name, self.split, index)

    def motion_kind(self, index: int) -> str:
        """Return how the face of clip ``index`` moves."""
        if self.split == "test" and index % HELD_OUT_EVERY == HELD_OUT_EVERY - 1:
            return HELD_OUT_KIND
        return str(self.rng(index, "kind").choice([kind for kind in KINDS if kind != HELD_OUT_KIND]))

    def draw(self, index: int) -> Arrays:
        """Return a clip's pictures, masks, landmarks, expressions, turns and camera."""
        identity, kind = self.person(index), self.motion_kind(index)
        talker = _talker(identity, detail(self.size))
        strengths, turns = script(kind, self.rng(index, "motion"), FRAMES, FPS)
        camera = portrait_camera(self.rng(index, "camera"), talker)
        shots = _shots(talker, np.stack([strengths[name] for name in EXPRESSIONS], -1), turns, camera, self.size)
        views = self._photograph(index, shots)
        marks = camera.project(talker.landmarks(np.stack([shot.vertices for shot in shots])), self.size)
        return {
            "images": np.stack([pixels(view.image) for view in views]),
            "masks": np.stack([(view.part >= 0).numpy() for view in views]),
            "landmarks": marks[..., 1::-1] - 0.5,
            "strengths": np.stack([strengths[name] for name in EXPRESSIONS], -1),
            "turns": turns,
            "camera": camera_numbers(camera),
            "kind": np.array(KINDS.index(kind)),
            "held_out": np.array(_wardrobe(identity).wears_held_out or kind == HELD_OUT_KIND),
        }

    def film(self, index: int) -> Film:
        """Return the geometry of a clip from the expressions, turns and camera in the cache."""
        arrays = self.arrays(index)
        strengths, turns = np.array(arrays["strengths"]), np.array(arrays["turns"])
        talker = _talker(self.person(index), detail(self.size))
        return Film(_shots(talker, strengths, turns, camera_of(np.array(arrays["camera"])), self.size))

    def render(self, index: int, frames: list[int]) -> list[View]:
        """Render frames of a clip anew, with everything that is not kept in the cache (albedo, parts, depth, alpha)."""
        return self._photograph(index, [self._film(index).shots[frame] for frame in frames])

    @property
    def kind(self) -> Tensor:
        """(N,) int64: how the face moves, as an index into ``expression.KINDS``."""
        return torch.tensor(self.whole("kind"))

    def _photograph(self, index: int, shots: list[Shot]) -> list[View]:
        camera = shots[0].camera
        return render(
            shots[0].mesh,
            _wardrobe(self.person(index)),
            [shot.pose for shot in shots],
            [camera] * len(shots),
            self.size,
            vertices=[shot.vertices for shot in shots],
            light=random_light(self.rng(index, "light"), camera),
            background=blurred_room(self.rng(index, "room"), camera, self.size),
        )


def portrait_camera(rng: np.random.Generator, talker: Talker) -> Camera:
    """Return a camera at the height of the eyes that sees head and shoulders."""
    distance, share = float(rng.uniform(1.4, 2.4)), float(rng.uniform(*HEAD_SHARE))
    x, y = rng.uniform(-0.12, 0.12), rng.uniform(0.28, 0.42)
    return Camera(
        yaw=float(np.clip(rng.normal(0, 0.1), -0.25, 0.25)),
        pitch=float(rng.uniform(-0.05, 0.1)),
        distance=distance,
        look_at=(float(x * talker.unit), float(talker.chin + y * talker.unit), 0.0),
        focal=share * distance / talker.unit,
    )


def blurred_room(rng: np.random.Generator, camera: Camera, size: tuple[int, int]) -> Room:
    """Return the room behind a face, out of focus."""
    room = indoor_room(rng, camera, size)
    sigma = BLUR * size[0]
    soft = gaussian_filter(room.picture.numpy().astype(np.float64), (0, sigma, sigma), mode="nearest")
    return replace(room, picture=torch.from_numpy(soft.astype(np.float32)), contact=0.0)


def _shots(talker: Talker, strengths: Array, turns: Array, camera: Camera, size: tuple[int, int]) -> list[Shot]:
    poses = head_poses(turns)
    vertices = perform(talker, poses, dict(zip(EXPRESSIONS, strengths.T)))
    return [Shot(talker, own, pose, camera, size) for own, pose in zip(vertices, poses)]


@lru_cache(4)
def _talker(identity: Identity, detail: str) -> Talker:
    return build_talker(identity, detail)


@lru_cache(4)
def _wardrobe(identity: Identity) -> Wardrobe:
    return talker_wardrobe(identity)
