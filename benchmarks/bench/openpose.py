"""A pose estimator of the OpenPose family with its parsing: heat maps and part affinity fields to joints."""

import json
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from scipy.ndimage import gaussian_filter
from torch import Tensor

from repro.data.studio.skeleton import OPENPOSE_18

# Sides of the estimator's input, whose maps are averaged over sizes and over mirror images, as OpenPose does. It was
# trained on persons of 0.4 to 0.8 of a side of 368, 147 to 294 pixels: of these sides a whole body (216 pixels of 304)
# is 136, 182 and 261 pixels high, the body of a portrait (380 of 304, cut off below the hips) 240, 320 and 460.
INPUTS = (192, 256, 368)
MARGIN = 24  # pixels of wall added around the picture: the estimator was trained on persons that do not fill it
GRID = 152  # side of the averaged heat maps: two pixels of the picture each
SMOOTH = (
    3.0  # pixels of that grid; the estimator's own software smooths heat maps by 0.75 cells, here 2.5 to 4.75 pixels
)
SEEN = 0.05  # heat of the weakest peak that counts as a finding

# Parent, child and the first of the two channels (x, y) of their affinity field; 13 limbs from the neck outwards are
# the tree by which joints are put together.
FIELDS = (
    (1, 2, 12), (2, 3, 14), (3, 4, 16), (1, 5, 20), (5, 6, 22), (6, 7, 24),
    (1, 8, 0), (8, 9, 2), (9, 10, 4), (1, 11, 6), (11, 12, 8), (12, 13, 10), (1, 0, 28),
    (0, 14, 30), (14, 16, 34), (0, 15, 32), (15, 17, 36), (2, 16, 18), (5, 17, 26),
)  # fmt: skip
TREE = FIELDS[:13]


class OpenPose:
    """An OpenPose network with its parsing: image (3, H, W) -> joints (18, 2) (row, column), inf where none is found.

    Each joint offers its highest peaks; the joints are chosen together, so that heat and part affinity along the limbs
    of the tree from the neck are largest (dynamic programming over the tree).
    """

    def __init__(self, network: Path, graph: Path) -> None:
        self.weights = {name: value.float() for name, value in load_file(network).items()}
        self.graph = json.loads(graph.read_text())

    @torch.no_grad()
    def __call__(self, image: Tensor) -> Tensor:
        padded = F.pad(image[None], [MARGIN] * 4, mode="replicate")
        total = torch.zeros(())
        for side in INPUTS:
            resized = F.interpolate(padded, size=(side, side), mode="bicubic", align_corners=False).clamp(0, 1)
            for flipped in (False, True):
                picture = resized.flip(3) if flipped else resized
                maps = self.forward(picture[:, [2, 1, 0]] * 2 - 1)
                maps = _mirrored(maps) if flipped else maps
                total = total + F.interpolate(maps, size=(GRID, GRID), mode="bicubic", align_corners=False)
        maps = total[0] / (2 * len(INPUTS))
        stride = padded.shape[-1] / GRID
        heat = torch.from_numpy(gaussian_filter(maps[:18].numpy(), (0, SMOOTH, SMOOTH)))
        return (assembled(heat, maps[19:]) + 0.5) * stride - 0.5 - MARGIN

    def forward(self, picture: Tensor) -> Tensor:
        """Return heat maps and affinity fields (1, 57, h, w) of BGR pictures in [-1, 1]."""
        values = {"image": picture}
        for op in self.graph["ops"]:
            values[op["name"]] = self._apply(op, *(values[name] for name in op["input"]), values=values)
        return values[self.graph["ops"][-1]["name"]]

    def _apply(self, op: dict, *x: Tensor, values: dict[str, Tensor]) -> Tensor:
        match op["op"]:
            case "conv2d":
                weight, stride = self.weights[op["weight"]], op["stride"]
                return F.conv2d(
                    _tensorflow_same(x[0], weight.shape[-1], stride), weight, None, stride, 0, 1, op["groups"]
                )
            case "batch_norm_batch_stats":  # the mean and spread of the picture itself
                gamma, beta = self.weights[op["gamma"]], self.weights[op["beta"]]
                return F.instance_norm(x[0], weight=gamma, bias=beta, eps=op["eps"])
            case "affine":
                return x[0] * self.weights[op["scale"]][:, None, None] + self.weights[op["shift"]][:, None, None]
            case "relu" | "relu6" as name:
                return F.relu(x[0]) if name == "relu" else F.relu6(x[0])
            case "add":
                return x[0] + x[1]
            case "concat_channels":
                return torch.cat(x, 1)
            case "resize_bilinear_to":
                return _tensorflow_resize(x[0], values[op["like"]].shape[-2:])
        raise ValueError(f"unknown operation {op['op']!r} in the pose graph")


