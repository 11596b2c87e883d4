"""Joint annotations as GFLA and its predecessors store them: ``name: [18 rows]: [18 columns]``."""

import json
import math
from pathlib import Path

import torch
from torch import Tensor

from repro.data.joints import is_missing
from repro.data.problems import DataError, Problem

COLUMNS = ("name", "keypoints_y", "keypoints_x")
HEADER = ":".join(COLUMNS)
K = 18

# More joints outside the frame than this share mean that the file was made for another frame.
OUTSIDE_SHARE = 0.01


def read_annotations(path: str | Path, annotation_size: tuple[int, int] | None = None) -> tuple[list[str], Tensor]:
    """Return the image names and the joints (N, 18, 2) float64 of an annotation file, exactly as it states them.

    The file is text with the separator ``:``, the header ``name:keypoints_y:keypoints_x`` and JSON lists of 18 numbers.
    No image is opened. Joints that lie outside the image are kept: their heat maps still draw the tail that reaches in.

    Convention: (row, column) whatever the order of the file's columns (the header names them), OpenPose order,
    -1 missing. The file does not say which image size its joints refer to.

    Args:
        path: the csv.
        annotation_size: (H, W) that the joints refer to, for example (256, 176) for DeepFashion; used as a check.
            None: not checked, the joints refer to each image's own size.

    Returns:
        names, joints (N, 18, 2): one row per row of the file.

    Raises:
        FileNotFoundError: no such file.
        DataError (a ValueError): damaged rows, each counted and named by line; a file that is empty, has another
            separator or another header; joints of which more than one in a hundred lie outside ``annotation_size``.
    """
    names, joints, problems = scan_annotations(path)
    if problems:
        raise DataError(
            f"{path}: {len(problems)} damaged of {len(names) + len(problems)} rows (annotations of {K} joints):",
            problems,
            f"Each row must read `image name: [{K} rows]: [{K} columns]` with -1 for a missing joint, "
            "each image once. Repair or remove these rows.",
        )
    if annotation_size is not None:
        require_inside(path, joints, annotation_size)
    return names, joints


def scan_annotations(path: str | Path) -> tuple[list[str], Tensor, list[Problem]]:
    """Return names, joints (N, 18, 2) of the sound rows, and one problem for each damaged row.

    Raises:
        FileNotFoundError, DataError: the file as a whole cannot be read (missing, empty, no text, wrong header).
    """
    path = Path(path)
    lines = _lines(path)
    columns = _columns(path, lines[0])
    names: list[str] = []
    rows: list[list[tuple[float, float]]] = []
    problems: list[Problem] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        name = line.split(":", 1)[0].strip()
        try:
            name, row = _row(line, columns)
            if name in seen:
                raise _Damaged("repeated name", f"{name!r} stands in line {seen[name]} already")
        except _Damaged as damage:
            kind, detail = damage.args
            unnamed = kind in ("wrong number of fields", "no name")
            key = f"line {path.name}:{number}" if unnamed else f"image {name}"
            problems.append(Problem(kind, key, f"{path.name}, line {number}", detail))
            continue
        seen[name] = number
        names.append(name)
        rows.append(row)
    if not names and not problems:
        raise _unreadable(path, "no rows", f"the header stands alone; expected rows after {HEADER!r}")
    return names, torch.tensor(rows, dtype=torch.float64).reshape(-1, K, 2), problems


def require_inside(path: str | Path, joints: Tensor, size: tuple[int, int]) -> int:
    """Return how many present joints lie outside an image of ``size`` = (H, W); refuse a file made for another size."""
    present = ~is_missing(joints)
    limit = torch.tensor(size, dtype=joints.dtype)
    outside = present & ((joints < 0) | (joints >= limit)).any(dim=-1)
    count, total = int(outside.sum()), int(present.sum())
    if count > OUTSIDE_SHARE * total:
        low, high = joints[present].amin(0).tolist(), joints[present].amax(0).tolist()
        raise DataError(
            f"{path}: the joints do not fit the frame {size[0]}x{size[1]} that they are said to refer to:",
            [
                Problem(
                    "joints outside the frame",
                    "",
                    f"{count} of {total} joints",
                    f"rows {low[0]:g} to {high[0]:g}, columns {low[1]:g} to {high[1]:g}",
                )
            ],
            "Pass annotation_size=(H, W) as the file was made, for example (256, 256) or (256, 176).",
        )
    return count


class _Damaged(Exception):
    """A row that cannot be used: kind, detail."""


def _unreadable(path: Path, kind: str, detail: str) -> DataError:
    return DataError(
        f"{path}: no annotation file of {K} joints:",
        [Problem(kind, "", path.name, detail)],
        f"Expected text with the separator ':' and the header {HEADER!r}.",
    )


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise FileNotFoundError(f"no annotation file {path}: expected a text file with the header {HEADER!r}")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise _unreadable(path, "not text", f"byte {error.start} is not UTF-8") from error
    if not text.strip():
        raise _unreadable(path, "empty file", f"{path.stat().st_size} bytes without a word")
    return text.split("\n")


def _columns(path: Path, header: str) -> dict[str, int]:
    """Return the place of each column; the header decides, so a file that states x before y is read correctly."""
    found = [word.strip() for word in header.split(":")]
    if sorted(found) == sorted(COLUMNS):
        return {name: found.index(name) for name in COLUMNS}
    for separator, word in ((",", "comma"), (";", "semicolon"), ("\t", "tab"), ("|", "bar"), (" ", "space")):
        if sorted(part.strip() for part in header.strip().split(separator)) == sorted(COLUMNS):
            raise _unreadable(path, "wrong separator", f"the columns are separated by {separator!r} ({word})")
    if "[" in header:
        raise _unreadable(path, "missing header", f"the first line is a row already: {header[:60]!r}")
    raise _unreadable(path, "wrong header", f"the first line is {header[:80]!r}")


def _row(line: str, columns: dict[str, int]) -> tuple[str, list[tuple[float, float]]]:
    fields = line.rstrip("\r").split(":")
    if len(fields) != len(COLUMNS):
        raise _Damaged("wrong number of fields", f"{len(fields)} fields between ':', expected 3: {line[:60]!r}")
    name = fields[columns["name"]].strip()
    if not name:
        raise _Damaged("no name", f"the row names no image: {line[:60]!r}")
    y, x = (_numbers(name, column, fields[columns[column]]) for column in COLUMNS[1:])
    return name, list(zip(y, x))


def _numbers(name: str, column: str, field: str) -> list[float]:
    try:
        values = json.loads(field)
    except (ValueError, RecursionError):
        raise _Damaged("not a list of numbers", f"{name!r}: {column} reads {field.strip()[:40]!r}") from None
    if not isinstance(values, list) or any(type(value) not in (int, float) for value in values):
        raise _Damaged("not a list of numbers", f"{name!r}: {column} reads {field.strip()[:40]!r}")
    if len(values) != K:
        raise _Damaged("wrong number of joints", f"{name!r}: {column} has {len(values)} numbers, expected {K}")
    try:
        finite = all(map(math.isfinite, values))
    except OverflowError:
        finite = False
    if not finite:
        raise _Damaged("number that is not finite", f"{name!r}: {column} reads {field.strip()[:40]!r}")
    return values
