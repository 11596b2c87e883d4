"""FashionVideo and iPER on disk: what goes out comes back, and everything that can be wrong with a folder."""

import json
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from repro.data import load
from repro.data.clip import Clip
from repro.data.clip_export import export_clips, export_test_list
from repro.data.clip_inspection import check_clips
from repro.data.clip_layouts import DamagedSkeleton, read_skeleton, read_test_list, skeleton_text
from repro.data.problems import DataError

SIZE, FRAMES = (20, 24), 5


class Videos:
    """Two short clips of noise with joints here and there, nobody in one frame."""

    def __init__(self, split):
        self.split = split

    def __len__(self):
        return 2

    def __getitem__(self, index):
        rng = np.random.default_rng(index)
        pixels = rng.integers(0, 256, (FRAMES, 3, *SIZE), dtype=np.uint8)
        clean, noisy = (torch.from_numpy(rng.uniform(0.5, 19, (FRAMES, 17, 2))) for _ in range(2))
        noisy[1, 3:6] = noisy[2] = -1
        noisy[3, 0, 1] = 0.0
        return Clip(
            footage=pixels,
            foreground=pixels[:, 0] > 128,
            joints_clean=clean,
            joints_noisy=noisy,
            source=torch.from_numpy(pixels[2]).float() / 255,
            source_joints=noisy[2],
            identity=index + 100 * (self.split == "test"),
            fps=25.0,
        )


def folder(root, layout="iper_real"):
    for split in ("train", "test"):
        export_clips(Videos(split), root, layout)
    return root


@pytest.mark.parametrize("layout", ["fashionvideo", "iper_real"])
def test_what_goes_out_comes_back(tmp_path, layout):
    root = folder(tmp_path, layout)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for split in ("train", "test"):
            dataset, stated = load(layout, split, root=root, size=SIZE), Videos(split)
            assert len(dataset) == 2
            for clip, own in zip(dataset, (stated[0], stated[1])):
                assert torch.equal(clip.frames, own.frames)
                assert torch.equal(clip.joints_clean, own.joints_clean)
                # A coordinate of exactly 0 would read as missing: it is written as a millionth of a pixel.
                assert clip.joints_noisy[3, 0, 1] == 1e-6
                clip.joints_noisy[3, 0, 1] = 0
                assert torch.equal(clip.joints_noisy, own.joints_noisy)
                assert torch.equal(clip.source, own.frames[0])
                if layout == "iper_real":
                    assert torch.equal(clip.masks, own.masks)
                else:
                    assert clip.masks is None
    report = check_clips(root, layout)
    assert report.problems == []
    assert "2 videos, 10 frames; 2 skeleton files without a person (kept)" in str(report)


def test_slices_read_only_their_frames(tmp_path):
    root = folder(tmp_path)
    dataset = load("iper_real", "train", root=root, size=SIZE)
    part = dataset.clip(1, source=4).slice(2, 4)
    (root / "train_256/train_A/studio_000001/00000.png").unlink()
    assert torch.equal(part.frames, Videos("train")[1].frames[2:4])
    assert torch.equal(part.masks, Videos("train")[1].masks[2:4])
    assert torch.equal(part.source, Videos("train")[1].frames[4])
    with pytest.raises(ValueError, match="source frame from 0 to 4, got 5"):
        dataset.clip(1, source=5)
    with pytest.raises(IndexError, match="2 videos"):
        dataset[2]


def test_frames_are_resized_bicubic_and_joints_scaled_with_them(tmp_path):
    clip = load("iper_real", "train", root=folder(tmp_path), size=(40, 18))[0]
    stated = Videos("train")[0]
    pixels = (stated.frames[1] * 255).byte().permute(1, 2, 0).numpy()
    expected = np.asarray(Image.fromarray(pixels).resize((18, 40), Image.Resampling.BICUBIC))
    assert torch.equal((clip.frames[1] * 255).round().byte(), torch.tensor(expected).permute(2, 0, 1))
    scaled = stated.joints_clean * torch.tensor([40 / 20, 18 / 24])
    assert (clip.joints_clean - scaled).abs().max() < 1e-9
    assert bool((clip.joints_noisy[2] == -1).all())
    assert clip.masks.shape == (FRAMES, 40, 18)


