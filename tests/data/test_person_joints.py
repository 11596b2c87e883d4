"""The joints of one person: files of all kinds agree, the largest is taken, the pose extra looks again and again."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from pose_stand_in import absent, landmarks, pretend
from skimage import data
from test_pose_files import write
from test_skeletons import joints

from repro.data import DataError
from repro.data.annotations import HEADER
from repro.data.person_joints import MOST, detect_person, file_and_row, read_person
from repro.data.pose_extra import MissingExtra

OPENPOSE = torch.from_numpy(joints("openpose18"))


def flat(places):
    """One person of a JSON file."""
    return {"pose_keypoints_2d": np.column_stack([places[:, ::-1], np.ones(len(places))]).ravel().tolist()}


def csv(path, **people):
    """The authors' csv; ``a`` is the row of a.jpg."""
    rows = [[json.dumps(one[:, axis].astype(int).tolist()) for axis in (0, 1)] for one in people.values()]
    lines = [f"{name}.jpg: {y}: {x}" for name, (y, x) in zip(people, rows)]
    return write(path, "\n".join([HEADER, *lines, ""]))


@pytest.mark.parametrize(
    ("text", "file", "row"),
    [
        ("a/b.csv:c.jpg", "a/b.csv", "c.jpg"),
        ("a.csv", "a.csv", ""),
        ("a.json", "a.json", ""),
        ("a:b.jpg", "a:b.jpg", ""),
    ],
)
def test_a_row_follows_the_file(text, file, row):
    found = file_and_row(text)
    assert (str(found[0]), found[1]) == (file, row)


class TestFile:
    @pytest.mark.parametrize("layout", ["body25", "openpose18", "coco17", "human36m17"])
    def test_every_layout_becomes_openposes_18(self, tmp_path, layout):
        """COCO's neck is made of its shoulders; Human3.6M has no eyes and ears."""
        path = write(tmp_path / "one.json", {"people": [flat(joints(layout))]})
        for given in (None, layout):
            found, notes = read_person(path, layout=given)
            known = 14 if layout == "human36m17" else 18
            assert torch.equal(found[:known], OPENPOSE[:known])
            assert (found[known:] == -1).all()
            assert notes == []

    def test_the_largest_is_taken_and_said(self, tmp_path):
        person = joints("openpose18")
        path = write(tmp_path / "all.json", {"people": [flat(person / 3), flat(person), flat(person / 2)]})
        found, notes = read_person(path)
        assert torch.equal(found, OPENPOSE)
        assert notes == ["3 people in all.json: the largest is taken"]

    def test_rows_of_a_csv(self, tmp_path):
        person = joints("openpose18")
        one, more = csv(tmp_path / "one.csv", a=person), csv(tmp_path / "more.csv", a=person / 2, me=person)
        for path, name in ((one, ""), (one, "a.jpg"), (more, "me.jpg")):
            assert torch.equal(read_person(path, name)[0], OPENPOSE)
        with pytest.raises(
            ValueError, match=r"say which row is meant \(`more.csv:NAME`\): it has 2, among them a.jpg, me"
        ):
            read_person(more)
        with pytest.raises(ValueError, match=r"no row for mee.jpg .* among them me.jpg"):
            read_person(more, "mee.jpg")

    @pytest.mark.parametrize(
        ("content", "error", "message"),
        [
            ({"people": []}, DataError, "nobody"),
            ([{"people": [flat(joints("coco17"))]}] * 2, ValueError, "one photograph, got 2 frames"),
            ({"people": [flat(np.full((16, 2), 9.0))]}, ValueError, r"one\.json: expected joints of one of .* got 16"),
            ({"people": [{"pose_keypoints_2d": [1.0, 2.0]}]}, DataError, "expected x, y, score of each joint"),
        ],
    )
    def test_what_is_no_pose_is_refused(self, tmp_path, content, error, message):
        with pytest.raises(error, match=message):
            read_person(write(tmp_path / "one.json", content))

    def test_a_layout_that_does_not_fit(self, tmp_path):
        path = write(tmp_path / "one.json", {"people": [flat(joints("coco17"))]})
        with pytest.raises(ValueError, match=r"one\.json: expected body25 joints"):
            read_person(path, layout="body25")
        with pytest.raises(ValueError, match="unknown joint layout 'coco'"):
            read_person(path, layout="coco")


