"""Manifests of the real data sets: where each comes from, what should lie in its folder, and whether it does."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from repro import paths
from repro.checks import require_choice
from repro.data.clip_inspection import check_clips
from repro.data.clip_layouts import CLIP_LAYOUTS
from repro.data.faceforensics import check_faces
from repro.data.human36m import check_human36m
from repro.data.layouts import LAYOUTS
from repro.data.mocap.folder import check_mocap
from repro.data.problems import DataError, Problem, Report, describe
from repro.data.real import check
from repro.data.shapenet import check_shapenet

CHECKS: dict[str, Callable[..., Report]] = {
    **{name: partial(check, layout=name) for name in LAYOUTS},
    **{name: partial(check_clips, layout=name) for name in CLIP_LAYOUTS},
    "human36m": check_human36m,
    "shapenet": check_shapenet,
    "faceforensics": check_faces,
    "cmu_mocap": check_mocap,
}
"""Readers that go through a folder completely: name -> function of its root, for pictures also of annotation_size."""


@dataclass(frozen=True)
class Expected:
    """Files that a set has.

    Attributes:
        path: patterns relative to the root, of which any may match.
        what: what they hold.
        count: how many files or folders there are, None = at least one.
        rows: how many rows a csv has after its header.
        verified: whether the figures are the makers' or the paper's; otherwise they are recalled from the literature.
        optional: whether the set is complete without them.
    """

    path: tuple[str, ...]
    what: str
    count: int | None = None
    rows: int | None = None
    verified: bool = True
    optional: bool = False


@dataclass(frozen=True)
class Manifest:
    """What is known of a real data set.

    Attributes:
        name: what ``load`` calls it.
        title, paper, source, licence: what it is, who made it, who may use it.
        imitated_by: the studio's sets that stand in for it.
        size: of its pictures as the networks see them.
        splits: what each split holds, in words.
        steps: how to get it and where to put it.
        files: what should lie in the root.
        checksums: file -> SHA-256 where the makers publish one; empty = unknown.
    """

    name: str
    title: str
    paper: str
    source: str
    licence: str
    imitated_by: tuple[str, ...]
    size: str
    splits: Mapping[str, str]
    steps: tuple[str, ...]
    files: tuple[Expected, ...]
    checksums: Mapping[str, str]

    def __str__(self) -> str:
        lines = [self.title, f"paper: {self.paper}", f"source: {self.source}", f"licence: {self.licence}"]
        return "\n".join(lines + [f"{number}. {step}" for number, step in enumerate(self.steps, start=1)])


def names() -> tuple[str, ...]:
    """Return the sets that have a manifest."""
    return tuple(sorted(path.stem for path in paths.manifests().glob("*.yaml")))


def manifest(name: str) -> Manifest:
    """Return the manifest of a real data set.

    Raises:
        ValueError: a set without one (the message lists those that have), or unknown or missing entries.
    """
    path = paths.manifests() / f"{require_choice('real data set', name, names())}.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    _require_keys(path, content, {field.name for field in fields(Manifest)} - {"name"})
    files = []
    for entry in content["files"]:
        _require_keys(path, entry, {"path", "what"}, {field.name for field in fields(Expected)})
        patterns = entry["path"] if isinstance(entry["path"], list) else [entry["path"]]
        files.append(Expected(**{**entry, "path": tuple(patterns)}))
    checksums = {} if content["checksums"] == "unknown" else content["checksums"]
    tuples = {"imitated_by": tuple(content["imitated_by"]), "steps": tuple(content["steps"]), "files": tuple(files)}
    return Manifest(**{**content, **tuples, "name": name, "checksums": checksums})


@dataclass(frozen=True)
class Audit:
    """What a folder holds of a set.

    Attributes:
        manifest: what it should hold.
        root: the folder.
        found: how much there is of each expected entry, in words.
        missing: one problem for each entry without a file, each file with another checksum, and for what keeps the
            reader from reading at all.
        report: what the reader found; None where it could not start.
    """

    manifest: Manifest
    root: Path
    found: Mapping[str, str]
    missing: tuple[Problem, ...]
    report: Report | None

    @property
    def problems(self) -> list[Problem]:
        """Everything that is missing or damaged."""
        return [*self.missing, *(self.report.problems if self.report else [])]

    def __str__(self) -> str:
        width = max([len(path) for path in self.found], default=0)
        lines = [f"{self.manifest.name} in {self.root}: {self.manifest.title}"]
        lines += [f"  {path:{width}}  {text}" for path, text in self.found.items()]
        if self.missing:
            lines.append(describe(self.missing))
        if self.report is None:
            lines += ["Nothing was read. How to get the set:", str(self.manifest)]
        else:
            lines.append(str(self.report))
        return "\n".join(lines)


def audit(name: str, root: str | Path, **options: Any) -> Audit:
    """Return what is there, missing and damaged in a folder, against the manifest and by reading all of it.

    Figures of a manifest that are not met are shown, not complained about: a part of a set is a set.

    Args:
        name: a real data set.
        root: its folder.
        options: further arguments of the set's reader: ``annotation_size`` of pictures.

    Raises:
        ValueError: an unknown set, or an option that its reader does not take.
        FileNotFoundError: no such folder.
    """
    expected, root = manifest(name), Path(root)
    if options and name not in LAYOUTS:
        raise ValueError(f"{name} takes no {', '.join(options)}: only {' and '.join(LAYOUTS)} do")
    if not root.is_dir():
        raise FileNotFoundError(f"no folder {root}: expected {name} there")
    found, missing = {}, []
    for entry in expected.files:
        matches = sorted({path for pattern in entry.path for path in root.glob(pattern)})
        if not matches and not entry.optional:
            missing.append(Problem("missing", "", entry.path[0], _amount(entry, 0)))
        elif matches:
            shown = entry.path[0] if len(matches) > 1 or "*" in entry.path[0] else matches[0].name
            found[shown] = _amount(entry, _rows(matches[0]) if entry.rows else len(matches))
    for file, checksum in expected.checksums.items():
        path = root / file
        if path.is_file() and (own := _sha256(path)) != checksum:
            missing.append(Problem("other checksum", "", file, f"expected {checksum}, got {own}"))
    report = None
    try:
        report = CHECKS[name](root, **options)
    except DataError as error:
        missing += error.problems
    except FileNotFoundError as error:
        missing.append(Problem("not readable", "", name, str(error)))
    return Audit(expected, root, found, tuple(missing), report)


def _amount(entry: Expected, count: int) -> str:
    """The words for how much there is: ``24 of 101,966 rows of pairs (unverified)``."""
    wanted, unit = entry.rows or entry.count, "rows of " if entry.rows else ""
    of = f" of {wanted:,}" if wanted else ""
    doubt = " (unverified)" if wanted and not entry.verified else ""
    return f"{count:,}{of} {unit}{entry.what}{doubt}"


def _rows(path: Path) -> int:
    with path.open("rb") as file:
        return max(sum(bool(line.strip()) for line in file) - 1, 0)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _require_keys(path: Path, entry: Mapping[str, Any], needed: set[str], known: set[str] | None = None) -> None:
    missing, unknown = sorted(needed - set(entry)), sorted(set(entry) - (known or needed))
    if missing or unknown:
        raise ValueError(f"{path}: entries missing: {missing}, unknown: {unknown}; known are {sorted(known or needed)}")
