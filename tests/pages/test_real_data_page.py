"""The page of the real sets: manifests told in full, differences with known answers, exports that come back equal."""

import matplotlib.pyplot as plt
import pytest
import torch

from repro.data import Clip, MotionSequence, Pair, load, manifests
from repro.data.studio.skeleton import Pose
from repro.pages import real_data
from repro.pages.studio import Sitter


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.mark.parametrize("name", manifests.names())
def test_a_card_tells_everything_in_the_manifest(name):
    known, text = manifests.manifest(name), real_data.card(name).data
    plain = text.replace("&#x27;", "'").replace("&quot;", '"').replace("&amp;", "&")
    for words in (known.title, known.paper, known.source, known.licence, *known.steps, *known.imitated_by):
        assert words in plain
    for entry in known.files:
        assert all(pattern in plain for pattern in entry.path)
        assert entry.what in plain
        assert entry.count is None or f"{entry.count:,}" in plain
    assert plain.count("unverified") >= sum(not entry.verified for entry in known.files)


def test_every_real_set_is_in_the_table():
    table = real_data.glance()
    assert tuple(table.index) == manifests.names()
    assert table.loc["iper_real", "stands in"] == "iper"
    assert table.loc["cmu_mocap", "train"] == "-"


def pair(value: float, joint: float = 3.0) -> Pair:
    return Pair(torch.full((3, 4, 4), value), torch.zeros(3, 4, 4), torch.full((18, 2), joint), torch.ones(18, 2), 0)


class TestDifferences:
    def test_of_pairs(self):
        assert real_data.differences([pair(0.5), pair(0.2)], [pair(0.5), pair(0.45)]) == (pytest.approx(0.25), 0.0)
        assert real_data.differences([pair(0.5)], [pair(0.5, joint=5.0)]) == (0.0, 2.0)

    def test_of_clips_without_masks(self):
        joints, frames = torch.ones(2, 17, 2), torch.zeros(2, 3, 4, 4)
        one = Clip(frames, joints, joints, frames[0], joints[0], 0, 25.0)
        other = Clip(frames, joints + 0.5, joints, frames[0], joints[0], 0, 25.0)
        assert real_data.differences([one], [other]) == (0.0, 0.5)

    def test_of_skeletons_without_pictures(self):
        joints, valid = torch.ones(5, 17, 2), torch.ones(5, 17, dtype=torch.bool)
        one, other = (
            MotionSequence(clean=joints, noisy=joints + far, valid=valid, fps=50.0, subject="S1", action="wave 1")
            for far in (0.0, 1.0)
        )
        pictures, places = real_data.differences([one], [other])
        assert pictures != pictures  # nan: there are none
        assert places == 1.0

    def test_refusals(self):
        with pytest.raises(ValueError, match="2 and 1"):
            real_data.differences([pair(0), pair(0)], [pair(0)])
        small = pair(0)
        small.source = torch.zeros(3, 2, 2)
        with pytest.raises(ValueError, match="source of example 0"):
            real_data.differences([pair(0)], [small])


def test_the_first_examples_of_a_set_are_a_set():
    some = real_data.First(["a", "b", "c"], 2)
    assert (len(some), list(some), some.index("c")) == (2, ["a", "b"], 2)


def test_a_round_trip_is_equal(tmp_path):
    line = real_data.round_trip(load("fashion", "test", size=(32, 24), scale="tiny"), "deepfashion", tmp_path)
    assert (line["examples"], line["problems found"], line["pictures differ by"]) == (72, 0, 0.0)
    # Files hold whole numbers inside the picture: a joint in the outer half of the outermost pixel comes back on it.
    assert 0 < line["joints, landmarks, codes differ by"] <= 0.5


def test_what_a_check_says_names_no_folder_of_this_machine(tmp_path):
    (tmp_path / "train").mkdir()
    text = real_data.said(manifests.audit("deepfashion", tmp_path))
    assert str(tmp_path) not in text
    assert text.startswith("deepfashion in DIR:")


def test_three_layouts_of_joints_are_drawn_and_named():
    figure = real_data.skeletons(Sitter.invite("train", 3, detail="low"), Pose())
    numbers = [[text.get_text() for text in ax.texts] for ax in figure.axes]
    assert [len(own) for own in numbers] == [18, 17, 17]
    assert numbers[0] == [str(number) for number in range(18)]
    names = real_data.joint_names()
    assert names.shape == (18, 3)
    assert names.loc[4].tolist() == ["right wrist", "right ear", "left hip"]
    assert names.loc[17].tolist()[1:] == ["-", "-"]
