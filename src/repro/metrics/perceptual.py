"""LPIPS through the ``lpips`` package, the trunk's file looked up by name; its form through our own networks."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from repro.checks import require_choice, require_shape
from repro.features.network import FeatureNetwork
from repro.features.squeezenet import SqueezeNet
from repro.features.weights import WeightsFile, content_hash, fill, opened, read

ALEXNET = WeightsFile(
    "lpips_alex",
    ("alexnet-owt-7be5be79.pth", "alexnet.safetensors"),
    "torchvision",
    "BSD-3-Clause (torchvision), trained on ImageNet",
    unused=("classifier.",),
    url="https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
    megabytes=233.1,
)

TRUNKS = {"squeeze": SqueezeNet.file, "alex": ALEXNET}


class LPIPS:
    """LPIPS 0.1 with a named trunk: ``lpips_squeeze`` or ``lpips_alex`` (the paper's is alex at 256 pixels).

    The package ships the linear weights; the trunk is torchvision's, read by name from the weights folders.

    Args:
        trunk: ``"squeeze"`` or ``"alex"``.
        device: where it runs.
        path: the trunk's file; None looks it up by name.

    Raises:
        MissingWeights: the trunk's file is nowhere; ``.need`` is the text for a table.
        ValueError: the file holds something else, or is not the publisher's.
    """

    def __init__(self, trunk: str, device: torch.device | str = "cpu", path: Path | None = None):
        file = TRUNKS[require_choice("LPIPS trunk", trunk, tuple(TRUNKS))]
        with opened(file, path) as found:
            network = _random(trunk)
            fill(_Trunk(network.get_submodule("net")), read(found), origin=str(found), unused=file.unused)
        self.name = f"lpips_{trunk}"
        self.device = device
        self.network = network.to(device).eval()
        self.weights_hash = content_hash(self.network)

    @torch.inference_mode()
    def __call__(self, generated: Tensor, target: Tensor) -> Tensor:
        """Return the distance per image, (B,), for images (B, 3, H, W) in [0, 1]."""
        sizes = require_shape("generated", generated, "B 3 H W")
        require_shape("target", target, "B 3 H W", sizes=sizes)
        return self.network(generated.to(self.device) * 2 - 1, target.to(self.device) * 2 - 1).flatten()


def _random(trunk: str) -> nn.Module:
    """The package's network with its linear weights and a trunk at random; the caller's random numbers stay."""
    import lpips  # only here: a machine that trains need not have it

    with warnings.catch_warnings():
        # The package asks torchvision for a random trunk in a way that torchvision has deprecated.
        warnings.filterwarnings("ignore", category=UserWarning, module="torchvision")
        state = torch.get_rng_state()
        network: nn.Module = lpips.LPIPS(net=trunk, pnet_rand=True, verbose=False)
        torch.set_rng_state(state)
    return network


def unit_features(network: FeatureNetwork, images: Tensor, taps: Sequence[str] | None = None) -> list[Tensor]:
    """Return the network's maps with the channels of every position scaled to length 1, (B, C, h, w) per tap.

    Args:
        network: a frozen network.
        images: (B, 3, H, W) in [0, 1].
        taps: names; None = its perceptual taps.
    """
    maps = network(images * 2 - 1, tuple(taps or network.perceptual_taps))
    return [normalize(own, dim=1, eps=1e-10) for own in maps.values()]


def unit_distance(first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
    r"""Return LPIPS's distance without its learned weights, (B,), from two lists of :func:`unit_features`.

    .. math:: d(a, b) = \sum_l \frac{1}{h_l w_l} \sum_{i, j} \lVert \hat a^l_{ij} - \hat b^l_{ij} \rVert^2

    What LPIPS learned from people's judgements is missing, so it never carries that name: ``pd_procnet`` in tables.
    """
    return torch.stack([(a - b).square().sum(1).mean((1, 2)) for a, b in zip(first, second, strict=True)]).sum(0)


class _Trunk(nn.Module):
    """The package's slices under torchvision's names: ``slice2.3.weight`` is ``features.3.weight``."""

    def __init__(self, sliced: nn.Module):
        super().__init__()
        self.features = nn.ModuleDict({k: layer for part in sliced.children() for k, layer in part.named_children()})
