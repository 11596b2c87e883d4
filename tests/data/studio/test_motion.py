"""Motion: feet that stand, limits that hold, smooth joints, clear arms: for every kind and several statures."""

import os
import subprocess
import sys
from functools import cache

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from studio_people import person

from repro.data.studio.choreography import Stage
from repro.data.studio.gait import Footsteps, Step, ride
from repro.data.studio.identity import Identity
from repro.data.studio.legs import Leg, reach_feet
from repro.data.studio.mesh import pose_vertices
from repro.data.studio.motion import CHOREOGRAPHIES, HELD_OUT_KIND, KINDS, Motion, clip_motion
from repro.data.studio.performer import Performer
from repro.data.studio.pose import LIMITS, articulate, bone_rotations, intersects, random_angles
from repro.data.studio.seeds import child_generator
from repro.data.studio.skeleton import BONE, rotation_matrices
from repro.data.studio.splines import STILL, constant, keys, wave
from repro.data.studio.stepping import STEPPING

CROWD = [Identity("fashion", "train", index) for index in range(60)]
TALL = max(CROWD, key=lambda who: who.body.height).index
SMALL = min(CROWD, key=lambda who: who.body.height).index
LONG_SKIRT = next(
    who.index for who in CROWD if (piece := who.garment("skirt") or who.garment("dress")) and piece.hem < 0.2
)
PEOPLE = (TALL, SMALL, LONG_SKIRT)
FRAMES, FPS = 60, 25.0


@cache
def clip(kind: str, who: int, seed: int = 0) -> Motion:
    return clip_motion(kind, person(who, "low"), child_generator("test motion", kind, who, seed), FRAMES, FPS)


@cache
def soles(kind: str, who: int, seed: int = 0) -> np.ndarray:
    """(T, 2, N, 3): all vertices that move with the right and with the left foot."""
    mesh = person(who, "low")
    found = []
    for side in ("right", "left"):
        own = np.flatnonzero(mesh.weights[:, BONE[f"{side}_foot"]] > 0.99)
        bone = np.stack([mesh.skeleton.transforms(pose)[BONE[f"{side}_foot"]] for pose in clip(kind, who, seed).poses])
        found.append(np.einsum("tij,nj->tni", bone[:, :, :3], mesh.rest_vertices[own]) + bone[:, None, :, 3])
    return np.stack(found, 1)


def slid(points: np.ndarray) -> float:
    """Metres that a planted point of the soles moves at most from one frame to the next."""
    near = points[..., 1] < 0.01
    return float((np.linalg.norm(np.diff(points[..., [0, 2]], axis=0), axis=-1) * (near[1:] & near[:-1])).max())


@pytest.mark.parametrize("who", PEOPLE, ids=("tall", "small", "long skirt"))
@pytest.mark.parametrize("kind", KINDS)
class TestEveryKind:
    def test_planted_feet_do_not_skate(self, kind, who):
        """What of a sole is within a centimetre of the ground in two frames moves 3 cm at most between them."""
        assert slid(soles(kind, who)) <= 0.03

    def test_a_foot_is_always_on_the_ground_and_nothing_below(self, kind, who):
        lowest = soles(kind, who)[..., 1].min((1, 2))
        np.testing.assert_allclose(lowest, 0.0, atol=1e-6)

    def test_legs_keep_within_their_limits(self, kind, who):
        rotations = np.stack([pose.rotations for pose in clip(kind, who).poses])
        for side, sign in (("right", -1.0), ("left", 1.0)):
            flex, abduct, twist = Rotation.from_rotvec(rotations[:, BONE[f"{side}_thigh"]]).as_euler("XZY", True).T
            bend, roll, yaw = Rotation.from_rotvec(rotations[:, BONE[f"{side}_foot"]]).as_euler("XZY", True).T
            knee = np.rad2deg(rotations[:, BONE[f"{side}_shin"], 0])
            for name, value in (("hip_flex", -flex), ("hip_abduct", sign * abduct), ("hip_twist", -sign * twist),
                                ("knee", knee), ("ankle", -bend)):  # fmt: skip
                low, high = LIMITS[name]
                assert low - 1e-6 <= value.min(), name
                assert value.max() <= high + 1e-6, name
            assert max(np.abs(roll).max(), np.abs(yaw).max()) <= 30  # an ankle gives way to the sides as well

    def test_no_arm_enters_the_body(self, kind, who):
        mesh = person(who, "low")
        assert [frame for frame, pose in enumerate(clip(kind, who).poses) if intersects(mesh, pose)] == []

    def test_joints_move_smoothly(self, kind, who):
        """A foot that starts or lands reaches some 60 m/s^2, a jump of 10 cm in one frame would be 62 for itself."""
        skeleton = person(who, "low").skeleton
        joints = np.stack([skeleton.posed_joints(pose, "human36m17") for pose in clip(kind, who).poses])
        bound = np.full(17, 25.0)
        bound[[2, 3, 5, 6]] = 75.0  # knees and ankles
        bound[[12, 13, 15, 16]] = 45.0  # elbows and wrists
        acceleration = np.linalg.norm(np.diff(joints, 2, axis=0), axis=-1).max(0) * FPS**2
        assert (acceleration <= bound).all(), np.round(acceleration)

    def test_the_person_stays_in_view(self, kind, who):
        root = np.stack([pose.root for pose in clip(kind, who).poses])
        assert np.abs(root[:, [0, 2]]).max() < 2.0


