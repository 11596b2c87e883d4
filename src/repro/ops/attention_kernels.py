"""Triton kernels of ``attention_fused.gather``: one weighted sum over (k + 1) x (k + 1) pixels, forward and backward.

A program owns a few positions and runs over all taps and channels. A tap's weight is made in registers from four
coefficients and the common fractions; backward, the gradients of flow and coefficients are summed over channels and
taps in registers and written once, and the source's gradient is scattered by float atomics (their order varies:
``attention_fused`` takes torch's sorted sum instead where deterministic algorithms are asked for).
Features are read as rows of channels, so that neighbouring threads read neighbouring numbers.

Positions are numbered in 32 bits where that is enough (dividing numbers of 64 bits takes a GPU a hundred instructions)
and offsets of numbers in memory always in 64.
"""

import math

import torch
import triton
import triton.language as tl
from torch import Tensor

# Positions and channels that a program holds at once: as many as fit a thread's 255 registers at k = 5 (a test counts
# what the compiler spills). All channels at once let the backward program load the incoming gradient only once.
FORWARD_POSITIONS, FORWARD_CHANNELS = 8, 128
BACKWARD_POSITIONS, BACKWARD_CHANNELS = 4, 256
NARROW = 2**31 - 2**8  # positions that 32 bits number, with room for the last program's


@triton.jit
def _axis(position, length, REACH: tl.constexpr):
    """Return the floor as an integer and the fraction behind it; the far outside ends at the edge, NaN has index 0."""
    is_number = position == position
    inside = tl.minimum(tl.maximum(tl.where(is_number, position, 0.0), -REACH - 1.0), length - 1.0 + REACH)
    floor = tl.floor(inside)
    return floor.to(tl.int32), tl.where(is_number, inside - floor, position)


