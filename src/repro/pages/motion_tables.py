"""The table of motion extraction: scores of all, of what went wrong, of other detectors, and of perfect input."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from repro.experiments.motion import LEARNING, ROWS
from repro.pages.kept import kept_curve
from repro.pages.tables import by_row, difference, differs_from_the_recipe, labels_of, spread
from repro.records import Record

# Label, subset ("" = all test sequences), metric, digits.
Column = tuple[str, str, str, int]

POSITION, TREMBLE = "mpjpe_px", "acceleration_px_frame2"
HEADLINE: tuple[Column, ...] = (
    ("acceleration error, px/frame²", "", TREMBLE, 3),
    ("MPJPE, px", "", POSITION, 2),
    ("MPJPE, % of height", "", "mpjpe_percent_height", 2),
    ("damage: MPJPE on true input, px", "true_input", POSITION, 2),
)
KINDS: tuple[Column, ...] = tuple(
    (f"{metric_label}: {kind}", "", f"{metric}_{kind}", digits)
    for metric_label, metric, digits in (("MPJPE", POSITION, 1), ("acc.", TREMBLE, 2))
    for kind in ("faultless", "jittered", "swapped", "missed")
)
LEVELS: tuple[Column, ...] = tuple(
    (f"{metric_label}: {label}", subset, metric, digits)
    for metric_label, metric, digits in (("MPJPE", POSITION, 2), ("acc.", TREMBLE, 3))
    for label, subset in (
        ("better detector", "noise_clean"),
        ("typical", ""),
        ("worse detector", "noise_hard"),
        ("new kind of motion", "held_out_motion"),
    )
)


def values(found: Sequence[Record], row: str, subset: str, metric: str) -> list[float]:
    """Return a score of a row, one number per seed that has it."""
    seeds = by_row(found).get(row, {}).values()
    places = [record.subsets.get(subset, {}) if subset else record.metrics for record in seeds]
    return [place[metric] for place in places if metric in place]


def score_table(found: Sequence[Record], columns: Sequence[Column]) -> pd.DataFrame:
    """Return one line per recorded row: mean and spread over seeds of each column that any row has.

    Args:
        found: records of one data set and profile.
        columns: ``HEADLINE``, ``KINDS`` or ``LEVELS``.
    """
    labels, seeds = labels_of(found), by_row(found)
    lines = {}
    for row in (row for row in ROWS if row in seeds):
        line = {"seeds": str(len(seeds[row])) if row in LEARNING else "–"}
        for label, subset, metric, digits in columns:
            line[label] = spread(own, digits) if (own := values(found, row, subset, metric)) else "–"
        lines[labels[row]] = line
    frame = pd.DataFrame.from_dict(lines, orient="index")
    return frame.loc[:, [column for column in frame if (frame[column] != "–").any()]]


def best_filter(found: Sequence[Record], metric: str) -> str:
    """Return the row with the smallest error among those that learn nothing."""
    filters = [row for row in by_row(found) if row not in LEARNING]
    return min(filters, key=lambda row: np.mean(values(found, row, "", metric)))


def sentences(found: Sequence[Record], row: str = "men_adaln") -> str:
    """Return in words how a trained row stands beside no cleaning and beside the best filter, in both errors."""
    if row not in by_row(found) or not any(other not in LEARNING for other in by_row(found)):
        return ""
    labels, words = labels_of(found), []
    for what, metric, unit, digits in (("position", POSITION, "px", 2), ("acceleration", TREMBLE, "px/frame²", 3)):
        own = np.mean(values(found, row, "", metric))
        for other in dict.fromkeys((*["identity"] * ("identity" in by_row(found)), best_filter(found, metric))):
            theirs = np.mean(values(found, other, "", metric))
            interval = difference(found, row, other, metric)
            sides = interval is not None and (interval.low > 0 or interval.high < 0)
            settled = "the interval over seeds excludes zero" if sides else "not settled with these seeds"
            words.append(
                f"Error of {what}: {labels[row]} {own:.{digits}f} {unit}, {labels[other]} {theirs:.{digits}f} {unit}: "
                f"{'better' if own < theirs else 'worse'} ({settled})."
            )
    return "\n".join(words)


def recipe_table(found: Sequence[Record]) -> pd.DataFrame:
    """Return where the runs differ from the authors' recipe; no loss of this table looks through another network."""
    frame = differs_from_the_recipe(found)
    return frame[frame["setting"] != "losses.features"]


def curve_figure(found: Sequence[Record], out: Path) -> Figure:
    """Return the training error of seed 0 of every trained row over the steps, in pixels of the picture.

    Args:
        found: records of one profile.
        out: folder of the request's runs.
    """
    labels = labels_of(found)
    figure, ax = plt.subplots(figsize=(7, 3))
    for record in found:
        if record.seed or record.row not in LEARNING or (curve := kept_curve(record, out)) is None:
            continue
        squared = record.config["motion"]["loss"] == "mse"
        # Coordinates run from -1 to 1 over 1000 pixels; windows are enlarged 1.25 times on average.
        error = 400 * (np.sqrt(curve["total"]) if squared else curve["total"])
        label = f"{labels[record.row]}{'' if squared else ' (mean of absolutes)'}"
        ax.plot(curve["step"], error.rolling(5, min_periods=1).mean(), label=label, linewidth=1.2)
    ax.set(yscale="log", xlabel="step", ylabel="root mean square of a coordinate, px")
    ax.legend(fontsize=7)
    figure.tight_layout()
    return figure
