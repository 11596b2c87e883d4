"""The task of Table II: a picture of a person in another pose."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch import nn

from repro import data, models
from repro.config import Config
from repro.data.layouts import LAYOUTS
from repro.data.pair import Pair
from repro.experiments.task import Scores, Splits, Task, TestList, scores_of
from repro.metrics import TRIVIAL, evaluate
from repro.training.host import make_fabric, progress

if TYPE_CHECKING:
    from repro.experiments.request import Request


class TestPairs(TestList[Pair]):
    """The fixed list of held-out pairs: the same for all rows and seeds."""

    def subsets(self) -> dict[str, list[int]]:
        """Return parts of the list that are reported on their own: name -> places in the list."""
        held_out = getattr(self.dataset, "held_out", None)
        if held_out is None:
            return {}
        sources = self.dataset.pairs[self.indices, 0]
        return {"held_out_texture": [place for place, one in enumerate(held_out[sources].tolist()) if one]}


def splits(config: Config, request: "Request") -> Splits:
    """Return the training and the test pairs of a config."""
    train_set, test_set = (
        data.load(
            request.dataset,
            split,
            config.data.size,
            config.data.scale,
            request.root,
            sigma=config.data.heatmap_sigma,
            annotation_size=request.annotation_size,
            exclude=request.exclude,
        )
        for split in ("train", "test")
    )
    return train_set, test_set


def measure(config: Config, network: nn.Module | None, test_set: Any, device: str, label: str) -> Scores:
    """Return the scores of a row on the fixed test pairs, and on the subsets that are reported on their own."""
    pairs = TestPairs.of(test_set, config.evaluation.pairs)
    model: nn.Module | Callable[[Pair], object] = network or TRIVIAL[config.model.kind]
    with progress(f"{label}: evaluate", 0, len(pairs)) as bar:
        bar.unit = "pair"
        evaluation = evaluate(
            model,
            pairs,
            device=make_fabric(device, "32-true").device,
            progress=lambda done, total: bar.update(done - bar.n) and None,
        )
    return evaluation, scores_of(evaluation, pairs.subsets())


TASK = Task(
    name="pairs",
    unit="pair",
    datasets=("fashion", *LAYOUTS),
    studio_only=frozenset(TRIVIAL),
    splits=splits,
    measure=measure,
    flops=lambda network, config: models.flops(network, (config.data.size,) * 2),
)
