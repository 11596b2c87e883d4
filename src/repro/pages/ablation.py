"""Pictures of the ablation table: the rows' networks on held-out people, and their losses over the steps."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure

from repro import data
from repro.data import Pair
from repro.experiments import TestPairs
from repro.metrics import TRIVIAL
from repro.pages.figures import METHOD_COLOURS, image_grid
from repro.pages.kept import kept_curve, kept_network
from repro.pages.tables import labels_of, order
from repro.records import Record


def sample_pairs(record: Record, root: Path | None = None, count: int = 4) -> list[Pair]:
    """Return some of the pairs that a record was measured on: evenly spaced over the fixed list."""
    settings = record.config["data"]
    dataset = data.load(
        record.dataset, "test", settings["size"], settings["scale"], root, sigma=settings["heatmap_sigma"]
    )
    pairs = TestPairs.of(dataset, record.n)
    return [pairs[round((i + 0.5) * len(pairs) / count)] for i in range(count)]


@torch.no_grad()
def sample_figure(found: Sequence[Record], pairs: Sequence[Pair], out: Path) -> Figure:
    """Return what every trained row makes of the same held-out pairs, between source and true target.

    Args:
        found: records of one table, data set and profile; the networks of seed 0 are drawn.
        pairs: one line of pictures each.
        out: folder of the request's runs; networks that are not there are those that ship.
    """
    labels = labels_of(found)
    first = {record.row: record for record in found if record.seed == 0 and record.row not in TRIVIAL}
    models = {labels[row]: kept_network(first[row], out) for row in order(found) if row in first}
    lines = []
    for pair in pairs:
        line = {"source": pair.source}
        for label, model in models.items():
            made = model(2 * pair.source[None] - 1, pair.source_pose[None], pair.target_pose[None])
            line[label] = (made.image[0] + 1) / 2
        lines.append(line | {"target": pair.target})
    return image_grid(lines)


def curve_figure(found: Sequence[Record], out: Path) -> Figure:
    """Return the losses of the recorded runs over their steps, seed 0 of every row.

    Args:
        found: records of one table, data set and profile.
        out: folder of the request's runs; curves that are not there are those that ship.
    """
    labels = labels_of(found)
    panels = {
        "correctness, both stages": "correctness",
        "l1, joint stage": "l1",
        "perceptual, joint stage": "perceptual",
    }
    figure, axes = plt.subplots(1, len(panels), figsize=(10.5, 2.8))
    for record in found:
        if record.seed or record.row in TRIVIAL or (curve := kept_curve(record, out)) is None:
            continue
        steps = curve["step"] + (curve["stage"] == "joint") * curve["step"].where(curve["stage"] == "flow", 0).max()
        for ax, (title, term) in zip(axes, panels.items()):
            if term in curve and curve[term].notna().any():
                smooth = curve[term].rolling(5, min_periods=1).mean()
                ax.plot(steps, smooth, color=METHOD_COLOURS[record.row], label=labels[record.row], linewidth=1.2)
            ax.set(title=title, xlabel="step")
            ax.title.set_fontsize(9)
    axes[0].set_ylabel("loss, before its weight")
    axes[1].legend(fontsize=7)
    figure.tight_layout()
    return figure
