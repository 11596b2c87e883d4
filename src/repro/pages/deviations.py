"""The list of deviations: where the profiles and the rows of the tables leave the authors' recipe, and why."""

import itertools
from typing import Any

from repro.config import Config, flatten
from repro.experiments import PROFILES, TABLES, deviations, resolve


def page() -> str:
    """Return the Markdown of the list of deviations, generated from the profiles and rows that runs use."""
    lines = [
        "# Deviations from the recipe",
        "",
        "The settings of every run start from the authors' recipe; a profile or a row says only how it differs.",
        "This list is made from the files that the runs read, so it is complete.",
        "An empty cell is the authors' value.",
        "",
        "A profile changes size, budget and training settings; the mechanism and the metrics are the same at each.",
    ]
    for table in TABLES:
        lines += ["", f"## Profiles of Table {table}", "", *_profiles(table)]
        lines += ["", f"## Rows of Table {table}", "", *_rows(table)]
    return "\n".join([*lines, ""])


def _profiles(table: str) -> list[str]:
    found: dict[str, dict[str, Any]] = {}
    why = {}
    for profile, row in itertools.product(PROFILES, TABLES[table].rows):
        for one in deviations(resolve(table, row, profile).config):
            found.setdefault(one.setting, {"authors": one.authors})[profile] = one.ours
            why[one.setting] = one.why
    shown = [profile for profile in PROFILES if any(profile in values for values in found.values())]
    same = [profile for profile in PROFILES if profile not in shown]
    lines = [f"| setting | authors | {' | '.join(shown)} | why |", f"|---|---|{'---|' * len(shown)}---|"]
    for setting, values in found.items():
        cells = [_text(values[column]) if column in values else "" for column in ("authors", *shown)]
        lines.append(f"| `{setting}` | {' | '.join(cells)} | {why[setting]} |")
    if same:
        lines += ["", f"Profile {', '.join(f'`{p}`' for p in same)} changes nothing."]
    return lines


def _rows(table: str) -> list[str]:
    authors = flatten(Config())
    lines = [
        "What makes the row, as settings that differ from the full network's recipe, and what the paper leaves open.",
        "",
        "| row | settings | decided here |",
        "|---|---|---|",
    ]
    for name in TABLES[table].rows:
        row = resolve(table, name, "paper")
        changed = {key: value for key, value in flatten(row.config).items() if value != authors[key]}
        settings = "<br>".join(f"`{key}: {_text(value)}`" for key, value in changed.items()) or "the recipe"
        notes = "<br>".join(row.notes)
        lines.append(f"| {row.title} (`{name}`) | {settings if row.learns else 'learns nothing'} | {notes} |")
    return lines


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return ", ".join(map(_text, value))
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:g}" if isinstance(value, float) else str(value)
