"""The 18 joints of OpenPose: names, limbs, mirror; and their heat maps."""

import torch
from torch import Tensor

JOINTS = (
    "nose", "neck",
    "right_shoulder", "right_elbow", "right_wrist",
    "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle",
    "left_hip", "left_knee", "left_ankle",
    "right_eye", "left_eye", "right_ear", "left_ear",
)  # fmt: skip

# Pairs of joints that a drawing connects, from the trunk outwards.
LIMBS = (
    (1, 2), (2, 3), (3, 4),
    (1, 5), (5, 6), (6, 7),
    (1, 8), (8, 9), (9, 10),
    (1, 11), (11, 12), (12, 13),
    (1, 0), (0, 14), (14, 16), (0, 15), (15, 17),
)  # fmt: skip

# joints[..., MIRROR, :] names the joints of the mirrored person.
MIRROR = (0, 1, 5, 6, 7, 2, 3, 4, 11, 12, 13, 8, 9, 10, 15, 14, 17, 16)

MISSING = -1.0

# Standard deviation of a heat map in pixels of the output, for all data sets of the paper.
SIGMA = 6.0


def is_missing(joints: Tensor) -> Tensor:
    """Return (..., K) bool: True where either coordinate of joints (..., K, 2) is -1."""
    return (joints == MISSING).any(dim=-1)


def scale_joints(joints: Tensor, old_size: tuple[int, int], new_size: tuple[int, int]) -> Tensor:
    """Return joints (..., K, 2) of an ``old_size`` = (H, W) image as they lie in its ``new_size`` copy.

    Each coordinate is y / old_h * new_h in float64, not rounded (heat maps truncate); missing joints stay (-1, -1).
    """
    old = torch.tensor(old_size, dtype=torch.float64, device=joints.device)
    new = torch.tensor(new_size, dtype=torch.float64, device=joints.device)
    scaled = joints.double() / old * new
    return scaled.masked_fill(is_missing(joints)[..., None], MISSING)


def mirror_joints(joints: Tensor, width: int) -> Tensor:
    """Return the joints (..., 18, 2) of the mirrored image: column c -> W - 1 - c, right <-> left."""
    mirrored = joints.clone()
    mirrored[..., 1] = width - 1 - joints[..., 1]
    mirrored = mirrored.masked_fill(is_missing(joints)[..., None], MISSING)
    return mirrored[..., MIRROR, :]


def heatmaps(
    joints: Tensor,
    size: tuple[int, int],
    sigma: float = SIGMA,
    source_size: tuple[int, int] | None = None,
    *,
    truncate: bool = True,
) -> Tensor:
    r"""Return one Gaussian map per joint, (..., K, H, W) float32 with values in [0, 1].

    .. math:: m_k(i, j) = \exp\Big(-\frac{(i - r_k)^2 + (j - c_k)^2}{2 \sigma^2}\Big), \qquad
              r_k = \operatorname{int}(y_k / h_{old} \cdot H), \quad c_k = \operatorname{int}(x_k / w_{old} \cdot W)

    Convention: joints are (row, column) with pixel centres at integers and are truncated to whole pixels, as in the
    authors' code for single images. A joint with -1 in either coordinate gives an all-zero map. A joint outside the
    image still draws its tail; maps are neither cut off nor normalised. Computed in float64, stored in float32.

    Args:
        joints: (..., K, 2) in pixels of an image of ``source_size``.
        size: (H, W) of the maps.
        sigma: standard deviation in pixels of the maps; the paper uses 6 for every data set.
        source_size: (h_old, w_old) that the joints refer to; None = ``size``.
        truncate: False keeps the fractions of a pixel, as the authors do for animation.

    Returns:
        maps (..., K, H, W) on the joints' device.

    Raises:
        ValueError: last axis not 2, joints that are not finite, sizes or sigma not positive.

    Example:
        >>> float(heatmaps(torch.tensor([[2.0, 3.0]]), (8, 8))[0, 2, 3])
        1.0
    """
    joints = torch.as_tensor(joints)
    if joints.ndim < 2 or joints.shape[-1] != 2:
        raise ValueError(f"expected joints (..., K, 2) as (row, column), got {tuple(joints.shape)}")
    if not bool(torch.isfinite(joints).all()):
        raise ValueError("joints hold values that are not finite: write a missing joint as (-1, -1)")
    if min(size) < 1 or not sigma > 0:
        raise ValueError(f"expected a positive size and sigma, got size {tuple(size)}, sigma {sigma}")
    missing = is_missing(joints)
    places = joints.double() if source_size is None else scale_joints(joints, source_size, size)
    places = places.trunc() if truncate else places

    # exp(a + b) = exp(a) exp(b): a row of exponentials and a column, equal to the full map within float64 round-off.
    def profile(place: Tensor, length: int) -> Tensor:
        index = torch.arange(length, dtype=torch.float64, device=joints.device)
        return torch.exp(-((index - place[..., None]) ** 2) / (2 * sigma**2))

    maps = profile(places[..., 0], size[0])[..., :, None] * profile(places[..., 1], size[1])[..., None, :]
    return maps.masked_fill(missing[..., None, None], 0.0).float()
