"""What a linear probe can read and what it cannot, on features made by hand."""

import math

import numpy as np
import pytest
import torch
from tolerances import assert_close
from torch import Tensor

from repro.metrics.linear_probe import STRENGTHS, fit_probe, score_probe
from repro.models.adaptive_normalisation import layer_norm

F64 = torch.float64
TRAIN, HELD_OUT = slice(0, 300), slice(300, 500)
GROUPS = torch.arange(500) % 10
CHANNELS = 12


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def held_out_r2(features: Tensor, wanted: Tensor) -> float:
    probe = fit_probe(features[TRAIN], wanted[TRAIN], GROUPS[TRAIN])
    return score_probe(probe(features[HELD_OUT]), wanted[HELD_OUT], GROUPS[HELD_OUT], repeats=10).r2


class TestWhatCanBeRead:
    def test_a_linear_map_is_found_again(self):
        features, map_ = drawn(500, CHANNELS), drawn(CHANNELS, seed=1)
        wanted = features @ map_ + 3
        probe = fit_probe(features[TRAIN], wanted[TRAIN], GROUPS[TRAIN])
        torch.testing.assert_close(probe.weights, map_, rtol=0, atol=1e-6)
        assert probe.offset == pytest.approx(3, abs=1e-6)
        assert probe.strength == min(STRENGTHS)  # without noise nothing speaks for a stronger one
        assert held_out_r2(features, wanted) == pytest.approx(1, abs=1e-10)

    def test_with_noise_the_score_is_the_share_of_the_signal(self):
        features = drawn(500, 1)
        assert held_out_r2(features, features[:, 0] + 0.5 * drawn(500, seed=1)) == pytest.approx(0.8, abs=0.05)

    @pytest.mark.parametrize("unit", [1e-3, 1e4])
    def test_the_unit_of_the_features_does_not_matter(self, unit):
        features = drawn(500, CHANNELS)
        wanted = features.sum(1) + drawn(500, seed=1)
        one, other = (fit_probe(f[TRAIN], wanted[TRAIN], GROUPS[TRAIN]) for f in (features, unit * features))
        assert one.strength == other.strength
        assert_close(other(unit * features), one(features))

    def test_many_channels_and_few_examples_of_noise_are_not_trusted(self):
        """400 channels explain 300 training examples of nothing at all exactly; the strength has to prevent it."""
        features, wanted = drawn(500, 400), drawn(500, seed=1)
        assert held_out_r2(features, wanted) == pytest.approx(0, abs=0.05)

    def test_what_is_not_linear_cannot_be_read(self):
        """The size of a number stands in its features completely, but no weighted sum of them says it."""
        features = drawn(500, 1) * torch.ones(CHANNELS, dtype=F64)
        assert held_out_r2(features, features[:, 0]) == pytest.approx(1, abs=1e-6)
        assert held_out_r2(features, features[:, 0].abs()) == pytest.approx(0, abs=0.05)

    @pytest.mark.parametrize("value", [0.0, 1.0])
    def test_features_that_are_all_the_same_say_the_mean(self, value):
        probe = fit_probe(torch.full((4, 2), value), torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([0, 0, 1, 1]))
        assert probe(torch.zeros(1, 2)).item() == 2.5


class TestLayerNorm:
    """Windows (C, 1) of a posture that is the same for all or differs, at some position and of some size."""

    @pytest.mark.parametrize("postures", ["one", "many"])
    def test_one_shift_and_one_scale_of_all_channels_are_removed(self, postures):
        position, size = drawn(500, seed=1), 1 + drawn(500, seed=2).abs()
        posture = drawn(1 if postures == "one" else 500, CHANNELS, seed=3)
        # A size is read from a posture that everybody has, or where some channel is never negative.
        features = size[:, None] * (posture + 3 * (torch.arange(CHANNELS) == 0)) + position[:, None]
        normal = layer_norm(features[..., None])[..., 0]
        for wanted, least in ((position, 0.5), (size, 0.2)):
            assert held_out_r2(features, wanted) > (0.999 if postures == "one" else least)
            assert held_out_r2(normal, wanted) == pytest.approx(0, abs=0.05)

    def test_a_shift_of_some_channels_survives(self):
        """The norm subtracts one mean: what moves half of the channels, as one direction of a picture does, is left."""
        position = drawn(500, seed=1)
        features = drawn(500, CHANNELS, seed=3) + position[:, None] * (torch.arange(CHANNELS) < CHANNELS // 2)
        assert held_out_r2(layer_norm(features[..., None])[..., 0], position) > 0.5


class TestScore:
    def test_by_hand(self):
        """Errors 0, 1, 0, 0 beside deviations -1.5, -0.5, 0.5, 1.5: 1 - 1 / 5."""
        true = torch.tensor([1.0, 2.0, 3.0, 4.0])
        score = score_probe(torch.tensor([1.0, 3.0, 3.0, 4.0]), true, torch.tensor([0, 0, 1, 1]))
        assert score.r2 == pytest.approx(0.8)
        # Drawn twice, the first group has deviations of 0.5 and one error of 1 for every two: 1 - 1 / 0.5.
        assert np.unique(score.draws.round(9)).tolist() == [-1.0, pytest.approx(0.8), 1.0]

    def test_the_interval_is_as_wide_as_groups_are_few(self):
        true = drawn(400)
        predicted = true + 0.5 * drawn(400, seed=1)
        widths = []
        for count in (400, 8):
            groups = torch.arange(400) % count
            # In each group the same example again and again: so many groups, so many examples.
            score = score_probe(predicted[groups], true[groups], groups, repeats=2000)
            low, high = score.interval()
            assert low < score.r2 < high
            widths.append(high - low)
        assert widths[1] > 3 * widths[0]

    def test_a_difference_is_taken_on_the_same_resamplings(self):
        true, groups = drawn(200), torch.arange(200) % 20
        worse, better = (score_probe(true + share * drawn(200, seed=1), true, groups) for share in (0.6, 0.5))
        assert (better - worse).r2 == pytest.approx(better.r2 - worse.r2)
        low, high = (better - worse).interval()
        assert 0 < low < high < better.interval()[1] - worse.interval()[0]

    def test_the_same_seed_the_same_interval(self):
        true, groups = drawn(50), torch.arange(50)
        first, again, other = (score_probe(true.round(), true, groups, seed=seed).interval() for seed in (0, 0, 1))
        assert first == again != other
        assert not math.isnan(first[0])


class TestRefusals:
    def test_one_group(self):
        one = torch.zeros(4, dtype=torch.long)
        with pytest.raises(ValueError, match="at least two groups of training examples"):
            fit_probe(drawn(4, 2), drawn(4), one)
        with pytest.raises(ValueError, match="at least two groups of held-out examples"):
            score_probe(drawn(4), drawn(4), one)

    def test_nothing_to_explain(self):
        with pytest.raises(ValueError, match="true values that differ"):
            score_probe(drawn(4), torch.ones(4), torch.arange(4))

    def test_shapes(self):
        with pytest.raises(ValueError, match=r"expected wanted \(N\) with N=4, got \(3,\)"):
            fit_probe(drawn(4, 2), drawn(3), torch.arange(4))
