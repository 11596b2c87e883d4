"""What is right and wrong in a folder of videos: folders, counts, frame numbers, skeletons, pictures."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from repro.checks import require_choice
from repro.data.clip_layouts import CLIP_LAYOUTS, ClipLayout, DamagedSkeleton, frame_number, read_skeleton
from repro.data.images import damage
from repro.data.joints import MISSING
from repro.data.layouts import SPLITS
from repro.data.problems import Problem, Report
from repro.data.progress import progress_bar

PICTURE_ENDINGS = (".png", ".jpg", ".jpeg")
ENDINGS = {"frames": PICTURE_ENDINGS, "noisy": (".json",), "clean": (".json",), "masks": PICTURE_ENDINGS}


@dataclass(frozen=True)
class Video:
    """The files of one video, sorted by frame; ``masks`` is empty where the split has none."""

    name: str
    frames: tuple[Path, ...]
    noisy: tuple[Path, ...]
    clean: tuple[Path, ...]
    masks: tuple[Path, ...]


@dataclass
class ClipInspection:
    """What one split holds: the videos that remain, everything that is wrong, frames without a person."""

    videos: list[Video]
    problems: list[Problem]
    excluded: int
    empty: int

    @property
    def summary(self) -> str:
        """What was counted, in words."""
        frames = sum(len(video.frames) for video in self.videos)
        return f"{len(self.videos)} videos, {frames} frames; {self.empty} skeleton files without a person (kept)"


def inspect_clips(
    layout: ClipLayout, root: Path, split: str, entries: Iterable[str] = (), decode: bool = False
) -> ClipInspection:
    """Return what the files of one split hold, with every problem that the exclusion list does not answer.

    Args:
        layout: where files lie.
        root: folder with ``train_256/`` and ``test_256/``.
        split: "train" or "test".
        entries: exclusion list, ``video NAME``.
        decode: read every skeleton and decode every picture (with progress); otherwise files are only listed.
    """
    folders = {kind: layout.folder(root, split, kind) for kind in ("frames", "noisy", "clean", "masks")}
    for kind, folder in folders.items():
        if not folder.is_dir() and (kind != "masks" or (layout.masked and split == "train")):
            raise FileNotFoundError(f"no folder {folder}: expected the {layout.name} layout (its {kind} lie there)")
    folders = {kind: folder for kind, folder in folders.items() if folder.is_dir()}
    out = {entry.removeprefix("video ") for entry in entries if entry.startswith("video ")}
    names = {kind: {path.name for path in folder.iterdir() if path.is_dir()} for kind, folder in folders.items()}
    stated = sorted(set.union(*names.values()))
    kept = [name for name in stated if name not in out]
    other = layout.folder(root, SPLITS[1 - SPLITS.index(split)], "frames")
    problems, videos, empty = [], [], 0
    with progress_bar(f"looking at videos of {split}", len(kept), "video") as bar:
        for name in kept:
            files, found = video_files(name, folders, ENDINGS)
            video = Video(name, *(files.get(kind, ()) for kind in ("frames", "noisy", "clean", "masks")))
            if (other / name).is_dir():
                found.append(_problem("video in both splits", name, name, f"{other.parent.name} has it too"))
            if decode and not found:
                skeletons, found = read_skeletons(video)
                empty += sum(int((joints == MISSING).all((1, 2)).sum()) for joints in skeletons.values())
                found += odd_pictures(video, decode=True)
            problems += found
            videos.append(video)
            bar.update()
    return ClipInspection(videos, problems, len(stated) - len(kept), empty)


def check_clips(root: str | Path, layout: str) -> Report:
    """Return what is right and wrong in a folder of videos: every skeleton is read, every frame and mask decoded.

    Args:
        root: folder with ``train_256/`` and ``test_256/``.
        layout: "fashionvideo" or "iper_real".

    Raises:
        FileNotFoundError: neither split is there, or one of a split's folders is not.
    """
    plan, root = CLIP_LAYOUTS[require_choice("layout of videos", layout, tuple(CLIP_LAYOUTS))], Path(root)
    present = [split for split in SPLITS if (root / f"{split}_256").is_dir()]
    if not present:
        raise FileNotFoundError(f"{root}: neither train_256/ nor test_256/ is there; expected the {layout} layout")
    return Report(root, layout, {split: inspect_clips(plan, root, split, decode=True) for split in present})


def read_skeletons(video: Video) -> tuple[dict[str, Tensor], list[Problem]]:
    """Return the "noisy" and "clean" joints (T, 17, 2) of a video in pixels of its files, and what is wrong with it."""
    problems, skeletons = [], {}
    for kind, files in (("noisy", video.noisy), ("clean", video.clean)):
        joints = np.full((len(files), 17, 2), MISSING)
        for number, file in enumerate(files):
            try:
                joints[number] = read_skeleton(file, kind)
            except DamagedSkeleton as error:
                problems.append(_problem("damaged skeleton", video.name, f"{video.name}/{file.name}", str(error)))
        skeletons[kind] = torch.from_numpy(joints)
    return skeletons, problems


def video_files(
    name: str, folders: Mapping[str, Path], endings: Mapping[str, tuple[str, ...]]
) -> tuple[dict[str, tuple[Path, ...]], list[Problem]]:
    """Return a video's files of each kind, sorted by frame, and what their names say is wrong.

    Args:
        name: of the video, a folder in each of ``folders``.
        folders: kind of file -> where; "frames" is one of them.
        endings: kind -> endings of its files' names.
    """
    files: dict[str, tuple[Path, ...]] = {}
    problems = []
    for kind, folder in folders.items():
        if not (folder / name).is_dir():
            problems.append(_problem("missing folder", name, f"{folder.name}/{name}", f"no {kind} of this video"))
            continue
        own = [path for path in (folder / name).iterdir() if path.suffix.lower() in endings[kind]]
        unnumbered = [path.name for path in own if frame_number(path.name) is None]
        if unnumbered:
            problems.append(_problem("file without a frame number", name, f"{folder.name}/{name}", unnumbered[0]))
        files[kind] = tuple(sorted(own, key=lambda path: (frame_number(path.name) or 0, path.name)))
    if problems:
        return files, problems
    counts = {kind: len(files[kind]) for kind in folders}
    numbers = [frame_number(path.name) or 0 for path in files["frames"]]
    if not numbers:
        problems.append(_problem("empty video", name, name, "no frames"))
    elif len(set(counts.values())) > 1:
        found = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        problems.append(_problem("unequal counts", name, name, f"{found}; {_first_gap(files, folders)}"))
    elif len(set(numbers)) < len(numbers):
        twice = next(number for number in numbers if numbers.count(number) > 1)
        problems.append(_problem("repeated frame number", name, name, f"frame {twice} has several files"))
    elif gaps := sorted(set(range(numbers[0], numbers[-1] + 1)) - set(numbers)):
        problems.append(_problem("missing frames", name, name, f"{len(gaps)} missing, first {gaps[0]}"))
    elif any([frame_number(path.name) for path in files[kind]] != numbers for kind in folders):
        problems.append(_problem("other frame numbers", name, name, _first_gap(files, folders)))
    return files, problems


def _first_gap(files: Mapping[str, tuple[Path, ...]], folders: Mapping[str, Path]) -> str:
    """The first frame number that one kind of file has and another has not."""
    numbers = {kind: {frame_number(path.name) or 0 for path in files[kind]} for kind in folders}
    for number in sorted(set.union(*numbers.values())):
        without = [kind for kind in folders if number not in numbers[kind]]
        if without:
            return f"frame {number} has no {', '.join(without)}"
    return "a frame number stands twice"


def odd_pictures(video: Video, decode: bool = False) -> list[Problem]:
    """Return the pictures of a video that cannot be opened, or differ in size from the others.

    Args:
        video: its frames and masks are looked at.
        decode: decode them; otherwise only their headers are read.
    """
    problems: list[Problem] = []
    sizes: dict[tuple[int, int], str] = {}
    for file in (*video.frames, *video.masks):
        where = f"{file.parent.parent.name}/{video.name}/{file.name}"
        try:
            with Image.open(file) as picture:
                sizes.setdefault(picture.size, where)
            what = damage(file, decode=True) if decode else None
        except (OSError, SyntaxError, ValueError) as error:
            what = str(error)
        if what is not None:
            problems.append(_problem("damaged image", video.name, where, what))
    if len(sizes) > 1:
        found = ", ".join(f"{where} {width}x{height}" for (width, height), where in list(sizes.items())[:3])
        problems.append(_problem("pictures of several sizes", video.name, video.name, found))
    return problems


def _problem(kind: str, video: str, where: str, detail: str) -> Problem:
    return Problem(kind, f"video {video}", where, detail)
