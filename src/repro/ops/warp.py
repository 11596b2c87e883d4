"""Warp a map by a flow: one value per target position, read at own position + flow."""

import torch
from torch import Tensor

from repro.ops.sampling import axis_window, check_source_and_flow, sample_positions, sum_window


def bilinear_warp(source: Tensor, flow: Tensor) -> Tensor:
    r"""Return the source read bilinearly where the flow points, w(f_s) of the paper.

    .. math:: f_{s,w}^l = (1-\beta)\big[(1-\alpha) f_s^{y,x} + \alpha f_s^{y,x+1}\big]
              + \beta\big[(1-\alpha) f_s^{y+1,x} + \alpha f_s^{y+1,x+1}\big],
              \quad (x+\alpha, y+\beta) = l + w^l

    Convention: pixel centres at integers, origin top left, outside = nearest edge pixel. At exactly integer positions
    the flow gets the right-hand derivative v[n+1] - v[n] (0 at the last pixel and outside), as in the authors'
    operation; torch's grid sampling differs there.

    Args:
        source: map f_s, (B, C, S, T); it may differ in size from the flow.
        flow: offsets w, (B, 2, H, W), channel 0 = x, 1 = y, pixels of the source, target -> source.

    Returns:
        (B, C, H, W), dtype of ``source``. An infinite flow reads the edge pixel; NaN gives NaN at that position only.

    Raises:
        TypeError, ValueError: a tensor of another kind or shape.
    """
    sizes = check_source_and_flow(source, flow)
    x, y = sample_positions(flow)
    columns, alpha = axis_window(x, sizes["T"], before=0, after=1)
    rows, beta = axis_window(y, sizes["S"], before=0, after=1)
    along_x = torch.stack([1 - alpha, alpha], dim=-1)
    along_y = torch.stack([1 - beta, beta], dim=-1)
    return sum_window(source, rows, columns, along_y[..., :, None] * along_x[..., None, :])


def gaussian_warp(source: Tensor, flow: Tensor, sigma: float = 2.0) -> Tensor:
    r"""Return the source read through a 4 x 4 Gaussian window where the flow points.

    .. math:: f^l = \frac{\sum_p g_p\, f_s^p}{\sum_p g_p},
              \quad g_p = \exp\!\big(-\|p - (l + w^l)\|^2 / 2\sigma^2\big)

    over the 16 pixels p from floor - 1 to floor + 2 on each axis. The sampling correctness loss reads the source
    features this way: a blur, whose gradient sees two pixels to either side. Paper: a bilinear warp is implied; this is
    what the authors' code does.

    Convention: as ``bilinear_warp``. The distance is that to the unclamped pixel: clamping an index to the edge does
    not change its weight. At integer positions the window moves on by one pixel and the value jumps: the window to the
    right is taken. Gradients are those of the quotient, exact on both sides.

    Args:
        source: map, (B, C, S, T); it may differ in size from the flow.
        flow: offsets, (B, 2, H, W), (x, y), pixels of the source, target -> source.
        sigma: standard deviation in pixels, > 0.

    Returns:
        (B, C, H, W), dtype of ``source``. An infinite flow reads the edge pixel; NaN gives NaN at that position only.

    Raises:
        TypeError, ValueError: a tensor of another kind or shape, or ``sigma`` not positive.
    """
    sizes = check_source_and_flow(source, flow)
    if not sigma > 0:
        raise ValueError(f"expected sigma > 0 pixels, got {sigma}")
    x, y = sample_positions(flow)
    columns, alpha = axis_window(x, sizes["T"], before=1, after=2)
    rows, beta = axis_window(y, sizes["S"], before=1, after=2)
    along_x, along_y = _gaussian(alpha, sigma), _gaussian(beta, sigma)
    return sum_window(source, rows, columns, along_y[..., :, None] * along_x[..., None, :])


def _gaussian(fraction: Tensor, sigma: float) -> Tensor:
    """Return the four normalised weights of an axis; the 2-D quotient is the product of two such quotients."""
    taps = torch.arange(-1, 3, device=fraction.device, dtype=fraction.dtype)
    squared_distance = (taps - fraction[..., None]).square()
    return torch.softmax(-squared_distance / (2 * sigma**2), dim=-1)
