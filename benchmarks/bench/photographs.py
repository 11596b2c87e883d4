"""Real photographs with joints set by eye, to see what an estimator reaches outside the studio.

The first is in scikit-image; the others are ``pose.jpg`` (a crop) and ``portrait.jpg`` (made smaller) of tfjs-models.
Their joints and heights stand in photographs.json: only limb joints whose place can be seen, rows and columns of the
picture's own pixels; the body's height is seven and a half times that of the head from crown to chin.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from skimage.data import astronaut
from torch import Tensor

from repro.data.joints import MISSING
from repro.data.studio.skeleton import OPENPOSE_18

JOINTS = Path(__file__).with_name("photographs.json")
WALL = 0.9  # brightness of what is added around a picture that is not square


def photographs(folder: Path | None, size: int) -> Iterator[tuple[str, Tensor, np.ndarray, float]]:
    """Yield the photographs at hand: name, image (3, size, size), joints (18, 2), -1 missing, and the body's height.

    Raises:
        ValueError: a picture of the name but not of the size.
    """
    for name, known in json.loads(JOINTS.read_text("utf-8")).items():
        if name == "astronaut.png":
            picture = astronaut()
        elif folder and (folder / name).exists():
            picture = np.asarray(Image.open(folder / name).convert("RGB"))
        else:
            continue
        if list(picture.shape[:2]) != known["size"]:
            raise ValueError(f"{name}: expected {known['size']} pixels, got {picture.shape[:2]}: another picture")
        yield name, *in_square(picture, known["joints"], known["height"], size)


def in_square(
    picture: np.ndarray, places: dict[str, list[float]], height: float, size: int
) -> tuple[Tensor, np.ndarray, float]:
    """Return picture (H, W, 3), joints and height in a square of this size, the picture in its middle."""
    rows, columns = picture.shape[:2]
    side = max(rows, columns)
    top, left = (side - rows) // 2, (side - columns) // 2
    image = torch.from_numpy(picture / np.float32(255)).permute(2, 0, 1)
    image = F.pad(image, [left, side - columns - left, top, side - rows - top], value=WALL)
    image = F.interpolate(image[None], size=(size, size), mode="bilinear", antialias=True)[0].clamp(0, 1)
    scale = size / side
    joints = np.full((18, 2), float(MISSING))
    for name, (row, column) in places.items():
        joints[OPENPOSE_18.index(name)] = (np.array([row + top, column + left]) + 0.5) * scale - 0.5
    return image, joints, height * scale
