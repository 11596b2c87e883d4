"""Captured motion on people of the studio: a motion that goes out comes back, limbs point alike, feet stand."""

from dataclasses import replace

import numpy as np
import pytest
from captures import t_pose_file

from repro.data import DataError
from repro.data.mocap import ground, read_bvh, retarget, write_bvh
from repro.data.studio.garments import build_person
from repro.data.studio.identity import Identity
from repro.data.studio.mesh import pose_vertices
from repro.data.studio.motion import Motion
from repro.data.studio.pose import articulate, grounded, intersects
from repro.data.studio.skeleton import BONE, BONES, Pose, rotation_matrices


@pytest.fixture(scope="module")
def mesh():
    return build_person(Identity("fashion", "train", 3), "low")


@pytest.fixture(scope="module")
def other():
    return build_person(Identity("fashion", "train", 4), "low")


def joints(mesh, motion):
    """(T, 18, 3)."""
    return np.stack([mesh.skeleton.posed_joints(pose) for pose in motion.poses])


def swaying(mesh, frames):
    """Arms and trunk swing, knees give a little, the feet stay where they are."""
    poses = []
    for frame in range(frames):
        a, b = np.sin(frame / 5), np.cos(frame / 7)
        angles = {"turn": 20, "spine_bend": 8 * b, "neck_yaw": 30 * a, "right_shoulder_abduct": 60 + 30 * b,
                  "right_elbow": 50 + 40 * a, "left_shoulder_flex": 40 * a, "left_elbow": 20,
                  "left_shoulder_abduct": 35,
                  "right_wrist_flex": 20 * b, "right_knee": 10, "left_knee": 10}  # fmt: skip
        poses.append(grounded(mesh, articulate(angles)))
    return Motion("own", tuple(poses), 25.0)


class TestRoundTrip:
    def test_a_motion_of_the_studio_comes_back(self, mesh, tmp_path):
        motion = swaying(mesh, 30)
        capture = read_bvh(write_bvh(motion, mesh.skeleton, tmp_path / "own.bvh"))
        back = retarget(capture, mesh, 25.0, facing=None)
        assert (len(back.poses), back.fps) == (30, 25.0)
        np.testing.assert_allclose(joints(mesh, back), joints(mesh, motion), atol=1e-5)

    def test_any_pose_of_every_bone_but_the_ground(self, mesh, tmp_path, monkeypatch):
        """Wild rotations, half turns among them: the same joints, as seen from the root; no foot there stands."""
        monkeypatch.setattr(ground, "pinned", lambda mesh, poses, *rest: poses)
        rng = np.random.default_rng(0)
        angles = [{"turn": 180.0}, {"turn": -179.0}, {"turn": 90.0, "right_knee": 100.0, "left_elbow": 120.0}]
        free = {"right_elbow": 60.0, "right_shoulder_flex": 120.0, "left_shoulder_abduct": 40.0}
        poses = tuple(articulate(one | free) for one in angles)
        poses += (Pose(rng.normal(0, 0.4, (len(BONES), 3)), np.zeros(3)),)
        assert not any(intersects(mesh, pose) for pose in poses)  # those would be changed
        motion = Motion("own", poses, 25.0)
        back = retarget(read_bvh(write_bvh(motion, mesh.skeleton, tmp_path / "own.bvh")), mesh, 25.0, facing=None)
        ours, theirs = ((points - points[:, 1:2]) for points in (joints(mesh, back), joints(mesh, motion)))
        np.testing.assert_allclose(ours, theirs, atol=1e-5)

    def test_another_person_points_their_limbs_alike(self, mesh, other, tmp_path):
        motion = swaying(mesh, 20)
        back = retarget(read_bvh(write_bvh(motion, mesh.skeleton, tmp_path / "own.bvh")), other, 25.0, facing=None)
        ours, theirs = joints(other, back), joints(mesh, motion)
        for a, b in ((2, 3), (3, 4), (5, 6), (6, 7), (8, 9), (9, 10), (11, 12), (12, 13)):
            u, v = ours[:, b] - ours[:, a], theirs[:, b] - theirs[:, a]
            cosine = (u * v).sum(1) / np.linalg.norm(u, axis=1) / np.linalg.norm(v, axis=1)
            assert cosine.min() > 1 - 1e-9

    def test_the_rate_changes_and_the_time_stays(self, mesh, tmp_path):
        motion = swaying(mesh, 31)
        capture = read_bvh(write_bvh(motion, mesh.skeleton, tmp_path / "own.bvh"))
        back = retarget(capture, mesh, 50.0, facing=None)
        assert (len(back.poses), back.fps) == (61, 50.0)
        np.testing.assert_allclose(joints(mesh, back)[::2], joints(mesh, motion), atol=2e-3)


