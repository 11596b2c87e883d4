"""The door to the data sets: choices are listed, arguments that do not fit are refused."""

import pytest

from repro.data import NAMES, load, prepare


@pytest.mark.parametrize("name", ["fashon", "deepfashion2", ""])
def test_an_unknown_name_lists_the_known_ones(name):
    with pytest.raises(ValueError, match="choose one of fashion, deepfashion, market1501"):
        load(name, "train")


def test_a_planned_set_says_so():
    with pytest.raises(ValueError, match="planned but not built"):
        load("faceforensics", "train")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"split": "val"}, "choose one of train, test"),
        ({"scale": "huge"}, "choose one of tiny, default, full"),
        ({"size": 8}, "at least 16"),
        ({"root": "folder"}, "takes no root"),
        ({"exclude": "list.txt"}, "takes no exclude"),
        ({"annotation_size": (256, 256)}, "takes no annotation_size"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        load("fashion", **{"split": "train", **arguments})


def test_a_real_set_needs_its_folder(tmp_path):
    for name in NAMES[1:]:
        with pytest.raises(ValueError, match="root=FOLDER"):
            load(name, "train")
        with pytest.raises(FileNotFoundError, match=r"missing"):
            load(name, "train", root=tmp_path / "missing")
    with pytest.raises(ValueError, match="procedural"):
        prepare("deepfashion", "train")


def test_sizes_and_defaults(tmp_path, monkeypatch):
    monkeypatch.setenv("REPRO_CACHE", str(tmp_path))
    assert load("fashion", "train").size == (256, 256)
    assert len(load("fashion", "train")) == 400 * 30
    assert len(load("fashion", "test", 64)) == 100 * 30
    assert load("fashion", "train", (128, 64), "tiny").size == (128, 64)
    assert load("fashion", "train", 64, sigma=2.0).sigma == 2.0
    hashes = {load("fashion", split, size, "tiny").hash for split in ("train", "test") for size in (64, 128)}
    assert len(hashes) == 4
    assert load("fashion", "train", 64, sigma=2.0).hash == load("fashion", "train", 64).hash
    assert list(tmp_path.iterdir()) == []
