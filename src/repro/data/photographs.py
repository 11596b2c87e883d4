"""The real photograph of the pages, with its joints.

The picture is read from the scikit-image wheel at run time (NASA, public domain); it is not copied into this project.
"""

import numpy as np
import torch
from torch import Tensor


def astronaut() -> tuple[Tensor, Tensor]:
    """Return the portrait of Eileen Collins and its 18 joints, marked by hand on the 512 x 512 picture.

    Only the upper body is in the frame, so the left arm below the shoulder and both legs are missing.

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
