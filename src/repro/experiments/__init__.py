"""A row of a table is a config; a run is train, evaluate, record."""

from repro.experiments.request import Request, RequestError, request
from repro.experiments.rows import PROFILES, TABLES, Deviation, Row, deviations, resolve
from repro.experiments.run import Folders, TestPairs, run_row
from repro.experiments.table import recorded, run_table
from repro.experiments.weights import exported, load_recorded_model

__all__ = [
    "PROFILES",
    "TABLES",
    "Deviation",
    "Folders",
    "Request",
    "RequestError",
    "Row",
    "TestPairs",
    "deviations",
    "exported",
    "load_recorded_model",
    "recorded",
    "request",
    "resolve",
    "run_row",
    "run_table",
]
