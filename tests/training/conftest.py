"""A handful of random pairs and a random feature network: enough to train for a few steps anywhere."""

import pytest
from safetensors.torch import save_file
from tiny import RandomPairs, tiny_config

from repro import features


@pytest.fixture(autouse=True)
def procnet_file(tmp_path_factory, monkeypatch):
    """Bring a random procnet as the user's own file, for this process and its children."""
    folder = tmp_path_factory.mktemp("weights")
    network = features.load("procnet", weights="random:1")
    save_file(network.state_dict(), folder / "procnet.safetensors")
    monkeypatch.setenv("REPRO_WEIGHTS", str(folder))
    monkeypatch.setenv("REPRO_ROOT", str(folder))


@pytest.fixture
def config():
    return tiny_config()


@pytest.fixture
def dataset():
    return RandomPairs()
