"""The whole network as a work: one training step, one image; in the ways that a benchmark compares."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from unittest import mock

import torch
from torch import Tensor

from bench import rivals
from repro.losses import affine_regularization, l1
from repro.models import GFLA
from repro.models.settings import POSE_CHANNELS

WINDOWS = (3, 5)  # of the affine regulariser, coarse to fine


@dataclass(frozen=True)
class Way:
    """How a network computes.

    Attributes:
        patches: local attention stores patches (``rivals.patches_by_grid_sample``).
        bfloat16: autocast is on.
        channels_last: weights and images are laid out with the channels last.
        compiled: by torch.compile.
        backend: of torch.compile; a rehearsal takes one that makes no machine code.
    """

    patches: bool = False
    bfloat16: bool = False
    channels_last: bool = False
    compiled: bool = False
    backend: str = "inductor"


class Prepared:
    """GFLA fashion with seeded weights, images and an Adam of its own.

    Args:
        size: of the images, in pixels.
        width: of the network.
        batch: images.
        device: of all tensors.
        way: how it computes.
    """

    def __init__(self, size: int, width: float, batch: int, device: torch.device, way: Way) -> None:
        generator = torch.Generator().manual_seed(0)
        layout = torch.channels_last if way.channels_last else torch.contiguous_format

        def draw(channels: int) -> Tensor:
            return torch.rand(batch, channels, size, size, generator=generator).to(device, memory_format=layout)

        self.way, self.device = way, device
        self.model = GFLA.preset("fashion", width=width, seed=0).to(device, memory_format=layout)
        self.source, self.target, *self.poses = (draw(c) for c in (3, 3, POSE_CHANNELS, POSE_CHANNELS))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-4)
        self.forward: Callable = torch.compile(self.model, backend=way.backend) if way.compiled else self.model

    def step(self) -> Tensor:
        """Return the loss of one training step: L1 to the target and the affine regularisation, backward, Adam.

        That is what attention is part of, without the discriminator and the feature network, whose cost no attention
        changes.
        """
        with self._computing():
            out = self.forward(self.source, *self.poses)
            loss = l1(out.image, self.target)
            for flow, window in zip(out.flows, WINDOWS):
                loss = loss + 0.0025 * affine_regularization(flow, window)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    @torch.no_grad()
    def infer(self) -> Tensor:
        """Return the images of one forward pass."""
        with self._computing():
            return self.forward(self.source, *self.poses).image

    @contextlib.contextmanager
    def _computing(self) -> Iterator[None]:
        plain = mock.patch("repro.ops.local_attention", _on_patches) if self.way.patches else contextlib.nullcontext()
        with plain, torch.autocast(self.device.type, torch.bfloat16, enabled=self.way.bfloat16):
            yield


def _on_patches(*arguments: Tensor, mean: bool = True) -> Tensor:
    pooled = rivals.patches_by_grid_sample(*arguments)
    return pooled if mean else pooled * arguments[3].shape[-1] ** 2
