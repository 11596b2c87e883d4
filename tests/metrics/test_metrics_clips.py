"""Scores of clips: along a flow that is known by hand, through networks, and gathered per clip."""

import pytest
import torch
from moving import LEFT, SIDE, SIZE, TOP, moving_clip

from repro import features, paths
from repro.features.video_network import VideoNetwork
from repro.metrics import evaluate_clips
from repro.metrics.temporal import flicker, surface_colours, temporal_scores, warping_error


@pytest.fixture(autouse=True)
def no_files(tmp_path, monkeypatch):
    """What networks this machine has must not change these tests."""
    monkeypatch.setattr(paths, "weights", lambda: tmp_path)
    monkeypatch.setenv("REPRO_WEIGHTS", str(tmp_path))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))


class Means(VideoNetwork):
    """Eight numbers of a clip that can be checked by hand: the mean brightness of every second frame."""

    name, side, dimension, shortest = "means", SIZE, 8, 16

    def forward(self, frames):
        return self.prepare(frames).mean((1, 3, 4))[:, ::2]


@pytest.fixture
def means():
    network = Means()
    network.freeze()
    return network


def scores(generate, clips, **options):
    options = {"video_networks": (), "networks": (), "lpips": (), "fid": False} | options
    return evaluate_clips(generate, clips, **options)


def of_truth(clip, frames):
    return temporal_scores(
        frames,
        clip.frames,
        to_previous=(clip.flow_to_previous, clip.visible_in_previous),
        to_source=(clip.flow_to_source, clip.visible_in_source),
        person=clip.person,
    )


class TestAlongTheFlow:
    def test_a_rigid_movement_has_no_error_and_no_flicker(self):
        clip = moving_clip()
        found = of_truth(clip, clip.frames)
        assert set(found.values()) == {0.0}

    def test_warping_error_by_hand(self):
        """Frames t = 0, 1, ... get brighter by 0.01 t: every point differs by 0.01 from the frame before."""
        clip = moving_clip(frames=4)
        brighter = clip.frames + 0.01 * torch.arange(4).view(-1, 1, 1, 1)
        error = warping_error(brighter, clip.flow_to_previous, clip.visible_in_previous)
        assert error.shape == (3,)
        torch.testing.assert_close(error, torch.full((3,), 0.01, dtype=torch.float64), atol=1e-7, rtol=0)
        nowhere = torch.zeros(4, SIZE, SIZE, dtype=torch.bool)
        assert bool(warping_error(brighter, clip.flow_to_previous, nowhere).isnan().all())

    def test_flicker_by_hand(self):
        """Brightness of the person alternates between +0.05 and -0.05: standard deviation 0.05 at every point."""
        clip = moving_clip(frames=16)
        sign = torch.tensor([1.0, -1.0]).repeat(8).view(-1, 1, 1, 1)
        frames = clip.frames + 0.05 * sign
        where = clip.visible_in_source & clip.person
        assert flicker(frames, clip.flow_to_source, where) == pytest.approx(0.05, abs=1e-7)
        assert flicker(frames[:7], clip.flow_to_source[:7], where[:7]) != flicker(
            frames[:8], clip.flow_to_source[:8], where[:8]
        )

    def test_too_few_frames_of_a_point_say_nothing(self):
        clip = moving_clip(frames=7)
        assert torch.tensor(flicker(clip.frames, clip.flow_to_source, clip.person)).isnan()

    def test_every_frame_is_painted_onto_the_source(self):
        clip = moving_clip(frames=3)
        colours, seen = surface_colours(clip.frames, clip.flow_to_source, clip.person)
        square = (slice(None), slice(TOP, TOP + SIDE), slice(LEFT, LEFT + SIDE))
        assert bool(seen[square].all())
        assert int(seen.sum()) == 3 * SIDE * SIDE
        for own in colours:
            torch.testing.assert_close(own[square], clip.source[square].double())

    def test_half_pixels_are_shared(self):
        """One pixel that points half a pixel to the right of column 1 gives half of its weight to columns 1 and 2."""
        frames = torch.full((1, 3, 1, 4), 0.6)
        flow = torch.zeros(1, 2, 1, 4)
        flow[0, 0, 0, 0] = 1.5
        where = torch.tensor([[[True, False, False, False]]])
        colours, seen = surface_colours(frames, flow, where)
        assert seen.tolist() == [[[False, True, True, False]]]
        torch.testing.assert_close(colours[0, 0, 0], torch.tensor([0, 0.6, 0.6, 0], dtype=torch.float64))

    def test_what_moves_wrongly_is_worse(self):
        clip = moving_clip()
        frozen = of_truth(clip, clip.frames[:1].expand_as(clip.frames))
        generator = torch.Generator().manual_seed(0)
        noisy = of_truth(clip, clip.frames + 0.1 * torch.randn(clip.frames.shape, generator=generator))
        for found in (frozen, noisy):
            assert found["warping_error_person_excess"] > 0.01
            assert found["flicker_residual"] > 0.01
        assert noisy["flicker_excess"] > 0.01

    def test_blur_cannot_hide_in_the_residual(self):
        """A grey square neither flickers nor differs along the flow; its error moves with the texture it lacks: 0."""
        clip = moving_clip()
        generator = torch.Generator().manual_seed(0)
        rough = clip.frames + 0.1 * torch.randn(clip.frames.shape, generator=generator)  # a real clip that flickers
        clip.footage, real = rough, rough
        clip.__dict__.pop("frames", None)
        found = of_truth(clip, torch.where(clip.person[:, None], 0.5, real))
        assert found["flicker_excess"] < -0.05
        assert found["flicker_residual"] == pytest.approx(found["flicker_real"])


