"""The set ``h36m``: what four cameras and a pose detector see of people in motion, as joints only."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from repro.checks import require_choice
from repro.data.clip import MotionSequence
from repro.data.studio.cache import Arrays
from repro.data.studio.camera import Camera
from repro.data.studio.detector import LEVELS, Detection, detect
from repro.data.studio.identity import Identity
from repro.data.studio.kinematics import clip_points, clip_transforms, hidden_joints
from repro.data.studio.motion import HELD_OUT_KIND, KINDS, clip_motion
from repro.data.studio.people_set import person_mesh
from repro.data.studio.procedural_set import FIRST_NUMBER, ProceduralSet
from repro.data.studio.skeleton import COCO_17, HUMAN36M_17

Array = NDArray[np.float64]

SUBJECTS = {"train": ("S1", "S5", "S6", "S7", "S8", "S2", "S3"), "test": ("S9", "S11")}
"""Names as in Human3.6M: its five training subjects and two whose poses it keeps to itself; its two of the test."""
CAMERAS = 4
FPS = 50.0
NOISE = "typical"
AMPLITUDES = (0.5, 2.0)
"""Training sequences have their errors scaled by a factor from here (log-uniform)."""
SHARED_KINDS = tuple(kind for kind in KINDS if kind != HELD_OUT_KIND)


@dataclass(frozen=True)
class Programme:
    """How much is recorded: the number of subjects of each split, actions, takes of each, frames of a take."""

    subjects: Mapping[str, int]
    actions: int
    takes: int
    frames: int

    def kinds(self, split: str) -> tuple[str, ...]:
        """The kinds of motion: evenly chosen among all; the test has the held-out one besides."""
        step = max(1, len(SHARED_KINDS) // self.actions)
        return SHARED_KINDS[::step][: self.actions] + ((HELD_OUT_KIND,) if split == "test" else ())

    def count(self, split: str) -> int:
        """Takes of all subjects and actions."""
        return self.subjects[split] * len(self.kinds(split)) * self.takes


PROGRAMMES = {
    "tiny": Programme({"train": 2, "test": 2}, actions=2, takes=1, frames=150),
    "default": Programme({"train": 7, "test": 2}, actions=8, takes=2, frames=400),
    "full": Programme({"train": 7, "test": 2}, actions=len(SHARED_KINDS), takes=2, frames=1000),
}

SCALES = {scale: {split: programme.count(split) for split in SUBJECTS} for scale, programme in PROGRAMMES.items()}
"""Takes per split, each seen by four cameras."""


class H36MSet(ProceduralSet[MotionSequence]):
    """Sequences of joints; ``dataset[i]`` is a :class:`~repro.data.clip.MotionSequence` as one camera sees a take.

    Every subject performs every action, with four calibrated cameras about 90 degrees apart at 4 to 5 m. Split by
    subject: seven for training and two for the test. Human3.6M itself trains on five, which are S1 and S5 to S8 here
    too: choose by ``subject``. All actions are in both splits, and the test shows one more. Indices run over cameras,
    then takes, actions, subjects.

    The clean joints are Human3.6M's 17, those outside the picture too; the noisy ones COCO's 17 after the "typical"
    simulated detector, in training with an amplitude of its own for each sequence. :meth:`sequence` gives other levels
    and other draws.

    Attributes:
        subject, action: name of each sequence's, for example "S9" and "wave 2".
        camera_number: (N,) int64.
    """

    name = "h36m"
    SIZE = (1000, 1000)
    SCALES = SCALES
    UNIT = "take"

    def settings(self) -> dict[str, Any]:
        """Return who does what, and how it is detected."""
        programme = PROGRAMMES[self.scale]
        return {
            "subjects": SUBJECTS[self.split][: programme.subjects[self.split]],
            "kinds": programme.kinds(self.split),
            "takes": programme.takes,
            "frames": programme.frames,
            "noise": NOISE,
        }

    def __len__(self) -> int:
        return self.count * CAMERAS

    @property
    def subject(self) -> list[str]:
        """The subject of each sequence."""
        return [self._take(index // CAMERAS)[0] for index in range(len(self))]

    @property
    def action(self) -> list[str]:
        """The action and take of each sequence."""
        return [self._take(index // CAMERAS)[1] for index in range(len(self))]

    @property
    def identity(self) -> Tensor:
        """(N,) int64, number of the person of each sequence; train and test share none."""
        number = torch.arange(self.count) // (self.count // PROGRAMMES[self.scale].subjects[self.split])
        return (number + FIRST_NUMBER[self.split]).repeat_interleave(CAMERAS)

    @property
    def held_out(self) -> Tensor:
        """(N,) bool: the sequence shows the kind of motion that no training sequence shows."""
        return torch.tensor([action.rpartition(" ")[0] == HELD_OUT_KIND for action in self.action])

    def item(self, index: int) -> MotionSequence:
        """Return a sequence with the noise of the set."""
        return self.sequence(index)

    def sequence(self, index: int, level: str = NOISE, amplitude: float | None = None, draw: int = 0) -> MotionSequence:
        """Return a sequence as a detector of some level sees it.

        Args:
            index: of the sequence.
            level: "clean", "typical" or "hard".
            amplitude: factor on all lengths of the error; None = as in the set: 1, in training drawn per sequence.
            draw: another number, other errors of the same kind.
        """
        require_choice("noise level", level, tuple(LEVELS))
        take, camera = self._place(index)
        subject, action = self._take(take)
        arrays = self.arrays(take)
        found = self._detect(arrays, camera, self._rng(take, "detector", camera, draw), level, amplitude)
        return MotionSequence(
            clean=torch.tensor(arrays["clean"][camera]),
            noisy=torch.from_numpy(found.joints),
            valid=torch.from_numpy(found.score > 0),
            fps=FPS,
            subject=subject,
            action=action,
            camera=camera,
            size=self.size,
            faults={name: torch.from_numpy(where) for name, where in found.faults.items()},
        )

    def joints3d(self, index: int) -> Tensor:
        """Return the joints (T, 17, 3) of Human3.6M in the world, metres (+y up, the cameras around the origin)."""
        return torch.tensor(self.arrays(self._place(index)[0])["world"])

    def cameras(self, index: int) -> tuple[Camera, ...]:
        """Return the four cameras around the subject of a sequence."""
        return camera_rig(self._person(self._place(index)[0]))

    def draw(self, index: int) -> Arrays:
        """Return a take: 3-D joints, their true places in four cameras, what is hidden there, the person's height."""
        identity, programme = self._person(index), PROGRAMMES[self.scale]
        kind = self._take(index)[1].rpartition(" ")[0]
        mesh = person_mesh(identity, "low")
        motion = clip_motion(kind, mesh, self._rng(index, "motion"), programme.frames, FPS)
        heading = self._rng(index, "heading").uniform(0, 2 * np.pi)
        transforms = centred(clip_transforms(mesh.skeleton, motion.poses), heading)
        world, coco = (clip_points(mesh.skeleton, transforms, names) for names in (HUMAN36M_17, COCO_17))
        rig = camera_rig(identity)
        screen = np.stack([camera.project(world, self.size) for camera in rig])
        return {
            "world": world,
            "clean": screen[..., 1::-1] - 0.5,
            "coco": np.stack([camera.project(coco, self.size)[..., 1::-1] for camera in rig]) - 0.5,
            "hidden": np.stack([hidden_joints(mesh.skeleton, transforms, coco, camera.position) for camera in rig]),
            "height": np.stack(
                [
                    camera.focal * self.size[0] * identity.body.height / depth
                    for camera, depth in zip(rig, screen[:, :, 0, 2])
                ]
            ),
        }

    def _detect(
        self, arrays: Arrays, camera: int, rng: np.random.Generator, level: str, amplitude: float | None
    ) -> Detection:
        of_amplitude, of_detector = rng.spawn(2)
        if amplitude is None:
            low, high = np.log(AMPLITUDES)
            amplitude = float(np.exp(of_amplitude.uniform(low, high))) if self.split == "train" else 1.0
        coco, height, hidden = (arrays[name][camera] for name in ("coco", "height", "hidden"))
        return detect(coco, height, of_detector, level, hidden, amplitude)

    def _place(self, index: int) -> tuple[int, int]:
        """The take and the camera of a sequence."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"h36m {self.split} ({self.scale}) has {len(self)} sequences, got index {index}")
        return divmod(index % len(self), CAMERAS)

    def _take(self, index: int) -> tuple[str, str]:
        """The subject's name and the action's, counted from 1 as in Human3.6M."""
        programme = PROGRAMMES[self.scale]
        kinds = programme.kinds(self.split)
        rest, take = divmod(index, programme.takes)
        subject, kind = divmod(rest, len(kinds))
        return SUBJECTS[self.split][subject], f"{kinds[kind]} {take + 1}"

    def _person(self, index: int) -> Identity:
        return Identity(self.name, self.split, index // (self.count // PROGRAMMES[self.scale].subjects[self.split]))

    def _rng(self, index: int, purpose: str, *numbers: int) -> np.random.Generator:
        """The generator of a take, named by what is done: the same at every scale."""
        return self._person(index).rng(purpose, self._take(index)[1], *numbers)


def camera_rig(identity: Identity) -> tuple[Camera, ...]:
    """Return the four cameras around a subject: about 90 degrees apart, 4 to 5 m away, at the height of the eyes.

    Their focal length, 1.145 image heights, is Human3.6M's; a person is about 440 pixels high.
    """
    rig = []
    for number in range(CAMERAS):
        rng = identity.rng("rig", number)
        distance, above = rng.uniform(4.1, 4.9), rng.uniform(0.5, 0.75)
        rig.append(
            Camera(
                yaw=float(np.pi / 4 + number * np.pi / 2 + rng.uniform(-0.12, 0.12)),
                pitch=float(np.arcsin(above / distance)),
                roll=float(rng.normal(0, 0.01)),
                distance=float(distance),
                look_at=(0.0, 0.9, 0.0),
                focal=float(rng.uniform(1.135, 1.155)),
            )
        )
    return tuple(rig)


def centred(transforms: Array, heading: float) -> Array:
    """Return transforms (T, 17, 3, 4) turned by ``heading`` about +y, the pelvis' path centred between the cameras."""
    cosine, sine = np.cos(heading), np.sin(heading)
    turn = np.array([[cosine, 0.0, sine], [0.0, 1.0, 0.0], [-sine, 0.0, cosine]])
    turned = np.einsum("ij,tbjk->tbik", turn, transforms)
    path = turned[:, 0, :, 3]
    middle = (path.max(0) + path.min(0)) / 2
    turned[..., 3] -= [middle[0], 0.0, middle[2]]
    return turned
