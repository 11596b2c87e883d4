"""Writes studio people in the layouts of DeepFashion and Market-1501, to try the real reader without the real data."""

import os
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from repro.checks import require_choice
from repro.data.annotations import HEADER
from repro.data.images import write_image
from repro.data.joints import MISSING, is_missing, scale_joints
from repro.data.layouts import LAYOUTS
from repro.data.parts import new_part, require_absent
from repro.data.progress import progress_bar
from repro.data.studio.procedural_set import FIRST_NUMBER

FORMATS = ("jpg", "png")
MARKET_TEST = 8001
"""Number of the first person of the test split in Market's names."""


class Views(Protocol):
    """What the exporter needs of a data set: the studio's sets have it."""

    split: str
    size: tuple[int, int]
    images: np.ndarray
    joints: Tensor
    identity: Tensor
    pairs: Tensor


class StreetViews(Views, Protocol):
    """Views that know their camera, 0 to 5."""

    @property
    def station(self) -> Tensor: ...


def export_deepfashion(dataset: Views, folder: str | Path, format: str = "jpg") -> Path:
    """Write one split in the DeepFashion layout and return its folder.

    ``folder`` gets ``{split}/`` with the images, ``fasion-annotation-{split}.csv``, ``fasion-pairs-{split}.csv`` and
    ``{split}.lst``. ``load("deepfashion", split, root=folder)`` reads it back: joints to the rounding of the file (half
    a pixel of its 256x176 frame), images exactly as PNG, within JPEG's loss as jpg (quality 95, no colour subsampling).

    Args:
        dataset: a studio set, for example ``load("fashion", "train", size=64, scale="tiny")``.
        folder: where; both splits may go into one folder.
        format: "jpg" or "png".

    Raises:
        FileExistsError: the split is there already.
    """
    names = image_names(dataset.identity, format)
    return _export(dataset, Path(folder), "deepfashion", names, {f"{dataset.split}.lst": names})


def export_market(dataset: StreetViews, folder: str | Path, format: str = "jpg") -> Path:
    """Write one split in the Market-1501 layout and return its folder.

    ``folder`` gets ``{split}/`` with the images, ``market-annotation-{split}.csv`` and ``market-pairs-{split}.csv``.
    ``load("market1501", split, root=folder)`` reads it back as :func:`export_deepfashion` says, joints to half a pixel
    of a 128x64 frame.

    Args:
        dataset: the studio's set ``market``: ``load("market", "train", scale="tiny")``.
        folder, format: as for :func:`export_deepfashion`.

    Raises:
        FileExistsError: the split is there already.
    """
    return _export(dataset, Path(folder), "market1501", market_names(dataset.identity, dataset.station, format), {})


def image_folders(dataset: Views, folder: Path) -> list[Path]:
    """Return what the export of a split makes and must not be there: the folder of its images."""
    return [folder / dataset.split]


def _export(dataset: Views, folder: Path, layout_name: str, names: list[str], lists: dict[str, list[str]]) -> Path:
    """Write images, annotations, pairs and the layout's own lists of one split."""
    split, layout = dataset.split, LAYOUTS[layout_name]
    (target,) = image_folders(dataset, folder)
    require_absent([target])
    frame = layout.annotation_size
    joints = scale_joints(dataset.joints, dataset.size, frame)
    # Whole numbers as in the real files, kept inside the frame.
    joints = torch.minimum(joints.round(), torch.tensor(frame) - 1.0).clamp(min=0)
    joints = joints.masked_fill(is_missing(dataset.joints)[..., None], MISSING).long()

    growing = new_part(target)
    with progress_bar(f"writing {split}", len(names), "image") as bar:
        for name, image in zip(names, dataset.images):
            write_image(growing / name, torch.from_numpy(np.array(image)))
            bar.update()
    rows = [f"{name}: {points[:, 0].tolist()}: {points[:, 1].tolist()}" for name, points in zip(names, joints)]
    pairs = [f"{names[source]},{names[target]}" for source, target in dataset.pairs.tolist()]
    spelling = layout.spellings[0]
    _write_lines(folder / f"{spelling}-annotation-{split}.csv", [HEADER, *rows])
    _write_lines(folder / f"{spelling}-pairs-{split}.csv", ["from,to", *pairs])
    for name, lines in lists.items():
        _write_lines(folder / name, lines)
    # Last, after the lists: without it the split does not count as there.
    os.replace(growing, target)
    return folder


def image_names(identity: Tensor, format: str = "jpg") -> list[str]:
    """Return flat DeepFashion names, for example ``fashionSTUDIOPeopleid0000000101_2view.jpg``: person 0, view 2."""
    require_choice("format", format, FORMATS)
    numbers = zip(identity.tolist(), _numbered(identity))
    return [f"fashionSTUDIOPeopleid{person + 1:08d}01_{view}view.{format}" for person, view in numbers]


def market_names(identity: Tensor, station: Tensor, format: str = "jpg") -> list[str]:
    """Return Market-1501 names, for example ``0161_c3s1_000002_00.jpg``: person 161, camera 3, sequence 1, frame 2.

    Names have four digits for the person: people of the test split, numbered from 100000, follow the 8000 of training.
    """
    require_choice("format", format, FORMATS)
    first = FIRST_NUMBER["test"]
    people = [person + 1 if person < first else person - first + MARKET_TEST for person in identity.tolist()]
    numbers = zip(people, station.tolist(), _numbered(identity))
    return [f"{person:04d}_c{camera + 1}s1_{view:06d}_00.{format}" for person, camera, view in numbers]


def _numbered(identity: Tensor) -> list[int]:
    """Return which view of its person each view is, from 1."""
    seen: dict[int, int] = {}
    views = []
    for person in identity.tolist():
        seen[person] = seen.get(person, 0) + 1
        views.append(seen[person])
    return views


def _write_lines(path: Path, lines: list[str]) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_text("\n".join(lines) + "\n", encoding="utf-8")
    os.replace(part, path)
