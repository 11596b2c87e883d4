"""The joints of one person in one picture: from a file, or found in the picture by the pose extra."""

import difflib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from repro.checks import require_choice
from repro.data import pose_extra, pose_files
from repro.data.annotations import read_annotations
from repro.data.joints import JOINTS, MISSING
from repro.data.own_photograph import upright
from repro.data.pose_files import Array
from repro.data.skeletons import ORDERS, layout_of, to_openpose18

MOST = 6
"""People that are looked for in a picture."""
AROUND = 0.15
"""Of the box around a person's joints, hidden on each side before the next person is looked for."""
SHOWN = 5


def file_and_row(text: str | Path) -> tuple[Path, str]:
    """Return ``FILE.csv:NAME`` as (file, NAME); anything else is a file, its row empty."""
    file, ending, row = str(text).rpartition(".csv:")
    return (Path(f"{file}.csv"), row) if ending and not Path(text).exists() else (Path(text), "")


def read_person(path: str | Path, name: str = "", layout: str | None = None) -> tuple[Tensor, list[str]]:
    """Return the joints (18, 2) of OpenPose that a file holds for one picture, (row, column), -1 missing; and notes.

    Of several people the largest is taken.

    Args:
        path: one JSON frame (:func:`~repro.data.pose_files.read_pose_file`), or the authors' csv, which names pictures.
        name: the csv's row; empty = its only one.
        layout: of the joints in a JSON file; None = recognised.

    Raises:
        FileNotFoundError, DataError: no such file; what is wrong in it.
        ValueError: no or more than one frame, no such row, a layout that does not fit or is not recognised.
    """
    path = Path(path)
    if path.suffix.lower() == ".csv":
        return _row(path, name), []
    frames = pose_files.read_pose_file(path).people
    if len(frames) != 1:
        raise ValueError(f"{path}: expected the joints of one photograph, got {len(frames)} frames")
    person, notes = _largest(frames[0], path.name)
    try:
        layout = layout_of(person[None]) if layout is None else require_choice("joint layout", layout, tuple(ORDERS))
        return torch.from_numpy(to_openpose18(person, layout)), notes
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def detect_person(photograph: str | Path) -> tuple[Tensor, list[str]]:
    """Return the joints (18, 2) of OpenPose that the pose extra finds in a photograph, -1 missing; and notes.

    The detector finds one person; so each one found is hidden and the picture looked at again. What is left of a person
    can look like another one to it, mostly lying or head down: after the first only those with the head up count. The
    largest is taken.

    Raises:
        MissingExtra: no pose extra.
        ValueError: nobody was found.
    """
    picture, (height, _) = upright(photograph)
    pixels = np.array(picture)
    people: list[Array] = []
    with pose_extra.Detector() as detect:
        while len(people) < MOST:
            joints = detect(pixels)
            if joints is None or _area(joints) == 0 or (people and not _is_head_up(joints)):
                break
            people.append(joints)
            _hide(pixels, joints)
    if not people:
        raise ValueError(f"{photograph}: nobody was found: give the joints as a file")
    person, notes = _largest(people, Path(photograph).name)
    factor = height / picture.height  # a very large photograph was reduced
    return torch.from_numpy(np.where(person == MISSING, MISSING, (person + 0.5) * factor - 0.5)), notes


def _row(path: Path, name: str) -> Tensor:
    """The joints (18, 2) in a csv's row."""
    names, joints = read_annotations(path)
    if not name and len(names) == 1:
        return joints[0]
    if name in names:
        return joints[names.index(name)]
    near = difflib.get_close_matches(name, names, n=SHOWN, cutoff=0.3) or names[:SHOWN]
    wanted = f"no row for {name}" if name else "say which row is meant"
    raise ValueError(f"{path}: {wanted} (`{path.name}:NAME`): it has {len(names)}, among them {', '.join(near)}")


def _largest(people: list[Array], origin: str) -> tuple[Array, list[str]]:
    """The person with the largest box around the joints, and a note where there are others."""
    return max(people, key=_area), [f"{len(people)} people in {origin}: the largest is taken"] if len(
        people
    ) > 1 else []


def _area(joints: Array) -> float:
    """The box around the found joints, in square pixels."""
    there = joints[(joints != MISSING).all(1)]
    return float(np.ptp(there, axis=0).prod()) if len(there) else 0.0


def _is_head_up(joints: Array) -> bool:
    nose, neck = joints[JOINTS.index("nose")], joints[JOINTS.index("neck")]
    return MISSING not in (*nose, *neck) and bool(nose[0] < neck[0])


def _hide(pixels: np.ndarray, joints: Array) -> None:
    """Paint over a person in the picture's mean colour."""
    there = joints[(joints != MISSING).all(1)]
    border = AROUND * np.ptp(there, axis=0)
    top, left = np.maximum(there.min(0) - border, 0).astype(int)
    bottom, right = (there.max(0) + border).astype(int) + 1
    pixels[top:bottom, left:right] = pixels.mean((0, 1))
