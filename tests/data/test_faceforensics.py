"""FaceForensics on disk: what goes out comes back, and everything that can be wrong with a folder."""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from repro.data.clip import Clip
from repro.data.faceforensics import DamagedLandmarks, check_faces, export_faces, read_landmarks
from repro.data.problems import DataError
from repro.data.sets import load

SIZE, FRAMES = (20, 24), 4


class Videos:
    """Two short clips of noise with landmarks here and there."""

    def __init__(self, split):
        self.split = split

    def __len__(self):
        return 2

    def __getitem__(self, index):
        rng = np.random.default_rng(index)
        landmarks = torch.from_numpy(rng.uniform(-2, 22, (FRAMES, 68, 2)))
        pixels = rng.integers(0, 256, (FRAMES, 3, *SIZE), dtype=np.uint8)
        nobody = torch.zeros(FRAMES, 0, 2, dtype=torch.float64)
        return Clip(
            footage=pixels,
            joints_clean=nobody,
            joints_noisy=nobody,
            source=torch.from_numpy(pixels[1]).float() / 255,
            source_joints=nobody[0],
            identity=index + 100 * (self.split == "test"),
            fps=25.0,
            landmarks=landmarks,
            source_landmarks=landmarks[1],
        )


@pytest.fixture
def root(tmp_path):
    for split in ("train", "test"):
        export_faces(Videos(split), tmp_path)
    return tmp_path


@pytest.mark.parametrize("misspelt", [False, True])
def test_what_goes_out_comes_back(root, misspelt):
    if misspelt:  # as the authors' helper script names it
        (root / "train_keypoints").rename(root / "train_keypoint")
    dataset, stated = load("faceforensics", "train", root=root, size=SIZE), Videos("train")
    assert len(dataset) == 2
    assert [video.name for video in dataset.videos] == ["studio_000000", "studio_000001"]
    for clip, own in zip(dataset, (stated[0], stated[1])):
        assert torch.equal(clip.frames, own.frames)
        assert torch.equal(clip.landmarks, own.landmarks)
        assert torch.equal(clip.source, own.frames[0])
        assert torch.equal(clip.source_landmarks, own.landmarks[0])
        assert clip.joints_clean.shape == (FRAMES, 0, 2)
        assert clip.masks is None
        assert torch.equal(clip.slice(1, 2).poses, own.slice(1, 2).poses)
        assert clip.poses.shape == (FRAMES, 16, *SIZE)
    assert dataset.hash == load("faceforensics", "train", root=root, size=SIZE).hash
    assert dataset.hash != load("faceforensics", "test", root=root, size=SIZE).hash
    report = check_faces(root)
    assert report.problems == []
    assert "2 videos, 8 frames; 0 problems" in str(report)
    with pytest.raises(IndexError, match="2 videos, got index 2"):
        dataset[2]
    with pytest.raises(ValueError, match="source frame from 0 to 3, got 4"):
        dataset.clip(0, source=4)


def test_frames_are_resized_bicubic_and_landmarks_scaled_with_them(root):
    clip, own = load("faceforensics", "train", root=root, size=(40, 18))[0], Videos("train")[0]
    pixels = (own.frames[1] * 255).round().byte().permute(1, 2, 0).numpy()
    expected = np.asarray(Image.fromarray(pixels).resize((18, 40), Image.Resampling.BICUBIC))
    assert torch.equal((clip.frames[1] * 255).round().byte(), torch.tensor(expected).permute(2, 0, 1))
    assert (clip.landmarks - own.landmarks * torch.tensor([40 / 20, 18 / 24])).abs().max() < 1e-9
    assert load("faceforensics", "train", root=root)[0].frames.shape == (FRAMES, 3, 256, 256)


def test_convention_x_before_y(tmp_path):
    path = tmp_path / "0.txt"
    path.write_text("\n".join(f"{100 + k},{k}" for k in range(68)) + "\n\n")
    points = read_landmarks(path)
    assert points[3].tolist() == [3, 103]
    assert points.shape == (68, 2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,2\n" * 67, "expected 68 points, got 67"),
        ("1,2\n" * 69, "expected 68 points, got 69"),
        ("", "expected 68 points, got 0"),
        ("1,2\n" * 10 + "1;2\n" + "1,2\n" * 57, "point 10, got '1;2'"),
        ("1,2\n" * 67 + "1,2,3\n", "point 67, got '1,2,3'"),
        ("1,nan\n" + "1,2\n" * 67, "point 0, got '1,nan'"),
        (b"\xff\xfe", "no text"),
    ],
)
def test_damaged_landmarks_are_named(root, text, words):
    path = root / "train_keypoints/studio_000001/00002.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DamagedLandmarks, match=words):
        read_landmarks(path)
    dataset = load("faceforensics", "train", root=root, size=SIZE)
    with pytest.raises(DataError, match=r"1 x damaged landmarks\n.*studio_000001/00002.txt"):
        dataset[1]
    assert len(dataset[0]) == FRAMES
    assert [problem.kind for problem in check_faces(root).problems] == ["damaged landmarks"]


