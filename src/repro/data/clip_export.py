"""Writes studio clips in the layouts of FashionVideo and iPER, so that the real readers can be tried without files."""

import os
from pathlib import Path
from typing import Protocol

import torch
from PIL import Image

from repro.checks import require_choice
from repro.data.clip import Clip
from repro.data.clip_layouts import CLIP_LAYOUTS, FOLDERS, Listed, skeleton_text, write_test_list
from repro.data.images import write_image
from repro.data.parts import new_part, require_absent
from repro.data.progress import progress_bar


class Clips(Protocol):
    """What the exporter needs of a data set: the studio's sets of clips have it."""

    split: str

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Clip: ...


def export_clips(dataset: Clips, folder: str | Path, layout: str) -> Path:
    """Write one split in the layout of FashionVideo or iPER and return the folder.

    ``folder`` gets ``{split}_256/`` with ``train_A/VIDEO/00000.png``, OpenPose files of both skeletons, and for
    "iper_real" the masks in ``train_C``. ``load(layout, split, root=folder)`` reads pictures, masks and joints back
    exactly (at the size of the export), except that a coordinate of exactly 0 comes back as 1e-6: 0 means missing in
    these files. The real sets have 256 x 256 pixels.

    Args:
        dataset: a set of clips with skeletons, for example ``load("iper", "train", size=64, scale="tiny")``.
        folder: where; both splits may go into one folder.
        layout: "fashionvideo" or "iper_real".

    Raises:
        FileExistsError: the split is there already.
        ValueError: "iper_real" of clips without masks.
    """
    plan = CLIP_LAYOUTS[require_choice("layout of videos", layout, tuple(CLIP_LAYOUTS))]
    folder = Path(folder)
    (target,) = video_folders(dataset, folder)
    require_absent([target])
    growing = new_part(target)
    with progress_bar(f"writing {dataset.split}", len(dataset), "video") as bar:
        for index in range(len(dataset)):
            clip = dataset[index]
            _write_video(clip, growing, video_name(clip), plan.masked)
            bar.update()
    os.replace(growing, target)
    return folder


def video_folders(dataset: Clips, folder: Path) -> list[Path]:
    """Return what the export of a split makes and must not be there: the folder of its videos."""
    return [folder / f"{dataset.split}_256"]


def export_test_list(dataset: Clips, path: str | Path) -> Path:
    """Write the list of test clips of an export: each video whole, with the source of its clip as the reference.

    Args:
        dataset: as exported.
        path: of the csv.
    """
    rows = []
    for index in range(len(dataset)):
        clip = dataset[index]
        video = video_name(clip)
        source = int((clip.frames == clip.source).flatten(1).all(1).nonzero()[0])
        files = [
            [f"{FOLDERS[kind]}/{video}/{number:05d}{ending}" for number in range(len(clip))]
            for kind, ending in (("frames", ".png"), ("noisy", ".json"), ("clean", ".json"))
        ]
        frames, noisy, clean = (tuple(own) for own in files)
        references = ((own[source],) for own in (frames, noisy, clean))
        rows.append(Listed(frames, noisy, clean, *references))
    return write_test_list(path, rows)


def video_name(clip: Clip) -> str:
    """Return the name of a video, for example ``studio_000007``; train and test share none."""
    return f"studio_{int(clip.identity):06d}"


def _write_video(clip: Clip, folder: Path, video: str, masked: bool) -> None:
    masks = clip.masks if masked else None
    if masked and masks is None:
        raise ValueError(f"{video}: this layout holds foreground masks, and the clip has none")
    places = {kind: folder / name / video for kind, name in FOLDERS.items() if kind != "masks" or masked}
    for place in places.values():
        place.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(clip.frames):
        write_image(places["frames"] / f"{number:05d}.png", frame)
        for kind, joints in (("noisy", clip.joints_noisy), ("clean", clip.joints_clean)):
            (places[kind] / f"{number:05d}.json").write_text(skeleton_text(joints[number].numpy(), kind))
        if masks is not None:
            Image.fromarray((masks[number].to(torch.uint8) * 255).numpy()).save(places["masks"] / f"{number:05d}.png")
