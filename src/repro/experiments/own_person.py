"""The person of a photograph of the user's own: the picture in the network's frame, and the joints with it."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from repro.data.joints import is_missing
from repro.data.own_photograph import Photograph, read_photograph
from repro.data.person_joints import detect_person, file_and_row, read_person
from repro.data.skeletons import to_coco17
from repro.models.settings import SMALLEST_SIDE, STRIDE


@dataclass(frozen=True)
class OwnPerson:
    """A person as a network gets it.

    Attributes:
        photograph: in the frame.
        found: the joints (18, 2) of OpenPose in the photograph's own pixels, (row, column), -1 missing.
        notes: what a person should know about it, in words.
    """

    photograph: Photograph
    found: Tensor
    notes: list[str]

    @property
    def joints(self) -> Tensor:
        """The joints (18, 2) of OpenPose in pixels of the frame."""
        return self.photograph.place(self.found)

    @property
    def coco17(self) -> Tensor:
        """The joints (17, 2) of COCO in pixels of the frame."""
        return torch.from_numpy(to_coco17(self.joints.numpy(), "openpose18"))


def own_person(
    source: str | Path, size: tuple[int, int], pose: str | Path | None = None, stretch: float = 1.0
) -> OwnPerson:
    """Return the person of a photograph, everything read and checked.

    Args:
        source: the photograph.
        size: (H, W) of the network's pictures, multiples of 32 from 64 on.
        pose: file with the joints (:func:`~repro.data.person_joints.read_person`), a csv's row that of the photograph's
            name; None = found by the pose extra.
        stretch: see :func:`~repro.data.own_photograph.read_photograph`.

    Raises:
        FileNotFoundError, DataError, DamagedImage, MissingExtra, ValueError: what is missing, damaged or does not fit.
    """
    for side in size:
        if side % STRIDE or side < SMALLEST_SIDE:
            raise ValueError(f"expected a size that is a multiple of {STRIDE} from {SMALLEST_SIDE} on, got {side}")
    source = Path(source)
    photograph = read_photograph(source, size, stretch)
    if pose is None:
        joints, notes = detect_person(source)
    else:
        file, row = file_and_row(pose)
        joints, notes = read_person(file, row or source.name)
    notes.append(count_joints(joints, photograph.original, f"the person in {source.name}"))
    return OwnPerson(photograph, joints, notes)


def count_joints(joints: Tensor, size: tuple[int, int], whose: str) -> str:
    """Return how many of joints (K, 2) are there, and how many of these lie outside of a picture of ``size``, in words.

    Raises:
        ValueError: none is there, or all lie outside.
    """
    there = ~is_missing(joints)
    beyond = ((joints < 0) | (joints >= torch.tensor(size, dtype=joints.dtype))).any(-1)
    found, outside = int(there.sum()), int((there & beyond).sum())
    if not found:
        raise ValueError(f"expected joints of {whose}, got {len(joints)} missing ones")
    if outside == found:
        raise ValueError(f"all joints of {whose} lie outside of the picture: are they those of another picture?")
    return f"{found} of {len(joints)} joints of {whose}" + f", {outside} outside of the picture" * bool(outside)
