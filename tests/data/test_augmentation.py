"""Market's augmentation: image and joints move together, by the documented amounts."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.data.augmentation import Affine, augment_market, random_market_affine
from repro.data.pair import Pair

SIZE = (128, 64)


def spot(row, column):
    image = torch.zeros(3, *SIZE)
    image[:, row - 2 : row + 3, column - 2 : column + 3] = 1
    return image


def test_a_quarter_turn_by_hand():
    # centre (32.5, 64.5): the joint 10 right of it moves 10 below it
    moved = Affine(angle=90).joints(torch.tensor([[64.5, 42.5]]), SIZE)
    torch.testing.assert_close(moved, torch.tensor([[74.5, 32.5]], dtype=torch.float64))
    moved = Affine(shift=(3, -2), scale=2).joints(torch.tensor([[66.5, 33.5]]), SIZE)
    torch.testing.assert_close(moved, torch.tensor([[66.5, 37.5]], dtype=torch.float64))


def test_whole_shifts_move_pixels_and_fill_with_grey():
    image = torch.rand(3, *SIZE, generator=torch.Generator().manual_seed(0)).mul(255).round() / 255
    moved = Affine(shift=(4, 3)).image(image)
    assert torch.equal(moved[:, 3:, 4:], image[:, :-3, :-4])
    assert moved[:, :3].eq(128 / 255).all()
    assert moved[:, :, :4].eq(128 / 255).all()
    assert torch.equal(Affine().image(image), image)


@settings(max_examples=40, deadline=None)
@given(
    st.floats(-5, 5),
    st.floats(-5, 5),
    st.floats(-5, 5),
    st.floats(0.95, 1.05),
    st.integers(15, 112),
    st.integers(15, 48),
)
def test_the_image_of_a_spot_is_where_its_joint_says(angle, x, y, scale, row, column):
    affine = Affine(angle, (x, y), scale)
    moved = affine.image(spot(row, column))
    moved[moved == 128 / 255] = 0
    rows, columns = torch.meshgrid(torch.arange(128.0), torch.arange(64.0), indexing="ij")
    found = torch.stack([(moved[0] * grid).sum() / moved[0].sum() for grid in (rows, columns)])
    stated = affine.joints(torch.tensor([row, column]), SIZE)
    assert (found - stated).abs().max() < 0.8


def test_draws_stay_in_the_documented_ranges():
    rng = np.random.default_rng(0)
    source = [random_market_affine(rng, is_target=False) for _ in range(500)]
    target = [random_market_affine(rng, is_target=True) for _ in range(500)]
    angles = np.array([[affine.angle for affine in drawn] for drawn in (source, target)])
    shifts = np.array([[affine.shift for affine in drawn] for drawn in (source, target)])
    scales = np.array([[affine.scale for affine in drawn] for drawn in (source, target)])
    assert (abs(angles).max(1) <= [5, 1]).all()
    assert (abs(angles).max(1) > [4.8, 0.96]).all()
    assert (abs(shifts).max((1, 2)) <= [5, 2.5]).all()
    assert (abs(shifts).max((1, 2)) > [4.8, 2.4]).all()
    assert scales[0].min() >= 0.95
    assert scales[0].max() <= 1.05
    assert (scales[1] == 1).all()


def test_missing_joints_stay_missing_and_the_pair_is_reproducible():
    joints = torch.full((18, 2), 40.0)
    joints[3] = -1
    pair = Pair(spot(40, 40), spot(40, 40), joints, joints, identity=7)
    first, second = (augment_market(pair, np.random.default_rng(5)) for _ in range(2))
    assert first.source_joints[3].tolist() == [-1, -1]
    assert torch.equal(first.source, second.source)
    assert torch.equal(first.target_joints, second.target_joints)
    assert not torch.equal(first.source, first.target)
    assert first.source_pose[3].abs().max() == 0
    assert first.identity == 7


def test_studio_pairs_are_refused():
    pair = Pair(spot(40, 40), spot(40, 40), torch.zeros(18, 2), torch.zeros(18, 2), 0, truth=object())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="exact flow"):
        augment_market(pair, np.random.default_rng(0))
