"""The Fréchet distance: exact for known Gaussians, equal to SciPy's and torchmetrics' forms."""

import dataclasses

import numpy as np
import pytest
import scipy.linalg
import torch
from torchmetrics.image.fid import _compute_fid

from repro import features
from repro.features.ledger import sha256
from repro.metrics import frechet
from repro.metrics.frechet import INCEPTION, InceptionFeatures, frechet_distance, pooled_features


def with_moments(mean, covariance, count=64, seed=0):
    """Return vectors whose sample mean and unbiased covariance are exactly the given ones."""
    noise = np.random.default_rng(seed).standard_normal((count, len(mean)))
    noise -= noise.mean(0)
    white = noise @ np.linalg.inv(np.linalg.cholesky(np.atleast_2d(np.cov(noise.T)))).T
    return torch.from_numpy(white @ np.linalg.cholesky(np.array(covariance)).T + np.array(mean))


class TestKnownGaussians:
    def test_one_dimension(self):
        # (m1 - m2)^2 + (s1 - s2)^2 = 9 + 4
        first, second = with_moments([0.0], [[1.0]]), with_moments([3.0], [[9.0]], seed=1)
        assert frechet_distance(first, second) == pytest.approx(13, abs=1e-9)

    def test_commuting_covariances(self):
        first = with_moments([1.0, 2.0, 3.0], np.diag([1.0, 4.0, 9.0]))
        second = with_moments([1.0, 0.0, 3.0], np.diag([4.0, 4.0, 1.0]), seed=1)
        assert frechet_distance(first, second) == pytest.approx(2**2 + 1 + 0 + 4, abs=1e-9)

    def test_covariances_that_do_not_commute(self):
        c1, c2 = np.array([[2.0, 1.0], [1.0, 2.0]]), np.array([[1.0, 0.0], [0.0, 5.0]])
        # For 2 x 2: tr sqrt(M) = sqrt(tr M + 2 sqrt(det M)).
        product = c1 @ c2
        root = np.sqrt(np.trace(product) + 2 * np.sqrt(np.linalg.det(product)))
        distance = frechet_distance(with_moments([0, 0], c1), with_moments([0, 0], c2, seed=1))
        assert distance == pytest.approx(np.trace(c1) + np.trace(c2) - 2 * root, abs=1e-9)

    def test_same_set_is_zero(self):
        vectors = torch.randn(50, 20, generator=torch.Generator().manual_seed(0))
        assert frechet_distance(vectors, vectors) == pytest.approx(0, abs=1e-8)

    def test_shift_alone(self):
        vectors = torch.randn(50, 20, generator=torch.Generator().manual_seed(0)).double()
        assert frechet_distance(vectors, vectors + 0.5) == pytest.approx(20 * 0.25, abs=1e-8)


class TestAgainstOthers:
    @pytest.fixture
    def sets(self):
        generator = torch.Generator().manual_seed(0)
        mixing = torch.randn(12, 12, generator=generator).double()
        first = torch.randn(80, 12, generator=generator).double() @ mixing
        return first, torch.randn(60, 12, generator=generator).double() * 1.5 + 0.3

    def test_scipy(self, sets):
        moments = [(x.mean(0).numpy(), np.cov(x.numpy().T)) for x in sets]
        (m1, c1), (m2, c2) = moments
        expected = ((m1 - m2) ** 2).sum() + np.trace(c1 + c2 - 2 * scipy.linalg.sqrtm(c1 @ c2).real)
        assert frechet_distance(*sets) == pytest.approx(expected, rel=1e-8)

    def test_pytorch_fid(self, sets):
        """Its 0.3.0 calls SciPy's root in a way that SciPy 1.18 no longer takes, so it is not among the tests' own."""
        theirs = pytest.importorskip("pytorch_fid.fid_score", reason="pip install --no-deps pytorch-fid")
        (m1, c1), (m2, c2) = ((one.mean(0).numpy(), np.cov(one.numpy(), rowvar=False)) for one in sets)
        expected = theirs.calculate_frechet_distance(m1, c1, m2, c2)
        assert frechet_distance(*sets) == pytest.approx(expected, rel=1e-6)

    def test_torchmetrics(self, sets):
        theirs = _compute_fid(sets[0].mean(0), sets[0].T.cov(), sets[1].mean(0), sets[1].T.cov())
        assert frechet_distance(*sets) == pytest.approx(theirs.item(), rel=1e-8)

    def test_fewer_vectors_than_dimensions(self):
        # No jitter is needed: rank-deficient covariances give the limit of the regularised distance.
        generator = torch.Generator().manual_seed(0)
        first, second = torch.randn(2, 8, 30, generator=generator).double()
        m1, m2, c1, c2 = first.mean(0), second.mean(0), first.T.cov().numpy(), second.T.cov().numpy()
        jitter = 1e-10 * np.eye(30)
        root = scipy.linalg.sqrtm((c1 + jitter) @ (c2 + jitter)).real
        expected = (m1 - m2).square().sum().item() + np.trace(c1) + np.trace(c2) - 2 * np.trace(root)
        assert frechet_distance(first, second) == pytest.approx(expected, abs=1e-3)


class TestDoors:
    def test_one_vector_is_no_set(self):
        with pytest.raises(ValueError, match="at least 2 finite vectors in first"):
            frechet_distance(torch.zeros(1, 3), torch.zeros(4, 3))

    def test_not_finite(self):
        with pytest.raises(ValueError, match="finite vectors in second"):
            frechet_distance(torch.zeros(4, 3), torch.full((4, 3), float("nan")))

    def test_other_dimension(self):
        with pytest.raises(ValueError, match="expected second"):
            frechet_distance(torch.zeros(4, 3), torch.zeros(4, 2))


def test_pooled_features_are_means_of_the_deepest_perceptual_tap():
    net = features.load("procnet", "random:0")
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    expected = net(images * 2 - 1, taps=("stage5",))["stage5"].flatten(2).mean(2)
    torch.testing.assert_close(pooled_features(net, images), expected)


class TestInception:
    def test_found_file_is_used(self, tmp_path, monkeypatch):
        """A file whose name promises its checksum, filled at random: the pipe from [0, 1] images to 2048 numbers."""
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3 as Extractor

        file = tmp_path / "random.pth"
        with monkeypatch.context() as patch:
            file.write_bytes(b"")
            patch.setattr(torch, "load", lambda *_, **__: {})
            patch.setattr(Extractor, "load_state_dict", lambda *_, **__: None)
            blank = Extractor("blank", ["2048"], feature_extractor_weights_path=str(file))
        torch.save(blank.state_dict(), file)
        file = file.rename(tmp_path / f"random-{sha256(file)[:8]}.pth")
        monkeypatch.setattr(frechet, "INCEPTION", dataclasses.replace(INCEPTION, names=(file.name,)))
        monkeypatch.setenv("REPRO_WEIGHTS", str(tmp_path))
        images = torch.rand(2, 3, 40, 40, generator=torch.Generator().manual_seed(0))
        ours = InceptionFeatures()(images)
        assert ours.shape == (2, 2048)
        torch.testing.assert_close(ours, blank((images * 255).round().to(torch.uint8))[0])
