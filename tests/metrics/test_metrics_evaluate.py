"""All scores of a row: trivial rows whose values are known, batches of any size, what is missing is named."""

import math
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from repro import features, paths
from repro.data.pair import Pair, stack_pairs
from repro.metrics.evaluate import evaluate
from repro.metrics.frechet import frechet_distance, pooled_features
from repro.metrics.trivial import TRIVIAL, Prediction
from repro.models import GFLA
from repro.models.flow_estimator import FlowEstimator

SIZE = 64


@dataclass
class Shifted:
    """The target's person is the source's, moved by whole pixels: the truth can be written down."""

    shift: int  # target -> source, columns
    hidden: int  # columns of the person, from its left edge, that the source does not show

    def correspondence(self, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
        person = torch.zeros(height, width, dtype=torch.bool)
        person[height // 4 : 3 * height // 4, width // 4 : width // 2] = True
        visible = person.clone()
        visible[:, : width // 4 + self.hidden] = False
        flow = torch.zeros(2, height, width)
        flow[0] = self.shift * width / SIZE
        return flow, visible, person


def make_pair(seed: int, truth: bool = True) -> Pair:
    generator = torch.Generator().manual_seed(seed)
    known = Shifted(shift=3, hidden=2)
    _, visible, person = known.correspondence(SIZE, SIZE)
    source = torch.rand(3, SIZE, SIZE, generator=generator)
    target = torch.where(person, source.roll(-3, -1), torch.ones(3, 1, 1))
    target = torch.where(person & ~visible, torch.rand(3, SIZE, SIZE, generator=generator), target)
    joints = torch.full((18, 2), -1.0)
    joints[1], joints[8] = torch.tensor([16.0, 24.0]), torch.tensor([44.0, 24.0])
    moved = joints.clone()
    moved[[1, 8], 1] += 3
    return Pair(source, target, moved, joints, identity=seed, sigma=2.0, truth=known if truth else None)


@pytest.fixture(autouse=True)
def no_files(tmp_path, monkeypatch):
    """What other networks this machine has must not change these tests."""
    monkeypatch.setattr(paths, "weights", lambda: tmp_path)
    monkeypatch.setenv("REPRO_WEIGHTS", str(tmp_path))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))


@pytest.fixture(scope="module")
def pairs():
    return [make_pair(seed) for seed in range(5)]


@pytest.fixture(scope="module")
def procnet():
    return features.load("procnet", "random:0")


def scores(model, pairs, **options):
    return evaluate(model, pairs, networks=options.pop("networks", ()), lpips=(), fid=False, **options)


class TestTrivialRows:
    def test_copy_source_is_zero_flow(self, pairs):
        metrics = scores(TRIVIAL["copy_source"], pairs).metrics
        assert metrics["epe_visible_px"] == 3
        assert metrics["within_1px_visible"] == 0
        assert metrics["within_3px_visible"] == 1
        # 32 rows x 16 columns of person, 14 columns visible; everything is called visible.
        assert metrics["visibility_f1"] == pytest.approx(2 * 14 / (2 * 14 + 2))
        expected = sum((p.source - p.target).abs()[:, p.person].mean().item() for p in pairs) / len(pairs)
        assert metrics["l1_person"] == pytest.approx(expected, abs=1e-6)

    def test_exact_flow_is_exact_where_visible(self, pairs):
        metrics = scores(TRIVIAL["exact_flow"], pairs).metrics
        assert metrics["epe_visible_px"] == 0
        assert metrics["visibility_f1"] == 1
        assert metrics["l1_person_visible"] == pytest.approx(0, abs=1e-6)
        assert metrics["l1_person_hidden"] > 0.1
        assert metrics["l1_person"] == pytest.approx(metrics["l1_person_hidden"] * 2 / 16, abs=1e-6)

    def test_bone_warp_finds_a_pure_shift(self, pairs):
        metrics = scores(TRIVIAL["bone_warp"], pairs).metrics
        assert metrics["epe_visible_px"] == pytest.approx(0, abs=1e-5)
        assert metrics["l1_person_visible"] == pytest.approx(0, abs=1e-5)

    def test_mean_colour_keeps_mean_and_background(self, pairs):
        batch = stack_pairs(pairs[:2])
        image = (TRIVIAL["mean_colour"](batch).image + 1) / 2
        for i, pair in enumerate(pairs[:2]):
            torch.testing.assert_close(image[i][:, ~pair.person], pair.target[:, ~pair.person])
            painted = image[i][:, pair.person]
            torch.testing.assert_close(painted.mean(1), pair.target[:, pair.person].mean(1))
            assert painted.std(1).max() < 1e-5
        assert "epe_visible_px" not in scores(TRIVIAL["mean_colour"], pairs).metrics


class TestEvaluate:
    def test_batch_size_does_not_matter(self, pairs, procnet):
        torch.manual_seed(0)
        model = GFLA.preset("fashion", width=0.125, init_gain=1.0)
        one, three, all_ = (scores(model, pairs, networks=(procnet,), batch_size=b) for b in (1, 3, 5))
        assert list(one.metrics) == list(three.metrics)
        assert "fd_procnet" in one.metrics
        for name, value in one.metrics.items():
            assert three.metrics[name] == pytest.approx(value, rel=1e-5, abs=1e-6), name
            assert all_.metrics[name] == pytest.approx(value, rel=1e-5, abs=1e-6), name

    def test_repeats_bit_for_bit(self, pairs, procnet):
        model = GFLA.preset("fashion", width=0.125, init_gain=1.0)
        first, second = (scores(model, pairs, networks=(procnet,)) for _ in range(2))
        assert first.metrics == second.metrics
        assert first.per_pair.equals(second.per_pair)

    def test_row_is_the_mean_of_its_pairs(self, pairs):
        result = scores(TRIVIAL["bone_warp"], pairs)
        assert result.n == len(result.per_pair) == 5
        assert result.per_pair["identity"].tolist() == [0, 1, 2, 3, 4]
        for name in ("l1", "psnr", "ssim_skimage_gaussian", "ssim_skimage_gaussian_person"):
            assert result.metrics[name] == pytest.approx(result.per_pair[name].mean())

    def test_undefined_pairs_are_left_out_and_counted(self, pairs):
        blind = make_pair(9)
        blind.truth = Shifted(shift=3, hidden=SIZE)
        result = scores(TRIVIAL["copy_source"], [*pairs, blind])
        assert result.metrics["epe_visible_px"] == 3
        assert result.defined["epe_visible_px"] == 5
        assert result.defined["l1_person"] == 6
        assert math.isnan(result.per_pair["epe_visible_px"].iloc[-1])

    def test_photographs_have_no_truth(self, procnet):
        photographs = [make_pair(seed, truth=False) for seed in range(3)]
        metrics = scores(GFLA.preset("fashion", width=0.125), photographs, networks=(procnet,)).metrics
        assert set(metrics) == {"l1", "psnr", "ssim_skimage_gaussian", "fd_procnet"}

    def test_flow_estimator_alone(self, pairs, procnet):
        result = scores(FlowEstimator.preset("fashion", width=0.125), pairs, networks=(procnet,))
        assert set(result.metrics) == {"epe_visible_px", "within_1px_visible", "within_3px_visible", "visibility_f1"}

    def test_frechet_against_targets_and_against_training_images(self, pairs, procnet):
        generated = torch.stack([p.source for p in pairs])
        targets = torch.stack([p.target for p in pairs])
        against = scores(TRIVIAL["copy_source"], pairs, networks=(procnet,))
        expected = frechet_distance(pooled_features(procnet, targets), pooled_features(procnet, generated))
        assert against.metrics["fd_procnet"] == pytest.approx(expected, rel=1e-4)
        assert against.weights == {"fd_procnet": procnet.weights_hash}
        train = list(torch.rand(7, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0)))
        against = scores(TRIVIAL["copy_source"], pairs, networks=(procnet,), training_images=iter(train))
        expected = frechet_distance(pooled_features(procnet, torch.stack(train)), pooled_features(procnet, generated))
        assert against.metrics["fd_procnet_train_real"] == pytest.approx(expected, rel=1e-4)

    def test_missing_networks_are_named(self, pairs):
        result = evaluate(TRIVIAL["copy_source"], pairs[:2])
        assert result.needs == {
            "fd_procnet": "needs file procnet.safetensors",
            "fd_squeezenet": "needs file squeezenet1_1-b8a52dc0.pth",
            "fid_torch_fidelity": "needs file weights-inception-2015-12-05-6726825d.pth",
            "lpips_squeeze": "needs file squeezenet1_1-b8a52dc0.pth",
            "lpips_alex": "needs file alexnet-owt-7be5be79.pth",
        }
        assert not set(result.needs) & set(result.metrics)

    def test_mode_of_the_model_is_restored(self, pairs):
        model = GFLA.preset("fashion", width=0.125).train()
        scores(model, pairs[:1])
        assert model.training

    def test_refuses_what_is_not_finite_and_names_the_pair(self, pairs):
        def broken(batch: Pair) -> Prediction:
            image = batch.source.clone()
            image[-1, 0, 0, 0] = float("nan")
            return Prediction(image, [], [])

        with pytest.raises(ValueError, match="image predicted for pair 2 holds values that are not finite"):
            scores(broken, pairs, batch_size=3)

    def test_refuses_an_empty_list(self):
        with pytest.raises(ValueError, match="got an empty list"):
            scores(TRIVIAL["copy_source"], [])

    def test_progress_counts_pairs(self, pairs):
        told = []
        scores(TRIVIAL["copy_source"], pairs, batch_size=2, progress=lambda done, total: told.append((done, total)))
        assert told == [(2, 5), (4, 5), (5, 5)]
