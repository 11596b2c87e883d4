"""Windows of joints that the Motion Extraction Network learns from: context, channels, augmentation."""

import numpy as np
import torch
from torch import Tensor

from repro.data.clip import MotionSequence
from repro.data.joints import is_missing

LENGTH = 24
"""Frames that the network returns at once."""
CONTEXT = 40
"""Frames before and after that it also sees: its receptive field is 81."""
SCALES, SHIFTS = (1.0, 1.5), (-0.1, 0.1)
"""The authors' augmentation, in normalised coordinates."""


def hold_last(joints: Tensor) -> Tensor:
    """Return joints without gaps: a missing joint stays where it was last found, before that where it is found first.

    A joint that is never found takes the mean place of those that are. (The authors feed a frame without a detection as
    zeros, which puts every joint at the centre of the image.)

    Args:
        joints: (T, K, 2), -1 missing.

    Raises:
        ValueError: another shape, or no joint is ever found.
    """
    if joints.ndim != 3 or joints.shape[-1] != 2:
        raise ValueError(f"expected joints (T, K, 2), got {tuple(joints.shape)}")
    found = ~is_missing(joints)
    if not bool(found.any()):
        raise ValueError(f"expected a sequence with at least one joint, got {len(joints)} frames without any")
    frame = torch.arange(len(joints), device=joints.device)[:, None]
    first = torch.where(found, frame, len(joints)).amin(0)
    held = torch.where(found, frame, -1).cummax(0).values
    held = torch.where(held < 0, first.clamp(max=len(joints) - 1), held)
    filled = joints.gather(0, held[..., None].expand_as(joints))
    never = ~found.any(0)
    return torch.where(never[:, None], joints[found].mean(0), filled)


def window(joints: Tensor, start: int, length: int = LENGTH, context: int = CONTEXT) -> Tensor:
    """Return frames start - context ... start + length + context - 1; outside the sequence its border frame repeats.

    Args:
        joints: (T, K, 2), or anything with frames along the first axis.
        start: first frame of the middle part, 0 <= start < T.
    """
    if not 0 <= start < len(joints):
        raise ValueError(f"expected a start from 0 to {len(joints) - 1}, got {start}")
    frames = torch.arange(start - context, start + length + context, device=joints.device)
    return joints[frames.clamp(0, len(joints) - 1)]


def to_channels(joints: Tensor, width: int) -> Tensor:
    r"""Return joints (..., L, K, 2) as channels (..., 2K, L): all rows, then all columns, :math:`2 v / width - 1`.

    Convention: both coordinates are divided by the width, as in the authors' code; the joints hold no -1 for missing
    (see :func:`hold_last`).
    """
    return (2 * joints / width - 1).movedim(-3, -1).transpose(-3, -2).flatten(-3, -2)


def from_channels(channels: Tensor, width: int) -> Tensor:
    """Return joints (..., L, K, 2) in pixels of channels (..., 2K, L): the inverse of :func:`to_channels`."""
    split = channels.unflatten(-2, (2, -1))
    return (split.transpose(-3, -2).movedim(-1, -3) + 1) * width / 2


def augment_motion(noisy: Tensor, clean: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Return input and target under one scale from U(1, 1.5), then one shift from U(-0.1, 0.1) in y and one in x.

    Args:
        noisy, clean: channels (..., 34, L) as :func:`to_channels` gives them, of one sequence.
        rng: generator of the purpose.
    """
    scale = rng.uniform(*SCALES)
    half = noisy.shape[-2] // 2
    shift = torch.tensor(rng.uniform(*SHIFTS, 2)).to(noisy).repeat_interleave(half)[:, None]
    return noisy * scale + shift, clean * scale + shift


def training_window(
    sequence: MotionSequence, rng: np.random.Generator, *, length: int = LENGTH, context: int = CONTEXT
) -> tuple[Tensor, Tensor]:
    """Return an example of the Motion Extraction Network: input (34, L + 80) and target (34, L), augmented.

    The middle part lies anywhere in the sequence; gaps of the detector are held.

    Args:
        sequence: at least ``length`` frames.
        rng: generator of the purpose.
    """
    if len(sequence) < length:
        raise ValueError(f"expected a sequence of at least {length} frames, got {len(sequence)}")
    start = int(rng.integers(len(sequence) - length + 1))
    noisy = window(hold_last(sequence.noisy), start, length, context)
    clean = sequence.clean[start : start + length]
    width = sequence.size[1]
    noisy, clean = augment_motion(to_channels(noisy, width), to_channels(clean, width), rng)
    return noisy.float(), clean.float()
