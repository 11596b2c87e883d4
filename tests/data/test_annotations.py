"""Annotation files: sound ones to the letter, damaged ones counted and named."""

import json
import time

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.data.annotations import HEADER, read_annotations
from repro.data.problems import DataError

ROWS = list(range(18))
COLUMNS = list(range(100, 118))


def row(name="a.jpg", y=ROWS, x=COLUMNS):
    return f"{name}: {json.dumps(y)}: {json.dumps(x)}"


def write(path, *rows, header=HEADER):
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_rows_are_read_as_row_and_column(tmp_path):
    file = write(tmp_path / "a.csv", row(), row("b.jpg", y=[-1] * 18, x=[-1] * 18))
    names, joints = read_annotations(file)
    assert names == ["a.jpg", "b.jpg"]
    assert joints.shape == (2, 18, 2)
    assert joints.dtype == torch.float64
    assert joints[0, 3].tolist() == [3, 103]
    assert joints[1].eq(-1).all()


def test_the_header_names_the_columns(tmp_path):
    file = write(tmp_path / "a.csv", row(y=COLUMNS, x=ROWS), header="name:keypoints_x:keypoints_y")
    assert read_annotations(file)[1][0, 3].tolist() == [3, 103]


def test_windows_line_ends_a_byte_order_mark_and_blank_lines_do_no_harm(tmp_path):
    file = tmp_path / "a.csv"
    file.write_bytes(("\ufeff" + HEADER + "\r\n" + row() + "\r\n\r\n" + row("b.jpg") + "\r\n").encode())
    assert read_annotations(file)[0] == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize(
    ("damaged", "kind"),
    [
        (row("bad.jpg", y=ROWS[:17]), "wrong number of joints"),
        (row("bad.jpg", x=[*COLUMNS, 1]), "wrong number of joints"),
        (row("bad.jpg", y=[]), "wrong number of joints"),
        (row("bad.jpg", y=[float("nan"), *ROWS[1:]]), "not finite"),
        (row("bad.jpg", x=[float("inf"), *ROWS[1:]]), "not finite"),
        (row("bad.jpg", y=[10**400, *ROWS[1:]]), "not finite"),
        (row("bad.jpg", y=[None, *ROWS[1:]]), "not a list of numbers"),
        (row("bad.jpg", y=["3", *ROWS[1:]]), "not a list of numbers"),
        (row("bad.jpg", y="word"), "not a list of numbers"),
        (row("bad.jpg", y=[True, *ROWS[1:]]), "not a list of numbers"),
        ("bad.jpg: [1, 2, 3: [1, 2]", "not a list of numbers"),
        ("bad.jpg: " + "[" * 100_000 + ": []", "not a list of numbers"),
        ("bad.jpg: [1, 2, 3", "wrong number of fields"),
        ("bad.jpg," + json.dumps(ROWS) + "," + json.dumps(COLUMNS), "wrong number of fields"),
        (row(""), "no name"),
        (row("good.jpg"), "repeated name"),
    ],
)
def test_every_damage_is_named_with_its_line(tmp_path, damaged, kind):
    file = write(tmp_path / "people.csv", row("good.jpg"), damaged, row("also_good.jpg"))
    with pytest.raises(DataError, match=kind) as caught:
        read_annotations(file)
    assert "people.csv, line 3" in str(caught.value)
    assert "1 damaged of 3 rows" in str(caught.value)


def test_many_damages_are_counted_and_the_first_few_shown(tmp_path):
    short = [row(f"short{i}.jpg", y=ROWS[:-1]) for i in range(7)]
    file = write(tmp_path / "people.csv", row("good.jpg"), *short, row("good.jpg"))
    with pytest.raises(DataError) as caught:
        read_annotations(file)
    text = str(caught.value)
    assert "8 damaged of 9 rows" in text
    assert "7 x wrong number of joints" in text
    assert "1 x repeated name" in text
    assert "line 7" in text
    assert "line 8" not in text
    assert "and 2 more" in text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty file"),
        (b"\n \n", "empty file"),
        (HEADER.encode() + b"\n", "no rows"),
        (HEADER.replace(":", ",").encode() + b"\na.jpg,1,2\n", "','.*comma"),
        (HEADER.replace(":", ";").encode() + b"\na.jpg;1;2\n", "semicolon"),
        (row().encode(), "missing header"),
        (b"from,to\na.jpg,b.jpg\n", "wrong header"),
        (b"\xff\xd8\xff\xe0" + bytes(range(256)), "not text"),
    ],
)
def test_a_file_that_is_no_annotation_file_is_refused(tmp_path, content, words):
    (tmp_path / "file.csv").write_bytes(content)
    with pytest.raises(DataError, match=words):
        read_annotations(tmp_path / "file.csv")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.csv"):
        read_annotations(tmp_path / "nowhere.csv")


def test_a_few_joints_outside_are_kept_and_a_wrong_frame_is_refused(tmp_path):
    file = write(tmp_path / "a.csv", *(row(f"{i}.jpg") for i in range(20)), row("out.jpg", y=[-7, 300, *ROWS[2:]]))
    _, joints = read_annotations(file, annotation_size=(256, 118))
    assert joints[20, 0].tolist() == [-7, 100]
    assert joints[20, 1].tolist() == [300, 101]
    with pytest.raises(DataError, match=r"columns 100 to 117") as caught:
        read_annotations(file, annotation_size=(256, 110))
    assert "annotation_size" in str(caught.value)


numbers = st.one_of(st.integers(-1, 300), st.floats(-1, 300).map(lambda value: round(value, 3)))
lists = st.lists(numbers, min_size=18, max_size=18)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(lists, lists), min_size=1, max_size=5))
def test_what_was_written_is_read(tmp_path_factory, people):
    file = tmp_path_factory.mktemp("annotations") / "a.csv"
    write(file, *(row(f"{i}.jpg", y, x) for i, (y, x) in enumerate(people)))
    names, joints = read_annotations(file)
    assert names == [f"{i}.jpg" for i in range(len(people))]
    expected = torch.tensor(people, dtype=torch.float64).transpose(1, 2)
    assert torch.equal(joints, expected)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60), st.integers(0, 250), st.integers(1, 40))
def test_any_damage_ends_in_one_clear_error_or_a_sound_reading(tmp_path_factory, noise, start, length):
    """Whatever is pasted over a row: either the file still reads as sound rows, or a DataError names it."""
    sound = row("a.jpg")
    damaged = sound[:start] + noise + sound[start + length :]
    file = tmp_path_factory.mktemp("annotations") / "a.csv"
    file.write_text(f"{HEADER}\n{damaged}\n{row('b.jpg')}\n", encoding="utf-8", newline="")
    try:
        names, joints = read_annotations(file)
    except DataError as error:
        assert error.problems  # noqa: PT017
        assert "a.csv" in str(error)  # noqa: PT017
    else:
        assert joints.shape == (len(names), 18, 2)
        assert torch.isfinite(joints).all()


def test_twenty_thousand_rows_take_seconds(tmp_path):
    file = write(tmp_path / "market.csv", *(row(f"{i:06d}.jpg") for i in range(20_000)))
    start = time.perf_counter()
    names, joints = read_annotations(file, annotation_size=(128, 128))
    seconds = time.perf_counter() - start
    assert len(names) == len(joints) == 20_000
    assert seconds < 5
