"""The door to the data sets: choices are listed, arguments that do not fit are refused."""

import pickle

import numpy as np
import pytest

from repro.data import PROCEDURAL, REAL, load, prepare


@pytest.mark.parametrize("name", ["fashon", "deepfashion2", ""])
def test_an_unknown_name_lists_the_known_ones(name):
    with pytest.raises(ValueError, match=f"choose one of fashion, market, .*{', '.join(REAL)}"):
        load(name, "train")


def test_the_names():
    assert tuple(PROCEDURAL) == ("fashion", "market", "fashion_video", "iper", "face", "h36m", "car", "chair")
    assert set(REAL) == {
        "deepfashion", "market1501", "fashionvideo", "iper_real", "human36m", "shapenet", "faceforensics",
    }  # fmt: skip


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("REPRO_CACHE", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", PROCEDURAL)
def test_a_procedural_set_is_named_by_what_it_holds_and_opens_without_rendering(name, empty_cache):
    sets = {split: load(name, split, scale="tiny") for split in ("train", "test")}
    for split, dataset in sets.items():
        assert (dataset.name, dataset.split, dataset.scale) == (name, split, "tiny")
        assert len(dataset) > 0
        content = pickle.dumps(dataset)
        assert len(content) < 1000
        assert pickle.loads(content).hash == dataset.hash
        assert load(name, split, scale="tiny").hash == dataset.hash
        with pytest.raises(IndexError, match=f"has {len(dataset)} examples"):
            dataset[len(dataset)]
    assert sets["train"].hash != sets["test"].hash
    assert len(load(name, "train")) > len(sets["train"])
    assert list(empty_cache.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"split": "val"}, "choose one of train, test"),
        ({"scale": "huge"}, "choose one of tiny, default, full"),
        ({"size": 8}, "at least 16"),
        ({"size": (64, 0)}, "at least 16"),
        ({"size": 4096}, "up to 1024 pixels"),
        ({"size": (64, 64, 3)}, "whole pixels"),
        ({"size": 64.5}, "whole pixels"),
        ({"size": True}, "whole pixels"),
        ({"root": "folder"}, "takes no root"),
        ({"exclude": "list.txt"}, "takes no exclude"),
        ({"annotation_size": (256, 256)}, "takes no annotation_size"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        load("fashion", **{"split": "train", **arguments})


@pytest.mark.parametrize("name", REAL)
def test_a_real_set_needs_its_folder(name, tmp_path):
    with pytest.raises(ValueError, match="root=FOLDER"):
        load(name, "train")
    with pytest.raises(FileNotFoundError, match=r"missing"):
        load(name, "train", root=tmp_path / "missing")
    with pytest.raises(ValueError, match="procedural"):
        prepare(name, "train")


def test_a_real_set_refuses_what_its_reader_does_not_take(tmp_path):
    with pytest.raises(ValueError, match="shapenet takes no annotation_size: only deepfashion, market1501 do"):
        load("shapenet", "train", root=tmp_path, annotation_size=(64, 64))
    with pytest.raises(ValueError, match=r"human36m takes no exclude: only deepfashion, market1501, .*faceforensics"):
        load("human36m", "train", root=tmp_path, exclude=tmp_path / "exclude.txt")


def test_sizes_and_defaults(empty_cache):
    assert load("fashion", "train").size == (256, 256)
    assert len(load("fashion", "train")) == 400 * 30
    assert len(load("fashion", "test", 64)) == 100 * 30
    assert load("fashion", "train", (128, 64), "tiny").size == (128, 64)
    assert load("fashion", "train", 64, sigma=2.0).sigma == 2.0
    hashes = {load("fashion", split, size, "tiny").hash for split in ("train", "test") for size in (64, 128)}
    assert len(hashes) == 4
    assert load("fashion", "train", 64, sigma=2.0).hash == load("fashion", "train", 64).hash
    assert load("market", "train").size == (128, 64)
    assert list(empty_cache.iterdir()) == []


def test_numpy_s_whole_numbers_are_sizes(empty_cache):
    dataset = load("fashion", "test", size=np.int64(64), scale="tiny")
    assert dataset.size == (64, 64)
    assert dataset.hash == load("fashion", "test", size=64, scale="tiny").hash


def test_no_worker_is_refused_even_where_nothing_is_left_to_draw(empty_cache, monkeypatch):
    units = {"images": np.zeros((4, 3, 64, 64), np.uint8)}
    monkeypatch.setattr(PROCEDURAL["fashion"], "draw", lambda self, index: units)
    for _ in range(2):
        with pytest.raises(ValueError, match="at least 1 worker, got 0"):
            prepare("fashion", "train", 64, "tiny", workers=0)
        prepare("fashion", "train", 64, "tiny", workers=1)
