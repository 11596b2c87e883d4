"""What attention looks at, in numbers: how strongly each source position is read for target positions."""

import torch
from torch import Tensor

from repro.models import GFLA, LocalAttention
from repro.models.gfla import Output
from repro.ops import attend


def reading_weights(model: GFLA, output: Output, layer: int, row: int, column: int) -> Tensor:
    """Return how strongly each source position is read for one target position: Eq. 8's kernel on the source's grid.

    Args:
        model: the network that made ``output``.
        output: of one picture (B = 1).
        layer: attention layer (3: an eighth of the image, 2: a quarter).
        row, column: target position on that layer's map.

    Returns:
        (h, w), not negative, sum 1.
    """
    positions = torch.zeros_like(output.attention_inputs[layer][2][0, 0])
    positions[row, column] = 1
    return region_weights(model, output, layer, positions)


def region_weights(model: GFLA, output: Output, layer: int, positions: Tensor) -> Tensor:
    """Return how strongly each source position is read for several target positions: their kernels' weighted sum.

    Args:
        model, output, layer: as for :func:`reading_weights`.
        positions: (h, w), how much each target position of that layer's map counts.

    Returns:
        (h, w), not negative for positive ``positions``, of their sum.

    Raises:
        TypeError: the network has no local attention.
    """
    source, target, flow = output.attention_inputs[layer]
    attention = model.attention(layer)
    if not isinstance(attention, LocalAttention):
        raise TypeError(f"expected a network with local attention, got {type(attention).__name__}: it has no kernels")
    with torch.no_grad():
        kernels = attention.coefficients(source, target, flow)
    # Attending is linear in the source, so the gradient of what was read is the weight of every source position.
    ones = torch.ones_like(source[:, :1], requires_grad=True)
    read = (attend(ones, flow, kernels, mean=False)[0, 0] * positions).sum()
    return torch.autograd.grad(read, ones)[0][0, 0]
