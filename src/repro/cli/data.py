"""``repro data``: thin wrappers over ``repro.data``."""

from argparse import Namespace
from pathlib import Path

from repro import data
from repro.data import exports, manifests, overview, sets
from repro.data.layouts import SPLITS
from repro.data.sets import PROCEDURAL, REAL
from repro.experiments.request import choose, height_and_width, words


def show(options: Namespace) -> None:
    """List the data sets, or say what is known of one."""
    if options.name:
        print(manifests.manifest(choose("real data set", options.name, manifests.names())))
    else:
        print(overview.table(overview.overview()))


def prepare(options: Namespace) -> None:
    """Render a procedural set into the cache."""
    for split in _splits(options):
        made = data.prepare(options.dataset, split, _size(options), options.scale, options.workers)
        print(f"{options.dataset} {split}: {len(made)} examples at {made.size[0]}x{made.size[1]}, hash {made.hash}")


def check(options: Namespace) -> None:
    """Say what is there, what is missing and what is damaged in the folder of a real data set."""
    name = choose("real data set", options.name, manifests.names())
    takers = [other for other in REAL if "exclude" in sets.arguments_of(other)]
    if options.write_exclusions and name not in takers:
        raise ValueError(f"{name} takes no exclusion list: only {', '.join(takers)} do")
    size = height_and_width(options.annotation_size)
    found = manifests.audit(name, options.root, **({"annotation_size": size} if size else {}))
    print(found)
    if found.report is None:
        raise ValueError(f"{len(found.problems)} problems, and nothing that could be read")
    if options.write_exclusions:
        found.report.write(options.write_exclusions)
        if found.missing:
            raise ValueError(f"{len(found.missing)} problems that no exclusion answers: get these files")
    elif found.problems:
        raise ValueError(f"{len(found.problems)} problems: repair them, or record them with --write-exclusions FILE")


def export(options: Namespace) -> None:
    """Write a procedural set in the layout of the real set that it stands for."""
    splits = [data.prepare(options.dataset, split, _size(options), options.scale) for split in _splits(options)]
    for path in dict.fromkeys(exports.export(splits, Path(options.folder), options.format)):
        print(path)


def _splits(options: Namespace) -> list[str]:
    choose("dataset", options.dataset, PROCEDURAL)
    return [choose("split", split, SPLITS) for split in words(options.splits)]


def _size(options: Namespace) -> tuple[int, int] | None:
    """The size asked for: pixels or H,W; without one 64 for square pictures, else the set's own."""
    if options.size is None:
        return (64, 64) if PROCEDURAL[options.dataset].SIZE == (256, 256) else None
    sides = words(options.size)
    if len(sides) not in (1, 2) or not all(side.isdecimal() for side in sides):
        raise ValueError(f"expected --size PIXELS or H,W, got {options.size!r}")
    height, width = (int(side) for side in sides * (3 - len(sides)))
    return height, width
