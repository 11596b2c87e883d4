"""ShapeNet as Multiview2Novelview renders it: cars and chairs in an hdf5 file with lists of views and models.

``data_car.hdf5`` holds an entry ``{model}_{azimuth / 10}_{elevation / 10}`` for each view, with ``image`` (H, W, 3) and
``pose`` (azimuth / 10, elevation in degrees). ``id_car_train.txt`` lists views, ``name_car_train.txt`` models.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from repro.checks import require_choice
from repro.data.joints import SIGMA
from repro.data.layouts import SPLITS
from repro.data.pair import Pair
from repro.data.problems import DataError, Problem, Report, things_wrong
from repro.data.progress import progress_bar
from repro.data.view_code import AZIMUTHS, ELEVATIONS, view_code, view_number

if TYPE_CHECKING:  # imported where a file is opened: machines that only train do without it
    import h5py

CATEGORIES = ("car", "chair")
REMEDY = "Get the files again, or take what is damaged out of the lists."


@dataclass
class ShapeNetInspection:
    """What one category and split hold.

    Attributes:
        views: entries that are sources or targets, in order of their first use.
        pairs: source and target as indices of ``views``.
        models: model names in order.
        problems: everything that is wrong.
    """

    views: list[str] = field(default_factory=list)
    pairs: list[tuple[int, int]] = field(default_factory=list)
    models: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def summary(self) -> str:
        """What was counted, in words."""
        return f"{len(self.models)} models, {len(self.views)} views, {len(self.pairs)} pairs"


class ShapeNetPairs:
    """Pairs of views of one model; ``dataset[i]`` is a :class:`Pair` with codes, without joints and flow.

    Training pairs every listed view with the 17 other azimuths (steps of 20 degrees) at its elevation. Testing follows
    the authors: one source per model, at elevation 0, its azimuth cycling with the model's number, and 18 targets.

    Attributes:
        name, split, size, sigma: as asked for.
        category: "car" or "chair".
        views: names of the entries (M).
        identity: (M,) int64 number of the model in its list.
        pairs: (N, 2) int64, source and target as indices of ``views``.
        hash: SHA-256 of the lists, the hdf5 file's name and size in bytes, and the size of the images.

    Args:
        split: "train" or "test".
        root: the hdf5 file, or its folder if that holds one category only.
        size: (H, W); None = 256x256.
        sigma: kept for the pairs; there are no heat maps.

    Raises:
        FileNotFoundError: the hdf5 file or a list is missing.
        DataError: a damaged file, and every damaged line or view without an entry, counted and named.
    """

    name = "shapenet"

    def __init__(self, split: str, root: str | Path, size: tuple[int, int] | None = None, sigma: float = SIGMA) -> None:
        self.split, self.size, self.sigma = require_choice("split", split, SPLITS), size or (256, 256), sigma
        self.file = _data_file(Path(root))
        self.category = _category(self.file)
        found = inspect(self.file, split)
        if found.problems:
            head = f"{self.file}: {things_wrong(found.problems)} with shapenet {self.category} {split}:"
            raise DataError(head, found.problems, REMEDY)
        self.views = found.views
        number = {model: index for index, model in enumerate(found.models)}
        self.identity = torch.tensor([number[_split_name(view)[0]] for view in self.views])
        self.pairs = torch.tensor(found.pairs).reshape(-1, 2)
        settings = [self.name, self.category, split, self.size, self.file.name, self.file.stat().st_size]
        digest = hashlib.sha256(json.dumps(settings).encode())
        for kind in ("id", "name"):
            if (path := list_file(self.file, kind, split)).is_file():
                digest.update(path.read_bytes())
        self.hash = "sha256:" + digest.hexdigest()

    def __len__(self) -> int:
        return len(self.pairs)

    def __iter__(self) -> Iterator[Pair]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Pair:
        if not -len(self) <= index < len(self):
            raise IndexError(f"shapenet {self.category} {self.split} has {len(self)} pairs, got index {index}")
        source, target = self.pairs[index].tolist()
        images, codes = zip(*(self._view(view) for view in (source, target)))
        none = torch.empty(0, 2, dtype=torch.float64)
        return Pair(
            source=images[0],
            target=images[1],
            source_joints=none,
            target_joints=none,
            identity=int(self.identity[source]),
            sigma=self.sigma,
            source_code=codes[0],
            target_code=codes[1],
        )

    def _view(self, view: int) -> tuple[Tensor, Tensor]:
        try:
            pixels, pose = read_view(self._data, self.views[view])
        except DamagedView as error:
            problem = Problem(error.kind, "", self.views[view], str(error))
            raise DataError(f"{self.file}: a damaged view:", [problem], REMEDY) from error
        if pixels.shape[:2] != self.size:
            resized = Image.fromarray(pixels).resize(self.size[::-1], Image.Resampling.BILINEAR)
            pixels = np.asarray(resized).copy()
        return torch.from_numpy(pixels).permute(2, 0, 1).float() / 255, view_code(pose)

    @cached_property
    def _data(self) -> "h5py.File":
        import h5py

        return h5py.File(self.file, "r")

    def __getstate__(self) -> dict:
        # Worker processes open the file themselves.
        return {name: value for name, value in self.__dict__.items() if name != "_data"}


class DamagedView(ValueError):
    """An entry that is not an image with a pose; ``kind`` says what is wrong, for counting."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


