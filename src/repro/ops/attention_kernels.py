"""Triton kernels of ``attention_fused.gather``: one weighted sum over (k + 1) x (k + 1) pixels, forward and backward.

A program owns a few positions and runs over all taps and channels. A tap's weight is made in registers from four
coefficients and the common fractions; backward, the gradients of flow and coefficients are summed over channels and
taps in registers and written once, and the source's gradient is scattered by float atomics (their order varies:
``attention_fused`` takes torch's sorted sum instead where deterministic algorithms are asked for).
Features are read as rows of channels, so that neighbouring threads read neighbouring numbers.
"""

import math

import torch
import triton
import triton.language as tl
from torch import Tensor

POSITIONS = 32  # of a forward program; the backward one holds the gradient as well and takes half
CHANNELS = 128  # that a program holds at once


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
    image = index // (height * width)
    i = index // width % height
    j = index % width
    here = flow + image * f0 + i * f2 + j * f3
    x = j + tl.load(here, mask=valid, other=0.0).to(DTYPE)
    y = i + tl.load(here + f1, mask=valid, other=0.0).to(DTYPE)
    row, beta = _axis(y, source_height, REACH)
    column, alpha = _axis(x, source_width, REACH)
    return image, i, j, row, beta, column, alpha


@triton.jit
def _coefficient(here, c1, valid, u: tl.constexpr, v: tl.constexpr, K: tl.constexpr, DTYPE: tl.constexpr):
    """Return coefficient (u, v) of the positions; beyond the k x k patch there is none: 0."""
    exists = (u >= 0) & (u < K) & (v >= 0) & (v < K)
    return tl.load(here + (u * K + v) * c1, mask=valid & exists, other=0.0).to(DTYPE)


@triton.jit
def _clamped(index, length):
    return tl.minimum(tl.maximum(index, 0), length - 1)


