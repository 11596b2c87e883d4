"""Patches as the paper writes them: slow, large and obvious. The oracle of everything that avoids them."""

import torch
from torch import Tensor

from repro.ops.sampling import check_source_and_flow, sample_positions


def extract_patches(source: Tensor, flow: Tensor, k: int) -> Tensor:
    r"""Return every position's k x k patch of the source around own position + flow, N_k(f_s, l + w^l) of Eq. 8-9.

    Output pixel (Y, X) belongs to the cell (i, j) = (Y div k, X div k) and to the patch pixel
    (a, b) = (Y mod k - k div 2, X mod k - k div 2); it is the source read bilinearly at

    .. math:: (x, y) = (j + w_x^{ij} + b,\; i + w_y^{ij} + a)

    Convention: pixel centres at integers, outside = nearest edge pixel (each of the four indexes is clamped on its own,
    weights come from the unclamped fraction). At integer positions the flow gets the right-hand derivative.

    The authors' CUDA operation gives, for batches, a wrong gradient of the target patches (it reads a non-contiguous
    gradient by its strides: the first half of the batch gets it twice, the second half not at all); this one is right.

    Args:
        source: map, (B, C, S, T); it may differ in size from the flow.
        flow: offsets, (B, 2, H, W), (x, y), pixels of the source, target -> source.
        k: side of the patch, >= 1; even sides reach one pixel further up and left (k = 4: -2 ... 1).

    Returns:
        (B, C, k H, k W), dtype of ``source``. NaN in the flow gives a patch of NaN at that position only.

    Raises:
        TypeError, ValueError: a tensor of another kind or shape, or k < 1.
    """
    sizes = check_source_and_flow(source, flow)
    if k < 1:
        raise ValueError(f"expected patch side k >= 1, got {k}")
    x, y = sample_positions(flow)
    offsets = torch.arange(k, device=x.device, dtype=x.dtype) - k // 2
    # One position per output pixel: every cell repeated k times along both axes, plus its offset.
    x = x.repeat_interleave(k, -1).repeat_interleave(k, -2) + offsets.repeat(sizes["W"])
    y = y.repeat_interleave(k, -1).repeat_interleave(k, -2) + offsets.repeat(sizes["H"])[:, None]
    # Beyond one pixel outside both corners are the edge pixel; a bound keeps the conversion to integers defined.
    x = x.clamp(-1, sizes["T"])
    y = y.clamp(-1, sizes["S"])
    x0, y0 = x.detach().floor(), y.detach().floor()
    alpha, beta = (x - x0)[:, None], (y - y0)[:, None]
    image = torch.arange(sizes["B"], device=x.device).view(-1, 1, 1)

    def corner(column: Tensor, row: Tensor) -> Tensor:
        column = torch.nan_to_num(column).long().clamp(0, sizes["T"] - 1)
        row = torch.nan_to_num(row).long().clamp(0, sizes["S"] - 1)
        return source[image, :, row, column].permute(0, 3, 1, 2)

    top = (1 - alpha) * corner(x0, y0) + alpha * corner(x0 + 1, y0)
    bottom = (1 - alpha) * corner(x0, y0 + 1) + alpha * corner(x0 + 1, y0 + 1)
    return ((1 - beta) * top + beta * bottom).to(source.dtype)
