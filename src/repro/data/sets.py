"""One door to every data set: ``load(name, split)``."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from inspect import signature
from numbers import Integral
from pathlib import Path
from typing import Any, Protocol, TypeVar

from torch import Tensor

from repro.checks import require_choice
from repro.data.clip_layouts import CLIP_LAYOUTS
from repro.data.clip_real import RealClips
from repro.data.faceforensics import FaceForensics
from repro.data.human36m import Human36M
from repro.data.joints import SIGMA
from repro.data.layouts import LAYOUTS, SPLITS
from repro.data.pair import Pair
from repro.data.real import RealPairs
from repro.data.shapenet import ShapeNetPairs
from repro.data.studio.clips import FashionVideoSet, IperSet
from repro.data.studio.face import FaceSet
from repro.data.studio.fashion import FashionSet
from repro.data.studio.h36m import H36MSet
from repro.data.studio.market import MarketSet
from repro.data.studio.objects import CarSet, ChairSet
from repro.data.studio.people_set import SCALES
from repro.data.studio.procedural_set import SMALLEST, ProceduralSet

PROCEDURAL: dict[str, type[ProceduralSet[Any]]] = {
    "fashion": FashionSet,
    "market": MarketSet,
    "fashion_video": FashionVideoSet,
    "iper": IperSet,
    "face": FaceSet,
    "h36m": H36MSet,
    "car": CarSet,
    "chair": ChairSet,
}
"""What the studio makes: name -> class, called as ``(split, size, scale, sigma)``; size None = the class's own."""

REAL: dict[str, Callable[..., "DataSet[Any]"]] = {
    **{name: partial(RealPairs, name) for name in LAYOUTS},
    **{name: partial(RealClips, name) for name in CLIP_LAYOUTS},
    "faceforensics": FaceForensics,
    "human36m": Human36M,
    "shapenet": ShapeNetPairs,
}
"""What is read from the user's copy: name -> reader, called as ``(split, root=..., size=..., sigma=...)``, and with
``annotation_size`` and ``exclude`` where its signature has them."""

NAMES = (*PROCEDURAL, *REAL)

Item = TypeVar("Item", covariant=True)


class DataSet(Protocol[Item]):
    """What every data set offers: ``dataset[i]`` is a :class:`Pair`, a clip or a motion sequence.

    Attributes:
        name, split, size, sigma: as loaded.
        hash: what a record names the data by.
    """

    name: str
    split: str
    size: tuple[int, int]
    sigma: float
    hash: str

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Item: ...

    def __iter__(self) -> Iterator[Item]: ...


class PairSet(DataSet[Pair], Protocol):
    """What every data set of pairs offers.

    Attributes:
        pairs: (N, 2) int64, source and target as indices of views.
        identity: (M,) int64, the person or thing of each view.
    """

    pairs: Tensor

    @property
    def identity(self) -> Tensor: ...


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
) -> Any:
    """Return a data set, map-style; what the studio makes is rendered when first asked for (the first in seconds).

    Args:
        name: a procedural set ("fashion", ...) or a real layout ("deepfashion", "market1501", ...; with ``root``).
        split: "train" or "test"; they share no person.
        size: of the images, pixels or (H, W); None = the set's own: 256x256, Market 128x64.
        scale: how many people, each with so many views: "tiny" 6 x 4, "default" 400 + 100 x 6, "full" 8000 + 1000 x 6;
            clips 4, 40 + 10, 400 + 100.
        root: folder of a real data set.
        sigma: of the heat maps in pixels; the paper's 6 whatever the size, small profiles use less.
        annotation_size: (H, W) that a real set's annotations refer to; None = (256, 176), Market (128, 64).
        exclude: recorded exclusion list of a real set, as ``check`` writes it.

    Returns:
        A :class:`PairSet` (people, cars, chairs) or another :class:`DataSet` (of clips, of motion sequences).

    Raises:
        ValueError: unknown names (the message lists the choices), arguments that the set does not take, damaged files.
        FileNotFoundError: a real set's files are missing.

    Example:
        >>> dataset = load("fashion", "test", size=64, scale="tiny")
        >>> len(dataset), dataset[0].source.shape
        (72, torch.Size([3, 64, 64]))
    """
    require_choice("data set", name, NAMES)
    require_choice("split", split, SPLITS)
    require_choice("scale", scale, tuple(SCALES))
    shape = _size("size", size)
    given = {"root": root, "annotation_size": _size("annotation_size", annotation_size), "exclude": exclude}
    options = {argument: value for argument, value in given.items() if value is not None}
    if name in PROCEDURAL:
        if options:
            takers = [other for other in REAL if not set(options) - arguments_of(other)]
            raise ValueError(
                f"{name} is made by the studio and takes no {', '.join(options)}: use {' or '.join(takers)} for files"
            )
        return PROCEDURAL[name](split, shape, scale, sigma)
    if unused := sorted(set(options) - arguments_of(name)):
        takers = [other for other in REAL if not set(unused) - arguments_of(other)]
        raise ValueError(f"{name} takes no {', '.join(unused)}: only {', '.join(takers)} do")
    if root is None:
        inside = " (train/, test/ and the csv files)" if name in LAYOUTS else ""
        raise ValueError(f"{name} is read from your own copy: pass root=FOLDER{inside}")
    return REAL[name](split, size=shape, sigma=sigma, **options)


def prepare(
    name: str, split: str, size: int | tuple[int, int] | None = None, scale: str = "default", workers: int = 2
) -> Any:
    """Return a procedural set after rendering all of it into the cache, with progress and time left.

    Interrupted, it keeps what is done; a second call renders the rest, a third returns at once.

    Args:
        name, split, size, scale: as for :func:`load`.
        workers: processes that render, each on one thread; at least 1.

    Raises:
        ValueError: unknown names, no worker.
    """
    require_choice("procedural data set", name, tuple(PROCEDURAL))
    dataset = load(name, split, size, scale)
    dataset.prepare(workers)
    return dataset


def arguments_of(name: str) -> set[str]:
    """Return the arguments that a real set's reader takes."""
    return set(signature(REAL[name]).parameters)


def _size(what: str, size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    if size is None:
        return None
    sides = tuple(size) if isinstance(size, Sequence) else (size, size)
    if len(sides) != 2 or not all(isinstance(side, Integral) and not isinstance(side, bool) for side in sides):
        raise ValueError(f"expected {what} in whole pixels or (height, width), got {size!r}")
    if min(sides) < SMALLEST:
        raise ValueError(f"expected a {what} of at least {SMALLEST} pixels, got {sides[0]}x{sides[1]}")
    return int(sides[0]), int(sides[1])
