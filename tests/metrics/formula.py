"""Large networks whose numbers come from a formula: whoever fills them gets the same network, without a download."""

import math

import torch
from torch import Tensor


def filled(shapes: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a state dictionary with these keys and shapes; activations keep their size from layer to layer."""
    tensors = {}
    for number, (key, like) in enumerate(shapes.items()):
        if not like.is_floating_point():
            tensors[key] = torch.zeros_like(like)
            continue
        # The last digits of a large sine: as good as random, uniform in [-1, 1].
        place = torch.arange(like.numel(), dtype=torch.float64)
        wave = 2 * (43758.5453 * torch.sin(12.9898 * place + 78.233 * number)).frac().abs() - 1
        if key.endswith("running_var"):
            values = 1 + 0.5 * wave
        elif like.ndim > 1:
            values = wave * math.sqrt(6 / like[0].numel())
        else:
            values = (1.0 if key.endswith("weight") else 0.0) + 0.2 * wave
        tensors[key] = values.reshape(like.shape).float()
    return tensors
