"""The page on own clips: files that the command reads back, a stop that is one, and errors worked out by hand."""

from types import SimpleNamespace

import pytest
import torch

from repro.data.clip import Clip
from repro.data.motion_source import read_motion
from repro.data.skeletons import to_human36m17
from repro.data.video_file import write_video
from repro.experiments.animation import Animator, animate, prepare
from repro.models import SequentialGFLA
from repro.pages import own_clip as page

SIDE = 64
PERSON = torch.tensor(
    [
        (8, 24), (7, 25), (7, 23), (8, 27), (8, 21), (16, 30), (16, 18), (26, 33), (26, 15), (35, 34), (35, 14),
        (36, 27), (36, 21), (50, 27), (50, 21), (62, 27), (62, 21),
    ],
    dtype=torch.float64,
)  # fmt: skip
"""COCO's 17 joints of somebody who stands in a picture of 64 x 64."""


def moving(frames=6, missing=()):
    """The person moves by half a pixel a frame to the right; some (frame, joint) were not found."""
    joints = PERSON + torch.tensor([0.0, 0.5], dtype=torch.float64) * torch.arange(frames)[:, None, None]
    for frame, joint in missing:
        joints[frame, joint] = -1
    return joints


def clip(joints, true=None):
    frames = torch.rand(len(joints), 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    return Clip(frames, joints if true is None else true, joints, frames[0], PERSON, 0, 25.0)


@pytest.fixture
def scene(tmp_path):
    pose = page.write_source(clip(moving()), tmp_path / "me.png")
    page.write_folder(moving(), tmp_path / "motion")
    return prepare(tmp_path / "me.png", tmp_path / "motion", SIDE, source_pose=pose, skeletons="given")


class TestFiles:
    def test_a_folder_and_a_file_hold_the_joints_and_their_gaps(self, tmp_path):
        joints = moving(missing=[(2, 9)])
        page.write_folder(joints, tmp_path / "motion")
        page.write_poses(joints, tmp_path / "poses.json", 12.5)
        one, other = (read_motion(tmp_path / name) for name in ("motion", "poses.json"))
        expected = moving()
        expected[2, 9] = expected[1, 9]  # held
        for found in (one, other):
            torch.testing.assert_close(found.detected, expected)
        assert (one.fps, other.fps) == (None, 12.5)

    def test_the_source_is_read_as_it_was(self, scene):
        assert scene.notes[0] == "18 of 18 joints of the person in me.png"
        own = clip(moving()).source
        assert (scene.photograph.image - own).abs().max() <= 0.5 / 255 + 1e-6
        torch.testing.assert_close(scene.source_joints, PERSON)

    def test_a_single_outlier_is_gone_and_a_gap_filled(self, tmp_path):
        joints = moving(15, missing=[(3, 4)])
        joints[7, 10, 0] += 20
        page.write_folder(joints, tmp_path / "motion")
        page.smooth(tmp_path / "motion", tmp_path / "smooth.json", 25.0)
        found = read_motion(tmp_path / "smooth.json")
        assert found.fps == 25.0
        torch.testing.assert_close(found.detected[..., 0], moving(15)[..., 0])  # rows do not change
        middle = slice(6, 9)  # the ends of a Gaussian repeat the border
        torch.testing.assert_close(found.detected[middle], moving(15)[middle], atol=0.1, rtol=0)

    def test_what_nobody_detected_is_not_smoothed(self, tmp_path):
        page.write_folder(moving(missing=[(frame, 3) for frame in range(6)]), tmp_path / "never")
        page.write_folder(torch.from_numpy(to_human36m17(moving().numpy(), "coco17")), tmp_path / "true")
        for name in ("never", "true"):
            with pytest.raises(ValueError, match="expected a detector's joints"):
                page.smooth(tmp_path / name, tmp_path / "smooth.json", 25.0)


def test_frames_of_a_video(tmp_path):
    shades = [torch.full((3, 32, 48), shade, dtype=torch.uint8) for shade in (0, 100, 255)]
    write_video(tmp_path / "clip.gif", iter(shades), 10)
    found = page.video_frames(tmp_path / "clip.gif")
    assert found.shape == (3, 3, 32, 48)
    assert [round(255 * frame.mean().item()) for frame in found] == [0, 100, 255]


def test_skeletons_are_those_that_the_network_gets(scene):
    drawn = page.drawn_skeletons(scene, 2.0)
    assert drawn.shape == (6, 3, SIDE, SIDE)
    assert torch.equal(255 * drawn[4], scene.pose(4, 2.0)[0, 17:])
    assert drawn.max() == 1


def test_a_stopped_run_has_its_frames_and_goes_on_to_the_same_ones(scene, tmp_path):
    network = SequentialGFLA.preset(0.0625, init_gain=1.0, seed=0).eval().requires_grad_(False)
    animator = Animator(network, SIDE, 2.0, "tiny")
    one, other = tmp_path / "one.gif", tmp_path / "other.gif"
    with pytest.raises(KeyboardInterrupt):
        animate(scene, page.stopped(animator, 2), one)
    assert (len(page.frame_files(one)), one.exists()) == (2, False)
    for file in (one, other):
        animate(scene, animator, file)
    assert len(page.frame_files(one)) == 6
    assert page.frame_files(one) == page.frame_files(other)


def test_errors_by_hand(tmp_path):
    """All joints two pixels too low: a place is off by 2, no acceleration is."""
    joints = moving()
    true = torch.from_numpy(to_human36m17(joints.numpy(), "coco17"))
    page.write_folder(joints + torch.tensor([2.0, 0.0]), tmp_path / "low")
    page.write_folder(joints, tmp_path / "right")
    motions = {name: (tmp_path / name, "given") for name in ("low", "right")}
    found = page.driven_by(clip(joints, true), motions, SIDE)
    assert found["low"] == pytest.approx((2, 0), abs=1e-9)
    assert found["right"] == pytest.approx((0, 0), abs=1e-9)


class TestRecords:
    def found(self, filtered=(6.0, 0.2)):
        scores = {"identity": (6.5, 3.6), "men_adaln": (7.0, 2.0), "median_gaussian": filtered}
        return [
            SimpleNamespace(row=row, seed=seed, metrics={"mpjpe_px": a + seed, "acceleration_px_frame2": b})
            for row, (a, b) in scores.items()
            for seed in (0, 1)
        ]

    def test_table(self):
        shown = page.cleaners(self.found(), dict.fromkeys(page.CLEANERS, (1.0, 0.25)))
        assert shown.loc["Motion Extraction Network"].tolist() == ["7.50 ± 0.71", "2.00 ± 0.00", "1.00", "0.25"]
        assert list(shown.index) == list(page.CLEANERS)
        assert page.cleaners([], dict.fromkeys(page.CLEANERS, (1.0, 0.25))).iloc[0].tolist()[:2] == ["–", "–"]

    def test_words(self):
        assert page.which_cleaner(self.found()).splitlines() == [
            "Error of acceleration: the filter does better than the network.",
            "Error of place: the filter does better than the network.",
        ]
        assert "place: the filter does worse" in page.which_cleaner(self.found((9.0, 0.2)))
        assert "no records" in page.which_cleaner([])
