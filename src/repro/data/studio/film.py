"""A film: one shot per frame before a static background, and the exact flow between any two of its frames."""

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from repro.data.studio.correspondence import SourceBuffer, correspondences, source_buffer
from repro.data.studio.shot import Shot, shoot

TOGETHER = 8
"""Frames that are looked at together: more need memory and are not faster."""


class Film:
    """The geometry of a video.

    Args:
        shots: one per frame, all of one mesh, size and camera: the background stands still.
    """

    def __init__(self, shots: Sequence[Shot]) -> None:
        if len({(shot.camera, shot.size) for shot in shots}) != 1:
            raise ValueError("expected shots from one camera at one size: only then the background stands still")
        self.shots = shots
        self._buffer = lru_cache(2 * TOGETHER)(self._look)
        self._covered = lru_cache(2 * TOGETHER)(self._cover)

    def __len__(self) -> int:
        return len(self.shots)

    def flow(
        self, targets: Sequence[int], sources: Sequence[int], height: int, width: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return where each target frame's points lie in its source frame, and whether the source shows them.

        Convention: as :func:`~repro.data.studio.correspondence.correspondence`; the background is a static plane: its
        flow is 0, and it is visible exactly where the person of the source does not cover it.

        Args:
            targets, sources: equally many frame numbers.
            height, width: of the map: the image's size, or that of a feature map of the same shape.

        Returns:
            flow (n, 2, height, width) float32; visible and person, (n, height, width) bool.
        """
        parts = []
        for first in range(0, len(targets), TOGETHER):
            some = slice(first, first + TOGETHER)
            buffers = [self._buffer(frame) for frame in sources[some]]
            flow, visible, person = correspondences(
                buffers, [self.shots[frame] for frame in targets[some]], height, width
            )
            free = ~torch.stack([self._covered(frame, height, width) for frame in sources[some]])
            parts.append((flow, torch.where(person, visible, free), person))
        flow, visible, person = (torch.cat(of_all) for of_all in zip(*parts))
        return flow, visible, person

    def _cover(self, frame: int, height: int, width: int) -> Tensor:
        """Return (h, w) bool: the frame shows the person."""
        return shoot([self.shots[frame]], height, width).face[0] >= 0

    def _look(self, frame: int) -> SourceBuffer:
        return source_buffer(self.shots[frame])
