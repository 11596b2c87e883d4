"""The gain of cleaning over the detector's noise: amplitudes, what the rows are given, differences known by hand."""

from dataclasses import asdict
from unittest.mock import Mock

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch

from repro import data, experiments
from repro.data.studio.clips import PeopleClips, pixels_per_metre, projected_joints
from repro.data.studio.detector import GRID, PAIRS
from repro.experiments.clips import TestClips, extractor
from repro.models import SequentialGFLA
from repro.pages import noise_gain
from repro.pages.noise_gain import AMPLITUDES, FRAMES, OURS, SCORES, SEQ
from repro.training.motion_inference import extract_motion

WARPING, FLICKER = SCORES


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def dataset():
    return data.load("fashion_video", "test", 64, "tiny")


@pytest.fixture(scope="module")
def found(dataset):
    return noise_gain.detections(dataset, 1, (0, 1, 3))


class TestDetections:
    def test_amplitude_1_is_what_the_set_holds(self, dataset, found):
        assert torch.equal(found[1], dataset[1].joints_noisy)

    def test_amplitude_0_leaves_the_grid_and_the_exchanges(self, dataset, found):
        shots = dataset.film(1).shots
        true = torch.tensor(np.stack([projected_joints(shot, "coco17") for shot in shots]))
        mirror = torch.arange(17)
        mirror[PAIRS.T[0]], mirror[PAIRS.T[1]] = torch.tensor(PAIRS.T[1]), torch.tensor(PAIRS.T[0])
        off = torch.minimum(*((found[0] - places).abs().amax(-1) for places in (true, true[:, mirror])))
        tall = dataset.person(1).body.height * pixels_per_metre(shots[0].camera, dataset.size)
        there = (found[0] != -1).all(-1)
        assert there.double().mean() > 0.9
        assert off[there].max() <= GRID * tall / 2 + 1e-9

    def test_lengths_grow_with_the_amplitude_and_misses_stay(self, found):
        """No joint of this clip leaves the picture, so what is missing was missed."""
        missing = (found == -1).all(-1)
        assert (missing == missing[0]).all()
        errors = (found - found[0])[:, ~missing[0]].norm(dim=-1).mean(1)
        assert errors[1] > 0.2  # pixels
        assert errors[2] / errors[1] == pytest.approx(3, rel=0.05)


def blinking(clip, step):
    """The true frames, every other one lighter by ``step`` and the rest darker: on the person they change by 2 step."""
    return clip.frames + step * (-1) ** torch.arange(len(clip))[:, None, None, None]


@pytest.fixture(scope="module")
def given():
    """What the rows were given of the last clip: row -> a clip per amplitude."""
    return {}


@pytest.fixture(scope="module")
def scores(dataset, given):
    """Ours makes the true frames, Seq blinks by as many hundredths as the amplitude's place."""

    def seq(clips):
        given[SEQ] = clips
        return torch.stack([blinking(clip, 0.01 * number) for number, clip in enumerate(clips)])

    def ours(clips):
        given[OURS] = clips
        return torch.stack([clip.frames for clip in clips])

    return noise_gain.noise_scores({SEQ: seq, OURS: ours}, TestClips(dataset, [1, 0]))


class TestScores:
    def test_a_line_per_clip_amplitude_and_row(self, scores):
        assert list(scores) == ["clip", "amplitude", "row", "noise_px", *SCORES]
        assert len(scores) == 2 * len(AMPLITUDES) * 2
        assert scores.groupby(["clip", "amplitude", "row"]).size().eq(1).all()

    def test_both_rows_are_given_the_same_detections(self, dataset, scores, given):
        clip = dataset[0]
        network, missing, _ = extractor()
        for clips in given.values():
            assert len(clips) == len(AMPLITUDES)
            for one in clips:
                assert len(one) == FRAMES
                assert torch.equal(one.source_joints, clip.source_joints)
                assert torch.equal(one.source, clip.source)
            own = clips[AMPLITUDES.index(1)]
            assert torch.equal(own.joints_noisy, clip.joints_noisy[:FRAMES])
            cleaned = extract_motion(network, clip.joints_noisy, 64, missing=missing)
            assert torch.equal(own.joints_clean, cleaned[:FRAMES])
            assert not torch.equal(clips[0].joints_clean, clips[-1].joints_clean)

    def test_a_known_difference(self, scores):
        """A surface that blinks changes by twice its step from frame to frame."""
        for place, gain in enumerate(noise_gain.gains(scores, WARPING).values()):
            assert gain.mean == pytest.approx(-0.02 * place, abs=1e-6)
            assert gain.n == 2
        assert noise_gain.growth(scores, WARPING)[noise_gain.GAIN].mean == pytest.approx(-0.06, abs=1e-6)
        flicker = noise_gain.growth(scores, FLICKER)
        assert flicker[OURS].mean == pytest.approx(0, abs=1e-6)
        assert 0.02 < flicker[SEQ].mean <= 0.03 + 1e-6  # all of it for points seen as often light as dark

    def test_noise_is_told_in_pixels(self, scores):
        noise = scores.groupby("amplitude")["noise_px"].mean()
        assert noise[0.0] == 0
        assert noise[3.0] / noise[1.0] == pytest.approx(3, rel=0.05)


