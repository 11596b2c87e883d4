"""Filters on constants, steps and lines, the One-Euro filter by its definition, the map between skeletons."""

import numpy as np
import pytest
import torch

from repro.data.clip import MotionSequence
from repro.metrics.motion import COCO_SHARED, HUMAN36M_SHARED
from repro.metrics.motion_filters import (
    FILTERS,
    SkeletonMap,
    filter_sequence,
    gaussian,
    median_gaussian,
    one_euro,
    savitzky_golay,
    shared_joints,
)

FPS = 50.0


def track(values) -> np.ndarray:
    """One joint whose row is ``values`` and whose column is twice that, (T, 1, 2)."""
    values = np.asarray(values, dtype=float)
    return np.stack([values, 2 * values], -1)[:, None]


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


class TestFilters:
    @pytest.mark.parametrize("name", FILTERS)
    def test_a_joint_at_rest_stays(self, name):
        still = track(np.full(40, 7.25))
        np.testing.assert_allclose(FILTERS[name](still, FPS), still, rtol=1e-12)

    @pytest.mark.parametrize("name", FILTERS)
    def test_joints_and_coordinates_do_not_meet(self, name):
        noise = rng().standard_normal((40, 3, 2))
        alone = FILTERS[name](noise[:, 1:2], FPS)
        np.testing.assert_allclose(FILTERS[name](noise, FPS)[:, 1:2], alone, rtol=1e-12)

    @pytest.mark.parametrize("name", [name for name in FILTERS if name != "identity"])
    def test_trembling_is_less_and_the_input_untouched(self, name):
        noise = rng().standard_normal((200, 5, 2))
        before = noise.copy()
        smooth = FILTERS[name](noise, FPS)
        assert np.abs(np.diff(smooth, 2, axis=0)).mean() < 0.9 * np.abs(np.diff(noise, 2, axis=0)).mean()
        np.testing.assert_array_equal(noise, before)

    def test_gaussian_is_scipys_and_a_step_keeps_its_place(self):
        """Of a step between frames 19 and 20 the filter makes something odd about 19.5."""
        smooth = gaussian(track(np.arange(40) >= 20), FPS, sigma=2.0)[:, 0, 0]
        np.testing.assert_allclose(smooth + smooth[::-1], 1, atol=1e-12)
        assert 0.3 < smooth[19] < 0.5 < smooth[20] < 0.7

    def test_savitzky_golay_keeps_parabolas_to_the_border(self):
        parabola = track((np.arange(30) - 11) ** 2)
        np.testing.assert_allclose(savitzky_golay(parabola, FPS, 15, 2), parabola, atol=1e-9)
        with pytest.raises(ValueError, match="at least 15 frames"):
            savitzky_golay(parabola[:14], FPS, 15, 2)

    def test_the_median_drops_an_outlier_that_the_gaussian_spreads(self):
        values = np.zeros(30)
        values[12:14] = 100
        assert not median_gaussian(track(values), FPS, sigma=2.0).any()
        assert gaussian(track(values), FPS, sigma=2.0).max() > 30


