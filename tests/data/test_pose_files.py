"""Pose files of detectors: every form that is understood, people who come and go, and damage named with its place."""

import json

import numpy as np
import pytest

from repro.data.pose_files import read_pose_file, read_pose_folder
from repro.data.problems import DataError


def person(start=10.0, count=17, score=0.9, **extra):
    """x = start, start + 1, ...; y is 100 more."""
    values = [value for joint in range(count) for value in (start + joint, start + joint + 100, score)]
    return {"pose_keypoints_2d": values, **extra}


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def folder(place, frames):
    for name, content in frames.items():
        write(place / name, content)
    return place


def test_one_thing_and_several_are_counted_in_words(tmp_path):
    for count, words in ((1, "1 thing is wrong"), (2, "2 things are wrong")):
        path = write(tmp_path / "poses.json", [{"people": [{}]}] * count)
        with pytest.raises(DataError, match=f"{words} with these poses"):
            read_pose_file(path)
    with pytest.raises(IsADirectoryError, match=f"no file {tmp_path}: it is a folder, give a file in it"):
        read_pose_file(tmp_path)


class TestFolder:
    def test_frames_follow_their_numbers(self, tmp_path):
        starts = {"a_2_keypoints.json": 20.0, "a_10_keypoints.json": 40.0, "a_1_keypoints.json": 10.0}
        found = read_pose_folder(folder(tmp_path, {name: {"people": [person(at)]} for name, at in starts.items()}))
        # 3 of the 10 numbers are there: they count something else, so nothing lies between them.
        assert [frame[0][0].tolist() for frame in found.people] == [[110, 10], [120, 20], [140, 40]]
        assert found.fps is None

    def test_a_number_left_out_is_a_frame_with_nobody(self, tmp_path):
        names = [f"dance2_{number:06d}_keypoints.json" for number in (7, 8, 10)]
        found = read_pose_folder(folder(tmp_path, {name: {"people": [person()]} for name in names}))
        assert [len(frame) for frame in found.people] == [1, 1, 0, 1]

    def test_zero_low_score_and_minus_one_are_missing(self, tmp_path):
        given = person(10.0, 18)
        given["pose_keypoints_2d"][:9] = [0, 0, 0, -1, -1, 0.9, 5, 6, 0.05]
        found = read_pose_folder(folder(tmp_path, {"0.json": {"people": [given, {"keypoints": [0, 0, 0] * 18}]}}))
        (joints,) = found.people[0]  # of the second person nothing was found
        assert (joints[:3] == -1).all()
        assert joints[3].tolist() == [113, 13]

    def test_all_damaged_files_are_named_with_their_place(self, tmp_path):
        whole = {"people": [person()]}
        frames = {f"f{number}.json": whole for number in range(6)}
        frames["f2.json"] = '{"people": [\n{"pose_keypoints_2d": [1,'
        frames["f3.json"] = {"people": [{"pose_keypoints_2d": [1.0, 2.0]}]}
        frames["f4.json"] = {"people": [{"pose_keypoints_2d": [1.0, 2.0, True] * 17}]}
        frames["f5.json"] = {"persons": []}
        with pytest.raises(DataError) as refused:
            read_pose_folder(folder(tmp_path, frames))
        text = str(refused.value)
        assert [problem.kind for problem in refused.value.problems] == [
            "damaged JSON",
            "no joints",
            "no joints",
            "no people",
        ]
        assert "f2.json: line 2 column 26" in text
        assert "f3.json: expected x, y, score of each joint in pose_keypoints_2d or keypoints, got 2 values" in text
        assert '{"people": []} holds the pose of the frame before' in text

    def test_no_files(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"expected a folder of OpenPose files"):
            read_pose_folder(tmp_path)

    @pytest.mark.parametrize(
        ("second", "message"),
        [
            ({"people": [person(count=25)]}, "frame 1: 25 instead of 17"),
            ({"people": []}, None),
        ],
    )
    def test_one_number_of_joints(self, tmp_path, second, message):
        place = folder(tmp_path, {"0.json": {"people": [person()]}, "1.json": second})
        if message is None:
            assert [len(frame) for frame in read_pose_folder(place).people] == [1, 0]
        else:
            with pytest.raises(DataError, match=message):
                read_pose_folder(place)

    def test_parts_of_the_picture_and_nobody_are_refused(self, tmp_path):
        small = {"people": [{"pose_keypoints_2d": [0.5, 0.9, 1.0] * 17}]}
        with pytest.raises(DataError, match="pixels are needed"):
            read_pose_folder(folder(tmp_path, {"0.json": small}))
        with pytest.raises(DataError, match="no person in 1 frames"):
            read_pose_folder(folder(tmp_path, {"0.json": {"people": []}}))


class TestFile:
    FRAMES = ({"people": [person()]}, {"people": []}, {"people": [person(30.0), person(50.0)]})

    @pytest.mark.parametrize(
        ("content", "fps"),
        [
            (list(FRAMES), None),
            ({"frames": list(FRAMES), "fps": 30}, 30),
            ({"b10.jpg": FRAMES[2], "b8.jpg": FRAMES[0], "b9.jpg": FRAMES[1]}, None),
            (
                [
                    {"image_id": "9.jpg", "keypoints": person(30.0)["pose_keypoints_2d"], "score": 2.0},
                    {"image_id": "9.jpg", "keypoints": person(50.0)["pose_keypoints_2d"], "score": 1.0},
                    {"image_id": "7.jpg", "keypoints": person()["pose_keypoints_2d"], "score": 3.0},
                ],
                None,
            ),
        ],
        ids=["list", "frames", "by name", "alphapose"],
    )
    def test_all_forms_hold_the_same_clip(self, tmp_path, content, fps):
        found = read_pose_file(write(tmp_path / "poses.json", content))
        assert found.fps == fps
        assert [[joints[0].tolist() for joints in frame] for frame in found.people] == [
            [[110, 10]],
            [],
            [[130, 30], [150, 50]],
        ]

    def test_a_single_frame(self, tmp_path):
        found = read_pose_file(write(tmp_path / "one.json", self.FRAMES[0]))
        np.testing.assert_array_equal(found.people[0][0][:2], [[110, 10], [111, 11]])
        assert len(found.people) == 1

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("", "line 1 column 1"),
            ('[{"people": []},\n {"people": [}]', "line 2 column 14"),
            ("[]", "an empty list"),
            ("[1]", "a list of people or frames"),
            ('{"a": 1}', "neither people nor frames"),
            ('{"frames": 3}', "a list of frames"),
            ('{"frames": [], "fps": 0}', "fps above 0"),
            (json.dumps([FRAMES[0], {"people": [{}]}]), "poses.json, frame 1: expected x, y, score"),
            (json.dumps([{"people": [{"keypoints": [1e400] * 3}]}]), "values that are not finite"),
            ('[{"people": [{"keypoints": [' + "9" * 400 + ", 2, 3]}]}]", "values that are not finite"),
            ("[" * 100_000, "damaged JSON"),
        ],
    )
    def test_damage_is_named_with_its_place(self, tmp_path, content, message):
        with pytest.raises(DataError) as refused:
            read_pose_file(write(tmp_path / "poses.json", content))
        assert message in str(refused.value)
        assert "Expected {" in str(refused.value)
