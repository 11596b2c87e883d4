"""What the training tests train, importable by their child processes."""

import torch
import torch.nn.functional as F

from repro.config import Config, apply
from repro.data.pair import Pair

SETTINGS = {
    "batch": 2,
    "model.width": 0.125,
    "model.init_gain": 1.0,
    "data.size": 64,
    "data.heatmap_sigma": 2.0,
    "data.flips": True,
    "losses.features": "procnet",
    "losses.foreground_mask": True,
    "flow.steps": 4,
    "joint.steps": 6,
    "joint.style": 1.0,
    "optimizer.lr": 1e-3,
    "optimizer.decay_from": 0.5,
    "optimizer.flow_net_factor": 0.3,
}


def tiny_config(**settings) -> Config:
    return apply(Config(), SETTINGS | {key.replace("__", "."): value for key, value in settings.items()})


class Silhouette:
    """A ground truth that knows the target's parts only."""

    def parts(self):
        parts = torch.full((64, 64), -1, dtype=torch.int8)
        parts[16:48, 20:44] = 3
        return parts, parts


class RandomPairs:
    """Smooth random images with joints somewhere, one missing; pair i is the same in every process."""

    def __init__(self, length: int = 7) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Pair:
        draw = torch.Generator().manual_seed(index)
        joints = torch.rand(2, 18, 2, generator=draw) * 64
        joints[:, 3] = -1
        images = F.interpolate(torch.rand(2, 3, 3, 3, generator=draw), (64, 64), mode="bilinear")
        return Pair(*images, *joints, identity=index, sigma=2.0, truth=Silhouette())
