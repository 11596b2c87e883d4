"""The interactive page: what a moved joint changes and what it must not, and that strips show what the sliders show."""

import io
import re

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from repro.data.joints import JOINTS, is_missing
from repro.experiments.generation import Generator
from repro.models import GFLA
from repro.pages.interactive import DPI, GESTURES, Controls, Stage, moved, strips
from repro.pages.strip import slider_strip

SIZE = (64, 64)


class Listener(nn.Module):
    """A network that remembers the structures it was given."""

    def __init__(self):
        super().__init__()
        self.network = GFLA.preset("fashion", 0.0625, init_gain=1.0, seed=0)

    def forward(self, source, source_pose, target_pose):
        self.heard = source_pose[0], target_pose[0]
        return self.network(source, source_pose, target_pose)


@pytest.fixture(scope="module")
def stage():
    return Stage.of(3, Generator(Listener().eval().requires_grad_(False), SIZE, 2.0, 1.0, "tiny"))


def heard(stage, joints):
    stage.ask(joints)
    return stage.generator.network.heard


def test_every_joint_is_there_at_the_start_and_the_pose_is_the_source_own(stage):
    start = stage.joints({})
    assert not is_missing(start).any()
    source_pose, target_pose = heard(stage, start)
    assert torch.equal(source_pose, target_pose)


@pytest.mark.parametrize("joint", JOINTS)
def test_a_moved_joint_changes_its_own_map_there_and_only_there(stage, joint):
    start, k = stage.joints({}), JOINTS.index(joint)
    _, before = heard(stage, start)
    source_pose, after = heard(stage, moved(start, {joint: (-5, 7)}, SIZE))
    others = [i for i in range(18) if i != k]
    assert torch.equal(after[others], before[others])
    assert torch.equal(source_pose, before), "the source's structure stays"
    peak = [divmod(int(maps[k].argmax()), 64) for maps in (before, after)]
    assert (peak[1][0] - peak[0][0], peak[1][1] - peak[0][1]) == (-5, 7)
    assert torch.equal(after[k, :59, 7:], before[k, 5:, :57]), "the same spot, elsewhere"


class TestMoved:
    JOINTS = torch.tensor([[10.0, 20.0]] * 17 + [[-1.0, -1.0]], dtype=torch.float64)

    def test_by_hand(self):
        assert moved(self.JOINTS, {"nose": (3, -4)}, SIZE)[:2].tolist() == [[13, 16], [10, 20]]

    def test_it_stays_in_the_picture_and_present(self):
        assert moved(self.JOINTS, {"nose": (-40, 90)}, SIZE)[0].tolist() == [0, 63]

    def test_what_is_missing_cannot_be_moved(self):
        assert moved(self.JOINTS, {"left_ear": (3, 3)}, SIZE)[17].tolist() == [-1, -1]

    def test_unknown_names_list_the_known_ones(self, stage):
        with pytest.raises(ValueError, match="left_wrist"):
            moved(self.JOINTS, {"tail": (1, 1)}, SIZE)
        with pytest.raises(ValueError, match="step"):
            stage.joints({"jump": 10})


class TestGestures:
    def test_the_arm_goes_up_and_the_rest_stays(self, stage):
        start, up = stage.joints({}), stage.joints({"raise left arm": 120})
        arm = [JOINTS.index(f"left_{name}") for name in ("elbow", "wrist")]
        assert (up[arm, 0] < start[arm, 0] - 5).all()
        rest = [i for i in range(18) if i not in arm]
        torch.testing.assert_close(up[rest], start[rest])

    def test_from_behind_the_face_is_missing(self, stage):
        assert is_missing(stage.joints({"turn": 180}))[[0, 14, 15]].all()

    @pytest.mark.parametrize("name", GESTURES)
    def test_both_ends_are_within_the_limits_of_a_body(self, stage, name):
        for end in (GESTURES[name].low, GESTURES[name].high):
            assert stage.joints({name: end}).shape == (18, 2)


def pixels(value):
    return np.asarray(Image.open(io.BytesIO(value)).convert("RGB"))


class TestControls:
    @pytest.fixture
    def controls(self, stage):
        return Controls(stage)

    def test_the_picture_is_what_the_network_answers(self, controls, stage):
        controls.gestures["step"].value = 40
        stream = io.BytesIO()
        shown = moved(stage.joints({"step": 40}), {}, SIZE)
        stage.show(shown).savefig(stream, format="webp", dpi=DPI, facecolor="white")
        assert np.array_equal(pixels(controls.picture.value), pixels(stream.getvalue()))

    def test_each_joint_keeps_its_move_and_choosing_one_moves_nothing(self, controls, stage):
        first = controls.picture.value
        controls.joint.value = "nose"
        assert controls.picture.value == first
        controls.shift[0].value = 9
        assert controls.picture.value != first
        second = controls.picture.value
        controls.joint.value = "left_knee"
        assert (controls.shift[0].value, controls.picture.value == second) == (0, True)
        controls.shift[1].value = -4
        assert controls.moves == {"nose": (9, 0), "left_knee": (0, -4)}
        expected = moved(stage.joints({}), controls.moves, SIZE)
        assert torch.equal(controls.joints, expected)

    def test_reset(self, controls):
        first = controls.picture.value
        controls.gestures["turn"].value = 90
        controls.shift[0].value = 9
        controls.reset.click()
        assert controls.picture.value == first
        assert [slider.value for slider in controls.shift] == [0, 0]
        assert controls.gestures["turn"].value == 0


def test_strips_show_what_the_live_page_shows(stage):
    text = strips(stage, {"turn": (0, 90)}, {"left_wrist": [(-20, 0)]}).data
    assert "<script" not in text
    shown = re.findall(r"base64,([^\"]+)", text)
    live = [
        stage.joints({"turn": 0}),
        stage.joints({"turn": 90}),
        moved(stage.joints({}), {"left_wrist": (-20, 0)}, SIZE),
    ]
    expected = [slider_strip([("", stage.show(joints))], alt="", dpi=DPI).data for joints in live]
    assert shown == [re.findall(r"base64,([^\"]+)", one)[0] for one in expected]
    assert len(set(shown)) == 3
    assert [label in text for label in ("turn: 90°", "left wrist: 20 px up")] == [True, True]
