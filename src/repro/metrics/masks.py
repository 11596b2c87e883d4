"""Where a person stands, from its joints alone: the mask behind mask-SSIM, mask-IS and mask-LPIPS (Ma et al. 2017)."""

import numpy as np
import torch
from skimage.draw import disk, polygon
from torch import Tensor
from torch.nn.functional import max_pool2d

from repro.checks import require_shape
from repro.data.joints import is_missing

RADIUS = 4.0
"""Half the width of a limb and the radius of a joint in pixels, meant for pictures of 128 x 64."""
CLOSING = 5

# Pairs of joints with a quadrilateral between them: the skeleton's, and the lines that close trunk and head.
LIMBS = (
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7),
    (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13),
    (1, 0), (0, 14), (14, 16), (0, 15), (15, 17), (1, 16), (1, 17),
    (8, 11), (11, 5), (8, 2), (16, 17),
)  # fmt: skip


def pose_mask(joints: Tensor, size: tuple[int, int], radius: float = RADIUS) -> Tensor:
    """Return where limbs and joints are drawn, (B, H, W) bool.

    Each limb is a quadrilateral of half width ``radius`` between its joints, each joint a disc (distance below
    ``radius``); then gaps are closed with a 5 x 5 square. Limbs with a missing end, or with both ends in one place, are
    left out. Ma et al. fixed 4 pixels for Market-1501; at other sizes the same 4 pixels draw another person, so
    ``radius`` is an argument.

    Convention: joints (row, column), not rounded. The erosion counts what lies outside the image as person.

    Args:
        joints: (B, 18, 2) in pixels of the image, -1 missing.
        size: (H, W).
        radius: in pixels, positive.

    Raises:
        ValueError: other joints, or a radius that is not positive.
    """
    require_shape("joints", joints, "B 18 2")
    if not radius > 0:
        raise ValueError(f"expected a positive radius, got {radius}")
    drawn = torch.stack([torch.from_numpy(_drawn(own, size, radius)) for own in joints.cpu()])
    reach = CLOSING // 2
    wide = max_pool2d(drawn[:, None].float(), CLOSING, 1, reach)
    # Padding is never the maximum, so outside nothing is background: it does not erode.
    return (-max_pool2d(-wide, CLOSING, 1, reach))[:, 0].bool().to(joints.device)


def masked(images: Tensor, mask: Tensor, background: float) -> Tensor:
    """Return the images with everything outside of the mask in one grey.

    Args:
        images: (B, 3, H, W) in [0, 1].
        mask: (B, H, W) bool.
        background: 0 (black) for mask-SSIM and mask-IS; 0.5 for mask-LPIPS, where images in [-1, 1] are multiplied.
    """
    sizes = require_shape("images", images, "B 3 H W")
    require_shape("mask", mask, "B H W", sizes=sizes)
    return images.where(mask[:, None], torch.as_tensor(background).to(images))


def _drawn(joints: Tensor, size: tuple[int, int], radius: float) -> np.ndarray:
    canvas = np.zeros(size, dtype=bool)
    places, there = joints.double().numpy(), (~is_missing(joints)).numpy()
    for a, b in LIMBS:
        along = places[b] - places[a]
        length = np.hypot(*along)
        if there[a] and there[b] and length > 0:
            across = radius * np.array([-along[1], along[0]]) / length
            corners = np.array([places[a] + across, places[a] - across, places[b] - across, places[b] + across])
            canvas[polygon(corners[:, 0], corners[:, 1], shape=size)] = True
    for place in places[there]:
        canvas[disk(place, radius, shape=size)] = True
    return canvas
