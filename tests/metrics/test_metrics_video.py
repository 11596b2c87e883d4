"""Distances of clips: zero, symmetric, bounded; which AED the paper can mean; who sees time."""

import json

import pytest
import torch

from repro.features.video_network import VideoNetwork
from repro.metrics.frechet import frechet_distance
from repro.metrics.sensitivity import disturbed_vectors, moved_scores, record_sensitivity
from repro.metrics.video import (
    aed,
    principal_frechet,
    published_readings,
    readings,
    video_features,
    video_scores,
    windows,
)


def vectors(seed, count=30, dimension=12):
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(dimension, dimension, generator=generator)
    return torch.randn(count, dimension, generator=generator) @ mixing + torch.randn(dimension, generator=generator)


class Colours(VideoNetwork):
    """Order does not matter to it: the mean and the spread of each colour over time and place."""

    name, side, dimension, shortest = "colours", 16, 6, 2

    def forward(self, frames):
        return torch.cat((frames.mean((1, 3, 4)), frames.std((1, 3, 4))), dim=1)


class Changes(Colours):
    """Order matters to it: how much one frame differs from the next, beside the mean colour."""

    name = "changes"

    def forward(self, frames):
        return torch.cat((frames.mean((1, 3, 4)), frames.diff(dim=1).abs().mean((1, 3, 4))), dim=1)


def ready(network):
    network.freeze()
    return network


class Clip:
    """A clip of a person: a colour of its own, which gets brighter frame by frame."""

    def __init__(self, seed, frames=48):
        generator = torch.Generator().manual_seed(seed)
        colour = 0.2 + 0.02 * torch.rand(3, 1, 1, generator=generator)
        texture = 0.1 * torch.rand(3, 16, 16, generator=generator)
        self.frames = colour + texture + 0.01 * torch.arange(frames).view(-1, 1, 1, 1)

    def __len__(self):
        return len(self.frames)


class TestWindows:
    def test_the_rest_is_dropped(self):
        frames = torch.arange(35).view(35, 1)
        assert windows(frames)[:, :, 0].tolist() == [list(range(16)), list(range(16, 32))]
        assert windows(frames[:15]).shape == (0, 16, 1)

    def test_a_vector_per_window(self):
        clip = Clip(0)
        found = video_features(ready(Colours()), clip.frames)
        assert found.shape == (3, 6)
        torch.testing.assert_close(found[1, :3], clip.frames[16:32].mean((0, 2, 3)) * 2 - 1)
        assert video_features(ready(Colours()), clip.frames[:7]).shape == (0, 6)

    def test_training_mode_is_refused(self):
        network = Colours()
        torch.nn.Module.train(network, True)
        with pytest.raises(ValueError, match="colours in eval mode"):
            video_features(network, Clip(0).frames)