class TestTPose:
    @pytest.mark.parametrize("up", ["y", "z"])
    def test_arms_spread_at_rest_are_spread_on_the_person(self, mesh, up, tmp_path):
        motion = retarget(read_bvh(t_pose_file(tmp_path / "t.bvh", [{}], up)), mesh)
        points = joints(mesh, motion)[0]
        for shoulder, wrist, sign in ((2, 4, -1), (5, 7, 1)):
            along = (points[wrist] - points[shoulder]) / np.linalg.norm(points[wrist] - points[shoulder])
            np.testing.assert_allclose(along, [sign, 0, 0], atol=1e-6)
        lowest = pose_vertices(mesh, motion.poses[0])[:, 1].min()
        assert abs(lowest) < 1e-3

    def test_a_bent_elbow_bends_the_person_s_elbow_and_no_twist(self, mesh, tmp_path):
        # A quarter turn about +y carries the right fore-arm from -x to +z: forward.
        capture = read_bvh(t_pose_file(tmp_path / "t.bvh", [{"RightForeArm": (0, 0, 90)}] * 2))
        motion = retarget(capture, mesh)
        expected = articulate({"right_shoulder_abduct": 90.0, "left_shoulder_abduct": 90.0, "right_elbow": 90.0})
        for bone in ("right_upper_arm", "right_forearm", "left_upper_arm", "left_forearm"):
            np.testing.assert_allclose(motion.poses[0].rotations[BONE[bone]], expected.rotations[BONE[bone]], atol=1e-6)

    def test_the_first_frame_faces_where_it_is_told(self, mesh, tmp_path):
        capture = read_bvh(t_pose_file(tmp_path / "t.bvh", [{"Hips": (0, 0, 50)}, {"Hips": (0, 0, 80)}]))
        for facing, expected in ((0.0, (0, 30)), (-90.0, (-90, -60)), (None, (50, 80))):
            motion = retarget(capture, mesh, facing=facing)
            turns = [np.rad2deg(pose.rotations[BONE["pelvis"], 1]) for pose in motion.poses]
            np.testing.assert_allclose(turns, expected, atol=1e-6)
        np.testing.assert_allclose(motion.poses[0].rotations[0, [0, 2]], 0, atol=1e-9)

    def test_the_unit_does_not_matter(self, mesh, tmp_path):
        path = t_pose_file(tmp_path / "t.bvh", [{"LeftUpLeg": (0, -40, 0)}] * 3)
        metres = tmp_path / "metres.bvh"
        lines = [
            "OFFSET " + " ".join(str(float(word) * 0.0254) for word in line.split()[1:4]) if line.startswith("OFFSET")
            else line for line in path.read_text().replace("{ OFFSET", "{\nOFFSET").replace(" }", "\n}").splitlines()
        ]  # fmt: skip
        metres.write_text("\n".join(lines).replace("0 39 0 ", "0 0.9906 0 "))
        ours, theirs = (joints(mesh, retarget(read_bvh(file), mesh)) for file in (path, metres))
        np.testing.assert_allclose(ours, theirs, atol=1e-6)

    @pytest.mark.parametrize("tip", ["0 -5 0", "0.05 -5 -0.1"])
    def test_a_foot_that_points_down_at_rest_is_stretched_with_its_instep_in_front(self, mesh, tip, tmp_path):
        path = t_pose_file(tmp_path / "t.bvh", [{}])
        path.write_text(path.read_text().replace("OFFSET 0 -2 8", f"OFFSET {tip}"))
        motion = retarget(read_bvh(path), mesh, facing=None)
        skeleton, world = mesh.skeleton, np.eye(3)
        for bone in ("pelvis", "right_thigh", "right_shin", "right_foot"):
            world = world @ rotation_matrices(motion.poses[0].rotations[BONE[bone]])
        toe = skeleton.points["right_toe"][1] - skeleton.joints[BONE["right_foot"]]
        toe, expected = (v / np.linalg.norm(v) for v in (toe, np.array(tip.split(), float)))
        np.testing.assert_allclose(world @ toe, expected, atol=1e-6)
        np.testing.assert_allclose(
            (world @ [1, 0, 0])[0], 1, atol=0.01
        )  # not rolled about itself, nor its back in front

    def test_a_forearm_bent_forward_at_rest_is_no_twist(self, mesh, tmp_path):
        """The bone points to the very side to which the elbow bends."""
        path = t_pose_file(tmp_path / "t.bvh", [{}])
        for old, new in (("10 0 0", "0 0 10"), ("7 0 0", "0 0 7")):
            path.write_text(
                path.read_text().replace(f"OFFSET {old}", f"OFFSET {new}").replace(f"OFFSET -{old}", f"OFFSET {new}")
            )
        pose = retarget(read_bvh(path), mesh).poses[0]
        arms = {f"{side}_{name}": 90.0 for side in ("right", "left") for name in ("shoulder_abduct", "elbow")}
        for bone in ("right_forearm", "left_forearm", "right_hand"):
            np.testing.assert_allclose(pose.rotations[BONE[bone]], articulate(arms).rotations[BONE[bone]], atol=1e-6)

    def test_missing_bones_are_named(self, mesh, tmp_path):
        text = t_pose_file(tmp_path / "t.bvh", [{}]).read_text().replace("LeftLeg", "LeftThing")
        (tmp_path / "t.bvh").write_text(text)
        with pytest.raises(DataError, match=r"1 x bone without a joint\n +left_shin.*\n.*LeftThing"):
            retarget(read_bvh(tmp_path / "t.bvh"), mesh)

    @pytest.mark.parametrize(
        ("bone", "end", "offset"),
        [
            ("right_shin", "RightFoot", "0 -17 0"), ("left_thigh", "LeftLeg", "0 -16 0"),
            ("right_forearm", "RightHand", "-10 0 0"), ("left_upper_arm", "LeftForeArm", "11 0 0"),
        ],
    )  # fmt: skip
    def test_a_bone_of_a_limb_without_length_is_named(self, mesh, bone, end, offset, tmp_path):
        path = t_pose_file(tmp_path / "t.bvh", [{}])
        before, joint, after = path.read_text().partition(f"JOINT {end} {{\nOFFSET {offset}\n")
        path.write_text(before + joint.replace(offset, "0 0 0") + after)
        with pytest.raises(DataError, match=rf"1 x bone without length\n +{bone}: .* and {end} lie at one place"):
            retarget(read_bvh(path), mesh)

    def test_a_person_who_lies_at_rest_is_refused(self, mesh, tmp_path):
        path = t_pose_file(tmp_path / "t.bvh", [{}])
        path.write_text(
            path.read_text().replace("OFFSET 4 -3 0", "OFFSET 4 4 0").replace("OFFSET -4 -3 0", "OFFSET -4 -4 0")
        )
        with pytest.raises(DataError, match="no standing person"):
            retarget(read_bvh(path), mesh)


