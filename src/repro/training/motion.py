"""The stage of the Motion Extraction Network: detected joints in, the true frames in their middle out (Eq. 16)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from repro.config import Config
from repro.data.clip import MotionSequence
from repro.data.joints import is_missing
from repro.data.motion_windows import LENGTH, augment_motion, to_channels, window
from repro.losses import mpjpe
from repro.training.batches import generator, permuted
from repro.training.motion_inference import without_gaps
from repro.training.stages import Stage, adam, detached
from repro.training.state import Networks

if TYPE_CHECKING:
    from lightning.fabric import Fabric

FORMS = {"mse": "squared", "l1": "absolute"}
"""Loss in the settings -> form of :func:`repro.losses.mpjpe`."""


class MotionBatch(NamedTuple):
    """B windows.

    Attributes:
        joints: as detected, (B, 34, 104), normalised, without gaps.
        valid: (B, 17, 104), 1 where the joint was found.
        target: the true skeleton of the 24 frames in the middle, (B, 34, 24).
    """

    joints: Tensor
    valid: Tensor
    target: Tensor

    def to(self, device: torch.device) -> "MotionBatch":
        """Return the batch on ``device``."""
        return MotionBatch(*(one.to(device, non_blocking=True) for one in self))


class MotionBatches:
    """The endless sequence of training batches: ``batches[step]`` is a :class:`MotionBatch`.

    Which sequences, which of their frames and which augmentation follow from seed and step alone; sequences are
    prepared when first asked for and kept.

    Args:
        sequences: map-style.
        batch: windows per batch, of different sequences; the incomplete last batch of an epoch is dropped.
        seed: of the run.
        missing: what stands where nothing was found, "zero" or "hold".
    """

    def __init__(self, sequences: Sequence[MotionSequence], batch: int, seed: int, missing: str) -> None:
        permuted(len(sequences), batch, seed, "motion", 0)  # refuses a set that is too small
        self.sequences, self.batch, self.seed, self.missing = sequences, batch, seed, missing
        self._prepared: dict[int, tuple[Tensor, Tensor, Tensor]] = {}

    def __len__(self) -> int:
        return 2**62

    def __getitem__(self, step: int) -> MotionBatch:
        rng = generator(self.seed, "motion", step, purpose=1)
        chosen = permuted(len(self.sequences), self.batch, self.seed, "motion", step)
        windows = [self._window(index, rng) for index in chosen]
        return MotionBatch(*(torch.stack(parts).float() for parts in zip(*windows)))

    def _window(self, index: int, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Joints (34, 104), valid (17, 104) and target (34, 24) somewhere in a sequence, augmented."""
        joints, valid, clean = self._prepare(index)
        start = int(rng.integers(len(clean) - LENGTH + 1))
        noisy, target = augment_motion(window(joints, start).T, clean[start : start + LENGTH].T, rng)
        return noisy, window(valid, start).T, target

    def _prepare(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        """A sequence as float32 with time first: joints (T, 34), valid (T, 17), clean (T, 34)."""
        if index not in self._prepared:
            one = self.sequences[index]
            if len(one) < LENGTH:
                name = f"{one.subject} {one.action!r} camera {one.camera}"
                raise ValueError(f"expected sequences of at least {LENGTH} frames, {name} has {len(one)}: leave it out")
            width = one.size[1]
            filled = without_gaps(one.noisy, self.missing, width)
            found = (~is_missing(one.noisy)).float()
            joints, clean = (to_channels(part, width).T.float().contiguous() for part in (filled, one.clean))
            self._prepared[index] = joints, found, clean
        return self._prepared[index]


class MotionStage(Stage):
    """The only stage: Adam on the error of the joints. Dropout draws from torch's global generator."""

    def __init__(self, fabric: "Fabric", networks: Networks, features: Any, config: Config) -> None:
        self.fabric, self.form, self.validity = fabric, FORMS[config.motion.loss], config.model.validity
        self.notes = []
        optimizer = adam({networks.generator: config.optimizer.lr}, config.optimizer)
        self.network, self.optimizer = fabric.setup(networks.generator.train(), optimizer)
        self.optimizers = {"generator": self.optimizer}

    def step(self, batch: MotionBatch) -> dict[str, Tensor]:
        """Take one optimiser step and return its loss terms, detached."""
        out = self.network(batch.joints, batch.valid if self.validity else None)
        total = mpjpe(out, batch.target, self.form)
        self.optimizer.zero_grad()
        self.fabric.backward(total)
        self.optimizer.step()
        return detached({"total": total})
