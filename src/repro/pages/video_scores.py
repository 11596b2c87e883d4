"""What scores of clips through a network can be trusted to say: whether it sees time, and what a printed AED can be."""

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from repro import paths
from repro.metrics.video import published_readings
from repro.pages.tables import METRICS

WORDS = {
    "shuffle": "frames in random order",
    "jitter": "every frame off by up to 2 px",
    "frozen": "the first frame all the time",
    "twice_as_fast": "every second frame",
}


def sensitivity() -> dict[str, Any]:
    """Return the record of how far disturbed real clips move the score of the networks that ship."""
    found: dict[str, Any] = json.loads((paths.records() / "videonet_sensitivity.json").read_text("utf-8"))
    return found


def sensitivity_table(record: Mapping[str, Any]) -> pd.DataFrame:
    """Return how far each disturbance moves the score, in distances between real and real: lines sets, columns what is
    done.

    Args:
        record: of :func:`sensitivity`.
    """
    lines = {
        (METRICS[f"fd_{network}"][0], {"all": "both sets"}.get(name, name)): {
            words: round(of_set[kind]["moved"], 1) + 0.0 for kind, words in WORDS.items()
        }
        for network, sets in record["networks"].items()
        for name, of_set in sets.items()
        if name != "weights_hash"
    }
    return pd.DataFrame.from_dict(lines, orient="index")


def sensitivity_words(record: Mapping[str, Any]) -> str:
    """Return which scores may argue for a row, by the rule that a shuffle has to move a score by ``bar`` floors.

    Args:
        record: of :func:`sensitivity`.
    """
    bar = record["bar"]
    still = [sets["all"]["frozen"]["moved"] for sets in record["networks"].values()]
    if record["sees_time"]:
        said = f"A shuffle moves both networks by {bar:g} floors or more, on each set: they see the order of frames."
    else:
        said = (
            f"A shuffle moves a network by less than {bar:g} floors: it is blind to time. "
            "The rows are told apart by warping error and flicker alone."
        )
    if max(still) < bar:
        said += " Neither sees that a clip stands still: what they say of a row that moves too little means nothing."
    return said


def aed_table() -> pd.DataFrame:
    """Return what each AED in print can be, beside the FID-Video of the same line (1,024 features, as I3D's)."""
    lines = []
    for found in published_readings():
        lines.append(
            {
                "table": found["table"],
                "row": found["label"],
                "clips": found["dataset"],
                "FID-Video": found["fid_video"],
                "AED": found["aed"],
                "clips needed, if a norm": f"{found['l2_clips']:,.0f}",
                "possible, if a square": "yes" if found["sq"] else "no",
                "possible, if a square per dimension": "yes" if found["ms"] else "no",
            }
        )
    return pd.DataFrame(lines)
