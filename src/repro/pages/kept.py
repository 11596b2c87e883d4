"""What a run left beside its record: from the folder of the request's runs, else what ships with the project."""

from pathlib import Path

import pandas as pd
from torch import nn

from repro.experiments import load_recorded_model
from repro.experiments.run import curve_file
from repro.records import Record


def kept_curve(record: Record, out: Path | None = None) -> pd.DataFrame | None:
    """Return the losses of a run over its steps, None where they were not kept.

    Args:
        record: of the run.
        out: folder of the request's runs; None asks the project alone.
    """
    folders = [None] if out is None else [out / "records", None]
    files = [file for folder in folders if (file := curve_file(record, folder)).is_file()]
    return pd.read_json(files[0], lines=True) if files else None


def kept_network(record: Record, out: Path) -> nn.Module:
    """Return a record's network from where it was trained, else the one that ships.

    Raises:
        FileNotFoundError: it is in neither place; the message says what trains it.
    """
    try:
        return load_recorded_model(record, out / "weights")
    except FileNotFoundError:
        return load_recorded_model(record)
