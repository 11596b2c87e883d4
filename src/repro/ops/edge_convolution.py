"""Convolutions of a map whose edge pixels repeat outside: what identity 1 makes of a convolution of patches.

Channels last throughout: the result is then read pixel by pixel without a copy. The extended map is written in one pass
from any layout, and made again for the backward pass instead of being kept.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def convolve(features: Tensor, margin: int, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return the convolution of the map with ``margin`` more pixels on every side, each equal to its nearest pixel.

    Args:
        features: map, (B, C, H, W).
        margin: pixels added on every side.
        weight: filters, (M, C, k, k).
        bias: (M).

    Returns:
        (B, M, H + 2 margin - k + 1, W + 2 margin - k + 1), channels last.
    """
    return channels_last(F.conv2d(_extend(features, margin), weight, bias))


def convolve_backward(gradient: Tensor, features: Tensor, margin: int, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradients of ``convolve`` with respect to features, channels last, and weight.

    Args:
        gradient: of the result.
        features: as ``convolve`` takes them.
        margin: as ``convolve`` takes it.
        weight: as ``convolve`` takes it.
    """
    of_extended, of_weight, _ = torch.ops.aten.convolution_backward(
        gradient, _extend(features, margin), weight, None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1, [True, True, False]
    )
    # The margin's gradient belongs to the edge pixels; added in place, axis by axis.
    for axis in (2, 3):
        size = features.shape[axis]
        inner = of_extended.narrow(axis, margin, size)
        if margin:
            inner.select(axis, 0).add_(of_extended.narrow(axis, 0, margin).sum(dim=axis))
            inner.select(axis, size - 1).add_(of_extended.narrow(axis, margin + size, margin).sum(dim=axis))
        of_extended = inner
    return channels_last(of_extended), of_weight.contiguous()


def channels_last(features: Tensor) -> Tensor:
    """Return the map in channels-last layout: itself where it has it."""
    return features.contiguous(memory_format=torch.channels_last)


def _extend(features: Tensor, margin: int) -> Tensor:
    """Return the map with its edge pixels repeated ``margin`` times on every side, channels last."""
    batch, channels, height, width = features.shape
    out = features.new_empty(batch, height + 2 * margin, width + 2 * margin, channels).permute(0, 3, 1, 2)
    out[:, :, margin : margin + height, margin : margin + width] = features
    for axis, size in ((2, height), (3, width)):
        for start, edge in ((0, margin), (margin + size, margin + size - 1)):
            out.narrow(axis, start, margin).copy_(out.narrow(axis, edge, 1))
    return out
