"""videonet: a small network of our own that sees clips, trained on the studio's moving people."""

from itertools import pairwise

from torch import Tensor, nn

from repro.features.video_network import VideoNetwork
from repro.features.weights import WeightsFile

WIDTHS = (16, 32, 64, 128)
"""Channels of the four convolutions; each halves height and width, all but the first halve time."""


class VideoNet(VideoNetwork):
    """Four 3-D convolutions with ReLU; a clip's vector is the mean of the last maps, of 16 frames (2, 4, 4).

    It was trained on the kind of motion, on who is seen, on speed and on the order of pieces of the clip
    (:func:`repro.features.train_videonet`), because Fréchet distances through networks that only know classes of action
    hardly notice what happens in time. Its normalisation layers are folded into the convolutions.
    """

    name = "videonet"
    file = WeightsFile(
        "videonet",
        ("videonet.safetensors",),
        "this project (it ships in data/weights); made again by `repro weights videonet`",
        "Apache-2.0, as the project",
    )
    side = 64
    dimension = WIDTHS[-1]
    shortest = 8

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for depth, (narrow, wide) in enumerate(pairwise((3, *WIDTHS))):
            stride = (1 if depth == 0 else 2, 2, 2)
            layers += [nn.Conv3d(narrow, wide, (3, 4, 4), stride=stride, padding=1), nn.ReLU()]
        self.features = nn.Sequential(*layers)

    def maps(self, video: Tensor) -> Tensor:
        """Return the last maps (B, 128, t, h, w) of videos (B, 3, T, H, W)."""
        return self.features(video)  # type: ignore[no-any-return]


class SecondVideoNet(VideoNet):
    """The same network trained from another seed: an ordering of rows counts only if both agree."""

    name = "videonet_seed1"
    file = WeightsFile(
        "videonet_seed1",
        ("videonet_seed1.safetensors",),
        "this project (it ships in data/weights); made again by `repro weights videonet --seed 1`",
        "Apache-2.0, as the project",
    )