class TestEvaluateClips:
    def test_the_real_frames_are_perfect(self, means):
        clips = [moving_clip(seed) for seed in range(3)]
        found = scores(lambda clip: clip.frames, clips, video_networks=(means,))
        zero = {name for name, value in found.metrics.items() if value == pytest.approx(0, abs=1e-9)}
        others = {"psnr", "ssim_skimage_gaussian", "ssim_skimage_gaussian_person", "l1_person_hidden"}
        assert set(found.metrics) - zero == others
        assert found.defined["l1_person_hidden"] == 0  # the source shows every point
        assert found.metrics["ssim_skimage_gaussian"] == pytest.approx(1)
        assert {"fd_means", "aed_ms_means", "flicker_excess", "warping_error_person_excess", "l1_person"} < zero

    def test_a_line_per_clip_of_any_length(self, means):
        """Batches of frames reach over the ends of clips; what a clip scores must not depend on its neighbours."""
        clips = [moving_clip(1, frames=17, identity=4), moving_clip(2, frames=9, identity=5)]

        def generate(clip):
            return (clip.frames + 0.01 * clip.identity).clamp(0, 1)

        both = scores(generate, clips, video_networks=(means,), batch_size=5)
        assert both.n == 2
        assert both.per_pair["pair"].tolist() == [0, 1]
        assert both.per_pair["identity"].tolist() == [4, 5]
        for number, clip in enumerate(clips):
            alone = scores(generate, [clip], video_networks=(means,)).per_pair.iloc[0]
            for name, value in alone.drop("pair").items():
                assert both.per_pair.iloc[number][name] == pytest.approx(value, nan_ok=True), name
        assert both.metrics["l1"] == pytest.approx(both.per_pair["l1"].mean())
        assert both.defined["aed_l2_means"] == 1  # the second clip is shorter than a window

    def test_video_scores_by_hand(self, means):
        """Everything brighter by d on [0, 1] is 2 d in each of eight entries on [-1, 1]."""
        clips = []
        for seed in range(2):
            clip = moving_clip(seed)
            clip.footage = clip.footage * 0.5
            clips.append(clip)
        found = scores(lambda clip: clip.frames + 0.1, clips, video_networks=(means,)).metrics
        assert found["aed_ms_means"] == pytest.approx(0.04, rel=1e-4)
        assert found["aed_sq_means"] == pytest.approx(0.32, rel=1e-4)
        assert found["aed_l2_means"] == pytest.approx(0.32**0.5, rel=1e-4)
        assert found["fd_means"] == pytest.approx(0.32, rel=1e-4)

    def test_pictures_are_scored_by_evaluate(self):
        clip = moving_clip()
        found = scores(lambda clip: (clip.frames - 0.25).clamp(0, 1), [clip]).metrics
        expected = (clip.frames - (clip.frames - 0.25).clamp(0, 1)).abs().mean((1, 2, 3)).mean()
        assert found["l1"] == pytest.approx(expected.item(), rel=1e-5)

    def test_real_clips_have_no_flow(self):
        found = scores(lambda clip: clip.frames, [moving_clip(truth=False)])
        assert set(found.metrics) == {"l1", "psnr", "ssim_skimage_gaussian"}

    def test_what_is_missing_is_named(self):
        found = scores(lambda clip: clip.frames, [moving_clip()], video_networks=("videonet", "i3d"))
        assert found.needs == {
            "fd_videonet": "needs file videonet.safetensors",
            "fid_video_i3d": "needs file rgb_imagenet.pt",
        }

    def test_one_short_clip_has_no_distance(self, means):
        found = scores(lambda clip: clip.frames, [moving_clip(frames=12)], video_networks=(means,))
        assert found.needs == {"fd_means": "needs 2 windows of 16 frames, got 0"}
        assert "fd_means" not in found.metrics

    def test_progress_counts_clips(self):
        calls = []
        clips = [moving_clip(seed, frames=3) for seed in range(3)]
        scores(lambda clip: clip.frames, clips, progress=lambda *step: calls.append(step))
        assert calls == [(1, 3), (2, 3), (3, 3)]

    def test_a_network_of_our_own_repeats_bit_for_bit(self):
        network = features.load_video("videonet", "random:0")
        clips = [moving_clip(seed) for seed in range(2)]
        runs = [scores(lambda clip: clip.frames.flip(0), clips, video_networks=(network,)) for _ in range(2)]
        assert runs[0].per_pair.equals(runs[1].per_pair)
        assert runs[0].metrics["fd_videonet"] == runs[1].metrics["fd_videonet"] > 0
        assert runs[0].weights["aed_sq_videonet"] == network.weights_hash

    @pytest.mark.parametrize(
        ("frames", "message"),
        [
            (lambda clip: clip.frames[1:], r"expected frames \(17, 3, 32, 32\) for clip 0, got \(16, 3, 32, 32\)"),
            (lambda clip: clip.frames * 2 - 1, r"in \[0, 1\] for clip 0, got -1 to 1"),
            (lambda clip: clip.frames * torch.nan, "got nan to nan"),
        ],
    )
    def test_exception(self, frames, message):
        dark = moving_clip()
        dark.footage = dark.footage.clone()
        dark.footage[0, 0, 0, 0] = 0
        with pytest.raises(ValueError, match=message):
            scores(frames, [dark])

    def test_no_clips(self):
        with pytest.raises(ValueError, match="expected clips"):
            scores(lambda clip: clip.frames, [])