class TestClipMotion:
    def test_the_list_of_the_specification(self):
        assert set(KINDS) == {
            "idle_sway", "weight_shift", "walk_in_place", "walk_forward", "turn", "catwalk", "hands_on_hips", "wave",
            "arm_circles", "raise_arms", "squat", "lunge", "kick", "step_touch", "tai_chi", "random_keyframes",
            "a_pose_turn",
        }  # fmt: skip
        assert HELD_OUT_KIND in KINDS

    @pytest.mark.parametrize("kind", ["catwalk", "random_keyframes"])
    def test_a_seed_decides(self, kind):
        mesh = person(TALL, "low")
        again = clip_motion(kind, mesh, child_generator("test motion", kind, TALL, 0), FRAMES, FPS)
        other = clip_motion(kind, mesh, child_generator("test motion", kind, TALL, 1), FRAMES, FPS)
        first, second, third = (np.stack([np.vstack([p.rotations, p.root]) for p in m.poses])
                                for m in (clip(kind, TALL), again, other))  # fmt: skip
        np.testing.assert_array_equal(first, second)
        assert np.abs(first - third).max() > 0.05

    def test_another_process_with_more_threads_computes_the_same_bits(self):
        script = (
            "import hashlib, numpy as np\n"
            "from repro.data.studio.cloth import animate\n"
            "from repro.data.studio.garments import build_person\n"
            "from repro.data.studio.identity import Identity\n"
            "from repro.data.studio.motion import clip_motion\n"
            "from repro.data.studio.seeds import child_generator\n"
            f"mesh = build_person(Identity('fashion', 'train', {LONG_SKIRT}), 'low')\n"
            "motion = clip_motion('catwalk', mesh, child_generator('threads'), 30)\n"
            "print(hashlib.sha256(animate(mesh, motion).tobytes()).hexdigest())\n"
        )
        hashes = set()
        for threads in ("1", "4"):
            many = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads)
            run = subprocess.run(
                [sys.executable, "-c", script], env=os.environ | many, capture_output=True, text=True, check=True
            )
            hashes.add(run.stdout)
        assert len(hashes) == 1

    def test_the_frame_rate_only_samples(self):
        mesh = person(TALL, "low")
        fast = clip_motion("catwalk", mesh, child_generator("test motion", "catwalk", TALL, 0), 2 * FRAMES, 2 * FPS)
        slow = clip("catwalk", TALL)
        for one, two in zip(slow.poses, fast.poses[::2], strict=True):
            np.testing.assert_allclose(one.rotations, two.rotations, atol=1e-9)
            np.testing.assert_allclose(one.root, two.root, atol=1e-9)

    def test_the_lowest_vertex_of_the_whole_person_is_on_the_ground(self):
        for kind in ("squat", "lunge", "tai_chi"):
            mesh = person(LONG_SKIRT, "low")
            lowest = min(float(pose_vertices(mesh, pose)[:, 1].min()) for pose in clip(kind, LONG_SKIRT).poses)
            assert lowest > -0.005, kind

    def test_a_turn_goes_around_and_a_walk_gets_somewhere(self):
        long = clip_motion("a_pose_turn", person(TALL, "low"), child_generator("test motion", "around"), 180)
        forward = np.stack([rotation_matrices(pose.rotations[0])[:, 2] for pose in long.poses])
        turned = np.abs(np.ptp(np.unwrap(np.arctan2(forward[:, 0], forward[:, 2]))))
        assert turned > 1.8 * np.pi
        root = np.stack([pose.root for pose in clip("walk_forward", TALL).poses])
        assert np.linalg.norm(np.diff(root[:, [0, 2]], axis=0), axis=1).sum() > 1.0

    def test_the_knee_of_a_walk_bends_in_flight_and_stretches_on_the_ground(self):
        knees = np.rad2deg([pose.rotations[BONE["right_shin"], 0] for pose in clip("walk_forward", TALL).poses])
        assert knees.max() > 40
        assert knees.min() < 15

    @pytest.mark.parametrize("kind", STEPPING)
    def test_no_seed_lets_a_foot_skate(self, kind):
        assert max(slid(soles(kind, SMALL, seed)) for seed in range(1, 4)) <= 0.03

    def test_a_motion_has_frames(self):
        with pytest.raises(ValueError, match="at least one frame at a positive rate, got 0 frames"):
            Motion("captured", (), 25.0)

    @pytest.mark.parametrize(("kind", "frames", "fps", "message"),
                             [("swim", 10, 25.0, "choose one of"), ("wave", 0, 25.0, "at least one frame"),
                              ("wave", 10, 0.0, "at a positive rate")])  # fmt: skip
    def test_nonsense_is_refused(self, kind, frames, fps, message):
        with pytest.raises(ValueError, match=message):
            clip_motion(kind, person(TALL, "low"), child_generator("x"), frames, fps)


