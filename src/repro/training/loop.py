"""The training loop: the stages one after the other, a checkpoint every minute, the same run again after any kill."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from repro.config import Config, flatten, to_mapping
from repro.records import write_whole
from repro.training import checkpoint, curves, host
from repro.training.batches import Batches, Order, loader
from repro.training.clip_batches import ClipBatches, FrameBatches
from repro.training.clip_stage import ClipStage
from repro.training.motion import MotionBatches, MotionStage
from repro.training.networks import build_discriminators, build_features, build_generator, start_from
from repro.training.stages import FlowStage, JointStage, Stage, rate_factor, set_rate
from repro.training.state import Networks, below, pack, unpack_networks, unpack_optimizers, unpack_random

if TYPE_CHECKING:
    from lightning.fabric import Fabric

STAGES: dict[str, Callable[["Fabric", Networks, Any, Config], Stage]] = {
    "flow": FlowStage,
    "joint": JointStage,
    "clip": ClipStage,
    "motion": MotionStage,
}


def order_of(dataset: Sequence[Any], config: Config, seed: int, stage: str) -> Order:
    """Return the order of the training batches of a stage: ``order[step]`` is what its step takes."""
    if config.task == "clips":
        order = ClipBatches if stage == "clip" else FrameBatches
        return order(dataset, config, seed, stage)  # type: ignore[arg-type]  # a set of clips
    if stage == "motion":
        return MotionBatches(dataset, config.motion.batch, seed, config.motion.missing)
    return Batches(dataset, config.batch, seed, stage, config.data.heatmap_sigma, config.data.flips)


Watch = Callable[[nn.Module], dict[str, float]]
"""Measures a generator while it is trained: name -> number."""


class Interrupted(KeyboardInterrupt):
    """The run was asked to stop (Ctrl-C, SIGTERM); its checkpoint is up to date."""


@dataclass(frozen=True)
class Trained:
    """A finished training run.

    Attributes:
        generator: on the run's device, in eval mode.
        checkpoint: the file that holds all of it; config.json and curve.jsonl lie beside.
        steps: optimiser steps of all stages.
        seconds: spent in them, over all restarts.
        peak_memory_mib: of the GPU; on a CPU of the whole process.
        device: in words.
        notes: what a reader of the results must know about this training, for its record.
    """

    generator: nn.Module
    checkpoint: Path
    steps: int
    seconds: float
    peak_memory_mib: float
    device: str
    notes: list[str] = field(default_factory=list)


def train(
    config: Config,
    dataset: Sequence[Any],
    *,
    seed: int,
    folder: Path,
    dataset_hash: str = "",
    device: str = "auto",
    checkpoint_every: float = 60.0,
    workers: int = 0,
    start: nn.Module | None = None,
    watch: Watch | None = None,
    name: str = "train",
) -> Trained:
    """Train what ``config`` describes and return it, from where the folder's checkpoint stands.

    A continued run equals an uninterrupted one bit for bit on a CPU (same machine, same number of threads).

    Args:
        config: settings of the row.
        dataset: map-style training examples, as the stages need them: pairs, clips, motion sequences.
        seed: of the initial weights and the order of the examples.
        folder: of this run; made if needed. One process at a time.
        dataset_hash: of the training examples; a checkpoint made with others is refused.
        device: "auto", "cpu", "cuda" or "cuda:1".
        checkpoint_every: seconds between checkpoints.
        workers: processes that prepare batches; 0 = this one.
        start: a trained network whose weights the generator begins with (:func:`~repro.training.networks.start_from`).
        watch: asked about the generator with every line of the curve, which holds what it says; it must not change it.
        name: shown by the progress bar.

    Raises:
        CheckpointError: the folder's checkpoint is damaged, foreign or of another run.
        NotFinite: a loss or a weight is NaN or infinite; the last checkpoint is from before.
        Interrupted: SIGINT or SIGTERM arrived; the checkpoint is up to date.
        BlockingIOError: another process trains in this folder.
    """
    fabric = host.make_fabric(device, config.precision)
    with host.only_process(folder), host.stop_requested() as stop:
        run = Run(fabric, config, seed, folder, dataset_hash, start, watch)
        for stage_name in config.stages[config.stages.index(run.position.stage) :]:
            run.enter(stage_name)
            first, last = run.position.step, config.stage(stage_name).steps
            order = order_of(dataset, config, seed, stage_name)
            saved_at = time.monotonic()
            with host.progress(f"{name}: {stage_name}", first, last) as bar:
                for batch in loader(order, first, last, workers):
                    run.step(batch.to(fabric.device))
                    host.show(bar, run.curve.last, fabric.device)
                    if stop.is_set() or time.monotonic() - saved_at > checkpoint_every:
                        run.save()
                        saved_at = time.monotonic()
                    if stop.is_set():
                        raise Interrupted(f"stopped at {stage_name} step {run.position.step}: run again to continue")
            if first < last:
                run.save()
    return Trained(
        generator=fabric.to_device(run.networks.generator).eval(),
        checkpoint=folder / checkpoint.NAME,
        steps=config.total_steps,
        seconds=run.position.seconds,
        peak_memory_mib=host.peak_memory_mib(fabric.device),
        device=host.describe(fabric.device),
        notes=run.notes,
    )


@dataclass
class Position:
    """Where a run stands: the steps done in a stage, and the seconds spent in all steps so far."""

    stage: str
    step: int = 0
    seconds: float = 0.0


class Run:
    """What changes while a run goes, taken from its folder's checkpoint if there is one."""

    stage: Stage
    curve: curves.Curve

    def __init__(
        self,
        fabric: "Fabric",
        config: Config,
        seed: int,
        folder: Path,
        dataset_hash: str,
        start: nn.Module | None = None,
        watch: Watch | None = None,
    ) -> None:
        self.fabric, self.config, self.folder, self.watch = fabric, config, folder, watch
        network = build_features(config)
        self.features = network and network.to(fabric.device)
        self.identity = {
            "config": to_mapping(config),
            "seed": seed,
            "dataset": dataset_hash,
            "features": network.weights_hash if network else "none",
        }
        self.networks = Networks(build_generator(config, seed), build_discriminators(config, seed))
        if start is not None:
            start_from(self.networks.generator, start)
            self.identity["start"] = checkpoint.checksum(start.state_dict())
        self.position = Position(config.stages[0])
        self.notes: list[str] = []
        self.saved = checkpoint.load(folder)
        if self.saved is not None:
            tensors, rest = self.saved
            refuse_another_run(folder, rest["identity"], self.identity)
            unpack_networks(self.networks, tensors)
            self.position = Position(**rest["position"])
            self.notes = rest.get("notes", [])
        curves.cut(folder, config.stages, self.position.stage, self.position.step)
        write_whole(folder / "config.json", json.dumps(self.identity, indent=1).encode())

    def enter(self, stage: str) -> None:
        """Begin a stage, or continue the one that the checkpoint was in."""
        pending: list[dict[str, Any]] = []
        if self.position.stage != stage:
            self.position = Position(stage, seconds=self.position.seconds)
        self.stage = STAGES[stage](self.fabric, self.networks, self.features, self.config)
        if self.saved is not None:
            unpack_optimizers(self.stage.optimizers, *self.saved)
            unpack_random(*self.saved)
            self.stage.load_state(below(self.saved[0], "stage/"))
            if scale := self.saved[1].get("precision"):
                self.fabric.strategy.precision.load_state_dict(scale)
            pending = self.saved[1]["pending"]
            self.saved = None
        self.curve = curves.Curve(self.folder, stage, pending)

    def step(self, batch: Any) -> None:
        """Take one optimiser step."""
        clock = time.monotonic()
        position, settings = self.position, self.config.optimizer
        steps = self.config.stage(position.stage).steps
        factor = rate_factor(position.step, steps, settings.decay_from)
        set_rate(self.stage.optimizers, factor)
        terms = self.stage.step(batch)
        self.notes += [note for note in self.stage.notes if note not in self.notes]
        position.step += 1
        position.seconds += time.monotonic() - clock
        self.curve.add(
            position.step,
            terms,
            factor * settings.lr,
            position.seconds,
            last=position.step == steps,
            measure=lambda: self.watch(self.networks.generator) if self.watch else {},
        )

    def save(self) -> None:
        """Write the checkpoint."""
        rest = {
            "identity": self.identity,
            "position": asdict(self.position),
            "pending": self.curve.pending(),
            "notes": self.notes,
            "precision": self.fabric.strategy.precision.state_dict(),  # the loss scale of float16
        }
        tensors, more = pack(self.networks, self.stage.optimizers)
        tensors |= {f"stage/{name}": tensor for name, tensor in self.stage.state().items()}
        refuse_not_finite(tensors, self.position)
        checkpoint.save(self.folder, tensors, rest | more)


def refuse_not_finite(tensors: Mapping[str, Tensor], position: Position) -> None:
    """Raise NotFinite if a tensor holds NaN or infinity: finite losses may have gradients that are not."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise curves.NotFinite(
                f"stage {position.stage!r}, step {position.step}: {name} holds NaN or infinity, though the losses do "
                "not; the checkpoint from before is kept"
            )


def refuse_another_run(folder: Path, saved: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Raise a CheckpointError that lists what differs, unless the checkpoint belongs to the wanted run.

    Where the learning rate is constant, the number of steps may change: such a run is stopped by hand.
    """
    # A setting that did not exist yet had the authors' value.
    before, now = flatten({"config": to_mapping(Config())}) | flatten(saved), flatten(wanted)
    changed = {key for key in before.keys() | now.keys() if before.get(key) != now.get(key)}
    if now["config.optimizer.decay_from"] == 1:
        changed -= {f"config.{stage}.steps" for stage in STAGES}
    if changed:
        differences = "; ".join(f"{key}: checkpoint {before.get(key)}, now {now.get(key)}" for key in sorted(changed))
        raise checkpoint.CheckpointError(
            f"{folder / checkpoint.NAME} belongs to another run ({differences}): choose another folder or delete it"
        )
