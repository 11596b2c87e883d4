"""Does a clip hold still where the surface does? Measured along the exact flow; no network looks."""

import torch
from torch import Tensor

from repro.checks import require_shape
from repro.metrics.flow import masked_mean
from repro.ops import bilinear_warp

SEEN = 8
"""Frames in which a surface point must be seen to count for flicker: a third of a second."""


def warping_error(frames: Tensor, flow_to_previous: Tensor, where: Tensor) -> Tensor:
    r"""Return the mean difference between each frame and the frame before moved onto it, (T - 1,), float64.

    .. math:: \frac{\sum_l V_t(l)\,\lvert x_t(l) - x_{t-1}(l + w_{t \to t-1}(l)) \rvert}{\sum_l V_t(l)}

    Even real frames are not free of it: light changes on what turns, and half pixels blur. A score is therefore read
    against that of the real frames. A blurred clip can lie below them; the error of the *error pictures*, generated
    minus real, cannot gain by blur.

    Convention: flow (x, y), from a frame to the frame before, in pixels.

    Args:
        frames: (T, 3, H, W), pictures in [0, 1] or differences of pictures.
        flow_to_previous: (T, 2, H, W); that of the first frame is not read.
        where: (T, H, W) bool: the frame before shows the point; and whatever else restricts it (the person).

    Returns:
        (T - 1,), NaN where no point counts.
    """
    sizes = require_shape("frames", frames, "T 3 H W")
    require_shape("flow to the previous frame", flow_to_previous, "T 2 H W", sizes=sizes)
    require_shape("where", where, "T H W", sizes=sizes)
    return masked_mean(_changes(frames, flow_to_previous), where[1:])


def _changes(frames: Tensor, flow_to_previous: Tensor) -> Tensor:
    """Return how much each frame's pixels differ from the frame before moved onto it, (T - 1, H, W), over colours."""
    frames = frames.double()
    moved = bilinear_warp(frames[:-1], flow_to_previous[1:].double())
    return (frames[1:] - moved).abs().mean(1)


def surface_colours(frames: Tensor, flow_to_source: Tensor, where: Tensor) -> tuple[Tensor, Tensor]:
    r"""Return the colours of surface points over time: every frame painted back onto the source picture.

    The points are those at the centres of the source's pixels, p. Every pixel l of a frame gives its colour to the four
    around the place l + w(l) where the source shows its point, with the weights b of bilinear interpolation:

    .. math:: c_t(p) = \frac{\sum_l V_t(l)\, b(p - l - w_t(l))\, x_t(l)}{\sum_l V_t(l)\, b(p - l - w_t(l))}

    Args:
        frames: (T, 3, H, W).
        flow_to_source: (T, 2, H, W), (x, y), pixels.
        where: (T, H, W) bool: the source shows the pixel's point.

    Returns:
        colours (T, 3, H, W) float64, zero where not seen; seen (T, H, W) bool: the weights add to half a pixel or more.
    """
    sizes = require_shape("frames", frames, "T 3 H W")
    require_shape("flow to the source", flow_to_source, "T 2 H W", sizes=sizes)
    require_shape("where", where, "T H W", sizes=sizes)
    count, height, width = (sizes[letter] for letter in "THW")
    frame, row, column = where.cpu().nonzero(as_tuple=True)
    x, y = (flow_to_source.cpu()[frame, axis, row, column].double() + own for axis, own in ((0, column), (1, row)))
    colour = frames.cpu().double()[frame, :, row, column].T
    cells = count * height * width
    sums = torch.zeros(4, cells, dtype=torch.float64)  # three colours and the weight
    for down in (0, 1):
        for right in (0, 1):
            p, q = y.floor() + down, x.floor() + right
            weight = (1 - (y - p).abs()) * (1 - (x - q).abs())
            inside = (p >= 0) & (p < height) & (q >= 0) & (q < width)
            cell = ((frame * height + p.long()) * width + q.long())[inside]
            for channel, values in enumerate((*colour, torch.ones_like(x))):
                sums[channel] += torch.bincount(cell, (weight * values)[inside], minlength=cells)
    seen = sums[3] >= 0.5
    colours = torch.where(seen, sums[:3] / sums[3], 0).view(3, count, height, width).transpose(0, 1)
    return colours, seen.view(count, height, width)


def flicker(frames: Tensor, flow_to_source: Tensor, where: Tensor) -> float:
    r"""Return how much the colour of a fixed surface point varies over time, mean over points and colours.

    .. math:: \operatorname{mean}_{p, \text{colour}} \operatorname{std}_{t:\,p \text{ seen}} c_t(p)

    with the population's standard deviation, over the points that at least eight frames show. Convention and arguments:
    :func:`surface_colours`; ``where`` is best restricted to the person: the background does not move.

    Returns:
        NaN where no point is seen often enough.
    """
    colours, seen = surface_colours(frames, flow_to_source, where)
    often = seen.sum(0) >= SEEN
    colours, seen = colours[:, :, often], seen[:, None, often]
    count = seen.sum(0)
    mean = colours.sum(0) / count
    variance = torch.where(seen, (colours - mean).square(), 0).sum(0) / count
    return variance.sqrt().mean().item()


def temporal_scores(
    generated: Tensor,
    real: Tensor,
    *,
    to_previous: tuple[Tensor, Tensor],
    to_source: tuple[Tensor, Tensor],
    person: Tensor,
) -> dict[str, float]:
    """Return the scores of one clip against its real frames.

    ``_excess`` is generated minus real (below 0: smoother than reality), ``_real`` the real frames' own, ``_residual``
    that of the pictures generated - real: what the errors themselves change over time, 0 only where they stand still.

    Args:
        generated: (T, 3, H, W) in [0, 1].
        real: (T, 3, H, W).
        to_previous: exact flow (T, 2, H, W) to the frame before, and where that shows the point (T, H, W).
        to_source: the same to the source picture.
        person: (T, H, W) bool, where it counts; ``warping_error`` is also taken over the whole picture.

    Returns:
        ``warping_error_*``, ``warping_error_person_*`` and ``flicker_*``, colours in [0, 1]; NaN where nothing counts.
    """
    scores: dict[str, float] = {}
    pictures = {"generated": generated.double(), "real": real.double()}
    pictures["residual"] = pictures["generated"] - pictures["real"]
    flow, visible = to_previous
    back, shown = to_source
    for what, frames in pictures.items():
        changes = _changes(frames, flow)  # once for both: the warp is what takes time
        for name, where in (("warping_error", visible), ("warping_error_person", visible & person)):
            scores[f"{name}_{what}"] = masked_mean(changes, where[1:]).nanmean().item()
        scores[f"flicker_{what}"] = flicker(frames, back, shown & person)
    for name in ("warping_error", "warping_error_person", "flicker"):
        scores[f"{name}_excess"] = scores.pop(f"{name}_generated") - scores[f"{name}_real"]
    return scores
