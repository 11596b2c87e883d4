"""What the making of all feature networks of our own has in common: the steps, and the file with its record."""

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import save
from torch import Tensor, nn
from tqdm import tqdm

from repro import records
from repro.features.network import FeatureNetwork
from repro.features.video_network import VideoNetwork
from repro.features.weights import content_hash

LEARNING_RATE = 2e-3
Batch = TypeVar("Batch")


@dataclass
class Making:
    """One training of a network of our own; its clock starts when it is created.

    Attributes:
        steps: AdamW steps, one cycle of the learning rate.
        seed: of initial weights, order and augmentation.
        command: what a reader types to do it again; goes into the record.
    """

    steps: int
    seed: int
    command: str
    losses: dict[str, float] = field(default_factory=dict)
    started: str = field(default_factory=records.now)
    clock: float = field(default_factory=time.perf_counter)

    def train(
        self, learner: nn.Module, batches: Iterable[Batch], terms_of: Callable[[Batch], dict[str, Tensor]], name: str
    ) -> None:
        """Train ``learner`` on the sum of the loss terms of each batch; ``losses`` are their running means.

        Args:
            learner: changed in place.
            batches: ``steps`` of them.
            terms_of: from a batch to its loss terms, by name.
            name: of the network, for the progress bar.

        Raises:
            ValueError: a loss is not a number (it names the step).
        """
        optimiser = torch.optim.AdamW(learner.parameters(), LEARNING_RATE, weight_decay=1e-3)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=self.steps)
        learner.train()
        for step, batch in enumerate(tqdm(batches, total=self.steps, desc=name)):
            terms = terms_of(batch)
            for term, value in terms.items():
                if not bool(value.isfinite()):
                    raise ValueError(f"the {term} loss is {value.item()} at step {step}: lower the learning rate")
                self.losses[term] = 0.98 * self.losses.get(term, value.item()) + 0.02 * value.item()
            optimiser.zero_grad()
            torch.stack(list(terms.values())).sum().backward()
            optimiser.step()
            schedule.step()

    def store(
        self, out: str | Path, network: FeatureNetwork | VideoNetwork, data: dict[str, Any], held_out: dict[str, float]
    ) -> dict[str, Any]:
        """Write ``NAME.safetensors`` (half precision) and its record ``NAME.json``, each whole or not at all.

        Args:
            out: folder, made if need be.
            network: as its file gives it back.
            data: hashes and sizes of the sets.
            held_out: scores on people never seen.

        Returns:
            The record.
        """
        record = {
            "network": network.name,
            "weights_hash": content_hash(network),
            "data": data,
            "steps": self.steps,
            "seed": self.seed,
            "final_losses": {term: round(value, 4) for term, value in self.losses.items()},
            "held_out": held_out,
            "seconds": round(time.perf_counter() - self.clock, 1),
            "started": self.started,
            "command": self.command,
            "versions": records.provenance()["versions"],
        }
        folder = Path(out)
        folder.mkdir(parents=True, exist_ok=True)
        halves = {key: tensor.half().contiguous() for key, tensor in network.state_dict().items()}
        records.write_whole(folder / f"{network.name}.safetensors", save(halves))
        records.write_whole(folder / f"{network.name}.json", (json.dumps(record, indent=1) + "\n").encode())
        return record


def nearest_is_own(vectors: Tensor, person: Tensor) -> float:
    """Return the share of vectors whose nearest other one, by their angle, belongs to the same person.

    Args:
        vectors: (N, D), unit length.
        person: (N,).
    """
    nearest = (vectors @ vectors.mT).fill_diagonal_(-torch.inf).argmax(1)
    return (person[nearest] == person).float().mean().item()
