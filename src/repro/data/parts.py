"""Where an export grows until it is whole."""

import shutil
from collections.abc import Iterable
from pathlib import Path


def require_absent(targets: Iterable[Path], remedy: str = "export into a new folder or remove it") -> None:
    """Refuse to write over what is there.

    Raises:
        FileExistsError: the first of ``targets`` that exists.
    """
    for target in targets:
        if target.exists():
            raise FileExistsError(f"{target} exists: {remedy}")


def new_part(target: Path) -> Path:
    """Return an empty folder beside ``target`` under a temporary name: an interrupted export is not taken for a whole.

    What an interrupted export left there is removed: it may be of other settings, and would become part of the set.
    """
    part = target.with_name(f".{target.name}.part")
    if part.exists():
        shutil.rmtree(part)
    part.mkdir(parents=True)
    return part
