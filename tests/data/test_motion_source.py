"""Motions of any kind as one person's track: held gaps, counted findings, captured motion, the pose extra."""

import json
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from captures import t_pose_file
from PIL import Image
from test_pose_files import person, write
from test_skeletons import joints

from repro.data import DataError
from repro.data.annotations import HEADER
from repro.data.captured_track import captured_track, read_capture
from repro.data.motion_source import detect_source_joints, read_motion, read_source_joints
from repro.data.pose_extra import MissingExtra
from repro.data.pose_files import Detections
from repro.data.studio.skeleton import HUMAN36M_17
from repro.data.tracking import track
from repro.data.video_file import write_video

COCO = joints("coco17")


def frames(count=6):
    """The person drifts by two pixels a frame."""
    return [[COCO + np.array([0.0, 2.0 * number])] for number in range(count)]


def place(name):
    return HUMAN36M_17.index(name)


class TestTrack:
    def test_gaps_are_held_and_counted(self):
        people = frames()
        people[2] = []
        people[0] = [np.where(np.arange(17)[:, None] == 9, -1, people[0][0])]  # left wrist, found later
        people[4] = [np.where(np.arange(17)[:, None] == 10, -1, people[4][0])]  # right wrist, found before
        found = track(Detections(people, 30.0))
        assert found.fps == 30.0
        assert torch.equal(found.joints[2], found.joints[1].where(found.joints[1] != -1, found.joints[3]))
        left, right = found.joints[:, place("left_wrist")], found.joints[:, place("right_wrist")]
        assert left[0].tolist() == left[1].tolist() == [68, 68]
        assert right[4].tolist() == right[3].tolist() == [68, 40]
        assert found.detected[:, 9].tolist() == left.tolist()
        assert found.detected[4, 10].tolist() == [68, 40]
        assert found.notes == [
            "6 frames of coco17 joints (recognised)",
            "nobody was found in 1 frame (2): the pose before is held",
            "2 single joints were not found: they stay where they were",
        ]

    def test_joints_of_human36m_are_of_no_detector(self):
        found = track(Detections([[joints("human36m17")]] * 3))
        assert found.detected is None
        assert torch.equal(found.joints, torch.from_numpy(joints("human36m17")).expand(3, 17, 2))

    def test_joints_that_are_never_found_are_not_invented(self):
        people = [[np.where(np.arange(17)[:, None] >= 13, -1, one)] for (one,) in frames()]
        found = track(Detections(people))
        gone = torch.tensor([name.endswith(("knee", "ankle")) for name in HUMAN36M_17])
        assert torch.equal((found.joints == -1).all(-1), gone.expand(6, 17))
        assert found.notes[1:] == ["4 of 17 joints were never found: they are not drawn"]

    def test_one_person_is_followed_through_a_crowd(self):
        """A smaller person stands first in the list, and a larger one comes in later on."""
        people = [[COCO / 2 + 200, one] for (one,) in frames()]
        people[3].append(COCO * 3)
        found = track(Detections(people))
        assert torch.equal(found.joints, track(Detections(frames())).joints)
        assert found.notes[1].startswith("several people in 6 frames (0, 1, 2, 3, 4, ...)")

    def test_exchanged_sides_are_said_and_left(self):
        people = frames(8)
        mirror = [0, *(joint + 1 if joint % 2 else joint - 1 for joint in range(1, 17))]
        people[3] = [people[3][0][mirror]]
        found = track(Detections(people), "coco17")
        assert found.notes == [
            "8 frames of coco17 joints",
            "left and right look exchanged from one frame to the next at 2 frames (3, 4): not changed",
        ]
        assert found.joints[3, place("left_ankle")].tolist() == [130, 50]


