"""The two stages of training on pairs: the flow estimator alone, then everything; one optimiser step each.

Names of terms are those of the joint loss (Eq. 15), unweighted; ``total`` is what the generator minimises.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from repro.config import Config, ConfigError, OptimizerConfig, StageConfig
from repro.features import FeatureNetwork, taps_on_grid
from repro.losses import (
    LossWeights,
    PerceptualLoss,
    StyleLoss,
    adversarial,
    affine_regularization,
    joint_loss,
    l1,
    sampling_correctness,
)
from repro.models import GFLA, SequentialGFLA
from repro.training.batches import Batch
from repro.training.state import Networks
from repro.training.warp_losses import WarpLosses

if TYPE_CHECKING:
    from lightning.fabric import Fabric


class Stage:
    """One stage, made as ``Stage(fabric, networks, features, config)``: what it optimises and how one step of it goes.

    Attributes:
        optimizers: by name; checkpoints hold them.
        notes: in words what a reader of the record must know; complete after the first step.
    """

    optimizers: dict[str, Optimizer]
    notes: list[str]

    def step(self, batch: Any) -> dict[str, Tensor]:
        """Take one optimiser step and return its loss terms, detached."""
        raise NotImplementedError

    def state(self) -> dict[str, Tensor]:
        """Return what the next step needs of the steps before, beside networks and optimisers; by default nothing."""
        return {}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Put back what :meth:`state` returned."""


class FlowStage(Stage):
    """Stage 1: the flow estimator alone, on sampling correctness and affine regularisation (Eq. 2-6).

    Weights of ``l1`` and ``perceptual``, which the authors do not have here, count reconstruction through the warp.
    """

    def __init__(self, fabric: "Fabric", networks: Networks, features: FeatureNetwork, config: Config) -> None:
        self.fabric = fabric
        self.weights = loss_weights(config.flow)
        self.flow_losses = FlowLosses(networks.generator, features, config, self.weights)
        taps = self.flow_losses.layer_taps if self.weights.perceptual else []
        self.warp_losses = WarpLosses(taps, self.weights, config.losses.foreground_mask)
        self.notes = self.flow_losses.notes
        flow_net: nn.Module = networks.generator.flow_net  # type: ignore[assignment]
        optimizer = adam({flow_net: config.optimizer.lr}, config.optimizer)
        self.flow_net, self.optimizer = fabric.setup(flow_net, optimizer)
        self.optimizers = {"flow_net": self.optimizer}

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Take one optimiser step and return its loss terms, detached."""
        flows = self.flow_net(batch.source, batch.source_pose, batch.target_pose).flows
        source, target = (
            self.flow_losses.see(image, also=self.warp_losses.taps) for image in (batch.source, batch.target)
        )
        terms = self.flow_losses(flows, source, target, batch.person)
        terms |= self.warp_losses(flows, batch, source, target)
        total = joint_loss(terms, self.weights).total
        self.optimizer.zero_grad()
        self.fabric.backward(total)
        self.optimizer.step()
        return detached({"total": total} | terms)


class JointStage(Stage):
    """Stage 2: the generator, flow estimator included, against the discriminator (Eq. 15)."""

    def __init__(self, fabric: "Fabric", networks: Networks, features: FeatureNetwork, config: Config) -> None:
        self.fabric = fabric
        self.weights = loss_weights(config.joint)
        self.image_losses = ImageLosses(features, self.weights)
        self.flow_losses = FlowLosses(networks.generator, features, config, self.weights)
        self.notes = self.flow_losses.notes
        settings, generator = config.optimizer, networks.generator
        rates: dict[nn.Module, float] = {generator: settings.lr}
        if isinstance(generator, GFLA):
            rates = {generator.flow_net: settings.lr * settings.flow_net_factor} | rates
        self.generator, self.optimizer = fabric.setup(generator, adam(rates, settings))
        self.optimizers = {"generator": self.optimizer}
        if self.weights.adversarial:
            self.judge = Judge(fabric, networks.discriminators["discriminator"], config)
            self.optimizers["discriminator"] = self.judge.optimizer

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Take one optimiser step and return its loss terms, detached.

        The authors' order: generator forward, discriminator update, generator update against the new discriminator.
        """
        out = self.generator(batch.source, batch.source_pose, batch.target_pose)
        terms: dict[str, Tensor] = {}
        extra: dict[str, Tensor] = {}
        if self.weights.adversarial:
            extra["discriminator"] = self.judge.learn(batch.target, out.image.detach())
            terms["adversarial"] = self.judge.loss(out.image)
        # One look at the target serves the image losses and the flow losses.
        seen = self.flow_losses.see(batch.target, also=self.image_losses.taps)
        terms |= self.image_losses(out.image, batch.target, seen)
        terms |= self.flow_losses(out.flows, self.flow_losses.see(batch.source), seen, batch.person)

        total = joint_loss(terms, self.weights).total
        self.optimizer.zero_grad()
        self.fabric.backward(total)
        self.optimizer.step()
        return detached({"total": total} | terms | extra)


