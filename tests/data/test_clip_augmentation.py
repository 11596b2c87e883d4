"""Clips are moved whole: frames, masks and skeletons together; the reference as the set says."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from repro.data import augment_clip, stack_clips
from repro.data.augmentation import CLIP_RECIPES
from repro.data.clip import Clip
from repro.data.structures import skeleton_structure

SIZE = (64, 32)


class Given:
    """A generator whose draws are given."""

    def __init__(self, *values):
        self.values = list(values)

    def uniform(self, low, high):
        value = self.values.pop(0)
        assert low <= value <= high
        return value


def clip(masks=True):
    frames = np.random.default_rng(0).integers(0, 256, (3, 3, *SIZE), dtype=np.uint8)
    joints = torch.full((3, 17, 2), 20.0, dtype=torch.float64)
    joints[:, 3] = -1
    noisy = joints + torch.where(joints < 0, 0.0, 0.75)
    person = np.zeros((3, *SIZE), bool)
    person[:, 10:30, 8:20] = True
    return Clip(
        footage=frames,
        foreground=person if masks else None,
        joints_clean=joints,
        joints_noisy=noisy,
        source=torch.from_numpy(frames[1]).float() / 255,
        source_joints=noisy[1],
        identity=4,
        fps=25.0,
        first=7,
        truth=object(),  # type: ignore[arg-type]
    )


def test_a_shift_by_hand_frames_and_reference_by_draws_of_their_own():
    """FashionVideo: angle, scale, x, y of the frames, then those of the source; 16 of 256 columns are 2 of 32."""
    still = clip()
    moved = augment_clip(still, Given(0.0, 1.0, 16.0, -2.0, 0.0, 1.0, -8.0, 0.0), "fashion_video")
    # -2 of 256 rows are half a row of 64; joints are truncated after the shift, pixels come from the nearest centre.
    assert moved.joints_clean[0, 0].tolist() == [19.0, 22.0]
    assert moved.joints_noisy[2, 5].tolist() == [20.0, 22.0]
    assert moved.source_joints[5].tolist() == [20.0, 19.0]
    moved = augment_clip(still, Given(0.0, 1.0, 16.0, 0.0, 0.0, 1.0, -8.0, 0.0), "fashion_video")
    assert torch.equal(moved.frames[..., 2:], still.frames[..., :-2])
    assert bool((moved.frames[..., :2] == 1).all())
    assert torch.equal(moved.source[..., :-1], still.source[..., 1:])
    assert bool((moved.source[..., -1] == 1).all())
    assert torch.equal(moved.masks[..., 2:], still.masks[..., :-2])
    assert not moved.masks[..., :2].any()
    assert (moved.identity, moved.first, moved.fps) == (4, 7, 25.0)


def test_iper_turns_frames_and_reference_alike_and_fills_with_black():
    still = clip()
    moved = augment_clip(still, Given(5.0, 1.0, 0.0, 0.0), "iper")
    assert torch.equal(moved.source, moved.frames[1])
    assert torch.equal(moved.source_joints, moved.joints_noisy[1])
    # Turned by 5 degrees about (16.5, 32.5): x' = 16.5 + 3.5 cos 5 + 12.5 sin 5, y' = 32.5 + 3.5 sin 5 - 12.5 cos 5.
    x, y = (16.5 + 0.99619 * 3.5 + 0.08716 * 12.5, 32.5 + 0.08716 * 3.5 - 0.99619 * 12.5)
    assert moved.joints_clean[0, 0].tolist() == [float(int(y)), float(int(x))] == [20.0, 21.0]
    assert bool((moved.frames[:, :, 0, 0] == 0).all())  # the corner came from outside


def test_missing_joints_stay_missing_and_none_becomes_missing_by_truncation():
    still = clip()
    joints = still.joints_clean.clone()
    joints[:, 0] = torch.tensor([10.0, 0.25])
    moved = augment_clip(
        replace(still, joints_clean=joints), Given(0.0, 1.0, -12.0, 0.0, 0.0, 1.0, 0.0, 0.0), "fashionvideo"
    )
    assert moved.joints_clean[:, 3].eq(-1).all()
    place = moved.joints_clean[0, 0]  # 0.25 - 1.5 = -1.25, truncated to column -1: outside, but there
    torch.testing.assert_close(place, torch.tensor([10.0, -1.0], dtype=torch.float64), atol=1e-5, rtol=0)
    assert float(moved.poses[0, 0].max()) > 0.9  # the tail of its heat map is in the picture
    assert float(moved.poses[0, 3].max()) == 0


def test_heat_maps_stand_at_whole_pixels():
    moved = augment_clip(clip(), Given(5.0, 1.0, 0.0, 0.0), "iper_real")
    truncated = skeleton_structure(moved.joints_noisy, SIZE, "coco17", moved.sigma, truncate=True)
    assert torch.equal(skeleton_structure(moved.joints_noisy, SIZE, "coco17", moved.sigma), truncated)


def test_draws_stay_in_the_documented_ranges():
    rng, size = np.random.default_rng(0), (256, 256)
    for name, angle, shift, scale in (
        ("fashion_video", 5, (20, 3), (0.98, 1.02)),
        ("iper", 5, (0, 0), (1, 1)),
    ):
        drawn = [CLIP_RECIPES[name].draw(rng, size) for _ in range(500)]
        angles, shifts, scales = (
            np.array([getattr(one, what) for one in drawn]) for what in ("angle", "shift", "scale")
        )
        assert 0.96 * angle < np.abs(angles).max() <= angle
        assert (np.abs(shifts).max(0) <= shift).all()
        assert (np.abs(shifts).max(0) >= 0.96 * np.array(shift)).all()
        assert scale[0] <= scales.min() <= scales.max() <= scale[1]


def test_reproducible_and_without_masks():
    first, second = (augment_clip(clip(masks=False), np.random.default_rng(5), "fashion_video") for _ in range(2))
    assert torch.equal(first.frames, second.frames)
    assert torch.equal(first.source, second.source)
    assert first.masks is None
    assert not torch.equal(first.frames, clip().frames)


def test_the_exact_flow_is_gone_and_asking_for_it_says_so():
    with pytest.raises(ValueError, match="no ground truth"):
        augment_clip(clip(), np.random.default_rng(0), "iper").flow_to_source  # noqa: B018


def test_exception():
    rng, one = np.random.default_rng(0), clip()
    with pytest.raises(ValueError, match=r"unknown set of clips to augment 'face'.*iper"):
        augment_clip(one, rng, "face")
    with pytest.raises(ValueError, match="a face: move clips before"):
        augment_clip(replace(one, landmarks=torch.zeros(3, 68, 2)), rng, "iper")
    with pytest.raises(ValueError, match=r"joints \(2, 3, 17, 2\)"):
        augment_clip(stack_clips([replace(one, truth=None)] * 2), rng, "iper")
