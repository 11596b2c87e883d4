"""The best match of every position, without a matrix of all pairs."""

import torch
from torch import Tensor

from repro.checks import require_shape
from repro.ops.sampling import at_least_float32

NORM_OFFSET = 1e-8  # added to every norm, as the authors' code does
BLOCK_ELEMENTS = 2**22  # similarities held at once: 16 MiB in float32


def max_cosine_similarity(a: Tensor, b: Tensor) -> Tensor:
    r"""Return, for every position of ``a``, its largest cosine similarity with any position of ``b`` (paper Eq. 3).

    .. math:: \mu_{max}^l = \max_{l'} \frac{b^{l'} \cdot a^l}{(\|b^{l'}\| + 10^{-8})(\|a^l\| + 10^{-8})}

    The loss calls it with a = target features and b = source features. All pairs are visited in blocks of positions of
    ``a``; neither the forward nor the backward pass keeps the matrix. Half precision is computed in float32.

    Args:
        a: features, (B, C, H, W).
        b: features, (B, C, S, T); the size may differ from that of ``a``.

    Returns:
        (B, H, W), at least float32.

    Raises:
        ValueError: batch or channels differ, or ``b`` has no position.
    """
    sizes = require_shape("a", a, "B C H W")
    sizes = require_shape("b", b, "B C S T", sizes=sizes)
    positions = sizes["S"] * sizes["T"]
    if positions == 0:
        raise ValueError(f"expected b with at least one position, got {tuple(b.shape)}")
    block = max(1, BLOCK_ELEMENTS // (max(sizes["B"], 1) * positions))
    with torch.autocast(a.device.type, enabled=False):  # it would round the products to half precision
        unit_a = _unit_rows(a)
        unit_b = _unit_rows(b).transpose(1, 2)
        best = [(rows @ unit_b).max(dim=2).values for rows in unit_a.split(block, dim=1)]
    return torch.cat(best, dim=1).view(sizes["B"], sizes["H"], sizes["W"])


def _unit_rows(features: Tensor) -> Tensor:
    """Return (B, H W, C), every vector divided by its norm + 1e-8."""
    rows = at_least_float32(features).flatten(2).transpose(1, 2)
    return rows / (rows.norm(dim=2, keepdim=True) + NORM_OFFSET)