class TestPeriod:
    PERIODIC = ("idle_sway", "weight_shift", "hands_on_hips", "wave", "arm_circles", "raise_arms", "squat",
                "walk_in_place", "lunge", "kick", "step_touch", "tai_chi")  # fmt: skip

    @pytest.mark.parametrize("kind", PERIODIC)
    def test_everything_repeats_after_a_period(self, kind):
        mesh = person(SMALL, "low")
        until = 16.5
        plan = CHOREOGRAPHIES[kind](Stage.of(mesh), child_generator("period", kind), until)
        assert plan.period is not None
        times = np.arange(3) * 0.31
        performer = Performer(mesh, plan, until)
        for one, two in zip(performer.poses(times, STILL), performer.poses(times + plan.period, STILL)):
            np.testing.assert_allclose(one.rotations, two.rotations, atol=2e-3)
            np.testing.assert_allclose(one.root, two.root, atol=5e-4)

    def test_walks_do_not_repeat(self):
        plan = CHOREOGRAPHIES["walk_forward"](Stage.of(person(SMALL, "low")), child_generator("period"), 2.0)
        assert plan.period is None


class TestBoneRotations:
    def test_many_poses_are_each_what_articulate_says(self):
        rng = np.random.default_rng(1)
        drawn = [random_angles(rng) | {"turn": turn} for turn in (-180.0, -120.0, 0.0, 90.0, 180.0)]
        together = bone_rotations({name: np.array([angles[name] for angles in drawn]) for name in drawn[0]})
        np.testing.assert_array_equal(together, np.stack([articulate(angles).rotations for angles in drawn]))

    @pytest.mark.parametrize("turn", [-180.0, 180.0])
    def test_half_a_turn_faces_backward(self, turn):
        """The axis cannot be read from the skew part of the matrix there: people who turned by 180 faced front."""
        facing = rotation_matrices(articulate({"turn": turn}).rotations[BONE["pelvis"]])[:, 2]
        np.testing.assert_allclose(facing, [0.0, 0.0, -1.0], atol=1e-6)


