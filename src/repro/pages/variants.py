"""Figure 6: what the rows of Table II make of the same held-out pairs, and how much of the cloth's detail arrives."""

from collections.abc import Sequence

import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor

from repro.checks import require_shape
from repro.pages import held_out
from repro.pages.figures import image_grid
from repro.pages.tables import labels_of

ROWS = ("baseline", "global_attn", "local_attn", "bi_sample", "full")
"""In the order of Table II."""
ENOUGH = 20
"""Visible pixels of the person from which its detail is judged."""


def made(row: str, number: int) -> Tensor:
    """Return the picture (3, H, W) in [0, 1] that a row's network makes of a pair."""
    return ((held_out.answer(row, held_out.pairs()[number]).image[0] + 1) / 2).clamp(0, 1)


def side_by_side(numbers: Sequence[int]) -> Figure:
    """Return one line per pair: source, true target, and what every row makes of it."""
    titles, moves = labels_of(held_out.recorded()), held_out.movement()
    lines = []
    for number in numbers:
        pair = held_out.pairs()[number]
        answers = {titles[row]: made(row, number) for row in ROWS}
        lines.append({"source": pair.source, "target": pair.target} | answers)
    return image_grid(lines, labels=[f"pair {number}\n{moves[number]:.0f} px" for number in numbers])


def detail(generated: Tensor, target: Tensor, where: Tensor) -> tuple[float, float]:
    r"""Return how much local contrast a picture has, relative to the target, and how much of it is the target's.

    With d the differences between neighbours, to the right and downwards, where both are in ``where``:

    .. math:: \frac{\sum|d_{made}|}{\sum|d_{true}|}, \qquad
              \frac{\langle d_{made}, d_{true}\rangle}{\|d_{made}\|\,\|d_{true}\|}

    Args:
        generated, target: (3, H, W).
        where: (H, W) bool.
    """
    sizes = require_shape("generated", generated, "3 H W")
    require_shape("target", target, "3 H W", sizes=sizes)
    require_shape("where", where, "H W", sizes=sizes)
    ours, true = _steps(generated.double(), where), _steps(target.double(), where)
    return (ours.abs().sum() / true.abs().sum()).item(), torch.cosine_similarity(ours, true, dim=0).item()


def detail_table(numbers: Sequence[int]) -> pd.DataFrame:
    """Return one line per row: mean amount and agreement of detail on the visible part of the person.

    Args:
        numbers: of pairs; those that show less than ``ENOUGH`` pixels of the target person are left out.
    """
    pairs = {number: held_out.pairs()[number] for number in numbers}
    seen = {number: pair for number, pair in pairs.items() if pair.visible.sum() >= ENOUGH}
    titles, lines = labels_of(held_out.recorded()), {}
    for row in ROWS:
        found = [detail(made(row, number), pair.target, pair.visible) for number, pair in seen.items()]
        amount, agreement = torch.tensor(found).mean(0).tolist()
        lines[titles[row]] = {"amount": amount, "agreement": agreement, "pairs": len(found)}
    return pd.DataFrame.from_dict(lines, orient="index")


def _steps(image: Tensor, where: Tensor) -> Tensor:
    """Differences between neighbours that are both in ``where``, as one vector."""
    both = [where[:, 1:] & where[:, :-1], where[1:] & where[:-1]]
    return torch.cat([image.diff(dim=2)[:, both[0]].flatten(), image.diff(dim=1)[:, both[1]].flatten()])
