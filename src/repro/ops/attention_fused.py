"""The fast path of local attention: two operations of torch's library, with backward passes that recompute.

Kept for the backward pass, besides arguments and results: the kernel net's hidden map and the convolved source. The
edge-extended maps, the windows, their weights and the activation are made again.

Both operations sample in one way, ``gather``: k x k coefficients per position, spread bilinearly over the
(k + 1) x (k + 1) pixels that their samples touch (identity 2). Reading one map bilinearly is the case k = 1.
On GPUs it is a pair of Triton kernels. Convolutions follow torch's switches (TF32, autotuning) as elsewhere.
Second derivatives are not defined here; the reference has them.
"""

import functools
import math
import warnings
from collections.abc import Callable
from types import ModuleType

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.flop_counter import register_flop_formula

from repro.ops.edge_convolution import convolve, convolve_backward
from repro.ops.sampling import at_least_float32, axis_window, sample_positions, sum_window, sum_window_backward

SLOPE = 0.1  # of the kernel net's LeakyReLU: the authors' everywhere


def gather(source: Tensor, flow: Tensor, coefficients: Tensor, mean: bool) -> Tensor:
    """Return sum_t coefficients[t] * source(l + w + t), over k^2 if ``mean``: (B, C, H, W), channels last."""
    if kernels := kernels_for(source):
        return kernels.gather(source, flow, coefficients, mean)
    rows, columns, alpha, beta, kernel = _window(source, flow, coefficients)
    weights = _spread(kernel / (coefficients.shape[1] if mean else 1), alpha, beta)
    return sum_window(at_least_float32(source), rows, columns, weights).to(source.dtype)


