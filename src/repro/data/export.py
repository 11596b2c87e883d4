"""Writes studio people in the layout of DeepFashion, so that the real reader can be tried without the real data."""

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
from repro.data.progress import progress_bar


class Views(Protocol):
    """What the exporter needs of a data set: the studio's sets have it."""

    split: str
    size: tuple[int, int]
    images: np.ndarray
    joints: Tensor
    identity: Tensor
    pairs: Tensor


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
    require_choice("format", format, ("jpg", "png"))
    folder, split, layout = Path(folder), dataset.split, LAYOUTS["deepfashion"]
    target = folder / split
    if target.exists():
        raise FileExistsError(f"{target} exists: export into a new folder or remove it")
    names = image_names(dataset.identity, format)
    frame = layout.annotation_size
    joints = scale_joints(dataset.joints, dataset.size, frame)
    # Whole numbers as in the real files, kept inside the frame.
    joints = torch.minimum(joints.round(), torch.tensor(frame) - 1.0).clamp(min=0)
    joints = joints.masked_fill(is_missing(dataset.joints)[..., None], MISSING).long()

    # Images under a temporary name, lists after them: an interrupted export is not taken for a whole one.
    growing = folder / f".{split}.part"
    growing.mkdir(parents=True, exist_ok=True)
    with progress_bar(f"writing {split}", len(names), "image") as bar:
        for name, image in zip(names, dataset.images):
            write_image(growing / name, torch.from_numpy(np.array(image)))
            bar.update()
    rows = [f"{name}: {points[:, 0].tolist()}: {points[:, 1].tolist()}" for name, points in zip(names, joints)]
    pairs = [f"{names[source]},{names[target]}" for source, target in dataset.pairs.tolist()]
    spelling = layout.spellings[0]
    _write_lines(folder / f"{spelling}-annotation-{split}.csv", [HEADER, *rows])
    _write_lines(folder / f"{spelling}-pairs-{split}.csv", ["from,to", *pairs])
    _write_lines(folder / f"{split}.lst", names)
    os.replace(growing, target)
    return folder


def image_names(identity: Tensor, format: str = "jpg") -> list[str]:
    """Return flat DeepFashion names, for example ``fashionSTUDIOPeopleid0000000101_2view.jpg``: person 0, view 2."""
    seen: dict[int, int] = {}
    names = []
    for person in identity.tolist():
        seen[person] = seen.get(person, 0) + 1
        names.append(f"fashionSTUDIOPeopleid{person + 1:08d}01_{seen[person]}view.{format}")
    return names


def _write_lines(path: Path, lines: list[str]) -> None:
    part = path.with_name(f".{path.name}.part")
    part.write_text("\n".join(lines) + "\n", encoding="utf-8")
    os.replace(part, path)
