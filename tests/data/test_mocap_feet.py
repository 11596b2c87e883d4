"""Captured feet: an ankle goes where it is wanted and no bone stretches; standing feet stay, swinging feet clear."""

import numpy as np
import pytest

from repro.data.mocap import ground, read_bvh, retarget, write_bvh
from repro.data.mocap.feet import pinned, reached, slide
from repro.data.studio.garments import build_person
from repro.data.studio.identity import Identity
from repro.data.studio.legs import Leg
from repro.data.studio.motion import Motion
from repro.data.studio.pose import articulate, grounded
from repro.data.studio.skeleton import BONE

SIDES = ("right", "left")


@pytest.fixture(scope="module")
def mesh():
    return build_person(Identity("fashion", "train", 3), "low")


def stand(bend=20.0, **angles):
    """Knees bent, soles level."""
    both = {f"{side}_{name}": bend * share for side in SIDES
            for name, share in (("knee", 1.0), ("hip_flex", 0.5), ("ankle", 0.5))}  # fmt: skip
    return articulate(both | angles)


def placed(mesh, poses, bone):
    """World rotations (T, 3, 3) and places (T, 3) of a bone's joint."""
    own = np.stack([mesh.skeleton.transforms(pose)[BONE[bone]] for pose in poses])
    return own[..., :3], own[..., :3] @ mesh.skeleton.joints[BONE[bone]] + own[..., 3]


def soles(mesh, poses):
    """(T, N, 3) points of both shoes."""
    return ground._soles(mesh, poses)


def slid(points, near=0.01):
    """Metres that what of a sole is within a centimetre of the ground moves at most from frame to frame."""
    low = points[..., 1] < near
    return float((np.linalg.norm(np.diff(points[..., [0, 2]], axis=0), axis=-1) * (low[1:] & low[:-1])).max())


class TestReached:
    @pytest.mark.parametrize("side", SIDES)
    @pytest.mark.parametrize("bend", [3.0, 20.0, 55.0])
    def test_the_ankle_moves_and_nothing_else_but_the_leg(self, mesh, side, bend):
        poses = (stand(bend, turn=50.0, left_hip_abduct=8.0),) * 3
        shift = np.array([[0.03, 0.02, -0.04], [0.0, 0.0, 0.0], [-0.01, 0.05, 0.02]])
        moved = reached(mesh, poses, side, shift)
        assert moved[1] is poses[1]
        turn, ankle = placed(mesh, poses, f"{side}_foot")
        new_turn, new_ankle = placed(mesh, moved, f"{side}_foot")
        np.testing.assert_allclose(new_ankle, ankle + shift, atol=1e-9)
        np.testing.assert_allclose(new_turn, turn, atol=1e-9)
        for bone in ("pelvis", f"{side}_thigh", "chest", "head", f"{'left' if side == 'right' else 'right'}_foot"):
            np.testing.assert_allclose(placed(mesh, moved, bone)[1], placed(mesh, poses, bone)[1], atol=1e-12)

    def test_the_knee_bends_in_its_plane(self, mesh):
        """An ankle raised towards the hip bends hip and knee by the law of cosines, and nothing turns sideways."""
        pose = stand(30.0)
        moved = reached(mesh, (pose,), "right", np.array([[0.0, 0.1, 0.0]]))[0]
        places = [placed(mesh, (moved,), f"right_{bone}")[1][0] for bone in ("thigh", "shin", "foot")]
        before = [placed(mesh, (pose,), f"right_{bone}")[1][0] for bone in ("thigh", "shin", "foot")]
        a, b, d = (np.linalg.norm(places[i] - places[j]) for i, j in ((0, 1), (1, 2), (0, 2)))
        np.testing.assert_allclose([a, b], [np.linalg.norm(before[i] - before[i + 1]) for i in (0, 1)], atol=1e-9)
        cosine = (places[1] - places[0]) @ (places[2] - places[1]) / (a * b)
        assert d**2 == pytest.approx(a**2 + b**2 + 2 * a * b * cosine)
        assert places[1][0] == pytest.approx(before[1][0], abs=5e-3)
        assert places[1][2] > before[1][2] + 0.05  # the knee goes forward

    def test_out_of_reach_is_approached(self, mesh):
        pose = stand(20.0)
        hip, ankle = (placed(mesh, (pose,), f"left_{bone}")[1][0] for bone in ("thigh", "foot"))
        shift = np.array([0.0, -0.5, 0.3])
        new = placed(mesh, reached(mesh, (pose,), "left", shift[None]), "left_foot")[1][0]
        direction = (ankle + shift - hip) / np.linalg.norm(ankle + shift - hip)
        np.testing.assert_allclose(new, hip + Leg.of(mesh.skeleton, "left").reach * direction, atol=1e-9)