def test_convention_of_the_files(tmp_path):
    """x before y, 0 missing; of the 18 joints of OpenPose the neck is dropped, right before left becomes left first."""
    values = [number for joint in range(18) for number in (joint + 0.5, 100 + joint, 0.9)]
    values[3 * 14 : 3 * 14 + 3] = [0, 114, 0.2]  # the right eye is missing: 0 in one coordinate is enough
    path = tmp_path / "00000_keypoints.json"
    path.write_text(json.dumps({"people": [{"pose_keypoints_2d": values}, {"pose_keypoints_2d": []}]}))
    joints = read_skeleton(path, "noisy")
    order = [0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10]
    expected = [[100 + joint, joint + 0.5] for joint in order]
    expected[2] = [-1, -1]
    assert joints.tolist() == expected
    # The neck that is written is the middle of the shoulders: joints 5 and 6 of COCO.
    again = json.loads(skeleton_text(joints, "noisy"))["people"][0]["pose_keypoints_2d"]
    assert again[3:6] == [(2.5 + 5.5) / 2, (102 + 105) / 2, 1]
    assert again[3 * 14 : 3 * 14 + 3] == [0, 0, 0]
    path.write_text(json.dumps({"people": []}))
    assert read_skeleton(path, "clean").tolist() == [[-1, -1]] * 17
    assert json.loads(skeleton_text(np.full((17, 2), -1.0), "clean"))["people"] == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"people": [{"pose_keyp', "damaged JSON"),
        (b"\xff\xfe\x00", "damaged JSON"),
        ("[1, 2]", 'expected {"people"'),
        ('{"people": [3]}', 'expected {"people"'),
        ('{"people": [{}]}', "got none"),
        (json.dumps({"people": [{"pose_keypoints_2d": [1.0] * 51}]}), "expected 18 joints as 54 values"),
        (json.dumps({"people": [{"pose_keypoints_2d": [1.0] * 53 + ["a"]}]}), "no finite numbers"),
        (json.dumps({"people": [{"pose_keypoints_2d": [1.0] * 53 + [float("nan")]}]}), "no finite numbers"),
        (json.dumps({"people": [{"pose_keypoints_2d": [1.0] * 53 + [True]}]}), "no finite numbers"),
        (json.dumps({"people": [{"pose_keypoints_2d": [1.0] * 53 + [10**400]}]}), "no finite numbers"),
        ("[" * 100_000, "damaged JSON"),
    ],
)
def test_damaged_skeletons_are_refused(tmp_path, content, words):
    path = tmp_path / "0.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DamagedSkeleton) as caught:
        read_skeleton(path, "noisy")
    assert words in str(caught.value)


