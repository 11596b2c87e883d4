"""Other ways to compute local attention (Eq. 8-9), each with the arguments of ``repro.ops.local_attention``.

All give the same numbers, edges included, and differ in what they store and read.
"""

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import deform_conv2d

from repro.ops import local_attention

Arguments = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]


def patches_by_index(*arguments: Tensor) -> Tensor:
    """Materialise both patch tensors by indexing, as the authors' operation does with a thread per element."""
    return local_attention(*arguments, impl="reference")


def patches_by_grid_sample(
    source: Tensor, target: Tensor, flow: Tensor, weight1: Tensor, bias1: Tensor, weight2: Tensor, bias2: Tensor
) -> Tensor:
    """Materialise both patch tensors by one call of grid_sample each: the fastest way of plain torch to have them."""
    k = weight1.shape[-1]
    patches = _sampled_patches(source, flow, k)
    both = torch.cat([_sampled_patches(target, torch.zeros_like(flow), k), patches], dim=1)
    hidden = F.leaky_relu(F.conv2d(both, weight1, bias1, stride=k), 0.1)
    coefficients = F.conv2d(hidden, weight2, bias2).softmax(dim=1)
    return F.avg_pool2d(F.pixel_shuffle(coefficients, k) * patches, k)


def loop_of_grid_samples(
    source: Tensor, target: Tensor, flow: Tensor, weight1: Tensor, bias1: Tensor, weight2: Tensor, bias2: Tensor
) -> Tensor:
    """Sample the whole map once per tap: k^2 maps instead of one patch tensor; the target half is a convolution."""
    k = weight1.shape[-1]
    target_half, source_half = weight1.split(source.shape[1], dim=1)
    hidden = F.conv2d(F.pad(target, (k // 2,) * 4, mode="replicate"), target_half, bias1)
    x, y = _positions(flow)
    taps = [(u, v) for u in range(k) for v in range(k)]
    samples = [_sample(source, x + (v - k // 2), y + (u - k // 2)) for u, v in taps]
    for (u, v), sample in zip(taps, samples):
        hidden = hidden + F.conv2d(sample, source_half[:, :, u, v, None, None])
    coefficients = F.conv2d(F.leaky_relu(hidden, 0.1), weight2, bias2).softmax(dim=1)
    return sum(c * sample for c, sample in zip(coefficients.split(1, dim=1), samples)) / k**2  # type: ignore[return-value]


def deformable_convolution(
    source: Tensor, target: Tensor, flow: Tensor, weight1: Tensor, bias1: Tensor, weight2: Tensor, bias2: Tensor
) -> Tensor:
    """Use torchvision's operation twice: the kernel net's source half, then the sum, its masks the coefficients.

    It reads zeros outside, hence the edge-extended source; dilation 2 makes the output as large as the flow.
    """
    channels, k = source.shape[1], weight1.shape[-1]
    reach = k // 2
    target_half, source_half = weight1.split(channels, dim=1)
    hidden = F.conv2d(F.pad(target, (reach,) * 4, mode="replicate"), target_half, bias1)
    extended = F.pad(source, (2 * reach,) * 4, mode="replicate")
    x, y = _positions(flow)
    x = x.clamp(-reach, source.shape[3] - 1 + reach) - torch.arange(flow.shape[3]).to(x)
    y = y.clamp(-reach, source.shape[2] - 1 + reach) - torch.arange(flow.shape[2]).to(y)[:, None]
    # Tap (u, v) reads at own position + 2 (u, v) + offset of the extended map; wanted: + flow + (u, v) + reach.
    offset = torch.stack([part for u in range(k) for v in range(k) for part in (y + reach - u, x + reach - v)], dim=1)
    hidden = hidden + deform_conv2d(extended, offset, source_half, dilation=2)
    coefficients = F.conv2d(F.leaky_relu(hidden, 0.1), weight2, bias2).softmax(dim=1)
    box = source.new_ones(channels, 1, k, k)
    return deform_conv2d(extended, offset, box, dilation=2, mask=coefficients) / k**2


def _sampled_patches(source: Tensor, flow: Tensor, k: int) -> Tensor:
    x, y = (position.repeat_interleave(k, -1).repeat_interleave(k, -2) for position in _positions(flow))
    taps = torch.arange(k).to(flow) - k // 2
    return _sample(source, x + taps.repeat(flow.shape[3]), y + taps.repeat(flow.shape[2])[:, None])


def _sample(source: Tensor, x: Tensor, y: Tensor) -> Tensor:
    height, width = source.shape[2:]
    grid = torch.stack([x * (2 / (width - 1)) - 1, y * (2 / (height - 1)) - 1], dim=-1)
    return F.grid_sample(source, grid.to(source.dtype), padding_mode="border", align_corners=True)


def _positions(flow: Tensor) -> tuple[Tensor, Tensor]:
    return flow[:, 0] + torch.arange(flow.shape[3]).to(flow), flow[:, 1] + torch.arange(flow.shape[2]).to(flow)[:, None]
