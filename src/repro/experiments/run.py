"""One row: train, evaluate, record. A finished row is reused, and the program says so."""

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from repro import models, paths, records
from repro.config import Config, digest, to_mapping
from repro.data.sets import DataSet
from repro.experiments.request import Request, choose
from repro.experiments.rows import TABLES, Row, resolve
from repro.experiments.task import Splits
from repro.experiments.weights import LARGEST, export, half, load_recorded_model, weights_hash
from repro.metrics import Evaluation
from repro.records import Record, table_slug
from repro.training import build_features, curves, train
from repro.training.host import describe

REUSE = ("all", "training", "nothing")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Folders:
    """Where a request's files go."""

    out: Path

    @property
    def records(self) -> Path:
        """Records of the rows that were run here."""
        return self.out / "records"

    @property
    def weights(self) -> Path:
        """Exported networks."""
        return self.out / "weights"

    def run(self, fingerprint: Mapping[str, Any]) -> Path:
        """Checkpoint and curve of one row; other settings, data or features are another folder, so nothing clashes."""
        table, row, dataset, profile, seed = (fingerprint[name] for name in records.KEY)
        state = json.dumps([fingerprint[name] for name in ("config_hash", "dataset_hash", "features")], sort_keys=True)
        name = f"{row}-seed{seed}-{hashlib.sha256(state.encode()).hexdigest()[:8]}"
        return self.out / table_slug(table) / profile / dataset / name


def run_row(
    request: Request, row: str, seed: int = 0, *, reuse: str = "all", record: bool = False, say: Say = print
) -> Record:
    """Train, evaluate and record one row, or return the record that is there already.

    Args:
        request: table, profile, data set, folders, device.
        row: one of the table's rows.
        seed: of initial weights and order of pairs; rows that learn nothing have only seed 0.
        reuse: "all" finished work, the "training" but not the scores, or "nothing".
        record: write into the project's own ``data/records`` and ``data/weights`` too (for maintainers).
        say: receives a line for every decision.

    Raises:
        RequestError, DataError, CheckpointError, NotFinite, Interrupted, MissingWeights: see there.
    """
    choose("reuse", reuse, REUSE)
    one = resolve(request.table, row, request.profile, request.dataset)
    seed = seed if one.learns else 0
    task = TABLES[one.table].task
    label = f"table {one.table}, {one.name}, {request.dataset}, {one.profile}, seed {seed}"
    folders = Folders(request.out)
    train_set, test_set = load_splits(one.config, request)
    network = build_features(one.config)
    start = starting_network(request, one, seed, record=record, say=say)
    fingerprint: dict[str, Any] = {
        "table": one.table,
        "row": one.name,
        "dataset": request.dataset,
        "profile": one.profile,
        "seed": seed,
        "dataset_hash": data_hash(train_set, test_set),
        "config_hash": digest(one.config),
        "features": ({network.name: bare(network.weights_hash)} if network else {})
        | ({start.row: start.weights_hash} if start else {}),
    }
    folder = folders.run(fingerprint)
    if reuse == "all":
        for place in (folders.records, paths.records()):
            found, changes = records.find(fingerprint, place)
            if found is not None:
                aged = (
                    "" if found.code_hash == records.code_hash() else " (made with other code: --reuse nothing reruns)"
                )
                say(f"{label}: reused, recorded {found.started} at commit {found.commit[:8]}{aged}")
                return found
            if changes:
                say(f"{label}: recorded before, but {'; '.join(changes)}: runs again in {folder}")

    started = records.now()
    if reuse == "nothing":
        shutil.rmtree(folder, ignore_errors=True)
    provenance = records.provenance()
    trained = None
    if one.learns:
        prepare(train_set)
        trained = train(
            one.config,
            train_set,  # type: ignore[arg-type]  # map-style, not a list
            seed=seed,
            folder=folder,
            dataset_hash=fingerprint["dataset_hash"],
            device=request.device,
            start=start.network if start else None,
            watch=task.watch(one.config, test_set, request.device) if task.watch else None,
            name=f"{one.name} seed {seed}",
        )
    evaluation, subsets = task.measure(
        one.config, trained.generator if trained else None, test_set, request.device, one.name
    )
    tensors = half(trained.generator) if trained else {}
    finished = Record(
        **fingerprint,
        **provenance,
        metrics={name: value for name, value in evaluation.metrics.items() if np.isfinite(value)},
        n=evaluation.n,
        needs=evaluation.needs | _not_finite(evaluation),
        subsets=subsets,
        metric_weights={name: bare(value) for name, value in evaluation.weights.items()},
        config=to_mapping(one.config),
        weights_hash=weights_hash(tensors),
        steps=trained.steps if trained else 0,
        seconds=round(trained.seconds, 1) if trained else 0.0,
        peak_memory_mib=round(trained.peak_memory_mib) if trained else 0.0,
        parameters=models.parameter_count(trained.generator) if trained else 0,
        flops=task.flops(trained.generator, one.config) if trained else 0,
        device=trained.device if trained else describe(torch.device("cpu")),
        started=started,
        notes=[
            *one.notes,
            *(trained.notes if trained else []),
            *_left_out(request, task.unit, train_set, test_set),
            *_undefined(evaluation, task.unit),
        ],
    )
    keeps_curve = trained and (seed == 0 or task.watch)
    curve = (folder / curves.NAME).read_bytes() if keeps_curve else b""
    keep(finished, evaluation.per_pair, curve, tensors, folders.records, folders.weights)
    if record:
        ships = task.ships and seed == 0 and sum(tensor.nbytes for tensor in tensors.values()) < LARGEST
        keep(finished, evaluation.per_pair, curve, tensors if ships else {}, paths.records(), paths.weights())
    say(f"{label}: done, {finished.seconds:.0f} s of training")
    return finished