class TestOneEuro:
    """alpha(f) = 1 / (1 + fps / (2 pi f)); at fps = 2 pi it is f / (1 + f): one half at 1 Hz."""

    fps = 2 * np.pi

    def test_two_steps_by_hand(self):
        """From 0 to 1: speed 2 pi / 2 = pi; cut-off 1 + pi beta; with beta = 1 / pi it is 2 Hz, alpha 2/3.

        From 2/3 to 1 again: the raw speed is 2 pi / 3, smoothed 2 pi / 3 : 2 + pi / 2 = 5 pi / 6; cut-off 11/6 Hz,
        alpha 11/17.
        """
        values = np.array([0.0, 1.0, 1.0])[:, None]
        smooth = one_euro(values, self.fps, min_cutoff=1.0, beta=1 / np.pi)[:, 0]
        np.testing.assert_allclose(smooth, [0, 2 / 3, 2 / 3 + 11 / 17 / 3], rtol=1e-12)

    def test_without_beta_it_is_an_exponential_mean(self):
        values = rng().standard_normal((20, 1))
        expected, state = [], values[0]
        for value in values:
            state = value / 4 + 3 * state / 4  # alpha = 1/4 at 1/3 Hz
            expected.append(state)
        np.testing.assert_allclose(one_euro(values, self.fps, 1 / 3, 0.0), expected, rtol=1e-12)

    def test_limits(self):
        values = rng().standard_normal((20, 3, 2))
        np.testing.assert_allclose(one_euro(values, FPS, 1e12), values, atol=1e-9)  # no mean at all
        np.testing.assert_allclose(
            one_euro(values, FPS, 1e-12, 0.0), np.broadcast_to(values[:1], values.shape), atol=1e-9
        )

    def test_a_larger_beta_lags_less(self):
        line = track(np.arange(60.0))
        lags = [float((line - one_euro(line, FPS, 1.0, beta))[-1].mean()) for beta in (0.0, 0.01, 0.1)]
        assert lags[0] > lags[1] > lags[2] > 0

    def test_it_looks_at_the_past_only(self):
        values = rng().standard_normal((30, 2))
        np.testing.assert_array_equal(one_euro(values, FPS)[:20], one_euro(values[:20], FPS))


def sequence(clean: torch.Tensor, noisy: torch.Tensor) -> MotionSequence:
    valid = ~(noisy == -1).any(-1)
    return MotionSequence(clean, noisy, valid, FPS, "S1", "walk 1")


def mixed(frames: int = 60) -> tuple[MotionSequence, torch.Tensor]:
    """A sequence whose shared joints are a fixed mixture of the detected ones, and the mixture (12, 17)."""
    noisy = torch.tensor(rng().uniform(100, 900, (frames, 17, 2)))
    weights = torch.tensor(rng().standard_normal((12, 17)))
    weights += (1 - weights.sum(1, keepdim=True)) / 17  # sums of one: places, not directions
    clean = torch.zeros(frames, 17, 2, dtype=torch.float64)
    clean[:, list(HUMAN36M_SHARED)] = torch.einsum("jk,tkc->tjc", weights, noisy)
    return sequence(clean, noisy), weights


class TestSkeletonMap:
    def test_a_mixture_is_found(self):
        one, _ = mixed()
        fitted = SkeletonMap.fit([one, one])
        torch.testing.assert_close(fitted(one.noisy), one.clean[:, list(HUMAN36M_SHARED)], rtol=0, atol=1e-6)

    def test_where_both_skeletons_agree_it_changes_nothing(self):
        one, _ = mixed()
        one.clean[:, list(HUMAN36M_SHARED)] = one.noisy[:, list(COCO_SHARED)]
        torch.testing.assert_close(SkeletonMap.fit([one])(one.noisy), shared_joints(one.noisy), rtol=0, atol=1e-6)

    def test_a_person_who_is_moved_and_made_larger_stays_the_same(self):
        one, _ = mixed()
        fitted, shift = SkeletonMap.fit([one]), torch.tensor([30.0, -200])
        torch.testing.assert_close(fitted(3 * one.noisy + shift), 3 * fitted(one.noisy) + shift, rtol=0, atol=1e-6)

    def test_door(self):
        one, _ = mixed()
        with pytest.raises(ValueError, match=r"expected joints \(T, 17, 2\), got \(60, 12, 2\)"):
            SkeletonMap.fit([one])(shared_joints(one.noisy))


def test_a_gap_is_held_before_the_filter():
    one, _ = mixed()
    one.noisy[5, COCO_SHARED[0]] = -1
    held = filter_sequence("identity", one, shared_joints)
    assert held.shape == (60, 12, 2)
    assert torch.equal(held[5, 0], one.noisy[4, COCO_SHARED[0]])
