"""What a person asks for, as text from a command line or a notebook's parameters: checked before anything starts."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from repro import paths
from repro.data.sets import PROCEDURAL
from repro.experiments.rows import PROFILES, TABLES

RECORDED = "recorded"
DEVICES = ("auto", "cpu", "cuda")


class RequestError(ValueError):
    """A name or value that nobody knows; the message lists the choices."""


@dataclass(frozen=True)
class Request:
    """A checked wish: rows x seeds of a table at a profile.

    Attributes:
        out: folder of runs, records and weights.
        profile: "recorded" stands for the results that ship with the project; nothing is trained.
        annotation_size, exclude: of a real data set, as for :func:`repro.data.load`.
    """

    table: str
    profile: str
    rows: tuple[str, ...]
    seeds: tuple[int, ...]
    dataset: str
    root: Path | None
    out: Path
    device: str
    annotation_size: tuple[int, int] | None = None
    exclude: Path | None = None


def request(
    table: str,
    profile: str = RECORDED,
    *,
    rows: str | Iterable[str] = "",
    seeds: str | int | Iterable[int] = "",
    dataset: str = "",
    root: str | Path | None = None,
    out: str | Path | None = None,
    device: str = "auto",
    annotation_size: str | tuple[int, int] | None = None,
    exclude: str | Path | None = None,
) -> Request:
    """Return the checked request; lists may be comma-separated text, an empty text takes the default.

    Args:
        table: "II", "IV", ...: a key of ``TABLES``.
        profile: "recorded", "smoke", "laptop", "gpu" or "paper".
        rows: names of rows; default all (some need the studio's ground truth).
        seeds: whole numbers from 0; default 0, or every recorded one.
        dataset: default the table's own procedural set; or a real one with ``root`` ("deepfashion").
        root: folder of a real data set.
        out: folder for runs, records and weights; default ``runs``.
        device: "auto", "cpu", "cuda" or "cuda:1".
        annotation_size: "256,176", height and width that a real set's joints refer to; default the data set's own.
        exclude: exclusion list of a real set; default ``exclude.txt`` in its root, if there is one.

    Raises:
        RequestError: a name or value that is not known, or that does not go with the others.
    """
    choose("table", table, TABLES)
    choose("profile", profile, (RECORDED, *PROFILES))
    task = TABLES[table].task
    dataset = choose("dataset", dataset or task.datasets[0], task.datasets)
    if device.partition(":")[0] not in DEVICES:
        choose("device", device, DEVICES)
    for name, value in {"root": root, "annotation_size": annotation_size, "exclude": exclude}.items():
        if dataset in PROCEDURAL and value:
            raise RequestError(f"dataset {dataset!r} is made by the studio and takes no {name}: leave {name} out")
    if dataset == "market1501" and profile != RECORDED:
        raise RequestError(
            "Market-1501 can be read, checked and loaded (repro data check, repro.data.load); "
            "training on it comes with its 128x64 preset: choose fashion or deepfashion"
        )
    if dataset not in PROCEDURAL and profile != RECORDED:
        if not root:
            raise RequestError(f"dataset {dataset!r} is read from your own copy: give its folder as root")
        if not Path(root).is_dir():
            raise RequestError(f"no folder {root}: expected the {dataset} layout there")
    available = [row for row in TABLES[table].rows if dataset in PROCEDURAL or row not in task.studio_only]
    wanted = tuple(choose("row", row, available) for row in words(rows)) or tuple(available)
    return Request(
        table=table,
        profile=profile,
        rows=tuple(dict.fromkeys(wanted)),
        seeds=_seeds(seeds) or (() if profile == RECORDED else (0,)),
        dataset=dataset,
        root=Path(root) if root else None,
        out=Path(out) if out else paths.runs(),
        device=device,
        annotation_size=height_and_width(annotation_size),
        exclude=_exclusions(exclude, root),
    )


def height_and_width(text: str | tuple[int, int] | None) -> tuple[int, int] | None:
    """Return "256,176" as (256, 176); None for an empty text.

    Raises:
        RequestError: anything but two whole numbers above 0.
    """
    found = words(text or "")
    if not found:
        return None
    if len(found) != 2 or not all(word.isdecimal() and int(word) for word in found):
        raise RequestError(f"unknown annotation size {text!r}: expected height,width in pixels (256,176)")
    return int(found[0]), int(found[1])


def _exclusions(exclude: str | Path | None, root: str | Path | None) -> Path | None:
    if exclude:
        if not Path(exclude).is_file():
            raise RequestError(f"no exclusion list {exclude}: repro data check --write-exclusions writes one")
        return Path(exclude)
    beside = Path(root) / "exclude.txt" if root else None
    return beside if beside and beside.is_file() else None


def words(text: object) -> list[str]:
    """Return the items of comma-separated text (or of a list) without blanks."""
    if isinstance(text, str):
        text = text.split(",")
    items = text if isinstance(text, Iterable) else [text]  # papermill makes a number of a single seed
    return [str(item).strip() for item in items if str(item).strip()]


def choose(what: str, value: str, choices: Iterable[str]) -> str:
    """Return ``value`` if it is one of ``choices``; otherwise the error lists them and names the nearest."""
    known = list(choices)
    if value in known:
        return value
    near = difflib.get_close_matches(str(value), known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise RequestError(f"unknown {what} {value!r}: {hint}choose from {', '.join(known)}")


def _seeds(text: str | int | Iterable[int]) -> tuple[int, ...]:
    found = []
    for word in words(text):
        if not word.isdecimal():
            raise RequestError(f"unknown seed {word!r}: expected whole numbers from 0, separated by commas (0,1,2)")
        found.append(int(word))
    return tuple(dict.fromkeys(found))
