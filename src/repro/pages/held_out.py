"""The held-out pairs that Table II's rows were measured on: pictures, scores, and in what order to look at them.

What orders pairs comes from the records of rows that learn nothing or from identities between recorded numbers, so that
no picture has to be drawn for it and no network has a say in which pairs are shown.
"""

from functools import cache

import numpy as np
import pandas as pd
import torch

from repro import data, records
from repro.data import Pair
from repro.experiments import TestPairs
from repro.experiments.run import pairs_file
from repro.models import Output
from repro.pages.example import example_network
from repro.records import Record

TABLE, PROFILE = "II", "laptop"


@cache
def recorded() -> tuple[Record, ...]:
    """Return the records of the table, seed 0 of every row: those whose networks ship, and those without one."""
    return tuple(record for record in records.read(TABLE, PROFILE) if record.seed == 0)


@cache
def pairs() -> TestPairs:
    """Return the fixed list of pairs; the number of a pair is its place in it, as in the files of scores."""
    full = _of("full")
    settings = full.config["data"]
    dataset = data.load(full.dataset, "test", settings["size"], settings["scale"], sigma=settings["heatmap_sigma"])
    return TestPairs.of(dataset, full.n)


@cache
def scores(row: str) -> pd.DataFrame:
    """Return the recorded scores of a row, one line per pair."""
    return pd.read_csv(pairs_file(_of(row)), index_col="pair")


def movement() -> pd.Series:
    """Return how far each pair moves: mean length of the exact flow over what the source shows, in pixels.

    It is the recorded flow error of the row that copies the source, whose flow is zero. NaN where nothing is shown.
    """
    return scores("copy_source")["epe_visible_px"].rename("movement")


def hidden_shares() -> pd.Series:
    r"""Return the share of each target person that the source does not show, 0 to 1.

    It is solved from what is recorded of any row: the error on the person is the mean of the errors on the visible and
    the hidden part, weighted with their shares,

    .. math:: a = (1 - h)\, v + h\, d \quad\Rightarrow\quad h = \frac{\sum (a - v)(d - v)}{\sum (d - v)^2}

    in the sense of least squares over all rows, since in one of them v and d may be equal. NaN where a part is empty.
    """
    names = ["l1_person", "l1_person_visible", "l1_person_hidden"]
    whole, visible, hidden = np.stack([scores(record.row)[names].to_numpy() for record in recorded()], -1).swapaxes(
        0, 1
    )
    shares = ((whole - visible) * (hidden - visible)).sum(1) / np.square(hidden - visible).sum(1)
    return pd.Series(shares, scores("full").index, name="hidden share")


def spaced(values: pd.Series, count: int) -> list[int]:
    """Return the numbers of ``count`` pairs in equal steps from the smallest value to the largest; NaN is left out."""
    order = values.dropna().sort_values(kind="stable").index
    return [int(order[round(place)]) for place in np.linspace(0, len(order) - 1, count)]


def answer(row: str, pair: Pair) -> Output:
    """Return what the network of a row, seed 0, makes of a pair."""
    with torch.no_grad():
        made: Output = example_network(row)[0](
            2 * pair.source[None] - 1, pair.source_pose[None], pair.target_pose[None]
        )
    return made


def _of(row: str) -> Record:
    return next(record for record in recorded() if record.row == row)
