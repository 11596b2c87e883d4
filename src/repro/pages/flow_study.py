"""The study of the flow: where gradients lead it (measured without training), and what the table "flow" recorded."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional as F

from repro import features
from repro.data import Pair
from repro.experiments import resolve
from repro.experiments.flow import ROWS, watched
from repro.experiments.run import pairs_file
from repro.features import FeatureNetwork
from repro.losses import l1, sampling_correctness, warped_l1
from repro.metrics.comparison import Interval, paired_t_interval
from repro.metrics.flow_gradient import way_back_cosine
from repro.models import GFLA, FlowOutput
from repro.pages import held_out
from repro.pages.example import example_network
from repro.pages.kept import kept_curve
from repro.pages.tables import METRICS, by_row, difference, labels_of, spread
from repro.records import Record

LAYER = 2
"""The finer of the flow's two scales, at a quarter of the picture: where it is displaced."""
DIRECTIONS = 8
OFFSETS = (1, 2, 4, 8, 16, 24)
"""How far the flow is displaced, in pixels of the picture: up to a third of its side."""
REFERENCE = "correctness"
Loss = Callable[[Tensor], Tensor]
"""From flows (B, 2, h, w) of the finer scale to a scalar."""
SAMPLINGS = {
    "pictures, L1, bilinear": "#999999",
    "frozen features, L1, bilinear": "#009E73",
    "correctness, bilinear": "#0072B2",
    "correctness, Gaussian": "#CC79A7",
    "generated, bilinear (Bi-Sample)": "#56B4E9",
    "generated, local attention (Full)": "#D55E00",
}
"""What the flow is judged by, and its colour."""


def directions(pixels: float) -> Tensor:
    """Return displacements of equal length in equal angles, (DIRECTIONS, 2, 1, 1)."""
    angles = torch.arange(DIRECTIONS) * (2 * torch.pi / DIRECTIONS)
    return pixels * torch.stack([angles.cos(), angles.sin()], dim=1)[..., None, None]


def losses_of(pair: Pair, flow: Tensor) -> dict[str, Loss]:
    """Return what can judge a flow of a pair: its names are those of ``SAMPLINGS``.

    The generators see the coarser flow displaced by as much of the picture as the finer one.

    Args:
        pair: of the studio.
        flow: exact, (2, h, w), of the finer scale.
    """
    source, target = (image[None].expand(DIRECTIONS, -1, -1, -1) * 2 - 1 for image in (pair.source, pair.target))
    small_source, small_target = (F.adaptive_avg_pool2d(image, flow.shape[-2:]) for image in (source, target))  # type: ignore[arg-type]
    network = _features()
    tap = network.correctness_taps[LAYER]
    seen_source, seen_target = (
        network(image[None] * 2 - 1, taps=(tap,))[tap].expand(DIRECTIONS, -1, -1, -1)
        for image in (pair.source, pair.target)
    )
    return {
        "pictures, L1, bilinear": lambda w: warped_l1(small_source, small_target, w),
        "frozen features, L1, bilinear": lambda w: warped_l1(seen_source, seen_target, w),
        "correctness, bilinear": lambda w: sampling_correctness(seen_source, seen_target, w, sampling="bilinear_exact"),
        "correctness, Gaussian": lambda w: sampling_correctness(seen_source, seen_target, w),
        "generated, bilinear (Bi-Sample)": generated("bi_sample", pair, source, target, flow),
        "generated, local attention (Full)": generated("full", pair, source, target, flow),
    }


