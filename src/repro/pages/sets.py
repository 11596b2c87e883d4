"""What the page of the studio's sets shows: contact sheets, clips with their flow, turning things, landmarks."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from repro.data import PROCEDURAL, Clip, manifests
from repro.data.overview import studio_row
from repro.data.studio import expression, motion, wardrobe
from repro.ops import bilinear_warp
from repro.pages.figures import flow_colours, image_row, show_image

HIDDEN = 0.55
"""Grey of what the other picture does not show."""


def glance() -> pd.DataFrame:
    """Return one line per set of the studio: what it stands in for, its own size, how much there is by default."""
    lines = {}
    for name in PROCEDURAL:
        row = studio_row(name)
        titles = [manifests.manifest(real).title.split(",")[0] for real in row.imitates.split(", ")]
        lines[name] = {"stands in for": ", ".join(titles), "own size": row.size, "default, train + test": row.splits}
    return pd.DataFrame.from_dict(lines, orient="index")


def held_out() -> pd.DataFrame:
    """Return what each set keeps for its test split: textures, and kinds of motion."""
    kinds = {"face": expression.HELD_OUT_KIND} | dict.fromkeys(("fashion_video", "iper", "h36m"), motion.HELD_OUT_KIND)
    lines = {}
    for name, made in PROCEDURAL.items():
        textures = () if name == "h36m" else getattr(made, "HELD_OUT", wardrobe.HELD_OUT)
        lines[name] = {"textures": ", ".join(textures) or "-", "motion": kinds.get(name, "-")}
    return pd.DataFrame.from_dict(lines, orient="index")


def contact_sheet(rows: Mapping[str, Sequence[Tensor]], *, height: float = 0.85) -> Figure:
    """Return pictures row by row, each row with its name at the left.

    Args:
        rows: name -> pictures (3, H, W) in [0, 1], of one size within a row.
        height: inches of a row.
    """
    gap = 0.04
    strips = []
    for pictures in rows.values():
        space = torch.ones(3, pictures[0].shape[1], max(1, round(gap * pictures[0].shape[1])))
        strips.append(torch.cat([part for picture in pictures for part in (picture, space)][:-1], 2))
    ratios = [strip.shape[2] / strip.shape[1] for strip in strips]
    figure, axes = plt.subplots(
        len(rows), figsize=(max(ratios) * height, len(rows) * height * (1 + gap)), squeeze=False
    )
    for ax, name, strip in zip(axes[:, 0], rows, strips):
        show_image(ax, strip)
        ax.set_anchor("W")
        ax.axis("off")
        ax.text(-0.01, 0.5, name, transform=ax.transAxes, ha="right", va="center", fontsize=8)
    figure.subplots_adjust(0, 0, 1, 1, 0, gap)
    return figure


def clip_row(clip: Clip, frame: int, *, largest: float, height: float = 1.5) -> Figure:
    """Return one frame with its flows as colours; grey where the other picture does not show the point.

    Args:
        clip: with ground truth.
        frame: which.
        largest: flow in pixels that is fully saturated; flows to the previous frame are drawn eight times as strong.
        height: inches of one picture.
    """
    one = clip.slice(frame, frame + 1)
    flows = {}
    for name, (flow, visible), scale in (
        ("flow to source", one.to_source_at(*clip.size), 1.0),
        ("flow to previous, 8x", one.to_previous_at(*clip.size), 8.0),
    ):
        flows[name] = torch.where(visible[0], flow_colours(scale * flow[0], largest=largest), torch.tensor(HIDDEN))
    return image_row({"source": clip.source, "frame": one.frames[0], **flows}, height=height)


def chained(flows: Tensor, followed: Tensor) -> tuple[Tensor, Tensor]:
    r"""Return the flow of the last frame through all frames before it, and the pixels that could be followed.

    .. math:: c_t(x) = c_{t-1}\big(x + w_t(x)\big) + w_t(x)

    Args:
        flows: (T, 2, H, W), each frame's flow to the one before it, pixels.
        followed: (T, H, W) bool, where the frame before shows the point.

    Returns:
        (2, H, W) from the last frame to the one before the first; (H, W) bool: every step read four pixels that could
        be followed themselves.
    """
    total, sure = flows[-1:].clone(), followed[-1:].clone()
    for flow, known in zip(flows[:-1].flip(0), followed[:-1].flip(0)):
        sure = sure & (bilinear_warp(known[None, None].to(flow.dtype), total)[:, 0] > 0.999)
        total = total + bilinear_warp(flow[None], total)
    return total[0], sure[0]


def turn_row(pictures: Mapping[str, Tensor], code: Tensor, *, height: float = 1.7) -> Figure:
    """Return the pictures of one view side by side, under them the code (21,) of the view as squares, dark = 1."""
    figure, axes = plt.subplots(
        2, len(pictures), figsize=(len(pictures) * height, 1.25 * height), height_ratios=(6, 1), squeeze=False
    )
    for ax, (title, picture) in zip(axes[0], pictures.items()):
        show_image(ax, picture, title)
    for ax in axes[1]:
        ax.remove()
    below = figure.add_subplot(axes[1, 0].get_gridspec()[1, :])
    below.pcolormesh(code[None].numpy(), cmap="gray_r", edgecolors="#999999", linewidth=0.5, vmin=0, vmax=1)
    below.set(aspect="equal", xticks=[9, 19.5], xticklabels=["18 azimuths", "3 elevations"], yticks=[])
    below.tick_params(length=0, labelsize=7)
    below.axvline(18, color="#D55E00", linewidth=1.5)
    return figure


def draw_landmarks(axes: Axes, landmarks: Tensor) -> None:
    """Draw the 68 landmarks (68, 2) of a face as small dots over its picture."""
    axes.plot(landmarks[:, 1], landmarks[:, 0], "o", color="#009E73", markersize=1.0)