def wrong(root, change):
    """What opening the training split says after a change to its folder."""
    change(root)
    with pytest.raises(DataError) as caught:
        load("faceforensics", "train", root=root, size=SIZE)
    return str(caught.value)


class TestWrongFolders:
    @pytest.mark.parametrize(
        ("file", "words"),
        [
            ("train_data/studio_000000/00003.png", "3 frames, 4 landmarks; frame 3 has no frames"),
            ("train_keypoints/studio_000000/00001.txt", "4 frames, 3 landmarks; frame 1 has no landmarks"),
        ],
    )
    def test_unequal_counts(self, root, file, words):
        message = wrong(root, lambda root: (root / file).unlink())
        assert "1 x unequal counts" in message
        assert words in message

    def test_missing_frames(self, root):
        def change(root):
            (root / "train_data/studio_000000/00001.png").unlink()
            (root / "train_keypoints/studio_000000/00001.txt").unlink()

        assert "1 x missing frames\n      studio_000000: 1 missing, first 1" in wrong(root, change)

    def test_missing_folders(self, root):
        assert "no landmarks of this video" in wrong(
            root, lambda root: shutil.rmtree(root / "train_keypoints/studio_000001")
        )
        shutil.rmtree(root / "train_keypoints")
        with pytest.raises(FileNotFoundError, match=r"no folder .*train_keypoints: .*its landmarks lie there"):
            load("faceforensics", "train", root=root)
        with pytest.raises(FileNotFoundError, match="neither train_data/ nor test_data/"):
            check_faces(root / "test_data")

    def test_a_video_in_both_splits(self, root):
        def change(root):
            for kind in ("data", "keypoints"):
                shutil.copytree(root / f"train_{kind}/studio_000000", root / f"test_{kind}/studio_000000")

        assert "1 x video in both splits" in wrong(root, change)

    def test_damaged_and_odd_pictures(self, root):
        picture = root / "train_data/studio_000000/00002.png"
        whole = picture.read_bytes()
        picture.write_bytes(whole[:20])
        dataset = load("faceforensics", "train", root=root, size=SIZE)
        with pytest.raises(DataError, match=r"1 x damaged image\n.*studio_000000/00002.png"):
            dataset[0]
        picture.write_bytes(whole[:-30])  # its header is whole: only the check decodes it
        assert "damaged image" in str(check_faces(root))
        Image.new("RGB", (7, 9)).save(picture)
        with pytest.raises(DataError, match="pictures of several sizes"):
            dataset[0]

    def test_an_exclusion_list_answers_every_finding(self, root, tmp_path):
        (root / "train_keypoints/studio_000001/00002.txt").write_text("1,2\n")
        exclude = check_faces(root).write(tmp_path / "exclude.txt")
        assert "video studio_000001" in exclude.read_text()
        with pytest.warns(UserWarning, match="1 of 2 videos are left out"):
            dataset = load("faceforensics", "train", root=root, size=SIZE, exclude=exclude)
        assert [video.name for video in dataset.videos] == ["studio_000000"]

    def test_an_export_is_whole_or_refused(self, root):
        with pytest.raises(FileExistsError, match="train_keypoints exists"):
            export_faces(Videos("train"), root)

        class Bodies(Videos):
            def __getitem__(self, index):
                clip = super().__getitem__(index)
                clip.landmarks = None
                return clip

        with pytest.raises(ValueError, match="clip 0 has no landmarks"):
            export_faces(Bodies("train"), root / "other")
        assert not (root / "other/train_data").exists()

    def test_what_an_interrupted_export_left_does_not_become_part_of_the_set(self, tmp_path):
        for part in (".train_data.part", ".train_keypoints.part"):
            (tmp_path / part / "studio_000099").mkdir(parents=True)
            (tmp_path / part / "studio_000099" / "00000.txt").touch()
        export_faces(Videos("train"), tmp_path)
        for made in ("train_data", "train_keypoints"):
            names = sorted(path.name for path in (tmp_path / made).iterdir())
            assert names == ["studio_000000", "studio_000001"]
        assert not list(tmp_path.glob(".*"))