@triton.jit
def _place(flow, index, valid, height, width, source_height, source_width, f0, f1, f2, f3,
           REACH: tl.constexpr, DTYPE: tl.constexpr):  # fmt: skip
    """Return image, row and column of the positions, then floor and fraction of where they look, along y and x."""
    image = (index // (height * width)).to(tl.int64)
    row = index // width % height
    column = index % width
    i = row.to(tl.int64)
    j = column.to(tl.int64)
    here = flow + image * f0 + i * f2 + j * f3
    x = column + tl.load(here, mask=valid, other=0.0).to(DTYPE)
    y = row + tl.load(here + f1, mask=valid, other=0.0).to(DTYPE)
    first_row, beta = _axis(y, source_height, REACH)
    first_column, alpha = _axis(x, source_width, REACH)
    return image, i, j, first_row, beta, first_column, alpha


@triton.jit
def _coefficient(here, c1, valid, u: tl.constexpr, v: tl.constexpr, K: tl.constexpr, DTYPE: tl.constexpr):
    """Return coefficient (u, v) of the positions; beyond the k x k patch there is none: 0."""
    if (u < K) & (v < K):
        value = tl.load(here + (u * K + v) * c1, mask=valid, other=0.0).to(DTYPE)
    else:
        value = tl.zeros(valid.shape, DTYPE)
    return value


@triton.jit
def _clamped(index, length):
    return tl.minimum(tl.maximum(index, 0), length - 1)


@triton.jit
def _gather(
    source, flow, coefficients, out, count, channels, height, width, source_height, source_width,
    f0, f1, f2, f3, c0, c1, c2, c3,
    K: tl.constexpr, DTYPE: tl.constexpr, INDEX: tl.constexpr, DIVISOR: tl.constexpr, BLOCK: tl.constexpr,
    WIDTH: tl.constexpr,
):  # fmt: skip
    index = tl.program_id(0).to(INDEX) * BLOCK + tl.arange(0, BLOCK)
    channel = tl.program_id(1) * WIDTH + tl.arange(0, WIDTH)
    valid = index < count
    mask = valid[:, None] & (channel < channels)[None, :]
    image, i, j, row, beta, column, alpha = _place(
        flow, index, valid, height, width, source_height, source_width, f0, f1, f2, f3, K // 2, DTYPE
    )
    kernel = coefficients + image * c0 + i * c2 + j * c3
    total = tl.zeros((BLOCK, WIDTH), DTYPE)
    row_above = ()  # of coefficients: every one is loaded once and serves two rows of pixels
    for u in tl.static_range(K + 1):
        line = (image * source_height + _clamped(row + (u - K // 2), source_height)) * source_width
        left = tl.zeros((BLOCK,), DTYPE)  # the column of coefficients before this one, shared between two rows
        row_here = ()
        for v in tl.static_range(K + 1):
            above = row_above[v] if u > 0 else tl.zeros((BLOCK,), DTYPE)
            here = _coefficient(kernel, c1, valid, u, v, K, DTYPE)
            row_here = row_here + (here,)  # type: ignore[assignment]  # noqa: RUF005 (Triton unpacks no tuples)
            right = above * beta + here * (1 - beta)
            weight = left * alpha + right * (1 - alpha)
            pixel = line + _clamped(column + (v - K // 2), source_width)
            value = tl.load(source + pixel[:, None] * channels + channel[None, :], mask=mask, other=0.0)
            total += weight[:, None] * value.to(DTYPE)
            left = right
        row_above = row_here
    tl.store(out + index.to(tl.int64)[:, None] * channels + channel[None, :], total * (1.0 / DIVISOR), mask=mask)


@triton.jit
def _received(gradient, index, channels, mask, channel, DTYPE: tl.constexpr, DIVISOR: tl.constexpr):
    """Return the incoming gradient of positions and channels, already divided: its products need not be."""
    here = gradient + index[:, None] * channels + channel[None, :]
    return tl.load(here, mask=mask, other=0.0).to(DTYPE) * (1.0 / DIVISOR)


@triton.jit
def _gather_backward(
    gradient, source, flow, coefficients, of_source, of_flow, of_coefficients,
    count, channels, height, width, source_height, source_width,
    f0, f1, f2, f3, c0, c1, c2, c3,
    K: tl.constexpr, DTYPE: tl.constexpr, INDEX: tl.constexpr, DIVISOR: tl.constexpr, BLOCK: tl.constexpr,
    WIDTH: tl.constexpr, CHUNKS: tl.constexpr,
):  # fmt: skip
    index = tl.program_id(0).to(INDEX) * BLOCK + tl.arange(0, BLOCK)
    valid = index < count
    image, i, j, row, beta, column, alpha = _place(
        flow, index, valid, height, width, source_height, source_width, f0, f1, f2, f3, K // 2, DTYPE
    )
    kernel = coefficients + image * c0 + i * c2 + j * c3
    index = index.to(tl.int64)
    channel = tl.arange(0, WIDTH)
    mask = valid[:, None] & (channel < channels)[None, :]
    if CHUNKS == 1:
        received = _received(gradient, index, channels, mask, channel, DTYPE, DIVISOR)
    nothing = tl.zeros((BLOCK,), DTYPE)
    of_alpha = nothing
    of_beta = nothing
    row_above = ()  # of coefficients: every one is loaded once and serves two rows of pixels
    worths_above = ()  # of the row of pixels above
    for u in tl.static_range(K + 1):
        line = (image * source_height + _clamped(row + (u - K // 2), source_height)) * source_width
        left = nothing
        row_here = ()
        worths = ()
        for v in tl.static_range(K + 1):
            above = row_above[v] if u > 0 else nothing
            here = _coefficient(kernel, c1, valid, u, v, K, DTYPE)
            row_here = row_here + (here,)  # type: ignore[assignment]  # noqa: RUF005 (Triton unpacks no tuples)
            right = above * beta + here * (1 - beta)
            weight = left * alpha + right * (1 - alpha)
            pixel = line + _clamped(column + (v - K // 2), source_width)
            worth = nothing  # the weight's gradient: <gradient, pixel> over the channels
            for chunk in range(CHUNKS):
                if CHUNKS > 1:
                    channel = chunk * WIDTH + tl.arange(0, WIDTH)
                    mask = valid[:, None] & (channel < channels)[None, :]
                    received = _received(gradient, index, channels, mask, channel, DTYPE, DIVISOR)
                numbers = pixel[:, None] * channels + channel[None, :]
                worth += tl.sum(received * tl.load(source + numbers, mask=mask, other=0.0).to(DTYPE), axis=1)
                tl.atomic_add(of_source + numbers, weight[:, None] * received, mask=mask, sem="relaxed")
            if (u > 0) & (v > 0):  # the tap between this pixel and the three before it
                # Differences of pixels first: beyond the edge, where pixels are equal, the flow's gradient is just 0.
                upper = worths_above[v] - worths_above[v - 1]  # type: ignore[var-annotated]
                lower = worth - worths[v - 1]
                top = worths_above[v - 1] + alpha * upper
                down = worths[v - 1] + alpha * lower - top
                of_alpha += row_above[v - 1] * (upper + beta * (lower - upper))
                of_beta += row_above[v - 1] * down
                place = of_coefficients + index * (K * K) + ((u - 1) * K + v - 1)
                tl.store(place, top + beta * down, mask=valid)
            worths = worths + (worth,)  # type: ignore[assignment]  # noqa: RUF005
            left = right
        row_above = row_here
        worths_above = worths
    first = of_flow + (image * 2 * height + i) * width + j
    tl.store(first, of_alpha, mask=valid)
    tl.store(first + height * width, of_beta, mask=valid)


def gather(source: Tensor, flow: Tensor, coefficients: Tensor, mean: bool) -> Tensor:
    """Return what ``attention_fused.gather`` returns, in its layout."""
    rows, arguments, constants = _arguments(source, flow, coefficients, mean)
    batch, channels = source.shape[:2]
    out = source.new_empty(batch, *flow.shape[2:], channels)
    if out.numel():
        width = min(FORWARD_CHANNELS, triton.next_power_of_2(channels))
        grid = (triton.cdiv(arguments[0], FORWARD_POSITIONS), triton.cdiv(channels, width))
        with torch.cuda.device_of(source):  # Triton launches on the current GPU, which need not be the source's
            _gather[grid](rows, flow, coefficients, out, *arguments, BLOCK=FORWARD_POSITIONS, WIDTH=width, **constants)
    return out.permute(0, 3, 1, 2)


def gather_backward(
    gradient: Tensor, source: Tensor, flow: Tensor, coefficients: Tensor, mean: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Return what ``attention_fused.gather_backward`` returns, up to the order of the sums in the source's gradient."""
    rows, arguments, constants = _arguments(source, flow, coefficients, mean)
    batch, channels, k = *source.shape[:2], constants["K"]
    wide = torch.float64 if constants["DTYPE"] == tl.float64 else torch.float32
    of_source = torch.zeros_like(rows, dtype=wide)
    of_flow = flow.new_empty(flow.shape, dtype=wide)
    of_coefficients = coefficients.new_empty(batch, *flow.shape[2:], k * k, dtype=wide)
    if arguments[0]:
        received = gradient.permute(0, 2, 3, 1).contiguous()
        width = min(BACKWARD_CHANNELS, triton.next_power_of_2(channels))
        with torch.cuda.device_of(source):
            _gather_backward[(triton.cdiv(arguments[0], BACKWARD_POSITIONS),)](
                received, rows, flow, coefficients, of_source, of_flow, of_coefficients, *arguments,
                BLOCK=BACKWARD_POSITIONS, WIDTH=width, CHUNKS=triton.cdiv(channels, width), **constants,
            )  # fmt: skip
    return (
        of_source.to(source.dtype).permute(0, 3, 1, 2),
        of_flow.to(flow.dtype),
        of_coefficients.to(coefficients.dtype).permute(0, 3, 1, 2),
    )


def try_out(device: torch.device) -> None:
    """Launch the forward kernel on one pixel: where Triton cannot build what a launch needs, this raises."""
    one = torch.zeros(1, 1, 1, 1, device=device)
    gather(one, torch.zeros(1, 2, 1, 1, device=device), one, False)


def _arguments(source: Tensor, flow: Tensor, coefficients: Tensor, mean: bool) -> tuple[Tensor, tuple, dict]:
    """Return the source as rows of channels (B, S, T, C), and the numbers and constants that both kernels take."""
    batch, channels, source_height, source_width = source.shape
    height, width = flow.shape[2:]
    numbers = (batch * height * width, channels, height, width, source_height, source_width)
    double = torch.float64 in (source.dtype, flow.dtype, coefficients.dtype)
    constants = {
        "K": math.isqrt(coefficients.shape[1]),
        "DIVISOR": coefficients.shape[1] if mean else 1,
        "DTYPE": tl.float64 if double else tl.float32,  # of positions, weights and sums
        "INDEX": tl.int32 if numbers[0] <= NARROW else tl.int64,  # of the positions' numbers
    }
    rows = source.permute(0, 2, 3, 1).contiguous()
    return rows, (*numbers, *flow.stride(), *coefficients.stride()), constants
