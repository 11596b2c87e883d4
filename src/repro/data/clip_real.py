"""Readers of FashionVideo and iPER as they lie on disk: everything is checked at the door, nothing is silent."""

import hashlib
import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from repro.checks import require_choice
from repro.data.clip import Clip
from repro.data.clip_inspection import Video, inspect_clips, odd_pictures, read_skeletons
from repro.data.clip_layouts import CLIP_LAYOUTS, FRAME_RATE, Listed, frame_number, read_test_list, video_and_frame
from repro.data.images import read_image
from repro.data.joints import SIGMA, scale_joints
from repro.data.layouts import SPLITS, read_exclusions
from repro.data.problems import DataError, Problem, things_wrong

REFERENCE = 0
"""The source picture of a clip is this frame of its video, unless another is asked for."""
OPAQUE = 0.5
"""A mask file's values above this are the person."""


@dataclass(frozen=True)
class Pictures:
    """Frames (T, 3, H, W), or masks (T, H, W), of image files that are read when numpy asks for them.

    Attributes:
        files: one per frame.
        size: (H, W), to which they are resized (bicubic, as the authors do).
        masks: True where the files are foreground masks.
    """

    files: tuple[Path, ...]
    size: tuple[int, int]
    masks: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """(T, 3, H, W) or (T, H, W)."""
        return (len(self.files), *(() if self.masks else (3,)), *self.size)

    def __getitem__(self, index: tuple, /) -> "Pictures":
        """Return the frames of ``[..., start:stop, :, :, :]``, unread."""
        return Pictures(self.files[index[1]], self.size, self.masks)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray:
        images = torch.stack([read_image(file, self.size, Image.Resampling.BICUBIC) for file in self.files])
        array = (images.mean(1) > OPAQUE).numpy() if self.masks else (images * 255).round().to(torch.uint8).numpy()
        return array if dtype is None else array.astype(dtype)