class TestDistances:
    def test_identical_sets(self):
        scores = video_scores("net", vectors(0), vectors(0))
        assert set(scores) == {"fd_net", "fd_net_pc3", "aed_ms_net", "aed_l2_net", "aed_sq_net"}
        assert scores == pytest.approx(dict.fromkeys(scores, 0), abs=1e-9)

    def test_symmetric(self):
        one, two = vectors(0), vectors(1)
        there, back = video_scores("net", one, two), video_scores("net", two, one)
        for name in set(there) - {"fd_net_pc3"}:  # its components are those of the real set
            assert there[name] == pytest.approx(back[name], rel=1e-9)

    def test_only_i3d_earns_the_name(self):
        assert {"fid_video_i3d", "aed_ms_i3d"} < set(video_scores("i3d", vectors(0), vectors(1)))

    def test_aed_by_hand(self):
        found = aed(torch.tensor([[3.0, 4.0], [0.0, 0.0]]), torch.zeros(2, 2))
        assert {name: values.tolist() for name, values in found.items()} == {
            "ms": [12.5, 0],
            "l2": [5, 0],
            "sq": [25, 0],
        }

    @pytest.mark.parametrize("seed", range(5))
    def test_no_pairing_costs_less_than_the_frechet_distance(self, seed):
        """Covariances are divided by N - 1, hence the factor."""
        real, noise = vectors(seed), vectors(seed + 100)
        for generated in (real + 0.3 * noise, noise, real.flip(0), real.mean(0).expand_as(real)):
            scores = video_scores("net", generated, real)
            assert scores["fd_net"] <= scores["aed_sq_net"] * 30 / 29 * (1 + 1e-9)
            assert scores["fd_net_pc3"] <= scores["fd_net"] + 1e-9

    def test_principal_components_are_those_of_the_real_clips(self):
        """Real clips vary along the first axis only: what happens along the second does not reach the first."""
        real = torch.zeros(10, 3)
        real[:, 0] = torch.arange(10.0)
        moved = real + torch.tensor([2.0, 50.0, 0.0])
        value, count = principal_frechet(moved, real)
        assert (count, value) == (1, pytest.approx(4))
        assert frechet_distance(real, moved) == pytest.approx(2504)
        with pytest.raises(ValueError, match="at least 10 windows"):
            principal_frechet(moved[:9], real[:9])


class TestReadings:
    def test_the_plain_norm_needs_more_clips_than_there_are(self):
        """Table IV's full row: 3.426 / 0.0126^2 = 21,580 clips; the test set has 100 videos of about 350 frames."""
        assert readings(3.426, 0.0126, 1024)["l2_clips"] == pytest.approx(21_580, abs=1)
        assert min(row["l2_clips"] for row in published_readings()) > 100 * 350 / 16 * 5

    @pytest.mark.parametrize("dimension", [1024, 400])
    def test_a_mean_square_per_dimension_is_possible_in_all_rows(self, dimension):
        rows = published_readings(dimension)
        assert len(rows) == 9  # one of them printed twice
        assert all(row["ms"] for row in rows)
        assert not any(row["sq"] for row in rows)
        assert rows[0]["ms_square"] == pytest.approx(dimension * 0.0141)

    def test_a_bound_that_fails(self):
        assert readings(2.0, 0.001, 1024)["ms"] is False


class TestSensitivity:
    def test_a_network_without_time_does_not_notice_a_shuffle(self):
        found = moved_scores(disturbed_vectors(ready(Colours()), [Clip(seed) for seed in range(6)]))
        assert found["windows"] == 9
        assert found["floor"] > 0
        assert found["shuffle"]["moved"] == pytest.approx(0, abs=0.02)

    def test_a_network_that_sees_changes_does(self):
        found = moved_scores(disturbed_vectors(ready(Changes()), [Clip(seed) for seed in range(6)]))
        assert found["shuffle"]["moved"] > 3
        assert found["shuffle"]["score"] == pytest.approx((1 + found["shuffle"]["moved"]) * found["floor"], rel=0.05)

    def test_the_record_says_no_where_one_network_is_blind(self, tmp_path):
        sets = {"even": [Clip(seed) for seed in range(0, 8, 2)], "odd": [Clip(seed) for seed in range(1, 9, 2)]}
        networks = [ready(Changes()), ready(Colours())]
        record = record_sensitivity(tmp_path, sets, networks=networks, command="measure")
        assert json.loads((tmp_path / "videonet_sensitivity.json").read_text()) == record
        assert record["sees_time"] is False
        assert record_sensitivity(tmp_path, sets, networks=networks[:1])["sees_time"] is True
        assert list(record["networks"]["changes"]) == ["weights_hash", "even", "odd", "all"]

    def test_exception(self):
        with pytest.raises(ValueError, match="at least 4 clips, got 3"):
            moved_scores(disturbed_vectors(ready(Colours()), [Clip(seed) for seed in range(3)]))
        with pytest.raises(ValueError, match="at least 32 frames, got 31 in 1"):
            disturbed_vectors(ready(Colours()), [Clip(0), Clip(1, frames=31)])
