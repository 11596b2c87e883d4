"""Joints and heat maps: gfla.md 6.1 by hand."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.data.joints import JOINTS, LIMBS, MIRROR, heatmaps, is_missing, mirror_joints, scale_joints


def test_names_limbs_and_mirror_agree():
    assert len(JOINTS) == 18
    assert {joint for limb in LIMBS for joint in limb} == set(range(18))
    for joint, other in enumerate(MIRROR):
        assert MIRROR[other] == joint
        swapped = JOINTS[joint].replace("right", "?").replace("left", "right").replace("?", "left")
        assert JOINTS[other] == swapped


def test_convention_of_the_map_by_hand():
    maps = heatmaps(torch.tensor([[2.0, 3.0]]), (5, 7), sigma=6.0)
    assert maps.shape == (1, 5, 7)
    assert maps.dtype == torch.float32
    assert maps[0, 2, 3] == 1
    # one row down: exp(-1 / 72); one row up and two columns right: exp(-5 / 72)
    assert maps[0, 3, 3].item() == pytest.approx(math.exp(-1 / 72), abs=6e-8)
    assert maps[0, 1, 5].item() == pytest.approx(math.exp(-5 / 72), abs=6e-8)


def test_a_joint_is_truncated_to_whole_pixels():
    whole = heatmaps(torch.tensor([[10.0, 20.0]]), (32, 32))
    assert torch.equal(heatmaps(torch.tensor([[10.99, 20.5]]), (32, 32)), whole)
    # int() truncates towards zero: -0.5 becomes 0, not -1
    assert torch.equal(
        heatmaps(torch.tensor([[-0.5, 20.0]]), (32, 32)), heatmaps(torch.tensor([[0.0, 20.0]]), (32, 32))
    )


def test_joints_of_a_256x176_file_in_a_256x256_map():
    # column 100 of 176 -> int(100 / 176 * 256) = int(145.45) = 145; the row stays
    maps = heatmaps(torch.tensor([[60.0, 100.0]]), (256, 256), source_size=(256, 176))
    assert maps[0].argmax() == 60 * 256 + 145
    scaled = scale_joints(torch.tensor([[60.0, 100.0]]), (256, 176), (256, 256))
    assert torch.equal(heatmaps(scaled, (256, 256)), maps)


@pytest.mark.parametrize("joint", [(-1.0, -1.0), (-1.0, 5.0), (5.0, -1.0)])
def test_minus_one_in_either_coordinate_gives_a_zero_map(joint):
    assert heatmaps(torch.tensor([joint]), (16, 16)).abs().max() == 0
    assert heatmaps(torch.tensor([joint]), (16, 16), source_size=(128, 64)).abs().max() == 0


def test_a_joint_outside_draws_its_tail():
    maps = heatmaps(torch.tensor([[-6.0, 4.0]]), (8, 8))
    assert maps[0, 0, 4].item() == pytest.approx(math.exp(-0.5), abs=6e-8)


def test_batches_equal_single_maps_and_the_full_formula():
    generator = torch.Generator().manual_seed(0)
    joints = torch.rand(3, 4, 18, 2, generator=generator) * 40 - 4
    joints[0, 1, 7] = -1
    maps = heatmaps(joints, (24, 32), sigma=2.5)
    assert torch.equal(maps[2, 3], heatmaps(joints[2, 3], (24, 32), sigma=2.5))
    rows, columns = torch.meshgrid(torch.arange(24.0).double(), torch.arange(32.0).double(), indexing="ij")
    place = joints[2, 3, 5].double().trunc()
    full = torch.exp(-((rows - place[0]) ** 2 + (columns - place[1]) ** 2) / (2 * 2.5**2))
    torch.testing.assert_close(maps[2, 3, 5].double(), full, rtol=1e-7, atol=1e-40)


def test_scaling_keeps_missing_joints():
    scaled = scale_joints(torch.tensor([[-1.0, -1.0], [-1.0, 30.0], [10.0, 20.0]]), (256, 176), (256, 256))
    assert scaled[:2].eq(-1).all()
    assert scaled[2].tolist() == [10.0, 20.0 / 176 * 256]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 40)), min_size=18, max_size=18), st.sets(st.integers(0, 17))
)
def test_mirrored_joints_draw_mirrored_maps(places, missing):
    joints = torch.tensor(places, dtype=torch.float64)
    joints[list(missing)] = -1
    mirrored = mirror_joints(joints, 41)
    assert torch.equal(mirror_joints(mirrored, 41), joints)
    assert torch.equal(heatmaps(mirrored, (31, 41)), heatmaps(joints, (31, 41))[list(MIRROR)].flip(-1))
    assert is_missing(mirrored).sum() == len(missing)


@pytest.mark.parametrize(
    ("joints", "size", "sigma", "words"),
    [
        (torch.zeros(18, 3), (8, 8), 6.0, "expected joints"),
        (torch.full((18, 2), float("nan")), (8, 8), 6.0, "-1, -1"),
        (torch.zeros(18, 2), (0, 8), 6.0, "positive size"),
        (torch.zeros(18, 2), (8, 8), 0.0, "sigma"),
    ],
)
def test_wrong_input_is_refused(joints, size, sigma, words):
    with pytest.raises(ValueError, match=words):
        heatmaps(joints, size, sigma=sigma)