class TestPoseExtra:
    @pytest.fixture
    def picture(self, tmp_path):
        Image.new("RGB", (40, 60)).save(tmp_path / "me.png")
        return tmp_path / "me.png"

    def test_without_it_the_message_says_what_to_do(self, picture, monkeypatch):
        absent(monkeypatch)
        with pytest.raises(MissingExtra, match=r"pose extra.*`make env POSE=1`.*--source-pose"):
            detect_person(picture)

    def test_landmarks_become_joints(self, picture, monkeypatch):
        """In 40 x 60 pixels landmark i is column i + 1 - 0.5, row 1.5 (i + 1) - 0.5."""
        marks = landmarks(_16={"visibility": 0.4}, _28={"y": 1.01}, _12={"x": 0.2})
        asked = pretend(monkeypatch, [marks, None])
        found, notes = detect_person(picture)
        assert asked == [(True, 1), (60, 40, 3), (60, 40, 3), "closed"]
        assert notes == []
        assert found[0].tolist() == [1.0, 0.5]  # nose
        assert found[[15, 14, 17, 16]].tolist() == [[4.0, 2.5], [8.5, 5.5], [11.5, 7.5], [13.0, 8.5]]  # eyes, ears
        assert found[[5, 2]].tolist() == [[17.5, 11.5], [19.0, 7.5]]  # shoulders
        assert found[1].tolist() == [18.25, 9.5]  # the neck between them
        assert found[[4, 10]].tolist() == [[-1, -1], [-1, -1]]  # not seen; outside the picture

    def test_the_largest_of_several_is_taken_and_those_found_are_hidden(self, picture, monkeypatch):
        Image.effect_noise((40, 60), 90).convert("RGB").save(picture)
        seen = []
        pretend(monkeypatch, iter(lambda: None, 0))
        from mediapipe.python.solutions import pose

        answers = iter([landmarks(80), landmarks(40), landmarks(120), None])

        def process(self, pixels):
            seen.append(pixels.copy())
            marks = next(answers)
            return type("Found", (), {"pose_landmarks": marks and type("List", (), {"landmark": marks})})

        monkeypatch.setattr(pose.Pose, "process", process)
        found, notes = detect_person(picture)
        assert found[0].tolist() == [1.0, 0.5]
        assert notes == ["3 people in me.png: the largest is taken"]
        # The second look lacks the first person's box, its upper left, and nothing else.
        changed = (seen[1] != seen[0]).any(-1)
        assert changed[:20, :13].mean() > 0.9
        assert not changed[26:].any()
        assert not changed[:, 17:].any()

    def test_a_detector_that_never_ends(self, picture, monkeypatch):
        pretend(monkeypatch, [landmarks()] * MOST)
        assert detect_person(picture)[1] == [f"{MOST} people in me.png: the largest is taken"]

    def test_leftovers_that_look_like_somebody_head_down_do_not_count(self, picture, monkeypatch):
        over, faceless = landmarks(60, _0={"y": 0.9}), landmarks(60, _0={"visibility": 0.0})
        for leftover in (over, faceless):
            pretend(monkeypatch, [landmarks(), leftover])
            assert detect_person(picture)[1] == []
        pretend(monkeypatch, [landmarks(_0={"y": 0.9}), None])  # the first may stand on their hands
        assert detect_person(picture)[0][0].tolist() == [53.5, 0.5]

    def test_joints_count_the_photographs_own_pixels(self, tmp_path, monkeypatch):
        """8192 x 64 pixels are decoded at a quarter: landmark 0 at 1/40 of the width is column 8192 / 40 - 0.5."""
        Image.new("L", (8192, 64)).save(tmp_path / "wide.jpg")
        asked = pretend(monkeypatch, [landmarks(), None])
        found, _ = detect_person(tmp_path / "wide.jpg")
        assert asked[1] == (16, 2048, 3)
        assert found[0].tolist() == pytest.approx([64 / 40 - 0.5, 8192 / 40 - 0.5])

    def test_the_real_extra_finds_both_of_two_people(self, tmp_path):
        """The portrait that comes with scikit-image beside a half of its size: the large one is taken."""
        pytest.importorskip("mediapipe")
        large = Image.fromarray(data.astronaut())
        both = Image.new("RGB", (768, 512), "white")
        both.paste(large.reduce(2), (0, 256))
        both.paste(large, (256, 0))
        both.save(tmp_path / "both.png")
        found, notes = detect_person(tmp_path / "both.png")
        assert notes == ["2 people in both.png: the largest is taken"]
        assert np.linalg.norm(found[0].numpy() - (127, 256 + 226)) < 20  # the nose

    def test_nobody(self, picture, monkeypatch):
        lone = landmarks(**{f"_{index}": {"visibility": 0.0} for index in range(1, 33)})
        for answer in (None, lone):
            pretend(monkeypatch, [answer])
            with pytest.raises(ValueError, match=r"me\.png: nobody was found: give the joints as a file"):
                detect_person(picture)