class TestPinned:
    def test_slide_by_hand(self):
        """The lower point carries e times the weight of one that is a centimetre higher; what does not stand, none."""
        points = np.zeros((2, 3, 3))
        points[:, 1, 1] = 0.01
        points[1, :, 0] = [0.01, 0.03, 7.0]
        stands = np.array([[True, True, False]])
        low, high = 1.0, np.exp(-1)
        np.testing.assert_allclose(slide(points, stands), [[(0.01 * low + 0.03 * high) / (low + high), 0.0]])
        assert not slide(points, np.zeros_like(stands)).any()

    def test_a_slide_is_taken_back_and_blended_while_the_foot_swings(self, mesh):
        """Steps 0 to 3 slide 1 cm each, 4 and 5 swing, 6 and 7 stand: -(0 .. 4) cm about its middle, then to zero."""
        poses = (stand(),) * 9
        points = np.zeros((9, 2, 3))
        points[:, :, 0] = np.array([0, 1, 2, 3, 4, 24, 44, 44, 44])[:, None] / 100
        points[:, :, 1] = np.array([0, 0, 0, 0, 0, 5, 0, 0, 0])[:, None] / 100
        stands = np.array([[True, True]] * 4 + [[False, False]] * 2 + [[True, True]] * 2)
        moved = pinned(mesh, poses, points, stands, "right", 25.0)
        shift = placed(mesh, moved, "right_foot")[1] - placed(mesh, poses, "right_foot")[1]
        np.testing.assert_allclose(shift[:, 0], np.array([2, 1, 0, -1, -2, -1, 0, 0, 0]) / 100, atol=1e-9)
        np.testing.assert_allclose(shift[:, 1:], 0, atol=1e-9)

    def test_feet_that_drift_apart_stand(self, mesh, tmp_path):
        """Both feet stand and slide apart by 6 mm a frame: no shift of the whole person can stop both."""
        poses = tuple(
            grounded(mesh, stand(25.0, right_hip_abduct=0.2 * frame, left_hip_abduct=0.2 * frame))
            for frame in range(12)
        )
        apart = [np.ptp(placed(mesh, poses, f"{side}_foot")[1][:, 0]) for side in SIDES]
        assert min(apart) > 0.02
        # The feet roll to their inner edges on the way: ankles move a little, what touches the ground does not.
        motion = back(mesh, poses, tmp_path)
        assert slid(soles(mesh, motion.poses), near=0.003) < 1e-3
        assert max(np.ptp(placed(mesh, motion.poses, f"{side}_foot")[1][:, 0]) for side in SIDES) < 5e-3

    def test_a_swinging_foot_does_not_graze_and_a_landing_one_does_not_skate(self, mesh, tmp_path, monkeypatch):
        """The left foot goes forward at the height of the ground, 6 cm a frame, and stops; the right one stands."""
        forward = np.concatenate([np.full(6, -8.0), np.linspace(-8, 8, 5), np.full(6, 8.0)])
        poses = tuple(grounded(mesh, stand(20.0, left_hip_flex=10 + angle, left_ankle=10 - angle)) for angle in forward)
        ours = soles(mesh, back(mesh, poses, tmp_path).poses)
        assert slid(ours) < 5e-3
        assert ours[..., 1].min() > -1e-3
        monkeypatch.setattr(ground, "pinned", lambda mesh, poses, *rest: poses)
        assert slid(soles(mesh, back(mesh, poses, tmp_path).poses)) > 0.03


def back(mesh, poses, tmp_path):
    """A motion written as a captured file, read and retargeted."""
    capture = read_bvh(write_bvh(Motion("own", poses, 25.0), mesh.skeleton, tmp_path / "own.bvh"))
    return retarget(capture, mesh, facing=None)
