"""Files with the joints that a detector found: OpenPose, one file per frame, or one file with all frames."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from repro.checks import require_file
from repro.data.clip_layouts import frame_number
from repro.data.joints import MISSING
from repro.data.problems import DataError, Problem, things_wrong

Array = NDArray[np.float64]

LISTS = ("pose_keypoints_2d", "keypoints")
"""Where a person's flat list of x, y, score stands: OpenPose's word, and that of AlphaPose and COCO."""
SCORE = 0.1
"""A joint with a smaller score was not found."""
WHOLE = 1.5
"""Coordinates that all lie below this are parts of the picture, not pixels."""
FORMS = (
    '{"people": [{"pose_keypoints_2d": [x, y, score, ...]}]} per frame, [{"image_id": ..., "keypoints": [x, y, score, '
    '...]}] (AlphaPose, COCO), {"frames": [{"people": [...]}, ...], "fps": 25}, or {frame name: {"people": [...]}}'
)


@dataclass(frozen=True)
class Detections:
    """Who was found in each frame.

    Attributes:
        people: per frame a list of joints (K, 2), (row, column), -1 missing; all of one K.
        fps: frames per second, where the file says it.
    """

    people: list[list[Array]]
    fps: float | None = None


class _Damaged(Exception):
    """Something that is no pose: kind, detail."""


def read_pose_folder(folder: str | Path) -> Detections:
    """Return what the ``*.json`` files of a folder hold, one frame each, in the order of the numbers in their names.

    Every file is read before anything is said, so one message names all that are damaged. A number that is left out in
    the middle is a frame without a detection.

    Raises:
        FileNotFoundError: no such folder, or no ``*.json`` in it.
        DataError: damaged JSON (file, line and column), people without a list of joints, different numbers of joints.
    """
    folder = Path(folder)
    files = sorted(folder.glob("*.json"), key=lambda path: _natural(path.name))
    if not files:
        raise FileNotFoundError(f"no *.json in {folder}: expected a folder of OpenPose files, one per frame")
    problems: list[Problem] = []
    found: dict[str, list[Array]] = {}
    for file in files:
        try:
            found[file.name] = _people(_load(file))
        except _Damaged as damage:
            problems.append(_problem(file.name, damage))
    _refuse(folder, problems, 'Repair these files; {"people": []} holds the pose of the frame before.')
    return _checked(folder, _without_gaps(found), None)


def read_pose_file(path: str | Path) -> Detections:
    """Return what one JSON file holds: all frames of a clip, or a single frame.

    Understood are OpenPose's file of a frame, AlphaPose's and COCO's list of people with ``image_id`` (frames without
    anybody are not in it: numbers left out in the middle are such frames), AlphaPose's ``{name: frame}``, and a list
    of OpenPose frames, bare or as ``{"frames": [...], "fps": 25}``.

    Raises:
        FileNotFoundError, IsADirectoryError: no such file.
        DataError: damaged JSON (line and column), or none of these; each damaged frame by its number.
    """
    path = Path(path)
    require_file(path)
    remedy = f"Expected {FORMS}."
    try:
        content = _load(path)
        frames, fps = _frames(content)
    except _Damaged as damage:
        _refuse(path, [_problem(path.name, damage)], remedy)
        raise AssertionError from damage
    people: dict[str, list[Array]] = {}
    problems = []
    for name, frame in frames.items():
        try:
            people[name] = _people(frame)
        except _Damaged as damage:
            problems.append(_problem(f"{path.name}, frame {name}", damage))
    _refuse(path, problems, remedy)
    numbered = isinstance(content, list) and "keypoints" in content[0]
    return _checked(path, _without_gaps(people) if numbered else list(people.values()), fps)


def _load(path: Path) -> Any:
    """The content of a JSON file; what is wrong with it with its place."""
    try:
        return json.loads(path.read_bytes())
    except json.JSONDecodeError as error:
        raise _Damaged("damaged JSON", f"line {error.lineno} column {error.colno}: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise _Damaged("damaged JSON", str(error)) from error


def _frames(content: Any) -> tuple[dict[str, Any], float | None]:
    """Name of a frame -> what OpenPose would write for it, and frames per second."""
    fps = None
    if isinstance(content, dict) and "frames" in content:
        fps = content.get("fps")
        if fps is not None and not (isinstance(fps, int | float) and 0 < fps < 1e6):
            raise _Damaged("impossible rate", f"expected fps above 0, got {fps!r}")
        content = content["frames"]
        if not isinstance(content, list) or any("keypoints" in one for one in content if isinstance(one, dict)):
            raise _Damaged("no pose file", "expected a list of frames with people under 'frames'")
    if isinstance(content, dict):
        if "people" in content:
            return {"0": content}, fps
        if content and all(isinstance(frame, dict) and "people" in frame for frame in content.values()):
            return {name: content[name] for name in sorted(content, key=_natural)}, fps
    if isinstance(content, list):
        if not content:
            raise _Damaged("no frames", "an empty list")
        if not all(isinstance(entry, dict) for entry in content):
            raise _Damaged("no pose file", "expected a list of people or frames")
        if all("people" in entry for entry in content):
            return {str(number): frame for number, frame in enumerate(content)}, fps
        if all("keypoints" in entry and "image_id" in entry for entry in content):
            names: dict[str, list[Any]] = {}
            for entry in content:
                names.setdefault(str(entry["image_id"]), []).append(entry)
            return {name: {"people": names[name]} for name in sorted(names, key=_natural)}, fps
    raise _Damaged("no pose file", f"neither people nor frames in it ({type(content).__name__})")


def _people(frame: Any) -> list[Array]:
    """The joints (K, 2) of everybody in a frame of whom at least one joint was found."""
    people = frame.get("people") if isinstance(frame, dict) else None
    if not isinstance(people, list):
        raise _Damaged("no people", 'expected {"people": [...]}')
    found = [_joints(person) for person in people]
    return [joints for joints in found if (joints != MISSING).any()]


def _joints(person: Any) -> Array:
    values = next((person[name] for name in LISTS if name in person), None) if isinstance(person, Mapping) else None
    if not isinstance(values, list) or not values or len(values) % 3:
        came = f"{len(values)} values" if isinstance(values, list) else "none"
        raise _Damaged("no joints", f"expected x, y, score of each joint in {' or '.join(LISTS)}, got {came}")
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        raise _Damaged("no joints", "values that are no numbers")
    try:
        triples = np.array(values, dtype=np.float64).reshape(-1, 3)
    except OverflowError:  # an integer of hundreds of digits
        triples = np.full((1, 3), np.inf)
    if not np.isfinite(triples).all():
        raise _Damaged("no joints", "values that are not finite")
    missing = (triples[:, 2] < SCORE) | (triples[:, :2] == 0).all(1) | (triples[:, :2] == MISSING).all(1)
    return np.where(missing[:, None], MISSING, triples[:, 1::-1])


def _without_gaps(found: Mapping[str, list[Array]]) -> list[list[Array]]:
    """The frames in order; where all names have numbers, each once, a number left out is a frame with nobody."""
    numbers = [frame_number(_last_digits(name)) for name in found]
    known = [number for number in numbers if number is not None]
    # A clip has mostly frames: numbers that are mostly left out count something else.
    if len(set(known)) < len(numbers) or max(known) - min(known) >= 2 * len(numbers):
        return list(found.values())
    frames = dict(zip(known, found.values()))
    return [frames.get(number, []) for number in range(min(known), max(known) + 1)]


def _last_digits(name: str) -> str:
    """The last run of digits of a name without its ending: ``dance2_000012_keypoints.json`` -> 000012."""
    digits = re.findall(r"\d+", name.rpartition(".")[0] or name)
    return digits[-1] if digits else ""


def _natural(name: str) -> list[tuple[int, str]]:
    """Sorts frame2 before frame10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.findall(r"\d+|\D+", name)]


