"""Sets of clips: pictures and joints from the cache, flow from the geometry that is built again from frame 0."""

from abc import abstractmethod
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from repro.data.clip import Clip
from repro.data.joints import SIGMA
from repro.data.studio.film import Film
from repro.data.studio.procedural_set import FIRST_NUMBER, ProceduralSet
from repro.data.studio.seeds import child_generator

SCALES = {
    "tiny": {"train": 4, "test": 4},
    "default": {"train": 40, "test": 10},
    "full": {"train": 400, "test": 100},
}
"""Clips per split; each shows another person."""
FRAMES = 64
FPS = 25.0
REFERENCE_FRAMES = 20
"""The source picture is one of so many first frames, as in the authors' code."""
KEPT = 2
"""Films whose geometry stays in memory: one has 23 MB of vertices at full detail."""


class ClipSet(ProceduralSet[Clip]):
    """Clips of people, one each; ``dataset[i]`` is a :class:`~repro.data.clip.Clip` whose source is one of its frames.

    A subclass writes :meth:`draw`, :meth:`film` and :meth:`settings`. What ``draw`` returns holds at least ``images``
    (T, 3, H, W) uint8, ``masks`` (T, H, W) bool, ``held_out`` bool, and of people ``joints_clean`` and ``joints_noisy``
    (T, 17, 2), of faces ``landmarks`` (T, 68, 2).
    """

    SCALES = SCALES
    UNIT = "clip"

    def __init__(
        self, split: str, size: tuple[int, int] | None = None, scale: str = "default", sigma: float = SIGMA
    ) -> None:
        super().__init__(split, size, scale, sigma)
        self._film = lru_cache(KEPT)(self.film)

    @abstractmethod
    def film(self, index: int) -> Film:
        """Return the geometry of a clip, built anew."""

    def __len__(self) -> int:
        return self.count

    def rng(self, index: int, purpose: str) -> np.random.Generator:
        """Return the generator of clip ``index`` for a purpose, for example "motion"."""
        return child_generator("clip", self.name, self.split, index, purpose)

    def item(self, index: int) -> Clip:
        """Return clip ``index`` with the source that its seed chooses among the first frames."""
        return self.clip(index, int(self.rng(index, "reference").integers(REFERENCE_FRAMES)))

    def clip(self, index: int, source: int) -> Clip:
        """Return clip ``index`` with the frame ``source`` as its source picture."""
        arrays = self.arrays(index)
        frames = len(arrays["images"])
        if not 0 <= source < frames:
            raise ValueError(f"expected a source frame from 0 to {frames - 1}, got {source}")
        nobody = np.zeros((frames, 0, 2))
        clean, noisy = (torch.tensor(arrays.get(name, nobody)) for name in ("joints_clean", "joints_noisy"))
        landmarks = torch.tensor(arrays["landmarks"]) if "landmarks" in arrays else None
        return Clip(
            footage=arrays["images"],
            foreground=arrays["masks"],
            joints_clean=clean,
            joints_noisy=noisy,
            source=torch.tensor(arrays["images"][source]).float() / 255,
            source_joints=noisy[source],
            identity=FIRST_NUMBER[self.split] + index,
            fps=FPS,
            landmarks=landmarks,
            source_landmarks=None if landmarks is None else landmarks[source],
            sigma=self.sigma,
            truth=FilmTruth(self, index, source),
        )

    @property
    def held_out(self) -> Tensor:
        """(N,) bool: the clip shows a texture family or a kind of motion that no training clip shows."""
        return torch.tensor(self.whole("held_out"))


class FilmTruth:
    """The exact flow of one clip, computed from its film when asked for."""

    def __init__(self, dataset: ClipSet, index: int, source: int):
        self.dataset, self.index, self.source = dataset, index, source

    def to_source(self, frames: range, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return flow (n, 2, h, w), visible and person (n, h, w) of frames against the source picture."""
        return self.dataset._film(self.index).flow(frames, [self.source] * len(frames), height, width)

    def to_previous(self, frames: range, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return flow (n, 2, h, w), visible and person (n, h, w) of frames against the frame before each."""
        before = [max(frame - 1, 0) for frame in frames]
        flow, visible, person = self.dataset._film(self.index).flow(frames, before, height, width)
        for number, frame in enumerate(frames):
            if frame == 0:
                flow[number], visible[number] = 0, False
        return flow, visible, person
