"""The network that animates: the one that ships, one of the user's own runs, or the authors' released weights."""

import json
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from repro import paths
from repro.data.joints import SIGMA
from repro.experiments.weights import weights_hash
from repro.models import SequentialGFLA, authors

TASK = "dance"
"""The task of the authors' checkpoints that animates people."""
AUTHORS_SIZE = 256
SHIPPED = "table_4-ours_animation-*-seed0-*.safetensors"
"""Names of the network that ships: Table IV's row of the whole method, seed 0."""


@dataclass(frozen=True)
class Animator:
    """A network that is ready to animate.

    Attributes:
        network: in evaluation mode.
        size: pixels a side of the pictures that it was trained on.
        sigma: of the heat maps that it was trained on, in pixels.
        name: where it comes from, in words.
    """

    network: SequentialGFLA
    size: int
    sigma: float
    name: str

    @property
    def hash(self) -> str:
        """SHA-256 of its weights."""
        return weights_hash(self.network.state_dict())


def load_animator(weights: str | Path | None = None, task: str | None = None) -> Animator:
    """Return the network that animates.

    Args:
        weights: None = the network that ships; with ``task`` a checkpoint of the authors; else an exported network of
            a run of Table IV.
        task: "dance".

    Raises:
        FileNotFoundError: no such file; what to run where nothing ships yet.
        ValueError: another task, a damaged file, or a network that does not animate.
    """
    if task is not None:
        if task != TASK:
            raise ValueError(f"unknown task {task!r}: repro animate knows the authors' checkpoints of {TASK!r}")
        if weights is None:
            raise ValueError("--task says what an authors' checkpoint is for: give its file with --weights")
        network = authors.load(weights, TASK)
        assert isinstance(network, SequentialGFLA)
        return Animator(network.requires_grad_(False), AUTHORS_SIZE, SIGMA, f"{Path(weights).name} (the authors')")
    if weights is not None:
        return _exported(Path(weights))
    found = sorted(paths.weights().glob(SHIPPED))
    if not found:
        raise FileNotFoundError(
            f"no network that animates in {paths.weights()}: train one (repro table IV --rows ours_animation --profile "
            f"laptop) and give its file, or bring the authors' (--weights FILE --task {TASK})"
        )
    return _exported(found[-1])


def _exported(path: Path) -> Animator:
    """The network of a file as ``repro.experiments.weights.export`` writes it."""
    if not path.is_file():
        raise FileNotFoundError(f"no weights {path}")
    try:
        with safe_open(path, framework="pt") as stream:
            header = stream.metadata() or {}
            tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"cannot read {path} ({error}): expected the exported network of a run, or with --task {TASK} a checkpoint "
            "of the authors"
        ) from error
    config = json.loads(header.get("config", "{}"))
    if config.get("model", {}).get("kind") != "sequential":
        raise ValueError(f"{path} holds no network that animates: expected a row of Table IV, or --task {TASK}")
    if weights_hash(tensors) != header["weights_hash"]:
        raise ValueError(f"{path} is damaged (its hash does not fit its content): restore it or train the row again")
    model, data = config["model"], config["data"]
    network = SequentialGFLA.preset(model["width"], attention_mean=model["attention_mean"], seed=0)
    network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    return Animator(network.eval().requires_grad_(False), data["size"], data["heatmap_sigma"], path.name)