class TestReachFeet:
    def test_the_ankle_and_the_sole_are_where_they_are_wanted(self):
        leg = Leg.of(person(TALL, "low").skeleton, "left")
        rng = np.random.default_rng(0)
        pelvis = Rotation.from_euler("YXZ", rng.normal(0, 0.3, (40, 3)))
        ankle = np.column_stack([rng.uniform(-0.1, 0.15, 40), rng.uniform(-0.8, -0.5, 40), rng.uniform(-0.2, 0.4, 40)])
        foot = Rotation.from_euler("YX", rng.normal(0, 0.3, (40, 2)))
        rotations, _ = reach_feet(leg, pelvis.as_matrix(), ankle, foot.as_matrix(), rng.uniform(-0.5, 0.5, 40))
        thigh, shin, sole = (Rotation.from_rotvec(rotations[:, bone]) for bone in range(3))
        reached = (pelvis * thigh).apply(leg.thigh) + (pelvis * thigh * shin).apply(leg.shin)
        np.testing.assert_allclose(reached, ankle, atol=1e-9)
        np.testing.assert_allclose((pelvis * thigh * shin * sole).as_matrix(), foot.as_matrix(), atol=1e-9)

    def test_angles_are_those_of_the_studio(self):
        """Angles in, pose of ``articulate``, its ankle out, and the same angles again."""
        skeleton = person(TALL, "low").skeleton
        angles = {"right_hip_flex": 50.0, "right_hip_abduct": 12.0, "right_hip_twist": -20.0, "right_knee": 70.0,
                  "right_ankle": 10.0}  # fmt: skip
        pose = articulate(angles)
        transforms = skeleton.transforms(pose)
        ankle = skeleton.posed_point("right_ankle", transforms) - skeleton.posed_point("right_hip", transforms)
        _, found = reach_feet(
            Leg.of(skeleton, "right"), np.eye(3)[None], ankle[None], transforms[None, BONE["right_foot"], :, :3],
            np.deg2rad([-20.0]),
        )  # fmt: skip
        for name, value in found.items():
            assert value[0] == pytest.approx(angles[f"right_{name}"], abs=1e-6)

    def test_out_of_reach_is_approached_in_its_direction(self):
        leg = Leg.of(person(TALL, "low").skeleton, "right")
        far = np.array([[0.3, -2.0, 0.5]])
        rotations, angles = reach_feet(leg, np.eye(3)[None], far, np.eye(3)[None], np.zeros(1))
        thigh, shin = (rotation_matrices(rotations[0, bone]) for bone in range(2))
        reached = thigh @ (leg.thigh + shin @ leg.shin)
        assert angles["knee"][0] < 5
        cosine = reached @ far[0] / np.linalg.norm(reached) / np.linalg.norm(far)
        assert cosine == pytest.approx(1.0, abs=1e-9)


class TestGait:
    def test_a_step_goes_from_rest_to_rest(self):
        footsteps = Footsteps({"right": (0.0, 0.0, 0.0), "left": (0.1, 0.0, 0.0)},
                              [Step("right", 1.0, 1.5, (0.2, 0.6), 0.3, height=0.08)])  # fmt: skip
        track = footsteps.track("right", np.array([0.0, 1.0, 1.001, 1.25, 1.499, 1.5, 9.0]))
        np.testing.assert_allclose(track.place[[0, 1, 2]], 0.0, atol=1e-6)
        np.testing.assert_allclose(track.place[[4, 5, 6]], [[0.2, 0.6]] * 3, atol=1e-6)
        np.testing.assert_allclose(track.place[3], [0.1, 0.3])
        np.testing.assert_allclose(track.lift[[0, 1, 3, 5, 6]], [0, 0, 0.08, 0, 0], atol=1e-12)
        np.testing.assert_array_equal(footsteps.track("left", np.array([1.25])).place, [[0.1, 0.0]])

    def test_the_ride_is_smooth_and_never_too_high(self):
        highest = 1.0 - 0.2 * (np.arange(300) // 50 % 2)
        height = ride(highest)
        assert (height <= highest + 1e-12).all()
        assert np.abs(np.diff(height)).max() < 0.03
        np.testing.assert_allclose(ride(np.full(80, 0.7)), 0.7)


class TestSplines:
    def test_keys_are_met_and_their_range_kept(self):
        curve = keys([0.0, 1.0, 1.5, 3.0], [0.0, 10.0, 10.0, -5.0])
        np.testing.assert_allclose(curve(np.array([-1.0, 0.0, 1.0, 1.2, 1.5, 3.0, 4.0])), [0, 0, 10, 10, 10, -5, -5])
        values = curve(np.linspace(0, 3, 100))
        assert values.min() >= -5
        assert values.max() <= 10

    def test_a_period_closes_smoothly(self):
        curve = keys([0.2, 0.7, 1.1], [1.0, -1.0, 0.5], period=1.6)
        t = np.linspace(0, 1.6, 41)
        np.testing.assert_allclose(curve(t), curve(t + 1.6), atol=1e-12)
        assert np.abs(np.diff(curve(np.linspace(0, 3.2, 3201)))).max() < 0.01

    def test_waves_and_constants(self):
        np.testing.assert_allclose(wave(2.0, 0.25, 3.0)(np.array([0.0, 1.0])), [3.0, -3.0])
        np.testing.assert_array_equal(constant(2)(np.zeros(3)), [2.0] * 3)
