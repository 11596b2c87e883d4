"""A tiny studio set, a random feature network and rows that train for three steps: the whole line in seconds."""

import functools
import os

import pytest
from safetensors.torch import save_file

from repro import data, features, paths
from repro.experiments import rows, run

SHORT = {"model.width": 0.125, "batch": 2, "flow.steps": 1, "joint.steps": 2, "evaluation.pairs": 3}


@pytest.fixture(scope="session")
def studio_cache():
    """Render the tiny set once, into the cache that all tests share."""
    for split in ("train", "test"):
        data.load("fashion", split, size=64, scale="tiny").prepare(1)
    return paths.cache()


@pytest.fixture
def furnish(tmp_path, monkeypatch):
    """From (cache, changes of settings) to a project folder of its own, with a random procnet and short rows."""

    def make(cache, changes):
        monkeypatch.setenv("REPRO_CACHE", str(cache))
        monkeypatch.setenv("REPRO_ROOT", str(tmp_path))
        paths.weights().mkdir(parents=True)
        save_file(features.load("procnet", weights="random:1").state_dict(), paths.weights() / "procnet.safetensors")
        monkeypatch.setattr(run, "resolve", functools.partial(rows.resolve, changes=changes))
        return tmp_path

    return make


@pytest.fixture
def house(studio_cache, furnish, monkeypatch):
    """A project folder of its own for rows of pairs, with the papers' numbers and claims too."""
    published, claims = paths.published().read_bytes(), paths.claims().read_bytes()
    root = furnish(studio_cache, SHORT)
    paths.published().write_bytes(published)
    paths.claims().write_bytes(claims)
    monkeypatch.setenv("OMP_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "1"))
    return root
