"""Initial weights, as they were effective in the authors' runs.

Every layer draws from a generator of its own, seeded by the run's seed and the layer's name: networks that share a part
(the rows of an ablation) start from the same weights there, whatever else they contain.
"""

import hashlib

import torch
import torch.nn.functional as F
from torch import nn

from repro.models.spectral_norm import SpectralNorm


def seed_or_draw(seed: int | None) -> int:
    """Return ``seed``, or one number drawn from torch's global generator, so that ``torch.manual_seed`` decides."""
    return int(torch.randint(2**62, ()).item()) if seed is None else seed


def orthogonal(module: nn.Module, gain: float, seed: int, prefix: str = "") -> None:
    """Fill every convolution and linear layer of a generator: orthogonal weights of the given gain, biases 0.

    Norm layers keep scale 1 and shift 0.

    Args:
        module: the network, changed in place.
        gain: 0.02 in the authors' runs.
        seed: the run's seed.
        prefix: the name under which ``module`` sits in its network, e.g. ``"flow_net."`` for a flow estimator alone.
    """
    for name, layer in module.named_modules():
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.orthogonal_(layer.weight, gain, generator=_generator(seed, prefix + name))
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def kaiming(module: nn.Module, seed: int) -> None:
    """Fill every spectrally normalised convolution of a discriminator: PyTorch's default weights, biases 0.

    The authors' code asks for orthogonal weights here too, but on a GPU they reach a stale copy; what took effect is
    uniform Kaiming with a = sqrt(5).
    """
    for name, layer in module.named_modules():
        if isinstance(layer, SpectralNorm):
            generator = _generator(seed, name)
            nn.init.kaiming_uniform_(layer.weight, a=5**0.5, generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
            for vector in (layer.weight_u, layer.weight_v):
                vector.copy_(F.normalize(torch.randn(vector.shape, generator=generator), dim=0))


def _generator(seed: int, name: str) -> torch.Generator:
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
