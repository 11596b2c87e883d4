"""The one door to the writers: what is there already stops an export before anything is written."""

from types import SimpleNamespace

import pytest

from repro.data.exports import WRITERS, export

MADE_BY_A_TEST_SPLIT = {
    "fashion": ["test"],
    "market": ["test"],
    "fashion_video": ["test_256"],
    "iper": ["test_256"],
    "face": ["test_keypoints", "test_data"],
    "h36m": ["data_2d_h36m_gt.npz", "data_2d_h36m_detectron_pt_coco.npz"],
    "car": ["id_car_test.txt", "name_car_test.txt"],
    "chair": ["id_chair_test.txt", "name_chair_test.txt"],
}


class Split(SimpleNamespace):
    """A split that nothing may be read of: neither its length nor an example."""

    def __iter__(self):
        raise AssertionError("an example was read before the target was looked at")


@pytest.mark.parametrize("name", sorted(WRITERS))
def test_a_test_split_that_is_there_stops_the_export_before_training_is_written(name, tmp_path):
    splits = [Split(name=name, split=split) for split in ("train", "test")]
    for made in MADE_BY_A_TEST_SPLIT[name]:
        folder = tmp_path / made.replace(".", "_")
        folder.mkdir()
        (folder / made).touch()
        with pytest.raises(FileExistsError, match=f"{made} exists: export .*new folder"):
            export(splits, folder)
        assert [path.name for path in folder.iterdir()] == [made]


def test_unknown_sets_and_formats_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"unknown procedural data set 'deepfashion'.*car"):
        export([Split(name="deepfashion", split="train")], tmp_path)
    with pytest.raises(ValueError, match="jpg, png"):
        export([Split(name="fashion", split="train")], tmp_path, "gif")
    assert list(tmp_path.iterdir()) == []
