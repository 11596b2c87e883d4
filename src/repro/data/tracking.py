"""From detections to one person's motion: who is meant, what was not found, which sides look exchanged."""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from repro.checks import require_choice
from repro.data.joints import MISSING, is_missing
from repro.data.motion_windows import hold_last
from repro.data.pose_files import Array, Detections
from repro.data.skeletons import ORDERS, exchanged_sides, layout_of, to_coco17, to_human36m17

SHOWN = 5
"""Frames that a note names."""


@dataclass(frozen=True)
class Track:
    """The motion of one person, ready to be fitted to a source.

    Attributes:
        joints: (T, 17, 2) float64, the joints of Human3.6M as (row, column) in pixels of its own pictures; without
            gaps, -1 only for joints that were never found.
        fps: frames per second; None where nobody knows.
        notes: what a person should know about it, in words.
        detected: (T, 17, 2), the joints of COCO that a detector found, held like ``joints``; None where they are of
            another origin.
    """

    joints: Tensor
    fps: float | None
    notes: list[str] = field(default_factory=list)
    detected: Tensor | None = None

    def __len__(self) -> int:
        return len(self.joints)


def track(detections: Detections, layout: str | None = None) -> Track:
    """Return the motion of the person in a clip.

    Of several people the first is the largest of the first frame with anybody, then whoever is nearest to where the
    person was before. A joint that was not found stays where it was last found, before that where it is found first.
    Exchanged sides are reported and left as they are.

    Args:
        detections: who was found in each frame.
        layout: of the joints, one of ``repro.data.skeletons.ORDERS``; None = recognised.

    Raises:
        ValueError: a layout that does not fit or is not recognised.
    """
    person, crowded = _follow(detections.people)
    recognised = layout is None
    layout = layout_of(person) if layout is None else require_choice("joint layout", layout, tuple(ORDERS))
    joints = torch.from_numpy(to_human36m17(person, layout))
    missing = is_missing(joints)
    empty = missing.all(1)
    never = missing.all(0)
    notes = [f"{len(joints)} frames of {layout} joints" + " (recognised)" * recognised]
    if crowded:
        notes.append(f"several people in {_frames(crowded)}: the largest of the first is followed")
    if empty.any():
        notes.append(f"nobody was found in {_frames(empty.nonzero()[:, 0].tolist())}: the pose before is held")
    gaps = missing & ~never & ~empty[:, None]
    if gaps.any():
        notes.append(f"{int(gaps.sum())} single joints were not found: they stay where they were")
    if never.any():
        notes.append(f"{int(never.sum())} of 17 joints were never found: they are not drawn")
    if swapped := exchanged_sides(joints.numpy()):
        notes.append(f"left and right look exchanged from one frame to the next at {_frames(swapped)}: not changed")
    detected = None if layout == "human36m17" else _held(torch.from_numpy(to_coco17(person, layout)))
    return Track(_held(joints), detections.fps, notes, detected)


def _held(joints: Tensor) -> Tensor:
    """The joints (T, K, 2) without gaps; those that are never found stay missing."""
    return hold_last(joints).masked_fill(is_missing(joints).all(0)[:, None], MISSING)


def _follow(frames: list[list[Array]]) -> tuple[Array, list[int]]:
    """The joints (T, K, 2) of one person, missing where nobody was found, and the frames with several people."""
    count = next(len(joints) for frame in frames for joints in frame)
    person = np.full((len(frames), count, 2), MISSING)
    place: Array | None = None
    for number, frame in enumerate(frames):
        if not frame:
            continue
        if place is None:
            person[number] = max(frame, key=_height)
        else:
            person[number] = frame[np.linalg.norm([_middle(joints) - place for joints in frame], axis=1).argmin()]
        place = _middle(person[number])
    return person, [number for number, frame in enumerate(frames) if len(frame) > 1]


def _height(joints: Array) -> float:
    found = joints[(joints != MISSING).all(1)]
    return float(np.linalg.norm(found.max(0) - found.min(0)))


def _middle(joints: Array) -> Array:
    middle: Array = np.median(joints[(joints != MISSING).all(1)], axis=0)
    return middle


def _frames(numbers: list[int]) -> str:
    """``3 frames (4, 8, 9)``, counted from 0."""
    first = ", ".join(map(str, numbers[:SHOWN])) + ", ..." * (len(numbers) > SHOWN)
    return f"{len(numbers)} frame{'s' * (len(numbers) > 1)} ({first})"
