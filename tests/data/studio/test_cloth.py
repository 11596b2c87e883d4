"""Moving cloth: nothing at rest, a damped oscillation after a turn, and behind the body, never ahead."""

import numpy as np
import pytest
from studio_people import person

from repro.data.studio.cloth import STEP, animate, hanging, lags, spring
from repro.data.studio.identity import Identity
from repro.data.studio.mesh import PART, pose_vertices
from repro.data.studio.motion import Motion
from repro.data.studio.pose import articulate
from repro.data.studio.skeleton import BONE

CROWD = [Identity("fashion", "train", index) for index in range(200)]
DRESS = next(
    who.index for who in CROWD if who.hair.style == "long" and (dress := who.garment("dress")) and dress.hem < 0.3
)
SHIRT = next(who.index for who in CROWD if who.hair.style == "short" and {"top", "trousers"} >= {
    piece.kind for piece in who.outfit if piece.kind in ("top", "trousers", "skirt", "dress", "coat")})  # fmt: skip


def turning(degrees, fps=25.0):
    return Motion("test", tuple(articulate({"turn": float(angle)}) for angle in degrees), fps)


class TestSpring:
    def test_a_step_is_answered_by_the_damped_oscillation(self):
        k, c, n = 60.0, 5.0, 300
        target = np.ones((n, 1))
        target[0] = 0.0
        t = np.arange(n) * STEP
        gamma, omega = c / 2, np.sqrt(k - c * c / 4)
        analytic = 1 - np.exp(-gamma * t) * (np.cos(omega * t) + gamma / omega * np.sin(omega * t))
        np.testing.assert_allclose(spring(target, np.zeros(1), k, c)[:, 0], analytic, atol=1e-12)

    def test_it_stays_on_a_target_that_rests(self):
        np.testing.assert_array_equal(spring(np.full((50, 2), 0.3), np.zeros(2), 60.0, 5.0), np.full((50, 2), 0.3))

    def test_its_own_velocity_carries_it_on(self):
        path = spring(np.zeros((2, 1)), np.array([1.0]), 60.0, 5.0)
        assert path[1, 0] == pytest.approx(STEP, rel=0.05)

    def test_a_spring_that_does_not_swing_is_refused(self):
        with pytest.raises(ValueError, match="expected damping below 4"):
            spring(np.zeros((3, 1)), np.zeros(1), 4.0, 5.0)


class TestLags:
    def test_steady_turning_lags_by_damping_over_stiffness(self):
        """With both derivatives at rest, k (theta_bone - theta) = c omega."""
        rate, fps = 0.2, 25.0
        yaw = rate * np.arange(150) / fps
        lag, push = lags(yaw, np.zeros((150, 2)), fps, 60.0, 5.0)
        assert lag[-1] == pytest.approx(-5.0 / 60.0 * rate, rel=2e-3)
        np.testing.assert_allclose(push, 0.0, atol=1e-12)

    def test_a_start_leaves_the_hem_behind(self):
        t = np.arange(20) / 25
        place = np.stack([np.zeros(20), 1.5 * t**2], 1)  # 3 m/s^2 forward
        _, push = lags(np.zeros(20), place, 25.0, 60.0, 5.0)
        assert push[8, 1] < -0.03
        assert abs(push[8, 0]) < 1e-9

    def test_the_frame_rate_only_samples(self):
        swing = lambda t: 0.5 * np.sin(2 * np.pi * t / 1.5)  # noqa: E731
        slow, fast = np.arange(50) / 25, np.arange(100) / 50
        place = lambda t: np.stack([0.05 * np.sin(4 * t), 0.5 * t], 1)  # noqa: E731
        lag, push = lags(swing(slow), place(slow), 25.0, 60.0, 5.0)
        lag_fast, push_fast = lags(swing(fast), place(fast), 50.0, 60.0, 5.0)
        np.testing.assert_allclose(lag_fast[::2], lag, atol=2e-3)
        np.testing.assert_allclose(push_fast[::2], push, atol=1e-3)

    def test_a_jump_of_the_body_stays_within_the_limits(self):
        yaw = np.where(np.arange(40) < 20, 0.0, 2.5)
        place = np.where(np.arange(40)[:, None] < 20, 0.0, [[1.0, -1.0]])
        lag, push = lags(yaw, place, 25.0, 60.0, 5.0)
        assert np.abs(lag).max() <= np.deg2rad(30)
        assert np.abs(push).max() <= 0.09


class TestHanging:
    def test_a_dress_and_long_hair_hang_and_a_shirt_does_not(self):
        mesh = person(DRESS, "low")
        dress, hair = hanging(mesh)
        assert (dress.bone, hair.bone) == ("pelvis", "chest")
        assert set(hair.vertices) < set(np.unique(mesh.faces[mesh.part == PART["hair"]]))
        assert hanging(person(SHIRT, "low")) == []

    def test_the_share_grows_from_the_waist_to_the_hem(self):
        mesh = person(DRESS, "low")
        dress = hanging(mesh)[0]
        height = mesh.rest_vertices[dress.vertices, 1]
        assert height.max() < mesh.skeleton.joints[BONE["spine"], 1]
        order = np.argsort(-height)
        assert (np.diff(dress.share[order]) >= 0).all()
        assert dress.share.max() == 1.0
        assert dress.share.min() < 0.01


class TestAnimate:
    def test_standing_still_is_skinning_to_the_last_bit(self):
        mesh = person(DRESS, "low")
        motion = turning([37.0] * 5)
        expected = pose_vertices(mesh, motion.poses[0])
        np.testing.assert_array_equal(animate(mesh, motion), np.stack([expected] * 5))

    def test_the_hem_turns_later_than_the_person(self):
        mesh = person(DRESS, "low")
        motion = turning(np.linspace(0, 90, 20))
        moved, skinned = animate(mesh, motion)[10], pose_vertices(mesh, motion.poses[10])
        dress = hanging(mesh)[0]
        hem = dress.vertices[dress.share > 0.95]
        bearing = lambda points: np.unwrap(np.arctan2(points[hem, 0], points[hem, 2]))  # noqa: E731
        lag = np.rad2deg(bearing(moved) - bearing(skinned))
        lag = (lag + 180) % 360 - 180
        assert -15 < lag.max() < -3  # all of the hem is behind
        still = np.setdiff1d(np.arange(len(moved)), np.concatenate([c.vertices for c in hanging(mesh)]))
        np.testing.assert_array_equal(moved[still], skinned[still])

    def test_what_a_frame_looks_like_depends_on_the_frames_before(self):
        mesh = person(DRESS, "low")
        motion = turning(np.linspace(0, 90, 20))
        tail = Motion("test", motion.poses[10:], motion.fps)
        whole = animate(mesh, motion)
        assert np.abs(whole[12] - animate(mesh, tail)[2]).max() > 1e-3
        head = animate(mesh, turning(np.linspace(0, 90, 20)[:13]))
        assert np.abs(whole[:8] - head[:8]).max() < 2e-3  # what comes later hardly shows: the spline between frames

    def test_one_frame_is_its_pose(self):
        mesh = person(DRESS, "low")
        motion = turning([20.0])
        np.testing.assert_array_equal(animate(mesh, motion)[0], pose_vertices(mesh, motion.poses[0]))
