"""Human3.6M's npz files: export -> read -> equal, every damage named, nothing executed."""

import io
import os
import pickle
import struct
import zipfile

import numpy as np
import pytest
import torch

from repro.data import DataError, load
from repro.data.clip import MotionSequence
from repro.data.human36m import CLEAN_FILE, NOISY_FILE, Human36M, check_human36m, export_human36m
from repro.data.npz_objects import read_npz_object


def sequence(subject: str, action: str, camera: int, frames: int = 30) -> MotionSequence:
    rng = np.random.default_rng([len(subject), len(action), camera, frames])
    clean, noisy = (torch.tensor(rng.uniform(0, 1000, (frames, 17, 2))) for _ in range(2))
    valid = torch.tensor(rng.random((frames, 17)) > 0.1)
    return MotionSequence(
        clean, noisy.masked_fill(~valid[..., None], -1.0), valid, 50.0, subject, action, camera, (1000, 1000)
    )


SEQUENCES = [
    sequence(subject, action, camera)
    for subject in ("S1", "S7", "S9")
    for action in ("Walking", "Walking 1")
    for camera in range(4)
]


@pytest.fixture
def root(tmp_path):
    return export_human36m(SEQUENCES, tmp_path / "h36m")


def positions(path) -> dict:
    """What a file holds, by numpy itself: the tests wrote it."""
    return np.load(path, allow_pickle=True)["positions_2d"].item()


def rewrite(path, **objects) -> None:
    np.savez_compressed(path, **{name: np.array(value, dtype=object) for name, value in objects.items()})


def change(path, edit) -> None:
    own = positions(path)
    edit(own)
    rewrite(path, positions_2d=own)


