"""How FashionVideo and iPER lie on disk: folders, OpenPose files, orders of joints, and the list of test clips."""

import ast
import csv
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from repro.data.joints import MISSING
from repro.data.problems import DataError, Problem, things_wrong

Array = NDArray[np.float64]

COCO_OF_OPENPOSE = (0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10)
"""The 17 joints of COCO among the 18 of the noisy files; the neck, 1, is dropped."""
JOINTS_ON_DISK = {"noisy": 18, "clean": 17}
FOLDERS = {"frames": "train_A", "noisy": "train_alphapose", "clean": "train_video2d", "masks": "train_C"}
"""Sub-folders of ``{train,test}_256/``; they keep ``train_`` in the test split."""
MISSING_ON_DISK = 0.0
NEARLY_ZERO = 1e-6
"""What a writer puts for a found joint whose coordinate is 0, which would read as missing; pixels."""
FRAME_RATE = 25.0
"""Frames per second; the files do not say."""


@dataclass(frozen=True)
class ClipLayout:
    """One data set's layout: ``root/{split}_256/{train_A, train_alphapose, train_video2d[, train_C]}/VIDEO/FRAME``.

    Attributes:
        name: what ``load`` calls it.
        masked: the training split has foreground masks.
        size: (H, W) of the network's frames.
    """

    name: str
    masked: bool
    size: tuple[int, int] = (256, 256)

    def folder(self, root: Path, split: str, kind: str) -> Path:
        """Return the folder of "frames", "noisy", "clean" or "masks"."""
        return root / f"{split}_256" / FOLDERS[kind]


CLIP_LAYOUTS = {
    "fashionvideo": ClipLayout("fashionvideo", masked=False),
    "iper_real": ClipLayout("iper_real", masked=True),
}


class DamagedSkeleton(ValueError):
    """A file that holds no OpenPose skeleton."""


def frame_number(name: str) -> int | None:
    """Return 12 for ``00012.png`` and ``frame_00012_keypoints.json``, the first run of digits; None without one."""
    match = re.search(r"\d+", name)
    return int(match[0]) if match else None


def read_skeleton(path: Path, kind: str) -> Array:
    """Return the joints (17, 2) of a file as (row, column), -1 missing, in pixels of the video's own frames.

    Noisy files hold 18 joints of OpenPose, which come back as the 17 of COCO; clean files hold the 17 of Human3.6M.
    Files write x before y and 0 for a missing joint; of several people the first counts; nobody = all joints missing.

    Args:
        path: ``{"people": [{"pose_keypoints_2d": [x, y, score, ...]}]}``.
        kind: "noisy" or "clean".

    Raises:
        DamagedSkeleton: no JSON, no such list, another number of joints, values that are no finite numbers.
    """
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise DamagedSkeleton(f"damaged JSON ({error})") from error
    people = content.get("people") if isinstance(content, dict) else None
    if not isinstance(people, list) or not all(isinstance(person, dict) for person in people):
        raise DamagedSkeleton('expected {"people": [...]}')
    if not people:
        return np.full((17, 2), MISSING)
    values, joints = people[0].get("pose_keypoints_2d"), JOINTS_ON_DISK[kind]
    if not isinstance(values, list) or len(values) != 3 * joints:
        found = f"{len(values)} values" if isinstance(values, list) else "none"
        raise DamagedSkeleton(
            f"expected {joints} joints as {3 * joints} values x, y, score in a {kind} file, got {found}"
        )
    if not all(_is_finite_number(value) for value in values):
        raise DamagedSkeleton("values that are no finite numbers")
    triples = np.array(values, dtype=np.float64).reshape(joints, 3)
    places = triples[list(COCO_OF_OPENPOSE) if kind == "noisy" else slice(None), 1::-1]
    return np.where((places == MISSING_ON_DISK).any(1, keepdims=True), MISSING, places)


def _is_finite_number(value: object) -> bool:
    """Whether a value of a JSON file is a number that a float holds; true and false are none."""
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # an integer of hundreds of digits
        return False


