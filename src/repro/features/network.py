"""What frozen networks share, and the one interface of those through which losses and metrics see images."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from repro.checks import require_shape
from repro.features.weights import WeightsFile, content_hash, fill, opened, read


class FrozenNetwork(nn.Module):
    """A network that is looked through, never trained: it stays in eval mode, its parameters take no gradient.

    Gradients do flow through it to its input.
    """

    name: ClassVar[str]
    file: ClassVar[WeightsFile]

    weights_hash: str
    weights_file: str
    """Where the numbers come from: a file's name, or ``random:SEED``."""

    def freeze(self) -> None:
        """Take the parameters as final: no gradient, eval mode, hash of the content."""
        self.requires_grad_(False)
        self.weights_hash = content_hash(self)
        self.train(False)

    def train(self, mode: bool = True) -> Self:
        """Stay in eval mode, also when a model that holds this network is set to train."""
        return super().train(False)

    @classmethod
    def load(cls, weights: str | Path | None = None) -> Self:
        """Return the network, frozen (see :func:`repro.features.load`)."""
        network = cls()
        if isinstance(weights, str) and weights.startswith("random:"):
            network.randomise(int(weights.removeprefix("random:")))
            network.weights_file = weights
        else:
            with opened(cls.file, weights) as path:
                fill(network, read(path), origin=str(path), unused=cls.file.unused)
            network.weights_file = path.name
        network.freeze()
        return network

    def randomise(self, seed: int) -> None:
        """Fill the convolutions at random so that activations keep their size (He et al. 2015); biases 0."""
        generator = torch.Generator().manual_seed(seed)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)


class FeatureNetwork(FrozenNetwork):
    """Frozen features of images in [-1, 1]: ``net(images, taps=("relu1_1", ...))`` returns a tensor per tap.

    A subclass declares the constants below and fills ``self.features``, one sequence of layers.
    """

    taps: ClassVar[dict[str, int]]
    """tap -> stride: an image of H rows has a map of about H / stride rows there, shallow to deep."""
    layer_of_tap: ClassVar[dict[str, int]]
    """tap -> index of the layer in ``features`` whose output it is."""
    perceptual_taps: ClassVar[tuple[str, ...]]
    style_taps: ClassVar[tuple[str, ...]]
    correctness_taps: ClassVar[dict[int, str]]
    """layer L of the flow (stride 2**L) -> tap for the sampling correctness loss."""
    input_range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    normalises: ClassVar[bool]
    """True: the images are moved to the network's own mean and spread inside; False: [-1, 1] goes in as it is."""

    features: nn.Sequential

    def prepare(self, images: Tensor) -> Tensor:
        """Return the network's own input for images in [-1, 1] (here: unchanged)."""
        return images

    def forward(self, images: Tensor, taps: Sequence[str]) -> dict[str, Tensor]:
        """Return the named maps of ``images``, computing no deeper than they need.

        Args:
            images: (B, 3, H, W) in [-1, 1]; H and W at least the deepest stride.
            taps: names out of ``self.taps``.

        Returns:
            tap -> (B, C, h, w), in the order of ``taps``.

        Raises:
            ValueError: unknown taps, another shape, or images smaller than the stride.
        """
        unknown = [tap for tap in taps if tap not in self.taps]
        if isinstance(taps, str) or unknown or not taps:
            raise ValueError(f"expected taps of {self.name} ({', '.join(self.taps)}) as a tuple, got {taps!r}")
        sizes = require_shape("images", images, "B 3 H W")
        stride = max(self.taps[tap] for tap in taps)
        if min(sizes["H"], sizes["W"]) < stride:
            raise ValueError(f"expected images of at least {stride} pixels for {taps}, got {sizes['H']}x{sizes['W']}")
        found: dict[int, Tensor] = {}
        wanted = {self.layer_of_tap[tap] for tap in taps}
        x = self.prepare(images)
        for index, layer in enumerate(list(self.features)[: max(wanted) + 1]):
            x = layer(x)
            if index in wanted:
                found[index] = x
        return {tap: found[self.layer_of_tap[tap]] for tap in taps}


def taps_on_grid(features: Mapping[str, Tensor], tap: str, size: tuple[int, int]) -> tuple[Tensor, bool]:
    """Return one tap on the grid of a flow, and whether it had to be resized (the record says so).

    Strides are not exact powers of two everywhere (SqueezeNet's unpadded layers turn 64 pixels into 31, 15, 7).

    Convention: bilinear, ``align_corners=False``: both maps cover the same image.

    Args:
        features: what a network returned.
        tap: which of its maps.
        size: (h, w) of the flow.

    Returns:
        (B, C, h, w), and True where the map had another size.
    """
    if tap not in features:
        raise ValueError(f"expected one of the computed taps ({', '.join(features)}), got {tap!r}")
    if features[tap].shape[-2:] == torch.Size(size):
        return features[tap], False
    return interpolate(features[tap], size, mode="bilinear", align_corners=False), True
