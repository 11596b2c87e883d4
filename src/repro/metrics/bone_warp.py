"""The flow that two skeletons alone give: a baseline that needs no learning."""

import torch
from torch import Tensor

from repro.checks import require_shape
from repro.data.joints import LIMBS, is_missing

# Limbs of trunk, arms, legs and neck to nose; the eyes and ears are too close together to carry a direction.
BONES = tuple(limb for limb in LIMBS if max(limb) <= 13)

# A bone seen nearly end-on has no direction; below this length in pixels it only moves, it does not turn or scale.
SHORTEST = 2.0


def bone_flow(source_joints: Tensor, target_joints: Tensor, size: tuple[int, int]) -> Tensor:
    r"""Return the flow of the per-bone warp: each pixel moves with the target's nearest bone.

    In complex numbers z = column + i row, a bone with ends s_1, s_2 in the source and t_1, t_2 in the target gives

    .. math:: w(z) = s_1 + \frac{s_2 - s_1}{t_2 - t_1}\,(z - t_1) - z

    the one 2-D similarity (turn, scale, shift) that takes one onto the other. Nearest is the distance to the segment
    from t_1 to t_2; of equal distances the earlier bone wins. Where the bone is shorter than two pixels in either image
    it only shifts, by the way of its midpoint. Bones with a missing end are left out; without any bone the flow is 0.

    Convention: joints (row, column) with -1 missing; flow (x, y), target -> source, in pixels of an image of ``size``.

    Args:
        source_joints: (B, 18, 2), pixels of the image.
        target_joints: (B, 18, 2).
        size: (H, W).

    Returns:
        (B, 2, H, W), float64.
    """
    sizes = require_shape("source joints", source_joints, "B 18 2")
    require_shape("target joints", target_joints, "B 18 2", sizes=sizes)
    rows, columns = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in size), indexing="ij")
    pixels = torch.complex(columns, rows).to(source_joints.device)
    flows = [_bone_flow(s, t, pixels) for s, t in zip(source_joints, target_joints)]
    return torch.stack(flows)


def _bone_flow(source: Tensor, target: Tensor, pixels: Tensor) -> Tensor:
    """Return the flow (2, H, W) of one pair."""
    gone = is_missing(source) | is_missing(target)
    bones = [(a, b) for a, b in BONES if not gone[a] and not gone[b]]
    if not bones:
        return torch.zeros(2, *pixels.shape, dtype=torch.float64, device=pixels.device)
    s, t = (torch.complex(*joints.double().flip(-1).unbind(-1)) for joints in (source, target))
    first, second = (torch.tensor(ends, device=pixels.device) for ends in zip(*bones))
    s1, s2, t1, t2 = (x[:, None, None] for x in (s[first], s[second], t[first], t[second]))

    # Distance to the segment: the foot of the perpendicular, clamped to the bone's ends.
    bone = t2 - t1
    along = ((pixels - t1) * bone.conj()).real / bone.abs().square().clamp(min=1e-12)
    nearest = (pixels - (t1 + along.clamp(0, 1) * bone)).abs().argmin(dim=0)

    short = torch.minimum(bone.abs(), (s2 - s1).abs()) < SHORTEST
    turn = (s2 - s1) / torch.where(short, torch.ones_like(bone), bone)
    moved = torch.where(short, pixels + (s1 + s2 - t1 - t2) / 2, s1 + turn * (pixels - t1))
    flow = (moved - pixels).gather(0, nearest[None])[0]
    return torch.stack((flow.real, flow.imag))
