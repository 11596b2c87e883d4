"""What the user's own network files were when they came: a file that changes later is refused.

Most publishers give no checksum. So the first import records the user's own SHA-256, beside the files, and whoever
reads a file afterwards knows that it is still the one that earlier results were made with.
"""

import hashlib
import json
from pathlib import Path

from repro import records

NAME = "checksums.json"


class ChangedFile(ValueError):
    """A file is not the one that was imported under its name."""


def read(folder: Path) -> dict[str, str]:
    """Return what was recorded in a folder: file name -> SHA-256; empty where nothing was.

    Raises:
        ValueError: the list is damaged.
    """
    path = folder / NAME
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}): delete it and import the files again") from error
    if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
        raise ValueError(f"{path}: expected file names with their checksums: delete it and import the files again")
    return content


def enter(path: Path) -> str:
    """Record a file's checksum beside it, over an older one, and return it."""
    digest = sha256(path)
    with records.locked(path.parent):
        content = read(path.parent) | {path.name: digest}
        records.write_whole(path.parent / NAME, json.dumps(content, indent=1, sort_keys=True).encode())
    return digest


def refuse_changed(path: Path) -> None:
    """Raise ChangedFile if a file is recorded in its folder with another checksum."""
    recorded = read(path.parent).get(path.name)
    if recorded is not None and (actual := sha256(path)) != recorded:
        raise ChangedFile(
            f"{path} is not the file that was imported: sha256 was {recorded[:12]}..., is {actual[:12]}...; bring the "
            "old file back, or say that the new one is meant: repro weights import FILE --replace"
        )


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
