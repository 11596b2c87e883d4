"""The page on own photographs: pictures and joints as the command reads them, and how far a network can be trusted."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from repro.data.images import write_image
from repro.data.joints import is_missing
from repro.experiments.generation import Generator, Reposing, generate, picture, prepare


def openpose_json(joints: Tensor) -> dict[str, Any]:
    """Return joints (K, 2) of one person, (row, column), -1 missing, as OpenPose's file of a frame states them."""
    scores = (~is_missing(joints)).double()[:, None]
    return {"people": [{"pose_keypoints_2d": torch.cat([joints.flip(-1).double(), scores], 1).flatten().tolist()}]}


def scene_of(image: Tensor, joints: Tensor, pose: Tensor, generator: Generator, **options: Any) -> Reposing:
    """Return what ``repro generate`` reads from files that hold a picture, its joints and a pose.

    Args:
        image: (3, H, W) in [0, 1].
        joints: (18, 2) of the person in it, (row, column), -1 missing.
        pose: (18, 2).
        generator: the network.
        options: of :func:`repro.experiments.generation.prepare`.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_image(folder / "photo.png", image)
        for file, places in (("photo.json", joints), ("pose.json", pose)):
            (folder / file).write_text(json.dumps(openpose_json(places)))
        return prepare(
            folder / "photo.png", folder / "pose.json", generator, source_pose=folder / "photo.json", **options
        )


def given_back(generator: Generator, people: Mapping[str, Sequence[tuple[Tensor, Tensor]]]) -> pd.DataFrame:
    """Return how well people are given back when the pose that is asked for is their own.

    Nothing has to move and nothing is hidden, so a network that can use a photograph returns it. Beside its error
    stands that of one colour, the photograph's mean: who is not better has not used the photograph.

    Args:
        generator: the network.
        people: kind -> pictures (3, H, W) in [0, 1] with their joints (18, 2).

    Returns:
        one line per kind: mean absolute error of the result and of the mean colour, both of 255; number of people.
    """
    lines = {}
    for kind, members in people.items():
        errors = []
        for image, joints in members:
            scene = scene_of(image, joints, joints, generator)
            own = scene.person.photograph.cut(scene.person.photograph.image) * 255
            made = picture(scene, generate(scene, generator)).float()
            errors.append([(made - own).abs().mean(), (own.mean((1, 2), keepdim=True) - own).abs().mean()])
        result, colour = torch.tensor(errors).mean(0).tolist()
        lines[kind] = {"result": result, "one colour": colour, "people": len(errors)}
    return pd.DataFrame.from_dict(lines, orient="index")
