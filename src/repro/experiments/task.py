"""What the rows of a table are trained and scored on: pairs of pictures, clips, or motion."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

import numpy as np
from torch import nn

from repro.config import Config
from repro.data.sets import DataSet
from repro.metrics import Evaluation
from repro.training import Watch

if TYPE_CHECKING:
    from repro.experiments.request import Request

TEST_SEED = 2008_12606  # a list of test examples depends on the data set and its length alone
Example = TypeVar("Example")
Splits = tuple[DataSet[Any], DataSet[Any]]
# An evaluation, and scores on the subsets that are reported on their own: name -> {"n": examples, metric: value}.
Scores = tuple[Evaluation, dict[str, dict[str, float]]]


@dataclass(frozen=True)
class Task:
    """Everything about a table that depends on the kind of its examples.

    Attributes:
        name: of the task, in ``Config.task``; profiles of its own are files ``profiles/NAME_PROFILE.yaml``.
        unit: what a record's n counts, in the singular.
        datasets: names that a request may give, the default first.
        studio_only: rows that need the studio's ground truth.
        splits: from (config, request) to the training and the test set.
        measure: from (config, network, test set, device, label of the progress bar) to the scores on the fixed list of
            test examples; the network is None for a row that learns nothing: ``config.model.kind`` says which.
        flops: of a forward pass on one example.
        watch: from (config, test set, device) to what is measured all along the training; the curves of every seed
            are kept then. None: nothing is.
        ships: whether the trained networks of seed 0 are recorded with the scores.
    """

    name: str
    unit: str
    datasets: tuple[str, ...]
    studio_only: frozenset[str]
    splits: Callable[[Config, "Request"], Splits]
    measure: Callable[[Config, nn.Module | None, DataSet[Any], str, str], Scores]
    flops: Callable[[nn.Module, Config], int]
    watch: Callable[[Config, DataSet[Any], str], Watch] | None = None
    ships: bool = True


def scores_of(evaluation: Evaluation, places: dict[str, list[int]]) -> dict[str, dict[str, float]]:
    """Return the means over parts of the examples, by name their ``places`` in the list; empty parts are left out."""
    found = {}
    for name, own in places.items():
        if own:
            part = evaluation.per_pair.iloc[own].drop(columns=["pair", "clip", "identity"], errors="ignore")
            means = {str(metric): float(value) for metric, value in part.mean().items() if np.isfinite(value)}
            found[name] = {"n": len(own)} | means
    return found


def fixed_list(count: int, wanted: int, seed: int) -> list[int]:
    """Return ``wanted`` of ``count`` examples, drawn once and for all and sorted; all where there are fewer."""
    order = np.random.Generator(np.random.PCG64(seed)).permutation(count)
    return sorted(int(index) for index in order[:wanted])


@dataclass(frozen=True)
class TestList(Generic[Example]):
    """The fixed list of held-out examples: the same for all rows and seeds.

    Attributes:
        dataset: the test set.
        indices: of the chosen examples in it, rising.
    """

    __test__: ClassVar[bool] = False  # no test class, whatever pytest thinks of its name

    dataset: Any
    indices: list[int]

    @classmethod
    def of(cls, dataset: DataSet[Example], count: int) -> Self:
        """Return ``count`` examples of a data set, drawn once and for all; all of them where there are fewer."""
        return cls(dataset, fixed_list(len(dataset), count, TEST_SEED))

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Example:
        found: Example = self.dataset[self.indices[index]]
        return found

    def subsets(self) -> dict[str, list[int]]:
        """Return parts of the list that are reported on their own: name -> places in the list."""
        raise NotImplementedError
