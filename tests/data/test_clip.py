"""A clip: slices and batches agree with the whole, nothing is read before it is asked for."""

import numpy as np
import pytest
import torch

from repro.data.clip import Clip, MotionSequence, stack_clips


class Counted:
    """Footage that counts how many pictures were read."""

    def __init__(self, pixels, log):
        self.pixels, self.log = pixels, log
        self.shape = pixels.shape

    def __getitem__(self, frames):
        return Counted(self.pixels[frames], self.log)

    def __array__(self, dtype=None, copy=None):
        self.log.append(len(self.pixels))
        return self.pixels


class Shift:
    """A ground truth that can be told apart: the frame's number everywhere."""

    def to_source(self, frames, height, width):
        flow = torch.tensor([float(frame) for frame in frames]).view(-1, 1, 1, 1).expand(-1, 2, height, width)
        seen = torch.ones(len(frames), height, width, dtype=torch.bool)
        return flow, seen, ~seen

    def to_previous(self, frames, height, width):
        flow, seen, person = self.to_source(frames, height, width)
        return -flow, seen & (torch.tensor(list(frames)) > 0).view(-1, 1, 1), person


def clip(frames=7, size=(6, 5), seed=0, **other):
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (frames, 3, *size), dtype=np.uint8)
    log = []
    given = {
        "footage": Counted(pixels, log),
        "joints_clean": torch.from_numpy(rng.uniform(0, 5, (frames, 17, 2))),
        "joints_noisy": torch.from_numpy(rng.uniform(0, 5, (frames, 17, 2))),
        "source": torch.from_numpy(pixels[0]) / 255,
        "source_joints": torch.zeros(17, 2, dtype=torch.float64),
        "identity": 3,
        "fps": 25.0,
        "foreground": pixels[:, 0] > 99,
        "truth": Shift(),
    }
    made = Clip(**(given | other))
    return made, pixels, log


def test_a_slice_is_the_same_frames_and_reads_only_them():
    whole, pixels, log = clip()
    part = whole.slice(1, 6).slice(1, 3)
    assert (len(part), part.first, log) == (2, 2, [])
    assert torch.equal(part.frames, torch.from_numpy(pixels[2:4]) / 255)
    assert log == [2]
    assert torch.equal(part.joints_clean, whole.joints_clean[2:4])
    assert torch.equal(part.joints_noisy, whole.joints_noisy[2:4])
    assert torch.equal(part.masks, torch.from_numpy(pixels[2:4, 0] > 99))
    assert torch.equal(part.source, whole.source)


def test_flow_of_a_slice_counts_frames_of_the_recording():
    part = clip()[0].slice(2, 4)
    assert part.flow_to_source.shape == (2, 2, 6, 5)
    assert part.flow_to_source[:, 0, 0, 0].tolist() == [2, 3]
    flow, seen = part.to_previous_at(3, 2)
    assert flow[:, 1, 2, 1].tolist() == [-2, -3]
    assert seen.shape == (2, 3, 2)
    assert clip()[0].visible_in_previous[:2, 0, 0].tolist() == [False, True]


def test_a_batch_has_an_axis_more_and_can_be_sliced():
    one, two = clip(seed=1)[0], clip(seed=2)[0]
    batch = stack_clips([one, two])
    assert batch.frames.shape == (2, 7, 3, 6, 5)
    assert (batch.identity.tolist(), len(batch), batch.size) == ([3, 3], 7, (6, 5))
    part = batch.slice(3, 5)
    assert torch.equal(part.frames[1], two.frames[3:5])
    assert torch.equal(part.masks[0], one.masks[3:5])
    assert torch.equal(part.joints_noisy[1], two.joints_noisy[3:5])
    assert torch.equal(part.flow_to_source[1], two.slice(3, 5).flow_to_source)
    assert torch.equal(batch.source[1], two.source)


def test_on_a_device_the_clip_is_the_same():
    whole = clip()[0]
    moved = whole.to("cpu").slice(0, 2)
    assert torch.equal(moved.frames, whole.frames[:2])
    assert torch.equal(moved.masks, whole.masks[:2])
    assert torch.equal(moved.flow_to_previous, whole.flow_to_previous[:2])


def test_exception():
    whole = clip()[0]
    for start, stop in ((-1, 2), (3, 3), (0, 8)):
        with pytest.raises(ValueError, match=r"expected 0 <= start < stop <= 7, got start"):
            whole.slice(start, stop)
    with pytest.raises(ValueError, match="7 frames, 6 joints_clean, 7 joints_noisy"):
        clip(joints_clean=torch.zeros(6, 17, 2))
    with pytest.raises(ValueError, match="differ in frames, first"):
        stack_clips([whole, whole.slice(1, 3)])
    with pytest.raises(ValueError, match="no masks"):
        stack_clips([whole, clip(foreground=None)[0]])
    with pytest.raises(ValueError, match="at least one clip"):
        stack_clips([])
    with pytest.raises(ValueError, match="no ground truth"):
        _ = clip(truth=None)[0].flow_to_source


def test_motion_sequences_check_their_shapes():
    clean = torch.zeros(5, 17, 2)
    assert len(MotionSequence(clean, clean, torch.ones(5, 17, dtype=torch.bool), 50.0, "S1", "walk")) == 5
    with pytest.raises(ValueError, match=r"\(5, 17, 2\), \(5, 18, 2\)"):
        MotionSequence(clean, torch.zeros(5, 18, 2), torch.ones(5, 17, dtype=torch.bool), 50.0, "S1", "walk")
