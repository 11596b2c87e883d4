"""The angle between a loss's descent and the way back, on pictures whose answer is known."""

import math

import pytest
import torch

from repro.metrics.flow_gradient import way_back_cosine
from repro.ops import bilinear_warp

STILL = torch.zeros(1, 2, 5, 64, dtype=torch.float64)
INSIDE = (slice(None), slice(None), slice(20, 44))  # no sample of these tests leaves the picture


def right(pixels):
    return torch.tensor([pixels, 0.0], dtype=torch.float64).view(1, 2, 1, 1)


def squares(picture):
    """Return the squared error of a picture read bilinearly along a flow, against itself."""
    return lambda flow: (bilinear_warp(picture, flow) - picture).square().sum()


@pytest.mark.parametrize("pixels", [-7.3, -0.4, 0.4, 3.0, 7.3])
def test_on_a_ramp_the_bilinear_gradient_leads_back_from_everywhere(pixels):
    ramp = torch.arange(64.0, dtype=torch.float64).expand(1, 1, 5, 64)
    cosine = way_back_cosine(squares(ramp), STILL, right(pixels))
    torch.testing.assert_close(cosine[INSIDE], torch.ones_like(cosine[INSIDE]))


def test_across_the_ramp_nothing_leads_back():
    ramp = torch.arange(64.0, dtype=torch.float64).expand(1, 1, 5, 64)
    diagonal = torch.tensor([3.0, 1.0], dtype=torch.float64).view(1, 2, 1, 1)
    cosine = way_back_cosine(squares(ramp), STILL, diagonal)
    torch.testing.assert_close(cosine[INSIDE], torch.full_like(cosine[INSIDE], 3 / math.sqrt(10)))


def test_on_a_periodic_picture_it_leads_away_beyond_half_a_period():
    """Sine and cosine together: the distance of two phases grows up to half a period, 8 pixels, and falls after it."""
    phase = 2 * math.pi / 16 * torch.arange(64.0, dtype=torch.float64)
    wave = torch.stack([phase.sin(), phase.cos()]).view(1, 2, 1, 64).expand(1, 2, 5, 64)
    for pixels, expected in ((0.5, 1), (3.5, 1), (6.5, 1), (9.5, -1), (14.5, -1), (17.5, 1)):
        cosine = way_back_cosine(squares(wave), STILL, right(pixels))
        assert cosine[INSIDE].mean().item() == pytest.approx(expected), pixels


def test_without_a_gradient_there_is_no_direction_and_a_tiny_one_has_one():
    flat = torch.ones(1, 1, 5, 64, dtype=torch.float64)
    assert way_back_cosine(squares(flat), STILL, right(2.0)).abs().max() == 0
    assert way_back_cosine(lambda flow: 1e-30 * flow.square().sum(), STILL, right(2.0)).min() == pytest.approx(1)


def test_it_works_where_gradients_are_off():
    with torch.no_grad():
        assert way_back_cosine(lambda flow: flow.square().sum(), STILL, right(2.0)).min() == pytest.approx(1)


def test_an_offset_of_zero_is_refused():
    with pytest.raises(ValueError, match="no way back"):
        way_back_cosine(lambda flow: flow.sum(), STILL, right(0.0))
    with pytest.raises(ValueError, match="true flow"):
        way_back_cosine(lambda flow: flow.sum(), STILL[0], right(1.0))
