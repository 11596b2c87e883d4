"""The mask drawn from joints: counted by hand, and against a slow drawing that tests every pixel."""

import numpy as np
import pytest
import torch

from repro.metrics.masks import LIMBS, masked, pose_mask

NOBODY = torch.full((18, 2), -1.0, dtype=torch.float64)


def joints_at(**places):
    joints = NOBODY.clone()
    for name, place in places.items():
        joints[int(name[1:])] = torch.tensor(place, dtype=torch.float64)
    return joints[None]


def slow_mask(joints, size, radius=4.0):
    """Return the mask with a loop over pixels, then dilation and erosion with a loop over windows."""
    drawn = np.zeros(size, dtype=bool)
    places = np.array(joints.tolist())
    there = [place for place in places if -1 not in place]
    limbs = [(places[a], places[b]) for a, b in LIMBS if -1 not in places[[a, b]] and (places[a] != places[b]).any()]
    for row in range(size[0]):
        for column in range(size[1]):
            drawn[row, column] = any(np.hypot(row - r, column - c) < radius for r, c in there)
            for p, q in limbs:
                along = (q - p) / np.linalg.norm(q - p)
                offset = np.array([row, column]) - p
                inside = -1e-9 < offset @ along < np.linalg.norm(q - p) + 1e-9
                drawn[row, column] |= inside and abs(offset @ [-along[1], along[0]]) < radius + 1e-9
    wide, closed = np.zeros_like(drawn), np.zeros_like(drawn)
    windows = {(r, c): (slice(max(r - 2, 0), r + 3), slice(max(c - 2, 0), c + 3)) for r, c in np.ndindex(*size)}
    for place, window in windows.items():
        wide[place] = drawn[window].any()
    for place, window in windows.items():
        closed[place] = wide[window].all()  # cut at the border: outside does not erode
    return closed


class TestByHand:
    def test_one_joint_is_a_disc_of_45_pixels(self):
        """Pixels with x² + y² < 16: 7 + 2 * (7 + 7 + 5) = 45; the square finds no gap in a disc."""
        mask = pose_mask(joints_at(j0=(20, 15)), (40, 30))
        assert mask.dtype == torch.bool
        assert mask.sum().item() == 45
        assert mask[0, 20, 12:19].all()
        assert not mask[0, 20, 19]

    def test_a_limb_is_9_wide(self):
        """Half width 4 on both sides of a column: 9 pixels across, where the discs do not reach."""
        mask = pose_mask(joints_at(j2=(10, 15), j3=(30, 15)), (40, 30))
        assert mask[0, 20].nonzero().flatten().tolist() == list(range(11, 20))

    def test_missing_end_no_limb(self):
        assert pose_mask(joints_at(j2=(10, 15)), (40, 30)).sum() == 45
        assert pose_mask(NOBODY[None], (40, 30)).sum() == 0

    def test_joints_without_a_common_limb_stay_apart(self):
        mask = pose_mask(joints_at(j4=(10, 8), j10=(30, 20)), (40, 30))
        assert mask.sum() == 90

    def test_both_ends_in_one_place(self):
        assert pose_mask(joints_at(j2=(20, 15), j3=(20, 15)), (40, 30)).sum() == 45

    def test_closing_at_the_border_counts_outside_as_person(self):
        """A joint 5 pixels from the border: the column between disc and border is filled by the closing."""
        mask = pose_mask(joints_at(j0=(20, 4)), (40, 30))
        assert mask[0, 20, 0]
        assert pose_mask(joints_at(j0=(20, 6)), (40, 30))[0, 20, :3].sum() == 0

    def test_closing_joins_what_is_close(self):
        apart, near = (pose_mask(joints_at(j4=(20, 8), j7=(20, 8 + gap)), (40, 40))[0, 20] for gap in (13, 11))
        assert apart.nonzero().flatten().diff().max() > 1
        assert near.nonzero().flatten().diff().max() == 1


@pytest.mark.parametrize("seed", range(3))
def test_equals_the_slow_drawing(seed):
    generator = torch.Generator().manual_seed(seed)
    joints = torch.rand(18, 2, generator=generator, dtype=torch.float64) * torch.tensor([46.0, 33.0]) - 3
    joints[torch.rand(18, generator=generator) < 0.4] = -1
    assert np.array_equal(pose_mask(joints[None], (40, 27))[0].numpy(), slow_mask(joints, (40, 27)))


class TestMasked:
    def test_grey_is_zero_in_the_networks_range(self):
        images = torch.rand(2, 3, 5, 6, generator=torch.Generator().manual_seed(0))
        mask = torch.rand(2, 5, 6, generator=torch.Generator().manual_seed(1)) > 0.5
        multiplied = (images * 2 - 1) * mask[:, None]
        torch.testing.assert_close(masked(images, mask, 0.5) * 2 - 1, multiplied)
        torch.testing.assert_close(masked(images, mask, 0.0), images * mask[:, None])

    def test_mask_of_another_size(self):
        with pytest.raises(ValueError, match="expected mask"):
            masked(torch.zeros(1, 3, 4, 4), torch.zeros(1, 4, 5, dtype=torch.bool), 0.0)


def test_doors():
    with pytest.raises(ValueError, match=r"expected joints \(B, 18, 2\)"):
        pose_mask(torch.zeros(18, 2), (10, 10))
    with pytest.raises(ValueError, match="positive radius, got 0"):
        pose_mask(NOBODY[None], (10, 10), 0)