class TestGround:
    def test_a_sliding_floating_stand_stands(self, mesh, tmp_path):
        """A person who only bends the knees, moved along and up by a faulty capture, stays put on the ground."""
        poses = []
        for frame in range(20):
            bend = 20 + 20 * np.sin(frame / 8)
            angles = {f"{side}_{name}": value for side in ("right", "left")
                      for name, value in (("knee", bend), ("hip_flex", bend / 2), ("ankle", bend / 2))}  # fmt: skip
            poses.append(articulate(angles, np.array([0.005 * frame, 0.4, 0.0])))
        capture = read_bvh(write_bvh(Motion("own", tuple(poses), 25.0), mesh.skeleton, tmp_path / "own.bvh"))
        motion = retarget(capture, mesh)
        ankles = joints(mesh, motion)[:, [10, 13]]
        assert np.abs(np.diff(ankles[..., [0, 2]], axis=0)).max() < 1e-3
        lowest = [pose_vertices(mesh, pose)[:, 1].min() for pose in motion.poses]
        assert min(lowest) > -1e-3
        assert max(lowest) < 0.01

    def test_a_jump_keeps_its_height(self, mesh, tmp_path):
        heights = np.concatenate(
            [np.zeros(10), 1.2 * (np.arange(1, 10) / 25) * (1 - np.arange(1, 10) / 10), np.zeros(10)]
        )
        poses = tuple(articulate({}, np.array([0.0, height, 0.0])) for height in heights)
        capture = read_bvh(write_bvh(Motion("own", poses, 25.0), mesh.skeleton, tmp_path / "own.bvh"))
        roots = np.array([pose.root[1] for pose in retarget(capture, mesh).poses])
        np.testing.assert_allclose(roots - roots[0], heights, atol=5e-3)

    def test_a_toe_that_dips_below_the_ground_is_pitched_and_the_person_stays(self, mesh, tmp_path):
        """The left foot stands; the right one hangs flat beside it and points its toes into the ground from frame 5."""
        poses = [articulate({"right_ankle": -25.0 * (frame >= 5)}) for frame in range(10)]
        poses = tuple(replace(pose, root=grounded(mesh, poses[0]).root) for pose in poses)
        capture = read_bvh(write_bvh(Motion("own", poses, 25.0), mesh.skeleton, tmp_path / "own.bvh"))
        motion = retarget(capture, mesh)
        assert min(pose_vertices(mesh, pose)[:, 1].min() for pose in motion.poses) > -2e-3
        assert np.ptp([pose.root[1] for pose in motion.poses]) < 1e-3
        left = [pose.rotations[BONE["left_foot"]] for pose in motion.poses]
        np.testing.assert_allclose(left, poses[0].rotations[None, BONE["left_foot"]].repeat(10, 0), atol=1e-6)


