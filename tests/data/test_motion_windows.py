"""Windows of joints: gaps, borders, the order of channels, one augmentation for both."""

import numpy as np
import pytest
import torch

from repro.data.clip import MotionSequence
from repro.data.motion_windows import (
    augment_motion,
    from_channels,
    hold_last,
    to_channels,
    training_window,
    window,
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def sequence(frames: int = 60) -> MotionSequence:
    joints = torch.tensor(rng().uniform(100, 900, (frames, 17, 2)))
    return MotionSequence(joints, joints.clone(), torch.ones(frames, 17, dtype=torch.bool), 50.0, "S1", "walk 1")


class TestHoldLast:
    def test_gaps_are_held_and_a_late_start_is_filled_backwards(self):
        column = torch.tensor([-1.0, 5.0, -1.0, -1.0, 8.0])
        joints = torch.stack([column, column + torch.where(column < 0, 0.0, 1.0)], -1)[:, None]
        assert hold_last(joints)[:, 0].tolist() == [[5, 6], [5, 6], [5, 6], [5, 6], [8, 9]]

    def test_one_coordinate_of_minus_one_is_missing(self):
        joints = torch.tensor([[[3.0, 4.0]], [[-1.0, 7.0]]])
        assert hold_last(joints)[1].tolist() == [[3, 4]]

    def test_a_joint_that_is_never_found_takes_the_mean_place(self):
        joints = torch.full((2, 3, 2), -1.0)
        joints[:, 0], joints[:, 1] = torch.tensor([2.0, 4.0]), torch.tensor([4.0, 8.0])
        assert hold_last(joints)[:, 2].tolist() == [[3, 6], [3, 6]]

    def test_nothing_missing_nothing_changed(self):
        joints = sequence().noisy
        assert torch.equal(hold_last(joints), joints)

    def test_refusals(self):
        with pytest.raises(ValueError, match="3 frames without any"):
            hold_last(torch.full((3, 17, 2), -1.0))
        with pytest.raises(ValueError, match=r"expected joints \(T, K, 2\)"):
            hold_last(torch.zeros(17, 2))


class TestWindow:
    def test_the_border_frame_repeats(self):
        frames = torch.arange(10.0)[:, None, None].expand(10, 17, 2)
        assert window(frames, 8, length=3, context=2)[:, 0, 0].tolist() == [6, 7, 8, 9, 9, 9, 9]
        assert window(frames, 0, length=3, context=2)[:, 0, 0].tolist() == [0, 0, 0, 1, 2, 3, 4]

    def test_default_is_24_frames_with_40_on_either_side(self):
        joints = sequence(200).clean
        cut = window(joints, 60)
        assert cut.shape == (104, 17, 2)
        assert torch.equal(cut, joints[20:124])

    def test_refusal(self):
        with pytest.raises(ValueError, match="expected a start from 0 to 9, got 10"):
            window(torch.zeros(10, 17, 2), 10)


class TestChannels:
    def test_convention_rows_first_then_columns_both_by_the_width(self):
        joints = torch.zeros(2, 17, 2)
        joints[1, 3] = torch.tensor([250.0, 1000.0])
        channels = to_channels(joints, 1000)
        assert channels.shape == (34, 2)
        assert channels[3].tolist() == [-1, -0.5]
        assert channels[17 + 3].tolist() == [-1, 1]

    def test_there_and_back_with_a_batch(self):
        joints = torch.rand(3, 5, 17, 2, dtype=torch.float64) * 500
        assert torch.allclose(from_channels(to_channels(joints, 640), 640), joints)
        assert torch.equal(to_channels(joints, 640)[1], to_channels(joints[1], 640))


class TestAugmentation:
    def test_one_scale_and_shift_for_both(self):
        noisy, clean = torch.randn(34, 104, dtype=torch.float64), torch.randn(34, 24, dtype=torch.float64)
        a, b = augment_motion(noisy, clean, rng(3))
        scale = (a[0, 1] - a[0, 0]) / (noisy[0, 1] - noisy[0, 0])
        for before, after in ((noisy, a), (clean, b)):
            shift = after - before * scale
            assert torch.allclose(shift[:17], shift[0, 0].expand_as(shift[:17]), atol=1e-9)
            assert torch.allclose(shift[17:], shift[17, 0].expand_as(shift[17:]), atol=1e-9)
        assert shift[0, 0] != shift[17, 0]

    def test_ranges(self):
        zero, one = torch.zeros(34, 1), torch.ones(34, 1)
        draws = [augment_motion(zero, one, rng(seed)) for seed in range(300)]
        shifts = torch.stack([zeros[[0, 17], 0] for zeros, _ in draws])
        scales = torch.stack([ones[0, 0] - zeros[0, 0] for zeros, ones in draws])
        assert -0.1 <= shifts.min() < -0.09
        assert 0.09 < shifts.max() <= 0.1
        assert 1 <= scales.min() < 1.01
        assert 1.49 < scales.max() <= 1.5


class TestTrainingWindow:
    def test_input_and_target_show_the_same_frames(self):
        noisy, clean = training_window(sequence(), rng())
        assert noisy.shape == (34, 104)
        assert clean.shape == (34, 24)
        assert noisy.dtype == clean.dtype == torch.float32
        assert torch.equal(noisy[:, 40:64], clean)  # this sequence has no noise

    def test_starts_reach_both_ends(self):
        own = sequence(26)
        own.noisy.copy_(torch.arange(26.0)[:, None, None].expand_as(own.noisy))
        repeated = set()
        for seed in range(30):
            noisy, _ = training_window(own, rng(seed))
            # Frame 0 stands 41 times before frame 1 when the window starts at frame 0, once less with each later start.
            repeated.add(int((noisy[0].diff().abs() > 1e-6).nonzero()[0]))
        assert repeated == {40, 39, 38}

    def test_refusal(self):
        with pytest.raises(ValueError, match="at least 24 frames, got 20"):
            training_window(sequence(20), rng())