@triton.jit
def _gather(
    source, flow, coefficients, out, count, channels, height, width, source_height, source_width,
    f0, f1, f2, f3, c0, c1, c2, c3,
    K: tl.constexpr, DTYPE: tl.constexpr, DIVISOR: tl.constexpr, BLOCK: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    index = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    channel = tl.program_id(1) * WIDTH + tl.arange(0, WIDTH)
    valid = index < count
    mask = valid[:, None] & (channel < channels)[None, :]
    image, i, j, row, beta, column, alpha = _place(
        flow, index, valid, height, width, source_height, source_width, f0, f1, f2, f3, K // 2, DTYPE
    )
    kernel = coefficients + image * c0 + i * c2 + j * c3
    total = tl.zeros((BLOCK, WIDTH), DTYPE)
    for u in tl.static_range(K + 1):
        line = (image * source_height + _clamped(row + (u - K // 2), source_height)) * source_width
        left = tl.zeros((BLOCK,), DTYPE)  # the column of coefficients before this one, shared between two rows
        for v in tl.static_range(K + 1):
            above = _coefficient(kernel, c1, valid, u - 1, v, K, DTYPE)
            here = _coefficient(kernel, c1, valid, u, v, K, DTYPE)
            right = above * beta + here * (1 - beta)
            weight = (left * alpha + right * (1 - alpha)) / DIVISOR
            pixel = line + _clamped(column + (v - K // 2), source_width)
            value = tl.load(source + pixel[:, None] * channels + channel[None, :], mask=mask, other=0.0)
            total += weight[:, None] * value.to(DTYPE)
            left = right
    tl.store(out + index[:, None] * channels + channel[None, :], total, mask=mask)


@triton.jit
def _gather_backward(
    gradient, source, flow, coefficients, of_source, of_flow, of_coefficients,
    count, channels, height, width, source_height, source_width,
    f0, f1, f2, f3, c0, c1, c2, c3,
    K: tl.constexpr, DTYPE: tl.constexpr, DIVISOR: tl.constexpr, BLOCK: tl.constexpr, WIDTH: tl.constexpr,
    CHUNKS: tl.constexpr,
):  # fmt: skip
    index = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    valid = index < count
    image, i, j, row, beta, column, alpha = _place(
        flow, index, valid, height, width, source_height, source_width, f0, f1, f2, f3, K // 2, DTYPE
    )
    kernel = coefficients + image * c0 + i * c2 + j * c3
    nothing = tl.zeros((BLOCK,), DTYPE)
    of_alpha = nothing
    of_beta = nothing
    row_before = ()  # what the taps of the row above are worth, shared between two columns: one entry per coefficient
    for u in tl.static_range(K + 1):
        line = (image * source_height + _clamped(row + (u - K // 2), source_height)) * source_width
        left_above = nothing
        left_here = nothing
        worth_before = nothing
        row_now = ()
        for v in tl.static_range(K + 1):
            above = _coefficient(kernel, c1, valid, u - 1, v, K, DTYPE)
            here = _coefficient(kernel, c1, valid, u, v, K, DTYPE)
            left = left_above * beta + left_here * (1 - beta)
            right = above * beta + here * (1 - beta)
            weight = (left * alpha + right * (1 - alpha)) / DIVISOR
            pixel = line + _clamped(column + (v - K // 2), source_width)
            worth = nothing  # the weight's gradient: <gradient, pixel> over the channels
            for chunk in range(CHUNKS):
                channel = chunk * WIDTH + tl.arange(0, WIDTH)
                mask = valid[:, None] & (channel < channels)[None, :]
                goal = index[:, None] * channels + channel[None, :]
                place = pixel[:, None] * channels + channel[None, :]
                received = tl.load(gradient + goal, mask=mask, other=0.0).to(DTYPE)
                worth += tl.sum(received * tl.load(source + place, mask=mask, other=0.0).to(DTYPE), axis=1)
                tl.atomic_add(of_source + place, weight[:, None] * received, mask=mask, sem="relaxed")
            worth = worth / DIVISOR
            of_alpha += worth * (left - right)
            of_beta += worth * ((left_above - left_here) * alpha + (above - here) * (1 - alpha))
            if v > 0:
                shared = worth_before * (1 - alpha) + worth * alpha
                if u > 0:
                    corner = row_before[v - 1] * (1 - beta) + shared * beta
                    tl.store(of_coefficients + index * (K * K) + ((u - 1) * K + v - 1), corner, mask=valid)
                row_now = row_now + (shared,)  # type: ignore[assignment]  # noqa: RUF005 (Triton unpacks no tuples)
            left_above = above
            left_here = here
            worth_before = worth
        row_before = row_now
    first = of_flow + (image * 2 * height + i) * width + j
    tl.store(first, of_alpha, mask=valid)
    tl.store(first + height * width, of_beta, mask=valid)


def gather(source: Tensor, flow: Tensor, coefficients: Tensor, mean: bool) -> Tensor:
    """Return what ``attention_fused.gather`` returns, in its layout."""
    rows, arguments, constants = _arguments(source, flow, coefficients, mean)
    batch, channels = source.shape[:2]
    out = source.new_empty(batch, *flow.shape[2:], channels)
    if out.numel():
        grid = (triton.cdiv(arguments[0], POSITIONS), triton.cdiv(channels, constants["WIDTH"]))
        _gather[grid](rows, flow, coefficients, out, *arguments, BLOCK=POSITIONS, **constants)
    return out.permute(0, 3, 1, 2)


def gather_backward(
    gradient: Tensor, source: Tensor, flow: Tensor, coefficients: Tensor, mean: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Return what ``attention_fused.gather_backward`` returns, up to the order of the sums in the source's gradient."""
    rows, arguments, constants = _arguments(source, flow, coefficients, mean)
    batch, k = source.shape[0], constants["K"]
    wide = torch.float64 if constants["DTYPE"] == tl.float64 else torch.float32
    of_source = torch.zeros_like(rows, dtype=wide)
    of_flow = flow.new_empty(flow.shape, dtype=wide)
    of_coefficients = coefficients.new_empty(batch, *flow.shape[2:], k * k, dtype=wide)
    if arguments[0]:
        received = gradient.permute(0, 2, 3, 1).contiguous()
        _gather_backward[(triton.cdiv(arguments[0], POSITIONS // 2),)](
            received, rows, flow, coefficients, of_source, of_flow, of_coefficients, *arguments,
            BLOCK=POSITIONS // 2, CHUNKS=triton.cdiv(source.shape[1], constants["WIDTH"]), **constants,
        )  # fmt: skip
    return (
        of_source.to(source.dtype).permute(0, 3, 1, 2),
        of_flow.to(flow.dtype),
        of_coefficients.to(coefficients.dtype).permute(0, 3, 1, 2),
    )


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
        "WIDTH": min(CHANNELS, triton.next_power_of_2(channels)),
    }
    rows = source.permute(0, 2, 3, 1).contiguous()
    return rows, (*numbers, *flow.stride(), *coefficients.stride()), constants