class Judge:
    """A discriminator with its optimiser: it learns one step, then scores for the generator, frozen."""

    def __init__(self, fabric: "Fabric", discriminator: nn.Module, config: Config) -> None:
        settings = config.optimizer
        self.fabric, self.mode = fabric, config.losses.adversarial_mode
        optimizer = adam({discriminator: settings.lr * settings.discriminator_ratio}, settings)
        self.discriminator, self.optimizer = fabric.setup(discriminator, optimizer)

    def learn(self, real: Tensor, fake: Tensor) -> Tensor:
        """Teach the discriminator one step and return its loss; ``fake`` is detached."""
        self.discriminator.requires_grad_(True)
        loss = adversarial.discriminator_loss(self.discriminator(real), self.discriminator(fake), self.mode)
        self.optimizer.zero_grad()
        self.fabric.backward(loss)
        self.optimizer.step()
        self.discriminator.requires_grad_(False)
        return loss

    def loss(self, fake: Tensor) -> Tensor:
        """Return what the generator minimises."""
        return adversarial.generator_loss(self.discriminator(fake), self.mode)


class ImageLosses:
    """L1, perceptual and style loss of generated images.

    Attributes:
        taps: names of the features that they look at.
    """

    def __init__(self, features: FeatureNetwork, weights: LossWeights) -> None:
        self.features, self.weights = features, weights
        self.perceptual, self.style = PerceptualLoss(features), StyleLoss(features)
        taps = (*self.perceptual.taps * bool(weights.perceptual), *self.style.taps * bool(weights.style))
        self.taps = tuple(dict.fromkeys(taps))

    def __call__(self, made: Tensor, real: Tensor, seen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the terms that have a weight.

        Args:
            made, real: images (B, 3, H, W) in [-1, 1].
            seen: the real ones' features at ``taps``.
        """
        terms: dict[str, Tensor] = {}
        if self.weights.l1:
            terms["l1"] = l1(made, real)
        if self.taps:
            generated = self.features(made, taps=self.taps)
            if self.weights.perceptual:
                terms["perceptual"] = self.perceptual(generated, seen)
            if self.weights.style:
                terms["style"] = self.style(generated, seen)
        return terms


class FlowLosses:
    """Sampling correctness and affine regularisation, summed over the flows' scales.

    A feature map of another size than its flow is resized to the flow's grid, and ``notes`` says so, once per tap.
    ``layer_taps`` are the features that belong to the flows, coarse to fine; ``taps`` those that are looked at.
    """

    def __init__(self, generator: nn.Module, features: FeatureNetwork, config: Config, weights: LossWeights) -> None:
        self.features = features
        self.weights = weights
        settings = config.losses
        self.correctness: dict[str, Any] = {
            "sampling": settings.correctness_sampling,
            "normalise": settings.correctness_normaliser,
        }
        self.direction = settings.regularization_direction
        self.masked = config.losses.foreground_mask
        self.notes: list[str] = []
        if not isinstance(generator, GFLA | SequentialGFLA):
            if weights.correctness or weights.regularization:
                raise ConfigError(f"{config.model.kind} has no flow: set correctness and regularization to 0")
            self.windows: list[int] = []
            self.layer_taps: list[str] = []
            self.taps: list[str] = []
            return
        self.windows = list(generator.attention_layers.values())
        self.layer_taps = [features.correctness_taps[layer] for layer in generator.attention_layers]
        self.taps = self.layer_taps if weights.correctness else []

    def see(self, target: Tensor, also: Sequence[str] = ()) -> dict[str, Tensor]:
        """Return the target's features that these losses need, and the taps ``also``, in one pass."""
        taps = tuple(dict.fromkeys((*self.taps, *also)))
        with torch.no_grad():
            return self.features(target, taps=taps) if taps else {}

    def __call__(
        self,
        flows: Sequence[Tensor],
        source: Mapping[str, Tensor],
        target: Mapping[str, Tensor],
        person: Tensor | None,
    ) -> dict[str, Tensor]:
        """Return the terms that have a weight.

        Args:
            flows: coarse to fine, as the networks return them.
            source, target: features of both images, from :meth:`see`.
            person: (B, 1, any, any), where the target shows a person; looked at where the settings say so.
        """
        terms: dict[str, Tensor] = {}
        if self.weights.correctness:
            terms["correctness"] = _sum(
                sampling_correctness(
                    self._on_grid(source, tap, flow),
                    self._on_grid(target, tap, flow),
                    flow,
                    mask=self.mask(person, flow),
                    **self.correctness,
                )
                for tap, flow in zip(self.taps, flows)
            )
        if self.weights.regularization:
            terms["regularization"] = _sum(
                affine_regularization(flow, n, direction=self.direction) for flow, n in zip(flows, self.windows)
            )
        return terms

    def mask(self, person: Tensor | None, flow: Tensor) -> Tensor | None:
        """Return the weights of target positions in the correctness loss; None counts all alike."""
        return person if self.masked else None

    def _on_grid(self, seen: Mapping[str, Tensor], tap: str, flow: Tensor) -> Tensor:
        """Return one tap on the flow's grid."""
        features, resized = taps_on_grid(seen, tap, (flow.shape[-2], flow.shape[-1]))
        if resized:
            had, wanted = ("x".join(map(str, one.shape[-2:])) for one in (seen[tap], flow))
            note = f"Correctness: {self.features.name}'s {tap} was resized from {had} to the flow's {wanted}."
            if note not in self.notes:
                self.notes.append(note)
        return features


def loss_weights(stage: StageConfig) -> LossWeights:
    """Return the lambdas of a stage."""
    return LossWeights(**{one.name: getattr(stage, one.name) for one in fields(LossWeights)})


def adam(rates: Mapping[nn.Module, float], settings: OptimizerConfig) -> Adam:
    """Return Adam with a group per module; a parameter belongs to the first module that holds it."""
    groups, taken = [], set[nn.Parameter]()
    for module, rate in rates.items():
        own = [parameter for parameter in module.parameters() if parameter not in taken]
        taken.update(own)
        groups.append({"params": own, "lr": rate, "base_lr": rate})
    return Adam(groups, betas=(settings.beta1, settings.beta2), fused=True)  # fused: a third of the time on CPU


def set_rate(optimizers: Mapping[str, Optimizer], factor: float) -> None:
    """Set every learning rate to ``factor`` times its base."""
    for optimizer in optimizers.values():
        for group in optimizer.param_groups:
            group["lr"] = factor * group["base_lr"]


def rate_factor(step: int, steps: int, decay_from: float) -> float:
    """Return the learning rate of step ``step`` (from 0) over its base: 1, then linearly to 0 at the stage's end."""
    if decay_from >= 1:
        return 1.0
    return min(1.0, (steps - step) / (steps * (1 - decay_from)))


def _sum(terms: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(terms)).sum()


def detached(terms: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return loss terms without their graph, for the curve."""
    return {name: term.detach() for name, term in terms.items()}
