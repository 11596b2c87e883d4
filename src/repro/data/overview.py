"""All data sets at a glance: what each stands for, how much there is, what it needs, what is prepared."""

import re
from dataclasses import dataclass, fields

from repro import paths
from repro.data import manifests
from repro.data.layouts import SPLITS
from repro.data.sets import PROCEDURAL

_FOLDER = re.compile(r"(train|test)-(\d+)x(\d+)-(tiny|default|full)-v")


@dataclass(frozen=True)
class Row:
    """One data set in words."""

    name: str
    kind: str
    imitates: str
    size: str
    splits: str
    needs: str
    cache: str


def overview() -> list[Row]:
    """Return one row for each set: the studio's in their order, then the real ones."""
    return [studio_row(name) for name in PROCEDURAL] + [real_row(name) for name in manifests.names()]


def table(rows: list[Row]) -> str:
    """Return the rows as aligned text, one line each, under their headings."""
    headings = [field.name for field in fields(Row)]
    lines = [headings] + [[getattr(row, heading) for heading in headings] for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    return "\n".join("  ".join(word.ljust(width) for word, width in zip(line, widths)).rstrip() for line in lines)


def studio_row(name: str) -> Row:
    """Return the row of a set that the studio makes, at its own size and default scale."""
    made = PROCEDURAL[name]
    units = {"person": "people"}.get(made.UNIT, made.UNIT + "s")
    counts = " + ".join(f"{made.SCALES['default'][split]:,}" for split in SPLITS)
    imitates = [real for real in manifests.names() if name in manifests.manifest(real).imitated_by]
    size = f"{made.SIZE[0]}x{made.SIZE[1]}"
    return Row(name, "studio", ", ".join(imitates) or "-", size, f"{counts} {units}", "nothing", cached(name))


def real_row(name: str) -> Row:
    """Return the row of a set that users bring."""
    known = manifests.manifest(name)
    splits = " + ".join(known.splits.values()) or "-"
    return Row(name, "real", "-", known.size, splits, "--root DIR", "-")


def cached(name: str) -> str:
    """Return what of a studio set lies in the cache: sizes and scales, with counts where a split is not complete."""
    states: dict[str, list[str]] = {}
    others = 0
    for folder in sorted((paths.cache() / "studio").glob(f"{name}-*-v*")):
        match = _FOLDER.match(folder.name.removeprefix(f"{name}-"))
        if match is None:
            continue
        split, height, width, scale = match.groups()
        made = PROCEDURAL[name](split, (int(height), int(width)), scale)
        if made._cache.folder != folder:
            others += 1
            continue
        missing = len(made._cache.missing())
        part = f" {made.count - missing} of {made.count}" if missing else ""
        states.setdefault(f"{height}x{width} {scale}", []).append(split + part)
    texts = [f"{what} ({', '.join(splits)})" for what, splits in states.items()]
    return "; ".join(texts + [f"{others} of other versions"] * bool(others)) or "empty"
