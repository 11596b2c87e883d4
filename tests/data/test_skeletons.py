"""Orders of joints: recognised, turned into one another by hand-computed cases, exchanged sides found."""

import numpy as np
import pytest

from repro.data.skeletons import BODY_25, ORDERS, exchanged_sides, layout_of, to_coco17, to_human36m17, to_openpose18
from repro.data.studio.skeleton import COCO_17, HUMAN36M_17, OPENPOSE_18

STANDING = {
    "nose": (18, 50), "left_eye": (16, 52), "right_eye": (16, 48), "left_ear": (17, 55), "right_ear": (17, 45),
    "neck": (30, 50), "left_shoulder": (30, 62), "right_shoulder": (30, 38), "left_elbow": (50, 66),
    "right_elbow": (50, 34), "left_wrist": (68, 66), "right_wrist": (68, 34), "left_hip": (70, 56),
    "right_hip": (70, 44), "left_knee": (100, 56), "right_knee": (100, 44), "left_ankle": (130, 56),
    "right_ankle": (130, 44), "hip": (70, 50), "spine": (50, 50), "thorax": (30, 50), "crown": (10, 50),
}  # fmt: skip


def joints(layout):
    """(K, 2); toes and heels at the ankles."""
    feet = dict.fromkeys(BODY_25[19:], (135, 50))
    return np.array([(STANDING | feet)[name] for name in ORDERS[layout]], dtype=float)


@pytest.mark.parametrize(("layout", "count"), [("body25", 25), ("openpose18", 18), ("coco17", 17), ("human36m17", 17)])
def test_layouts_are_recognised_lying_and_standing_and_half_seen(layout, count):
    given = joints(layout)
    assert given.shape == (count, 2)
    assert layout_of(given[None]) == layout
    assert layout_of(given[None, :, ::-1]) == layout  # rows for columns: a lying person
    if count == 17:
        hidden = np.array([name.endswith(("knee", "ankle")) for name in ORDERS[layout]])
        assert layout_of(np.where(hidden[:, None], -1, given)[None]) == layout


def test_what_is_no_layout_says_what_is():
    with pytest.raises(ValueError, match=r"body25 \(25\), openpose18 \(18\), coco17 \(17\), human36m17 \(17\), got 16"):
        layout_of(np.ones((3, 16, 2)))
    with pytest.raises(ValueError, match=r"expected coco17 joints \(..., 17, 2\)"):
        to_coco17(joints("openpose18"), "coco17")


@pytest.mark.parametrize("layout", ["body25", "openpose18", "coco17"])
def test_all_layouts_give_the_same_17_joints(layout):
    np.testing.assert_array_equal(to_coco17(joints(layout), layout), joints("coco17"))
    found = dict(zip(HUMAN36M_17, to_human36m17(joints(layout), layout).tolist()))
    assert (found["left_wrist"], found["right_ankle"], found["nose"]) == ([68, 66], [130, 44], [18, 50])
    assert (found["hip"], found["thorax"], found["spine"]) == ([70, 50], [30, 50], [50, 50])
    # The face's middle is at row 16.8: crown = 30 + 1.5 (16.8 - 30) = 10.2.
    np.testing.assert_allclose(found["crown"], [10.2, 50], rtol=1e-12)


def test_a_neck_is_found_or_between_both_shoulders():
    neck, shoulder = OPENPOSE_18.index("neck"), "left_shoulder"
    for layout in ("body25", "coco17"):
        given = joints(layout)
        given[ORDERS[layout].index(shoulder)] = -1
        assert to_openpose18(given, layout)[neck].tolist() == ([30, 50] if layout == "body25" else [-1, -1])


def test_human36m_stays_and_gives_coco_its_limbs():
    given = joints("human36m17")
    np.testing.assert_array_equal(to_human36m17(given, "human36m17"), given)
    coco = to_coco17(given, "human36m17")
    np.testing.assert_array_equal(coco[5:], joints("coco17")[5:])
    np.testing.assert_array_equal(coco[0], STANDING["nose"])
    assert (coco[1:5] == -1).all()


def test_a_missing_joint_takes_with_it_what_is_made_of_it_and_nothing_else():
    given = joints("coco17")
    given[COCO_17.index("left_hip")] = -1
    given[[COCO_17.index("nose"), COCO_17.index("left_ear")], 0] = -1  # one coordinate is enough
    found = to_human36m17(given, "coco17")
    missing = {name for name, place in zip(HUMAN36M_17, found) if (place == -1).any()}
    assert missing == {"left_hip", "hip", "spine", "nose"}
    assert (found[(found == -1).any(1)] == -1).all()
    # Eyes and the right ear: mean (49/3, 145/3), so 30 + 1.5 (49/3 - 30) = 9.5 and 50 + 1.5 (145/3 - 50) = 47.5.
    np.testing.assert_allclose(found[HUMAN36M_17.index("crown")], [9.5, 47.5], rtol=1e-12)


class TestExchangedSides:
    def walk(self, frames=8):
        """The person drifts by a pixel a frame."""
        return joints("human36m17") + np.arange(frames)[:, None, None] * [0.0, 1.0]

    def legs(self):
        order = list(HUMAN36M_17)
        return [[order.index(f"{side}_{joint}") for joint in ("hip", "knee", "ankle")] for side in ("right", "left")]

    def test_nothing_in_a_motion(self):
        assert exchanged_sides(self.walk()) == []

    def test_there_and_back(self):
        given, (right, left) = self.walk(), self.legs()
        given[3:5, right], given[3:5, left] = given[3:5, left].copy(), given[3:5, right].copy()
        assert exchanged_sides(given) == [3, 5]

    def test_a_real_turn_is_none(self):
        """Half a turn in twenty frames: both sides meet in the middle column and part on the other side."""
        given = np.repeat(joints("human36m17")[None], 21, 0)
        given[..., 1] = 50 + (given[..., 1] - 50) * np.cos(np.linspace(0, np.pi, 21))[:, None]
        assert exchanged_sides(given) == []

    def test_missing_joints_show_nothing(self):
        given, (right, left) = self.walk(), self.legs()
        given[3:, right], given[3:, left] = given[3:, left].copy(), given[3:, right].copy()
        given[3, right] = -1
        assert exchanged_sides(given) == []
