"""``repro weights fetch | import | check``: networks that others publish, only when asked for."""

from argparse import Namespace
from pathlib import Path

from tqdm import tqdm

from repro.experiments import outside_weights


def fetch(options: Namespace) -> None:
    """Fetch one network's file into the user's folder; a call that was cut continues."""
    file = outside_weights.fetchable(options.name).file
    print(f"{options.name}: {file.source}; licence: {file.licence}")
    with tqdm(unit="B", unit_scale=True, unit_divisor=1000, desc=file.names[0], disable=None) as bar:

        def report(done: int, total: int | None) -> None:
            bar.total = total
            bar.update(done - bar.n)

        print(outside_weights.fetch(options.name, report))


def import_file(options: Namespace) -> None:
    """Copy a file that the user brings into the user's folder, once it is found to fit."""
    name, path, digest = outside_weights.import_file(Path(options.file), options.name or "", replace=options.replace)
    print(f"{name}: {path}, sha256 {digest}")


def check(options: Namespace) -> None:
    """Read every file, compare it with its checksums and try it; exit with an error if one cannot be used."""
    bad = 0
    for one in outside_weights.check(tuple(options.names)):
        bad += one.state in ("wrong", "changed", "damaged")
        print(f"{one.name}: {one.state}, {one.words}")
    if bad:
        raise ValueError(f"{bad} file{'s are' if bad > 1 else ' is'} wrong, changed or damaged")
