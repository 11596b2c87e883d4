"""How real the studio's people look to networks that never saw them: two pose estimators and a re-identifier.

Two questions about the test people of ``fashion`` at 256 pixels:

1. pose: on frontal and back views, how many of the visible limb joints (shoulders to wrists, hips to ankles) does the
   estimator find within 5 % of the body's height? A joint is visible when nothing but its own limb and
   the cloth on it hides it; knees and ankles behind a skirt are hidden. Frontal and back: within 45 degrees.
   Every miss gets one cause: the joint of the other side was found, nothing was, something near, something elsewhere.
   So that the numbers can be read, the same estimator answers for real photographs too, as large and by the same rule.
2. identity: half of each person's views are the gallery, the other half are asked for, each cut out by the person's
   mask and resized to 256 x 128. How often does the most similar gallery view (cosine) show the right person?

Anybody can repeat this part, with the pose extra (`make env POSE=1`), which is used as for photographs of one's own:

    python benchmarks/realism.py --pose mediapipe

The other networks are to be brought: a pose estimator of the OpenPose family (18 heat maps, background, 38 part
affinity fields) and a re-identification network, each as safetensors with a json that lists its operations in order.

    python benchmarks/realism.py --pose openpose --pose-network N --pose-graph G
    python benchmarks/realism.py --reid-network N --reid-graph G

Each run adds what it measured to the file given as --record. About five minutes on one core.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from bench.openpose import OpenPose
from bench.photographs import photographs
from bench.reid import Reid
from torch import Tensor

from repro.data.joints import MISSING
from repro.data.pair import Pair
from repro.data.pose_extra import Detector
from repro.data.sets import load
from repro.data.studio.mesh import PART
from repro.data.studio.seeds import GENERATOR_VERSION
from repro.data.studio.shot import joints_visible, shoot
from repro.data.studio.skeleton import OPENPOSE_18

SIZE = 256
WITHIN = 0.05  # of the body's height
NEAR = 0.12  # a miss up to here is one of place, beyond it something else was taken for the joint
CAUSES = ("found", "the other side's", "nothing found", "near", "elsewhere")
LIMBS = tuple(range(2, 14))
Estimate = Callable[[Tensor], Tensor]
OTHER = [0, 1, 5, 6, 7, 2, 3, 4, 11, 12, 13, 8, 9, 10, 15, 14, 17, 16]


def main() -> None:
    if len(sys.argv) == 1:  # `make bench` runs every script as it is
        print("nothing measured: this needs networks that are not shipped, --help says which")
        return
    arguments = parse()
    torch.set_num_threads(1)
    people = load("fashion", "test", size=SIZE, scale="default")
    count = min(arguments.people, people.people)
    views = [person * people.views + number for person in range(count) for number in range(people.views)]
    record = {
        "schema": 2,
        "what": "fashion test people as other networks see them",
        "dataset": "fashion", "split": "test", "scale": "default", "size": SIZE, "people": count,
        "dataset_hash": people.hash, "generator_version": GENERATOR_VERSION,
        "pose": {}, "identity": {},
    }  # fmt: skip
    if arguments.record and arguments.record.exists():
        before = json.loads(arguments.record.read_text("utf-8"))
        if before["schema"] == record["schema"] and before["dataset_hash"] == people.hash:
            record |= {"pose": before["pose"], "identity": before["identity"]}
        else:
            print(f"{arguments.record}: of other people, all of it is measured anew")
    if arguments.pose:
        estimate, name, networks = estimator(arguments)
        record["pose"][name] = {
            "command": f"python benchmarks/realism.py --pose {arguments.pose}", "networks": networks,
            **pose_scores(people, views, arguments.views, estimate),
            "photographs": photograph_scores(estimate, arguments.photographs),
        }  # fmt: skip
    if arguments.reid_network:
        files = (arguments.reid_network, arguments.reid_graph)
        record["identity"] = {
            "command": "python benchmarks/realism.py --reid-network … --reid-graph …",
            "networks": [_digest(file) for file in files], **identity_scores(people, views, Reid(*files)),
        }  # fmt: skip
    text = json.dumps(record, indent=1, ensure_ascii=False)
    print(text)
    if arguments.record:
        arguments.record.write_text(text + "\n", "utf-8")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure how real the studio's people look to other networks.")
    parser.add_argument("--pose", choices=("mediapipe", "openpose"), help="the pose estimator to ask")
    for name in ("pose-network", "pose-graph", "reid-network", "reid-graph"):
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--people", type=int, default=100, help="test people to look at, 100 at most")
    parser.add_argument("--views", type=int, default=200, help="frontal and back views for the pose estimator")
    parser.add_argument("--photographs", type=Path, help="folder of the real photographs; default: those at hand")
    parser.add_argument("--record", type=Path, help="file for the result; default: print only")
    arguments = parser.parse_args()
    if arguments.pose == "openpose" and not (arguments.pose_network and arguments.pose_graph):
        parser.error("--pose openpose needs --pose-network and --pose-graph")
    if bool(arguments.reid_network) != bool(arguments.reid_graph):
        parser.error("--reid-network and --reid-graph belong together")
    return arguments


def estimator(arguments: argparse.Namespace) -> tuple[Estimate, str, list[str]]:
    """Return the estimator, its name in the record, and what tells which networks it is."""
    if arguments.pose == "openpose":
        files = (arguments.pose_network, arguments.pose_graph)
        return OpenPose(*files), "openpose-mobilenet-small", [_digest(file) for file in files]
    detector = Detector()  # first: it says what to do where the extra is missing
    return BlazePose(detector), "mediapipe-blazepose-full", [f"mediapipe=={version('mediapipe')}"]


class BlazePose:
    """The pose extra as an estimator: image (3, H, W) -> joints (18, 2) (row, column), inf where none is found."""

    def __init__(self, detector: Detector) -> None:
        self.detector = detector

    def __call__(self, image: Tensor) -> Tensor:
        picture = (image * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
        joints = self.detector(picture)
        if joints is None:
            return torch.full((18, 2), torch.inf)
        return torch.from_numpy(np.where(joints == MISSING, np.inf, joints))


def pose_scores(people: Any, views: list[int], most: int, estimate: Estimate) -> dict:
    """Return the share of visible limb joints that are found, in all and per joint, side and part of the body."""
    chosen = [view for view in views if abs(np.cos(people.shot(view).camera.yaw)) > 0.7][:most]
    seen: list[Look] = []
    for view in chosen:
        shot = people.shot(view)
        stature = float(shot.mesh.skeleton.points["crown"][1][1])
        height = shot.camera.focal * SIZE * stature / shot.camera.distance
        groups = (
            "front" if np.cos(shot.camera.yaw) > 0 else "back",
            "whole body" if shot.camera.focal < 3 else "upper body",
            f"person {view // people.views}",
        )
        found = estimate(_look(people, view).source).numpy()
        seen += looks(found, shot.joints(), _visible(shot), height, groups)
    shares = {
        group: round(float(np.mean([look.cause == "found" for look in seen if group in look.groups])), 4)
        for group in dict.fromkeys(group for look in seen for group in look.groups)
    }
    worst = sorted((share, name) for name, share in shares.items() if name.startswith("person"))
    return {
        "within": WITHIN, "unit": "body height", "views": len(chosen), **summary(seen),
        "front": summary([look for look in seen if "front" in look.groups]),
        "back": summary([look for look in seen if "back" in look.groups]),
        "by_group": {name: share for name, share in shares.items() if not name.startswith("person")},
        "worst_people": {name: share for share, name in worst[:8]},
    }  # fmt: skip


def photograph_scores(estimate: Estimate, folder: Path | None) -> dict:
    """Return how well the estimator finds the joints of real photographs, padded to a square of the studio's size."""
    seen, names = [], []
    for name, image, joints, height in photographs(folder, SIZE):
        names.append(name)
        seen += looks(estimate(image).numpy(), joints, (joints != MISSING).all(1), height, ())
    return {"names": names, **summary(seen)}


@dataclass(frozen=True)
class Look:
    """What an estimator said of one visible joint; the error in parts of the body's height, inf = nothing."""

    error: float
    cause: str
    groups: tuple[str, ...]


def looks(
    found: np.ndarray, joints: np.ndarray, visible: np.ndarray, height: float, groups: tuple[str, ...]
) -> list[Look]:
    """Return what was found of each visible limb joint; found and joints (18, 2) in pixels, visible (18,) bool."""
    error = np.linalg.norm(found - joints, axis=1) / height
    to_other = np.linalg.norm(found - joints[OTHER], axis=1) / height
    return [
        Look(error[joint], cause(error[joint], to_other[joint]), (*groups, OPENPOSE_18[joint].partition("_")[2]))
        for joint in LIMBS
        if visible[joint]
    ]


def summary(seen: list[Look]) -> dict:
    """Return the number of joints, the share that was found, the median error, and the number of joints per cause."""
    counts = {name: sum(look.cause == name for look in seen) for name in CAUSES}
    return {
        "joints": len(seen), "found": round(counts["found"] / len(seen), 4),
        "median_error": round(float(np.median([look.error for look in seen])), 4), "causes": counts,
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


if __name__ == "__main__":
    main()