class TestRoundTrip:
    def test_export_read_equal(self, root):
        train, test = load("human36m", "train", root=root), load("human36m", "test", root=root)
        assert [len(train), len(test)] == [16, 8]
        read = {(own.subject, own.action, own.camera): own for own in [*train, *test]}
        assert len(read) == len(SEQUENCES)
        for written in SEQUENCES:
            own = read[written.subject, written.action, written.camera]
            assert torch.equal(own.clean, written.clean.float().double())
            assert torch.equal(own.noisy, written.noisy.float().double())
            assert torch.equal(own.valid, written.valid)
            assert own.fps == 50

    def test_the_test_split_is_s9_and_s11(self, root):
        assert {subject for subject, _, _ in Human36M("test", root).sequences} == {"S9"}
        assert {subject for subject, _, _ in Human36M("train", root).sequences} == {"S1", "S7"}

    def test_the_studio_s_own_set(self, tmp_path, monkeypatch):
        monkeypatch.setenv("REPRO_CACHE", str(tmp_path / "cache"))
        studio = load("h36m", "test", scale="tiny")
        few = [studio[index] for index in range(4)]
        read = load("human36m", "test", root=export_human36m(few, tmp_path / "h36m"))
        for written, own in zip(few, read):
            assert (own.subject, own.action, own.camera) == (written.subject, written.action, written.camera)
            assert torch.equal(own.clean, written.clean.float().double())
            assert torch.equal(own.noisy, written.noisy.float().double())

    def test_convention_files_hold_x_before_y_and_a_third_channel_of_the_detector(self, root):
        own = SEQUENCES[0]
        clean, noisy = (
            positions(root / CLEAN_FILE)["S1"]["Walking"][0],
            positions(root / NOISY_FILE)["S1"]["Walking"][0],
        )
        assert clean.dtype == np.float32
        assert clean.shape == (30, 17, 2)
        np.testing.assert_allclose(clean[3, 5], own.clean[3, 5].flip(-1), rtol=1e-6)
        assert noisy.shape == (30, 17, 3)
        np.testing.assert_array_equal(noisy[..., 2] == 1, own.valid)

    def test_files_without_a_third_channel_and_of_old_numpy_and_python(self, root):
        """VideoPose3D's own files: protocol 2, module names of numpy 1."""
        for name in (CLEAN_FILE, NOISY_FILE):
            own = {
                subject: {action: [array[..., :2] for array in cameras] for action, cameras in actions.items()}
                for subject, actions in positions(root / name).items()
            }
            header = io.BytesIO()
            np.lib.format.write_array_header_1_0(header, {"descr": "|O", "fortran_order": False, "shape": ()})
            words = pickle.dumps(np.array(own, dtype=object), protocol=2)
            old = words.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
            with zipfile.ZipFile(root / name, "w") as archive:
                archive.writestr("positions_2d.npy", header.getvalue() + old)
        train = Human36M("train", root)
        assert torch.equal(train[0].noisy, SEQUENCES[0].noisy.float().double())
        assert torch.equal(train[0].valid, SEQUENCES[0].valid)

    def test_a_worker_receives_the_same_set_and_the_hash_follows_the_files(self, root):
        train = Human36M("train", root)
        assert torch.equal(pickle.loads(pickle.dumps(train))[0].noisy, train[0].noisy)
        assert train.hash == Human36M("train", root).hash != Human36M("test", root).hash
        change(root / NOISY_FILE, lambda own: own["S1"]["Walking"][0].__setitem__((0, 0, 0), 1.0))
        assert Human36M("train", root).hash != train.hash

    def test_a_second_split_does_not_replace_the_first(self, root):
        before = (root / NOISY_FILE).read_bytes()
        with pytest.raises(FileExistsError, match=r"gt\.npz exists: export both splits at once"):
            export_human36m([sequence("S11", "Walking", 0)], root)
        (root / CLEAN_FILE).unlink()
        with pytest.raises(FileExistsError, match=r"coco\.npz exists"):
            export_human36m([sequence("S11", "Walking", 0)], root)
        assert (root / NOISY_FILE).read_bytes() == before
        assert sorted(path.name for path in root.iterdir()) == [NOISY_FILE]

    def test_refusals_of_the_writer(self, tmp_path):
        with pytest.raises(ValueError, match="unknown subject 'A'"):
            export_human36m([sequence("A", "Walking", 0)], tmp_path)
        with pytest.raises(ValueError, match="expected camera 0 of S1 'Walking', got camera 1"):
            export_human36m([sequence("S1", "Walking", 1)], tmp_path)
        with pytest.raises(ValueError, match="at least one sequence"):
            export_human36m([], tmp_path)


class TestLengths:
    def cut(self, root, frames: int) -> None:
        change(root / NOISY_FILE, lambda own: own["S1"]["Walking"].__setitem__(2, own["S1"]["Walking"][2][:frames]))

    def test_more_than_one_percent_is_dropped_counted_and_named(self, tmp_path):
        root = export_human36m([sequence("S1", "Walking", camera, frames=200) for camera in range(4)], tmp_path)
        self.cut(root, 197)
        with pytest.warns(UserWarning, match=r"1 sequences are left out\s+1 x lengths differ by more than 1 %"):
            train = Human36M("train", root)
        assert len(train) == 3
        (dropped,) = train.dropped
        assert dropped.where == "S1, Walking, camera 2"
        assert dropped.detail == "200 true and 197 detected frames"

    def test_up_to_one_percent_is_cut_to_the_shorter(self, tmp_path):
        root = export_human36m([sequence("S1", "Walking", camera, frames=200) for camera in range(4)], tmp_path)
        self.cut(root, 198)
        train = Human36M("train", root)
        assert [len(own) for own in train] == [200, 200, 198, 200]

    def test_an_action_of_one_file_only_is_dropped(self, root):
        change(root / CLEAN_FILE, lambda own: own["S7"].pop("Walking 1"))
        with pytest.warns(UserWarning, match="in one file only"):
            train = Human36M("train", root)
        assert len(train) == 12
        assert train.dropped[0].detail == f"not in {CLEAN_FILE}"


