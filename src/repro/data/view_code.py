"""From where a thing is seen: a ring of 18 azimuths at three elevations, its code, and the pairs of views.

The ring of the data's reference, ``procedural_data.md``, has 36 azimuths; only every second one, the 20 degrees of the
authors' loaders, is rendered.
"""

from itertools import permutations

import torch
from torch import Tensor

AZIMUTHS = 18
"""Steps of 20 degrees: 0 = in front of the thing, 90 degrees = at its left side."""
ELEVATIONS = (0, 10, 20)
"""Degrees."""
VIEWS = AZIMUTHS * len(ELEVATIONS)
CODE = AZIMUTHS + len(ELEVATIONS)


def view_number(azimuth: int, elevation: int) -> int:
    """Return the number of a view of one thing: all azimuths of elevation 0 first, then of 1, then of 2.

    Args:
        azimuth: step of 20 degrees, 0 to 17.
        elevation: step of 10 degrees, 0 to 2.

    Raises:
        ValueError: no such view.
    """
    if not (0 <= azimuth < AZIMUTHS and 0 <= elevation < len(ELEVATIONS)):
        raise ValueError(
            f"expected azimuth step 0 to {AZIMUTHS - 1} and elevation step 0 to {len(ELEVATIONS) - 1}, "
            f"got {azimuth} and {elevation}"
        )
    return elevation * AZIMUTHS + azimuth


def view_code(view: int) -> Tensor:
    """Return the code (21,) float32 of a view: one-hot 18 azimuths, then one-hot 3 elevations."""
    code = torch.zeros(CODE)
    code[view % AZIMUTHS] = code[AZIMUTHS + view_number(view % AZIMUTHS, view // AZIMUTHS) // AZIMUTHS] = 1
    return code


def view_pairs(split: str, count: int) -> Tensor:
    """Return the pairs (N, 2) int64 of views of ``count`` things with 54 views each: source, target.

    "train": all ordered pairs of different azimuths at one elevation. "test", the authors' rule: one source per thing,
    at elevation 0, whose azimuth cycles with the thing's number, and all 18 azimuths as targets, its own among them.
    """
    thing = torch.arange(count)[:, None, None] * VIEWS
    if split == "test":
        azimuth = torch.arange(count)[:, None] % AZIMUTHS
        of_one = torch.stack(torch.broadcast_tensors(azimuth, torch.arange(AZIMUTHS)[None]), -1)
    else:
        ring = torch.tensor(list(permutations(range(AZIMUTHS), 2)))
        of_one = torch.cat([ring + level * AZIMUTHS for level in range(len(ELEVATIONS))])
    return (thing + of_one).reshape(-1, 2)
