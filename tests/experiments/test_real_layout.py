"""Real files through the whole line: JPEGs in the DeepFashion layout to a record, a photograph through the network."""

import json

import pytest
import torch
from safetensors.torch import save_file

from repro import data, experiments, features, paths
from repro.data.annotations import HEADER
from repro.data.images import write_image
from repro.experiments import request, run_row
from repro.models import GFLA
from repro.pages import tables

pytestmark = pytest.mark.slow


@pytest.fixture
def deepfashion(house):
    """The tiny studio set as JPEGs in the DeepFashion layout."""
    for split in ("train", "test"):
        data.export_deepfashion(data.load("fashion", split, size=64, scale="tiny"), house / "jpegs")
    return house / "jpegs"


def run_full(house, root, profile):
    return run_row(
        request("II", profile, rows="full", dataset="deepfashion", root=root, device="cpu", out=house / profile), "full"
    )


def test_jpegs_in_the_deepfashion_layout_become_a_record_and_a_page(house, deepfashion):
    one = run_full(house, deepfashion, "smoke")
    assert (one.dataset, one.n, one.steps) == ("deepfashion", 3, 3)
    assert {"l1", "fd_procnet"} <= one.metrics.keys()
    assert not {"epe_visible_px", "l1_person"} & one.metrics.keys()  # photographs have no ground truth
    assert any("No masks of the person" in note for note in one.notes)
    assert one.config["losses"]["foreground_mask"] is False

    assert tables.scores([one]).shape[0] == 1
    assert tables.costs([one]).loc[:, "steps"].tolist() == ["3"]
    assert "not measured" in tables.beside_the_paper([one], "fid", "fd_procnet").to_string()
    assert tables.claims([one]).empty
    assert tables.sentence_on_bi_sample([one]) == ""
    assert not tables.differs_from_the_recipe([one]).empty
    assert not tables.missing_files([one]).empty
    assert tables.provenance([one]).loc[0, "data"] == one.dataset_hash[:8]


def test_the_paper_profile_trains_ten_steps_on_the_same_files(house, deepfashion, monkeypatch):
    """Profile ``paper``, through a randomly filled VGG19 file; smaller: width, image, batch, steps, test pairs."""
    vgg19 = features.load("vgg19", weights="random:1").state_dict()
    save_file(vgg19, paths.weights() / "vgg19.safetensors")
    resolve = experiments.run.resolve
    smaller = resolve.keywords["changes"] | {"data.size": 64, "flow.steps": 5, "joint.steps": 5, "batch": 1}
    monkeypatch.setattr(experiments.run, "resolve", lambda *names: resolve(*names, changes=smaller))
    one = run_full(house, deepfashion, "paper")
    assert (one.profile, one.steps) == ("paper", 10)
    assert list(one.features) == ["vgg19"]
    assert one.config["data"]["heatmap_sigma"] == 6
    assert experiments.deviations(experiments.resolve("II", "full", "paper", "deepfashion").config) == []


def test_a_photograph_takes_another_persons_pose(tmp_path, studio_cache, monkeypatch):
    monkeypatch.setenv("REPRO_CACHE", str(studio_cache))
    image, joints = data.astronaut()
    write_image(tmp_path / "astronaut.png", image)
    rows, columns = ([int(value) for value in axis] for axis in joints.T)
    (tmp_path / "people.csv").write_text(f"{HEADER}\nastronaut.png: {json.dumps(rows)}: {json.dumps(columns)}\n")
    _, images, places = data.read_photographs(tmp_path / "people.csv", size=(64, 64))

    person = data.load("fashion", "test", size=64, scale="tiny")[0]
    poses = [data.heatmaps(one, (64, 64), 2.0)[None] for one in (places[0], person.target_joints)]
    model = GFLA.preset("fashion", width=0.125, init_gain=1.0, seed=0).eval()
    with torch.no_grad():
        out = model(images * 2 - 1, *poses)
        still = model(images * 2 - 1, poses[0], poses[0])
    assert out.image.shape == (1, 3, 64, 64)
    assert out.image.isfinite().all()
    assert out.image.abs().max() <= 1
    assert not torch.allclose(out.image, still.image)  # the pose decides
