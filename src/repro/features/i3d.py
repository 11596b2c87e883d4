"""I3D (Carreira and Zisserman 2017): Inception-v1 inflated to videos; the network behind FID-Video, AED and FVD."""

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from repro.features.video_network import VideoNetwork
from repro.features.weights import WeightsFile

# Channels of the four branches of a block: 1x1x1; 1x1x1 then 3x3x3; 1x1x1 then 3x3x3; pool then 1x1x1 (GoogLeNet's).
BLOCKS = {
    "Mixed_3b": (64, 96, 128, 16, 32, 32),
    "Mixed_3c": (128, 128, 192, 32, 96, 64),
    "Mixed_4b": (192, 96, 208, 16, 48, 64),
    "Mixed_4c": (160, 112, 224, 24, 64, 64),
    "Mixed_4d": (128, 128, 256, 24, 64, 64),
    "Mixed_4e": (112, 144, 288, 32, 64, 64),
    "Mixed_4f": (256, 160, 320, 32, 128, 128),
    "Mixed_5b": (256, 160, 320, 32, 128, 128),
    "Mixed_5c": (384, 192, 384, 48, 128, 128),
}
CLASSES = 400

Triple = tuple[int, int, int]


class I3D(VideoNetwork):
    """RGB I3D under the names of ``piergiaj/pytorch-i3d``; a clip's vector is the mean of Mixed_5c over T, H and W.

    At 16 x 224 x 224 that mean is the authors' average pool [2, 7, 7]; it is defined at every size, their pool is not
    (:meth:`pooled`). Frames are resized to 224 x 224 and stay in [-1, 1]. Batch normalisation always uses its running
    statistics: in training mode the features of the same clip differ several-fold, a mistake known from published code.
    """

    name = "i3d"
    file = WeightsFile(
        "i3d",
        ("rgb_imagenet.pt", "i3d_rgb_imagenet.pt"),
        "https://github.com/piergiaj/pytorch-i3d, models/rgb_imagenet.pt",
        "Apache-2.0, trained on ImageNet and Kinetics-400",
    )
    side = 224
    dimension = 1024
    shortest = 9

    def __init__(self) -> None:
        super().__init__()
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["Conv3d_1a_7x7"] = Unit(3, 64, 7, 2)
        layers["MaxPool3d_2a_3x3"] = SamePool((1, 3, 3), (1, 2, 2))
        layers["Conv3d_2b_1x1"] = Unit(64, 64, 1)
        layers["Conv3d_2c_3x3"] = Unit(64, 192, 3)
        layers["MaxPool3d_3a_3x3"] = SamePool((1, 3, 3), (1, 2, 2))
        channels = 192
        for name, widths in BLOCKS.items():
            if name == "Mixed_4b":
                layers["MaxPool3d_4a_3x3"] = SamePool((3, 3, 3), (2, 2, 2))
            if name == "Mixed_5b":
                layers["MaxPool3d_5a_2x2"] = SamePool((2, 2, 2), (2, 2, 2))
            layers[name] = Inception(channels, widths)
            channels = widths[0] + widths[2] + widths[4] + widths[5]
        self.endpoints = tuple(layers)
        for name, layer in layers.items():  # directly below the network: the keys of the published file
            self.add_module(name, layer)
        self.logits = Unit(channels, CLASSES, 1, plain=True)

    def walk(self, video: Tensor) -> dict[str, Tensor]:
        """Return every endpoint's map (B, C, t, h, w) of videos (B, 3, T, H, W), in order."""
        found = {}
        for name in self.endpoints:
            video = self.get_submodule(name)(video)
            found[name] = video
        return found

    def maps(self, video: Tensor) -> Tensor:
        """Return Mixed_5c, (B, 1024, t, h, w), of videos (B, 3, T, H, W)."""
        for name in self.endpoints:
            video = self.get_submodule(name)(video)
        return video

    def pooled(self, video: Tensor) -> Tensor:
        """Return the authors' average pool [2, 7, 7] of stride 1 over Mixed_5c.

        Raises:
            ValueError: a video too short or too small for it, (B, 3, 9, 193, 193) at least.
        """
        maps = self.maps(video)
        if maps.shape[2] < 2 or min(maps.shape[3:]) < 7:
            raise ValueError(f"expected at least 9 frames of 193 x 193 pixels, got {tuple(video.shape)}: resize to 224")
        return F.avg_pool3d(maps, (2, 7, 7), stride=1)

    def classes(self, video: Tensor) -> Tensor:
        """Return the 400 logits of Kinetics, (B, 400), averaged over time and place: what FVD looks at."""
        return self.logits(self.pooled(video)).mean((2, 3, 4))


class Unit(nn.Module):
    """A convolution with TensorFlow's padding, batch normalisation and ReLU; plain: with a bias and nothing else."""

    def __init__(self, channels: int, width: int, side: int, stride: int = 1, plain: bool = False) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(channels, width, side, stride=stride, bias=plain)
        self.bn = None if plain else Normalisation(width)

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.conv3d.kernel_size, self.conv3d.stride
        x = self.conv3d(pad_same(x, kernel, stride))  # type: ignore[arg-type]
        return x if self.bn is None else self.bn(x).relu()


class Normalisation(nn.Module):
    """Batch normalisation by its running statistics, which is all that a frozen network needs; epsilon 0.001."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, 1e-3)  # type: ignore[arg-type]


class SamePool(nn.Module):
    """Maximum over a window with TensorFlow's padding; zeros outside, which never win after a ReLU."""

    def __init__(self, kernel: Triple, stride: Triple) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool3d(pad_same(x, self.kernel, self.stride), self.kernel, self.stride)


class Inception(nn.Module):
    """Four branches side by side; ``b2b`` is 3x3x3 too, where the GoogLeNet paper has 5x5."""

    def __init__(self, channels: int, widths: tuple[int, int, int, int, int, int]) -> None:
        super().__init__()
        one, narrow1, wide1, narrow2, wide2, pooled = widths
        self.b0 = Unit(channels, one, 1)
        self.b1a, self.b1b = Unit(channels, narrow1, 1), Unit(narrow1, wide1, 3)
        self.b2a, self.b2b = Unit(channels, narrow2, 1), Unit(narrow2, wide2, 3)
        self.b3a = SamePool((3, 3, 3), (1, 1, 1))
        self.b3b = Unit(channels, pooled, 1)

    def forward(self, x: Tensor) -> Tensor:
        branches = self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(self.b3a(x))
        return torch.cat(branches, dim=1)


def pad_same(x: Tensor, kernel: Triple, stride: Triple) -> Tensor:
    r"""Return a video padded with zeros so that a window of this kernel and stride gives ceil(n / stride) positions.

    .. math:: p = \max\big((\lceil n/s \rceil - 1)\, s + k - n,\ 0\big)

    per axis, the smaller half in front: "same" of TensorFlow, which depends on the size n.

    Args:
        x: (B, C, T, H, W).
        kernel: (k_t, k_h, k_w).
        stride: (s_t, s_h, s_w).
    """
    pads: list[int] = []
    for size, k, s in reversed(list(zip(x.shape[2:], kernel, stride, strict=True))):  # F.pad: last axis first
        total = max((-(-size // s) - 1) * s + k - size, 0)
        pads += [total // 2, total - total // 2]
    return F.pad(x, pads) if any(pads) else x
