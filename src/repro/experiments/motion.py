"""The task of the table "motion": a detector's joints, cleaned by a network or by a filter (Section IV-A)."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from repro import data
from repro.config import Config
from repro.data.clip import MotionSequence
from repro.data.motion_windows import CONTEXT, LENGTH
from repro.data.sets import DataSet
from repro.data.studio.h36m import CAMERAS, H36MSet
from repro.experiments.task import Scores, Splits, Task, fixed_list, scores_of
from repro.metrics import Evaluation
from repro.metrics.motion import HUMAN36M_SHARED, Cleaner, evaluate_motion
from repro.metrics.motion_filters import FILTERS, SkeletonMap, filter_sequence, shared_joints
from repro.models import MotionExtractionNetwork
from repro.training.host import make_fabric, progress
from repro.training.motion_inference import extract_motion

if TYPE_CHECKING:
    from repro.experiments.request import Request

TEST_SEQUENCES_SEED = 2008_12606  # the list of test sequences depends on the data set and its length alone
LEARNING = (
    "men_adaln", "men_adaln_paper", "men_l1", "men_batch_norm", "men_layer_norm", "men_no_statistics", "men_validity",
)  # fmt: skip
ROWS = (*LEARNING, *FILTERS, *(f"{name}_mapped" for name in FILTERS))


def splits(config: Config, request: "Request") -> Splits:
    """Return the training and the test sequences of a config."""
    train_set, test_set = (
        data.load(request.dataset, split, scale=config.data.scale, root=request.root) for split in ("train", "test")
    )
    return train_set, test_set


def measure(config: Config, network: nn.Module | None, test_set: Any, device: str, label: str) -> Scores:
    """Return the scores of a row on the fixed test sequences, and on what is reported on its own.

    The studio's sequences are seen again by its better and its worse detector ("noise_clean", "noise_hard"), and as
    they truly are ("true_input": what is left is the damage that cleaning does); "held_out_motion" are those of the
    kind that is in no training sequence.
    """
    chosen = fixed_list(len(test_set), config.evaluation.pairs, TEST_SEQUENCES_SEED)
    cleaner = cleaner_of(config, network, test_set, device)
    versions = versions_of(test_set)
    found: dict[str, Evaluation] = {}
    with progress(f"{label}: evaluate", 0, len(chosen) * len(versions)) as bar:
        bar.unit = "sequence"
        for name, version in versions.items():
            found[name] = evaluate_motion(cleaner, _counted(map(version, chosen), bar.update))
    evaluation = found.pop("")
    subsets: dict[str, dict[str, float]] = {}
    for name, one in found.items():
        subsets |= scores_of(one, {name: list(range(one.n))})
    if isinstance(test_set, H36MSet):
        held_out = test_set.held_out[chosen].nonzero().flatten().tolist()
        subsets |= scores_of(evaluation, {"held_out_motion": held_out})
    return evaluation, subsets


def cleaner_of(config: Config, network: nn.Module | None, test_set: Any, device: str = "cpu") -> Cleaner:
    """Return what a row does to a sequence: the trained network, or the filter that ``config.model.kind`` names.

    Args:
        config: settings of the row.
        network: the trained one; None for a filter.
        test_set: where the map between the skeletons is asked for, it is fitted on the training split of this set.
        device: of the network.
    """
    if network is None:
        name = config.model.kind
        to_shared: Callable[[Tensor], Tensor] = shared_joints
        if config.motion.skeleton_map:
            root = getattr(test_set, "root", None)
            to_shared = SkeletonMap.fit(data.load(test_set.name, "train", scale=config.data.scale, root=root))
        return lambda sequence: filter_sequence(name, sequence, to_shared)
    if not isinstance(network, MotionExtractionNetwork):
        raise TypeError(f"expected a MotionExtractionNetwork, got {type(network).__name__}: this table cleans joints")
    trained = network.to(make_fabric(device, "32-true").device)
    return lambda sequence: network_joints(trained, sequence, config.motion.missing)


def network_joints(network: MotionExtractionNetwork, sequence: MotionSequence, missing: str) -> Tensor:
    """Return the shared joints (T, 12, 2) that a network makes of a sequence."""
    cleaned = extract_motion(network, sequence.noisy, sequence.size[1], missing=missing)
    return cleaned[:, list(HUMAN36M_SHARED)]


def versions_of(test_set: DataSet[MotionSequence]) -> dict[str, Callable[[int], MotionSequence]]:
    """Return the ways in which sequence ``index`` can be seen; "" is that of the headline."""
    ways: dict[str, Callable[[int], MotionSequence]] = {"": test_set.__getitem__}
    if isinstance(test_set, H36MSet):
        ways["noise_clean"] = lambda index: test_set.sequence(index, "clean")
        ways["noise_hard"] = lambda index: test_set.sequence(index, "hard")
        ways["true_input"] = lambda index: true_input(test_set, index)
    return ways


def true_input(dataset: H36MSet, index: int) -> MotionSequence:
    """Return a sequence as a perfect detector sees it: COCO's joints where they are, none missing."""
    take, camera = divmod(index, CAMERAS)
    joints = torch.tensor(dataset.arrays(take)["coco"][camera])
    return replace(dataset[index], noisy=joints, valid=torch.ones(joints.shape[:2], dtype=torch.bool), faults={})


def flops(network: nn.Module, config: Config) -> int:
    """Return the floating-point operations of one window: 24 frames with their context."""
    assert isinstance(network, MotionExtractionNetwork)
    like = next(network.parameters())
    joints = like.new_zeros(1, 2 * network.joints, LENGTH + 2 * CONTEXT)
    valid = like.new_ones(1, network.joints, LENGTH + 2 * CONTEXT) if network.validity else None
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(joints, valid)
    return counter.get_total_flops()


def _counted(sequences: Iterable[MotionSequence], count: Callable[[], object]) -> Iterator[MotionSequence]:
    for sequence in sequences:
        yield sequence
        count()


TASK = Task(
    name="motion",
    unit="sequence",
    datasets=("h36m", "human36m"),
    studio_only=frozenset(),
    splits=splits,
    measure=measure,
    flops=flops,
)
