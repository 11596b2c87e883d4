"""FaceForensics on disk: frames and 68 landmarks of each; reader, checker and writer."""

import hashlib
import json
import math
import os
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from repro.checks import require_choice
from repro.data.clip import Clip
from repro.data.clip_export import Clips, video_name
from repro.data.clip_inspection import PICTURE_ENDINGS, Video, odd_pictures, video_files
from repro.data.clip_layouts import FRAME_RATE
from repro.data.clip_real import REFERENCE, Pictures
from repro.data.face_structure import LANDMARKS
from repro.data.images import write_image
from repro.data.joints import SIGMA
from repro.data.layouts import SPLITS, read_exclusions
from repro.data.parts import new_part, require_absent
from repro.data.problems import DataError, Problem, Report, things_wrong
from repro.data.progress import progress_bar

NAME = "faceforensics"
SIZE = (256, 256)
FRAMES, KEYPOINTS = "{split}_data", "{split}_keypoints"
MISSPELT = "{split}_keypoint"
"""What the authors' helper script calls the folder that their loader reads as ``KEYPOINTS``."""


class DamagedLandmarks(ValueError):
    """A file that does not hold 68 points."""


@dataclass(frozen=True)
class FaceVideo:
    """The files of one video, sorted by frame."""

    name: str
    frames: tuple[Path, ...]
    landmarks: tuple[Path, ...]


@dataclass
class FaceInspection:
    """What one split holds: the videos that remain, everything that is wrong, how many are left out."""

    videos: list[FaceVideo]
    problems: list[Problem]
    excluded: int

    @property
    def summary(self) -> str:
        """What was counted, in words."""
        return f"{len(self.videos)} videos, {sum(len(video.frames) for video in self.videos)} frames"


class FaceForensics:
    """The videos of one split: ``dataset[i]`` is a :class:`Clip` of a whole video with ``landmarks`` (T, 68, 2).

    ``{split}_data/VIDEO/*.png`` and ``{split}_keypoints/VIDEO/*.txt`` (or ``{split}_keypoint``); frames are resized
    (bicubic) without keeping the aspect ratio, landmarks scaled with them. The source picture is the first frame.

    Attributes:
        name, split, size, sigma: as asked for.
        videos: the files of each video.
        excluded: how many videos the exclusion list took out.
        hash: SHA-256 of the file names and their sizes in bytes and the size of the frames.

    Raises:
        FileNotFoundError: the root or one of its folders is missing.
        DataError: anything that is wrong with the files, each finding counted and named in one message.
    """

    name = NAME

    def __init__(
        self,
        split: str,
        root: str | Path,
        size: tuple[int, int] | None = None,
        *,
        sigma: float = SIGMA,
        exclude: str | Path | None = None,
    ):
        require_choice("split", split, SPLITS)
        self.split, self.root, self.size, self.sigma = split, Path(root), size or SIZE, sigma
        entries = read_exclusions(exclude) if exclude is not None else set()
        found = inspect_faces(self.root, split, entries)
        if found.problems:
            raise self._refusal(found.problems)
        self.videos, self.excluded = found.videos, found.excluded
        if found.excluded:
            warnings.warn(
                f"{NAME} {split}: {found.excluded} of {found.excluded + len(found.videos)} videos are left out, "
                f"as {exclude} says",
                stacklevel=3,
            )
        files = [
            (str(file.relative_to(self.root)), file.stat().st_size)
            for video in self.videos
            for file in (*video.frames, *video.landmarks)
        ]
        self.hash = "sha256:" + hashlib.sha256(json.dumps([split, self.size, files]).encode()).hexdigest()

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, index: int) -> Clip:
        if not -len(self) <= index < len(self):
            raise IndexError(f"{NAME} {self.split} has {len(self)} videos, got index {index}")
        return self.clip(index % len(self))

    def __iter__(self) -> Iterator[Clip]:
        return (self.clip(index) for index in range(len(self)))

    def clip(self, index: int, source: int = REFERENCE) -> Clip:
        """Return video ``index`` with its frame ``source`` as the source picture; frames are read when asked for.

        Raises:
            DataError: files of landmarks are damaged, pictures cannot be opened or have several sizes.
        """
        video = self.videos[index]
        if not 0 <= source < len(video.frames):
            raise ValueError(f"expected a source frame from 0 to {len(video.frames) - 1}, got {source}")
        landmarks, problems = _read_video(video)
        if problems:
            raise self._refusal(problems)
        with Image.open(video.frames[0]) as file:
            width, height = file.size
        landmarks = landmarks * torch.tensor([self.size[0] / height, self.size[1] / width], dtype=torch.float64)
        frames, nobody = Pictures(video.frames, self.size), torch.zeros(len(video.frames), 0, 2, dtype=torch.float64)
        return Clip(
            footage=frames,
            joints_clean=nobody,
            joints_noisy=nobody,
            source=torch.from_numpy(np.asarray(frames[..., source : source + 1, :, :, :])[0]).float() / 255,
            source_joints=nobody[source],
            identity=index,
            fps=FRAME_RATE,
            landmarks=landmarks,
            source_landmarks=landmarks[source],
            sigma=self.sigma,
        )

    def _refusal(self, problems: list[Problem]) -> DataError:
        return DataError(
            f"{self.root}: {things_wrong(problems)} with {NAME} {self.split}:",
            problems,
            f"Repair the files, or record what to leave out: repro.data.check_faces({str(self.root)!r})"
            ".write('exclude.txt'), then load(..., exclude='exclude.txt').",
        )


