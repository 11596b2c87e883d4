"""How videonet is made: motion, person, and what was done to time, of the studio's clips."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from repro.features.disturbances import in_other_order, jittered
from repro.features.own_training import Making, nearest_is_own
from repro.features.train_procnet import EMBEDDING, folded, identity_loss
from repro.features.videonet import WINDOW, SecondVideoNet, VideoNet, with_changes
from repro.features.weights import fill

CLIPS, WINDOWS = 12, 2  # of a batch
PIECES = 4
TREATMENTS = ("none", "twice as fast", "pieces in another order", "jitter")
"""What a window may have gone through. Single frames in random order and frozen clips are never trained."""
NETWORKS = {0: VideoNet, 1: SecondVideoNet}
"""Seed -> the name under which its network ships."""


class LabelledFilms(Protocol):
    """Clips with labels, as the studio's ``fashion_video`` and ``iper`` have them."""

    hash: str

    def whole(self, name: str) -> NDArray:
        """Return ``images``, (N, T, 3, H, W) uint8."""
        ...

    @property
    def kind(self) -> Tensor:
        """(N,) int64: how the person moves."""
        ...


@dataclass(frozen=True)
class Films:
    """The clips of several sets as one list; each shows another person.

    Attributes:
        images: per clip (T, 3, H, W) uint8, T at least 32.
        kind: (N,).
    """

    images: list[NDArray[np.uint8]]
    kind: Tensor

    @classmethod
    def of(cls, sets: Sequence[LabelledFilms]) -> "Films":
        """Return the clips of ``sets`` in order."""
        return cls([clip for one in sets for clip in one.whole("images")], torch.cat([one.kind for one in sets]))


@dataclass
class Batch:
    """Windows (B, 16, 3, H, W) in [-1, 1]; kind, person and treatment (B,)."""

    frames: Tensor
    kind: Tensor
    person: Tensor
    treatment: Tensor


class Learner(nn.Module):
    """videonet's convolutions with batch normalisation, and the heads that only training needs."""

    def __init__(self, kinds: int, generator: torch.Generator):
        super().__init__()
        self.convolutions = nn.ModuleList(_convolutions(VideoNet()))
        self.norms = nn.ModuleList(nn.BatchNorm3d(layer.out_channels) for layer in _convolutions(VideoNet()))
        heads = {"kind": kinds, "treatment": len(TREATMENTS), "person": EMBEDDING}
        self.heads = nn.ModuleDict({name: nn.Linear(VideoNet.dimension, count) for name, count in heads.items()})
        for name, parameter in self.named_parameters():
            if parameter.ndim > 1:
                nn.init.kaiming_normal_(parameter, nonlinearity="relu", generator=generator)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, frames: Tensor) -> dict[str, Tensor]:
        """Return the answer of every head, (B, classes), and unit vectors (B, EMBEDDING) of the person."""
        x = with_changes(frames.transpose(1, 2))
        for convolution, norm in zip(self.convolutions, self.norms):
            x = norm(convolution(x)).relu()
        pooled = x.mean((2, 3, 4))
        answers = {name: head(pooled) for name, head in self.heads.items()}
        return answers | {"person": F.normalize(answers["person"], dim=1)}

    @torch.no_grad()
    def network(self, kind: type[VideoNet] = VideoNet) -> VideoNet:
        """Return videonet, of the name that its seed has: each normalisation taken into the convolution before it."""
        network = kind()
        for target, convolution, norm in zip(_convolutions(network), self.convolutions, self.norms, strict=True):
            target.load_state_dict(folded(convolution, norm))
        return network.eval()


def _convolutions(network: VideoNet) -> list[nn.Conv3d]:
    return [layer for layer in network.features if isinstance(layer, nn.Conv3d)]


def window(images: NDArray[np.uint8], treatment: str, rng: np.random.Generator) -> Tensor:
    """Return 16 frames in [0, 255] that begin anywhere in a clip (T, 3, H, W), treated in one of ``TREATMENTS``."""
    step = 2 if treatment == "twice as fast" else 1
    first = int(rng.integers(len(images) - step * (WINDOW - 1)))
    frames = torch.from_numpy(np.array(images[first : first + step * WINDOW : step])).float()
    if treatment == "pieces in another order":
        return in_other_order(frames, PIECES, rng)
    return jittered(frames, rng) if treatment == "jitter" else frames