def generated(row: str, pair: Pair, source: Tensor, target: Tensor, exact: Tensor) -> Loss:
    """Return L1 of what a recorded network generates along given flows; where no flow is known, along its own.

    Args:
        row: of Table II.
        pair: of the studio.
        source, target: its pictures, (DIRECTIONS, 3, H, W) in [-1, 1].
        exact: flow of the finer scale, (2, h, w).
    """
    network = example_network(row)[0]
    assert isinstance(network, GFLA)
    poses = [pose[None].expand(DIRECTIONS, -1, -1, -1) for pose in (pair.source_pose, pair.target_pose)]
    with torch.no_grad():
        own = network.flow_net(source, *poses)
    coarse_size = own.flows[0].shape[-2:]
    visible, coarse_visible = (pair.flow_at(*size)[1] for size in (exact.shape[-2:], coarse_size))
    coarse = pair.flow_at(*coarse_size)[0]

    def loss(flow: Tensor) -> Tensor:
        shift = (flow.detach() - exact).mean((2, 3), keepdim=True) * coarse_size[0] / exact.shape[-2]
        flows = [
            torch.where(coarse_visible, coarse + shift, own.flows[0]),
            torch.where(visible, flow, own.flows[1]),
        ]
        return l1(network.render(source, poses[1], FlowOutput(flows, own.masks)).image, target)

    return loss


