"""What the user's own network files were when they came: a file that changes later is refused.

Most publishers give no checksum. So the user's own SHA-256 is recorded when a file is imported or, put there by hand,
first used; whoever reads it afterwards knows that it is still the one that earlier results were made with. Size and
time of change stand beside it: hashing half a gigabyte at each load would be slow.
"""

import hashlib
import json
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from repro import paths, records

NAME = "checksums.json"


class ChangedFile(ValueError):
    """A file is not the one that was recorded under its name."""


@dataclass(frozen=True)
class _Entry:
    """A file as it was: its SHA-256; size and time of change, by which an untouched file is known (None: not noted)."""

    sha256: str
    size: int | None = None
    mtime_ns: int | None = None

    @classmethod
    def of(cls, path: Path, digest: str) -> Self:
        found = path.stat()
        return cls(digest, found.st_size, found.st_mtime_ns)


def read(folder: Path) -> dict[str, str]:
    """Return what was recorded in a folder: file -> SHA-256; empty where nothing was.

    Files of the folder go by their name, others (torch's hub checkpoints) by their path.

    Raises:
        ValueError: the list is damaged.
    """
    return {name: entry.sha256 for name, entry in _entries(folder).items()}


def enter(path: Path) -> str:
    """Record a file's checksum, over an older one, and return it."""
    folder, digest = paths.user_weights(), sha256(path)
    folder.mkdir(parents=True, exist_ok=True)
    _write(path, digest)
    return digest


def recorded(path: Path) -> str | None:
    """Return the SHA-256 that a file was recorded with; None = it never was."""
    entry = _entries(paths.user_weights()).get(_key(path))
    return entry.sha256 if entry else None


def digest(path: Path, *, afresh: bool = False) -> str:
    """Return the SHA-256 of a file: the recorded one if size and time of change say that nobody touched it since.

    Args:
        path: the file.
        afresh: read it in any case.
    """
    entry = _entries(paths.user_weights()).get(_key(path))
    if entry is not None and not afresh and entry == _Entry.of(path, entry.sha256):
        return entry.sha256
    return sha256(path)


def refuse_changed(path: Path, actual: str) -> None:
    """Raise ChangedFile if a file is recorded with another checksum than its ``actual`` one."""
    was = recorded(path)
    if was is not None and was != actual:
        raise ChangedFile(
            f"{path} is not the file that was imported or first used under its name: expected sha256 {was[:12]}..., "
            f"got {actual[:12]}...; bring the old file back, or say that the new one is meant: "
            f"repro weights import {path} --replace"
        )


def keep(path: Path, actual: str) -> None:
    """Record a file that is not recorded yet, or was only touched; where that cannot be written, warn and go on."""
    entry = _Entry.of(path, actual)
    if _entries(paths.user_weights()).get(_key(path)) == entry:
        return
    try:
        paths.user_weights().mkdir(parents=True, exist_ok=True)
        _write(path, actual)
    except OSError as error:  # a folder that others share read-only holds networks as well as any
        warnings.warn(f"the checksum of {path} is not remembered: {error}", stacklevel=2)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _key(path: Path) -> str:
    """A file of the user's folder by its name, so that the folder may move; any other by its path."""
    path = path.absolute()
    return path.name if path.parent == paths.user_weights().absolute() else str(path)


def _write(path: Path, actual: str) -> None:
    folder = paths.user_weights()
    with records.locked(folder):
        content = _entries(folder) | {_key(path): _Entry.of(path, actual)}
        lines = json.dumps({name: asdict(entry) for name, entry in content.items()}, indent=1, sort_keys=True)
        records.write_whole(folder / NAME, lines.encode())


def _entries(folder: Path) -> dict[str, _Entry]:
    path = folder / NAME
    remedy = "delete it and import the files again"
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}): {remedy}") from error
    try:
        # A bare checksum is how lists were written before size and time stood in them.
        found = {name: _Entry(entry) if isinstance(entry, str) else _Entry(**entry) for name, entry in content.items()}
    except (AttributeError, TypeError) as error:
        raise ValueError(f"{path}: expected file names with their checksums: {remedy}") from error
    if not all(isinstance(entry.sha256, str) for entry in found.values()):
        raise ValueError(f"{path}: expected file names with their checksums: {remedy}")
    return found