def damaged(root, what):
    """Damage one video of a sound folder; return the words that must name it, and whether listing files finds it."""
    split = folder(root) / "train_256"
    frame, noisy = (split / kind / "studio_000001" for kind in ("train_A", "train_alphapose"))
    if what == "missing frame":
        (frame / "00002.png").unlink()
        return ["1 x unequal counts", "studio_000001: 4 frames, 5 noisy", "frame 2 has no frames"], True
    if what == "missing skeleton":
        (noisy / "00004.json").unlink()
        return ["1 x unequal counts", "frame 4 has no noisy"], True
    if what == "gap":
        for kind in ("train_A", "train_alphapose", "train_video2d", "train_C"):
            next((split / kind / "studio_000001").glob("00003.*")).unlink()
        return ["1 x missing frames", "1 missing, first 3"], True
    if what == "other numbers":
        (noisy / "00004.json").rename(noisy / "00009.json")
        return ["1 x other frame numbers", "frame 4 has no noisy"], True
    if what == "repeated number":
        for kind in ("train_A", "train_alphapose", "train_video2d", "train_C"):
            last = next((split / kind / "studio_000001").glob("00004.*"))
            last.rename(last.with_stem("3"))
        return ["1 x repeated frame number", "frame 3 has several"], True
    if what == "missing folder":
        for path in noisy.iterdir():
            path.unlink()
        noisy.rmdir()
        return ["1 x missing folder", "no noisy of this video"], True
    if what == "file without number":
        (frame / "thumb.png").write_bytes((frame / "00000.png").read_bytes())
        return ["1 x file without a frame number", "thumb.png"], True
    if what == "both splits":
        for kind in ("train_A", "train_alphapose", "train_video2d"):
            (root / "test_256" / kind / "studio_000100").rename(root / "test_256" / kind / "studio_000001")
        return ["1 x video in both splits", "studio_000001: test_256 has it too"], True
    if what == "truncated skeleton":
        text = (noisy / "00001.json").read_text()
        (noisy / "00001.json").write_text(text[: len(text) // 2])
        return ["1 x damaged skeleton", "studio_000001/00001.json"], False
    if what == "wrong joint count":
        clean = split / "train_video2d" / "studio_000001" / "00001.json"
        clean.write_text((noisy / "00000.json").read_text())
        return ["1 x damaged skeleton", "expected 17 joints as 51 values", "got 54 values"], False
    if what == "truncated picture":
        whole = (frame / "00003.png").read_bytes()
        (frame / "00003.png").write_bytes(whole[: len(whole) // 2])
        return ["1 x damaged image", "train_A/studio_000001/00003.png"], None
    if what == "other size":
        Image.new("RGB", (9, 9)).save(frame / "00004.png")
        return ["1 x pictures of several sizes", "00004.png 9x9"], False
    raise AssertionError(what)


@pytest.mark.parametrize(
    "what",
    [
        "missing frame", "missing skeleton", "gap", "other numbers", "repeated number", "missing folder",
        "file without number", "both splits", "truncated skeleton", "wrong joint count", "truncated picture",
        "other size",
    ],
)  # fmt: skip
def test_a_damage_is_counted_named_and_excluded_only_on_record(tmp_path, what):
    root = tmp_path / "data"
    words, at_once = damaged(root, what)
    if what == "both splits":  # its masks would be missed first
        for path in (root / "test_256" / "train_C").rglob("*.png"):
            path.unlink()
        for path in sorted((root / "test_256" / "train_C").glob("**/"), reverse=True):
            path.rmdir()
    report = check_clips(root, "iper_real")
    for word in words:
        assert word in str(report)
    if at_once:
        with pytest.raises(DataError) as caught:
            load("iper_real", "train", root=root, size=SIZE)
        assert words[0] in str(caught.value)
        assert "exclude" in str(caught.value)
    else:  # found where the video is read, or (pixels) by the check
        dataset = load("iper_real", "train", root=root, size=SIZE)
        assert len(dataset[0]) == FRAMES
        with pytest.raises(ValueError, match="studio_000001"):
            _ = dataset[1].frames
    listed = report.write(tmp_path / "exclude.txt")
    with pytest.warns(UserWarning, match=r"iper_real train: 1 of 2 videos are left out, as .*exclude\.txt says"):
        dataset = load("iper_real", "train", root=root, size=SIZE, exclude=listed)
    assert (len(dataset), dataset.excluded, dataset.videos[0].name) == (1, 1, "studio_000000")


def test_missing_folders_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="neither train_256/ nor test_256/"):
        check_clips(tmp_path, "fashionvideo")
    with pytest.raises(FileNotFoundError, match=r"train_A: expected the fashionvideo layout"):
        load("fashionvideo", "train", root=tmp_path)
    root = folder(tmp_path / "fv", "fashionvideo")
    with pytest.raises(FileNotFoundError, match=r"train_C"):
        load("iper_real", "train", root=root)
    assert len(load("iper_real", "test", root=root, size=SIZE)) == 2  # only training needs masks
    with pytest.raises(FileExistsError, match="train_256 exists"):
        export_clips(Videos("train"), root, "fashionvideo")
    with pytest.raises(ValueError, match="takes no annotation_size"):
        load("fashionvideo", "train", root=root, annotation_size=(256, 256))


def test_what_an_interrupted_export_left_does_not_become_part_of_the_set(tmp_path):
    class Interrupted(Videos):
        def __getitem__(self, index):
            if index:
                raise KeyboardInterrupt
            clip = super().__getitem__(index)
            clip.identity = 7
            return clip

    with pytest.raises(KeyboardInterrupt):
        export_clips(Interrupted("train"), tmp_path, "iper_real")
    assert [path.name for path in tmp_path.iterdir()] == [".train_256.part"]
    export_clips(Videos("train"), tmp_path, "fashionvideo")
    assert [path.name for path in tmp_path.iterdir()] == ["train_256"]
    names = sorted(path.name for path in (tmp_path / "train_256" / "train_A").iterdir())
    assert names == ["studio_000000", "studio_000001"]
    assert not (tmp_path / "train_256" / "train_C").exists()  # masks are iPER's


def test_the_hash_follows_the_files(tmp_path):
    root = folder(tmp_path)
    first = load("iper_real", "train", root=root, size=SIZE)
    assert load("iper_real", "train", root=root, size=SIZE).hash == first.hash
    assert load("iper_real", "train", root=root, size=(32, 32)).hash != first.hash
    path = root / "train_256/train_video2d/studio_000000/00000.json"
    path.write_text(path.read_text() + "  ")
    assert load("iper_real", "train", root=root, size=SIZE).hash != first.hash


def test_the_list_of_test_clips(tmp_path):
    root = folder(tmp_path)
    path = export_test_list(Videos("test"), tmp_path / "test_list.csv")
    rows = read_test_list(path)
    assert rows[1].frames[4] == "train_A/studio_000101/00004.png"
    assert rows[1].references_clean == ("train_video2d/studio_000101/00002.json",)
    dataset = load("iper_real", "test", root=root, size=SIZE)
    clips = dataset.listed(path)
    assert [len(clip) for clip in clips] == [5, 5]
    assert torch.equal(clips[1].source, Videos("test")[1].source)
    assert torch.equal(clips[1].source_joints, Videos("test")[1].joints_noisy[2])
    # Part of a video, the appearance of another one.
    three = {kind: [f"x/{kind}/studio_000100/{n:05d}" for n in (1, 2, 3)] for kind in ("A", "N", "C")}
    values = [repr({"gen": three[kind], "ref": [f"x/{kind}/studio_000101/00004"]}) for kind in ("A", "N", "C")]
    text = "A_paths,B_paths_noise,B_paths_clean\n" + ",".join(f'"{value}"' for value in values) + "\n"
    path.write_text(text)
    (clip,) = dataset.listed(path)
    assert torch.equal(clip.frames, Videos("test")[0].frames[1:4])
    assert torch.equal(clip.joints_clean, Videos("test")[0].joints_clean[1:4])
    assert torch.equal(clip.source, Videos("test")[1].frames[4])
    path.write_text(text.replace("studio_000100", "other"))
    with pytest.raises(DataError, match=r"1 x row that does not fit\n.*row 1: no video 'other'"):
        dataset.listed(path)
    path.write_text(text.replace("00002", "00007"))
    with pytest.raises(DataError, match="no frame 7 in video"):
        dataset.listed(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text.replace("A_paths", "A"), "no column A_paths"),
        (lambda text: text.replace("'gen'", "__import__('os').getcwd()", 1), "line 2: A_paths is no Python literal"),
        (lambda text: text.replace("'ref'", "'reference'"), "no list 'ref'"),
        (lambda text: text.replace("'train_A/studio_000100/00004.png'", "7", 1), "no list 'gen'"),
        (lambda text: text.replace(", 'train_A/studio_000100/00004.png'", "", 1), "lists 'gen', got 4, 5, 5 paths"),
        (lambda text: text.replace("00003.json", "last.json"), "with a number in the file's name"),
    ],
)
def test_damaged_lists_are_refused(tmp_path, change, words):
    path = export_test_list(Videos("test"), tmp_path / "list.csv")
    path.write_text(change(path.read_text()))
    with pytest.raises(DataError) as caught:
        read_test_list(path)
    assert words in str(caught.value)
    with pytest.raises(FileNotFoundError, match="no test list"):
        read_test_list(tmp_path / "nowhere.csv")