class TestArms:
    def test_arms_come_out_of_the_body_softly_and_nothing_else_moves(self, mesh, tmp_path):
        """A hand swings into the thigh and out again."""
        swing = [25 - 35 * np.exp(-(((frame - 15) / 4) ** 2)) for frame in range(30)]
        poses = tuple(
            grounded(mesh, articulate({"right_shoulder_abduct": own, "left_shoulder_abduct": 30.0})) for own in swing
        )
        assert any(intersects(mesh, pose) for pose in poses)
        capture = read_bvh(write_bvh(Motion("own", poses, 25.0), mesh.skeleton, tmp_path / "own.bvh"))
        motion = retarget(capture, mesh, facing=None)
        assert not any(intersects(mesh, pose) for pose in motion.poses)
        ours, theirs = joints(mesh, motion), joints(mesh, Motion("own", poses, 25.0))
        arm = [3, 4]
        np.testing.assert_allclose(np.delete(ours, arm, 1), np.delete(theirs, arm, 1), atol=1e-5)
        np.testing.assert_allclose(ours[[0, -1]], theirs[[0, -1]], atol=1e-3)
        speed = [np.linalg.norm(np.diff(points[:, 4], axis=0), axis=1).max() for points in (ours, theirs)]
        assert speed[0] < 2 * speed[1]
