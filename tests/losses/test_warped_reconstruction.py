"""Reconstruction through the warp, and the correctness loss without its normaliser, on numbers checked by hand."""

import math

import pytest
import torch

from repro.losses import sampling_correctness, warped_l1

RAMP = torch.arange(5.0, dtype=torch.float64).expand(1, 1, 3, 5)


def test_the_difference_along_a_shift_of_a_ramp():
    flow = torch.zeros(1, 2, 3, 5, dtype=torch.float64)
    flow[:, 0] = 1
    assert warped_l1(RAMP, RAMP + 1, flow).item() == pytest.approx(
        0.2
    )  # right at columns 0-3; the edge repeats 4, 5 is asked
    mask = torch.tensor([1.0, 1, 1, 1, 0]).view(1, 1, 1, 5).expand(1, 1, 3, 5)
    assert warped_l1(RAMP, RAMP + 1, flow, mask).item() == pytest.approx(0)


def test_the_mask_weights_positions_and_channels_are_averaged():
    two = torch.cat([RAMP, 3 * RAMP], dim=1)
    mask = torch.tensor([0.0, 1, 0, 0, 3]).view(1, 1, 1, 5).expand(1, 1, 3, 5)
    still = torch.zeros(1, 2, 3, 5, dtype=torch.float64)
    assert warped_l1(two, torch.zeros_like(two), still, mask).item() == pytest.approx((1 * 2 + 3 * 8) / 4)
    assert warped_l1(two, two, still, torch.zeros_like(mask)).item() == 0


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="target"):
        warped_l1(RAMP, RAMP[..., :4], torch.zeros(1, 2, 3, 5))
    with pytest.raises(ValueError, match="flow"):
        warped_l1(RAMP, RAMP, torch.zeros(1, 2, 3, 4))


def test_without_the_normaliser_a_hidden_place_is_asked_for_a_perfect_match():
    """The target looks one way, the source at 60 degrees to it everywhere: the best similarity is 1/2."""
    target = torch.tensor([1.0, 0]).view(1, 2, 1, 1).expand(1, 2, 4, 4).double()
    source = torch.tensor([0.5, math.sqrt(0.75)]).view(1, 2, 1, 1).expand(1, 2, 4, 4).double()
    flow = torch.zeros(1, 2, 4, 4, dtype=torch.float64)
    assert sampling_correctness(source, target, flow).item() == pytest.approx(0, abs=1e-6)
    plain = sampling_correctness(source, target, flow, normalise=False)
    assert plain.item() == pytest.approx(math.exp(-0.5) - math.exp(-1), rel=1e-6)


def test_the_normaliser_does_nothing_where_the_best_match_is_perfect():
    draw = torch.Generator().manual_seed(0)
    source = torch.randn(1, 6, 4, 4, generator=draw, dtype=torch.float64)
    flow = 2 * torch.randn(1, 2, 4, 4, generator=draw, dtype=torch.float64)
    same = sampling_correctness(source, source, flow, normalise=True)
    assert sampling_correctness(source, source, flow, normalise=False).item() == pytest.approx(same.item(), rel=1e-6)