def gather_backward(
    gradient: Tensor, source: Tensor, flow: Tensor, coefficients: Tensor, mean: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of ``gather`` with respect to source, flow and coefficients.

    Where torch is told to be deterministic, GPUs too take the sorted sum of plain torch: atomics vary in their order.
    """
    if (kernels := kernels_for(source)) and not torch.are_deterministic_algorithms_enabled():
        return kernels.gather_backward(gradient, source, flow, coefficients, mean)
    rows, columns, alpha, beta, kernel = _window(source, flow, coefficients)
    divisor = coefficients.shape[1] if mean else 1
    of_source, of_weights = sum_window_backward(
        at_least_float32(gradient), at_least_float32(source), rows, columns, _spread(kernel / divisor, alpha, beta)
    )
    # The adjoint of spreading. A window beyond the edge has equal pixels along an axis: its differences are exactly 0.
    of_weights = of_weights.to(kernel.dtype) / divisor
    alpha, beta = alpha[..., None, None], beta[..., None, None]
    along_x = torch.lerp(of_weights[..., :-1], of_weights[..., 1:], alpha)
    along_y = torch.lerp(of_weights[..., :-1, :], of_weights[..., 1:, :], beta)
    of_alpha = (kernel * along_y.diff(dim=-1)).sum(dim=(-2, -1))
    of_beta = (kernel * along_x.diff(dim=-2)).sum(dim=(-2, -1))
    of_kernel = torch.lerp(along_x[..., :-1, :], along_x[..., 1:, :], beta).flatten(3).permute(0, 3, 1, 2)
    of_flow = torch.stack([of_alpha, of_beta], dim=1)
    return of_source.to(source.dtype), of_flow.to(flow.dtype), of_kernel.to(coefficients.dtype)


def kernels_for(tensor: Tensor) -> ModuleType | None:
    """Return the module of Triton kernels for tensors on a GPU, else None."""
    return triton_kernels() if tensor.device.type == "cuda" else None


@functools.cache
def triton_kernels() -> ModuleType | None:
    """Return the module of Triton kernels; where they cannot run say so, once, and return None.

    Triton's first launch on a GPU builds a little C, so a missing compiler or header shows only then: one is tried.
    """
    try:
        from repro.ops import attention_kernels

        if torch.cuda.is_available():
            attention_kernels.try_out(torch.device("cuda"))
    except Exception as error:  # whatever it is, plain torch gives the same numbers
        reason = next(iter(str(error).splitlines()), type(error).__name__).rstrip(".")
        warnings.warn(
            f"local attention runs without its Triton kernels: {reason}; they need triton, a C compiler and Python.h",
            stacklevel=2,
        )
        return None
    return attention_kernels


def _window(source: Tensor, flow: Tensor, coefficients: Tensor) -> tuple[Tensor, ...]:
    """Return rows and columns (B, H, W, k + 1), fractions alpha and beta (B, H, W), coefficients (B, H, W, k, k)."""
    k = math.isqrt(coefficients.shape[1])
    x, y = sample_positions(flow)
    columns, alpha = axis_window(x, source.shape[3], before=k // 2, after=k // 2 + 1)
    rows, beta = axis_window(y, source.shape[2], before=k // 2, after=k // 2 + 1)
    dtype = torch.promote_types(x.dtype, coefficients.dtype)
    kernel = coefficients.permute(0, 2, 3, 1).unflatten(3, (k, k)).to(dtype)
    return rows, columns, alpha.to(dtype), beta.to(dtype), kernel


def _spread(kernel: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """Return the weights (B, H, W, k + 1, k + 1) of the pixels: every coefficient on the four that its sample reads."""
    kernel = torch.lerp(F.pad(kernel, (0, 1)), F.pad(kernel, (1, 0)), alpha[..., None, None])
    return torch.lerp(F.pad(kernel, (0, 0, 0, 1)), F.pad(kernel, (0, 0, 1, 0)), beta[..., None, None])


def _operation(function: Callable) -> Callable:
    """Register the function as an operation of torch's library, ``torch.ops.repro``, and return the operation.

    The plain registration instead of ``torch.library.custom_op``, whose first call imports torch's compiler: 3 seconds.
    """
    name = f"repro::{function.__name__}"
    torch.library.define(name, torch.library.infer_schema(function, mutates_args=()))
    torch.library.impl(name, "default", function)
    return getattr(torch.ops.repro, function.__name__)


@_operation
def attend(source: Tensor, flow: Tensor, coefficients: Tensor, mean: bool) -> Tensor:
    """Return ``gather``, Eq. 9."""
    return gather(source, flow, coefficients, mean)


@_operation
def attend_backward(
    gradient: Tensor, source: Tensor, flow: Tensor, coefficients: Tensor, mean: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients with respect to source, flow and coefficients."""
    return gather_backward(gradient, source, flow, coefficients, mean)


@_operation
def attention_coefficients(
    source: Tensor, target: Tensor, flow: Tensor, weight1: Tensor, bias1: Tensor, weight2: Tensor, bias2: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the coefficients of Eq. 8, at least float32; the hidden map and the convolved source for the backward."""
    reach = weight1.shape[-1] // 2
    target_half, source_half = weight1.split(source.shape[1], dim=1)
    # Source half (identity 1): convolve, with a margin of `reach` on every side of the result, then read once.
    convolved = convolve(source, 2 * reach, source_half)
    # Target half: the flow is zero, so it is a convolution of the edge-extended target.
    hidden = convolve(target, reach, target_half, bias1)
    hidden += gather(convolved, at_least_float32(flow) + reach, _one(flow), False)
    bias, weight, before = (at_least_float32(x) for x in (bias2, weight2.flatten(1), _rows(hidden)))
    logits = torch.addmm(bias, F.leaky_relu(before, SLOPE), weight.T)
    return _map(logits.softmax(dim=1), hidden), hidden, convolved


@_operation
def attention_coefficients_backward(
    gradient: Tensor,
    source: Tensor,
    target: Tensor,
    flow: Tensor,
    weight1: Tensor,
    weight2: Tensor,
    coefficients: Tensor,
    hidden: Tensor,
    convolved: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return the gradients with respect to the seven arguments of the forward pass, in their order."""
    reach = weight1.shape[-1] // 2
    target_half, source_half = weight1.split(source.shape[1], dim=1)
    kernel, of_kernel, before = _rows(coefficients), _rows(gradient), at_least_float32(_rows(hidden))
    of_logits = kernel * (of_kernel - (of_kernel * kernel).sum(dim=1, keepdim=True))
    of_weight2 = of_logits.T @ F.leaky_relu(before, SLOPE)
    of_before = torch.ops.aten.leaky_relu_backward(
        of_logits @ at_least_float32(weight2.flatten(1)), before, SLOPE, False
    )
    of_bias1, of_bias2 = of_before.sum(dim=0), of_logits.sum(dim=0)
    of_hidden = _map(of_before.to(hidden.dtype), hidden)
    place = at_least_float32(flow) + reach
    of_convolved, of_flow, _ = gather_backward(of_hidden, convolved, place, _one(flow), False)
    of_source, of_source_half = convolve_backward(of_convolved, source, 2 * reach, source_half)
    del of_convolved
    of_target, of_target_half = convolve_backward(of_hidden, target, reach, target_half)
    of_weight1 = torch.cat([of_target_half, of_source_half], dim=1)
    dtype = weight2.dtype
    of_bias1, of_weight2, of_bias2 = of_bias1.to(dtype), of_weight2.view(weight2.shape).to(dtype), of_bias2.to(dtype)
    return of_source, of_target, of_flow.to(flow.dtype), of_weight1, of_bias1, of_weight2, of_bias2


def _one(flow: Tensor) -> Tensor:
    """Return the single coefficient 1 of a plain bilinear read, (B, 1, H, W)."""
    return at_least_float32(flow).new_ones(()).expand(flow.shape[0], 1, *flow.shape[2:])


def _rows(features: Tensor) -> Tensor:
    """Return one row of channels per position, (B H W, C)."""
    return features.permute(0, 2, 3, 1).reshape(-1, features.shape[1])


def _map(rows: Tensor, like: Tensor) -> Tensor:
    """Return rows (B H W, C) as a map (B, C, H, W) of the batch, height and width of ``like``, channels last."""
    return rows.view(like.shape[0], *like.shape[2:], rows.shape[1]).permute(0, 3, 1, 2)


def _empty(like: Tensor, channels: int, height: int, width: int) -> Tensor:
    """Return what a map of this size looks like in channels-last layout, (B, C, H, W)."""
    return like.new_empty(like.shape[0], height, width, channels).permute(0, 3, 1, 2)


@torch.library.register_fake("repro::attend")
def _(source: Tensor, flow: Tensor, coefficients: Tensor, mean: bool) -> Tensor:
    return _empty(source, source.shape[1], *flow.shape[2:])


@torch.library.register_fake("repro::attend_backward")
def _(gradient, source, flow, coefficients, mean):  # type: ignore[no-untyped-def]
    return (
        _empty(source, *source.shape[1:]),
        flow.new_empty(flow.shape),
        _empty(coefficients, *coefficients.shape[1:]),
    )


@torch.library.register_fake("repro::attention_coefficients")
def _(source, target, flow, weight1, bias1, weight2, bias2):  # type: ignore[no-untyped-def]
    hidden, margin = weight1.shape[0], weight1.shape[2] // 2 * 2
    height, width = source.shape[2] + margin, source.shape[3] + margin
    return (
        _empty(at_least_float32(target), weight2.shape[0], *flow.shape[2:]),
        _empty(target, hidden, *flow.shape[2:]),
        _empty(source, hidden, height, width),
    )


@torch.library.register_fake("repro::attention_coefficients_backward")
def _(gradient, source, target, flow, weight1, weight2, coefficients, hidden, convolved):  # type: ignore[no-untyped-def]
    return (
        _empty(source, *source.shape[1:]),
        _empty(target, *target.shape[1:]),
        flow.new_empty(flow.shape),
        weight1.new_empty(weight1.shape),
        weight1.new_empty(weight1.shape[0]),
        weight2.new_empty(weight2.shape),
        weight2.new_empty(weight2.shape[0]),
    )


def _keep_for_attend(ctx, inputs, output):  # type: ignore[no-untyped-def]
    *tensors, ctx.mean = inputs
    ctx.save_for_backward(*tensors)


def _attend_gradients(ctx, gradient):  # type: ignore[no-untyped-def]
    return *attend_backward(gradient, *ctx.saved_tensors, ctx.mean), None


def _keep_for_coefficients(ctx, inputs, output):  # type: ignore[no-untyped-def]
    source, target, flow, weight1, _, weight2, _ = inputs
    ctx.mark_non_differentiable(*output[1:])
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(source, target, flow, weight1, weight2, *output)


def _coefficients_gradients(ctx, gradient, *_):  # type: ignore[no-untyped-def]
    return attention_coefficients_backward(gradient, *ctx.saved_tensors)


def _no_second_derivatives(ctx, *_):  # type: ignore[no-untyped-def]
    raise RuntimeError('local attention without patches has first derivatives only: use impl="reference" for more')


torch.library.register_autograd("repro::attend", _attend_gradients, setup_context=_keep_for_attend)
torch.library.register_autograd(
    "repro::attention_coefficients", _coefficients_gradients, setup_context=_keep_for_coefficients
)
torch.library.register_autograd("repro::attend_backward", _no_second_derivatives)
torch.library.register_autograd("repro::attention_coefficients_backward", _no_second_derivatives)


@register_flop_formula(torch.ops.repro.attention_coefficients)
def _coefficients_flops(source, target, flow, weight1, bias1, weight2, *_, out_shape=None, **__) -> int:  # type: ignore[no-untyped-def]
    """Return what torch's counter finds in the three convolutions, a multiplication and its addition being two."""
    (batch, channels, height, width), (hidden, _, k, _) = source, weight1
    positions = target[0] * target[2] * target[3]
    margined = batch * (height + k - 1) * (width + k - 1)
    return 2 * hidden * (channels * k * k * (positions + margined) + positions * weight2[0])


@register_flop_formula(torch.ops.repro.attention_coefficients_backward)
def _coefficients_backward_flops(gradient, source, target, flow, weight1, weight2, *_, **__) -> int:  # type: ignore[no-untyped-def]
    return 2 * _coefficients_flops(source, target, flow, weight1, None, weight2)
