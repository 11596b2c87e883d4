"""ShapeNet on disk: what the studio writes is read back bit for bit, and every damage is named."""

import pickle
import shutil

import h5py
import numpy as np
import pytest
import torch

from repro.data import DataError, load
from repro.data.shapenet import ShapeNetPairs, check_shapenet, read_view
from repro.data.shapenet_export import export_shapenet
from repro.data.studio.objects import ChairSet
from repro.data.view_code import AZIMUTHS, VIEWS, view_code, view_number, view_pairs


class TestViewCode:
    def test_convention_azimuth_first_then_elevation(self):
        code = view_code(view_number(azimuth=3, elevation=2))
        assert code.shape == (21,)
        assert code.nonzero().flatten().tolist() == [3, 18 + 2]
        assert len({tuple(view_code(view).tolist()) for view in range(VIEWS)}) == 54

    def test_training_pairs_stay_at_one_elevation(self):
        pairs = view_pairs("train", 2)
        assert len(pairs) == 2 * 3 * 18 * 17 == len({tuple(pair) for pair in pairs.tolist()})
        source, target = pairs.T
        assert torch.equal(source // AZIMUTHS, target // AZIMUTHS)  # thing and elevation
        assert bool((source != target).all())

    def test_the_authors_test_rule(self):
        """One source per model at elevation 0, its azimuth cycling with the model's number; 18 targets."""
        pairs = view_pairs("test", 20).reshape(20, 18, 2)
        assert pairs[:, :, 0].unique(dim=1).flatten().tolist() == [54 * i + i % 18 for i in range(20)]
        assert pairs[19, :, 1].tolist() == list(range(19 * 54, 19 * 54 + 18))

    def test_exception(self):
        for azimuth, elevation in ((18, 0), (-1, 0), (0, 3)):
            with pytest.raises(ValueError, match="expected azimuth step 0 to 17 and elevation step 0 to 2"):
                view_number(azimuth, elevation)
        with pytest.raises(ValueError, match="expected azimuth"):
            view_code(54)


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    """Two things per split keep the files small."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPRO_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(ChairSet, "SCALES", {"tiny": {"train": 2, "test": 2, "views": VIEWS}})
        yield {split: ChairSet(split, (32, 32), "tiny") for split in ("train", "test")}


@pytest.fixture(scope="module")
def exported(studio, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shapenet")
    for dataset in studio.values():
        export_shapenet(dataset, folder)
    return folder


@pytest.fixture
def folder(exported, tmp_path):
    """A copy to damage."""
    return shutil.copytree(exported, tmp_path / "copy")


@pytest.mark.parametrize("split", ["train", "test"])
def test_export_read_equal(studio, exported, split):
    read = load("shapenet", split, root=exported, size=32)
    assert len(read) == len(studio[split]) == {"train": 2 * 54 * 17, "test": 2 * 18}[split]
    for index in range(0, len(read), 7):
        one, other = read[index], studio[split][index]
        for name in ("source", "target", "source_code", "target_code"):
            assert torch.equal(getattr(one, name), getattr(other, name)), (index, name)
        assert one.identity == other.identity % 100_000
        assert one.source_joints.shape == (0, 2)
    with pytest.raises(ValueError, match="no ground truth"):
        _ = read[0].flow


def test_layout_on_disk(exported):
    lists = {path.name: path.read_text().split() for path in exported.glob("*.txt")}
    assert sorted(lists) == ["id_chair_test.txt", "id_chair_train.txt", "name_chair_test.txt", "name_chair_train.txt"]
    assert lists["name_chair_train.txt"] == ["studiotrain000000", "studiotrain000001"]
    assert lists["id_chair_train.txt"][20] == "studiotrain000000_4_1"
    with h5py.File(exported / "data_chair.hdf5") as data:
        entry = data["studiotest000001_34_2"]
        assert entry["image"].shape == (32, 32, 3)
        assert entry["image"].dtype == np.uint8
        assert entry["pose"][()].tolist() == [34, 20]  # azimuth / 10, elevation in degrees


def test_size_pickling_and_hash(exported):
    read = ShapeNetPairs("test", exported, (16, 24))
    assert read[0].source.shape == (3, 16, 24)
    again = pickle.loads(pickle.dumps(read))
    assert torch.equal(again[3].target, read[3].target)
    assert again.hash == read.hash != ShapeNetPairs("test", exported, (16, 16)).hash
    assert read.hash != ShapeNetPairs("train", exported, (16, 24)).hash
    with pytest.raises(IndexError, match="36 pairs"):
        read[36]


def test_models_without_a_list_of_names_come_from_the_views(folder):
    expected = ShapeNetPairs("test", folder).pairs
    (folder / "name_chair_test.txt").unlink()
    assert torch.equal(ShapeNetPairs("test", folder).pairs, expected)


def test_a_sound_folder_has_no_problems(exported):
    report = check_shapenet(exported)
    assert report.problems == []
    assert "chair test: 2 models, 36 views, 36 pairs; 0 problems" in str(report)


def test_one_split_alone_is_checked(folder):
    (folder / "id_chair_train.txt").unlink()
    report = check_shapenet(folder)
    assert list(report.splits) == ["chair test"]
    assert report.problems == []
    (folder / "id_chair_test.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"no list .*id_chair_train\.txt"):
        check_shapenet(folder)


def kinds(error):
    return sorted({problem.kind for problem in error.value.problems})


class TestDamage:
    """Each damage: a named error from the reader, or from the check where only pixels tell."""

    def test_missing_entries_are_counted(self, folder):
        with h5py.File(folder / "data_chair.hdf5", "a") as data:
            for name in ("studiotest000000_6_0", "studiotest000001_8_0"):
                del data[name]
        with pytest.raises(DataError, match="2 x view without an entry") as error:
            ShapeNetPairs("test", folder)
        assert "no entry studiotest000000_6_0" in str(error.value)
        assert kinds(error) == ["view without an entry"]

    def test_ids_without_entries(self, folder):
        with (folder / "id_chair_train.txt").open("a") as file:
            file.write("ghost_0_0\n")
        with (folder / "name_chair_train.txt").open("a") as file:
            file.write("ghost\n")
        with pytest.raises(DataError, match="18 x view without an entry"):
            ShapeNetPairs("train", folder)

    def test_lists_with_damaged_and_repeated_lines(self, folder):
        with (folder / "id_chair_train.txt").open("a") as file:
            file.write("studiotrain000000_0\nstudiotrain000000_0_0\nother_0_0\n")
        with pytest.raises(DataError) as error:
            ShapeNetPairs("train", folder)
        assert {"damaged line", "repeated line", "listed view of an unlisted model"} <= set(kinds(error))

    def test_a_model_of_both_splits(self, folder):
        with (folder / "id_chair_train.txt").open("a") as file:
            file.write("studiotest000001_0_0\n")
        with pytest.raises(DataError, match="model in both splits"):
            ShapeNetPairs("test", folder)

    def test_truncated_hdf5(self, folder):
        path = folder / "data_chair.hdf5"
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(DataError, match=r"data_chair\.hdf5: no hdf5 file, or a truncated one"):
            ShapeNetPairs("train", folder)
        path.write_bytes(b"no hdf5 at all")
        with pytest.raises(DataError, match="1 x damaged file"):
            check_shapenet(folder)

    @pytest.mark.parametrize(
        ("key", "value", "kind"),
        [
            ("image", np.zeros((32, 32), np.uint8), "wrong image shape"),
            ("image", np.zeros((32, 32, 4), np.uint8), "wrong image shape"),
            ("image", np.full((32, 32, 3), 256, np.int32), "wrong image values"),
            ("image", np.full((32, 32, 3), np.nan), "wrong image values"),
            ("image", None, "missing entry"),
            ("pose", np.zeros(3, int), "wrong pose"),
            ("pose", np.array([36, 0]), "wrong pose"),
            ("pose", np.array([0, -1]), "wrong pose"),
            ("pose", None, "missing entry"),
            ("pose", np.array([2, 0]), "pose of another view"),
        ],
    )
    def test_entries(self, folder, key, value, kind):
        with h5py.File(folder / "data_chair.hdf5", "a") as data:
            entry = data["studiotest000000_0_0"]
            del entry[key]
            if value is not None:
                entry[key] = value
        report = check_shapenet(folder)
        assert [(problem.kind, "studiotest000000_0_0" in problem.where) for problem in report.problems] == [
            (kind, True)
        ]
        if kind != "pose of another view":
            with pytest.raises(DataError, match=kind):
                ShapeNetPairs("test", folder)[0]

    def test_a_group_that_is_none(self, folder):
        with h5py.File(folder / "data_chair.hdf5", "a") as data:
            del data["studiotest000000_0_0"]
            data["studiotest000000_0_0"] = np.zeros(3)
        with pytest.raises(DataError, match=r"unreadable entry|missing entry"):
            ShapeNetPairs("test", folder)[0]

    def test_missing_files(self, folder, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"expected data_car\.hdf5 or data_chair\.hdf5"):
            ShapeNetPairs("train", tmp_path)
        (folder / "id_chair_train.txt").unlink()
        with pytest.raises(FileNotFoundError, match=r"no list .*id_chair_train\.txt"):
            ShapeNetPairs("train", folder)

    def test_two_categories_ask_which(self, folder):
        shutil.copy(folder / "data_chair.hdf5", folder / "data_car.hdf5")
        with pytest.raises(ValueError, match="pass one of the files as root"):
            ShapeNetPairs("train", folder)
        assert ShapeNetPairs("train", folder / "data_chair.hdf5").category == "chair"


def test_other_integer_types_and_floats_are_read(folder):
    with h5py.File(folder / "data_chair.hdf5", "a") as data:
        entry = data["studiotest000000_0_0"]
        pixels = entry["image"][()]
        del entry["image"]
        entry["image"] = pixels.astype(np.float32)
        assert np.array_equal(read_view(data, "studiotest000000_0_0")[0], pixels)


def test_an_export_does_not_overwrite(studio, exported):
    with pytest.raises(FileExistsError, match="export into a new folder"):
        export_shapenet(studio["train"], exported)
    assert not list(exported.glob(".*"))