def inspect_faces(root: Path, split: str, entries: Iterable[str] = (), decode: bool = False) -> FaceInspection:
    """Return what the files of one split hold, with every problem that the exclusion list does not answer.

    Args:
        root: folder with ``train_data/``, ``train_keypoints/`` and the same of the test.
        split: "train" or "test".
        entries: exclusion list, ``video NAME``.
        decode: read all landmarks and decode every picture (with progress); otherwise files are only listed.
    """
    frames, keypoints = root / FRAMES.format(split=split), root / KEYPOINTS.format(split=split)
    if not keypoints.is_dir() and (root / MISSPELT.format(split=split)).is_dir():
        keypoints = root / MISSPELT.format(split=split)
    for folder, what in ((frames, "frames"), (keypoints, "landmarks")):
        if not folder.is_dir():
            raise FileNotFoundError(f"no folder {folder}: expected the {NAME} layout (its {what} lie there)")
    folders = {"frames": frames, "landmarks": keypoints}
    out = {entry.removeprefix("video ") for entry in entries if entry.startswith("video ")}
    stated = sorted({path.name for folder in folders.values() for path in folder.iterdir() if path.is_dir()})
    other = root / FRAMES.format(split=SPLITS[1 - SPLITS.index(split)])
    found = FaceInspection([], [], len(out & set(stated)))
    with progress_bar(f"looking at videos of {split}", len(stated) - found.excluded, "video") as bar:
        for name in stated:
            if name in out:
                continue
            files, problems = video_files(name, folders, {"frames": PICTURE_ENDINGS, "landmarks": (".txt",)})
            video = FaceVideo(name, files.get("frames", ()), files.get("landmarks", ()))
            if (other / name).is_dir():
                problems.append(Problem("video in both splits", f"video {name}", name, f"{other.name} has it too"))
            if decode and not problems:
                problems += _read_video(video, decode=True)[1]
            found.videos.append(video)
            found.problems += problems
            bar.update()
    return found


def check_faces(root: str | Path) -> Report:
    """Return what is right and wrong in a folder of FaceForensics: all landmarks are read, every frame is decoded.

    Raises:
        FileNotFoundError: neither split is there, or one of a split's folders is not.
    """
    root = Path(root)
    present = [split for split in SPLITS if (root / FRAMES.format(split=split)).is_dir()]
    if not present:
        raise FileNotFoundError(f"{root}: neither train_data/ nor test_data/ is there; expected the {NAME} layout")
    return Report(root, NAME, {split: inspect_faces(root, split, decode=True) for split in present})


def read_landmarks(path: Path) -> NDArray[np.float64]:
    """Return the landmarks (68, 2) of a file as (row, column), in pixels of the video's own frames.

    Convention: the file has a line ``x,y`` for each of dlib's 68 points.

    Raises:
        DamagedLandmarks: another number of lines, lines that are no two finite numbers.
    """
    try:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise DamagedLandmarks(f"no text ({error})") from error
    if len(lines) != LANDMARKS:
        raise DamagedLandmarks(f"expected {LANDMARKS} points, got {len(lines)}")
    points = np.empty((LANDMARKS, 2))
    for number, line in enumerate(lines):
        try:
            x, y = (float(word) for word in line.split(","))
        except ValueError:
            x = y = math.nan
        if not (math.isfinite(x) and math.isfinite(y)):
            raise DamagedLandmarks(f"expected two numbers x,y for point {number}, got {line!r}")
        points[number] = y, x
    return points


def export_faces(dataset: Clips, folder: str | Path) -> Path:
    """Write one split in the layout of FaceForensics and return the folder.

    ``folder`` gets ``{split}_data/VIDEO/00000.png`` and ``{split}_keypoints/VIDEO/00000.txt``;
    ``load("faceforensics", split, root=folder)`` reads both back exactly (at the size of the export).

    Args:
        dataset: clips of faces, for example ``load("face", "train", scale="tiny")``.
        folder: where; both splits may go into one folder.

    Raises:
        FileExistsError: the split is there already.
        ValueError: clips without landmarks.
    """
    folder = Path(folder)
    targets = face_folders(dataset, folder)
    require_absent(targets)
    growing = [new_part(target) for target in targets]
    with progress_bar(f"writing {dataset.split}", len(dataset), "video") as bar:
        for index in range(len(dataset)):
            clip = dataset[index]
            if clip.landmarks is None:
                raise ValueError(f"clip {index} has no landmarks: expected clips of faces")
            places = [place / video_name(clip) for place in growing]
            for place in places:
                place.mkdir(parents=True, exist_ok=True)
            for number, (frame, points) in enumerate(zip(clip.frames, clip.landmarks.tolist())):
                lines = [f"{column!r},{row!r}" for row, column in points]
                (places[0] / f"{number:05d}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
                write_image(places[1] / f"{number:05d}.png", frame)
            bar.update()
    for part, target in zip(growing, targets):
        os.replace(part, target)
    return folder


def face_folders(dataset: Clips, folder: Path) -> list[Path]:
    """Return what the export of a split makes and must not be there: the folders of its landmarks and its frames."""
    return [folder / pattern.format(split=dataset.split) for pattern in (KEYPOINTS, FRAMES)]


def _read_video(video: FaceVideo, decode: bool = False) -> tuple[Tensor, list[Problem]]:
    """Return the landmarks (T, 68, 2) of a video in pixels of its files, and what is wrong with it."""
    problems = odd_pictures(Video(video.name, video.frames, (), (), ()), decode)
    points = np.zeros((len(video.landmarks), LANDMARKS, 2))
    for number, file in enumerate(video.landmarks):
        try:
            points[number] = read_landmarks(file)
        except DamagedLandmarks as error:
            where = f"{video.name}/{file.name}"
            problems.append(Problem("damaged landmarks", f"video {video.name}", where, str(error)))
    return torch.from_numpy(points), problems
