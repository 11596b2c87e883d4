"""How large a network is and how much one forward pass costs."""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from repro.models.settings import POSE_CHANNELS


def parameter_count(module: nn.Module) -> int:
    """Return the number of trainable numbers in ``module``; shared tensors count once."""
    return sum(p.numel() for p in module.parameters())


def flops(model: nn.Module, size: tuple[int, int]) -> int:
    """Return the floating-point operations of one forward pass on one pair of images of ``size`` = (H, W).

    Convention: a multiplication and its addition are two operations. Counted are convolutions, matrix products and
    fused attention, as torch's counter does; norms, activations and the interpolation of sampling are not.
    """
    like = next(model.parameters())
    image, pose = (like.new_zeros(1, channels, *size) for channels in (3, POSE_CHANNELS))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(image, pose, pose)
    return counter.get_total_flops()
