"""Motions of any kind as one person's track: held gaps, counted findings, captured motion, the pose extra."""

import json

import numpy as np
import pytest
import torch
from captures import t_pose_file
from pose_stand_in import absent, landmarks, pretend
from test_pose_files import person, write
from test_skeletons import joints

from repro.data import DataError
from repro.data.captured_track import captured_track, read_capture
from repro.data.motion_source import read_motion
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


class TestPoseExtra:
    @pytest.fixture
    def video(self, tmp_path):
        write_video(tmp_path / "me.mp4", iter([torch.zeros(3, 60, 40, dtype=torch.uint8)] * 3), 12.5)
        return tmp_path / "me.mp4"

    def test_without_it_the_message_says_what_to_do(self, video, monkeypatch):
        absent(monkeypatch)
        with pytest.raises(MissingExtra, match=r"pose extra.*`make env POSE=1`.*give the joints as a file"):
            read_motion(video)

    def test_a_video_is_followed_and_frames_with_nobody_are_held(self, video, monkeypatch):
        asked = pretend(monkeypatch, [landmarks(), None, landmarks()])
        found = read_motion(video)
        assert asked == [(False, 1), *[(60, 40, 3)] * 3, "closed"]
        assert (len(found), found.fps) == (3, 12.5)
        assert "nobody was found in 1 frame (1): the pose before is held" in found.notes
        pretend(monkeypatch, [None] * 3)
        with pytest.raises(ValueError, match="nobody was found in its 3 frames"):
            read_motion(video)
