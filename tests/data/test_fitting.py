"""A motion in the place of the source person: hand-computed scale, column and ground."""

import pytest
import torch
from test_skeletons import joints

from repro.data.fitting import fit
from repro.data.studio.skeleton import HUMAN36M_17

STANDING = torch.from_numpy(joints("human36m17"))  # head 12, trunk 40, thigh 30, shin 30; ankles at row 130, column 50


def without(given, *ends):
    missing = torch.tensor([name.endswith(ends) for name in HUMAN36M_17])
    return given.masked_fill(missing[:, None], -1.0)


def test_a_person_half_as_large_elsewhere():
    """Scale 1/2; the ankles at row 130 come to row 200, the hip at column 50 to column 33."""
    source = STANDING / 2 + torch.tensor([135.0, 8.0])
    way = fit(STANDING.expand(5, 17, 2), source)
    assert way.scale == pytest.approx(0.5, rel=1e-12)
    assert way.shift == pytest.approx((135, 8), rel=1e-12)
    torch.testing.assert_close(way(STANDING), source)


def test_a_jump_and_a_step_leave_ground_and_column():
    """One frame of ten is a jump of 20 rows, the person goes to the side by 3 columns a frame."""
    motion = STANDING.repeat(10, 1, 1) + torch.arange(10.0, dtype=torch.float64)[:, None, None] * torch.tensor([0, 3])
    motion[4, :, 0] -= 20
    placed = fit(motion, 2 * STANDING)(motion)
    torch.testing.assert_close(placed[0], 2 * STANDING)  # ankles at row 260, hip at column 100
    torch.testing.assert_close(placed[9], 2 * STANDING + torch.tensor([0.0, 54.0], dtype=torch.float64))
    torch.testing.assert_close(placed[4], 2 * STANDING + torch.tensor([-40.0, 24.0], dtype=torch.float64))


def test_foreshortened_frames_do_not_make_the_person_large():
    """In three frames of ten the legs point to the camera: quantile 0.8 of (40 x 3, 60 x 7)."""
    motion = STANDING.repeat(10, 1, 1)
    legs = torch.tensor([name.endswith(("knee", "ankle")) for name in HUMAN36M_17])
    motion[2:5, legs, 0] = 70
    assert fit(motion, STANDING).scale == pytest.approx(1.0, rel=1e-12)


def test_half_a_person_is_compared_by_what_both_have():
    """Without knees and ankles: head and trunk decide, the hip of the first frame the place."""
    source = without(3 * STANDING, "knee", "ankle")
    motion = STANDING.repeat(4, 1, 1) + torch.arange(4.0, dtype=torch.float64)[:, None, None] * torch.tensor([5.0, 0.0])
    way = fit(motion, source)
    assert way.scale == pytest.approx(3.0, rel=1e-12)
    assert way.shift == pytest.approx((0, 0), abs=1e-9)
    # Nor hips: the head alone, 12 against 36, and the thorax's place.
    bust = without(source, "hip", "spine")
    assert fit(motion, bust).shift == pytest.approx((0, 0), abs=1e-9)
    assert fit(motion, bust).scale == pytest.approx(3.0, rel=1e-12)


def test_missing_joints_stay_missing():
    motion = without(STANDING, "wrist").expand(3, 17, 2)
    placed = fit(motion, 2 * STANDING)(motion)
    assert torch.equal((placed == -1).all(-1), (motion == -1).all(-1))


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        (("hip", "thorax", "knee", "ankle", "nose"), "none in common"),
        (("thorax", "nose", "spine", "hip"), None),
    ],
)
def test_nothing_to_compare(gone, message):
    source = without(STANDING, *gone)
    with pytest.raises(ValueError, match=message or "there is no place to put it"):
        fit(STANDING.expand(2, 17, 2), source)
    with pytest.raises(ValueError, match="expected motion"):
        fit(STANDING, source)