def _mirrored(maps: Tensor) -> Tensor:
    """Return the maps (1, 57, h, w) of a mirrored picture as those of the picture: sides exchanged, x turned round."""
    swap = {name: name.replace("right", "LEFT").replace("left", "right").lower() for name in OPENPOSE_18}
    heat = [OPENPOSE_18.index(swap[name]) for name in OPENPOSE_18] + [18]
    pairs = {(parent, child): channel for parent, child, channel in FIELDS}
    order = list(range(57))
    order[:19] = heat
    for (parent, child), channel in pairs.items():
        other = pairs[heat[parent], heat[child]]
        order[19 + channel], order[20 + channel] = 19 + other, 20 + other
    sign = torch.ones(57)
    sign[19::2] = -1
    return maps.flip(3)[:, order] * sign[:, None, None]


def _tensorflow_same(x: Tensor, kernel: int, stride: int) -> Tensor:
    """Return x padded as TensorFlow's SAME does: the odd pixel goes to the right and below."""
    pads = []
    for side in (x.shape[3], x.shape[2]):
        total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
        pads += [total // 2, total - total // 2]
    return F.pad(x, pads)


def _tensorflow_resize(x: Tensor, size: torch.Size) -> Tensor:
    """Return x bilinearly resized as TensorFlow 1 does: pixel i of the result lies at i * in / out of the input."""
    for axis, length in ((2, size[0]), (3, size[1])):
        place = torch.arange(length) * (x.shape[axis] / length)
        low = place.long()
        high = (low + 1).clamp(max=x.shape[axis] - 1)
        share = (place - low).view([-1 if axis == k else 1 for k in range(4)])
        x = torch.lerp(x.index_select(axis, low), x.index_select(axis, high), share)
    return x


def assembled(heat: Tensor, fields: Tensor, candidates: int = 5) -> Tensor:
    """Return joints (18, 2) (row, column) on the grid of heat maps (18, h, w); fields (38, h, w); inf = not found."""
    peaks = (heat == F.max_pool2d(heat[None], 7, 1, 3)[0]) & (heat > SEEN)
    places, scores = [], []
    for joint in range(18):
        where = peaks[joint].nonzero()
        value = heat[joint][tuple(where.T)]
        order = value.argsort(descending=True)[:candidates]
        places.append(where[order].float())
        scores.append(value[order])
    best: dict[int, Tensor] = {}
    for parent, child, channel in reversed(TREE):  # leaves first: what a parent's peak gains from its child
        if len(places[parent]) and len(places[child]):
            gain = affinity(fields[channel : channel + 2], places[parent], places[child]) + scores[child]
            best[child] = gain.argmax(1)
            scores[parent] = scores[parent] + gain.amax(1).clamp(min=0)
    joints, chosen = torch.full((18, 2), torch.inf), {}
    for parent, joint in ((-1, 1), *((parent, child) for parent, child, _ in TREE), *((-1, k) for k in range(14, 18))):
        if len(places[joint]):
            chosen[joint] = int(best[joint][chosen[parent]]) if parent in chosen else int(scores[joint].argmax())
            joints[joint] = places[joint][chosen[joint]]
    return joints


def affinity(field: Tensor, starts: Tensor, ends: Tensor) -> Tensor:
    """Return (N, M): the mean of the field (2, h, w) along and in the direction of the lines from starts to ends."""
    along = ends[None] - starts[:, None]
    direction = along / along.norm(dim=-1, keepdim=True).clamp(min=1e-6)
    t = torch.linspace(0, 1, 10)[:, None]
    points = (starts[:, None, None] + t * along[:, :, None]).round().long()
    sampled = field[:, points[..., 0], points[..., 1]]  # (2, N, M, 10): x, y
    return (sampled[0] * direction[..., None, 1] + sampled[1] * direction[..., None, 0]).mean(-1)
