"""How far a cleaned motion is from the true one: position, acceleration, and both where the detector went wrong.

Detectors find COCO's 17 joints, the truth is Human3.6M's 17: scores are taken on the 12 joints that both have.
"""

from collections.abc import Callable, Iterable

import pandas as pd
import torch
from torch import Tensor

from repro.checks import require_shape
from repro.data.clip import MotionSequence
from repro.data.studio.skeleton import COCO_17, HUMAN36M_17
from repro.metrics.evaluate import Evaluation

SHARED = tuple(name for name in COCO_17 if name in HUMAN36M_17 and name != "nose")
"""Shoulders, elbows, wrists, hips, knees, ankles. Human3.6M's "nose" is a joint of the neck, COCO's is the nose."""
COCO_SHARED = tuple(COCO_17.index(name) for name in SHARED)
HUMAN36M_SHARED = tuple(HUMAN36M_17.index(name) for name in SHARED)
_CROWN, _THORAX, _HIP = (HUMAN36M_17.index(name) for name in ("crown", "thorax", "hip"))
_LEGS = tuple(
    tuple(HUMAN36M_17.index(f"{side}_{joint}") for joint in ("hip", "knee", "ankle")) for side in ("left", "right")
)

KINDS = {"jittered": "burst", "swapped": "inverted", "missed": "missed"}
"""Name in the scores -> name of the simulated detector's fault; what has none of them is "faultless"."""

Cleaner = Callable[[MotionSequence], Tensor]
"""From a sequence to the 12 shared joints of all its frames, (T, 12, 2) in pixels; it looks at what was detected."""


def joint_errors(predicted: Tensor, true: Tensor) -> Tensor:
    r"""Return the distance of every joint from its true place, :math:`\lVert p - g \rVert`; its mean is the MPJPE.

    Args:
        predicted, true: (T, K, 2), pixels.

    Returns:
        (T, K), pixels.
    """
    require_shape("true", true, "T K 2", sizes=require_shape("predicted", predicted, "T K 2"))
    return (predicted - true).norm(dim=-1)


def acceleration_errors(predicted: Tensor, true: Tensor) -> Tensor:
    r"""Return how far the second difference of every joint is from the true one.

    .. math:: \lVert (p_{t-1} - 2 p_t + p_{t+1}) - (g_{t-1} - 2 g_t + g_{t+1}) \rVert

    White noise has :math:`\sqrt{1 + 4 + 1}` times the error of a joint here, a constant offset none: this score sees
    trembling, the MPJPE mostly what is slow.

    Convention: per frame, not per second: a video of half the rate has four times the acceleration.

    Args:
        predicted, true: (T, K, 2), pixels, T >= 3.

    Returns:
        (T - 2, K), pixels per frame²; of the frames 1 ... T - 2.
    """
    sizes = require_shape("true", true, "T K 2", sizes=require_shape("predicted", predicted, "T K 2"))
    if sizes["T"] < 3:
        raise ValueError(f"expected at least 3 frames, got {sizes['T']}: an acceleration needs three")
    return (predicted - true).diff(n=2, dim=0).norm(dim=-1)


def body_height(joints: Tensor) -> float:
    """Return how tall a person is in the picture, in pixels: crown, thorax, hip, knees, ankles, laid end to end.

    The median over the frames, so that a person who sits down does not shrink; the mean of both legs.

    Args:
        joints: true joints of Human3.6M, (T, 17, 2).
    """
    require_shape("joints", joints, "T 17 2", hint="Human3.6M's joints")

    def length(*chain: int) -> Tensor:
        return joints[:, chain].diff(dim=1).norm(dim=-1).sum(1)

    legs = torch.stack([length(*leg) for leg in _LEGS]).mean(0)
    return float((length(_CROWN, _THORAX, _HIP) + legs).median())


def kinds_of(sequence: MotionSequence) -> dict[str, Tensor]:
    """Return where the detector was right and where it went wrong: kind -> (T, 12) bool of the shared joints.

    Kinds are "faultless", "jittered", "swapped" (left for right) and "missed". A sequence that does not say what its
    detector did has "missed", and "faultless" stands for all that was found.
    """
    shared = list(COCO_SHARED)
    where = {kind: sequence.faults[fault][:, shared] for kind, fault in KINDS.items() if fault in sequence.faults}
    where["missed"] = ~sequence.valid[:, shared]
    return {"faultless": ~torch.stack(list(where.values())).any(0)} | where


def sequence_scores(predicted: Tensor, sequence: MotionSequence) -> dict[str, float]:
    """Return the scores of one cleaned sequence by name; NaN where it has nothing of a kind.

    ``mpjpe_px``, ``mpjpe_percent_height`` and ``acceleration_px_frame2`` are means over frames and joints;
    ``mpjpe_px_missed`` and its like are means over the joints of that kind. Three frames are "faultless" when all of
    them are, and of another kind as soon as one of them is.

    Args:
        predicted: the 12 shared joints, (T, 12, 2) in pixels.
        sequence: what is true, and where the detector went wrong.

    Raises:
        ValueError: another shape, or places that are not finite.
    """
    require_shape("predicted", predicted, f"{len(sequence)} {len(SHARED)} 2", hint="the shared joints, every frame")
    if not bool(predicted.isfinite().all()):
        raise ValueError(f"{sequence.subject} {sequence.action!r}: predicted joints are not finite: check the weights")
    true = sequence.clean[:, list(HUMAN36M_SHARED)]
    position, acceleration = joint_errors(predicted.double(), true), acceleration_errors(predicted.double(), true)
    scores = {
        "mpjpe_px": position.mean(),
        "mpjpe_percent_height": 100 * position.mean() / body_height(sequence.clean),
        "acceleration_px_frame2": acceleration.mean(),
    }
    for kind, where in kinds_of(sequence).items():
        three = torch.stack([where[:-2], where[1:-1], where[2:]])
        triplets = three.all(0) if kind == "faultless" else three.any(0)
        scores[f"mpjpe_px_{kind}"] = position[where].mean()
        scores[f"acceleration_px_frame2_{kind}"] = acceleration[triplets].mean()
    return {name: float(value) for name, value in scores.items()}


def evaluate_motion(cleaner: Cleaner, sequences: Iterable[MotionSequence]) -> Evaluation:
    """Return the scores of one way of cleaning: means over the sequences in which a score is defined.

    Every sequence weighs the same, however long it is.

    Args:
        cleaner: from a sequence to its 12 shared joints.
        sequences: as a detector saw them, in a fixed order.
    """
    lines = []
    for index, sequence in enumerate(sequences):
        name = {"clip": f"{sequence.action}, camera {sequence.camera}", "identity": sequence.subject}
        lines.append({"pair": index} | name | sequence_scores(cleaner(sequence), sequence))
    if not lines:
        raise ValueError("expected at least one sequence to evaluate, got none")
    per_sequence = pd.DataFrame(lines)
    means = per_sequence.drop(columns=["pair", "clip", "identity"])
    return Evaluation(
        metrics={str(name): float(value) for name, value in means.mean().items()},
        needs={},
        n=len(per_sequence),
        defined={str(name): int(count) for name, count in means.count().items()},
        per_pair=per_sequence,
        weights={},
    )
