"""Pictures of the animation table: the recorded networks on held-out clips, playing and as strips."""

import contextlib
from collections.abc import Sequence
from html import escape
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import torch
from IPython.display import HTML
from matplotlib.figure import Figure
from torch import Tensor, nn

from repro.config import from_mapping
from repro.data.clip import Clip
from repro.data.structures import skeleton_structure
from repro.experiments import PROFILES, Request, learns, load_recorded_model, request
from repro.experiments.clips import TestClips, animate, splits, without_learning
from repro.models import SequentialGFLA
from repro.pages.figures import METHOD_COLOURS, image_grid
from repro.pages.kept import kept_curve, kept_network
from repro.pages.playing import play, side_by_side
from repro.pages.tables import labels_of, order
from repro.records import Record, read

SHOWN = 8
"""Frames of a strip."""


def recorded_network(row: str) -> tuple[Record, SequentialGFLA] | None:
    """Return record and network of a sequential row of Table IV, seed 0 at the largest profile that ships one."""
    for profile in reversed(PROFILES):
        for record in read("IV", profile):
            if record.row == row and record.seed == 0 and profile != "smoke":
                network = load_recorded_model(record)
                assert isinstance(network, SequentialGFLA)
                return record, network
    return None


def recorded_curve(row: str) -> pd.DataFrame | None:
    """Return the losses over the steps of a row of Table IV, seed 0 at the largest profile that recorded them."""
    for profile in reversed(PROFILES):
        for record in read("IV", profile):
            mine = record.row == row and record.seed == 0 and profile != "smoke"
            if mine and (curve := kept_curve(record)) is not None:
                return curve
    return None


def discriminator_figure(curve: pd.DataFrame) -> Figure:
    """Return the losses of both discriminators, and what the generator pays to each, over the steps."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 2.8), sharey=True, layout="constrained")
    terms = {"image": ("discriminator", "adversarial"), "temporal": ("temporal_discriminator", "temporal_adversarial")}
    for ax, (name, (own, generator)) in zip(axes, terms.items()):
        for term, colour, label in ((own, "#0072B2", "its own loss"), (generator, "#D55E00", "the generator's")):
            ax.plot(curve["step"], curve[term].rolling(5, min_periods=1).mean(), color=colour, label=label)
        ax.axhline(0.25, color="0.7", linewidth=0.8, zorder=0)
        ax.set(title=f"{name} discriminator", xlabel="step", ylim=(0, 1.2))
    axes[0].set_ylabel("loss, before its weight")
    axes[0].legend(fontsize=8)
    return figure


def curve_figure(found: Sequence[Record], out: Path) -> Figure:
    """Return the losses of the sequential rows over their steps, seed 0; those of frames are sums over six.

    Args:
        found: records of one profile and data set.
        out: folder of the request's runs; curves that are not there are those that ship.
    """
    labels = labels_of(found)
    panels = {"l1, six frames": "l1", "correctness, six frames, both branches": "correctness"}
    panels |= {"temporal discriminator": "temporal_discriminator"}
    figure, axes = plt.subplots(1, len(panels), figsize=(10.5, 2.8), layout="constrained")
    for record in found:
        if record.seed or "clip" not in record.config["stages"] or (curve := kept_curve(record, out)) is None:
            continue
        for ax, (title, term) in zip(axes, panels.items()):
            if term in curve:
                smooth = curve[term].rolling(5, min_periods=1).mean()
                ax.plot(curve["step"], smooth, color=METHOD_COLOURS[record.row], label=labels[record.row], lw=1.2)
            ax.set_title(title, fontsize=9)
            ax.set_xlabel("step")
    axes[0].set_ylabel("loss, before its weight")
    axes[0].legend(fontsize=7)
    return figure


def held_out_clip(record: Record, number: int = 0, wanted: Request | None = None) -> Clip:
    """Return one of the clips that a record was measured on, with the skeletons that its row is given.

    Args:
        record: of Table IV.
        number: place in the fixed list of test clips.
        wanted: names the folder of a real set; default the studio's.
    """
    config = from_mapping(record.config)
    _, test_set = splits(config, wanted or request("IV", dataset=record.dataset))
    return TestClips.of(test_set, config.evaluation.clips)[number]


def generated(found: Sequence[Record], wanted: Request, number: int = 0) -> dict[str, Tensor]:
    """Return one held-out clip and what the rows make of it: title -> frames (T, 3, H, W).

    The source picture comes first, then the skeletons as detected, the true frames and the rows.

    Args:
        found: records of one profile and data set; the networks of seed 0 are drawn.
        wanted: where the networks lie; those that are not there are those that ship.
        number: place in the fixed list of test clips.
    """
    labels = labels_of(found)
    first = {record.row: record for record in found if record.seed == 0}
    clips = {row: held_out_clip(first[row], number, wanted) for row in order(found) if row in first}
    clip = next(iter(clips.values()))
    drawn = skeleton_structure(clip.joints_noisy, clip.size, "coco17", clip.sigma)[:, -3:] / 255
    made = {"source": clip.source.expand_as(clip.frames), "detected": drawn, "true": clip.frames}
    clips.pop("copy_source", None)  # the source stands there
    for row, clip in clips.items():
        config = from_mapping(first[row].config)
        if not learns("IV", row):
            made[labels[row]] = without_learning(config.model.kind, clip)
        else:
            with contextlib.suppress(FileNotFoundError):  # not every row's network ships
                made[labels[row]] = animate(kept_network(first[row], wanted.out), clip, config.data.skeletons)
    return made


def strip_figure(made: dict[str, Tensor]) -> Figure:
    """Return frames of the clips, evenly spaced, one line per row: what print shows of them (Figures 8 and 11)."""
    count = len(next(iter(made.values())))
    numbers = [round(place) for place in torch.linspace(0, count - 1, SHOWN).tolist()]
    lines = [{f"frame {number}": frames[number] for number in numbers} for frames in made.values()]
    return image_grid(lines, labels=list(made), height=1.1)


def playing(made: dict[str, Tensor], fps: float) -> HTML:
    """Return the clips side by side, playing, each under its name."""
    enlarged = [nn.functional.interpolate(frames, scale_factor=2, mode="nearest") for frames in made.values()]
    both = side_by_side(enlarged)
    moving = play(both, fps=fps, still=len(both) // 2, alt=f"from left to right: {', '.join(made)}")
    names = "".join(f"<span>{escape(name)}</span>" for name in made)
    head = (
        f'<div style="display:grid;grid-template-columns:repeat({len(made)},1fr);max-width:{both.shape[-1]}px;'
        f'font-size:.75em;text-align:center;align-items:end">{names}</div>'
    )
    return HTML(head + str(moving.data))
