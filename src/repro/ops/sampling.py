"""Read small windows of a map at sub-pixel positions: the one way in which every operation here samples.

A window is separable: some consecutive rows and some consecutive columns around floor(own position + flow). Indexes
outside the map are clamped per axis (the nearest edge pixel); the weights come from the unclamped fraction. Indexing
directly, instead of through normalised coordinates, keeps the right-hand derivative at integer positions exact.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from repro.checks import require_shape


def check_source_and_flow(source: Tensor, flow: Tensor) -> dict[str, int]:
    """Return the sizes B C S T (source B C S T) and H W (flow B 2 H W); refuse tensors that cannot be sampled."""
    sizes = require_shape("source", source, "B C S T")
    sizes = require_shape(
        "flow", flow, "B 2 H W", sizes=sizes, hint="flow has one (x, y) pair of pixels per target position"
    )
    for name, tensor in (("source", source), ("flow", flow)):
        if not tensor.is_floating_point():
            raise TypeError(f"expected {name} to be floating point, got {tensor.dtype}: convert it with .float()")
    if sizes["S"] == 0 or sizes["T"] == 0:
        raise ValueError(f"expected source with at least one pixel, got {tuple(source.shape)}")
    return sizes


def at_least_float32(tensor: Tensor) -> Tensor:
    """Return the tensor, half precision widened: bfloat16 has no fraction beyond pixel 128, float16 beyond 1024."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def sample_positions(flow: Tensor) -> tuple[Tensor, Tensor]:
    """Return the sampled columns x and rows y, own position + flow, each (B, H, W), at least float32."""
    flow = at_least_float32(flow)
    height, width = flow.shape[-2:]
    x = flow[:, 0] + torch.arange(width, device=flow.device, dtype=flow.dtype)
    y = flow[:, 1] + torch.arange(height, device=flow.device, dtype=flow.dtype)[:, None]
    return x, y


def axis_window(position: Tensor, length: int, before: int, after: int) -> tuple[Tensor, Tensor]:
    """Return the window of one axis: clamped indexes floor - before ... floor + after, and the fraction behind floor.

    Positions so far outside that the whole window lies on one edge pixel are moved to where that begins: the value is
    the same, the gradient 0, and infinities stay harmless. NaN keeps a NaN fraction but gets an index inside the map.

    Args:
        position: coordinates on an axis, (B, H, W), pixels.
        length: number of pixels of the axis.
        before: pixels before the floor.
        after: pixels after the floor.

    Returns:
        indexes (B, H, W, before + after + 1), int64 in [0, length), and fractions (B, H, W).
    """
    position = position.clamp(-after, length - 1 + before)
    floor = position.detach().floor()
    taps = torch.arange(-before, after + 1, device=position.device)
    indexes = (torch.nan_to_num(floor).long()[..., None] + taps).clamp(0, length - 1)
    return indexes, position - floor


def sum_window(source: Tensor, rows: Tensor, columns: Tensor, weights: Tensor) -> Tensor:
    """Return, at every position, the weighted sum of its window's pixels, without a copy of the windows.

    Args:
        source: map, (B, C, S, T).
        rows: row indexes, (B, H, W, m).
        columns: column indexes, (B, H, W, n).
        weights: weights, (B, H, W, m, n), shared by all channels.

    Returns:
        (B, C, H, W), dtype of ``source``.
    """
    words, bags = _words_and_bags(source, rows, columns)
    summed = F.embedding_bag(
        bags, words, mode="sum", per_sample_weights=weights.flatten(3).flatten(0, 2).to(words.dtype)
    )
    return summed.view(*rows.shape[:3], source.shape[1]).permute(0, 3, 1, 2)


def sum_window_backward(
    gradient: Tensor, source: Tensor, rows: Tensor, columns: Tensor, weights: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the gradients of ``sum_window`` from the window itself, so that nothing else need be kept.

    Args:
        gradient: of the result, (B, C, H, W), dtype of ``source``.
        source, rows, columns, weights: as ``sum_window`` takes them.

    Returns:
        gradients of the source (B, C, S, T) and of the weights (B, H, W, m, n), the same bits every time.
    """
    words, bags = _words_and_bags(source, rows, columns)
    per_bag = gradient.permute(0, 2, 3, 1).reshape(len(bags), source.shape[1])
    number = torch.arange(len(bags), device=bags.device, dtype=bags.dtype)
    starts, owner = number * bags.shape[1], number.repeat_interleave(bags.shape[1])
    flat, nothing = bags.flatten(), bags.new_empty(0)
    of_weights = torch.ops.aten._embedding_bag_per_sample_weights_backward(per_bag, words, flat, starts, owner, 0)
    of_words = torch.ops.aten._embedding_bag_dense_backward(
        per_bag, flat, owner, nothing, nothing, len(words), False, 0, weights.flatten().to(words.dtype)
    )
    batch, channels, height, width = source.shape
    return of_words.view(batch, height, width, channels).permute(0, 3, 1, 2), of_weights.view(weights.shape)


def _words_and_bags(source: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """Return one "word" per pixel, (B S T, C), and one "bag" of pixel numbers per window, (B H W, m n).

    The embedding bag is a gather with weights, and knows its gradients.
    """
    batch, channels, height, width = source.shape
    words = source.permute(0, 2, 3, 1).reshape(-1, channels)
    number = torch.int32 if len(words) < 2**31 else torch.int64  # a backward pass keeps them: half the memory
    image = torch.arange(batch, device=rows.device, dtype=number).view(-1, 1, 1, 1)
    pixels = ((image * height + rows.to(number)) * width)[..., :, None] + columns.to(number)[..., None, :]
    return words, pixels.flatten(3).flatten(0, 2)
