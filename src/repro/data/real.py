"""Readers of DeepFashion and Market-1501 as they lie on disk: everything is checked at the door, nothing is silent."""

import hashlib
import json
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from repro.checks import require_choice
from repro.data.annotations import require_inside, scan_annotations
from repro.data.images import damage, read_image
from repro.data.joints import SIGMA, is_missing, scale_joints
from repro.data.layouts import LAYOUTS, SPLITS, Layout, read_exclusions, scan_pairs
from repro.data.pair import Pair
from repro.data.problems import DataError, Problem, Report, things_wrong
from repro.data.progress import progress_bar


class RealPairs:
    """The pairs of one split of a real data set: ``dataset[i]`` is a :class:`Pair` without ground-truth flow.

    Images are resized (Pillow, bilinear) without keeping the aspect ratio and joints are scaled with them.

    Attributes:
        name, split, size, sigma: as asked for.
        names: image file names (M).
        joints: (M, 18, 2) float64 in pixels of ``size``, -1 missing.
        identity: (M,) int64 number of the person from the file name, -1 where it holds none.
        pairs: (N, 2) int64, source and target as indices into ``names``.
        excluded: how many pairs the exclusion list took out.
        hash: SHA-256 of the annotation and pairs files, the image names and sizes in bytes, the exclusion list, the
            frame and the size. Images enter by name and size in bytes, not by content: one that another of the same
            number of bytes replaces keeps the hash.

    Raises:
        FileNotFoundError: the root or one of its csv files is missing.
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
        annotation_size: tuple[int, int] | None = None,
        exclude: str | Path | None = None,
    ):
        layout = LAYOUTS[require_choice("real data set", name, tuple(LAYOUTS))]
        require_choice("split", split, SPLITS)
        self.name, self.split, self.root, self.sigma = name, split, Path(root), sigma
        self.size = size or layout.size
        self.annotation_size = annotation_size or layout.annotation_size
        entries = read_exclusions(exclude) if exclude is not None else set()
        found = inspect(layout, self.root, split, self.annotation_size, entries)
        if found.problems:
            raise DataError(
                f"{self.root}: {things_wrong(found.problems)} with {name} {split}:",
                found.problems,
                f"Repair the files, or record what to leave out: repro.data.check({str(root)!r}, {name!r})"
                ".write('exclude.txt'), then load(..., exclude='exclude.txt').",
            )
        self.excluded = found.excluded
        if found.excluded:
            warnings.warn(
                f"{name} {split}: {found.excluded} of {found.excluded + len(found.pairs)} pairs are left out, "
                f"as {exclude} says",
                stacklevel=3,
            )
        used = sorted({image for pair in found.pairs for image in pair})
        place = {image: index for index, image in enumerate(used)}
        rows = {image: row for row, image in enumerate(found.names)}
        self.names = used
        self.joints = scale_joints(found.joints[[rows[image] for image in used]], self.annotation_size, self.size)
        numbers = [layout.identity(image) for image in used]
        self.identity = torch.tensor([-1 if number is None else number for number in numbers])
        self.pairs = torch.tensor([[place[image] for image in pair] for pair in found.pairs]).reshape(-1, 2)
        self.hash = self._hash(layout, entries)

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> Pair:
        if not -len(self) <= index < len(self):
            raise IndexError(f"{self.name} {self.split} has {len(self)} pairs, got index {index}")
        source, target = self.pairs[index].tolist()
        return Pair(
            source=self.image(source),
            target=self.image(target),
            source_joints=self.joints[source],
            target_joints=self.joints[target],
            identity=int(self.identity[source]),
            sigma=self.sigma,
        )

    def __iter__(self) -> Iterator[Pair]:
        return (self[index] for index in range(len(self)))

    def image(self, index: int) -> Tensor:
        """Return image ``names[index]``, (3, H, W) in [0, 1]."""
        return read_image(self.root / self.split / self.names[index], self.size)

    def _hash(self, layout: Layout, entries: set[str]) -> str:
        settings = {
            "name": self.name,
            "split": self.split,
            "size": self.size,
            "annotation_size": self.annotation_size,
            "exclude": sorted(entries),
            "files": [(image, (self.root / self.split / image).stat().st_size) for image in self.names],
        }
        digest = hashlib.sha256(json.dumps(settings).encode())
        for kind in ("annotation", "pairs"):
            digest.update(layout.csv(self.root, kind, self.split).read_bytes())
        return "sha256:" + digest.hexdigest()


@dataclass
class Inspection:
    """What one split holds: sound rows, the pairs that remain, and everything that is wrong."""

    names: list[str]
    joints: Tensor
    pairs: list[tuple[str, str]]
    problems: list[Problem]
    excluded: int
    outside: int

    @property
    def empty(self) -> int:
        """How many annotated people have not a single joint."""
        return int(is_missing(self.joints).all(dim=-1).sum())

    @property
    def summary(self) -> str:
        """What was counted, in words."""
        return (
            f"{len(self.names)} annotated images, {len(self.pairs)} pairs; {self.empty} people without a single joint, "
            f"{self.outside} joints outside the frame (both kept)"
        )


def inspect(
    layout: Layout,
    root: Path,
    split: str,
    annotation_size: tuple[int, int],
    entries: Iterable[str] = (),
    decode: bool = False,
) -> Inspection:
    """Return what the files of one split hold, with every problem that the exclusion list does not answer.

    Args:
        layout: where files lie.
        root: folder with ``train/``, ``test/`` and the csv files.
        split: "train" or "test".
        annotation_size: (H, W) that the joints refer to.
        entries: exclusion list.
        decode: decode every image (minutes for a large set, with progress); otherwise only its ends are looked at.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"no folder {root}: expected the {layout.name} layout there (train/, test/, csv files)")
    entries = set(entries)
    annotation = layout.csv(root, "annotation", split)
    names, joints, problems = scan_annotations(annotation)
    outside = require_inside(annotation, joints, annotation_size)
    stated, of_pairs = scan_pairs(layout.csv(root, "pairs", split))
    problems += of_pairs

    def kept(pair: tuple[str, str]) -> bool:
        # A person in both splits leaves the training set, so that test scores stay comparable.
        leaked = split == "train" and any(f"identity {layout.identity(image)}" in entries for image in pair)
        return not (leaked or f"pair {','.join(pair)}" in entries or any(f"image {image}" in entries for image in pair))

    pairs = [pair for pair in stated if kept(pair)] if entries else stated
    excluded = len(stated) - len(pairs) + sum(problem.key in entries for problem in of_pairs)
    used = sorted({image for pair in pairs for image in pair})
    problems += _unknown(used, set(names), annotation) + _images(root / split, used, decode)
    problems += _leaks(layout, root, split, used)
    problems = [problem for problem in problems if problem.key not in entries]
    return Inspection(names, joints, pairs, problems, excluded, outside)


