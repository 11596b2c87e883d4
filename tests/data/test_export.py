"""Studio people go out in the layouts of DeepFashion and Market-1501 and come back through the real reader."""

import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from repro.data import check, export_deepfashion, export_market, load, read_annotations
from repro.data.export import image_names, market_names
from repro.data.joints import is_missing
from repro.data.layouts import deepfashion_identity, market_identity


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPRO_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield {split: load("fashion", split, 64, "tiny") for split in ("train", "test")}


@pytest.fixture(scope="module")
def exported(studio, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    for dataset in studio.values():
        export_deepfashion(dataset, folder)
    return folder


def test_the_real_reader_reads_it_without_a_complaint(studio, exported):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for split, dataset in studio.items():
            real = load("deepfashion", split, size=64, root=exported)
            assert len(real) == len(dataset)
            assert real.identity.tolist() == [person + 1 for person in dataset.identity.tolist()]
    report = check(exported, "deepfashion")
    assert report.problems == []
    assert "24 annotated images, 72 pairs" in str(report)


def test_joints_come_back_to_the_rounding_of_the_file(studio, exported):
    dataset, real = studio["train"], load("deepfashion", "train", size=64, root=exported)
    assert torch.equal(is_missing(real.joints), is_missing(dataset.joints))
    present = ~is_missing(dataset.joints)
    error = (real.joints - dataset.joints)[present].abs()
    # Half a pixel of the 256 x 176 frame is 0.125 rows and 0.182 columns of 64; at the border twice that.
    assert error[:, 0].max() <= 2 * 0.5 * 64 / 256
    assert error[:, 1].max() <= 2 * 0.5 * 64 / 176
    assert error.quantile(0.9, dim=0)[0] <= 0.125
    assert error.quantile(0.9, dim=0)[1] <= 0.182
    names, joints = read_annotations(exported / "fasion-annotation-train.csv", annotation_size=(256, 176))
    assert len(names) == 24
    assert torch.equal(joints, joints.round())


def test_images_come_back_within_the_loss_of_jpeg(studio, exported):
    dataset, real = studio["train"], load("deepfashion", "train", size=64, root=exported)
    error = [(real[index].source - dataset[index].source).abs().mean() for index in range(0, 72, 5)]
    assert max(error) < 0.012
    assert min(error) > 0
    pair, same = real[40], dataset[40]
    assert (pair.target - same.target).abs().mean() < 0.012
    assert (pair.target - same.source).abs().mean() > 0.03


def test_png_comes_back_exactly(studio, tmp_path):
    export_deepfashion(studio["test"], tmp_path, format="png")
    real = load("deepfashion", "test", size=64, root=tmp_path)
    for index in (0, 50):
        assert torch.equal(real[index].source, studio["test"][index].source)
        assert torch.equal(real[index].target, studio["test"][index].target)


def test_the_lists_name_every_image(exported):
    for split in ("train", "test"):
        listed = (exported / f"{split}.lst").read_text().split()
        assert sorted(listed) == sorted(path.name for path in (exported / split).iterdir())
    assert sorted(path.name for path in exported.iterdir()) == [
        "fasion-annotation-test.csv", "fasion-annotation-train.csv", "fasion-pairs-test.csv", "fasion-pairs-train.csv",
        "test", "test.lst", "train", "train.lst",
    ]  # fmt: skip
    with Image.open(exported / "train" / listed_first(exported)) as image:
        assert image.format == "JPEG"
        assert image.size == (64, 64)


def listed_first(folder):
    return (folder / "train.lst").read_text().split()[0]


def test_names_carry_identity_and_view():
    names = image_names(torch.tensor([0, 0, 100_003]))
    assert names[1] == "fashionSTUDIOPeopleid0000000101_2view.jpg"
    assert [deepfashion_identity(name) for name in names] == [1, 1, 100_004]
    assert len(set(names)) == 3


def test_an_export_is_not_overwritten(studio, exported):
    with pytest.raises(FileExistsError, match="new folder"):
        export_deepfashion(studio["train"], exported)
    with pytest.raises(ValueError, match="jpg, png"):
        export_deepfashion(studio["train"], exported, format="gif")


def test_what_an_interrupted_export_left_does_not_become_part_of_the_set(studio, tmp_path):
    (tmp_path / ".test.part").mkdir()
    (tmp_path / ".test.part" / "stale.png").touch()
    export_deepfashion(studio["test"], tmp_path, format="png")
    assert sorted(path.name for path in (tmp_path / "test").iterdir()) == sorted(
        image_names(studio["test"].identity, "png")
    )


def test_a_damaged_export_is_named(studio, tmp_path):
    export_deepfashion(studio["test"], tmp_path, format="png")
    victim = tmp_path / "test" / image_names(studio["test"].identity, "png")[5]
    victim.write_bytes(victim.read_bytes()[:-40])
    with pytest.raises(ValueError, match=victim.name):
        load("deepfashion", "test", root=tmp_path)
    assert np.array(studio["test"].images[5]).any()


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPRO_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield load("market", "train", scale="tiny")


def test_market_comes_back_pixel_by_pixel_and_joint_by_joint(street, tmp_path):
    export_market(street, tmp_path, format="png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        real = load("market1501", "train", root=tmp_path)
    assert len(real) == len(street)
    assert real.size == (128, 64)
    place = {name: view for view, name in enumerate(market_names(street.identity, street.station, "png"))}
    views = [place[name] for name in real.names]
    assert sorted(views) == list(range(24))
    assert torch.equal(real.identity, street.identity[views] + 1)
    pairs = {(views[source], views[target]) for source, target in real.pairs.tolist()}
    assert pairs == {tuple(pair) for pair in street.pairs.tolist()}
    for index, view in enumerate(views):
        assert np.array_equal((real.image(index) * 255).round().numpy().astype(np.uint8), street.images[view])
    joints = street.joints[views]
    assert torch.equal(is_missing(real.joints), is_missing(joints))
    # Whole numbers in the file; at the border a joint is moved into the frame.
    assert (real.joints - joints)[~is_missing(joints)].abs().max() <= 0.5
    assert check(tmp_path, "market1501").problems == []
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "market-annotation-train.csv", "market-pairs-train.csv", "train",
    ]  # fmt: skip


def test_market_as_jpeg_loses_little(street, tmp_path):
    export_market(street, tmp_path)
    real = load("market1501", "train", root=tmp_path)
    first = real[0]
    assert first.source.shape == (3, 128, 64)
    view = real.pairs[0, 0]
    name = market_names(street.identity, street.station).index(real.names[view])
    error = (first.source - torch.tensor(street.images[name]) / 255).abs().mean()
    assert 0 < error < 0.03  # more than on a plain wall: the sensor's noise is not what JPEG keeps
    with pytest.raises(FileExistsError, match="new folder"):
        export_market(street, tmp_path)


def test_market_names_carry_identity_and_camera():
    names = market_names(torch.tensor([0, 0, 160, 7999, 100_000, 100_999]), torch.tensor([2, 5, 0, 1, 1, 1]))
    assert names[:3] == ["0001_c3s1_000001_00.jpg", "0001_c6s1_000002_00.jpg", "0161_c1s1_000001_00.jpg"]
    assert [market_identity(name) for name in names] == [1, 1, 161, 8000, 8001, 9000]
