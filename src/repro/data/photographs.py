"""Single photographs with joints: the user's own, and the one of the pages."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from repro.data.annotations import read_annotations
from repro.data.images import read_image
from repro.data.joints import scale_joints


def read_photographs(annotations: str | Path, size: tuple[int, int] = (256, 256)) -> tuple[list[str], Tensor, Tensor]:
    """Return the photographs of an annotation file as the network wants them, with their joints.

    The images lie beside the file; the joints refer to each image's own pixels. Images are resized (bilinear) without
    keeping the aspect ratio, as for DeepFashion, and the joints go with them.

    Args:
        annotations: csv as :func:`~repro.data.annotations.read_annotations` reads it.
        size: (H, W).

    Returns:
        names; images (N, 3, H, W) in [0, 1]; joints (N, 18, 2) float64 (row, column), -1 missing.

    Raises:
        DataError, FileNotFoundError, DamagedImage: what is wrong with the csv or an image, by name.
    """
    folder = Path(annotations).parent
    names, joints = read_annotations(annotations)
    sizes = [read_image(folder / name).shape[1:] for name in names]
    images = torch.stack([read_image(folder / name, size) for name in names])
    scaled = [scale_joints(places, (old[0], old[1]), size) for places, old in zip(joints, sizes)]
    return names, images, torch.stack(scaled)


def astronaut() -> tuple[Tensor, Tensor]:
    """Return the portrait of Eileen Collins and its 18 joints, marked by hand on the 512 x 512 picture.

    The picture is read from the scikit-image wheel at run time (NASA, public domain); it is not copied into this
    project. Only the upper body is in the frame, so the left arm below the shoulder and both legs are missing.

    Returns:
        image (3, 512, 512) in [0, 1], and joints (18, 2) float64, (row, column), -1 missing (OpenPose order).
    """
    from skimage import data

    image = torch.from_numpy(np.array(data.astronaut())).permute(2, 0, 1).float() / 255
    joints = torch.full((18, 2), -1.0, dtype=torch.float64)
    marked = {
        0: (122, 224),  # nose
        1: (232, 215),  # neck
        2: (255, 95),  # right shoulder
        3: (420, 45),  # right elbow
        4: (490, 150),  # right wrist
        5: (262, 325),  # left shoulder
        14: (101, 203),  # right eye
        15: (103, 248),  # left eye
        16: (112, 178),  # right ear
        17: (118, 277),  # left ear
    }
    for joint, place in marked.items():
        joints[joint] = torch.tensor(place, dtype=torch.float64)
    return image, joints
