"""SqueezeNet 1.1 (torchvision's ImageNet weights): a small photographic network."""

import torch
from torch import Tensor, nn

from repro.features.network import FeatureNetwork
from repro.features.weights import WeightsFile


class Fire(nn.Module):
    """A 1x1 convolution to few channels, then 1x1 and 3x3 convolutions side by side (Iandola et al. 2016)."""

    def __init__(self, channels: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze(x).relu()
        return torch.cat((self.expand1x1(x).relu(), self.expand3x3(x).relu()), dim=1)


class SqueezeNet(FeatureNetwork):
    """SqueezeNet 1.1; taps carry the names of its paper: ``conv1`` (after the ReLU), ``fire2`` ... ``fire9``.

    Convention: [-1, 1] is moved to ImageNet's mean and spread inside. The first convolution and the pooling layers have
    no padding, so map sizes are only about H / stride (64 pixels: 31, 15, 7, 3): see :func:`taps_on_grid`.
    Activations are not scaled: their differences grow about fivefold per tap, those of their Gram matrices far faster,
    so the authors' weights of the perceptual and style terms (for VGG19) do not fit this network.
    """

    name = "squeezenet1_1"
    file = WeightsFile(
        "squeezenet1_1",
        ("squeezenet1_1-b8a52dc0.pth", "squeezenet1_1.safetensors", "squeezenet1_1_fp16.safetensors"),
        "torchvision",
        "BSD-3-Clause (torchvision), trained on ImageNet",
        unused=("classifier.",),
        url="https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth",
        megabytes=4.7,
    )
    layer_of_tap = {  # noqa: RUF012
        "conv1": 1,
        "fire2": 3,
        "fire3": 4,
        "fire4": 6,
        "fire5": 7,
        "fire6": 9,
        "fire7": 10,
        "fire8": 11,
        "fire9": 12,
    }
    taps = {  # noqa: RUF012
        "conv1": 2,
        "fire2": 4,
        "fire3": 4,
        "fire4": 8,
        "fire5": 8,
        "fire6": 16,
        "fire7": 16,
        "fire8": 16,
        "fire9": 16,
    }
    perceptual_taps = ("conv1", "fire3", "fire5", "fire7")
    style_taps = ("conv1", "fire3", "fire5", "fire7")
    correctness_taps = {3: "fire5", 2: "fire3", 1: "conv1"}  # noqa: RUF012
    normalises = True

    mean: Tensor
    spread: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 3, stride=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            Fire(64, 16, 64),
            Fire(128, 16, 64),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            Fire(128, 32, 128),
            Fire(256, 32, 128),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            Fire(256, 48, 192),
            Fire(384, 48, 192),
            Fire(384, 64, 256),
            Fire(512, 64, 256),
        )
        # ImageNet's mean and standard deviation of images in [0, 1], as torchvision's recipes state them.
        mean, spread = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("spread", torch.tensor(spread).view(1, 3, 1, 1), persistent=False)

    def prepare(self, images: Tensor) -> Tensor:
        """Return ``images`` with ImageNet's mean and spread."""
        return ((images + 1) / 2 - self.mean) / self.spread
