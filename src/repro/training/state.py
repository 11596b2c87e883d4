"""All that a run is, as tensors and JSON: what a checkpoint holds and how it is put back."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer


@dataclass
class Networks:
    """What is trained."""

    generator: nn.Module
    discriminators: dict[str, nn.Module] = field(default_factory=dict)

    def modules(self) -> dict[str, nn.Module]:
        """Return all of them by name."""
        return {"generator": self.generator} | self.discriminators


def pack(networks: Networks, optimizers: Mapping[str, Optimizer]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return (tensors, JSON) of networks (spectral norm's vectors included), optimisers and random generators."""
    tensors = {
        f"{name}/{key}": value
        for name, module in networks.modules().items()
        for key, value in module.state_dict().items()
    }
    groups: dict[str, Any] = {}
    for name, optimizer in optimizers.items():
        state = optimizer.state_dict()
        groups[name] = state["param_groups"]
        for index, moments in state["state"].items():
            tensors |= {f"optimizer.{name}/{index}/{key}": value for key, value in moments.items()}
    tensors["random/torch"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors |= {f"random/cuda{i}": state for i, state in enumerate(torch.cuda.get_rng_state_all())}
    algorithm, keys, place, has_gauss, gauss = np.random.get_state()  # noqa: NPY002 -- saved, never drawn from
    tensors["random/numpy"] = torch.from_numpy(np.asarray(keys).astype(np.int64))
    rest = {
        "optimizers": groups,
        "random": {"python": random.getstate(), "numpy": [algorithm, int(place), int(has_gauss), float(gauss)]},
    }
    return tensors, rest


def unpack_networks(networks: Networks, tensors: Mapping[str, Tensor]) -> None:
    """Put the networks' tensors back; every key must fit."""
    for name, module in networks.modules().items():
        module.load_state_dict(below(tensors, f"{name}/"))


def unpack_optimizers(
    optimizers: Mapping[str, Optimizer], tensors: Mapping[str, Tensor], rest: Mapping[str, Any]
) -> None:
    """Put the optimisers' moments, step counts and rates back."""
    for name, optimizer in optimizers.items():
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in below(tensors, f"optimizer.{name}/").items():
            index, _, moment = key.partition("/")
            state.setdefault(int(index), {})[moment] = value
        optimizer.load_state_dict({"state": state, "param_groups": rest["optimizers"][name]})


def unpack_random(tensors: Mapping[str, Tensor], rest: Mapping[str, Any]) -> None:
    """Put the global random generators back. Nothing here draws from them; a user's own data set may."""
    torch.set_rng_state(tensors["random/torch"])
    cuda = below(tensors, "random/cuda")
    if torch.cuda.is_available() and len(cuda) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([cuda[str(i)] for i in range(len(cuda))])
    version, numbers, gauss = rest["random"]["python"]
    random.setstate((version, tuple(numbers), gauss))
    algorithm, place, has_gauss, last = rest["random"]["numpy"]
    keys = tensors["random/numpy"].numpy().astype(np.uint32)
    np.random.set_state((algorithm, keys, place, has_gauss, last))  # noqa: NPY002 -- see above


def below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose name begins with ``prefix``, under the rest of their name."""
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
