"""The page's wrong clips are wrong in time only, and its small training is repeatable."""

import numpy as np
import torch

from repro.data.clip import Clip
from repro.pages import temporal_discriminator as page


def rng(seed=0):
    return np.random.Generator(np.random.PCG64(seed))


def clips(count=2):
    draw = torch.Generator().manual_seed(0)
    nobody = torch.zeros(9, 0, 2)
    return [
        Clip(frames, nobody, nobody, frames[0], nobody[0], 0, 25.0)
        for frames in torch.rand(count, 9, 3, 64, 64, generator=draw)
    ]


def test_windows_are_six_frames_in_a_row():
    (own,) = clips(1)
    (window,) = page.windows([own], 1, rng())
    starts = [s for s in range(4) if torch.equal(window, own.frames[s : s + 6] * 2 - 1)]
    assert len(starts) == 1


def test_jitter_shifts_each_frame_by_whole_pixels_of_its_own():
    real = page.windows(clips(), 2, rng())
    moved = page.jittered(real, rng(1))
    assert moved.shape == real.shape
    shifts = set()
    for before, after in zip(real.flatten(0, 1), moved.flatten(0, 1)):
        middle = after[:, 8:-8, 8:-8]
        found = [
            (y, x)
            for y in range(-2, 3)
            for x in range(-2, 3)
            if torch.equal(middle, before[:, 8 + y : 56 + y, 8 + x : 56 + x])
        ]
        assert len(found) == 1
        shifts.add(found[0])
    assert len(shifts) > 5


def test_shuffling_keeps_the_frames_and_changes_their_order():
    real = page.windows(clips(), 2, rng())
    for before, after in zip(real, page.shuffled(real, rng())):
        order = [next(k for k in range(6) if torch.equal(frame, before[k])) for frame in after]
        assert sorted(order) == list(range(6)) != order


def test_a_frozen_clip_is_its_first_frame():
    real = page.windows(clips(), 1, rng())
    assert torch.equal(page.frozen(real, rng())[0, 5], real[0, 0])


def test_learning_is_repeatable_and_starts_with_nothing():
    first, again = (page.learn(clips(), clips(), steps=20, width=0.0625) for _ in range(2))
    assert first.equals(again)
    assert set(first["kind"]) == {"real", "jittered", "shuffled", "frozen"}
    image = page.against_real(first, "image")
    assert abs(image["shuffled"].iloc[0]) < 1e-5  # the same frames one by one
