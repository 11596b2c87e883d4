"""DeepFashion and Market-1501 on disk: names, frames, and everything that can be wrong with a folder."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from repro.data.annotations import HEADER
from repro.data.images import DamagedImage, damage, read_image
from repro.data.joints import heatmaps
from repro.data.layouts import LAYOUTS, deepfashion_identity, flatten_name, market_identity, read_exclusions, scan_pairs
from repro.data.problems import DataError
from repro.data.real import RealPairs, check

FASHION = [f"fashionWOMENDressesid{person:08d}01_{view}.jpg" for person in (7, 8) for view in ("1front", "2side")]


def picture(name, size=(256, 176)):
    seed = sum(name.encode())
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def folder(root, split="train", names=FASHION, spelling="fasion", pairs=None, rows=None, size=(256, 176), ids=None):
    """Write one sound split of the DeepFashion layout (or of Market's, by other arguments)."""
    (root / split).mkdir(parents=True)
    for name in names:
        # PNG content whatever the ending says: exact pixels for the comparisons below.
        Image.fromarray(picture(name, size)).save(root / split / name, format="PNG")
    if rows is None:
        rows = [f"{name}: {json.dumps(list(range(18)))}: {json.dumps(list(range(40, 58)))}" for name in names]
    (root / f"{spelling}-annotation-{split}.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    if pairs is None:
        pairs = [(names[0], names[1]), (names[1], names[0]), (names[2], names[3])]
    text = "\n".join(["from,to", *(",".join(pair) for pair in pairs)])
    (root / f"{spelling}-pairs-{split}.csv").write_text(text + "\n")
    return root


def rewrite(path, change):
    path.write_text(change(path.read_text()))


def test_the_documented_name_is_flattened():
    flat = flatten_name("img_highres/MEN/Denim/id_00000080/01_1_front.jpg")
    assert flat == "fashionMENDenimid0000008001_1front.jpg"
    assert deepfashion_identity(flat) == 80
    jacket = flatten_name("data/img_highres/MEN/Jackets_Vests/id_00002446/04_7_additional.jpg")
    assert jacket == "fashionMENJacketsVestsid0000244604_7additional.jpg"
    with pytest.raises(ValueError, match="img_highres"):
        flatten_name("img_highres/MEN/01_1_front.jpg")


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 99_999_999), st.integers(1, 99), st.sampled_from(["1_front", "2_side", "3_back", "7_additional"]))
def test_a_flat_name_keeps_the_identity(person, number, view):
    flat = flatten_name(f"img_highres/WOMEN/Tees_Tanks/id_{person:08d}/{number:02d}_{view}.jpg")
    assert deepfashion_identity(flat) == person
    assert flat.count("_") == 1


def test_market_names():
    assert market_identity("0161_c3s3_033053_04.jpg") == 161
    assert market_identity("-1_c5s3_086412_11.jpg") == -1
    assert market_identity("holiday.jpg") is None


@pytest.mark.parametrize("spelling", LAYOUTS["deepfashion"].spellings)
def test_every_spelling_is_read(tmp_path, spelling):
    dataset = RealPairs("deepfashion", "train", folder(tmp_path, spelling=spelling))
    assert len(dataset) == 3


def test_two_spellings_at_once_are_refused(tmp_path):
    folder(tmp_path)
    (tmp_path / "fashion-pairs-train.csv").write_text("from,to\n")
    with pytest.raises(DataError, match=r"fashion-pairs-train\.csv"):
        RealPairs("deepfashion", "train", tmp_path)


def test_images_are_resized_and_joints_scaled_with_them(tmp_path):
    dataset = RealPairs("deepfashion", "train", folder(tmp_path))
    pair = dataset[0]
    assert pair.source.shape == (3, 256, 256)
    expected = Image.fromarray(picture(FASHION[0])).resize((256, 256), Image.Resampling.BILINEAR)
    assert torch.equal(pair.source, torch.from_numpy(np.asarray(expected).copy()).permute(2, 0, 1) / 255)
    # column 50 of 176 -> 50 / 176 * 256 = 72.7, drawn at 72
    assert pair.source_joints[10].tolist() == [10, 50 / 176 * 256]
    assert torch.equal(
        pair.source_pose[10], heatmaps(torch.tensor([[10.0, 50.0]]), (256, 256), source_size=(256, 176))[0]
    )
    assert pair.source_pose[10].argmax() == 10 * 256 + 72
    assert pair.identity == 7
    assert dataset[2].identity == 8
    assert dataset.identity.tolist() == [7, 7, 8, 8]


