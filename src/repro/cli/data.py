"""``repro data``: thin wrappers over ``repro.data``."""

from argparse import Namespace
from pathlib import Path

from repro import data
from repro.data.layouts import SPLITS
from repro.data.sets import PROCEDURAL
from repro.experiments.request import choose, height_and_width, words


def show(options: Namespace) -> None:
    """List the data sets."""
    for name in data.NAMES:
        kind = "made by the studio, no files needed" if name in PROCEDURAL else "your own copy, --root DIR"
        print(f"{name:12} {kind}")


def prepare(options: Namespace) -> None:
    """Render a procedural set into the cache."""
    for split in _splits(options):
        made = data.prepare(options.dataset, split, options.size, options.scale, options.workers)
        print(f"{options.dataset} {split}: {len(made)} pairs at {options.size}x{options.size}, hash {made.hash}")


def check(options: Namespace) -> None:
    """Read a real data set completely and say what is wrong with it."""
    report = data.check(options.root, options.layout, height_and_width(options.annotation_size))
    print(report)
    if options.write_exclusions:
        report.write(options.write_exclusions)
    elif report.problems:
        raise ValueError(f"{len(report.problems)} problems: repair them, or record them with --write-exclusions FILE")


def export(options: Namespace) -> None:
    """Write a procedural set in the layout of DeepFashion."""
    for split in _splits(options):
        dataset = data.prepare(options.dataset, split, options.size, options.scale)
        print(data.export_deepfashion(dataset, Path(options.folder), options.format))  # type: ignore[arg-type]


def _splits(options: Namespace) -> list[str]:
    choose("dataset", options.dataset, PROCEDURAL)
    return [choose("split", split, SPLITS) for split in words(options.splits)]
