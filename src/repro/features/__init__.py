"""Frozen networks that losses and metrics look through, behind one interface; where their weights come from."""

from pathlib import Path

from repro.checks import require_choice
from repro.features.i3d import I3D
from repro.features.network import FeatureNetwork, taps_on_grid
from repro.features.procnet import ProcNet
from repro.features.squeezenet import SqueezeNet
from repro.features.vgg19 import VGG19
from repro.features.video_network import VideoNetwork
from repro.features.videonet import SecondVideoNet, VideoNet
from repro.features.weights import MissingWeights

NETWORKS: dict[str, type[FeatureNetwork]] = {network.name: network for network in (VGG19, SqueezeNet, ProcNet)}
VIDEO_NETWORKS: dict[str, type[VideoNetwork]] = {network.name: network for network in (VideoNet, SecondVideoNet, I3D)}


def load(name: str, weights: str | Path | None = None) -> FeatureNetwork:
    """Return the frozen network ``name``, in eval mode.

    Args:
        name: ``"vgg19"`` (the paper's), ``"squeezenet1_1"`` or ``"procnet"`` (ours, ships).
        weights: None looks the file up by name in ``data/weights``, the user's weights folder and torch's hub
            checkpoints; a path takes that file (``.safetensors``, or ``.pth`` with tensors only); ``"random:SEED"``
            fills the network at random (tests, controls).

    Raises:
        MissingWeights: no folder holds the file; nothing is downloaded.
        WrongChecksum, ChangedFile (ValueErrors): not the file that its name promises, or that was used before.
        ValueError: an unknown name, or a file whose keys or shapes do not fit.
    """
    return NETWORKS[require_choice("feature network", name, tuple(NETWORKS))].load(weights)


def load_video(name: str, weights: str | Path | None = None) -> VideoNetwork:
    """Return the frozen network ``name`` that sees clips, in eval mode; arguments and errors as for :func:`load`.

    Args:
        name: ``"videonet"``, ``"videonet_seed1"`` (ours, ship) or ``"i3d"`` (the paper's; the user brings the file).
        weights: as for :func:`load`.
    """
    return VIDEO_NETWORKS[require_choice("video network", name, tuple(VIDEO_NETWORKS))].load(weights)


__all__ = [
    "I3D",
    "NETWORKS",
    "VGG19",
    "VIDEO_NETWORKS",
    "FeatureNetwork",
    "MissingWeights",
    "SqueezeNet",
    "VideoNetwork",
    "load",
    "load_video",
    "taps_on_grid",
]