def _unknown(used: list[str], annotated: set[str], file: Path) -> list[Problem]:
    return [
        Problem("name in the pairs that has no annotation", f"image {image}", file.name, f"no row for {image}")
        for image in used
        if image not in annotated
    ]


def _images(folder: Path, used: list[str], decode: bool) -> list[Problem]:
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}: expected the images there")
    problems = []
    with progress_bar(f"looking at images of {folder.name}", len(used), "image") as bar:
        for image in used:
            path = folder / image
            if not path.is_file():
                problems.append(Problem("missing image", f"image {image}", f"{folder.name}/{image}", "no such file"))
            elif (what := damage(path, decode)) is not None:
                problems.append(Problem("damaged image", f"image {image}", f"{folder.name}/{image}", what))
            bar.update()
    return problems


def _leaks(layout: Layout, root: Path, split: str, used: list[str]) -> list[Problem]:
    """Return one problem for each person that the other split shows too (junk and unnamed people are no persons)."""
    other = SPLITS[1 - SPLITS.index(split)]
    try:
        file = layout.csv(root, "annotation", other)
    except FileNotFoundError:
        return []
    theirs: dict[int, str] = {}
    for image in scan_annotations(file)[0]:
        theirs.setdefault(layout.identity(image) or -1, image)
    ours = {layout.identity(image) or -1: image for image in reversed(used)}
    return [
        Problem(
            "identity in both splits",
            f"identity {person}",
            f"identity {person}",
            f"{split}/{ours[person]} and {other}/{theirs[person]}",
        )
        for person in sorted(set(ours) & set(theirs))
        if person > 0
    ]


def check(root: str | Path, layout: str = "deepfashion", annotation_size: tuple[int, int] | None = None) -> Report:
    """Return what is right and wrong in a data folder: every annotation row, pair and image is read, images decoded.

    Args:
        root: folder with ``train/``, ``test/`` and the csv files.
        layout: "deepfashion" or "market1501".
        annotation_size: (H, W) that the joints refer to; None = the layout's own.

    Raises:
        FileNotFoundError: neither split is there, or one of a split's files is not.
    """
    plan = LAYOUTS[require_choice("layout", layout, tuple(LAYOUTS))]
    root, frame = Path(root), annotation_size or plan.annotation_size
    present = [split for split in SPLITS if (root / split).is_dir()]
    if not present:
        raise FileNotFoundError(f"{root}: neither train/ nor test/ is there; expected the {layout} layout")
    return Report(root, layout, {split: inspect(plan, root, split, frame, decode=True) for split in present})
