"""How real the studio's people look to networks that never saw them: a pose estimator and a re-identifier.

Two questions about the test people of ``fashion`` at 256 pixels:

1. pose: on frontal and back views, how many of the visible limb joints (shoulders to wrists, hips to ankles) does the
   estimator find within 5 % of the body's height? A joint is visible when nothing but its own limb and
   the cloth on it hides it; knees and ankles behind a skirt are hidden. Frontal and back: within 45 degrees.
   Every miss gets one cause: the joint of the other side was found, nothing was, something near, something elsewhere.
2. identity: half of each person's views are the gallery, the other half are asked for, each cut out by the person's
   mask and resized to 256 x 128. How often does the most similar gallery view (cosine) show the right person?

No network is shipped: bring a pose estimator of the OpenPose family (18 heat maps, background, 38 part affinity
fields) and a re-identification network, each as safetensors with a json that lists its operations in order.

    python benchmarks/realism.py --pose-network N --pose-graph G --reid-network N --reid-graph G --record data/records/realism.json

About five minutes on one core for 100 people.
"""  # noqa: E501

import argparse
import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from scipy.ndimage import gaussian_filter
from torch import Tensor

from repro.data.pair import Pair
from repro.data.sets import load
from repro.data.studio.mesh import PART
from repro.data.studio.seeds import GENERATOR_VERSION
from repro.data.studio.shot import joints_visible, shoot
from repro.data.studio.skeleton import OPENPOSE_18

SIZE = 256
# Sides of the estimator's input, whose maps are averaged over sizes and over mirror images, as OpenPose does. It was
# trained on persons of 0.4 to 0.8 of a side of 368, 147 to 294 pixels: of these sides a whole body (216 pixels of 304)
# is 136, 182 and 261 pixels high, the body of a portrait (380 of 304, cut off below the hips) 240, 320 and 460.
INPUTS = (192, 256, 368)
MARGIN = 24  # pixels of wall added around the picture: the estimator was trained on persons that do not fill it
GRID = 152  # side of the averaged heat maps: two pixels of the picture each
WITHIN = 0.05  # of the body's height
SMOOTH = (
    3.0  # pixels of that grid; the estimator's own software smooths heat maps by 0.75 cells, here 2.5 to 4.75 pixels
)
SEEN = 0.05  # heat of the weakest peak that counts as a finding
NEAR = 0.12  # a miss up to here is one of place, beyond it something else was taken for the joint
CAUSES = ("found", "the other side's", "nothing found", "near", "elsewhere")
LIMBS = tuple(range(2, 14))
OTHER = [0, 1, 5, 6, 7, 2, 3, 4, 11, 12, 13, 8, 9, 10, 15, 14, 17, 16]

# Parent, child and the first of the two channels (x, y) of their affinity field; 13 limbs from the neck outwards are
# the tree by which joints are put together.
FIELDS = (
    (1, 2, 12), (2, 3, 14), (3, 4, 16), (1, 5, 20), (5, 6, 22), (6, 7, 24),
    (1, 8, 0), (8, 9, 2), (9, 10, 4), (1, 11, 6), (11, 12, 8), (12, 13, 10), (1, 0, 28),
    (0, 14, 30), (14, 16, 34), (0, 15, 32), (15, 17, 36), (2, 16, 18), (5, 17, 26),
)  # fmt: skip
TREE = FIELDS[:13]