def skeleton_text(joints: Array, kind: str) -> str:
    """Return the file of joints (17, 2) as :func:`read_skeleton` reads it; the scores are 1, of missing joints 0.

    The neck of a noisy file is the middle of the shoulders, as detectors of this order define it.

    Args:
        joints: COCO ("noisy") or Human3.6M ("clean"), (row, column), -1 missing.
        kind: "noisy" or "clean".
    """
    if kind == "noisy":
        openpose = np.full((18, 2), MISSING)
        openpose[list(COCO_OF_OPENPOSE)] = joints
        shoulders = openpose[[2, 5]]
        if not (shoulders == MISSING).any():
            openpose[1] = shoulders.mean(0)
        joints = openpose
    missing = (joints == MISSING).any(1)
    places = np.where(joints == MISSING_ON_DISK, NEARLY_ZERO, joints)
    triples = np.column_stack([places[:, ::-1], np.ones(len(places))])
    triples[missing] = MISSING_ON_DISK
    people = [] if missing.all() else [{"pose_keypoints_2d": triples.ravel().tolist()}]
    return json.dumps({"version": 1.0, "people": people})


@dataclass(frozen=True)
class Listed:
    """One row of a list of test clips: which frames to generate, and which one gives the appearance.

    Paths are those of frames (``.../VIDEO/FRAME``) or of skeleton files, as written.

    Attributes:
        frames, noisy, clean: what to generate.
        references, references_noisy, references_clean: where the appearance comes from; the first counts.
    """

    frames: tuple[str, ...]
    noisy: tuple[str, ...]
    clean: tuple[str, ...]
    references: tuple[str, ...]
    references_noisy: tuple[str, ...]
    references_clean: tuple[str, ...]


COLUMNS = ("A_paths", "B_paths_noise", "B_paths_clean")


def read_test_list(path: str | Path) -> list[Listed]:
    """Return the rows of a list of test clips.

    Each of the columns ``A_paths``, ``B_paths_noise``, ``B_paths_clean`` holds a Python dictionary with the lists
    ``gen`` and ``ref``. They are read as literals: nothing in the file is executed.

    Raises:
        FileNotFoundError, DataError: no such file; another header, damaged rows, lists of unequal lengths, by line.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no test list {path}")
    problems: list[Problem] = []
    rows: list[Listed] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            lines = [(reader.line_num, row) for row in reader]
        missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
        if missing:
            problems.append(Problem("wrong header", "", path.name, f"no column {', '.join(missing)}"))
            lines = []
    except (UnicodeDecodeError, csv.Error) as error:
        problems.append(Problem("not text", "", path.name, str(error)))
        lines = []
    for number, row in lines:
        try:
            rows.append(_listed(row))
        except ValueError as error:
            problems.append(Problem("damaged row", f"line {path.name}:{number}", f"line {number}", str(error)))
    if problems:
        remedy = "Expected columns A_paths, B_paths_noise, B_paths_clean, each {'gen': [...], 'ref': [...]}."
        raise DataError(f"{path}: {things_wrong(problems)} with the list of test clips:", problems, remedy)
    return rows


def write_test_list(path: str | Path, rows: list[Listed]) -> Path:
    """Write a list of test clips as :func:`read_test_list` reads it."""
    path = Path(path)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for row in rows:
            pairs = (row.frames, row.references), (row.noisy, row.references_noisy), (row.clean, row.references_clean)
            writer.writerow([repr({"gen": list(gen), "ref": list(ref)}) for gen, ref in pairs])
    return path


def video_and_frame(path: str) -> tuple[str, int]:
    """Return the video and the frame number of a path ``.../VIDEO/FRAME``.

    Raises:
        ValueError: no such path.
    """
    parts = PurePosixPath(path.replace("\\", "/")).parts
    number = frame_number(parts[-1]) if parts else None
    if len(parts) < 2 or number is None:
        raise ValueError(f"expected a path .../VIDEO/FRAME with a number in the file's name, got {path!r}")
    return parts[-2], number


def _listed(row: dict[str, str]) -> Listed:
    lists: list[tuple[str, ...]] = []
    for column in COLUMNS:
        try:
            content = ast.literal_eval(row[column] or "")
        except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
            raise ValueError(f"{column} is no Python literal ({error})") from error
        for name in ("gen", "ref"):
            paths = content.get(name) if isinstance(content, dict) else None
            paths = [paths] if isinstance(paths, str) else paths
            if not isinstance(paths, list) or not paths or not all(isinstance(entry, str) for entry in paths):
                raise ValueError(f"{column} has no list {name!r} of paths")
            lists.append(tuple(paths))
    for paths in lists:
        for entry in paths:
            video_and_frame(entry)
    frames, references, noisy, references_noisy, clean, references_clean = lists
    for name, three in (("gen", lists[0::2]), ("ref", lists[1::2])):
        counts = [len(paths) for paths in three]
        if len(set(counts)) > 1:
            raise ValueError(f"expected equally long lists {name!r}, got {', '.join(map(str, counts))} paths")
    return Listed(frames, noisy, clean, references, references_noisy, references_clean)