@dataclass(frozen=True)
class Start:
    """The trained network that a row goes on from."""

    row: str
    network: nn.Module
    weights_hash: str


def starting_network(request: Request, row: Row, seed: int, *, record: bool = False, say: Say = print) -> Start | None:
    """Return the network of the row that this one goes on from, trained now if it was not; None for initial weights.

    It is the exported one, of the same seed and profile, so what ships is enough to train the row again.
    """
    name = row.config.model.start_from
    if not name:
        return None
    before = run_row(request, name, seed, record=record, say=say)
    for folder in (Folders(request.out).weights, paths.weights()):
        with contextlib.suppress(FileNotFoundError):
            return Start(name, load_recorded_model(before, folder), before.weights_hash)
    say(f"{name}, seed {seed}: recorded, but its network is not here: trained again")
    before = run_row(request, name, seed, reuse="training", say=say)
    return Start(name, load_recorded_model(before, Folders(request.out).weights), before.weights_hash)


def load_splits(config: Config, request: Request) -> Splits:
    """Return the training and the test set of a config."""
    return TABLES[request.table].task.splits(config, request)


def prepare(dataset: DataSet[Any], workers: int = 2) -> None:
    """Render all of what the studio makes; what is read from files is there already."""
    if (render := getattr(dataset, "prepare", None)) is not None:
        render(workers)


def keep(
    record: Record, per_pair: pd.DataFrame, curve: bytes, tensors: dict[str, Tensor], into: Path, weights: Path
) -> None:
    """Write the scores of single examples; losses over steps and the network, if any; and last the record."""
    records.write_whole(pairs_file(record, into), per_pair.to_csv(index=False, float_format="%.5g").encode())
    if curve:
        records.write_whole(curve_file(record, into), curve)
    if tensors:
        export(tensors, record, weights)
    records.append(record, into)


def pairs_file(record: Record, folder: Path | None = None) -> Path:
    """Return where the scores of single pairs lie, beside the records in ``folder`` (default: the project's own)."""
    return (folder or paths.records()) / "pairs" / f"{_stem(record)}.csv"


def curve_file(record: Record, folder: Path | None = None) -> Path:
    """Return where the losses over the steps lie, beside the records in ``folder`` (default: the project's own)."""
    return (folder or paths.records()) / "curves" / f"{_stem(record)}.jsonl"


def data_hash(train_set: DataSet[Any], test_set: DataSet[Any]) -> str:
    """Return one hash for both splits."""
    return hashlib.sha256(f"{train_set.hash} {test_set.hash}".encode()).hexdigest()


def bare(value: str) -> str:
    """Return a hash without the name of its algorithm."""
    return value.removeprefix("sha256:")


def _stem(record: Record) -> str:
    return f"{table_slug(record.table)}.{record.profile}.{record.dataset}.{record.row}.seed{record.seed}"


def _left_out(request: Request, unit: str, *splits: DataSet[Any]) -> list[str]:
    if request.exclude is None:
        return []
    content = hashlib.sha256(request.exclude.read_bytes()).hexdigest()
    counts = ", ".join(f"{getattr(one, 'excluded', 0)} {one.split}" for one in splits)
    return [f"Left out by {request.exclude.name} (SHA-256 {content[:12]}): {counts} {unit}s."]


def _not_finite(evaluation: Evaluation) -> dict[str, str]:
    """Return what the record's numbers cannot say: JSON knows no NaN, and a finished training is not thrown away."""
    return {
        name: "defined for none of the test examples"
        if evaluation.defined.get(name) == 0
        else f"no finite number ({value})"
        for name, value in evaluation.metrics.items()
        if not np.isfinite(value)
    }


def _undefined(evaluation: Evaluation, unit: str) -> list[str]:
    return [
        f"{name}: defined for {count} of {evaluation.n} {unit}s"
        for name, count in evaluation.defined.items()
        if count < evaluation.n
    ]
