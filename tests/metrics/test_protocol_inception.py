"""Inception scores and both Inceptions: identities, and the packages of the field, on networks from a formula."""

import numpy as np
import pytest
import torch
import torch_fidelity
from formula import filled
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torchmetrics.image.inception import InceptionScore
from torchvision.models import inception_v3
from torchvision.models.feature_extraction import create_feature_extractor

from repro import paths
from repro.features import MissingWeights
from repro.features.weights import find, read
from repro.metrics import protocol, quirks
from repro.metrics.frechet import INCEPTION, InceptionFeatures, frechet_distance
from repro.metrics.inception import TORCHVISION_INCEPTION, TorchvisionInception
from repro.metrics.inception_score import inception_score


@pytest.fixture(scope="module")
def pictures():
    """Four pictures in 8 bits."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(4, 3, 6, 4, generator=generator)
    return quirks.eight_bits(torch.nn.functional.interpolate(coarse, (48, 32), mode="bilinear"))


def on_this_machine(file):
    try:
        return find(file)
    except MissingWeights as missing:
        pytest.skip(missing.need)


@pytest.fixture(scope="module", params=["formula", "real"])
def fidelity_file(request, tmp_path_factory):
    """torch-fidelity's Inception: the real file where there is one, and filled by the formula."""
    if request.param == "real":
        return on_this_machine(INCEPTION)
    file = tmp_path_factory.mktemp("weights") / "filled.pth"  # the publisher's name promises the publisher's numbers
    with pytest.MonkeyPatch.context() as patch:
        file.write_bytes(b"")
        patch.setattr(torch, "load", lambda *_, **__: {})
        patch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda *_, **__: None)
        blank = FeatureExtractorInceptionV3("blank", ["2048"], feature_extractor_weights_path=str(file))
    torch.save(filled(blank.state_dict()), file)
    return file


@pytest.fixture(scope="module", params=["formula", "real"])
def torchvision_network(request):
    """torchvision's own module: with the real file where there is one, and filled by the formula."""
    network = inception_v3(weights=None, init_weights=False, aux_logits=True, transform_input=False)
    real = request.param == "real"
    network.load_state_dict(read(on_this_machine(TORCHVISION_INCEPTION)) if real else filled(network.state_dict()))
    return network.eval()


class TestInceptionScore:
    def test_as_many_names_as_used(self):
        """Sure of every picture, four names used equally: 4. One name for all: 1. No idea: 1."""
        sure = 200.0 * torch.eye(4).repeat(5, 1)
        assert inception_score(sure, splits=1) == (pytest.approx(4), 0)
        assert inception_score(200.0 * torch.eye(9)[[2] * 20], splits=2)[0] == pytest.approx(1)
        assert inception_score(torch.zeros(20, 9), splits=2)[0] == pytest.approx(1)

    def test_never_above_the_pictures_of_a_part(self):
        sure = 200.0 * torch.eye(100)
        assert inception_score(sure, splits=1)[0] == pytest.approx(100)
        assert inception_score(sure, splits=10)[0] == pytest.approx(10)

    def test_by_hand(self):
        """p = (0.8, 0.2) and (0.4, 0.6), mean (0.6, 0.4)."""
        p = torch.tensor([[0.8, 0.2], [0.4, 0.6]], dtype=torch.float64)
        kl = [0.8 * np.log(0.8 / 0.6) + 0.2 * np.log(0.2 / 0.4), 0.4 * np.log(0.4 / 0.6) + 0.6 * np.log(0.6 / 0.4)]
        assert inception_score(p.log(), splits=1)[0] == pytest.approx(np.exp(np.mean(kl)))

    @pytest.mark.parametrize("shuffle_seed", [None, 2020])
    def test_torch_fidelity(self, shuffle_seed):
        logits = 3 * torch.randn(57, 13, generator=torch.Generator().manual_seed(0))
        theirs = isc_features_to_metric(logits, 10, shuffle_seed is not None, 2020)
        ours = inception_score(logits, shuffle_seed=shuffle_seed)
        expected = theirs["inception_score_mean"], theirs["inception_score_std"]
        assert ours == pytest.approx(expected, rel=1e-9)

    def test_torchmetrics(self):
        logits = 3 * torch.randn(57, 13, generator=torch.Generator().manual_seed(0)).double()
        theirs = InceptionScore(feature=torch.nn.Identity(), splits=1)
        theirs.update(logits)
        assert inception_score(logits, splits=1)[0] == pytest.approx(theirs.compute()[0].item(), rel=1e-9)

    @pytest.mark.parametrize("logits", [torch.zeros(9, 4), torch.full((20, 4), float("nan"))])
    def test_doors(self, logits):
        with pytest.raises(ValueError, match="finite logits of at least 10 pictures"):
            inception_score(logits)


