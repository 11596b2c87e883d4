"""The order of the training pairs, and their way into the networks.

Nothing here has a state: which pairs form batch number ``step``, and which of them are mirrored, follows from the seed
alone. A run that continues at step 700 therefore sees exactly what an uninterrupted one sees, and all rows of a table
see the same pairs in the same order.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from repro.data.joints import heatmaps, mirror_joints
from repro.data.pair import Pair

STREAMS = {"flow": 1, "joint": 2, "clip": 3, "motion": 4}  # each stage has an order of its own


class Batch(NamedTuple):
    """What a stage needs of B pairs, images in [-1, 1].

    Attributes:
        source, target: (B, 3, H, W).
        source_pose, target_pose: heat maps (B, 18, H, W).
        person: (B, 1, H, W), 1 where the target shows a person; None where the data set does not know.
    """

    source: Tensor
    target: Tensor
    source_pose: Tensor
    target_pose: Tensor
    person: Tensor | None

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on ``device``."""
        return Batch(*(one if one is None else one.to(device, non_blocking=True) for one in self))  # type: ignore[arg-type]


@dataclass
class Batches:
    """The endless sequence of training batches of one stage: ``batches[step]`` is a :class:`Batch`.

    Args:
        dataset: map-style, of ``Pair``.
        batch: pairs per batch; the incomplete last batch of an epoch is dropped.
        seed: of the run.
        stage: "flow" or "joint".
        sigma: of the heat maps, in pixels.
        flips: mirror half of the pairs (source and target together).
    """

    dataset: Sequence[Pair]
    batch: int
    seed: int
    stage: str
    sigma: float
    flips: bool

    def __post_init__(self) -> None:
        permuted(len(self.dataset), self.batch, self.seed, self.stage, 0)  # refuses a set that is too small

    def indices(self, step: int) -> list[int]:
        """Return the pairs of batch number ``step``: a new permutation per epoch."""
        return permuted(len(self.dataset), self.batch, self.seed, self.stage, step)

    def mirrored(self, step: int) -> Tensor:
        """Return (B,) bool: which pairs of batch number ``step`` are mirrored."""
        drawn = generator(self.seed, self.stage, step, purpose=1).random(self.batch) < 0.5
        return torch.from_numpy(drawn & self.flips)

    def __getitem__(self, step: int) -> Batch:
        pairs = [self.dataset[index] for index in self.indices(step)]
        return as_batch(pairs, self.sigma, self.mirrored(step))

    def __len__(self) -> int:
        return 2**62


def generator(seed: int, stage: str, number: int, purpose: int) -> np.random.Generator:
    """Return the generator of one purpose in a stage, for example of batch ``number``."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, STREAMS[stage], purpose, number])))


def permuted(length: int, batch: int, seed: int, stage: str, step: int) -> list[int]:
    """Return the examples of batch number ``step``: a new permutation per epoch, its incomplete last batch dropped.

    Raises:
        ValueError: the data set has fewer examples than one batch.
    """
    if length < batch:
        raise ValueError(f"expected at least {batch} examples (one batch), the data set has {length}")
    epoch, position = divmod(step, length // batch)
    order = _permutation(length, seed, stage, epoch)
    return [int(index) for index in order[position * batch : (position + 1) * batch]]


@lru_cache(1)
def _permutation(length: int, seed: int, stage: str, epoch: int) -> np.ndarray:
    return generator(seed, stage, epoch, purpose=0).permutation(length)


def as_batch(pairs: Sequence[Pair], sigma: float, mirrored: Tensor | None = None) -> Batch:
    """Return pairs as one batch: images to [-1, 1], joints to heat maps, the ``mirrored`` (B,) ones flipped."""
    size = (int(pairs[0].target.shape[-2]), int(pairs[0].target.shape[-1]))
    flip = torch.zeros(len(pairs), dtype=torch.bool) if mirrored is None else mirrored

    def images(name: str) -> Tensor:
        stacked = torch.stack([getattr(pair, name) for pair in pairs]).float()
        return torch.where(flip[:, None, None, None], stacked.flip(-1), stacked)

    def poses(name: str) -> Tensor:
        joints = torch.stack([getattr(pair, name) for pair in pairs])
        return heatmaps(torch.where(flip[:, None, None], mirror_joints(joints, size[1]), joints), size, sigma)

    person = None
    if all(pair.truth is not None for pair in pairs):
        stacked = torch.stack([pair.target_parts >= 0 for pair in pairs])[:, None].float()
        person = torch.where(flip[:, None, None, None], stacked.flip(-1), stacked)
    return Batch(
        images("source") * 2 - 1, images("target") * 2 - 1, poses("source_joints"), poses("target_joints"), person
    )


class Order(Protocol):
    """The endless sequence of training batches of one stage: ``order[step]`` is one of them, of whatever kind."""

    def __getitem__(self, step: int, /) -> Any: ...


def loader(batches: Order, start: int, stop: int, workers: int = 0) -> Iterator[Any]:
    """Yield batches ``start`` to ``stop`` in order, made by ``workers`` processes ahead of time (0: by this one)."""
    steps: DataLoader[Any] = DataLoader(
        batches,  # type: ignore[arg-type]  # map-style: indexed by the sampler
        batch_size=None,
        sampler=range(start, stop),
        num_workers=workers,
        generator=torch.Generator(),  # its own, or every start would draw from the global one
        worker_init_fn=_one_thread if workers else None,
    )
    yield from steps


def _one_thread(worker: int) -> None:
    torch.set_num_threads(1)
