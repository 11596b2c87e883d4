"""What every procedural set shares: a name that decides its content, a cache on disk, workers that fill it."""

import ast
import hashlib
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from numpy.typing import NDArray
from tqdm import tqdm

from repro import paths
from repro.checks import require_choice
from repro.data.joints import SIGMA
from repro.data.progress import progress_bar
from repro.data.studio.cache import Arrays, Cache
from repro.data.studio.seeds import GENERATOR_VERSION

Item = TypeVar("Item")

FIRST_NUMBER = {"train": 0, "test": 100_000}
"""Identities are counted from here: no number belongs to both splits."""
SMALLEST, LARGEST = 16, 1024
"""Sides of an image in pixels: below, joints and parts fall together; above, the textures have no more detail."""


class ProceduralSet(ABC, Generic[Item]):
    """A map-style set that is drawn from seeds: ``dataset[i]`` is drawn when first asked for and then kept on disk.

    A subclass names itself (``name``), its ``SIZE`` and ``SCALES``, and writes three methods and ``__len__``:
    :meth:`draw` makes the arrays that the cache keeps of one unit (a person, a clip, a car), :meth:`item` makes an
    example of them, and :meth:`settings` lists everything else that decides the content.

    Args:
        split: "train" or "test"; they share no seed.
        size: (H, W) of the images; None = ``SIZE``.
        scale: key of ``SCALES``.
        sigma: of heat maps and skeleton structures in pixels; no part of the content.

    Attributes:
        name, split, size, scale, sigma: as asked for.
        count: units in this split.
        hash: SHA-256 of name, split, size, scale, settings and generator version: equal hashes mean equal data.
    """

    name: str
    SIZE: tuple[int, int] = (256, 256)
    SCALES: Mapping[str, Mapping[str, int]]
    UNIT: str = "person"

    def __init__(
        self, split: str, size: tuple[int, int] | None = None, scale: str = "default", sigma: float = SIGMA
    ) -> None:
        require_choice("split", split, tuple(FIRST_NUMBER))
        require_choice("scale", scale, tuple(self.SCALES))
        height, width = size or self.SIZE
        if min(height, width) < SMALLEST:
            raise ValueError(f"expected a size of at least {SMALLEST} pixels, got {height}x{width}")
        if max(height, width) > LARGEST:
            raise ValueError(f"the studio's textures hold up to {LARGEST} pixels, got {height}x{width}: ask for less")
        self.split, self.size, self.scale, self.sigma = split, (height, width), scale, sigma
        self.count = self.SCALES[scale][split]
        description = {
            "name": self.name,
            "split": split,
            "size": self.size,
            "scale": scale,
            "generator": GENERATOR_VERSION,
            "settings": self.settings(),
        }
        self.hash = "sha256:" + hashlib.sha256(json.dumps(description).encode()).hexdigest()
        self._kind = f"{self.name}-{split}-{height}x{width}-{scale}-"
        key = f"v{GENERATOR_VERSION}-{self.hash[7:15]}-{source_digest()[:8]}"
        self._cache = Cache(paths.cache() / "studio" / (self._kind + key), self.count, self._make)

    @abstractmethod
    def draw(self, index: int) -> Arrays:
        """Return the arrays of one unit; equal shapes for all units, everything from its own seeds."""

    @abstractmethod
    def item(self, index: int) -> Item:
        """Return example ``index``, 0 <= index < len; whatever is costly and not always needed is computed later."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Return what decides the content beside name, split, size, scale and generator version, as JSON values."""

    @abstractmethod
    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Item:
        if not -len(self) <= index < len(self):
            raise IndexError(f"{self.name} {self.split} ({self.scale}) has {len(self)} examples, got index {index}")
        return self.item(index % len(self))

    def __iter__(self) -> Iterator[Item]:
        return (self.item(index) for index in range(len(self)))

    def arrays(self, index: int) -> Arrays:
        """Return the arrays of one unit, drawn now if they are not in the cache yet."""
        return self._cache.person(index)

    def whole(self, name: str) -> NDArray:
        """Return one array of all units, (count, ...), memory-mapped; draws everything at the first use."""
        if self._cache.missing():
            self.prepare()
        return self._cache.whole()[name]

    def prepare(self, workers: int = 2) -> None:
        """Draw everything that is not in the cache yet, with progress; interrupted, what is done stays.

        Args:
            workers: processes that draw, each on one thread; at least 1.

        Raises:
            ValueError: no worker, whether or not anything is left to draw.
            RuntimeError: a worker process failed; its last words are in the message.
        """
        if workers < 1:
            raise ValueError(f"expected at least 1 worker, got {workers}")
        missing = self._cache.missing()
        if missing:
            self._start()
            label = f"rendering {self.name} {self.split} {self.size[0]}x{self.size[1]}"
            with progress_bar(label, self.count, self.UNIT, done=self.count - len(missing)) as bar:
                if workers > 1 and len(missing) > 4 * workers:
                    self._draw_apart(workers, bar)
                else:
                    for index in missing:
                        self._cache.make(index)
                        bar.update()
        self._cache.whole()

    def _start(self) -> None:
        """Make the cache's folder before its first unit; what another version of the studio made is said just then."""
        folder = self._cache.folder
        if folder.exists():
            return
        others = sorted(path for path in folder.parent.glob(self._kind + "v*") if path != folder)
        folder.mkdir(parents=True, exist_ok=True)
        if others:
            warnings.warn(
                f"{self.name} {self.split} is rendered again: another version of the studio made {others[0]}"
                f"{f' and {len(others) - 1} more' if len(others) > 1 else ''}, which may be removed",
                stacklevel=4,
            )

    def _make(self, index: int) -> Arrays:
        """Draw on one thread: several fight over such small tensors."""
        self._start()
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return self.draw(index)
        finally:
            torch.set_num_threads(threads)

    def _draw_apart(self, workers: int, bar: tqdm) -> None:
        """Let processes of their own draw every n-th unit; plain commands, so that no caller's script is rerun."""
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        kind = type(self)
        with tempfile.TemporaryFile() as words:
            running = []
            try:
                for share in range(workers):
                    job = [kind.__module__, kind.__qualname__, self.__getstate__(), share, workers, source_digest()]
                    command = [sys.executable, "-c", f"from {__name__} import work; work()", json.dumps(job)]
                    running.append(subprocess.Popen(command, env=environment, stderr=words))
                while any(process.poll() is None for process in running):
                    time.sleep(0.2)
                    done = self.count - len(self._cache.missing())
                    if done > bar.n:
                        bar.update(done - bar.n)
                    if any(process.poll() for process in running):
                        break
            finally:
                for process in running:
                    process.terminate()
                    process.wait()
            if any(process.returncode for process in running):
                words.seek(0)
                raise RuntimeError(f"rendering failed:\n{words.read().decode(errors='replace')[-2000:]}")
        bar.update(self.count - bar.n)

    def __getstate__(self) -> dict[str, Any]:
        # The constructor's arguments: a worker process opens the cache itself instead of receiving arrays.
        return {"split": self.split, "size": self.size, "scale": self.scale, "sigma": self.sigma}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]


def work() -> None:
    """Draw one worker's share of a set: what :meth:`ProceduralSet.prepare` starts in processes of their own."""
    module, name, state, share, workers, source = json.loads(sys.argv[1])
    if source != source_digest():
        raise RuntimeError("the studio's code changed while it was rendering: start again")
    dataset: ProceduralSet = getattr(importlib.import_module(module), name)(**{**state, "size": tuple(state["size"])})
    for index in range(share, dataset.count, workers):
        if index in set(dataset._cache.missing()):
            dataset._cache.make(index)


@lru_cache(1)
def source_digest() -> str:
    """Return a digest of the studio's code (not of its layout): the cache never shows what other code drew."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256("".join(ast.dump(ast.parse(file.read_text("utf-8"))) for file in files).encode()).hexdigest()
