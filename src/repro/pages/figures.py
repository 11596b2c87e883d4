"""Pictures that the pages share: image rows, flow fields, skeletons, heat maps.

Every function draws on axes that it is given or returns a matplotlib figure; a page ends the cell with ``plt.show()``.
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import hsv_to_rgb
from matplotlib.figure import Figure
from torch import Tensor

from repro.data.joints import LIMBS

# One colour per method, the same in every figure of the book (Okabe and Ito's palette, safe for colour-blind readers).
METHOD_COLOURS = {
    "baseline": "#999999",
    "global_attn": "#CC79A7",
    "local_attn": "#E69F00",
    "bi_sample": "#56B4E9",
    "full": "#D55E00",
    "full_mean": "#0072B2",
    "zero flow": "#000000",
    "bone warp": "#009E73",
    "pair_network": "#999999",
    "naive_animation": "#E69F00",
    "seq_animation": "#56B4E9",
    "ours_animation": "#D55E00",
    "no_temporal_discriminator": "#CC79A7",
}


def image_array(image: Tensor) -> np.ndarray:
    """Return a (3, H, W) or (H, W) tensor as an array that ``imshow`` takes, clipped to [0, 1]."""
    array = image.detach().cpu().float().clamp(0, 1)
    return array.permute(1, 2, 0).numpy() if array.ndim == 3 else array.numpy()


def show_image(axes: Axes, image: Tensor, title: str = "", **options) -> None:
    """Draw one image without ticks."""
    axes.imshow(
        image_array(image), **({"cmap": "gray", "vmin": 0, "vmax": 1} | options if image.ndim == 2 else options)
    )
    axes.set_title(title, fontsize=9)
    axes.set_xticks([])
    axes.set_yticks([])


def image_row(images: Mapping[str, Tensor], *, height: float = 2.2) -> Figure:
    """Return a figure with the images side by side, their names above them.

    Args:
        images: title -> (3, H, W) or (H, W), values in [0, 1].
        height: inches of one picture.
    """
    shapes = [tuple(image.shape[-2:]) for image in images.values()]
    ratios = [w / h for h, w in shapes]
    figure, axes = plt.subplots(
        1, len(images), figsize=(sum(ratios) * height, height + 0.3), width_ratios=ratios, squeeze=False
    )
    for ax, (title, image) in zip(axes[0], images.items()):
        show_image(ax, image, title)
    figure.tight_layout(pad=0.4)
    return figure


def image_grid(rows: Sequence[Mapping[str, Tensor]], *, labels: Sequence[str] = (), height: float = 1.3) -> Figure:
    """Return a figure with one line of images per mapping; titles are those of the first line.

    Args:
        rows: each a mapping title -> image (3, H, W) or (H, W) in [0, 1]; all with the same number of images.
        labels: one text per line, written at its left.
        height: inches of one picture.
    """
    columns = len(rows[0])
    first = next(iter(rows[0].values()))
    ratio = first.shape[-1] / first.shape[-2]
    figure, axes = plt.subplots(
        len(rows), columns, figsize=(columns * ratio * height, len(rows) * height + 0.3), squeeze=False
    )
    for r, row in enumerate(rows):
        for ax, (title, image) in zip(axes[r], row.items()):
            show_image(ax, image, title if r == 0 else "")
        if r < len(labels):
            axes[r][0].set_ylabel(labels[r], fontsize=8)
    figure.tight_layout(pad=0.3)
    return figure


def flow_colours(flow: Tensor, *, largest: float | None = None) -> Tensor:
    """Return a flow field as colours: hue is the direction, saturation the length.

    Args:
        flow: (2, H, W), pixels, channel 0 = x.
        largest: the length that is drawn fully saturated; default the field's own maximum.

    Returns:
        (3, H, W) in [0, 1]; zero flow is white.
    """
    x, y = flow.detach().cpu().double().numpy()
    length = np.hypot(x, y)
    scale = largest if largest is not None else max(float(np.nanmax(length)), 1e-9)
    hue = (np.arctan2(y, x) / (2 * np.pi)) % 1.0
    hsv = np.stack([hue, np.clip(length / scale, 0, 1), np.ones_like(hue)], -1)
    return torch.from_numpy(hsv_to_rgb(np.nan_to_num(hsv))).permute(2, 0, 1).float()


def draw_flow(axes: Axes, flow: Tensor, *, where: Tensor | None = None, step: int = 4, colour: str = "#D55E00") -> None:
    """Draw a flow as arrows that start at the target pixel and end at the source place that it names.

    Args:
        axes: axes that show the target image at the flow's resolution.
        flow: (2, H, W), pixels of this map, target to source.
        where: (H, W) bool, pixels that get an arrow; default all.
        step: draw every ``step``-th pixel of both axes.
        colour: of the arrows.
    """
    height, width = flow.shape[-2:]
    rows, columns = np.mgrid[step // 2 : height : step, step // 2 : width : step]
    keep = np.ones(rows.shape, bool) if where is None else where.cpu().numpy()[rows, columns]
    x, y = flow.detach().cpu().numpy()[:, rows, columns]
    axes.quiver(
        columns[keep], rows[keep], x[keep], y[keep],
        angles="xy", scale_units="xy", scale=1, color=colour, width=0.004, headwidth=4,
    )  # fmt: skip


def draw_skeleton(axes: Axes, joints: Tensor, *, colour: str = "#0072B2", numbers: bool = False) -> None:
    """Draw the OpenPose-18 skeleton over an image; missing joints and their limbs are left out.

    Args:
        axes: axes that show the image.
        joints: (18, 2), (row, column) in pixels of that image, -1 missing.
        colour: of limbs and joints.
        numbers: write each joint's index beside it.
    """
    places = joints.detach().cpu().numpy()
    seen = np.all(places >= 0, axis=-1)
    for a, b in LIMBS:
        if seen[a] and seen[b]:
            axes.plot(places[[a, b], 1], places[[a, b], 0], color=colour, linewidth=1.5, solid_capstyle="round")
    axes.plot(places[seen, 1], places[seen, 0], "o", color=colour, markersize=3, markeredgecolor="white", mew=0.5)
    if numbers:
        for k in np.flatnonzero(seen):
            axes.annotate(str(k), (places[k, 1], places[k, 0]), xytext=(3, -2), textcoords="offset points", fontsize=6)


def pose_picture(heatmaps: Tensor) -> Tensor:
    """Return the strongest heat map of each pixel as one grey picture.

    Args:
        heatmaps: (K, H, W) in [0, 1].

    Returns:
        (H, W) in [0, 1].
    """
    return heatmaps.amax(0)