class TestReadMotion:
    def test_folder_and_file_agree(self, tmp_path):
        (tmp_path / "poses").mkdir()
        content = [{"people": [person(start)]} for start in (10.0, 12.0, 15.0)]
        for number, frame in enumerate(content):
            write(tmp_path / "poses" / f"{number}.json", frame)
        write(tmp_path / "poses.json", {"frames": content, "fps": 12.5})
        one, other = (read_motion(tmp_path / name, "coco17") for name in ("poses", "poses.json"))
        assert torch.equal(one.joints, other.joints)
        assert (one.fps, other.fps) == (None, 12.5)

    @pytest.mark.parametrize(
        ("name", "content", "error", "message"),
        [
            ("none.json", None, FileNotFoundError, "a folder of OpenPose files, poses.json, a .bvh file"),
            ("walk.fbx", "", ValueError, "or a video, got 'walk.fbx'"),
            ("short.json", json.dumps([{"people": [person()]}]), ValueError, "at least 2 frames, got 1"),
            ("damaged.bvh", "HIERARCHY\nROOT", DataError, "expected the name of a joint"),
            ("empty.mp4", "", DataError, "empty file"),
            ("no_video.mp4", "no video", DataError, "damaged video"),
        ],
    )
    def test_what_is_no_motion_is_refused(self, tmp_path, name, content, error, message):
        if content is not None:
            write(tmp_path / name, content)
        with pytest.raises(error, match=message):
            read_motion(tmp_path / name)

    def test_a_captured_arm_rises_where_the_viewer_sees_it(self, tmp_path):
        """From a T pose the right arm goes down: on the viewer's left, from the shoulder's height to below it."""
        path = t_pose_file(tmp_path / "own.bvh", [{}, {"RightArm": (80, 0, 0)}])
        found = read_motion(path, fps=25.0)
        assert (found.fps, found.joints.shape) == (25.0, (2, 17, 2))
        wrist, shoulder = found.joints[:, place("right_wrist")], found.joints[:, place("right_shoulder")]
        left_wrist = found.joints[:, place("left_wrist")]
        assert wrist[0, 1] < shoulder[0, 1] < left_wrist[0, 1]
        assert abs(wrist[0, 0] - shoulder[0, 0]) < 10  # of 1000 rows: the arms of a T pose are level
        arm = float(shoulder[0, 1] - wrist[0, 1])
        assert float(wrist[1, 0] - shoulder[1, 0]) == pytest.approx(arm * np.sin(np.deg2rad(80)), rel=0.05)
        # Left arm and feet stay.
        torch.testing.assert_close(left_wrist[1], left_wrist[0], atol=2, rtol=0)
        torch.testing.assert_close(found.joints[1, 1:7], found.joints[0, 1:7], atol=2, rtol=0)

    def test_rates(self, tmp_path):
        capture = read_capture(t_pose_file(tmp_path / "own.bvh", [{}] * 26))
        assert (len(captured_track(capture)), len(captured_track(capture, 50.0))) == (26, 51)


class TestSourceJoints:
    def test_json_and_csv_agree(self, tmp_path):
        openpose = joints("openpose18")
        values = np.column_stack([openpose[:, ::-1], np.ones(18)]).ravel().tolist()
        small = {"pose_keypoints_2d": (np.array(values) / 3).tolist()}
        write(tmp_path / "one.json", {"people": [small, {"pose_keypoints_2d": values}]})
        rows = [json.dumps(openpose[:, axis].astype(int).tolist()) for axis in (0, 1)]
        write(tmp_path / "all.csv", f"{HEADER}\nme.jpg: {rows[0]}: {rows[1]}\n")
        found, notes = read_source_joints(tmp_path / "one.json", "photos/me.jpg")
        assert notes == ["2 people in one.json: the largest is taken"]
        assert torch.equal(found, torch.from_numpy(COCO))
        assert torch.equal(read_source_joints(tmp_path / "all.csv", "photos/me.jpg")[0], found)
        with pytest.raises(ValueError, match=r"no row for you\.jpg"):
            read_source_joints(tmp_path / "all.csv", "you.jpg")
        write(tmp_path / "two.json", [{"people": [small]}] * 2)
        with pytest.raises(ValueError, match="one photograph, got 2 frames"):
            read_source_joints(tmp_path / "two.json", "me.jpg")


