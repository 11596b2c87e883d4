"""One door to every data set: ``load(name, split)``."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from torch import Tensor

from repro.checks import require_choice
from repro.data.joints import SIGMA
from repro.data.layouts import LAYOUTS, SPLITS
from repro.data.pair import Pair
from repro.data.real import RealPairs
from repro.data.studio.fashion import SCALES, FashionSet

PROCEDURAL = ("fashion",)
# Names that later sets will have.
RESERVED = ("market", "fashion_video", "iper", "h36m", "car", "chair", "face", "fashionvideo", "iper_real", "human36m")
NAMES = (*PROCEDURAL, *LAYOUTS)


class PairSet(Protocol):
    """What every data set of pairs offers: ``dataset[i]`` is a :class:`Pair`, indices run over ``pairs``.

    Attributes:
        name, split, size, sigma: as loaded.
        pairs: (N, 2) int64, source and target as indices of views.
        identity: (M,) int64, the person of each view.
        joints: (M, 18, 2) float64 of each view.
        hash: what a record names the data by.
    """

    name: str
    split: str
    size: tuple[int, int]
    sigma: float
    pairs: Tensor
    hash: str

    @property
    def identity(self) -> Tensor: ...

    @property
    def joints(self) -> Tensor: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Pair: ...

    def __iter__(self) -> Iterator[Pair]: ...


def load(
    name: str,
    split: str,
    size: int | tuple[int, int] | None = None,
    scale: str = "default",
    root: str | Path | None = None,
    *,
    sigma: float = SIGMA,
    annotation_size: tuple[int, int] | None = None,
    exclude: str | Path | None = None,
) -> FashionSet | RealPairs:
    """Return a data set of pairs, map-style; studio people are rendered when first asked for (the first in seconds).

    Args:
        name: "fashion" (procedural) or "deepfashion", "market1501" (real layouts, with ``root``).
        split: "train" or "test"; they share no person.
        size: of the images, pixels or (H, W); None = 256x256, Market 128x64.
        scale: how many studio people: "tiny" 6 x 4 views, "default" 400 + 100 x 6, "full" 8000 + 1000 x 6.
        root: folder of a real data set.
        sigma: of the heat maps in pixels; the paper's 6 whatever the size, small profiles use less.
        annotation_size: (H, W) that a real set's annotations refer to; None = (256, 176), Market (128, 64).
        exclude: recorded exclusion list of a real set, as ``check`` writes it.

    Raises:
        ValueError: unknown names (the message lists the choices), arguments that the set does not take, damaged files.
        FileNotFoundError: a real set's files are missing.

    Example:
        >>> dataset = load("fashion", "test", size=64, scale="tiny")
        >>> len(dataset), dataset[0].source.shape
        (72, torch.Size([3, 64, 64]))
    """
    if name in RESERVED:
        raise ValueError(f"data set {name!r} is planned but not built yet: choose one of {', '.join(NAMES)}")
    require_choice("data set", name, NAMES)
    require_choice("split", split, SPLITS)
    require_choice("scale", scale, tuple(SCALES))
    shape = _size(size)
    if name in LAYOUTS:
        if root is None:
            raise ValueError(f"{name} is read from your own copy: pass root=FOLDER (train/, test/ and the csv files)")
        return RealPairs(name, split, root, shape, sigma=sigma, annotation_size=_size(annotation_size), exclude=exclude)
    given = {"root": root, "annotation_size": annotation_size, "exclude": exclude}
    unused = [argument for argument, value in given.items() if value is not None]
    if unused:
        raise ValueError(
            f"{name} is made by the studio and takes no {', '.join(unused)}: use {' or '.join(LAYOUTS)} for files"
        )
    return FashionSet(split, shape or (256, 256), scale, sigma=sigma)


def prepare(
    name: str, split: str, size: int | tuple[int, int] | None = None, scale: str = "default", workers: int = 2
) -> FashionSet:
    """Return a procedural set after rendering all of it into the cache, with progress and time left.

    Interrupted, it keeps what is done; a second call renders the rest, a third returns at once.

    Args:
        name, split, size, scale: as for :func:`load`.
        workers: processes that render, each on one thread.
    """
    require_choice("procedural data set", name, PROCEDURAL)
    dataset = load(name, split, size, scale)
    assert isinstance(dataset, FashionSet)
    dataset.prepare(workers)
    return dataset


def _size(size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    if size is None:
        return None
    height, width = (size, size) if isinstance(size, int) else size
    if min(height, width) < 16:
        raise ValueError(f"expected a size of at least 16 pixels, got {height}x{width}")
    return int(height), int(width)
