"""VGG19, the network through which the paper's losses look (torchvision's ImageNet weights)."""

from torch import nn

from repro.features.network import FeatureNetwork
from repro.features.weights import WeightsFile

# Convolutions per block and their channels (Simonyan and Zisserman 2014, configuration E).
BLOCKS = ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512))


def _layout() -> tuple[list[nn.Module], dict[str, int], dict[str, int]]:
    """Return the layers in torchvision's order ``features.{0..35}``, and of each relu{b}_{n} index and stride."""
    layers: list[nn.Module] = []
    index, stride = {}, {}
    channels = 3
    for block, (count, width) in enumerate(BLOCKS, start=1):
        if block > 1:
            layers.append(nn.MaxPool2d(2))
        for n in range(1, count + 1):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
            index[f"relu{block}_{n}"] = len(layers) - 1
            stride[f"relu{block}_{n}"] = 2 ** (block - 1)
    return layers, index, stride


class VGG19(FeatureNetwork):
    """VGG19 up to relu5_4; ``relu{b}_{n}`` is the ReLU after the n-th convolution of block b.

    Paper and code: the paper does not say how images enter; the authors feed [-1, 1] as it is, **without** ImageNet's
    mean and spread, and so does this network.
    """

    name = "vgg19"
    file = WeightsFile(
        "vgg19",
        ("vgg19-dcbb9e9d.pth", "vgg19.safetensors"),
        "torchvision",
        "BSD-3-Clause (torchvision), trained on ImageNet",
        unused=("classifier.",),
        url="https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
        megabytes=548.1,
    )
    _, layer_of_tap, taps = _layout()
    perceptual_taps = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
    style_taps = ("relu2_2", "relu3_4", "relu4_4", "relu5_2")
    correctness_taps = {3: "relu4_1", 2: "relu3_1", 1: "relu2_1"}  # noqa: RUF012
    normalises = False

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(*_layout()[0])