class TestPoseExtra:
    @pytest.fixture
    def picture(self, tmp_path):
        Image.new("RGB", (40, 60)).save(tmp_path / "me.png")
        return tmp_path / "me.png"

    def pretend(self, monkeypatch, answers):
        """A stand-in for mediapipe: its landmarks are what ``answers`` yields, one picture after the other."""
        answers, asked = iter(answers), []

        class Pose:
            def __init__(self, static_image_mode, model_complexity):
                asked.append((static_image_mode, model_complexity))

            def process(self, picture):
                asked.append(picture.shape)
                marks = next(answers)
                return SimpleNamespace(pose_landmarks=marks and SimpleNamespace(landmark=marks))

            def close(self):
                asked.append("closed")

        module = ModuleType("mediapipe.python.solutions.pose")
        module.Pose = Pose
        monkeypatch.setitem(sys.modules, "mediapipe.python.solutions.pose", module)
        for name in ("mediapipe", "mediapipe.python", "mediapipe.python.solutions"):
            monkeypatch.setitem(sys.modules, name, ModuleType(name))
        return asked

    def marks(self, **changes):
        """Landmark i lies at (i + 1) / 40 of the width and height."""
        found = [SimpleNamespace(x=(i + 1) / 40, y=(i + 1) / 40, visibility=0.9) for i in range(33)]
        for index, change in changes.items():
            vars(found[int(index[1:])]).update(change)
        return found

    def test_without_it_the_message_says_what_to_do(self, picture, monkeypatch):
        monkeypatch.setitem(sys.modules, "mediapipe", None)
        with pytest.raises(MissingExtra, match=r"pose extra.*--source-pose"):
            detect_source_joints(picture)
        write_video(picture.with_suffix(".mp4"), iter([torch.zeros(3, 16, 16, dtype=torch.uint8)] * 2), 25)
        with pytest.raises(MissingExtra):
            read_motion(picture.with_suffix(".mp4"))

    def test_landmarks_become_joints(self, picture, monkeypatch):
        """In 40 x 60 pixels landmark i is column i + 1 - 0.5, row 1.5 (i + 1) - 0.5."""
        asked = self.pretend(monkeypatch, [self.marks(_16={"visibility": 0.4}, _28={"y": 1.01}, _12={"x": 0.2})])
        found = detect_source_joints(picture).tolist()
        assert asked == [(True, 1), (60, 40, 3), "closed"]
        assert found[0] == [1.0, 0.5]  # nose
        assert found[1:5] == [[4.0, 2.5], [8.5, 5.5], [11.5, 7.5], [13.0, 8.5]]  # eyes and ears, left first
        assert found[5:7] == [[17.5, 11.5], [19.0, 7.5]]  # shoulders
        assert found[10] == [-1, -1]  # not seen
        assert found[16] == [-1, -1]  # outside the picture

    def test_nobody(self, picture, monkeypatch):
        self.pretend(monkeypatch, [None])
        with pytest.raises(ValueError, match="nobody was found: give the joints with --source-pose"):
            detect_source_joints(picture)

    def test_a_video_is_followed_and_frames_with_nobody_are_held(self, picture, monkeypatch):
        write_video(picture.with_suffix(".mp4"), iter([torch.zeros(3, 60, 40, dtype=torch.uint8)] * 3), 12.5)
        asked = self.pretend(monkeypatch, [self.marks(), None, self.marks()])
        found = read_motion(picture.with_suffix(".mp4"))
        assert asked == [(False, 1), *[(60, 40, 3)] * 3, "closed"]
        assert (len(found), found.fps) == (3, 12.5)
        assert "nobody was found in 1 frame (1): the pose before is held" in found.notes
        self.pretend(monkeypatch, [None] * 3)
        with pytest.raises(ValueError, match="nobody was found in its 3 frames"):
            read_motion(picture.with_suffix(".mp4"))
