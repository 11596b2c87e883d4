"""Figure 7: where each kind of attention reads the source for a marked region of the target, and where it should."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from repro.data import Pair
from repro.models import LocalAttention, Output
from repro.models.ablations import GlobalAttentionLayer
from repro.ops import attend, bilinear_warp
from repro.pages import held_out
from repro.pages.example import example_network
from repro.pages.figures import show_image
from repro.pages.tables import labels_of

ROWS = ("global_attn", "local_attn", "bi_sample", "full")
LAYER = 2
"""The finer of the two attention layers: a quarter of the image."""
SIDE = 3
"""Positions of that layer along the side of a marked region."""
NEAR = 2.0
"""Positions from the true place within which a reading counts as near."""
COLOUR = "#D62728"


def reading(row: str, output: Output, layer: int = LAYER) -> Tensor:
    """Return how strongly each target position reads each source position, (h * w, h, w); each sums to 1.

    What every kind of attention here reads is linear in the source's values, so reading a source that is 1 at one
    position and 0 elsewhere gives that position's weight.

    Args:
        row: of Table II, with attention.
        output: of its network, of one picture.
        layer: attention layer.
    """
    attention = example_network(row)[0].attention(layer)  # type: ignore[operator]  # a GFLA or a GlobalAttention
    seen = output.attention_inputs[layer]
    with torch.no_grad():
        if isinstance(attention, GlobalAttentionLayer):
            return attention.coefficients(*seen)[0]
        if isinstance(attention, LocalAttention):
            basis = one_hot(seen[2])
            return (
                attend(basis, seen[2], attention.coefficients(*seen), mean=False)[0]
                .flatten(1)
                .T.unflatten(1, basis.shape[2:])
            )
        return flow_reading(seen[2])


def flow_reading(flow: Tensor) -> Tensor:
    """Return the same of a flow (1, 2, h, w) that is followed bilinearly."""
    basis = one_hot(flow)
    return bilinear_warp(basis, flow)[0].flatten(1).T.unflatten(1, basis.shape[2:])


def one_hot(like: Tensor) -> Tensor:
    """Return (1, h * w, h, w): one channel per position, 1 there and 0 elsewhere."""
    height, width = like.shape[-2:]
    return torch.eye(height * width, dtype=like.dtype).unflatten(1, (height, width))[None]


def true_reading(pair: Pair, layer: int = LAYER) -> tuple[Tensor, Tensor]:
    """Return the exact flow's reading (h * w, h, w), and where the source shows what the target does, (h, w) bool."""
    flow, visible = pair.flow_at(*(side // 2**layer for side in pair.size))
    return flow_reading(flow[None].float()), visible


def region(visible: Tensor) -> tuple[slice, slice]:
    """Return the square of ``SIDE`` positions with the most visible ones; of equal squares the nearest to the middle.

    Args:
        visible: (h, w) bool; the middle is that of the visible positions.
    """
    counts = F.avg_pool2d(visible[None, None].double(), SIDE, stride=1)[0, 0] * SIDE**2
    places = torch.stack(torch.meshgrid(*(torch.arange(n) for n in counts.shape), indexing="ij"), -1)
    middle = visible.nonzero().double().mean(0) - SIDE // 2
    away = (places - middle).norm(dim=-1) / max(visible.shape)
    top, left = divmod(int((counts - away / 4).argmax()), counts.shape[1])
    return slice(top, top + SIDE), slice(left, left + SIDE)


def heat_figure(numbers: Sequence[int]) -> Figure:
    """Return two lines per pair: the pictures with the marked region, and below what is read for it in the source.

    Each heat map is scaled to its own maximum.
    """
    titles = labels_of(held_out.recorded())
    figure, axes = plt.subplots(2 * len(numbers), 1 + len(ROWS), figsize=(8.5, 3.5 * len(numbers)), squeeze=False)
    for line, number in enumerate(numbers):
        pair = held_out.pairs()[number]
        truth, visible = true_reading(pair)
        marked = region(visible)
        pictures, readings = {"target": pair.target}, [truth]
        for row in ROWS:
            output = held_out.answer(row, pair)
            pictures[titles[row]] = (output.image[0] + 1) / 2
            readings.append(reading(row, output))
        for ax, (title, picture) in zip(axes[2 * line], pictures.items()):
            show_image(ax, picture, "" if line else title)
            _mark(ax, marked, picture.shape[-1] / visible.shape[-1])
        for ax, weights in zip(axes[2 * line + 1], readings):
            _overlay(ax, pair.source, heat(weights, marked))
        axes[2 * line][0].set_ylabel(f"pair {number}", fontsize=8)
        axes[2 * line + 1][0].set_ylabel("to be read here", fontsize=8)
    figure.tight_layout(pad=0.3)
    return figure


def heat(weights: Tensor, marked: tuple[slice, slice]) -> Tensor:
    """Return how strongly each source position is read for a region: the readings' sum over it, (h, w).

    Args:
        weights: (h * w, h, w), of all target positions.
        marked: rows and columns of the region.
    """
    return weights.unflatten(0, weights.shape[1:])[marked].sum((0, 1))


def aim(weights: Tensor, flow: Tensor, where: Tensor) -> tuple[float, float, float]:
    r"""Return how wide readings are and how well they aim, each a mean over the target positions ``where``.

    Args:
        weights: (h * w, h, w), each sum 1.
        flow: exact, (2, h, w), positions of this map: the true place of position l is l + w.
        where: (h, w) bool.

    Returns:
        effective number of positions read, :math:`e^{H}` with the entropy H of a reading; distance of the reading's
        centre from the true place, in positions; share of the weight within ``NEAR`` positions of it.
    """
    height, width = where.shape
    grid = torch.stack(torch.meshgrid(torch.arange(width), torch.arange(height), indexing="xy")).double()
    read = weights.double()[where.flatten()]
    true = (grid + flow)[:, where].T
    entropy = -torch.xlogy(read, read).sum((1, 2))
    centre = torch.einsum("nhw,chw->nc", read, grid)
    near = (grid[None] - true[:, :, None, None]).norm(dim=1) <= NEAR
    return (
        entropy.exp().mean().item(),
        (centre - true).norm(dim=1).mean().item(),
        (read * near).sum((1, 2)).mean().item(),
    )


def aim_table(numbers: Sequence[int]) -> pd.DataFrame:
    """Return one line per kind of attention: :func:`aim` over what the source shows, means over pairs.

    Args:
        numbers: of pairs; those that show nothing at this layer are left out.
    """
    titles = labels_of(held_out.recorded())
    found: dict[str, list[tuple[float, float, float]]] = {}
    for number in numbers:
        pair = held_out.pairs()[number]
        truth, visible = true_reading(pair)
        if visible.any():
            flow = pair.flow_at(*visible.shape)[0]
            for row in ROWS:
                weights = reading(row, held_out.answer(row, pair))
                found.setdefault(titles[row], []).append(aim(weights, flow, visible))
            found.setdefault("exact flow", []).append(aim(truth, flow, visible))
    columns = ["positions read", "centre off, positions", f"within {NEAR:g} positions"]
    means = {name: torch.tensor(lines).mean(0).tolist() for name, lines in found.items()}
    return pd.DataFrame.from_dict(means, orient="index", columns=columns)


def _mark(axes: Axes, marked: tuple[slice, slice], stride: float) -> None:
    rows, columns = marked
    corner = (columns.start * stride - 0.5, rows.start * stride - 0.5)
    size = (columns.stop - columns.start) * stride, (rows.stop - rows.start) * stride
    axes.add_patch(Rectangle(corner, *size, fill=False, edgecolor=COLOUR, linewidth=1.5))


def _overlay(axes: Axes, source: Tensor, weights: Tensor) -> None:
    show_image(axes, source.mean(0))
    height, width = source.shape[-2:]
    axes.imshow(weights.numpy(), extent=(-0.5, width - 0.5, height - 0.5, -0.5), cmap="magma", vmin=0, alpha=0.7)
