"""Motion capture as test input of the motion table: four cameras, one motion, the detector's errors."""

import pytest
import torch
from captures import t_pose_file

from repro.experiments.motion_captures import captured_sequences
from repro.metrics.motion import evaluate_motion
from repro.metrics.motion_filters import filter_sequence, shared_joints


def test_four_cameras_see_the_capture(tmp_path):
    frames = [{"LeftArm": (0, 0, 2 * frame)} for frame in range(20)]
    found = captured_sequences(t_pose_file(tmp_path / "wave.bvh", frames))
    assert [one.camera for one in found] == [0, 1, 2, 3]
    for one in found:
        assert one.action == "wave"
        assert len(one) == 39  # 25 to 50 frames a second
        errors = evaluate_motion(lambda seen: filter_sequence("identity", seen, shared_joints), [one]).metrics
        assert 0.3 < errors["mpjpe_percent_height"] < 6  # the detector's, whatever the person does
    assert not torch.equal(found[0].noisy, found[1].noisy)


def test_an_unknown_level_is_refused(tmp_path):
    with pytest.raises(ValueError, match="unknown noise level 'loud': choose one of clean, typical, hard"):
        captured_sequences(tmp_path / "none.bvh", "loud")
