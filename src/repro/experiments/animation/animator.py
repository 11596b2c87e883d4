"""The network that animates: the one that ships, one of the user's own runs, or the authors' released weights."""

from dataclasses import dataclass
from pathlib import Path

from repro import paths
from repro.data.joints import SIGMA
from repro.experiments.outside_weights import load_authors
from repro.experiments.weights import load_exported, weights_hash
from repro.models import SequentialGFLA

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
        weights: None = the network that ships; with ``task`` a checkpoint of the authors, None = the imported one;
            else an exported network of a run of Table IV.
        task: "dance".

    Raises:
        FileNotFoundError: no such file; what to run where nothing ships yet.
        ValueError: another task, a damaged file, or a network that does not animate.
    """
    if task is not None:
        if task != TASK:
            raise ValueError(f"unknown task {task!r}: repro animate knows the authors' checkpoints of {TASK!r}")
        network = load_authors(TASK, weights)
        assert isinstance(network, SequentialGFLA)
        name = Path(weights).name if weights else f"authors-{TASK}"
        return Animator(network, AUTHORS_SIZE, SIGMA, f"{name} (the authors')")
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
    found = load_exported(path)
    if found.config.model.kind != "sequential":
        raise ValueError(f"{path} holds no network that animates: expected a row of Table IV, or --task {TASK}")
    assert isinstance(found.network, SequentialGFLA)
    return Animator(found.network, found.config.data.size, found.config.data.heatmap_sigma, path.name)
