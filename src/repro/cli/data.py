"""``repro data``: thin wrappers over ``repro.data``."""

from argparse import Namespace
from pathlib import Path

from repro import data
from repro.data import manifests, overview
from repro.data.layouts import SPLITS
from repro.data.sets import PROCEDURAL
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
        made = data.prepare(options.dataset, split, options.size, options.scale, options.workers)
        print(f"{options.dataset} {split}: {len(made)} examples at {options.size}x{options.size}, hash {made.hash}")


def check(options: Namespace) -> None:
    """Say what is there, what is missing and what is damaged in the folder of a real data set."""
    name = choose("real data set", options.name, manifests.names())
    size = height_and_width(options.annotation_size)
    found = manifests.audit(name, options.root, **({"annotation_size": size} if size else {}))
    print(found)
    if found.report is None:
        raise ValueError(f"{len(found.problems)} problems, and nothing that could be read")
    if options.write_exclusions:
        found.report.write(options.write_exclusions)
    elif found.problems:
        raise ValueError(f"{len(found.problems)} problems: repair them, or record them with --write-exclusions FILE")


def export(options: Namespace) -> None:
    """Write a procedural set in the layout of DeepFashion."""
    for split in _splits(options):
        dataset = data.prepare(options.dataset, split, options.size, options.scale)
        print(data.export_deepfashion(dataset, Path(options.folder), options.format))  # type: ignore[arg-type]


def _splits(options: Namespace) -> list[str]:
    choose("dataset", options.dataset, PROCEDURAL)
    return [choose("split", split, SPLITS) for split in words(options.splits)]