def main() -> None:
    if len(sys.argv) == 1:  # `make bench` runs every script as it is
        print("nothing measured: this needs a network that is not shipped, --help says which")
        return
    arguments = parse()
    torch.set_num_threads(1)
    people = load("fashion", "test", size=SIZE, scale="default")
    count = min(arguments.people, people.people)
    views = [person * people.views + number for person in range(count) for number in range(people.views)]
    found = {
        "pose": pose_scores(people, views, arguments.views, Pose(arguments.pose_network, arguments.pose_graph)),
        "identity": identity_scores(people, views, Reid(arguments.reid_network, arguments.reid_graph)),
    }
    record = {
        "schema": 1,
        "what": "fashion test people as other networks see them",
        "command": "python benchmarks/realism.py --pose-network … --pose-graph … --reid-network … --reid-graph …",
        "dataset": "fashion", "split": "test", "scale": "default", "size": SIZE, "people": count,
        "dataset_hash": people.hash, "generator_version": GENERATOR_VERSION,
        "networks": {name: _digest(getattr(arguments, name)) for name in ("pose_network", "pose_graph", "reid_network",
                                                                         "reid_graph")},
        **found,
    }  # fmt: skip
    text = json.dumps(record, indent=1, ensure_ascii=False)
    print(text)
    if arguments.record:
        arguments.record.write_text(text + "\n", "utf-8")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure how real the studio's people look to other networks.")
    for name in ("pose-network", "pose-graph", "reid-network", "reid-graph"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--people", type=int, default=100, help="test people to look at, 100 at most")
    parser.add_argument("--views", type=int, default=200, help="frontal and back views for the pose estimator")
    parser.add_argument("--record", type=Path, help="file for the result; default: print only")
    return parser.parse_args()


def pose_scores(people: Any, views: list[int], most: int, estimate: Callable[[Tensor], Tensor]) -> dict:
    """Return the share of visible limb joints that are found, in all and per joint, side and part of the body."""
    chosen = [view for view in views if abs(np.cos(people.shot(view).camera.yaw)) > 0.7][:most]
    hits: dict[str, list[bool]] = {"all": []}
    errors, causes = [], []
    for view in chosen:
        shot = people.shot(view)
        visible = _visible(shot)
        stature = float(shot.mesh.skeleton.points["crown"][1][1])
        height = shot.camera.focal * SIZE * stature / shot.camera.distance
        found, joints = estimate(_look(people, view).source).numpy(), shot.joints()
        distance = np.linalg.norm(found - joints, axis=1) / height
        to_other = np.linalg.norm(found - joints[OTHER], axis=1) / height
        facing = "front" if np.cos(shot.camera.yaw) > 0 else "back"
        framing = "whole body" if shot.camera.focal < 3 else "upper body"
        for joint in LIMBS:
            if visible[joint]:
                hit = bool(distance[joint] <= WITHIN)  # a joint that was not found is infinitely far
                errors.append(distance[joint])
                causes.append(cause(distance[joint], to_other[joint]))
                for group in (
                    "all",
                    facing,
                    framing,
                    OPENPOSE_18[joint].partition("_")[2],
                    f"person {view // people.views}",
                ):
                    hits.setdefault(group, []).append(hit)
    shares = {group: round(float(np.mean(hit)), 4) for group, hit in hits.items()}
    worst = sorted((share, name) for name, share in shares.items() if name.startswith("person"))
    return {
        "within": WITHIN, "unit": "body height", "views": len(chosen), "joints": len(hits["all"]),
        "found": shares["all"], "missed_altogether": round(float(np.isinf(errors).mean()), 4),
        "median_error": round(float(np.median(errors)), 4),
        "causes": {name: round(causes.count(name) / len(causes), 4) for name in CAUSES},
        "by_group": {name: share for name, share in shares.items() if not name.startswith(("person", "all"))},
        "worst_people": {name: share for share, name in worst[:8]},
    }  # fmt: skip


def cause(distance: float, to_other: float) -> str:
    """Return which of ``CAUSES`` a joint belongs to.

    Args:
        distance: of what was found for it from the joint, parts of the body's height, inf = nothing was found.
        to_other: of the same from the joint of the other side.
    """
    if distance <= WITHIN:
        return "found"
    if not np.isfinite(distance):
        return "nothing found"
    if to_other <= WITHIN:
        return "the other side's"
    return "near" if distance <= NEAR else "elsewhere"


def _visible(shot: Any) -> np.ndarray:
    """Return (18,) bool: in the picture and hidden by nothing but cloth that follows the joint; skirts hide knees."""
    seen = shoot([shot], SIZE, SIZE)
    visible = joints_visible(shot, seen.depth[0].float(), OPENPOSE_18)
    for joint in (9, 10, 12, 13):
        row, column = shot.joints()[joint].round().clip(0, SIZE - 1).astype(int)
        visible[joint] &= shot.mesh.part[seen.face[0, row, column]] != PART["skirt"]
    return visible


def identity_scores(people: Any, views: list[int], describe: Callable[[Tensor], Tensor]) -> dict:
    """Return how often the most similar gallery view shows the person asked for."""
    looks = (_look(people, view) for view in views)
    codes = F.normalize(torch.cat([describe(_cut_out(look.source, look.source_parts)) for look in looks]), dim=1)
    person, gallery = torch.tensor(views) // people.views, torch.tensor(views) % people.views % 2 == 0
    nearest = (codes[~gallery] @ codes[gallery].T).argmax(1)
    right = person[gallery][nearest] == person[~gallery]
    return {
        "gallery": "views 0, 2, 4 of every person", "queries": "views 1, 3, 5 of every person",
        "gallery_views": int(gallery.sum()), "query_views": int((~gallery).sum()), "people": len(set(person.tolist())),
        "rank_1": round(float(right.float().mean()), 4),
    }  # fmt: skip


def _cut_out(image: Tensor, parts: Tensor) -> Tensor:
    """Return the bounding box of the person (3, H, W; parts >= 0), with a margin of 4 %, as (1, 3, 256, 128)."""
    rows, columns = (parts >= 0).nonzero().T
    margin = int(0.04 * SIZE)
    top, left = max(int(rows.min()) - margin, 0), max(int(columns.min()) - margin, 0)
    box = image[:, top : int(rows.max()) + margin + 1, left : int(columns.max()) + margin + 1]
    return F.interpolate(box[None], size=(256, 128), mode="bilinear", align_corners=False, antialias=True)


def _look(people: Any, view: int) -> Pair:
    """Return a pair whose source is the view."""
    return people.pair(view, view + 1 if view % people.views == 0 else view - 1)


def _digest(file: Path) -> str:
    return "sha256:" + hashlib.sha256(file.read_bytes()).hexdigest()


class Pose:
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


class Reid:
    """A re-identification network: picture (1, 3, 256, 128) in [0, 1] -> code (1, C)."""

    def __init__(self, network: Path, graph: Path) -> None:
        self.weights = {name: value.float() for name, value in load_file(network).items()}
        self.graph = json.loads(graph.read_text())

    @torch.no_grad()
    def __call__(self, picture: Tensor) -> Tensor:
        mean, spread = (torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
        values: dict[str, Any] = {**self.weights, self.graph["input"]: (picture - mean) / spread}
        for op in self.graph["ops"]:
            values[op["out"][0]] = self._apply(op["op"], op["attr"], *(values.get(name) for name in op["in"]))
        return values[self.graph["output"]]

    @staticmethod
    def _apply(op: str, attr: dict, *x: Any) -> Any:
        match op:
            case "Conv":
                pad = attr["pads"][:2]
                return F.conv2d(x[0], x[1], x[2] if len(x) > 2 else None, attr["strides"], pad, 1, attr["group"])
            case "MaxPool":
                return F.max_pool2d(x[0], attr["kernel_shape"], attr["strides"], attr["pads"][:2])
            case "AveragePool":
                return F.avg_pool2d(x[0], attr["kernel_shape"], attr["strides"], attr["pads"][:2])
            case "GlobalAveragePool":
                return x[0].mean((2, 3), keepdim=True)
            case "Relu":
                return F.relu(x[0])
            case "Sigmoid":
                return torch.sigmoid(x[0])
            case "Mul" | "Add" as name:
                return x[0] * x[1] if name == "Mul" else x[0] + x[1]
            case "Gemm":
                return F.linear(x[0], x[1], x[2])
            case "BatchNormalization":
                return F.batch_norm(x[0], x[3], x[4], x[1], x[2], eps=attr["epsilon"])
            case "Reshape":  # the only reshape of the graph flattens; what computes its shape is skipped
                return x[0].flatten(1)
            case "Shape" | "Constant" | "Gather" | "Unsqueeze" | "Concat":
                return None
        raise ValueError(f"unknown operation {op!r} in the re-identification graph")


if __name__ == "__main__":
    main()
