"""Where an export grows until it is whole."""

import shutil
from pathlib import Path


def new_part(target: Path) -> Path:
    """Return an empty folder beside ``target`` under a temporary name: an interrupted export is not taken for a whole.

    What an interrupted export left there is removed: it may be of other settings, and would become part of the set.
    """
    part = target.with_name(f".{target.name}.part")
    if part.exists():
        shutil.rmtree(part)
    part.mkdir(parents=True)
    return part