def test_is_of_torch_fidelity_as_a_program(pictures, fidelity_file):
    """Their whole program and our functions, on the same pictures through the same network."""

    class Files(torch.utils.data.Dataset):
        def __len__(self):
            return len(pictures)

        def __getitem__(self, index):
            return (pictures[index] * 255).round().byte()

    theirs = torch_fidelity.calculate_metrics(
        input1=Files(),
        isc=True,
        isc_splits=2,
        cuda=False,
        cache=False,
        verbose=False,
        save_cpu_ram=True,  # no processes of its own
        feature_extractor_weights_path=str(fidelity_file),
    )
    answers = protocol.observed(InceptionFeatures(path=fidelity_file, tap="logits_unbiased"), pictures)
    score, spread = inception_score(answers, splits=2, shuffle_seed=2020)
    assert score == pytest.approx(theirs["inception_score_mean"], rel=1e-6)
    assert spread == pytest.approx(theirs["inception_score_std"], rel=1e-3)
    assert score > 1.0001  # it tells the pictures apart


def test_fid_of_torch_fidelity_on_given_vectors():
    first, second = torch.randn(2, 60, 24, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    second = 1.5 * second + 0.2
    theirs = fid_statistics_to_metric(fid_features_to_statistics(first), fid_features_to_statistics(second), False)
    assert frechet_distance(first, second) == pytest.approx(theirs["frechet_inception_distance"], rel=1e-9)


def test_answers_with_and_without_the_last_bias(pictures, fidelity_file):
    biased, plain = (
        protocol.observed(InceptionFeatures(path=fidelity_file, tap=tap), pictures[:2])
        for tap in ("logits", "logits_unbiased")
    )
    bias = torch.load(fidelity_file, weights_only=True)["fc.bias"]
    torch.testing.assert_close(biased - plain, bias.expand(2, -1), atol=1e-4, rtol=1e-4)
    with pytest.raises(ValueError, match="unknown tap '64'"):
        InceptionFeatures(path=fidelity_file, tap="64")


@pytest.mark.parametrize(
    ("network", "file"),
    [
        (InceptionFeatures, "weights-inception-2015-12-05-6726825d.pth"),
        (TorchvisionInception, "inception_v3_google-0cc3c7bd.pth"),
    ],
)
def test_missing_file_is_named(network, file, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "weights", lambda: tmp_path)
    monkeypatch.setenv("REPRO_WEIGHTS", str(tmp_path))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(MissingWeights) as caught:
        network()
    assert caught.value.need == f"needs file {file}"


class TestTorchvisionInception:
    def test_the_networks_pooled_features(self, pictures, torchvision_network, tmp_path):
        path = tmp_path / TORCHVISION_INCEPTION.names[1].replace(".safetensors", ".pth")
        torch.save(torchvision_network.state_dict(), path)
        pooled = create_feature_extractor(torchvision_network, {"avgpool": "pooled"})
        images = pictures[:2]
        large = torch.nn.functional.interpolate(images, (299, 299), mode="bilinear")
        with torch.no_grad():
            theirs = pooled((large - 0.5) / 0.5)["pooled"].flatten(1)
        ours = TorchvisionInception(path=path)(images)
        assert ours.shape == (2, 2048)
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
        assert ours.std() > 0.01

    def test_another_network_is_refused(self, tmp_path):
        path = tmp_path / "x.pth"
        torch.save({"features.0.weight": torch.zeros(1)}, path)
        with pytest.raises(ValueError, match="does not fit Inception3"):
            TorchvisionInception(path=path)
