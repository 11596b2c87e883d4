"""The motion stage: windows that follow from the seed, resume bit for bit with dropout, blocks without a seam."""

import os
import signal

import pytest
import torch
from torch import nn

from repro.config import Config, apply
from repro.data.clip import MotionSequence
from repro.data.motion_windows import to_channels, window
from repro.models import MotionExtractionNetwork
from repro.training import checkpoint, loop, motion_inference, read_curve, train
from repro.training.motion import MotionBatches
from repro.training.motion_inference import extract_motion, without_gaps

F64 = torch.float64


def sequence(number: int = 0, frames: int = 60, missing: bool = True) -> MotionSequence:
    """A figure that swings about the middle of the picture, its detections trembling and sometimes missing."""
    draw = torch.Generator().manual_seed(number)
    phase = torch.rand(17, 2, generator=draw, dtype=F64) * 6
    time = torch.arange(frames, dtype=F64)[:, None, None]
    clean = 500 + 200 * torch.sin(phase + time / 20)
    noisy = clean + 5 * torch.randn(frames, 17, 2, generator=draw, dtype=F64)
    valid = torch.ones(frames, 17, dtype=torch.bool)
    if missing:
        valid[10:13, 5] = False
    return MotionSequence(clean, noisy.masked_fill(~valid[..., None], -1), valid, 50.0, "S1", f"swing {number}")


def config(**settings) -> Config:
    own = {"task": "motion", "stages": ["motion"], "model.kind": "motion_extraction", "losses.features": "none"}
    small = {"model.width": 0.0625, "model.init_gain": 0.3, "motion.batch": 2, "motion.steps": 5, "optimizer.lr": 3e-3}
    return apply(Config(), own | small | {key.replace("__", "."): value for key, value in settings.items()})


class TestBatches:
    def sequences(self, count: int = 4) -> list[MotionSequence]:
        return [sequence(number) for number in range(count)]

    def test_shapes(self):
        batch = MotionBatches(self.sequences(), 2, 0, "zero")[0]
        assert batch.joints.shape == (2, 34, 104)
        assert batch.valid.shape == (2, 17, 104)
        assert batch.target.shape == (2, 34, 24)
        assert {one.dtype for one in batch} == {torch.float32}

    def test_a_step_is_the_same_whatever_came_before(self):
        one, other = MotionBatches(self.sequences(), 2, 0, "zero"), MotionBatches(self.sequences(), 2, 0, "zero")
        for step in range(7):
            one[step]
        for a, b in zip(one[7], other[7]):
            assert torch.equal(a, b)
        assert not torch.equal(one[7].joints, MotionBatches(self.sequences(), 2, 1, "zero")[7].joints)

    def test_rows_see_the_same_windows_however_they_fill_gaps(self):
        zero, hold = (MotionBatches(self.sequences(), 2, 0, missing)[3] for missing in ("zero", "hold"))
        assert torch.equal(zero.target, hold.target)
        assert torch.equal(zero.valid, hold.valid)
        found = zero.valid.repeat(1, 2, 1) == 1
        assert torch.equal(zero.joints[found], hold.joints[found])
        assert not torch.equal(zero.joints[~found], hold.joints[~found])

    def test_input_target_and_validity_show_the_same_frames(self):
        """Without noise the middle of the input is the target; the column of joint 5 is missing with its row."""
        exact = [sequence(number) for number in range(2)]
        for one in exact:
            one.noisy.copy_(torch.where(one.valid[..., None], one.clean, -1.0))
        batch = MotionBatches(exact, 2, 0, "hold")[0]
        middle, seen = batch.joints[..., 40:64], batch.valid[..., 40:64].repeat(1, 2, 1) == 1
        torch.testing.assert_close(middle[seen], batch.target[seen])

    def test_doors(self):
        with pytest.raises(ValueError, match=r"at least 5 examples \(one batch\), the data set has 4"):
            MotionBatches(self.sequences(), 5, 0, "zero")
        with pytest.raises(ValueError, match="at least 24 frames, S1 'swing 0' camera 0 has 20"):
            MotionBatches([sequence(0, 20)], 1, 0, "zero")[0]