class TestDamage:
    def refused(self, root, kind: str, *details: str) -> None:
        with pytest.raises(DataError, match=kind) as error:
            Human36M("train", root)
        for detail in details:
            assert detail in str(error.value)

    def test_missing_files(self, tmp_path, root):
        (root / NOISY_FILE).unlink()
        with pytest.raises(FileNotFoundError, match=NOISY_FILE):
            Human36M("train", root)

    @pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
    def test_truncated(self, root, share):
        content = (root / CLEAN_FILE).read_bytes()
        (root / CLEAN_FILE).write_bytes(content[: int(share * len(content))])
        self.refused(root, "truncated or damaged npz", CLEAN_FILE)

    def test_a_flipped_byte(self, root):
        content = bytearray((root / CLEAN_FILE).read_bytes())
        content[len(content) // 2] ^= 1
        (root / CLEAN_FILE).write_bytes(content)
        self.refused(root, "truncated or damaged npz", CLEAN_FILE)

    def test_missing_key(self, root):
        rewrite(root / NOISY_FILE, positions=positions(root / NOISY_FILE))
        self.refused(root, "missing key", "expected 'positions_2d', it holds positions", NOISY_FILE)

    def test_wrong_structure(self, root):
        rewrite(root / CLEAN_FILE, positions_2d=[1, 2])
        self.refused(root, "wrong structure", "expected subject -> action -> list of cameras")

    def test_an_action_that_is_no_list(self, root):
        change(root / CLEAN_FILE, lambda own: own["S1"].update(Walking=3))
        self.refused(root, "wrong structure", "S1, Walking")

    def test_unequal_numbers_of_cameras(self, root):
        change(root / NOISY_FILE, lambda own: own["S1"]["Walking"].pop())
        self.refused(root, "unequal numbers of cameras", "S1, Walking", "4 cameras", "3 in")

    def test_wrong_number_of_joints(self, root):
        change(root / NOISY_FILE, lambda own: own["S1"]["Walking"].__setitem__(1, np.zeros((30, 18, 2))))
        self.refused(root, "wrong number of joints", "S1, Walking, camera 1", "expected 17 joints, got 18")

    def test_unknown_subjects(self, root):
        change(root / CLEAN_FILE, lambda own: own.update(S12=own["S1"]))
        self.refused(root, "unknown subject", "S12", "expected S1 to S11")

    def test_numbers_that_are_not_finite(self, root):
        change(root / NOISY_FILE, lambda own: own["S7"]["Walking"][3].__setitem__((2, 2, 0), np.nan))
        self.refused(root, "numbers that are not finite", "S7, Walking, camera 3")

    def test_no_array_no_frames(self, root):
        change(
            root / CLEAN_FILE,
            lambda own: own["S1"].update(Walking=["x", np.zeros((0, 17, 2)), np.zeros((3, 17, 1)), 5]),
        )
        self.refused(root, "no array of joints", "no frames", "got str", "got 1 channels")

    def test_all_findings_in_one_message(self, root):
        for camera in range(4):
            change(root / NOISY_FILE, lambda own, c=camera: own["S1"]["Walking"].__setitem__(c, np.zeros((30, 16, 2))))
        change(root / CLEAN_FILE, lambda own: own["S7"]["Walking"].pop())
        self.refused(root, "4 x wrong number of joints", "1 x unequal numbers of cameras")

    def test_a_split_without_sequences(self, tmp_path):
        root = export_human36m([sequence("S1", "Walking", camera) for camera in range(4)], tmp_path)
        with pytest.raises(DataError, match="expected some of S9, S11 in both files"):
            Human36M("test", root)

    def test_check_reports_both_splits(self, root):
        change(root / CLEAN_FILE, lambda own: own["S9"]["Walking"].pop())
        report = check_human36m(root)
        assert not report.splits["train"].problems
        assert len(report.splits["test"].problems) == 1
        assert "train: 16 sequences of S1, S7; 0 left out; 0 problems" in str(report)

    def test_other_refusals(self, root):
        with pytest.raises(ValueError, match="leave out size"):
            Human36M("train", root, (64, 64))
        with pytest.raises(IndexError, match="16 sequences"):
            Human36M("train", root)[16]


class Dangerous:
    """What a hostile file would hold: it makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


class TestNothingIsExecuted:
    def test_numpy_itself_would_run_it_and_this_reader_does_not(self, tmp_path):
        trap, file = tmp_path / "trap", tmp_path / "file.npz"
        rewrite(file, positions_2d={"S1": Dangerous(trap)})
        with pytest.raises(DataError, match=r"forbidden content[\s\S]*posix.mkdir, which is not run"):
            read_npz_object(file, "positions_2d")
        assert not trap.exists()
        np.load(file, allow_pickle=True)["positions_2d"]
        assert trap.exists()

    @pytest.mark.parametrize("name", ["builtins.eval", "os.system", "numpy.load", "numpy.core.multiarray.fromfile"])
    def test_no_other_function_can_be_named(self, tmp_path, name):
        module, _, function = name.rpartition(".")
        words = b"\x80\x02c" + f"{module}\n{function}\n".encode() + b"."
        self.write(tmp_path / "file.npz", words)
        with pytest.raises(DataError, match=f"forbidden content[\\s\\S]*{name}"):
            read_npz_object(tmp_path / "file.npz", "positions_2d")

    def test_arrays_that_lie_about_their_length(self, tmp_path):
        true = pickle.dumps(np.arange(6.0), protocol=2)
        assert b"K\x06\x85" in true
        self.write(tmp_path / "file.npz", true.replace(b"K\x06\x85", b"K\x60\x85"))
        with pytest.raises(DataError, match=r"damaged array[\s\S]*48 bytes for an array \(96,\)"):
            read_npz_object(tmp_path / "file.npz", "positions_2d")

    def test_arrays_of_structures_are_refused(self, tmp_path):
        self.write(tmp_path / "file.npz", pickle.dumps(np.zeros(2, dtype="f4,O"), protocol=2))
        with pytest.raises(DataError, match=r"forbidden content[\s\S]*an array of type 'V12'"):
            read_npz_object(tmp_path / "file.npz", "positions_2d")

    @pytest.mark.parametrize("protocol", [2, 3, 4])
    def test_what_is_data_is_read(self, tmp_path, protocol):
        value = {
            "a": [np.arange(6, dtype=">i2").reshape(2, 3), np.asfortranarray(np.eye(3, dtype=np.float32)[:2])],
            "b": (1, 2.5, "word", None, True, np.float64(3.25)),
            "c": np.array([np.zeros(2), "x"], dtype=object),
        }
        self.write(tmp_path / "file.npz", pickle.dumps(np.array(value, dtype=object), protocol=protocol))
        read = read_npz_object(tmp_path / "file.npz", "positions_2d")
        for own, written in zip(read["a"], value["a"]):
            np.testing.assert_array_equal(own, written)
            assert own.dtype == written.dtype
        assert read["b"] == value["b"]
        np.testing.assert_array_equal(read["c"][0], np.zeros(2))

    @pytest.mark.parametrize("header", ["{'descr': '<f8', (", "{'descr': '<f8'\n  'a\n b", "{'a': ", "\0", "{1: [}"])
    def test_a_damaged_header(self, tmp_path, header):
        words = header.encode()
        with zipfile.ZipFile(tmp_path / "file.npz", "w") as archive:
            archive.writestr("positions_2d.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(words)) + words)
        with pytest.raises(DataError, match="damaged array"):
            read_npz_object(tmp_path / "file.npz", "positions_2d")

    def test_plain_arrays(self, tmp_path):
        np.savez(tmp_path / "file.npz", positions_2d=np.arange(6.0).reshape(2, 3))
        np.testing.assert_array_equal(read_npz_object(tmp_path / "file.npz", "positions_2d"), [[0, 1, 2], [3, 4, 5]])

    @staticmethod
    def write(path, words: bytes) -> None:
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": "|O", "fortran_order": False, "shape": ()})
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("positions_2d.npy", header.getvalue() + words)