def read_view(data: "h5py.File", name: str) -> tuple[np.ndarray, int]:
    """Return the picture (H, W, 3) uint8 of an entry and the number of its view (``view_code``).

    The view follows from the stored pose as in the authors' code: azimuth step = pose[0] // 2, elevation step =
    pose[1] // 10.

    Raises:
        DamagedView: no such entry, no image or pose, another shape or type, values out of range, unreadable bytes.
    """
    try:
        entry = data[name]
        image, pose = entry["image"], entry["pose"]
        if image.ndim != 3 or image.shape[2] != 3 or min(image.shape) < 1 or image.dtype.kind not in "uif":
            raise DamagedView(
                "wrong image shape", f"expected image (height, width, 3) of numbers, got {image.shape} {image.dtype}"
            )
        if pose.shape != (2,) or pose.dtype.kind not in "uif":
            raise DamagedView("wrong pose", f"expected pose (azimuth / 10, elevation), got {pose.shape} {pose.dtype}")
        pixels, place = image[()], pose[()]
    except (KeyError, AttributeError, OSError, ValueError, RuntimeError) as error:
        if isinstance(error, DamagedView):
            raise
        kind = "missing entry" if isinstance(error, KeyError) else "unreadable entry"
        raise DamagedView(kind, f"expected a group with image and pose: {error}") from error
    if not (np.isfinite(pixels).all() and pixels.min() >= 0 and pixels.max() <= 255):
        raise DamagedView("wrong image values", "expected values from 0 to 255")
    if not np.isfinite(place).all() or not (0 <= place[0] < 2 * AZIMUTHS and 0 <= place[1] < 10 * len(ELEVATIONS)):
        wanted = f"azimuth / 10 below {2 * AZIMUTHS} and elevation below {10 * len(ELEVATIONS)} degrees"
        raise DamagedView("wrong pose", f"expected {wanted}, got {place.tolist()}")
    return pixels.astype(np.uint8), view_number(int(place[0]) // 2, int(place[1]) // 10)


def inspect(file: Path, split: str, decode: bool = False) -> ShapeNetInspection:
    """Return what one category and split hold, with everything that is wrong.

    Args:
        file: ``data_{category}.hdf5``; the lists lie beside it.
        split: "train" or "test".
        decode: read every picture (with progress); otherwise names are only compared with the lists.

    Raises:
        FileNotFoundError: a list is missing.
        DataError: the file is truncated or no hdf5 file.
    """
    found = ShapeNetInspection()
    listed = _read_list(list_file(file, "id", split), found.problems)
    sound = [name for name in listed if _well_formed(name, list_file(file, "id", split), found.problems)]
    names = list_file(file, "name", split)
    if names.is_file():
        models = _read_list(names, found.problems)
        found.models = [model for model in models if "_" not in model]
        found.problems += [
            Problem("damaged line", "", names.name, f"expected a model's name without _, got {model[:80]!r}")
            for model in models
            if "_" in model
        ]
    else:
        found.models = list(dict.fromkeys(_split_name(name)[0] for name in sound))
    if split == "train":
        known = set(found.models)
        found.problems += [
            Problem("listed view of an unlisted model", "", list_file(file, "id", split).name, name)
            for name in sound
            if _split_name(name)[0] not in known
        ]
        wanted = [(name, other) for name in sound for other in _ring(name) if other != name]
    else:
        sources = [f"{model}_{2 * (index % AZIMUTHS)}_0" for index, model in enumerate(found.models)]
        wanted = [(name, other) for name in sources for other in _ring(name)]
    place = {name: index for index, name in enumerate(dict.fromkeys(name for pair in wanted for name in pair))}
    found.views = list(place)
    found.pairs = [(place[source], place[target]) for source, target in wanted]
    with _open(file) as data:
        there = set(data)
        absent = [name for name in dict.fromkeys([*found.views, *sound]) if name not in there]
        found.problems += [Problem("view without an entry", "", file.name, f"no entry {name}") for name in absent]
        if decode:
            found.problems += _damaged(data, [name for name in found.views if name in there], file)
    found.problems += _leaks(file, split, set(found.models))
    return found


def check_shapenet(root: str | Path) -> Report:
    """Return what is right and wrong in a folder: every list, every entry, every picture of each category.

    A split counts as there when its list of views is.

    Raises:
        FileNotFoundError: no category is there, or one without a list of views.
        DataError: an hdf5 file is truncated.
    """
    report, splits = Report(Path(root), "shapenet"), {}
    files = [Path(root)] if Path(root).is_file() else _data_files(Path(root))
    if not files:
        raise FileNotFoundError(f"{root}: expected data_car.hdf5 or data_chair.hdf5 there")
    for file in files:
        present = [split for split in SPLITS if list_file(file, "id", split).is_file()]
        for split in present or SPLITS:  # without a list the reader says which it wants
            splits[f"{_category(file)} {split}"] = inspect(file, split, decode=True)
    report.splits = splits
    return report


def _data_files(folder: Path) -> list[Path]:
    return [path for category in CATEGORIES if (path := folder / f"data_{category}.hdf5").is_file()]


def _data_file(root: Path) -> Path:
    if root.is_file():
        return root
    files = _data_files(root)
    if not files:
        raise FileNotFoundError(f"{root}: expected data_car.hdf5 or data_chair.hdf5 there")
    if len(files) > 1:
        raise ValueError(f"{root} holds {' and '.join(file.name for file in files)}: pass one of the files as root")
    return files[0]


def _category(file: Path) -> str:
    category = file.stem.removeprefix("data_")
    if category not in CATEGORIES:
        raise ValueError(f"expected a file data_car.hdf5 or data_chair.hdf5, got {file.name}")
    return category


def list_file(file: Path, kind: str, split: str) -> Path:
    """Return the list of views ("id") or of models ("name") of a split beside the hdf5 file."""
    return file.with_name(f"{kind}_{_category(file)}_{split}.txt")


def _open(file: Path) -> "h5py.File":
    import h5py

    try:
        return h5py.File(file, "r")
    except OSError as error:
        problem = Problem("damaged file", "", file.name, str(error))
        raise DataError(f"{file}: no hdf5 file, or a truncated one:", [problem], REMEDY) from error


def _read_list(path: Path, problems: list[Problem]) -> list[str]:
    """The distinct lines of a list; repeated ones are a problem."""
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except FileNotFoundError:
        raise FileNotFoundError(f"no list {path}: expected it beside the hdf5 file") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: no list:", [Problem("not text", "", path.name, str(error))], REMEDY) from error
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if line in seen:
            where = f"{path.name}, line {number}"
            problems.append(Problem("repeated line", "", where, f"{line} stands in line {seen[line]} already"))
        elif line:
            seen[line] = number
    if not seen:
        problems.append(Problem("empty list", "", path.name, "not a single name"))
    return list(seen)


def _well_formed(name: str, path: Path, problems: list[Problem]) -> bool:
    parts = name.split("_")
    sound = len(parts) == 3 and bool(parts[0]) and all(part.isdecimal() and part.isascii() for part in parts[1:])
    if not sound:
        problems.append(Problem("damaged line", "", path.name, f"expected MODEL_AZIMUTH_ELEVATION, got {name[:80]!r}"))
    return sound


def _split_name(name: str) -> tuple[str, int, str]:
    model, azimuth, elevation = name.split("_")
    return model, int(azimuth), elevation


def _ring(name: str) -> list[str]:
    """The 18 views of an entry's model at its elevation."""
    model, _, elevation = _split_name(name)
    return [f"{model}_{2 * step}_{elevation}" for step in range(AZIMUTHS)]


def _damaged(data: "h5py.File", names: list[str], file: Path) -> list[Problem]:
    problems = []
    with progress_bar(f"looking at {file.name}", len(names), "image") as bar:
        for name in names:
            try:
                view = read_view(data, name)[1]
                if view % AZIMUTHS != _split_name(name)[1] // 2:
                    raise DamagedView("pose of another view", f"the pose says azimuth {20 * (view % AZIMUTHS)} degrees")
            except DamagedView as error:
                problems.append(Problem(error.kind, "", f"{file.name}, entry {name}", str(error)))
            bar.update()
    return problems


def _leaks(file: Path, split: str, models: set[str]) -> list[Problem]:
    """One problem for each model that the other split lists too."""
    other = list_file(file, "id", SPLITS[1 - SPLITS.index(split)])
    if not other.is_file():
        return []
    theirs = {line.strip().split("_")[0] for line in other.read_text(encoding="utf-8", errors="replace").splitlines()}
    return [
        Problem("model in both splits", "", other.name, f"{model} is listed for {split} too")
        for model in sorted(models & theirs - {""})
    ]