class TestTraining:
    def run(self, folder, settings=None, sequences=None, **options):
        torch.set_num_threads(1)
        torch.manual_seed(7)  # dropout's
        sequences = sequences or [sequence(number) for number in range(4)]
        return train(settings or config(), sequences, seed=0, folder=folder, device="cpu", **options)

    @pytest.mark.parametrize("settings", [{}, {"model__validity": True}], ids=str)
    def test_stopped_and_continued_equals_uninterrupted_with_dropout(self, tmp_path, settings, monkeypatch):
        settings = config(**settings)
        assert settings.motion.dropout == 0.15
        self.run(tmp_path / "whole", settings)

        real = loop.Run.step

        def stopping(run, batch):
            real(run, batch)
            if run.position.step == 2:
                os.kill(os.getpid(), signal.SIGTERM)

        monkeypatch.setattr(loop.Run, "step", stopping)
        with pytest.raises(loop.Interrupted, match="stopped at motion step 2"):
            self.run(tmp_path / "parts", settings)
        monkeypatch.undo()
        self.run(tmp_path / "parts", settings)
        (whole, rest), (parts, other) = (checkpoint.load(tmp_path / name) for name in ("whole", "parts"))
        assert [name for name in whole if not torch.equal(whole[name], parts[name])] == []
        assert rest["position"]["step"] == other["position"]["step"] == 5

    @pytest.mark.parametrize("loss", ["mse", "l1"])
    def test_the_error_falls(self, tmp_path, loss):
        settings = config(motion__loss=loss, motion__steps=60, motion__dropout=0.0)
        trained = self.run(tmp_path, settings)
        curve = read_curve(tmp_path)
        fall = {"mse": 0.5, "l1": 0.5**0.5}  # of squares, of errors
        assert curve["total"].iloc[-1] < fall[loss] * curve["total"].iloc[0]
        assert not trained.generator.training

    def test_squares_and_absolutes_are_other_losses_of_the_same_windows(self, tmp_path):
        for loss in ("mse", "l1"):
            self.run(tmp_path / loss, config(motion__loss=loss, motion__steps=1, motion__dropout=0.0))
        squared, absolute = (read_curve(tmp_path / loss)["total"].iloc[0] for loss in ("mse", "l1"))
        assert absolute**2 < squared  # Jensen: of the same errors


class Middle(nn.Module):
    """A network that returns what it is given, without the context."""

    joints, validity = 17, False

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, dtype=F64))

    def forward(self, joints, valid=None):
        return joints[..., 40:-40]


class TestInference:
    @pytest.mark.parametrize("frames", [1, 23, 24, 25, 60])
    def test_blocks_join_without_a_seam(self, frames, monkeypatch):
        monkeypatch.setattr(motion_inference, "BLOCKS", 2)
        joints = sequence(0, max(frames, 13), missing=False).noisy[:frames]
        torch.testing.assert_close(extract_motion(Middle().eval(), joints, 1000), joints, rtol=0, atol=1e-9)

    def test_each_block_sees_the_window_of_training(self):
        net = MotionExtractionNetwork.preset(0.125, init_gain=1.0, seed=0).double().eval()
        joints = sequence(0, 60, missing=False).noisy
        inputs = to_channels(window(joints, 24), 1000)[None]
        alone = net(inputs)[0].detach()
        whole = to_channels(extract_motion(net, joints, 1000)[24:48], 1000)
        torch.testing.assert_close(whole, alone, rtol=0, atol=1e-9)

    def test_missing_joints(self):
        joints = sequence().noisy
        assert joints[11, 5].tolist() == [-1, -1]
        assert without_gaps(joints, "zero", 1000)[11, 5].tolist() == [500, 500]
        assert not to_channels(without_gaps(joints, "zero", 1000)[10:13], 1000)[[5, 22]].any()
        assert torch.equal(without_gaps(joints, "hold", 1000)[11, 5], joints[9, 5])
        with pytest.raises(ValueError, match="unknown handling of missing joints 'drop': choose one of zero, hold"):
            without_gaps(joints, "drop", 1000)

    def test_validity_reaches_the_network(self):
        net = MotionExtractionNetwork.preset(0.125, validity=True, init_gain=1.0, seed=0).eval()
        one = sequence()
        gap = extract_motion(net, one.noisy, 1000, missing="hold")
        told = extract_motion(net, without_gaps(one.noisy, "hold", 1000), 1000, missing="hold")
        assert gap.shape == (60, 17, 2)
        assert not torch.equal(gap, told)

    def test_doors(self):
        net = MotionExtractionNetwork.preset(0.125, seed=0)
        with pytest.raises(ValueError, match="expected a network in eval mode"):
            extract_motion(net, sequence().noisy, 1000)
        with pytest.raises(ValueError, match=r"expected joints \(T, 17, 2\), got \(60, 12, 2\)"):
            extract_motion(net.eval(), sequence().noisy[:, :12], 1000)
