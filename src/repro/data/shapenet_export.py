"""Writes the studio's cars and chairs in the layout of ShapeNet, to try the real reader without the real data."""

import os
import shutil
from pathlib import Path
from typing import Protocol

import numpy as np

from repro.checks import require_choice
from repro.data.parts import require_absent
from repro.data.progress import progress_bar
from repro.data.shapenet import CATEGORIES, list_file
from repro.data.view_code import AZIMUTHS, ELEVATIONS, VIEWS

LISTS = ("id", "name")
"""Kinds of lists beside the hdf5 file: of views and of models."""


class Views(Protocol):
    """What the exporter needs of a data set: the studio's car and chair have it."""

    name: str
    split: str
    count: int
    images: np.ndarray


def export_shapenet(dataset: Views, folder: str | Path) -> Path:
    """Write one split of ``car`` or ``chair`` in the layout of ShapeNet and return the hdf5 file.

    ``load("shapenet", split, root=file)`` reads it back, bit for bit. Both splits may go into one folder, one after the
    other: they share the hdf5 file, which is replaced whole.

    Raises:
        FileExistsError: the split is there already.
    """
    folder = Path(folder)
    file = _file(dataset, folder)
    lists = dict(zip(LISTS, list_files(dataset, folder)))
    require_absent(lists.values())
    folder.mkdir(parents=True, exist_ok=True)
    models = [f"studio{dataset.split}{index:06d}" for index in range(dataset.count)]
    names = [
        f"{model}_{2 * (view % AZIMUTHS)}_{ELEVATIONS[view // AZIMUTHS] // 10}"
        for model in models
        for view in range(VIEWS)
    ]
    import h5py

    growing = file.with_name(f".{file.name}.part")
    if file.exists():
        shutil.copyfile(file, growing)
    else:
        growing.unlink(missing_ok=True)
    with h5py.File(growing, "a") as data, progress_bar(f"writing {file.name}", len(names), "image") as bar:
        for number, name in enumerate(names):
            view = number % VIEWS
            if name in data:
                del data[name]
            entry = data.create_group(name)
            pixels = np.ascontiguousarray(dataset.images[number].transpose(1, 2, 0))
            entry.create_dataset("image", data=pixels, compression="gzip", compression_opts=1)
            entry["pose"] = np.array([2 * (view % AZIMUTHS), ELEVATIONS[view // AZIMUTHS]], np.int64)
            bar.update()
    os.replace(growing, file)
    # The lists come last: without them the split does not count as there.
    for kind, lines in (("name", models), ("id", names)):
        part = lists[kind].with_name(f".{lists[kind].name}.part")
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")
        os.replace(part, lists[kind])
    return file


def list_files(dataset: Views, folder: Path) -> list[Path]:
    """Return what the export of a split makes and must not be there: its lists of views and of models."""
    return [list_file(_file(dataset, folder), kind, dataset.split) for kind in LISTS]


def _file(dataset: Views, folder: Path) -> Path:
    return folder / f"data_{require_choice('category', dataset.name, CATEGORIES)}.hdf5"