class RealClips:
    """The videos of one split of FashionVideo or iPER: ``dataset[i]`` is a :class:`Clip` of a whole video.

    Folders, counts and frame numbers of all videos are checked at once; skeletons and pictures where they are read, by
    :func:`~repro.data.clip_inspection.check_clips` all of them. Frames are resized (bicubic), joints scaled with them.

    Attributes:
        name, split, size, sigma: as asked for.
        videos: the files of each video.
        excluded: how many videos the exclusion list took out.
        hash: SHA-256 of the file names and their sizes in bytes, the exclusion list and the size.

    Raises:
        FileNotFoundError: the root or one of its folders is missing.
        DataError: anything that is wrong with the files, each finding counted and named in one message.
    """

    def __init__(
        self,
        name: str,
        split: str,
        root: str | Path,
        size: tuple[int, int] | None = None,
        *,
        sigma: float = SIGMA,
        exclude: str | Path | None = None,
    ):
        layout = CLIP_LAYOUTS[require_choice("layout of videos", name, tuple(CLIP_LAYOUTS))]
        require_choice("split", split, SPLITS)
        self.name, self.split, self.root, self.sigma = name, split, Path(root), sigma
        self.size = size or layout.size
        entries = read_exclusions(exclude) if exclude is not None else set()
        found = inspect_clips(layout, self.root, split, entries)
        if found.problems:
            raise self._refusal(found.problems)
        self.videos, self.excluded = found.videos, found.excluded
        if found.excluded:
            warnings.warn(
                f"{name} {split}: {found.excluded} of {found.excluded + len(found.videos)} videos are left out, "
                f"as {exclude} says",
                stacklevel=3,
            )
        self._places = {video.name: index for index, video in enumerate(self.videos)}
        self.hash = self._hash(entries)

    def __len__(self) -> int:
        return len(self.videos)

    def __getitem__(self, index: int) -> Clip:
        if not -len(self) <= index < len(self):
            raise IndexError(f"{self.name} {self.split} has {len(self)} videos, got index {index}")
        return self.clip(index % len(self))

    def __iter__(self) -> Iterator[Clip]:
        return (self.clip(index) for index in range(len(self)))

    def clip(self, index: int, source: int = REFERENCE) -> Clip:
        """Return video ``index`` with its frame ``source`` as the source picture; frames are read when asked for.

        Raises:
            DataError: skeleton files of the video are damaged, or its frames have several sizes.
        """
        video = self.videos[index]
        if not 0 <= source < len(video.frames):
            raise ValueError(f"expected a source frame from 0 to {len(video.frames) - 1}, got {source}")
        skeletons, problems = read_skeletons(video)
        problems += odd_pictures(video)
        if problems:
            raise self._refusal(problems)
        noisy, clean = (self._scaled(skeletons[kind], video) for kind in ("noisy", "clean"))
        frames = Pictures(video.frames, self.size)
        return Clip(
            footage=frames,
            foreground=Pictures(video.masks, self.size, masks=True) if video.masks else None,
            joints_clean=clean,
            joints_noisy=noisy,
            source=torch.from_numpy(np.asarray(frames[..., source : source + 1, :, :, :])[0]).float() / 255,
            source_joints=noisy[source],
            identity=index,
            fps=FRAME_RATE,
            sigma=self.sigma,
        )

    def listed(self, path: str | Path) -> list[Clip]:
        """Return the clips of a list of test clips: their frames, and their reference as the source picture.

        Raises:
            DataError: a damaged list; rows whose frames do not follow each other or are not in this split.
        """
        clips, problems = [], []
        for number, row in enumerate(read_test_list(path), start=1):
            try:
                clips.append(self._listed(row))
            except LookupError as error:
                problems.append(Problem("row that does not fit", "", f"row {number}", str(error.args[0])))
        if problems:
            raise DataError(
                f"{path}: {len(problems)} rows do not fit {self.name} {self.split} in {self.root}:",
                problems,
                "Expected consecutive frames of one video of this split, and a reference of this split.",
            )
        return clips

    def _listed(self, row: Listed) -> Clip:
        places = [self._place(path) for path in row.frames]
        index, first = places[0]
        if places != [(index, first + number) for number in range(len(places))]:
            raise LookupError(f"frames that do not follow each other in one video, from {row.frames[0]}")
        clip = self.clip(index).slice(first, first + len(places))
        reference = self.clip(*self._place(row.references[0]))
        return replace(clip, source=reference.source, source_joints=reference.source_joints)

    def _place(self, path: str) -> tuple[int, int]:
        """The video, and the frame's place in it, of a path ``.../VIDEO/FRAME``."""
        name, number = video_and_frame(path)
        if name not in self._places:
            raise LookupError(f"no video {name!r}")
        video = self.videos[self._places[name]]
        place = number - (frame_number(video.frames[0].name) or 0)
        if not 0 <= place < len(video.frames):
            raise LookupError(f"no frame {number} in video {name!r}")
        return self._places[name], place

    def _scaled(self, joints: Tensor, video: Video) -> Tensor:
        with Image.open(video.frames[0]) as file:
            width, height = file.size
        return joints if (height, width) == self.size else scale_joints(joints, (height, width), self.size)

    def _refusal(self, problems: list[Problem]) -> DataError:
        return DataError(
            f"{self.root}: {things_wrong(problems)} with {self.name} {self.split}:",
            problems,
            f"Repair the files, or record what to leave out: repro.data.check_clips({str(self.root)!r}, {self.name!r})"
            ".write('exclude.txt'), then load(..., exclude='exclude.txt').",
        )

    def _hash(self, entries: set[str]) -> str:
        files = [
            (str(file.relative_to(self.root)), file.stat().st_size)
            for video in self.videos
            for file in (*video.frames, *video.noisy, *video.clean, *video.masks)
        ]
        settings = {
            "name": self.name, "split": self.split, "size": self.size, "exclude": sorted(entries), "files": files,
        }  # fmt: skip
        return "sha256:" + hashlib.sha256(json.dumps(settings).encode()).hexdigest()
