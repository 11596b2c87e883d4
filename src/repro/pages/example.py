"""The pair of people that the equation pages look at."""

from functools import cache

from repro.data import Pair, load


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