def test_the_annotation_frame_and_the_size_are_the_users(tmp_path):
    root = folder(tmp_path)
    assert RealPairs("deepfashion", "train", root, annotation_size=(256, 256))[0].source_joints[0].tolist() == [0, 40]
    small = RealPairs("deepfashion", "train", root, size=(64, 64), sigma=2.0)[0]
    assert small.source.shape == (3, 64, 64)
    assert small.source_joints[17].tolist() == [17 / 4, 57 / 176 * 64]
    assert small.sigma == 2.0


def test_market_is_native_size(tmp_path):
    names = ["0002_c1s1_000451_03.jpg", "0002_c2s1_000301_01.jpg", "0007_c1s6_028546_01.jpg", "0007_c2s3_1_1.jpg"]
    root = folder(tmp_path, names=names, spelling="market", size=(128, 64))
    pair = RealPairs("market1501", "train", root)[0]
    assert pair.source.shape == (3, 128, 64)
    assert pair.source_joints[4].tolist() == [4, 44]
    assert torch.equal(pair.source, torch.from_numpy(picture(names[0], (128, 64))).permute(2, 0, 1) / 255)


def damaged(tmp_path, what):
    """Write a folder with one damage; return it and the words that must name it."""
    root = folder(tmp_path)
    annotation, pairs = root / "fasion-annotation-train.csv", root / "fasion-pairs-train.csv"
    first = root / "train" / FASHION[0]
    if what == "truncated image":
        first.write_bytes(first.read_bytes()[:-200])
        return root, ["1 x damaged image", FASHION[0]]
    if what == "image cut after some rows":
        first.write_bytes(first.read_bytes()[: first.stat().st_size // 2])
        return root, ["1 x damaged image", FASHION[0]]
    if what == "truncated jpeg":
        Image.fromarray(picture(FASHION[0])).save(first, format="JPEG")
        first.write_bytes(first.read_bytes()[:-500])
        return root, ["1 x damaged image", FASHION[0]]
    if what == "empty image":
        first.write_bytes(b"")
        return root, ["1 x damaged image", "empty file"]
    if what == "no image at all":
        first.write_text("hello")
        return root, ["1 x damaged image", FASHION[0]]
    if what == "missing image":
        first.unlink()
        return root, ["1 x missing image", FASHION[0]]
    if what == "unknown name":
        rewrite(annotation, lambda text: text.replace(FASHION[0], "other.jpg"))
        return root, ["1 x name in the pairs that has no annotation", FASHION[0]]
    if what == "wrong number of joints":
        rewrite(annotation, lambda text: text.replace("[0, 1, ", "[1, ", 1))
        return root, ["1 x wrong number of joints", "line 2"]
    if what == "self pair":
        rewrite(pairs, lambda text: text + f"{FASHION[0]},{FASHION[0]}\n")
        return root, ["1 x pair of an image with itself", "line 5"]
    if what == "repeated pair":
        rewrite(pairs, lambda text: text + f"{FASHION[0]},{FASHION[1]}\n")
        return root, ["1 x repeated pair", "line 2 already"]
    if what == "damaged pair":
        rewrite(pairs, lambda text: text + "a,b,c\n")
        return root, ["1 x damaged pair", "line 5"]
    if what == "identity in both splits":
        theirs = ["fashionMENDenimid0000000801_3back.jpg", "fashionMENDenimid0000000801_4full.jpg"]
        folder(root, "test", theirs, pairs=[(theirs[0], theirs[1])])
        return root, ["1 x identity in both splits", "identity 8", theirs[0]]
    raise AssertionError(what)


# What is damaged, and how many of the three pairs remain once it is excluded.
DAMAGES = {
    "truncated image": 1,
    "image cut after some rows": 1,
    "truncated jpeg": 1,
    "empty image": 1,
    "no image at all": 1,
    "missing image": 1,
    "unknown name": 1,
    "wrong number of joints": 1,
    "self pair": 3,
    "repeated pair": 3,
    "damaged pair": 3,
    "identity in both splits": 2,
}


@pytest.mark.parametrize(("what", "remaining"), DAMAGES.items())
def test_a_damage_is_counted_named_and_excluded_only_on_record(tmp_path, what, remaining):
    root, words = damaged(tmp_path / "data", what)
    with pytest.raises(DataError) as caught:
        RealPairs("deepfashion", "train", root)
    for word in words:
        assert word in str(caught.value)
    assert "exclude" in str(caught.value)

    report = check(root, "deepfashion")
    assert words[0] in str(report)
    listed = report.write(tmp_path / "exclude.txt")
    with pytest.warns(UserWarning, match=r"left out, as .*exclude\.txt says"):
        dataset = RealPairs("deepfashion", "train", root, exclude=listed)
    assert len(dataset) == remaining
    assert dataset.excluded == max(3 - remaining, 1)
    for pair in dataset:
        assert pair.source.shape == (3, 256, 256)


def test_several_damages_come_in_one_message(tmp_path):
    root, _ = damaged(tmp_path, "identity in both splits")
    (root / "train" / FASHION[0]).unlink()
    (root / "train" / FASHION[1]).write_bytes(b"")
    rewrite(root / "fasion-pairs-train.csv", lambda text: text + f"{FASHION[0]},{FASHION[0]}\n")
    with pytest.raises(DataError, match="4 things are wrong with deepfashion train"):
        RealPairs("deepfashion", "train", root)


def test_a_sound_folder_reports_no_problem(tmp_path):
    rows = [f"{name}: {json.dumps([-1] * 18)}: {json.dumps([-1] * 18)}" for name in FASHION]
    report = check(folder(tmp_path, rows=rows), "deepfashion")
    assert report.problems == []
    assert "4 people without a single joint" in str(report)
    assert len(RealPairs("deepfashion", "train", tmp_path)) == 3


def test_damage_in_the_middle_is_named_when_the_image_is_read(tmp_path):
    root = folder(tmp_path)
    path = root / "train" / FASHION[0]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    dataset = RealPairs("deepfashion", "train", root)
    with pytest.raises(DamagedImage, match=FASHION[0]):
        dataset[0]
    assert "1 x damaged image" in str(check(root, "deepfashion"))


def test_every_flipped_byte_of_a_png_is_seen(tmp_path):
    path = tmp_path / "person.png"
    Image.fromarray(np.full((16, 16, 3), 90, np.uint8)).save(path)
    whole = path.read_bytes()
    assert damage(path, decode=True) is None
    for place in range(8, len(whole) - 12):  # the last chunk, IEND, holds nothing
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(DamagedImage, match=r"person\.png: damaged image"):
            read_image(path)
        assert damage(path, decode=True)


def test_an_annotation_file_for_another_frame_is_refused(tmp_path):
    rows = [f"{name}: {json.dumps(list(range(18)))}: {json.dumps(list(range(180, 198)))}" for name in FASHION]
    root = folder(tmp_path, rows=rows)
    with pytest.raises(DataError, match=r"256x176"):
        RealPairs("deepfashion", "train", root)
    assert len(RealPairs("deepfashion", "train", root, annotation_size=(256, 256))) == 3


def test_missing_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        RealPairs("deepfashion", "train", tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"fasion-annotation-train\.csv, fashion-annotation-train\.csv"):
        RealPairs("deepfashion", "train", tmp_path)
    with pytest.raises(ValueError, match="choose one of train, test"):
        RealPairs("deepfashion", "validation", folder(tmp_path))
    with pytest.raises(IndexError):
        RealPairs("deepfashion", "train", tmp_path)[3]


def test_the_hash_follows_the_files(tmp_path):
    root = folder(tmp_path)
    first = RealPairs("deepfashion", "train", root)
    assert RealPairs("deepfashion", "train", root).hash == first.hash
    assert RealPairs("deepfashion", "train", root, size=(128, 128)).hash != first.hash
    rewrite(root / "fasion-annotation-train.csv", lambda text: text.replace("[0, 1, ", "[3, 1, ", 1))
    assert RealPairs("deepfashion", "train", root).hash != first.hash


def test_pairs_in_other_column_order_and_wrong_headers(tmp_path):
    file = tmp_path / "pairs.csv"
    file.write_text("to,from\nb.jpg,a.jpg\n\n")
    assert scan_pairs(file) == ([("a.jpg", "b.jpg")], [])
    for text in ("", "name:keypoints_y:keypoints_x\n", "from;to\na;b\n"):
        file.write_text(text)
        with pytest.raises(DataError, match="header"):
            scan_pairs(file)


def test_an_exclusion_list_with_unknown_entries_is_refused(tmp_path):
    file = tmp_path / "exclude.txt"
    file.write_text("# reason\nimage a.jpg\npair a.jpg,b.jpg\n")
    assert read_exclusions(file) == {"image a.jpg", "pair a.jpg,b.jpg"}
    file.write_text("a.jpg\n")
    with pytest.raises(ValueError, match="unknown form"):
        read_exclusions(file)
