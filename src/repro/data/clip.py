"""One example of a video: the frames of a moving person or face, a source picture, skeletons, and the exact flow.

Also the motion without pictures that the Motion Extraction Network learns from.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from repro.data.face_structure import face_structure
from repro.data.joints import SIGMA
from repro.data.structures import skeleton_structure


class Footage(Protocol):
    """Pictures that are read when needed: a memory-mapped array, or image files behind the same three words.

    Slicing reads nothing; ``numpy.asarray`` reads.
    """

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, frames: Any, /) -> Any: ...

    def __array__(self) -> NDArray: ...


class ClipTruth(Protocol):
    """What only the studio knows about a clip; every call computes, so training does not pay for it.

    ``frames`` are numbers of the recording. All return flow (n, 2, h, w) in pixels of an h x w map, visible and person
    (n, h, w) bool.
    """

    def to_source(self, frames: range, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return the flow of each frame to the source picture."""
        ...

    def to_previous(self, frames: range, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return the flow of each frame to the frame before; zero and not visible for frame 0 of the recording."""
        ...


@dataclass
class Clip:
    """Consecutive frames of one person (or face) and a source picture; a batch has the same fields with an axis B.

    Pictures, structures and flows are read or computed when first asked for. Letters: T frames, S structure channels
    (20: 17 heat maps and a drawing of the skeleton; faces 16).

    Convention: joints are (row, column), pixel centres at integers, -1 missing. Flow leads from a frame to the source
    or to the previous frame, in pixels; the static background has flow 0 and is visible where the person there does not
    cover it.

    Attributes:
        footage: (T, 3, H, W), uint8 or a float tensor in [0, 1]; ``frames`` are made of it.
        joints_clean: (T, 17, 2) float64, the 17 joints of Human3.6M; (T, 0, 2) for faces.
        joints_noisy: (T, 17, 2) float64, the 17 joints of COCO as a detector finds them; (T, 0, 2) for faces.
        source: (3, H, W) in [0, 1], the reference picture.
        source_joints: (17, 2) COCO, noisy; (0, 2) for faces.
        identity: number of the person (a tensor (B,) in a batch); -1 unknown.
        fps: frames per second.
        foreground: (T, H, W) bool, where the person is; None where nobody knows.
        landmarks, source_landmarks: (T, 68, 2) and (68, 2) of faces, else None.
        sigma: standard deviation of the skeleton's heat maps in pixels.
        first: number of the first frame in the recording.
        truth: the studio's knowledge; None for real videos.
    """

    footage: Footage | Tensor
    joints_clean: Tensor
    joints_noisy: Tensor
    source: Tensor
    source_joints: Tensor
    identity: int | Tensor
    fps: float
    foreground: Footage | Tensor | None = None
    landmarks: Tensor | None = None
    source_landmarks: Tensor | None = None
    sigma: float = SIGMA
    first: int = 0
    truth: ClipTruth | None = None

    def __post_init__(self) -> None:
        counts = {"frames": self.footage.shape[-4], "joints_clean": self.joints_clean.shape[-3]}
        counts["joints_noisy"] = self.joints_noisy.shape[-3]
        if self.foreground is not None:
            counts["masks"] = self.foreground.shape[-3]
        if self.landmarks is not None:
            counts["landmarks"] = self.landmarks.shape[-3]
        if len(set(counts.values())) > 1:
            found = ", ".join(f"{count} {name}" for name, count in counts.items())
            raise ValueError(f"expected equally many of everything in a clip, got {found}")

    def __len__(self) -> int:
        return self.footage.shape[-4]

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the frames."""
        return self.footage.shape[-2], self.footage.shape[-1]

    @cached_property
    def frames(self) -> Tensor:
        """The pictures (T, 3, H, W) in [0, 1], float32."""
        if isinstance(self.footage, Tensor):
            return self.footage
        return torch.from_numpy(np.array(self.footage)).float() / 255

    @cached_property
    def masks(self) -> Tensor | None:
        """Where the person is, (T, H, W) bool; None where nobody knows."""
        if self.foreground is None or isinstance(self.foreground, Tensor):
            return self.foreground
        return torch.from_numpy(np.array(self.foreground))

    @cached_property
    def poses(self) -> Tensor:
        """Structures (T, S, H, W): of the clean skeletons (maps up to 1, drawing up to 255), of a face's landmarks."""
        if self.landmarks is not None:
            return _face_structures(self.landmarks, self.frames)
        return skeleton_structure(self.joints_clean, self.size, "human36m17", self.sigma)

    @cached_property
    def source_pose(self) -> Tensor:
        """Structure (S, H, W) of the source: its noisy skeleton, or its landmarks."""
        if self.source_landmarks is not None:
            return _face_structures(self.source_landmarks, self.source)
        return skeleton_structure(self.source_joints, self.size, "coco17", self.sigma)

    def slice(self, start: int, stop: int) -> "Clip":
        """Return frames start ... stop - 1 as a clip of their own, with the same source; nothing is read or rendered.

        Raises:
            ValueError: not 0 <= start < stop <= T.
        """
        if not 0 <= start < stop <= len(self):
            raise ValueError(f"expected 0 <= start < stop <= {len(self)}, got start {start}, stop {stop}")
        pictures = (..., slice(start, stop), slice(None), slice(None), slice(None))
        points = (..., slice(start, stop), slice(None), slice(None))
        return replace(
            self,
            footage=self.footage[pictures],
            joints_clean=self.joints_clean[points],
            joints_noisy=self.joints_noisy[points],
            foreground=None if self.foreground is None else self.foreground[points],
            landmarks=None if self.landmarks is None else self.landmarks[points],
            first=self.first + start,
        )

    def to_source_at(self, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Return the exact flow (T, 2, h, w) to the source, in pixels of an h x w map, and where it is visible."""
        return self._ask("to_source", height, width)[:2]

    def to_previous_at(self, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Return the exact flow (T, 2, h, w) to the frame before, in pixels of an h x w map, and where it is visible.

        The frame before the first of a slice is that of the recording.
        """
        return self._ask("to_previous", height, width)[:2]

    @property
    def flow_to_source(self) -> Tensor:
        """Exact flow (T, 2, H, W) to the source picture, in pixels."""
        return self._to_source[0]

    @property
    def visible_in_source(self) -> Tensor:
        """(T, H, W) bool: the source shows the surface point, or the piece of background."""
        return self._to_source[1]

    @property
    def person(self) -> Tensor:
        """(T, H, W) bool: the frame shows the person."""
        return self._to_source[2]

    @property
    def flow_to_previous(self) -> Tensor:
        """Exact flow (T, 2, H, W) to the frame before, in pixels; zero for frame 0 of the recording."""
        return self._to_previous[0]

    @property
    def visible_in_previous(self) -> Tensor:
        """(T, H, W) bool: the frame before shows the point; False for frame 0 of the recording."""
        return self._to_previous[1]

    def to(self, device: torch.device | str) -> "Clip":
        """Return the clip with pictures, joints and landmarks on ``device``; what is computed later follows them."""
        own = {name: getattr(self, name) for name in ("joints_clean", "joints_noisy", "source", "source_joints")}
        own |= {"footage": self.frames, "foreground": self.masks, "identity": self.identity}
        own |= {"landmarks": self.landmarks, "source_landmarks": self.source_landmarks}
        moved: dict[str, Any] = {
            name: value.to(device) if isinstance(value, Tensor) else value for name, value in own.items()
        }
        return replace(self, **moved)

    @cached_property
    def _to_source(self) -> tuple[Tensor, Tensor, Tensor]:
        return self._ask("to_source", *self.size)

    @cached_property
    def _to_previous(self) -> tuple[Tensor, Tensor, Tensor]:
        return self._ask("to_previous", *self.size)

    def _ask(self, what: str, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
        if self.truth is None:
            raise ValueError("this clip has no ground truth (flow, visibility): only the studio's data sets know it")
        frames = range(self.first, self.first + len(self))
        flow, visible, person = getattr(self.truth, what)(frames, height, width)
        device = self.source.device
        return flow.to(device), visible.to(device), person.to(device)


def stack_clips(clips: Sequence[Clip]) -> Clip:
    """Return one batched clip: everything gets a leading axis B = len(clips); flows and slices work on all at once.

    Args:
        clips: single clips of one length, size and sigma that begin at one frame number, all with masks (landmarks) or
            none; usable as a DataLoader's ``collate_fn``.

    Raises:
        ValueError: no clips, or clips that differ in any of these.
    """
    if not clips:
        raise ValueError("expected at least one clip to stack, got none")
    kinds = {
        (len(clip), clip.first, clip.size, clip.sigma, clip.fps, clip.foreground is None, clip.landmarks is None)
        for clip in clips
    }
    if len(kinds) > 1:
        words = ("frames", "first", "size", "sigma", "fps", "no masks", "no landmarks")
        different = [word for word, values in zip(words, zip(*kinds)) if len(set(values)) > 1]
        raise ValueError(f"expected clips that agree, but these differ in {', '.join(different)}: slice or load alike")
    first, truths = clips[0], [clip.truth for clip in clips if clip.truth is not None]
    both: dict[str, Any] = {
        name: torch.stack([getattr(clip, name) for clip in clips])
        for name in ("joints_clean", "joints_noisy", "source", "source_joints", "landmarks", "source_landmarks")
        if getattr(first, name) is not None
    }
    return replace(
        first,
        **both,
        footage=_stack([clip.footage for clip in clips]),
        foreground=None if first.foreground is None else _stack([clip.foreground for clip in clips]),
        identity=torch.tensor([int(clip.identity) for clip in clips]),
        truth=_Stacked(truths) if len(truths) == len(clips) else None,
    )


def _stack(pictures: Sequence[Any]) -> Any:
    """Bytes stay bytes: a loader's worker hands over a quarter of what floats would need."""
    if isinstance(pictures[0], Tensor):
        return torch.stack(list(pictures))
    return np.stack([np.asarray(own) for own in pictures])


@dataclass
class _Stacked:
    """The ground truths of a batch as one."""

    truths: Sequence[ClipTruth]

    def to_source(self, frames: range, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
        return self._all(lambda truth: truth.to_source(frames, height, width))

    def to_previous(self, frames: range, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
        return self._all(lambda truth: truth.to_previous(frames, height, width))

    def _all(self, ask: Callable[[ClipTruth], tuple[Tensor, Tensor, Tensor]]) -> tuple[Tensor, Tensor, Tensor]:
        flow, visible, person = zip(*(ask(truth) for truth in self.truths))
        return torch.stack(flow), torch.stack(visible), torch.stack(person)


def _face_structures(landmarks: Tensor, pictures: Tensor) -> Tensor:
    """Structures (..., 16, H, W) of landmarks (..., 68, 2) on pictures (..., 3, H, W)."""
    points, images = landmarks.reshape(-1, *landmarks.shape[-2:]), pictures.reshape(-1, *pictures.shape[-3:])
    structures = torch.stack([face_structure(own, image) for own, image in zip(points, images)])
    return structures.reshape(*landmarks.shape[:-2], *structures.shape[1:])


@dataclass(frozen=True)
class MotionSequence:
    """What a detector finds in a video and what is true, as joints only: no pictures are rendered.

    Attributes:
        clean: (T, 17, 2) float64, the joints of Human3.6M as (row, column) in pixels.
        noisy: (T, 17, 2) float64, the joints of COCO as the detector finds them, -1 missing.
        valid: (T, 17) bool: the detector found the joint.
        fps: frames per second.
        subject: who, for example "S9".
        action: what they do, for example "walk 1".
        camera: number of the camera.
        size: (H, W) of the camera's picture.
        faults: name of a kind of error -> (T, 17) bool, where the simulated detector made it; empty where unknown.
    """

    clean: Tensor
    noisy: Tensor
    valid: Tensor
    fps: float
    subject: str
    action: str
    camera: int = 0
    size: tuple[int, int] = (1000, 1000)
    faults: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shapes = tuple(self.clean.shape), tuple(self.noisy.shape), tuple(self.valid.shape)
        frames = len(self.clean)
        if shapes != ((frames, 17, 2), (frames, 17, 2), (frames, 17)):
            raise ValueError(f"expected clean and noisy (T, 17, 2) and valid (T, 17), got {shapes}")

    def __len__(self) -> int:
        return len(self.clean)
