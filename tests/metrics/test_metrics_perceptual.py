"""LPIPS: the package's numbers with a file found by name; a clear word where it is absent."""

import warnings

import pytest
import torch
import torchvision
from safetensors.torch import save_file

from repro import paths
from repro.features import MissingWeights
from repro.features.weights import find
from repro.metrics.perceptual import LPIPS, TRUNKS


@pytest.fixture
def only_here(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "weights", lambda: tmp_path)
    monkeypatch.setenv("REPRO_WEIGHTS", str(tmp_path))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("trunk", TRUNKS)
class TestTrunks:
    def test_missing_file_is_named(self, trunk, only_here):
        with pytest.raises(MissingWeights) as caught:
            LPIPS(trunk)
        assert caught.value.need == f"needs file {TRUNKS[trunk].names[0]}"

    def test_equals_the_package_with_the_same_trunk(self, trunk, only_here):
        import lpips

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reference = lpips.LPIPS(net=trunk, pnet_rand=True, verbose=False).eval()
        model = {"squeeze": torchvision.models.squeezenet1_1, "alex": torchvision.models.alexnet}[trunk](weights=None)
        for part in reference.net.children():
            for index, layer in part.named_children():
                model.features[int(index)].load_state_dict(layer.state_dict())
        save_file(model.state_dict(), only_here / TRUNKS[trunk].names[1])
        images = torch.rand(2, 3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
        before = torch.get_rng_state()
        ours = LPIPS(trunk)
        assert torch.equal(before, torch.get_rng_state())
        assert ours.name == f"lpips_{trunk}"
        expected = reference(*images, normalize=True).flatten()
        torch.testing.assert_close(ours(*images), expected)
        torch.testing.assert_close(ours(images[0], images[0]), torch.zeros(3))


def test_golden_value_of_squeeze():
    """The value that torchmetrics' documentation publishes for these random pictures."""
    try:
        find(TRUNKS["squeeze"])
    except MissingWeights as missing:
        pytest.skip(missing.need)
    torch.manual_seed(123)
    first, second = (torch.rand(10, 3, 100, 100) for _ in range(2))
    assert LPIPS("squeeze")(first, second).mean().item() == pytest.approx(0.1008, abs=5e-5)
