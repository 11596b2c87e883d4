"""Scores of motion: by hand, and what white noise and constant offsets do to them."""

import math

import numpy as np
import pytest
import torch

from repro.data.clip import MotionSequence
from repro.data.studio.skeleton import COCO_17, HUMAN36M_17
from repro.metrics.motion import (
    COCO_SHARED,
    HUMAN36M_SHARED,
    SHARED,
    acceleration_errors,
    body_height,
    evaluate_motion,
    joint_errors,
    kinds_of,
    sequence_scores,
)

F64 = torch.float64


def standing(frames: int = 6) -> torch.Tensor:
    """A stick figure 100 pixels high, (T, 17, 2): it does not move."""
    rows = {"crown": 0, "nose": 10, "thorax": 20, "spine": 35, "hip": 50, "knee": 75, "ankle": 100}
    rows |= {"shoulder": 20, "elbow": 35, "wrist": 50}
    joints = torch.tensor([[rows[name.rpartition("_")[2]], 40] for name in HUMAN36M_17], dtype=F64)
    return joints.expand(frames, 17, 2).clone()


def sequence(frames: int = 6, **faults: torch.Tensor) -> MotionSequence:
    clean = standing(frames)
    noisy = torch.zeros(frames, 17, 2, dtype=F64)
    noisy[:, list(COCO_SHARED)] = clean[:, list(HUMAN36M_SHARED)]
    valid = ~faults["missed"] if "missed" in faults else torch.ones(frames, 17, dtype=torch.bool)
    return MotionSequence(clean, noisy, valid, 50.0, "S9", "stand 1", faults=faults)


def exact(one: MotionSequence) -> torch.Tensor:
    return one.clean[:, list(HUMAN36M_SHARED)].clone()


class TestSharedJoints:
    def test_both_skeletons_mean_the_same_twelve(self):
        assert len(SHARED) == 12
        assert [COCO_17[i] for i in COCO_SHARED] == [HUMAN36M_17[i] for i in HUMAN36M_SHARED] == list(SHARED)
        assert {name.partition("_")[2] for name in SHARED} == {"shoulder", "elbow", "wrist", "hip", "knee", "ankle"}


class TestErrors:
    def test_position_by_hand(self):
        predicted, true = torch.zeros(2, 1, 2), torch.tensor([[[3.0, 4]], [[0, 1]]])
        assert joint_errors(predicted, true)[:, 0].tolist() == [5, 1]

    def test_acceleration_by_hand(self):
        """A joint off by (3, 4) in the middle frame alone: second difference -2 (3, 4), length 10; beside it 5."""
        error = torch.zeros(5, 1, 2)
        error[2, 0] = torch.tensor([3.0, 4])
        assert acceleration_errors(error, torch.zeros(5, 1, 2))[:, 0].tolist() == [5, 10, 5]

    def test_acceleration_does_not_see_what_is_slow(self):
        ramp = torch.arange(7.0, dtype=F64)[:, None, None].expand(7, 3, 2)
        assert not acceleration_errors(2 * ramp + 5, torch.zeros(7, 3, 2, dtype=F64)).any()

    def test_white_noise_has_an_acceleration_of_the_square_root_of_six(self):
        noise = torch.tensor(np.random.default_rng(0).standard_normal((40_000, 12, 2)))
        true = torch.zeros_like(noise)
        ratio = acceleration_errors(noise, true).mean() / joint_errors(noise, true).mean()
        # The second differences of neighbouring frames depend on each other: about 100,000 independent lengths.
        assert float(ratio) == pytest.approx(math.sqrt(6), rel=5e-3)

    def test_doors(self):
        with pytest.raises(ValueError, match=r"expected true \(T, K, 2\) with .*got \(4, 2, 2\)"):
            joint_errors(torch.zeros(3, 2, 2), torch.zeros(4, 2, 2))
        with pytest.raises(ValueError, match="at least 3 frames, got 2"):
            acceleration_errors(torch.zeros(2, 1, 2), torch.zeros(2, 1, 2))


