"""Which layout each set of the studio is written in, so that the real readers can be tried without the real data."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from repro.checks import require_choice
from repro.data.clip_export import export_clips
from repro.data.export import FORMATS, export_deepfashion, export_market
from repro.data.faceforensics import export_faces
from repro.data.human36m import export_human36m
from repro.data.shapenet import export_shapenet

WRITERS: dict[str, Callable[..., Path]] = {
    "fashion": export_deepfashion,
    "market": export_market,
    "fashion_video": partial(export_clips, layout="fashionvideo"),
    "iper": partial(export_clips, layout="iper_real"),
    "face": export_faces,
    "h36m": export_human36m,
    "car": export_shapenet,
    "chair": export_shapenet,
}
"""Studio set -> writer, called as ``(dataset, folder)``; those of single pictures also take a format."""


def export(datasets: Sequence[Any], folder: str | Path, format: str = "jpg") -> list[Path]:
    """Write splits of one studio set in the layout of the real set that it stands for, and return where they are.

    Args:
        datasets: the splits, for example ``[load("iper", "train"), load("iper", "test")]``.
        folder: where; existing splits are not replaced. Those of "h36m" share their files: pass both at once.
        format: "jpg" or "png", of DeepFashion and Market-1501; the other layouts have their own.

    Raises:
        ValueError: a set that is not the studio's, or an unknown format.
        FileExistsError: a split is there already.
    """
    name = require_choice("procedural data set", datasets[0].name, tuple(WRITERS))
    require_choice("format", format, FORMATS)
    writer = WRITERS[name]
    if name == "h36m":  # one pair of files holds both splits
        return [writer(chain(*datasets), folder)]
    options = {"format": format} if name in ("fashion", "market") else {}
    return [writer(dataset, folder, **options) for dataset in datasets]