def way_back(numbers: Sequence[int], offsets: Sequence[float] = OFFSETS) -> pd.DataFrame:
    """Return per pair, offset and loss the mean cosine between descent and the way back, over what the source shows.

    Args:
        numbers: of held-out pairs; those that show nothing are left out.
        offsets: in pixels of the picture, each in ``DIRECTIONS`` directions.
    """
    lines = []
    for number in numbers:
        pair = held_out.pairs()[number]
        flow, visible = pair.flow_at(*(side // 2**LAYER for side in pair.size))
        if not visible.any():
            continue
        losses = losses_of(pair, flow.float())
        exact = flow.float()[None].expand(DIRECTIONS, -1, -1, -1)
        for offset in offsets:
            for name, loss in losses.items():
                cosine = way_back_cosine(loss, exact, directions(offset / 2**LAYER))[:, visible]
                back = (cosine > 0).double().mean().item()
                lines.append((number, offset, name, cosine.mean().item(), back))
    return pd.DataFrame(lines, columns=["pair", "offset", "judged by", "cosine", "share that leads back"])


def way_back_table(measured: pd.DataFrame, value: str = "cosine") -> pd.DataFrame:
    """Return the means over pairs of what :func:`way_back` measured: a line per loss, a column per offset."""
    table = measured.pivot_table(value, "judged by", "offset", sort=False)
    return table.loc[[name for name in SAMPLINGS if name in table.index]]


def gain(measured: pd.DataFrame, better: str, other: str) -> dict[float, Interval]:
    """Return by offset how much nearer to the way back one loss's descent is than another's, with 95 % over pairs.

    Args:
        measured: of :func:`way_back`.
        better, other: of ``SAMPLINGS``.
    """
    cosines = measured.pivot_table("cosine", ["offset", "pair"], "judged by")
    differences = (cosines[better] - cosines[other]).groupby("offset")
    return {float(offset): paired_t_interval(one.tolist()) for offset, one in differences}  # type: ignore[arg-type]


def way_back_figure(measured: pd.DataFrame) -> Figure:
    """Return the mean cosine over the offset, with a 95 % interval over pairs (normal approximation)."""
    figure, ax = plt.subplots(figsize=(8.5, 3.0))
    for name, one in measured.groupby("judged by", sort=False):
        seen = one.groupby("offset")["cosine"].agg(["mean", "sem"])
        ax.plot(seen.index, seen["mean"], "o-", color=SAMPLINGS[str(name)], label=name, markersize=3)
        low, high = (seen["mean"] + sign * 1.96 * seen["sem"] for sign in (-1, 1))
        ax.fill_between(seen.index, low, high, color=SAMPLINGS[str(name)], alpha=0.15, linewidth=0)
    ax.axhline(0, color="black", linewidth=0.6)
    ax.set(xlabel="offset of the flow, pixels of the picture", ylabel="cosine with the way back")
    ax.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    figure.tight_layout()
    return figure


def score_table(found: Sequence[Record]) -> pd.DataFrame:
    """Return one line per recorded row: the flow's scores, mean and spread over seeds, and what the row changes.

    Args:
        found: records of the table "flow", of one profile.
    """
    rows, labels = by_row(found), labels_of(found)
    lines = {}
    for row in (row for row in ROWS if row in rows):
        line = {"seeds": str(len(rows[row]))}
        for metric in ("epe_visible_px", "within_3px_visible", "epe_hidden_px", "affine_residual_px"):
            label, _, digits = METRICS[metric]
            line[label] = spread([record.metrics[metric] for record in rows[row].values()], digits)
        interval = None if row == REFERENCE else difference(found, REFERENCE, row, "epe_visible_px")
        line["the authors' − this one, px, 95 %"] = str(interval) if interval else "–"
        lines[labels[row]] = line
    return pd.DataFrame.from_dict(lines, orient="index")


def sentences(found: Sequence[Record]) -> str:
    """Return in words how far each row's flow is from that of the authors' first stage, and whether it is settled."""
    words = []
    labels = labels_of(found)
    for row in (row for row in ROWS if row in by_row(found) and row != REFERENCE):
        interval = difference(found, REFERENCE, row, "epe_visible_px")
        if interval is None:
            continue
        how = "worse" if interval.mean < 0 else "better"
        settled = "the interval excludes zero" if interval.low > 0 or interval.high < 0 else "not settled"
        words.append(f"{labels[row]}: {how} by {abs(interval.mean):.2f} px ({settled}, {interval.n} seeds).")
    return "\n".join(words)


def curves(found: Sequence[Record], out: Path) -> pd.DataFrame:
    """Return the flow's error over the steps of every recorded training: columns row, seed, step, epe_visible_px.

    Args:
        found: records of one profile.
        out: folder of the request's runs.
    """
    read = []
    for record in found:
        if (curve := kept_curve(record, out)) is not None:
            read.append(curve[["step", "epe_visible_px"]].assign(row=record.row, seed=record.seed))
    return (
        pd.concat(read, ignore_index=True) if read else pd.DataFrame(columns=["step", "epe_visible_px", "row", "seed"])
    )


def zero_flow(found: Sequence[Record], out: Path) -> float | None:
    """Return the error of zero flow on the pairs that the curves are measured on; None if it is not recorded."""
    for record in (record for record in found if record.row == "copy_source"):
        for file in (pairs_file(record, out / "records"), pairs_file(record)):
            if file.is_file():
                return float(pd.read_csv(file)["epe_visible_px"].iloc[watched(record.n)].mean())
    return None


def curve_figure(seen: pd.DataFrame, panels: Mapping[str, Sequence[str]], zero: float | None = None) -> Figure:
    """Return the flow's error over the steps: mean over seeds, the band from the smallest to the largest.

    Args:
        seen: of :func:`curves`.
        panels: title -> rows drawn in it.
        zero: error of zero flow, drawn as a line.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(3.6 * len(panels), 3.9), sharey=True, squeeze=False)
    for ax, (title, rows) in zip(axes[0], panels.items()):
        for row in rows:
            error = seen[seen["row"] == row].groupby("step")["epe_visible_px"].agg(["mean", "min", "max"])
            title_of_row, colour = resolve("flow", row, "laptop").title, f"C{ROWS.index(row)}"
            ax.plot(error.index, error["mean"], ".-", color=colour, label=title_of_row, linewidth=1.2, markersize=3)
            ax.fill_between(error.index, error["min"], error["max"], color=colour, alpha=0.2, linewidth=0)
        if zero is not None:
            ax.axhline(zero, color="black", linestyle=":", linewidth=1, label="zero flow")
        ax.set(xlabel="step")
        ax.set_title(title, fontsize=9)
        ax.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.18), frameon=False)
    axes[0][0].set_ylabel("flow error where shown, px")
    figure.tight_layout()
    return figure


def steps_to(seen: pd.DataFrame, error: float) -> pd.DataFrame:
    """Return after how many steps each training's flow error was at most ``error``, else "never": rows x seeds.

    Args:
        seen: of :func:`curves`.
        error: in pixels, on the pairs that the curves are measured on.
    """
    there = seen[seen["epe_visible_px"] <= error].groupby(["row", "seed"])["step"].min().unstack("seed")
    wanted = [row for row in ROWS if row in set(seen["row"])]
    there = there.reindex(index=wanted, columns=sorted(set(seen["seed"]))).astype("Int64").astype("string")
    return there.fillna("never").rename(index={row: resolve("flow", row, "laptop").title for row in wanted})


@cache
def _features() -> FeatureNetwork:
    return features.load("procnet")
