"""What the sequential generator sees of a skeleton: 17 heat maps and a small coloured drawing."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.draw import disk, line_aa
from torch import Tensor

from repro.checks import require_choice
from repro.data.joints import SIGMA, heatmaps, is_missing

STRUCTURE_LIMBS: dict[str, Sequence[tuple[int, int]]] = {
    "human36m17": (
        (0, 1), (1, 2), (2, 3), (0, 4), (4, 5), (5, 6), (0, 7), (7, 8), (8, 9), (9, 10),
        (8, 11), (11, 12), (12, 13), (8, 14), (14, 15), (15, 16),
    ),
    "coco17": (
        (0, 1), (1, 3), (0, 2), (2, 4), (5, 7), (7, 9), (6, 8), (8, 10), (11, 12), (5, 6), (11, 13), (12, 14),
        (13, 15), (14, 16), (5, 11), (6, 12),
    ),
}  # fmt: skip
"""Pairs of joints that the drawing connects, in the order of drawing."""
STRUCTURE_COLOURS = np.array(
    [[128 * (joint >> channel & 1) + 64 * (joint >> channel + 3 & 1) for channel in range(3)] for joint in range(17)],
    dtype=np.uint8,
)
"""Colour of each joint's disc: the first 17 of PASCAL VOC's colour map, so that joint 0 is black."""
RADIUS = 2
# A joint this far away is a mistake; its limb would be drawn pixel by pixel.
FARTHEST = 2**15


def skeleton_structure(
    joints: Tensor,
    size: tuple[int, int],
    layout: str = "human36m17",
    sigma: float = SIGMA,
    *,
    truncate: bool = False,
) -> Tensor:
    r"""Return the structure (..., 20, H, W) of skeletons: 17 heat maps in [0, 1], then a drawing with values 0 to 255.

    Heat maps keep the fraction of a joint's pixel. The drawing takes whole pixels (truncated) and an 8-bit canvas:
    first the limbs as white anti-aliased lines, then the joints as discs of radius 2. Whatever is drawn later
    overwrites, without blending, so a faint line end can darken an earlier limb and joint 0 is a black spot. What lies
    outside the image is cut off. No part of it is normalised: networks receive 0 to 255 (as the authors' do).

    Convention: joints are (row, column), pixel centres at integers; a joint with -1 in either coordinate has an empty
    map and no disc, and its limbs are not drawn.

    Args:
        joints: (..., 17, 2) in pixels of the image.
        size: (H, W).
        layout: "human36m17" (clean skeletons of the targets) or "coco17" (noisy skeleton of the reference).
        sigma: of the heat maps in pixels.
        truncate: heat maps at whole pixels too, as the authors' code has them once it augments a clip.

    Returns:
        float32 on the joints' device.

    Raises:
        ValueError: unknown layout, joints of another shape, not finite or farther than 32768 pixels away.

    Example:
        >>> structure = skeleton_structure(torch.full((5, 17, 2), 8.0), (16, 16))
        >>> structure.shape, structure[0, 0].max(), structure[0, 17:].max()
        (torch.Size([5, 20, 16, 16]), tensor(1.), tensor(128.))
    """
    limbs = STRUCTURE_LIMBS[require_choice("joint layout", layout, tuple(STRUCTURE_LIMBS))]
    joints = torch.as_tensor(joints)
    if joints.ndim < 2 or joints.shape[-2:] != (17, 2):
        raise ValueError(f"expected joints (..., 17, 2) as (row, column), got {tuple(joints.shape)}")
    if bool((joints.abs() > FARTHEST).any()):
        raise ValueError(f"expected joints near the image, got one {float(joints.abs().max()):g} pixels away")
    maps = heatmaps(joints, size, sigma, truncate=truncate)
    places = joints.detach().cpu().double().trunc().long().reshape(-1, 17, 2).numpy()
    present = ~is_missing(joints).cpu().reshape(-1, 17).numpy()
    canvases = np.stack([_drawing(own, there, limbs, size) for own, there in zip(places, present)])
    drawings = torch.from_numpy(canvases).permute(0, 3, 1, 2).reshape(*joints.shape[:-2], 3, *size)
    return torch.cat([maps, drawings.to(maps)], dim=-3)


def _drawing(
    places: NDArray[np.int64], present: NDArray[np.bool_], limbs: Sequence[tuple[int, int]], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """The drawing (H, W, 3) of one skeleton."""
    canvas = np.zeros((*size, 3), np.uint8)
    for start, end in limbs:
        if present[start] and present[end]:
            rows, columns, coverage = line_aa(*places[start], *places[end])
            inside = (rows >= 0) & (rows < size[0]) & (columns >= 0) & (columns < size[1])
            canvas[rows[inside], columns[inside]] = (coverage[inside] * 255).astype(np.uint8)[:, None]
    for place, colour in zip(places[present], STRUCTURE_COLOURS[present]):
        canvas[disk(place, RADIUS, shape=size)] = colour
    return canvas
