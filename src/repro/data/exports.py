"""Which layout each set of the studio is written in, so that the real readers can be tried without the real data."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from repro.checks import require_choice
from repro.data.clip_export import export_clips, video_folders
from repro.data.export import FORMATS, export_deepfashion, export_market, image_folders
from repro.data.faceforensics import export_faces, face_folders
from repro.data.human36m import export_human36m
from repro.data.parts import require_absent
from repro.data.shapenet_export import export_shapenet, list_files


class Writer(NamedTuple):
    """How splits become files.

    Attributes:
        write: called as ``(dataset, folder)``; that of single pictures also takes a format.
        makes: ``(dataset, folder)`` -> what must not be there yet; None where one call writes all splits and looks.
    """

    write: Callable[..., Path]
    makes: Callable[[Any, Path], list[Path]] | None


WRITERS: dict[str, Writer] = {
    "fashion": Writer(export_deepfashion, image_folders),
    "market": Writer(export_market, image_folders),
    "fashion_video": Writer(partial(export_clips, layout="fashionvideo"), video_folders),
    "iper": Writer(partial(export_clips, layout="iper_real"), video_folders),
    "face": Writer(export_faces, face_folders),
    "h36m": Writer(export_human36m, None),
    "car": Writer(export_shapenet, list_files),
    "chair": Writer(export_shapenet, list_files),
}
"""Studio set -> its writer."""


def export(datasets: Sequence[Any], folder: str | Path, format: str = "jpg") -> list[Path]:
    """Write splits of one studio set in the layout of the real set that it stands for, and return where they are.

    Args:
        datasets: the splits, for example ``[load("iper", "train"), load("iper", "test")]``.
        folder: where; existing splits are not replaced. Those of "h36m" share their files: pass both at once.
        format: "jpg" or "png", of DeepFashion and Market-1501; the other layouts have their own.

    Raises:
        ValueError: a set that is not the studio's, or an unknown format.
        FileExistsError: a split is there already; nothing has been written.
    """
    name = require_choice("procedural data set", datasets[0].name, tuple(WRITERS))
    require_choice("format", format, FORMATS)
    write, makes = WRITERS[name]
    if makes is None:  # one pair of files holds both splits
        return [write(chain(*datasets), folder)]
    # All are looked for before the first is written, which may take hours.
    require_absent(path for dataset in datasets for path in makes(dataset, Path(folder)))
    options = {"format": format} if name in ("fashion", "market") else {}
    return [write(dataset, folder, **options) for dataset in datasets]
