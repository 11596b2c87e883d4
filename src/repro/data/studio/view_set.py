"""Sets of pairs: several views of each person or thing, all ordered pairs of them, the exact flow between them."""

from abc import abstractmethod
from functools import lru_cache
from itertools import permutations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from repro.data.joints import SIGMA
from repro.data.pair import Pair
from repro.data.studio.correspondence import SourceBuffer, correspondence, source_buffer
from repro.data.studio.procedural_set import FIRST_NUMBER, ProceduralSet
from repro.data.studio.render import View
from repro.data.studio.shot import Shot

KEPT = 64
"""Shots and depth buffers of the views used last that stay in memory."""


class ViewSet(ProceduralSet[Pair]):
    """All ordered pairs of different views of each person or thing; ``dataset[i]`` is a :class:`Pair`.

    Views are numbered one person after the other, ``SCALES`` says how many each has. What :meth:`draw` returns holds
    at least ``images`` (views, 3, H, W) uint8, ``parts`` (views, H, W) int8 and ``held_out`` (views,) bool.

    Attributes:
        identity: (N,) int64, number of the person of each view; train and test share none.
        pairs: (N * (views - 1), 2) int64, source and target view.
    """

    def __init__(
        self, split: str, size: tuple[int, int] | None = None, scale: str = "default", sigma: float = SIGMA
    ) -> None:
        super().__init__(split, size, scale, sigma)
        self.identity = (torch.arange(self.count) + FIRST_NUMBER[split]).repeat_interleave(self.views)
        self.pairs = self.list_pairs()
        self._shot = lru_cache(KEPT)(self.take)
        self._buffer = lru_cache(KEPT)(self._look)

    @property
    def views(self) -> int:
        """How many views each person has."""
        return self.SCALES[self.scale]["views"]

    def __len__(self) -> int:
        return len(self.pairs)

    def list_pairs(self) -> Tensor:
        """Return ``pairs``."""
        of_one = torch.tensor(list(permutations(range(self.views), 2)))
        return (torch.arange(self.count)[:, None, None] * self.views + of_one).reshape(-1, 2)

    def item(self, index: int) -> Pair:
        """Return pair ``index``."""
        return self.pair(*self.pairs[index].tolist())

    @abstractmethod
    def pair(self, source: int, target: int) -> Pair:
        """Return the pair of two views of one person."""

    @abstractmethod
    def take(self, view: int) -> Shot:
        """Return the geometry of a view, built anew."""

    @abstractmethod
    def render(self, views: list[int]) -> list[View]:
        """Render views of one person anew, with everything that is not kept in the cache (albedo, depth, alpha)."""

    @property
    def images(self) -> NDArray[np.uint8]:
        """(N, 3, H, W) uint8, memory-mapped; renders everybody at the first use."""
        return self.of_views("images")

    @property
    def parts(self) -> NDArray[np.int8]:
        """(N, H, W) int8 number of the part, -1 background, memory-mapped."""
        return self.of_views("parts")

    @property
    def held_out(self) -> Tensor:
        """(N,) bool: the person wears, or the thing has, a texture family that nobody in training has."""
        return torch.tensor(self.of_views("held_out"))

    def of_views(self, name: str) -> NDArray:
        """Return one array of all views, (N, ...), memory-mapped."""
        array = self.whole(name)
        return array.reshape(-1, *array.shape[2:])

    def shot(self, view: int) -> Shot:
        """Return the geometry of a view: mesh, pose, camera."""
        return self._shot(view)

    def image(self, view: int) -> Tensor:
        """Return the picture of a view, (3, H, W) in [0, 1]."""
        return torch.from_numpy(np.array(self.of_view("images", view))).float() / 255

    def of_view(self, name: str, view: int) -> NDArray:
        """Return one array of one view."""
        return self.arrays(view // self.views)[name][view % self.views]

    def truth(self, source: int, target: int) -> "StudioTruth":
        """Return the ground truth of the pair of two views of one person."""
        one, other = source // self.views, target // self.views
        if one != other:
            raise ValueError(f"expected two views of one {self.UNIT}, got views of {self.UNIT}s {one} and {other}")
        return StudioTruth(self, source, target)

    def _look(self, view: int) -> SourceBuffer:
        return source_buffer(self.shot(view))


class StudioTruth:
    """The exact flow, albedo and parts of one pair, computed from mesh, poses and cameras when asked for."""

    def __init__(self, dataset: ViewSet, source: int, target: int):
        self.dataset, self.source, self.target = dataset, source, target

    def correspondence(self, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return flow (2, h, w), visible and person (h, w); see :func:`repro.data.studio.correspondence`."""
        target = self.dataset.shot(self.target)
        return correspondence(self.dataset._buffer(self.source), target, height, width)

    def albedo(self) -> tuple[Tensor, Tensor]:
        """Return both pictures without light and shadow, (3, H, W); rendered anew."""
        source, target = self.dataset.render([self.source, self.target])
        return source.albedo, target.albedo

    def parts(self) -> tuple[Tensor, Tensor]:
        """Return the part ids of both pictures, (H, W) int8."""
        source, target = (torch.tensor(self.dataset.of_view("parts", view)) for view in (self.source, self.target))
        return source, target


def pixels(images: Tensor) -> NDArray[np.uint8]:
    """Return images in [0, 1] as the bytes that the cache keeps."""
    return (images * 255).round().to(torch.uint8).numpy()
