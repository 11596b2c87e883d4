"""Tables, their rows and the profiles: small files that say how they differ from the authors' recipe.

A row (``rows/table_2/full.yaml``) decides the mechanism; a profile (``profiles/laptop.yaml``) decides size, budget and
training settings. Where both set the same, the row wins, so a profile cannot change what a row is about. A task may
have a profile of its own (``profiles/clips_laptop.yaml``), which names the common one as its base.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from repro.config import Config, apply, flatten, read_settings
from repro.data.clip_layouts import CLIP_LAYOUTS
from repro.data.sets import PROCEDURAL
from repro.experiments import clips, flow, motion, pairs
from repro.experiments.task import Task
from repro.metrics import TRIVIAL
from repro.records import table_slug


@dataclass(frozen=True)
class Table:
    """A table: what its rows are trained and scored on, and their names: the paper's in its order, ours, then those
    that learn nothing."""

    task: Task
    rows: tuple[str, ...]


TABLES = {
    "II": Table(pairs.TASK, ("baseline", "global_attn", "local_attn", "bi_sample", "full", "full_mean", *TRIVIAL)),
    "IV": Table(
        clips.TASK,
        (
            "pair_network",
            "naive_animation",
            "seq_animation",
            "ours_animation",
            "no_temporal_discriminator",
            "copy_source",
            "exact_flow",
        ),
    ),
    "motion": Table(motion.TASK, motion.ROWS),
    "flow": Table(flow.TASK, flow.ROWS),
}
PROFILES = ("smoke", "laptop", "gpu", "paper")
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Row:
    """A row of a table at a profile, ready to run."""

    table: str
    name: str
    profile: str
    title: str
    config: Config
    notes: tuple[str, ...]

    @property
    def learns(self) -> bool:
        """False for the rows that learn nothing (copy of the source, per-bone warp, ...)."""
        return bool(self.config.stages)


@dataclass(frozen=True)
class Deviation:
    """A setting that is not the authors'."""

    setting: str
    authors: Any
    ours: Any
    why: str


def resolve(table: str, row: str, profile: str, dataset: str = "", changes: Mapping[str, Any] = {}) -> Row:
    """Return a row at a profile, with its config put together: authors' recipe, profile, row, ``changes``.

    Args:
        table: key of ``TABLES``.
        row: one of the table's rows.
        profile: one of ``PROFILES``.
        dataset: "" = the table's own; real ones may come without masks of the person: there the correctness loss sees
            the whole image.
        changes: settings of this one run ({"joint.steps": 10}).
    """
    task = TABLES[table].task.name
    own = _row_settings(table, row)
    title, notes = own.pop("title"), list(own.pop("notes", []))
    settings = read_settings(_profile_file(task, profile)) | own | {"task": task}
    masked = dataset in ("", *PROCEDURAL) or (dataset in CLIP_LAYOUTS and CLIP_LAYOUTS[dataset].masked)
    if not masked and settings.get("losses.foreground_mask"):
        settings["losses.foreground_mask"] = False
        notes.append("No masks of the person in this data set: the correctness loss sees the whole image.")
    return Row(table, row, profile, title, apply(Config(), settings | dict(changes)), tuple(notes))


def learns(table: str, row: str) -> bool:
    """Tell whether a row is trained; the others (copy of the source, a filter, ...) have no seed."""
    return bool(_row_settings(table, row).get("stages", True))


def deviations(config: Config) -> list[Deviation]:
    """Return where a config differs from the authors' recipe in training settings, size and budget, with the reason.

    What a row is about (its mechanism) is no deviation and not in the list.
    """
    authors, ours = flatten(Config()), flatten(config)
    return [
        Deviation(key, authors[key], ours[key], why) for key, why in _reasons().items() if ours[key] != authors[key]
    ]


def _row_settings(table: str, row: str) -> dict[str, Any]:
    return read_settings(HERE / "rows" / table_slug(table) / f"{row}.yaml")


def _profile_file(task: str, profile: str) -> Path:
    own = HERE / "profiles" / f"{task}_{profile}.yaml"
    return own if own.is_file() else HERE / "profiles" / f"{profile}.yaml"


@cache
def _reasons() -> dict[str, str]:
    reasons: dict[str, str] = yaml.safe_load((HERE / "deviations.yaml").read_text("utf-8"))
    return reasons