class TestBodyHeight:
    def test_crown_to_ankle(self):
        assert body_height(standing()) == pytest.approx(100)

    def test_a_person_who_folds_up_is_as_tall(self):
        joints = standing()
        legs = [HUMAN36M_17.index(f"{side}_ankle") for side in ("left", "right")]
        joints[:2, legs, 0] = 50  # heels at the hips for a third of the time
        assert body_height(joints) == pytest.approx(100)


class TestKinds:
    def test_every_joint_is_faultless_or_has_a_fault(self):
        where = torch.zeros(6, 17, dtype=torch.bool)
        burst, missed = where.clone(), where.clone()
        burst[2, COCO_17.index("left_wrist")] = missed[4, COCO_17.index("right_hip")] = True
        missed[4, COCO_17.index("nose")] = True  # not shared
        kinds = kinds_of(sequence(burst=burst, missed=missed, inverted=where))
        assert {kind: int(one.sum()) for kind, one in kinds.items()} == {
            "faultless": 6 * 12 - 2, "jittered": 1, "swapped": 0, "missed": 1,
        }  # fmt: skip
        assert kinds["jittered"][2, SHARED.index("left_wrist")]

    def test_real_sequences_know_what_is_missing(self):
        one = sequence()
        one.valid[3, COCO_17.index("left_knee")] = False
        kinds = kinds_of(one)
        assert list(kinds) == ["faultless", "missed"]
        assert int(kinds["missed"].sum()) == 1


class TestScores:
    def test_exact_is_zero(self):
        one = sequence()
        scores = sequence_scores(exact(one), one)
        assert scores["mpjpe_px"] == scores["acceleration_px_frame2"] == scores["mpjpe_px_faultless"] == 0
        assert math.isnan(scores["mpjpe_px_missed"])

    def test_kinds_apart_by_hand(self):
        """One wrist is off by 12 pixels where it was jittered, all else exact: 72 joints, 48 triplets."""
        burst = torch.zeros(6, 17, dtype=torch.bool)
        burst[2, COCO_17.index("left_wrist")] = True
        one = sequence(burst=burst)
        predicted = exact(one)
        predicted[2, SHARED.index("left_wrist"), 0] += 12
        scores = sequence_scores(predicted, one)
        assert scores["mpjpe_px"] == pytest.approx(12 / 72)
        assert scores["mpjpe_percent_height"] == pytest.approx(12 / 72)  # 100 pixels high
        assert scores["acceleration_px_frame2"] == pytest.approx((12 + 24 + 12) / 48)
        assert scores["mpjpe_px_jittered"] == pytest.approx(12)
        assert scores["mpjpe_px_faultless"] == 0
        assert scores["acceleration_px_frame2_jittered"] == pytest.approx(16)  # triplets around frames 1, 2, 3
        assert scores["acceleration_px_frame2_faultless"] == 0

    def test_doors(self):
        one = sequence()
        with pytest.raises(ValueError, match=r"expected predicted \(6, 12, 2\), got \(6, 17, 2\)"):
            sequence_scores(one.clean, one)
        with pytest.raises(ValueError, match="S9 'stand 1': predicted joints are not finite"):
            sequence_scores(exact(one) * float("nan"), one)


class TestEvaluation:
    def test_mean_over_the_sequences_that_have_it(self):
        missed = torch.zeros(6, 17, dtype=torch.bool)
        missed[1, COCO_17.index("left_hip")] = True
        found = evaluate_motion(
            lambda one: exact(one) + (3 if one.faults else 1), [sequence(), sequence(missed=missed)]
        )
        assert found.n == 2
        assert found.metrics["mpjpe_px"] == pytest.approx(2 * math.sqrt(2))
        assert found.metrics["mpjpe_px_missed"] == pytest.approx(3 * math.sqrt(2))
        assert found.defined["mpjpe_px"] == 2
        assert found.defined["mpjpe_px_missed"] == 1
        assert list(found.per_pair["pair"]) == [0, 1]

    def test_nothing_to_evaluate(self):
        with pytest.raises(ValueError, match="at least one sequence"):
            evaluate_motion(exact, [])
