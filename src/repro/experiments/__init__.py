"""A row of a table is a config; a run is train, evaluate, record."""

from repro.experiments.pairs import TestPairs
from repro.experiments.request import Request, RequestError, request
from repro.experiments.rows import PROFILES, TABLES, Deviation, Row, Table, deviations, learns, resolve
from repro.experiments.run import Folders, run_row
from repro.experiments.table import recorded, run_table
from repro.experiments.task import Task
from repro.experiments.weights import exported, load_recorded_model

__all__ = [
    "PROFILES",
    "TABLES",
    "Deviation",
    "Folders",
    "Request",
    "RequestError",
    "Row",
    "Table",
    "Task",
    "TestPairs",
    "deviations",
    "exported",
    "learns",
    "load_recorded_model",
    "recorded",
    "request",
    "resolve",
    "run_row",
    "run_table",
]