@pytest.fixture
def by_hand() -> pd.DataFrame:
    """Three clips; the gain is 0, -1, -2, -3 thousandths on average, and spreads by a thousandth over the clips."""
    return pd.DataFrame(
        {
            "clip": clip,
            "amplitude": amplitude,
            "row": row,
            "noise_px": amplitude / 2,
            WARPING: 0.05 + 0.002 * amplitude - (0.001 * (amplitude + clip - 1) if row == OURS else 0),
            FLICKER: 0.1,
        }
        for clip in range(3)
        for amplitude in AMPLITUDES
        for row in (SEQ, OURS)
    )


def test_the_table_has_a_line_per_amplitude_and_one_for_what_noise_changes(by_hand):
    table = noise_gain.gain_table(by_hand, WARPING)
    assert list(table.index) == ["0", "1", "2", "3", "3 minus 0"]
    assert list(table) == ["noise, px", "Seq-Animation", "Ours-Animation", "ours − seq, 95 %"]
    half = 4.302652729911275 * 0.001 / np.sqrt(3)  # Student's t, two degrees of freedom
    assert list(table.loc["2"]) == [
        "1.00", "0.0540", "0.0520", f"-0.0020 [{-0.002 - half:+.4f}, {-0.002 + half:+.4f}] (n = 3)",
    ]  # fmt: skip
    assert list(table.loc["3 minus 0"]) == ["", "+0.0060", "+0.0030", "-0.0030 [-0.0030, -0.0030] (n = 3)"]


def test_the_figure_has_a_panel_per_score_and_a_line_per_clip(by_hand):
    figure = noise_gain.gain_figure(by_hand)
    assert [ax.get_title() for ax in figure.axes] == ["warping error of the mistakes", "flicker of the mistakes"]
    thin = [line for line in figure.axes[0].lines if line.get_linewidth() == 0.7]
    assert len(thin) == 3
    assert thin[0].get_ydata() == pytest.approx([0.001, 0, -0.001, -0.002])


class TestRecordedRows:
    @pytest.fixture
    def found(self, monkeypatch):
        monkeypatch.setattr(noise_gain, "kept_network", lambda record, out: SequentialGFLA.preset(0.125, seed=0).eval())
        configs = {row: experiments.resolve("IV", row, "laptop").config for row in (SEQ, OURS)}
        return [Mock(row=row, seed=0, config=asdict(config)) for row, config in configs.items()]

    def test_both_rows_start_from_the_clips_as_detected(self, found):
        rows, clips = noise_gain.recorded_rows(found, experiments.request("IV"))
        assert [rows[row].keywords["skeletons"] for row in (SEQ, OURS)] == ["noisy", "extracted"]
        assert isinstance(clips.dataset, PeopleClips)
        assert len(clips) == experiments.resolve("IV", SEQ, "laptop").config.evaluation.clips

    def test_rows_that_are_not_recorded_are_named(self, found):
        with pytest.raises(LookupError, match=r"^Ours-Animation: no record of seed 0"):
            noise_gain.recorded_rows(found[:1], experiments.request("IV"))
        with pytest.raises(LookupError, match=r"^Seq-Animation, Ours-Animation: no record of seed 0"):
            noise_gain.recorded_rows([], experiments.request("IV"))

    def test_a_real_detector_has_no_level(self, found, monkeypatch):
        monkeypatch.setattr(noise_gain, "splits", lambda config, wanted: (None, Mock()))
        with pytest.raises(LookupError, match="only the studio's detector has a level"):
            noise_gain.recorded_rows(found, experiments.request("IV"))
