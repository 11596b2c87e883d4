"""Figure 14: what becomes of a person whom the source does not show, and how errors go with the hidden share."""

from collections.abc import Sequence
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor

from repro.data import Pair
from repro.metrics.comparison import Interval
from repro.metrics.image import l1
from repro.models import Output
from repro.ops import bilinear_warp
from repro.pages import held_out
from repro.pages.figures import METHOD_COLOURS, image_grid
from repro.pages.tables import labels_of

ROW = "full"
COLOUR = torch.tensor([0.84, 0.37, 0.0])[:, None, None]
"""Of what the source does not show."""
EDGES = (0.0, 0.2, 0.4, 0.6, 1.0)
"""Hidden shares that part the pairs into groups."""
PANELS = {
    "l1_person": "L1 on the person",
    "l1_person_visible": "L1, part that the source shows",
    "l1_person_hidden": "L1, part that it hides",
    "epe_visible_px": "flow error where shown, px",
}


def hidden_part(pair: Pair) -> Tensor:
    """Return the target (3, H, W), pale, with what the source does not show of the person painted over."""
    hidden = pair.person & ~pair.visible
    return torch.where(hidden, COLOUR, 0.4 * pair.target + 0.6)


def followed(pair: Pair, output: Output) -> Tensor:
    """Return the source (3, H, W) read along the finest estimated flow: what the network takes for the target."""
    flow = F.interpolate(output.flows[-1], pair.size, mode="bilinear", align_corners=False)
    return bilinear_warp(pair.source[None], flow * (pair.size[0] / output.flows[-1].shape[-2]))[0]


def failure_figure(numbers: Sequence[int]) -> Figure:
    """Return one line per pair: source, target, what is hidden, the result, the source along the flow, the mask."""
    shares = held_out.hidden_shares()
    lines = []
    for number in numbers:
        pair = held_out.pairs()[number]
        output = held_out.answer(ROW, pair)
        lines.append(
            {
                "source": pair.source,
                "target": pair.target,
                "hidden": hidden_part(pair),
                "result": (output.image[0] + 1) / 2,
                "along the flow": followed(pair, output),
                "mask": F.interpolate(output.masks[-1], pair.size, mode="nearest")[0, 0],
            }
        )
    return image_grid(lines, labels=[f"pair {number}\n{shares[number]:.0%} hidden" for number in numbers])


def groups(row: str) -> pd.DataFrame:
    """Return the recorded scores of a row, means over the pairs of each group of hidden shares.

    Args:
        row: of Table II.
    """
    part = pd.cut(held_out.hidden_shares(), EDGES, labels=[f"{a:.0%} to {b:.0%}" for a, b in pairwise(EDGES)])
    scores = held_out.scores(row)
    means = scores[[name for name in PANELS if name in scores]].groupby(part, observed=True).mean()
    return means.rename(columns=PANELS).assign(pairs=part.value_counts(sort=False)).rename_axis("hidden")


def rank_correlation(score: str, row: str = ROW, repeats: int = 1000, seed: int = 0) -> Interval:
    """Return Spearman's correlation of a recorded score with the hidden share, and its 95 % bootstrap interval.

    Pairs of one person are not independent: whole persons are drawn.

    Args:
        score: column of the file of scores.
        row: of Table II.
        repeats: resamplings.
        seed: of the resampling.
    """
    scores = held_out.scores(row)
    frame = pd.DataFrame({"share": held_out.hidden_shares(), "score": scores[score]}).dropna()
    persons = [one.to_numpy() for _, one in frame.groupby(scores["identity"])]
    generator = np.random.Generator(np.random.PCG64(seed))
    drawn = (generator.integers(0, len(persons), len(persons)) for _ in range(repeats))
    found = [_spearman(np.concatenate([persons[person] for person in some])) for some in drawn]
    low, high = np.quantile(found, [0.025, 0.975])
    return Interval(_spearman(frame.to_numpy()), float(low), float(high), len(frame))


def trend_figure(rows: Sequence[str]) -> Figure:
    """Return the recorded scores over the hidden share: every pair of the full model, group means of several rows.

    Args:
        rows: of Table II, whose means are drawn; one without a score is left out of its panel.
    """
    shares, titles = held_out.hidden_shares(), labels_of(held_out.recorded())
    middles = [shares[(shares > a) & (shares <= b)].mean() for a, b in pairwise(EDGES)]
    figure, axes = plt.subplots(1, len(PANELS), figsize=(11, 2.8))
    for ax, (score, title) in zip(axes, PANELS.items()):
        ax.plot(shares, held_out.scores(ROW)[score], ".", color=METHOD_COLOURS[ROW], alpha=0.25, markersize=4)
        for row in rows:
            means = groups(row)
            if title in means:
                style = "o-" if row in METHOD_COLOURS else "s--"
                colour = METHOD_COLOURS.get(row, "black")
                ax.plot(middles, means[title], style, color=colour, label=titles[row], markersize=4, linewidth=1.3)
        ax.set(xlabel="hidden share of the person", ylim=(0, None), xlim=(0, 1))
        ax.set_title(title, fontsize=9)
    axes[0].legend(fontsize=7)
    figure.tight_layout()
    return figure


def mask_means(numbers: Sequence[int]) -> pd.Series:
    """Return the mean of the finest mask over what the source shows of the person, what it hides, and the wall.

    Args:
        numbers: of pairs; every position counts the same.
    """
    values: dict[str, list[Tensor]] = {"shown": [], "hidden": [], "wall": []}
    for number in numbers:
        pair = held_out.pairs()[number]
        mask = held_out.answer(ROW, pair).masks[-1][0, 0]
        visible, person = pair.flow_at(*mask.shape)[1], pair.person_at(*mask.shape)
        for name, where in (("shown", visible), ("hidden", person & ~visible), ("wall", ~person)):
            values[name].append(mask[where])
    return pd.Series({name: torch.cat(parts).mean().item() for name, parts in values.items()}, name="mean mask")


def result_and_warp(numbers: Sequence[int]) -> pd.DataFrame:
    """Return the mean absolute errors of the result and of the source along its flow, per pair.

    Args:
        numbers: of pairs; the error is taken where the source shows the person, or hides them; NaN where it does not.
    """
    lines = {}
    for number in numbers:
        pair = held_out.pairs()[number]
        output = held_out.answer(ROW, pair)
        made = {"result": (output.image[0] + 1) / 2, "along the flow": followed(pair, output)}
        parts = {"shown": pair.visible, "hidden": pair.person & ~pair.visible}
        lines[number] = {
            (part, name): l1(picture.clamp(0, 1)[None], pair.target[None], where[None]).item()
            for part, where in parts.items()
            for name, picture in made.items()
        }
    return pd.DataFrame.from_dict(lines, orient="index")


def _spearman(pairs: np.ndarray) -> float:
    return float(pd.DataFrame(pairs).corr("spearman").iloc[0, 1])
