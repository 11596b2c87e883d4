"""What the motion page measures: angles found again, feet that slide by known amounts, swinging cloth."""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from repro.data.studio.identity import Identity
from repro.data.studio.motion import KINDS, Motion
from repro.data.studio.pose import LIMITS, articulate, bone_rotations, grounded
from repro.data.studio.skeleton import Pose
from repro.pages import motion
from repro.pages.studio import Sitter


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def sitter() -> Sitter:
    return Sitter.invite("train", 3, detail="low")


def shifted(pose: Pose, *shifts: tuple[float, float, float]) -> Motion:
    """A person who keeps a pose and is pushed by so many metres in all, frame after frame."""
    return Motion("push", tuple(replace(pose, root=pose.root + np.array(shift)) for shift in shifts))


class TestSlip:
    def test_a_standing_person_who_is_pushed_slides_as_far(self, sitter):
        standing = grounded(sitter.mesh, articulate({}))
        slid = motion.slip(sitter.mesh, shifted(standing, (0, 0, 0), (0.03, 0, 0.04), (0.03, 0, 0.04)))
        np.testing.assert_allclose(slid, [5.0, 0.0], atol=1e-9)

    def test_feet_in_the_air_do_not_slide(self, sitter):
        standing = grounded(sitter.mesh, articulate({}))
        slid = motion.slip(sitter.mesh, shifted(standing, (0, 0.5, 0), (0.2, 0.5, 0), (0.4, 0, 0), (0.4, 0.5, 0)))
        np.testing.assert_array_equal(slid, 0)

    def test_a_clip_of_the_studio_keeps_its_feet(self, sitter):
        walk = motion.move(sitter, "walk_forward", 30)
        assert motion.slip(sitter.mesh, walk).max() < 3
        treadmill = replace(walk, poses=tuple(replace(p, root=p.root * [1, 1, 0]) for p in walk.poses))
        assert motion.slip(sitter.mesh, treadmill).max() > 3


class TestAngles:
    def test_angles_are_found_again(self):
        """What of a pose's angles goes into bones comes out of them, for both sides and every kind of joint."""
        rng = np.random.default_rng(0)
        names = [name for name in LIMITS if not name.startswith("wrist")]
        central = ("turn", "lean", "sway", "spine", "neck")
        drawn: dict[str, list[np.ndarray]] = {}
        for name in names:
            low, high = LIMITS[name]
            if name == "shoulder_flex":
                high = 80.0  # beyond, another triple within the limits may mean the same arm
            if name == "shoulder_abduct":
                high = 80.0
            sides = [""] if name.startswith(central) else ["right_", "left_"]
            drawn[name] = [(side + name, rng.uniform(low + 1, high - 1, 40)) for side in sides]
        rotations = bone_rotations(dict(pair for pairs in drawn.values() for pair in pairs))
        found = motion.angles_of(Motion("drawn", tuple(Pose(one) for one in rotations)))
        assert set(found) == set(names)
        for name, pairs in drawn.items():
            np.testing.assert_allclose(found[name], np.concatenate([v for _, v in pairs]), atol=1e-6, err_msg=name)

    @pytest.mark.parametrize("raised", [100, 165])
    def test_arms_beyond_the_horizontal(self, raised):
        found = motion.angles_of(Motion("up", (articulate({"left_shoulder_abduct": raised}),)))
        assert found["shoulder_abduct"] == pytest.approx([0, raised])
        assert found["shoulder_flex"] == pytest.approx([0, 0], abs=1e-6)

    def test_ranges_are_over_all_motions(self):
        motions = [Motion("bend", (articulate({"left_knee": knee}),)) for knee in (10, 35, 90)]
        used = motion.used_ranges(motions)
        assert used["knee"] == pytest.approx((0, 90))
        assert "turn" not in used
        _, ax = plt.subplots()
        motion.draw_limits(ax, used)
        assert [label.get_text() for label in ax.get_yticklabels()][:2] == ["lean", "sway"]
        assert len(ax.patches) == 2 * len(used)


def in_a_skirt() -> Sitter:
    number = next(n for n in range(100) if Identity("fashion", "train", n).garment("skirt"))
    return Sitter.invite("train", number, detail="low")


def test_the_hem_lags_only_when_somebody_moves():
    mesh = in_a_skirt().mesh
    still, jolted = (
        motion.swing(mesh, shifted(Pose(), *((x, 0.0, 0.0) for x in path)))
        for path in ((0.3, 0.3, 0.3), (0.0, 0.0, 0.1, 0.2, 0.2))
    )
    assert "hem" in still
    assert all((values == 0).all() for values in still.values())
    assert jolted["hem"][0] == 0
    assert 0.5 < jolted["hem"].max() < 20


class TestPerformed:
    def test_it_shows_the_person_where_they_are(self, sitter):
        walk = shifted(Pose(), (0, 0, 0), (0.4, 0, 0), (0.8, 0, 0))
        pictures = motion.performed(sitter, walk, [0, 2], height=48)
        assert pictures.shape == (2, 3, 48, 30)
        # The camera follows: both times somebody stands in the middle, with as much of the picture.
        middle = (pictures[:, :, :, 12:18] - pictures[:, :, :1, :1]).abs().amax(1).gt(0.1).flatten(1).float().mean(1)
        assert (middle > 0.3).all()

    def test_without_springs_cloth_hangs_on_the_bones(self):
        sitter = in_a_skirt()
        jolt = shifted(Pose(), (0, 0, 0), (0, 0, 0), (0.1, 0, 0), (0.2, 0, 0), (0.2, 0, 0))
        loose, stiff = (motion.performed(sitter, jolt, [0, 4], height=48, springs=springs) for springs in (True, False))
        assert (loose[0] == stiff[0]).all()  # the springs start at rest
        assert (loose[1] != stiff[1]).any()


def test_another_take_is_another_clip(sitter):
    first, again, other = (motion.move(sitter, KINDS[0], 3, take=take) for take in (0, 0, 1))
    same = [np.array_equal(a.rotations, b.rotations) for a, b in zip(first.poses, again.poses)]
    assert all(same)
    assert not np.array_equal(first.poses[1].rotations, other.poses[1].rotations)


def test_a_knee_bends_by_its_angle(sitter):
    bends = motion.knee_bend(sitter, Motion("bend", tuple(articulate({"left_knee": knee}) for knee in (0, 90))))
    assert 0 < bends[0] < 5  # at rest a knee is not quite straight
    assert bends[1] - bends[0] == pytest.approx(90, abs=3)


def test_a_gallery_names_every_strip():
    strips = {name: torch.full((3, 3, 4, 2), 0.5) for name in ("walk_forward", "kick", "squat")}
    figure = motion.gallery(strips, columns=2)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["walk forward", "kick", "squat", ""]
    assert figure.axes[0].images[0].get_array().shape == (4, 6, 3)