def batches(films: Films, steps: int, rng: np.random.Generator) -> Iterator[Batch]:
    """Yield ``steps`` batches of ``CLIPS`` clips with ``WINDOWS`` windows each, augmented: mirror, light per colour."""
    for _ in range(steps):
        clips = rng.choice(len(films.images), min(CLIPS, len(films.images)), replace=False).repeat(WINDOWS)
        treatment = rng.integers(len(TREATMENTS), size=len(clips))
        frames = torch.stack([window(films.images[c], TREATMENTS[t], rng) for c, t in zip(clips, treatment)])
        frames = frames / 127.5 - 1
        mirrored = torch.from_numpy(rng.random(len(clips)) < 0.5).view(-1, 1, 1, 1, 1)
        frames = torch.where(mirrored, frames.flip(-1), frames)
        gain, offset = (torch.from_numpy(rng.uniform(-0.1, 0.1, (len(clips), 1, 3, 1, 1))).float() for _ in range(2))
        person = torch.from_numpy(clips)
        yield Batch(
            (frames * (1 + gain) + offset).clamp(-1, 1), films.kind[person], person, torch.from_numpy(treatment)
        )


def train_videonet(
    out: str | Path,
    train: Sequence[LabelledFilms],
    test: Sequence[LabelledFilms],
    *,
    steps: int = 300,
    seed: int = 0,
    command: str = "",
) -> dict[str, Any]:
    """Train videonet, write its file (half precision) and its record beside it; return the record.

    Args:
        out: folder for both files, each written whole or not at all.
        train: sets of labelled clips (the studio's ``fashion_video`` and ``iper``, split "train").
        test: clips of other people, for the scores in the record.
        steps: Adam steps of 12 clips x 2 windows, one cycle of the learning rate.
        seed: of initial weights, order, treatment and augmentation; 0 and 1 have names of their own.
        command: what a reader types to do it again; goes into the record.

    Raises:
        ValueError: another seed, or a loss that is not a number (it names the step).
    """
    if seed not in NETWORKS:
        raise ValueError(f"expected a seed out of {', '.join(map(str, NETWORKS))} (their networks ship), got {seed}")
    making = Making(steps, seed, command)
    films, held_out = Films.of(train), Films.of(test)
    learner = Learner(int(max(films.kind.max(), held_out.kind.max())) + 1, torch.Generator().manual_seed(seed))

    def terms_of(batch: Batch) -> dict[str, Tensor]:
        answers = learner(batch.frames)
        terms = {name: F.cross_entropy(answers[name], getattr(batch, name)) for name in ("kind", "treatment")}
        return terms | {"person": identity_loss(answers["person"], batch.person)}

    rng = np.random.default_rng(np.random.SeedSequence([seed, 0x76696465]))
    making.train(learner, batches(films, steps, rng), terms_of, "videonet")
    network = _shipped(learner.eval().network(NETWORKS[seed]), films)
    data = {
        "train": [one.hash for one in train],
        "test": [one.hash for one in test],
        "clips": [len(films.images), len(held_out.images)],
    }
    return making.store(out, network, data, held_out_scores(learner, held_out, known=films.kind.unique()))


def plain_windows(images: NDArray[np.uint8]) -> Tensor:
    """Return the untreated windows (N, 16, 3, H, W) in [-1, 1] of a clip, one after the other."""
    count = len(images) // WINDOW
    frames = torch.from_numpy(np.array(images[: count * WINDOW])).float() / 127.5 - 1
    return frames.unflatten(0, (count, WINDOW))


@torch.inference_mode()
def _shipped(network: VideoNet, films: Films) -> VideoNet:
    """Return the network as its file will give it back: half precision, entries divided by their spread over clips."""
    fill(network, {key: tensor.half() for key, tensor in network.state_dict().items()}, origin="half precision")
    vectors = torch.cat([network(plain_windows(clip)) for clip in films.images])
    spread = vectors.std(0)
    network.spread.copy_(spread.clamp(min=0.1 * spread.mean().item()).half())
    return network


@torch.inference_mode()
def held_out_scores(learner: Learner, films: Films, known: Tensor, seed: int = 0) -> dict[str, float]:
    """Return what the heads know about people never seen.

    ``kind_accuracy``: share of untreated windows of the ``known`` kinds whose kind is named; ``treatment_accuracy``:
    share of windows, one of each treatment per clip, whose treatment is named; ``person_top1``: share of untreated
    windows whose nearest other window, by the angle of their vectors, shows the same person.
    """
    learner.eval()
    rng = np.random.default_rng(seed)
    kinds, treatments, vectors, people = [], [], [], []
    for number, images in enumerate(films.images):
        answers = learner(plain_windows(images))
        if films.kind[number] in known:
            kinds.append(answers["kind"].argmax(1) == films.kind[number])
        vectors.append(answers["person"])
        people += [number] * len(vectors[-1])
        treated = torch.stack([window(images, treatment, rng) for treatment in TREATMENTS]) / 127.5 - 1
        treatments.append(learner(treated)["treatment"].argmax(1) == torch.arange(len(TREATMENTS)))
    return {
        "kind_accuracy": round(torch.cat(kinds).float().mean().item(), 4),
        "treatment_accuracy": round(torch.cat(treatments).float().mean().item(), 4),
        "person_top1": round(nearest_is_own(torch.cat(vectors), torch.tensor(people)), 4),
    }
