"""The pair of people and the trained network that the equation pages look at."""

from functools import cache

from torch import nn

from repro import records
from repro.data import Pair, load
from repro.experiments import load_recorded_model


@cache
def example_pair(size: int = 64) -> Pair:
    """Return the first held-out studio pair that shows the method well, at ``size`` pixels.

    Well means: almost the whole body is in both pictures, and the source shows between 55 and 85 % of what the target
    shows, so that there is both something to copy and something to invent.
    """
    small = load("fashion", "test", size=64, scale="tiny")
    for index in range(len(small)):
        pair = small[index]
        bodies = min(int((joints >= 0).all(1).sum()) for joints in (pair.source_joints, pair.target_joints))
        if bodies >= 17 and 0.55 <= float(pair.visible.sum() / pair.person.sum()) <= 0.85:
            return small[index] if size == 64 else load("fashion", "test", size=size, scale="tiny")[index]
    raise LookupError("the tiny test set has no pair that shows most of a body: choose other limits here")


@cache
def example_network(row: str = "full") -> tuple[nn.Module, float]:
    """Return the recorded network of a Table II row (profile laptop, seed 0) and its heat maps' sigma in pixels."""
    record = next(one for one in records.read("II", "laptop") if one.row == row and one.seed == 0)
    return load_recorded_model(record), record.config["data"]["heatmap_sigma"]
