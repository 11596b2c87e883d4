"""Results with their provenance: one JSON line per table row, data set, profile and seed.

A record is complete or absent: files are written under a temporary name, flushed to the disk and renamed, under a lock,
so two processes may add rows to one file. A row counts as finished when a record has the same *fingerprint*.
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from repro import paths

SCHEMA = 1
KEY = ("table", "row", "dataset", "profile", "seed")
FINGERPRINT = (*KEY, "dataset_hash", "config_hash", "features")


class RecordError(ValueError):
    """A file of results that cannot be read: the message names the file, the line and the remedy."""


@dataclass(frozen=True)
class Record:
    """One trained and measured row.

    Attributes:
        table: the paper's number ("II").
        metrics: value by a name that says its protocol.
        n: test pairs behind every metric.
        config: the resolved settings, as ``repro.config.to_mapping`` gives them; ``config_hash`` is their digest.
        features: networks that came in from outside, name -> hash of its weights: the frozen one of the losses, and
            that of the row that this one goes on from.
        needs: metric -> "needs file ...", for those that this machine could not compute.
        subsets: scores on parts of the test pairs: name -> {"n": pairs, metric: value}.
        metric_weights: metric -> hash of the network that it looked through.
        weights_hash: SHA-256 of the trained generator's exported tensors.
        code_hash: SHA-256 of the package's sources at the time of the run.
        steps: optimiser steps of all stages; ``seconds`` and ``peak_memory_mib`` belong to training.
        parameters: of the generator; ``flops``: of its forward pass on one pair (a multiply-add counts two).
        started: UTC.
        notes: what a reader must know about this run, in words.
    """

    table: str
    row: str
    dataset: str
    dataset_hash: str
    profile: str
    seed: int
    metrics: dict[str, float]
    n: int
    config: dict[str, Any]
    config_hash: str
    features: dict[str, str]
    weights_hash: str
    steps: int
    seconds: float
    peak_memory_mib: float
    parameters: int
    flops: int
    device: str
    started: str
    commit: str
    dirty: bool
    code_hash: str
    versions: dict[str, str]
    needs: dict[str, str] = field(default_factory=dict)
    subsets: dict[str, dict[str, float]] = field(default_factory=dict)
    metric_weights: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    schema: int = SCHEMA

    @property
    def fingerprint(self) -> dict[str, Any]:
        """What decides whether a finished row may stand for a wanted one."""
        return {name: getattr(self, name) for name in FINGERPRINT}

    @property
    def hash(self) -> str:
        """SHA-256 of the record itself."""
        return hashlib.sha256(_line(self).encode()).hexdigest()


def file_of(table: str, profile: str, folder: Path | None = None) -> Path:
    """Return the file that holds a table's records at a profile (``data/records/table_2.laptop.jsonl``)."""
    return (folder or paths.records()) / f"{table_slug(table)}.{profile}.jsonl"


def table_slug(table: str) -> str:
    """Return a table's name for files: "II" -> "table_2", "SCA-1" -> "sca_1"."""
    romans = {"I": 1, "II": 2, "III": 3, "IV": 4, "V": 5}
    return f"table_{romans[table]}" if table in romans else table.lower().replace("-", "_")


def read(table: str, profile: str, folder: Path | None = None) -> list[Record]:
    """Return the records of a table at a profile, oldest first; an empty list where nothing was recorded.

    Raises:
        RecordError: a line is damaged or of another schema, or the file is no text.
    """
    path = file_of(table, profile, folder)
    if not path.is_file():
        return []
    try:
        lines = path.read_text("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise RecordError(f"{path}: not UTF-8 text ({error}): restore the file (git checkout) or delete it") from error
    return [_parse(line, path, number) for number, line in enumerate(lines, 1) if line]


def append(record: Record, folder: Path | None = None) -> Path:
    """Add a record to its file and return the file; one of the same row, data set, profile and seed is replaced."""
    path = file_of(record.table, record.profile, folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path.parent):
        kept = [old for old in read(record.table, record.profile, folder) if _key(old) != _key(record)]
        write_whole(path, "".join(f"{_line(one)}\n" for one in [*kept, record]).encode())
    return path


def find(fingerprint: dict[str, Any], folder: Path | None = None) -> tuple[Record | None, list[str]]:
    """Return the finished record for a fingerprint, or None and what changed since the row was last recorded.

    Both are empty (None, []) when the row was never recorded.
    """
    for record in read(fingerprint["table"], fingerprint["profile"], folder):
        if _key(record) == tuple(fingerprint[name] for name in KEY):
            changes = [
                f"{name}: recorded {_short(value)}, now {_short(fingerprint[name])}"
                for name, value in record.fingerprint.items()
                if value != fingerprint[name]
            ]
            return (None, changes) if changes else (record, [])
    return None, []


def published(table: str) -> dict[str, Any]:
    """Return the papers' numbers for a table from ``data/published.yaml``.

    Raises:
        RecordError: the file or the table is not there.
    """
    path = paths.published()
    if not path.is_file():
        raise RecordError(f"no file {path}: the papers' numbers are part of the checkout")
    content = yaml.safe_load(path.read_text("utf-8"))
    tables = content.get("tables", content)
    if table not in tables:
        raise RecordError(f"{path} has no table {table!r}: it has {', '.join(map(str, tables))}")
    result: dict[str, Any] = tables[table]
    return result


def claims() -> dict[str, dict[str, Any]]:
    """Return the papers' claims from ``data/claims.yaml``: id -> claim, place, test and what is compared.

    Raises:
        RecordError: the file is not there.
    """
    path = paths.claims()
    if not path.is_file():
        raise RecordError(f"no file {path}: the papers' claims are part of the checkout")
    content: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text("utf-8"))
    return content


