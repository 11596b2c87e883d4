"""procnet: a small network of our own, trained on the studio's people, so that everything runs offline."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from repro.features.network import FeatureNetwork
from repro.features.weights import WeightsFile

# Channels of stage1 ... stage5, at strides 1, 2, 4, 8, 16.
WIDTHS = (16, 32, 64, 128, 128)


class ProcNet(FeatureNetwork):
    """Nine convolutions with ReLU; ``stage{n}`` is the last ReLU at stride 2**(n-1).

    It was trained on part labels, garment textures and identities (:func:`repro.features.train_procnet`), never on
    true flow, so a flow estimator trained through it stays unsupervised. Its normalisation layers are folded into the
    convolutions. Every tap is divided by its mean absolute value over the training images (``tap_mean``), so that
    losses have comparable sizes at every tap.

    Convention: [-1, 1] goes in as it is. Down-sampling by 4x4 convolutions with stride 2 and padding 1 keeps map cells
    centred on the blocks of pixels that they cover, and map sizes exactly H / stride for multiples of it.
    """

    name = "procnet"
    file = WeightsFile(
        "procnet",
        ("procnet.safetensors",),
        "this project (it ships in data/weights); made again by `repro weights procnet`",
        "Apache-2.0, as the project",
        ours=True,
    )
    taps = {f"stage{n}": 2 ** (n - 1) for n in range(1, 6)}  # noqa: RUF012
    # Layers: conv, ReLU (stage 1); then per stage: conv 4x4 stride 2, ReLU, conv 3x3, ReLU.
    layer_of_tap = {f"stage{n}": 4 * n - 3 for n in range(1, 6)}  # noqa: RUF012
    perceptual_taps = ("stage1", "stage2", "stage3", "stage4", "stage5")
    style_taps = ("stage2", "stage3", "stage4", "stage5")
    correctness_taps = {3: "stage4", 2: "stage3", 1: "stage2"}  # noqa: RUF012
    normalises = False

    tap_mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, WIDTHS[0], 3, padding=1), nn.ReLU()]
        for narrow, wide in pairwise(WIDTHS):
            layers += [nn.Conv2d(narrow, wide, 4, stride=2, padding=1), nn.ReLU()]
            layers += [nn.Conv2d(wide, wide, 3, padding=1), nn.ReLU()]
        self.features = nn.Sequential(*layers)
        self.register_buffer("tap_mean", torch.ones(len(self.taps)))

    def forward(self, images: Tensor, taps: Sequence[str]) -> dict[str, Tensor]:
        """Return the named maps, each divided by its stored mean absolute value (see the base class)."""
        means = dict(zip(self.taps, self.tap_mean))
        return {tap: x / means[tap] for tap, x in super().forward(images, taps).items()}
