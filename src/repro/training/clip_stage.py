"""The stage of whole clips: the sequential generator against an image and a temporal discriminator, chunk by chunk."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from repro.config import CHUNK, Config
from repro.features import FeatureNetwork
from repro.losses import joint_loss
from repro.models import Branches, SequentialGFLA, State
from repro.training.clip_batches import ClipBatch
from repro.training.stages import FlowLosses, ImageLosses, Judge, Stage, adam, detached, loss_weights
from repro.training.state import Networks

if TYPE_CHECKING:
    from lightning.fabric import Fabric

NOBODY = 1e-8  # beside the sum of a mask, as in the authors' code


class ClipStage(Stage):
    r"""One optimiser step per chunk of six frames; the last generated frame goes on to the next chunk, detached.

    .. math:: L = \sum_{k=1}^{6} \big(\lambda_1 L_1^k + \lambda_p L_{perc}^k + \lambda_s L_{style}^k
              + \sum_{b \in \{p, s\}} (\lambda_c L_{c,b}^k + \lambda_r L_{r,b}^k)\big)
              + \lambda_a L_{adv} + \lambda_v L_v

    Paper and code: Eq. 22 is a mean over the frames; the authors' code sums over the six, and so do we. The image
    discriminator sees one frame of a chunk, drawn anew for its own step and for the generator's; the temporal one
    (L_v, Eq. 21) sees all six. The flow to the frame before is judged on the *true* frame before, though the network
    was given the generated one.

    Memory does not depend on a clip's length: no gradient runs from one chunk to another.
    """

    def __init__(self, fabric: "Fabric", networks: Networks, features: FeatureNetwork, config: Config) -> None:
        generator, settings = networks.generator, config.optimizer
        assert isinstance(generator, SequentialGFLA)
        self.fabric = fabric
        self.weights, self.temporal_weight = loss_weights(config.clip), config.clip.temporal_adversarial
        self.image_losses = ImageLosses(features, self.weights)
        self.flow_losses = ChunkFlowLosses(generator, features, config, self.weights)
        self.notes = self.flow_losses.notes
        slow = settings.lr * settings.flow_net_factor
        rates = {generator.flow_net_previous: slow, generator.flow_net_reference: slow, generator: settings.lr}
        self.generator, optimizer = fabric.setup(generator, adam(rates, settings))
        self.optimizers = {"generator": optimizer}
        self.judges = {name: Judge(fabric, network, config) for name, network in networks.discriminators.items()}
        self.optimizers |= {name: judge.optimizer for name, judge in self.judges.items()}
        self._state: State | None = None

    def state(self) -> dict[str, Tensor]:
        """Return the last generated frame and its structure, which the clip goes on from."""
        return {} if self._state is None else self._state._asdict()

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Put back what :meth:`state` returned."""
        self._state = (
            State(**{name: tensor.to(self.fabric.device) for name, tensor in state.items()}) if state else None
        )

    def step(self, batch: ClipBatch) -> dict[str, Tensor]:
        """Take one optimiser step and return its loss terms, detached; those of frames are sums over the chunk."""
        out = self.generator(batch.source, batch.source_pose, batch.poses, None if batch.starts else self._state)
        self._state = out.state
        terms: dict[str, Tensor] = {}
        extra: dict[str, Tensor] = {}
        learn, judge = batch.judged
        if self.weights.adversarial:
            discriminator = self.judges["discriminator"]
            extra["discriminator"] = discriminator.learn(batch.frames[:, learn], out.images[:, learn].detach())
            terms["adversarial"] = discriminator.loss(out.images[:, judge])
        if self.temporal_weight:
            temporal = self.judges["temporal_discriminator"]
            extra["temporal_discriminator"] = temporal.learn(batch.frames, out.images.detach())
            extra["temporal_adversarial"] = temporal.loss(out.images)

        made, real = out.images.flatten(0, 1), batch.frames.flatten(0, 1)
        seen = self.flow_losses.see(real, also=self.image_losses.taps)
        of_frames = self.image_losses(made, real, seen)
        person = None if batch.person is None else batch.person.flatten(0, 1)
        for flows, source in zip(branches(out.flows), self._sources(batch, seen)):
            for name, term in self.flow_losses(flows, source, seen, person).items():
                of_frames[name] = of_frames.get(name, 0) + term
        terms |= {name: CHUNK * term for name, term in of_frames.items()}  # means over all frames -> sums over a chunk

        total = joint_loss(terms, self.weights).total
        if self.temporal_weight:
            total = total + self.temporal_weight * extra["temporal_adversarial"]
        self.optimizers["generator"].zero_grad()
        self.fabric.backward(total)
        self.optimizers["generator"].step()
        return detached({"total": total} | terms | extra)

    def _sources(self, batch: ClipBatch, seen: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return the features of what each frame's flows lead to: the true frame before, and the reference."""
        before, reference = self.flow_losses.see(batch.before), self.flow_losses.see(batch.source)
        previous = {}
        for tap, first in before.items():
            frames = seen[tap].unflatten(0, (-1, CHUNK))
            previous[tap] = torch.cat([first[:, None], frames[:, :-1]], dim=1).flatten(0, 1)
        return previous, {tap: one.repeat_interleave(CHUNK, dim=0) for tap, one in reference.items()}


class ChunkFlowLosses(FlowLosses):
    """The flow losses of a chunk, as means over its frames, each of the same weight."""

    def mask(self, person: Tensor | None, flow: Tensor) -> Tensor | None:
        """Return the person on the flow's grid, every frame (of all clips) with the same sum.

        The authors take the masked mean of each frame and add them; in one masked mean over all frames, those with a
        larger person would count more.
        """
        person = super().mask(person, flow)
        if person is None:
            return None
        frames = F.interpolate(person, flow.shape[-2:], mode="nearest").unflatten(0, (-1, CHUNK))
        return (frames / (frames.sum((0, 2, 3, 4), keepdim=True) + NOBODY)).flatten(0, 1)


def branches(flows: Sequence[Branches]) -> tuple[list[Tensor], list[Tensor]]:
    """Return a chunk's flows, (B · K, 2, h, w) per scale, of both branches: to the previous frame, to the reference."""
    both = ([frame.previous for frame in flows], [frame.reference for frame in flows])
    previous, reference = ([torch.stack(scale, dim=1).flatten(0, 1) for scale in zip(*frames)] for frames in both)
    return previous, reference