def provenance() -> dict[str, Any]:
    """Return the fields of a record that describe the code: commit, dirty, code_hash, versions."""
    return {
        "commit": _git("rev-parse", "HEAD") or "unknown",
        "dirty": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "code_hash": code_hash(),
        "versions": {"python": platform.python_version()}
        | {name: _version(name) for name in ("repro", "torch", "torchvision", "numpy", "lightning")},
    }


def code_hash() -> str:
    """Return the SHA-256 of what decides a number: the package's sources without ``cli`` and ``pages``."""
    package = Path(__file__).parent
    sha = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        place = path.relative_to(package)
        if place.parts[0] not in ("cli", "pages"):
            sha.update(f"{place.as_posix()}\0".encode() + path.read_bytes())
    return sha.hexdigest()


def now() -> str:
    """Return the present moment as the records write it (UTC, seconds)."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file completely or not at all: temporary name in the same folder, flush, rename.

    Raises:
        OSError: disk full or folder not writable; the message names the file, nothing half-written remains.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        temporary = Path(name)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise unwritten(path, error) from error


def unwritten(path: Path, error: OSError, remedy: str = "choose another folder") -> OSError:
    """Return the error of a file that could not be written: the system's reason, and what to do.

    Args:
        path: the file.
        error: what the system said.
        remedy: what helps whatever the reason; where the disk is full, freeing space does too.
    """
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    advice = f"free space or {remedy}" if full else remedy
    return OSError(error.errno, f"cannot write {path}: {error.strerror or error}; {advice}")


def sweep(folder: Path) -> None:
    """Remove what a killed :func:`write_whole` left in a folder; only whoever holds the folder may call this."""
    for path in folder.glob(".*.tmp"):
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; it ends with the process, also with a killed one, and leaves no file behind."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _key(record: Record) -> tuple[Any, ...]:
    return tuple(getattr(record, name) for name in KEY)


def _line(record: Record) -> str:
    return json.dumps(asdict(record), sort_keys=True, allow_nan=False)


def _parse(line: str, path: Path, number: int) -> Record:
    remedy = f"restore the file (git checkout) or delete the line, and run the row again: {path}"
    try:
        content = json.loads(line)
        schema = content["schema"]
    except (json.JSONDecodeError, TypeError, KeyError) as error:
        raise RecordError(f"{path}, line {number}: not a record ({error}); {remedy}") from error
    if schema != SCHEMA:
        raise RecordError(f"{path}, line {number}: expected schema {SCHEMA}, got {schema}; {remedy}")
    names = {one.name for one in fields(Record)}
    if set(content) != names:
        wrong = ", ".join(sorted(set(content) ^ names))
        raise RecordError(f"{path}, line {number}: missing or unknown fields {wrong}; {remedy}")
    return Record(**content)


def _short(value: Any) -> str:
    """Shorten hashes so that a line of changes can be read."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_short(one)}" for name, one in value.items()) or "none"
    return value[:12] if isinstance(value, str) and len(value) == 64 else str(value)


def _git(*arguments: str) -> str:
    try:
        result = subprocess.run(
            ["git", "-C", str(paths.root()), *arguments], capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout.strip() if result.returncode == 0 else ""


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        module = sys.modules.get(name)
        return getattr(module, "__version__", "unknown")
