"""A temporal discriminator that learns in the page, and what it says of clips that are wrong in time only."""

from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional as F

from repro.data.clip import Clip
from repro.losses import adversarial
from repro.models import ImageDiscriminator, TemporalDiscriminator
from repro.models.temporal_discriminator import FRAMES
from repro.pages.figures import image_grid

RATE = 1e-3
BATCH = 4
EVERY = 20
"""Steps between two looks at the scores."""
COLOURS = {"jittered": "#D55E00", "shuffled": "#0072B2", "frozen": "#CC79A7"}


def windows(clips: Sequence[Clip], count: int, rng: np.random.Generator) -> Tensor:
    """Return six consecutive frames each, of clips and places that ``rng`` draws, (count, 6, 3, H, W) in [-1, 1]."""
    found = []
    for _ in range(count):
        clip = clips[int(rng.integers(len(clips)))]
        start = int(rng.integers(len(clip) - FRAMES + 1))
        found.append(clip.frames[start : start + FRAMES] * 2 - 1)
    return torch.stack(found)


def jittered(real: Tensor, rng: np.random.Generator, most: int = 2) -> Tensor:
    """Return every frame shifted by its own whole pixels: what a detector's noise makes of frames made one by one."""
    shifts = rng.integers(-most, most + 1, (*real.shape[:2], 2))
    padded = F.pad(real.flatten(0, 1), (most,) * 4, mode="replicate").unflatten(0, real.shape[:2])
    height, width = real.shape[-2:]
    rows = [
        torch.stack([padded[b, k, :, most + y : most + y + height, most + x : most + x + width] for k, (y, x) in clip])
        for b, clip in enumerate(map(enumerate, shifts.tolist()))
    ]
    return torch.stack(rows)


def shuffled(real: Tensor, rng: np.random.Generator) -> Tensor:
    """Return the same frames in another order."""
    orders = [rng.permutation(FRAMES) for _ in real]
    while any((order == np.arange(FRAMES)).all() for order in orders):
        orders = [rng.permutation(FRAMES) for _ in real]
    return torch.stack([clip[torch.from_numpy(order)] for clip, order in zip(real, orders)])


def frozen(real: Tensor, rng: np.random.Generator) -> Tensor:
    """Return the first frame six times."""
    return real[:, :1].expand_as(real)


WRONG: Mapping[str, Callable[[Tensor, np.random.Generator], Tensor]] = {
    "jittered": jittered,
    "shuffled": shuffled,
    "frozen": frozen,
}
"""Clips whose frames are real pictures, wrong in time only."""


def look_figure(real: Tensor, rng: np.random.Generator) -> Figure:
    """Return one clip (1, 6, 3, H, W) and its wrong forms, a line each."""
    clips = {"real": real} | {name: make(real, rng) for name, make in WRONG.items()}
    lines = [{f"{k + 1}": (frame + 1) / 2 for k, frame in enumerate(clip[0])} for clip in clips.values()]
    return image_grid(lines, labels=list(clips), height=1.2)


def learn(train: Sequence[Clip], test: Sequence[Clip], steps: int, width: float = 0.25, seed: int = 0) -> pd.DataFrame:
    """Return the scores of held-out clips while both discriminators learn to tell real from jittered clips.

    The temporal one sees six frames, the image one a single frame of each. Neither is ever shown a shuffled or a frozen
    clip.

    Args:
        train, test: clips to learn from, and to be asked about.
        steps: of Adam, as in training (beta 0 and 0.999), at a rate of 1e-3.
        width: of both discriminators.
        seed: of weights and draws.

    Returns:
        one line per look and kind of clip: step, kind, and the mean score of ``temporal`` and of ``image``.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    judges = {
        "temporal": TemporalDiscriminator.preset(width, seed=seed),
        "image": ImageDiscriminator.preset("fashion", width, seed=seed),
    }
    optimizers = {
        name: torch.optim.Adam(judge.parameters(), RATE, betas=(0.0, 0.999), fused=True)
        for name, judge in judges.items()
    }
    held = windows(test, 16, np.random.Generator(np.random.PCG64(seed + 1)))
    asked = {"real": held} | {
        name: make(held, np.random.Generator(np.random.PCG64(seed + 2))) for name, make in WRONG.items()
    }
    lines = []
    for step in range(1, steps + 1):
        real = windows(train, BATCH, rng)
        fake = jittered(windows(train, BATCH, rng), rng)
        frame = int(rng.integers(FRAMES))
        seen = {"temporal": (real, fake), "image": (real[:, frame], fake[:, frame])}
        for name, judge in judges.items():
            loss = adversarial.discriminator_loss(*(judge(one) for one in seen[name]))
            optimizers[name].zero_grad()
            loss.backward()
            optimizers[name].step()
        if step % EVERY == 0:
            lines += [{"step": step, "kind": kind} | _scores(judges, clips) for kind, clips in asked.items()]
    return pd.DataFrame(lines)


@torch.no_grad()
def _scores(judges: Mapping[str, torch.nn.Module], clips: Tensor) -> dict[str, float]:
    """Mean scores in eval mode: of six frames at once, and of the frames one by one."""
    found = {}
    for name, judge in judges.items():
        judge.eval()
        found[name] = judge(clips if name == "temporal" else clips.flatten(0, 1)).mean().item()
        judge.train()
    return found


def against_real(scores: pd.DataFrame, judge: str) -> pd.DataFrame:
    """Return the scores of the wrong clips minus those of the real ones: a line per step, a column per kind."""
    table = scores.pivot(index="step", columns="kind", values=judge)
    return table[list(WRONG)].sub(table["real"], axis=0)


def scores_figure(scores: pd.DataFrame) -> Figure:
    """Return how far below (or above) the real clips the wrong ones score, over the steps, for both discriminators."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 2.9), sharey=True, layout="constrained")
    titles = {"temporal": "temporal discriminator: six frames", "image": "image discriminator: one frame"}
    for ax, (judge, title) in zip(axes, titles.items()):
        for kind, own in against_real(scores, judge).items():
            ax.plot(own, color=COLOURS[str(kind)], label=kind)
        ax.axhline(0, color="0.7", linewidth=0.8, zorder=0)
        ax.set(title=title, xlabel="step")
    axes[0].set_ylabel("score minus that of real clips")
    axes[0].legend(fontsize=8)
    return figure
