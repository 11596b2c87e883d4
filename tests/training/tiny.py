"""What the training tests train, importable by their child processes."""

import torch
import torch.nn.functional as F

from repro.config import Config, apply
from repro.data.clip import Clip
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


CLIP_SETTINGS = {
    "task": "clips",
    "stages": ["clip"],
    "model.kind": "sequential",
    "data.skeletons": "noisy",
    "data.flips": False,
    "clip.steps": 5,
    "clip.frames": 18,
    "clip.style": 1.0,
}


def tiny_clip_config(**settings) -> Config:
    return apply(tiny_config(), CLIP_SETTINGS | {key.replace("__", "."): value for key, value in settings.items()})


class RandomClips:
    """Smooth random frames with two skeletons, one joint missing; clip i is the same in every process."""

    name = "fashion_video"

    def __init__(self, length: int = 5, frames: int = 24) -> None:
        self.length, self.frames = length, frames

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Clip:
        draw = torch.Generator().manual_seed(index)
        joints = torch.rand(2, self.frames, 17, 2, generator=draw, dtype=torch.float64) * 64
        joints[1, :, 3] = -1
        images = F.interpolate(torch.rand(self.frames, 3, 3, 3, generator=draw), (64, 64), mode="bilinear")
        person = torch.zeros(self.frames, 64, 64, dtype=torch.bool)
        for frame in range(self.frames):  # never of one size
            person[frame, 8 : 20 + frame, 20:44] = True
        return Clip(images, joints[0], joints[1], images[0], joints[1, 0], index, 25.0, person, sigma=2.0)
