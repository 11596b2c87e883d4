"""What can be done to a clip so that single frames stay right and their order or place does not."""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

JITTER = 2
"""Pixels by which a jittered frame is off at most, along each axis."""


def in_other_order(frames: Tensor, pieces: int, rng: np.random.Generator) -> Tensor:
    """Return the clip cut into equal pieces, which follow each other in a random order other than their own.

    Args:
        frames: (T, ...).
        pieces: a divisor of T, at least 2; T itself shuffles single frames.
        rng: decides the order.
    """
    count = len(frames)
    if pieces < 2 or count % pieces:
        raise ValueError(f"expected 2 or more pieces that divide {count} frames, got {pieces}")
    own = order = np.arange(pieces)
    while (order == own).all():
        order = rng.permutation(pieces)
    return frames[torch.from_numpy(np.arange(count).reshape(pieces, -1)[order].reshape(-1))]


def jittered(frames: Tensor, rng: np.random.Generator, reach: int = JITTER) -> Tensor:
    """Return every frame (T, C, H, W) moved by whole pixels of its own, up to ``reach`` on each axis; edges repeat."""
    height, width = frames.shape[-2:]
    wide = pad(frames, (reach,) * 4, mode="replicate")
    corners = rng.integers(0, 2 * reach + 1, (len(frames), 2)).tolist()
    return torch.stack([own[:, y : y + height, x : x + width] for own, (y, x) in zip(wide, corners)])


def frozen(frames: Tensor) -> Tensor:
    """Return the clip's first frame all the time, (T, ...)."""
    return frames[:1].expand_as(frames)