def _checked(place: Path, people: list[list[Array]], fps: float | None) -> Detections:
    """The detections, once it is sure that all have as many joints, in pixels."""
    everybody = [(number, joints) for number, frame in enumerate(people) for joints in frame]
    if not everybody:
        _refuse(place, [Problem("nobody", "", place.name, f"no person in {len(people)} frames")], "Detect the person.")
    count = len(everybody[0][1])
    problems = [
        Problem("different number of joints", "", f"frame {number}", f"{len(joints)} instead of {count}")
        for number, joints in everybody
        if len(joints) != count
    ]
    largest = max(float(joints.max()) for _, joints in everybody)
    if largest < WHOLE:
        detail = f"none is above {largest:g}; pixels are needed, parts of the picture do not know its shape"
        problems.append(Problem("coordinates that are no pixels", "", place.name, detail))
    _refuse(place, problems, "Export the joints in pixels, all in one layout (OpenPose: --keypoint_scale 0).")
    return Detections(people, fps)


def _problem(where: str, damage: _Damaged) -> Problem:
    kind, detail = damage.args
    return Problem(kind, f"file {where}", where, detail)


def _refuse(place: Path, problems: Iterable[Problem], remedy: str) -> None:
    found = list(problems)
    if found:
        raise DataError(f"{place}: {things_wrong(found)} with these poses:", found, remedy)
