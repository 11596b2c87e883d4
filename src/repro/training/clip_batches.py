"""The order of the training clips, and their way into the networks: chunk by chunk, or as single frames.

As with pairs nothing here decides by its past: which clips, windows, movements and frames form batch number ``step``
follows from the seed alone, so a run that continues in the middle of a clip sees what an uninterrupted one sees.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from repro.config import CHUNK, Config
from repro.data.augmentation import augment_clip
from repro.data.clip import Clip
from repro.data.sets import DataSet
from repro.data.structures import skeleton_structure
from repro.training.batches import Batch, generator, permuted

REFERENCES = 20
"""The source picture is one of so many first frames of a clip, as in the authors' code."""
EXAMPLES = 8
"""Single frames that each clip gives in an epoch."""


class ClipBatch(NamedTuple):
    """A chunk of B clips, images in [-1, 1]; K = 6 frames.

    Attributes:
        source: the reference pictures (B, 3, H, W).
        source_pose: their structures (B, 20, H, W).
        frames: the true frames (B, K, 3, H, W).
        poses: their structures (B, K, 20, H, W).
        before: the true frame before the first; the reference where the clips start, (B, 3, H, W).
        person: (B, K, 1, H, W), 1 where the frame shows the person; None where nobody knows.
        starts: the clips start with this chunk.
        judged: the frames that the image discriminator learns from, and judges for the generator.
    """

    source: Tensor
    source_pose: Tensor
    frames: Tensor
    poses: Tensor
    before: Tensor
    person: Tensor | None
    starts: bool
    judged: tuple[int, int]

    def to(self, device: torch.device) -> "ClipBatch":
        """Return the batch on ``device``."""
        return ClipBatch(*(one.to(device, non_blocking=True) if isinstance(one, Tensor) else one for one in self))  # type: ignore[arg-type]


def structures(clip: Clip, skeletons: str) -> Tensor:
    """Return what the networks see of the frames' skeletons, (T, 20, H, W).

    Convention: noisy skeletons are in COCO's order, as the source's is; clean ones in Human3.6M's, so their channels do
    not correspond to the source's. Both are so in the authors' code.

    Args:
        clip: of a person.
        skeletons: "noisy" (as a detector finds them), or "clean" ("extracted" ones stand in the clean ones' place).
    """
    if skeletons == "noisy":
        return skeleton_structure(clip.joints_noisy, clip.size, "coco17", clip.sigma)
    return clip.poses


@dataclass
class _Clips:
    """What both orders share.

    Args:
        dataset: of clips.
        config: settings of the row.
        seed: of the run.
        stage: its name.
    """

    dataset: DataSet[Clip]
    config: Config
    seed: int
    stage: str

    def window(self, index: int, rng: np.random.Generator, frames: int) -> Clip:
        """Return consecutive frames of a clip, as ``rng`` chooses them, a reference and a movement."""
        clip = self.dataset[index]
        if len(clip) < frames:
            raise ValueError(
                f"{self.dataset.name}: clip {index} has {len(clip)} frames, training takes {frames} in a row: take "
                "fewer (clip.frames), or leave such clips out (an exclusion list)"
            )
        reference = int(rng.integers(min(REFERENCES, len(clip))))
        start = int(rng.integers(len(clip) - frames + 1))
        part = replace(
            clip.slice(start, start + frames),
            source=clip.slice(reference, reference + 1).frames[0],
            source_joints=clip.joints_noisy[reference],
            truth=None,  # the exact flow leads to another reference
        )
        return augment_clip(part, rng, self.dataset.name) if self.config.data.augmentation else part

    def __len__(self) -> int:
        return 2**62


class ClipBatches(_Clips):
    """The chunks of one clip after the other: ``batches[step]`` is a :class:`ClipBatch`."""

    _read: tuple[int, Sequence[Clip]] = (-1, ())  # the last clips: the next chunk is of the same

    def clips(self, number: int) -> Sequence[Clip]:
        """Return the clips of batch number ``number``, each ``clip.frames`` long; their chunks are as many steps."""
        if self._read[0] != number:
            settings = self.config.clip
            indices = permuted(len(self.dataset), settings.batch, self.seed, self.stage, number)
            rng = generator(self.seed, self.stage, number, purpose=1)
            self._read = (number, [self.window(index, rng, settings.frames) for index in indices])
        return self._read[1]

    def __getitem__(self, step: int) -> ClipBatch:
        number, chunk = divmod(step, self.config.clip.frames // CHUNK)
        clips, start = self.clips(number), chunk * CHUNK
        parts = [clip.slice(start, start + CHUNK) for clip in clips]
        before = [clip.slice(start - 1, start).frames[0] if start else clip.source for clip in clips]
        drawn = generator(self.seed, self.stage, step, purpose=2).integers(CHUNK, size=2)
        return ClipBatch(
            source=_images([clip.source for clip in clips]),
            source_pose=torch.stack([clip.source_pose for clip in clips]),
            frames=_images([part.frames for part in parts]),
            poses=torch.stack([structures(part, self.config.data.skeletons) for part in parts]),
            before=_images(before),
            person=_people(parts),
            starts=chunk == 0,
            judged=(int(drawn[0]), int(drawn[1])),
        )


class FrameBatches(_Clips):
    """Single frames of clips, for networks that animate frame by frame: ``batches[step]`` is a :class:`Batch`."""

    def __getitem__(self, step: int) -> Batch:
        examples = permuted(EXAMPLES * len(self.dataset), self.config.batch, self.seed, self.stage, step)
        indices = [example % len(self.dataset) for example in examples]
        rng = generator(self.seed, self.stage, step, purpose=1)
        clips = [self.window(index, rng, 1) for index in indices]
        person = _people(clips)
        return Batch(
            source=_images([clip.source for clip in clips]),
            target=_images([clip.frames[0] for clip in clips]),
            source_pose=torch.stack([clip.source_pose for clip in clips]),
            target_pose=torch.stack([structures(clip, self.config.data.skeletons)[0] for clip in clips]),
            person=None if person is None else person[:, 0],
        )


def _images(images: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(images)).float() * 2 - 1


def _people(clips: Sequence[Clip]) -> Tensor | None:
    """Where the frames show the person, (B, T, 1, H, W); None unless all clips know."""
    masks = [clip.masks for clip in clips if clip.masks is not None]
    return torch.stack(masks)[:, :, None].float() if len(masks) == len(clips) else None
