"""Frozen networks that losses and metrics look through, behind one interface; where their weights come from."""

from pathlib import Path

from repro.checks import require_choice
from repro.features.network import FeatureNetwork, taps_on_grid
from repro.features.procnet import ProcNet
from repro.features.squeezenet import SqueezeNet
from repro.features.vgg19 import VGG19
from repro.features.weights import MissingWeights

NETWORKS: dict[str, type[FeatureNetwork]] = {network.name: network for network in (VGG19, SqueezeNet, ProcNet)}


def load(name: str, weights: str | Path | None = None) -> FeatureNetwork:
    """Return the frozen network ``name``, in eval mode.

    Args:
        name: ``"vgg19"`` (the paper's), ``"squeezenet1_1"`` or ``"procnet"`` (ours, ships).
        weights: None looks the file up by name in ``data/weights``, the user's weights folder and torch's hub
            checkpoints; a path takes that file (``.safetensors``, or ``.pth`` with tensors only); ``"random:SEED"``
            fills the network at random (tests, controls).

    Raises:
        MissingWeights: no folder holds the file; nothing is downloaded.
        ValueError: an unknown name, or a file whose keys or shapes do not fit.
    """
    return NETWORKS[require_choice("feature network", name, tuple(NETWORKS))].load(weights)


__all__ = ["NETWORKS", "FeatureNetwork", "MissingWeights", "load", "taps_on_grid"]
