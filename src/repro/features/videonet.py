"""videonet: a small network of our own that sees clips, trained on the studio's moving people."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from repro.features.video_network import VideoNetwork
from repro.features.weights import WeightsFile

WINDOW = 16
"""Frames of the clips that it is trained on."""
WIDTHS = (24, 48, 96)
"""Channels of the convolutions; each halves height and width, all but the first halve time."""
CHANGE = 4.0
"""Weight of the changes between frames: at 25 frames per second they are small beside the colours."""


class VideoNet(VideoNetwork):
    """Three 3-D convolutions with ReLU over colours and their changes; a clip's vector is the mean of the last maps.

    It was trained on the kind of motion, on who is seen, and on what had been done to time
    (:func:`repro.features.train_videonet`), because Fréchet distances through networks that only know actions hardly
    notice what happens in time. Its normalisation layers are folded into the convolutions. Every entry is divided by
    its standard deviation over the training clips (``spread``), so that all count alike.
    """

    name = "videonet"
    file = WeightsFile(
        "videonet",
        ("videonet.safetensors",),
        "this project (it ships in data/weights); made again by `repro weights videonet`",
        "Apache-2.0, as the project",
        ours=True,
    )
    side = 64
    dimension = WIDTHS[-1]
    shortest = 2

    spread: Tensor

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for depth, (narrow, wide) in enumerate(pairwise((6, *WIDTHS))):
            stride = (1 if depth == 0 else 2, 2, 2)
            layers += [nn.Conv3d(narrow, wide, (3, 4, 4), stride=stride, padding=1), nn.ReLU()]
        self.features = nn.Sequential(*layers)
        self.register_buffer("spread", torch.ones(self.dimension))

    def maps(self, video: Tensor) -> Tensor:
        """Return the last maps (B, 96, t, 4, 4) of videos (B, 3, T, 64, 64): 16 frames give t = 4."""
        return self.features(with_changes(video)) / self.spread.view(-1, 1, 1, 1)


class SecondVideoNet(VideoNet):
    """The same network trained from another seed: an ordering of rows counts only if both agree."""

    name = "videonet_seed1"
    file = WeightsFile(
        "videonet_seed1",
        ("videonet_seed1.safetensors",),
        "this project (it ships in data/weights); made again by `repro weights videonet --seed 1`",
        "Apache-2.0, as the project",
        ours=True,
    )


def with_changes(video: Tensor) -> Tensor:
    """Return colours and four times their change since the frame before (0 at the first), at half the resolution.

    Args:
        video: (B, 3, T, H, W).

    Returns:
        (B, 6, T, H / 2, W / 2), means of 2 x 2 pixels.
    """
    small = F.avg_pool3d(video, (1, 2, 2))
    change = small[:, :, 1:] - small[:, :, :-1]
    return torch.cat((small, CHANGE * F.pad(change, (0, 0, 0, 0, 1, 0))), dim=1)
