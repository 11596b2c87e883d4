"""The skeleton: rest pose, forward kinematics by hand-computed cases, the orders of joints."""

import numpy as np
import pytest

from repro.data.studio.identity import Body
from repro.data.studio.pose import ANGLES, articulate
from repro.data.studio.skeleton import (
    BONES,
    COCO_17,
    HUMAN36M_17,
    LAYOUTS,
    OPENPOSE_18,
    PARENT,
    Pose,
    axis_angles,
    build_skeleton,
    rotation_matrices,
    stature_map,
)

SKELETON = build_skeleton(Body(0.3, 1.75))


def point(name: str, **angles: float) -> np.ndarray:
    return SKELETON.posed_point(name, SKELETON.transforms(articulate(angles)))


def test_rest_pose_moves_nothing():
    transforms = SKELETON.transforms(Pose())
    np.testing.assert_allclose(transforms, np.tile(np.eye(4)[:3], (17, 1, 1)), atol=1e-15)


def test_convention_right_is_minus_x_and_the_face_looks_to_plus_z():
    joints = dict(zip(OPENPOSE_18, SKELETON.posed_joints(Pose())))
    for side, sign in (("right", -1), ("left", 1)):
        assert all(
            sign * joints[f"{side}_{name}"][0] > 0 for name in ("shoulder", "elbow", "hip", "knee", "eye", "ear")
        )
    assert joints["nose"][2] > joints["left_ear"][2] + 0.05
    assert joints["nose"][1] > joints["neck"][1] > joints["left_hip"][1] > joints["left_knee"][1] > 0


def test_convention_rest_arms_hang_50_degrees_below_the_horizontal():
    along = SKELETON.arm_direction("left")
    assert np.rad2deg(np.arctan2(-along[1], along[0])) == pytest.approx(50)


def test_joint_lists_have_the_orders_of_the_data_sets():
    assert tuple(OPENPOSE_18[i] for i in (0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10)) == COCO_17
    assert HUMAN36M_17[:7] == ("hip", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle")
    for layout, names in LAYOUTS.items():
        assert SKELETON.posed_joints(Pose(), layout).shape == (len(names), 3)
    with pytest.raises(ValueError, match="unknown joint layout 'smpl'"):
        SKELETON.posed_joints(Pose(), "smpl")


class TestAngles:
    """Where limbs go, one angle at a time."""

    @pytest.mark.parametrize("side", ["right", "left"])
    def test_values_arms(self, side):
        sign = -1 if side == "right" else 1
        shoulder, stretched = point(f"{side}_shoulder"), 0.322 * 1.75
        down = point(f"{side}_wrist") - shoulder
        np.testing.assert_allclose(down, [0, -stretched, 0], atol=1e-12)
        out = point(f"{side}_wrist", **{f"{side}_shoulder_abduct": 90.0}) - shoulder
        np.testing.assert_allclose(out, [sign * stretched, 0, 0], atol=1e-12)
        forward = point(f"{side}_wrist", **{f"{side}_shoulder_flex": 90.0}) - shoulder
        np.testing.assert_allclose(forward, [0, 0, stretched], atol=1e-12)
        bent = point(f"{side}_wrist", **{f"{side}_elbow": 90.0}) - point(f"{side}_elbow")
        np.testing.assert_allclose(bent, [0, 0, 0.15 * 1.75], atol=1e-12)
        # Twisting inward swings the bent fore-arm in front of the body.
        inward = point(f"{side}_wrist", **{f"{side}_elbow": 90.0, f"{side}_shoulder_twist": 90.0 - 10})
        assert sign * (inward - point(f"{side}_elbow"))[0] < -0.2

    @pytest.mark.parametrize("side", ["right", "left"])
    def test_values_legs(self, side):
        sign = -1 if side == "right" else 1
        hip, rest = point(f"{side}_hip"), point(f"{side}_knee") - point(f"{side}_hip")
        forward = point(f"{side}_knee", **{f"{side}_hip_flex": 90.0}) - hip
        np.testing.assert_allclose(forward, [rest[0], rest[2], -rest[1]], atol=1e-12)
        assert sign * (point(f"{side}_knee", **{f"{side}_hip_abduct": 30.0}) - hip)[0] > 0.15
        assert (point(f"{side}_ankle", **{f"{side}_knee": 90.0}) - point(f"{side}_knee"))[2] < -0.3
        assert point(f"{side}_toe", **{f"{side}_ankle": 20.0})[1] > point(f"{side}_toe")[1] + 0.03

    def test_values_trunk(self):
        assert point("nose", spine_bend=20.0)[2] > point("nose")[2] + 0.1
        assert point("nose", neck_yaw=60.0)[0] > 0.05, "turning the head left carries the nose to +x"
        assert point("crown", spine_side=15.0)[0] > 0.05, "leaning left carries the head to +x"
        np.testing.assert_allclose(point("nose", turn=90.0)[[0, 2]], point("nose")[[2, 0]] * [1, -1], atol=1e-12)

    def test_exception(self):
        with pytest.raises(ValueError, match="unknown angle 'elbow'"):
            articulate({"elbow": 1.0})
        with pytest.raises(ValueError, match="expected right_elbow between 0 and 145 degrees, got 200"):
            articulate({"right_elbow": 200.0})
        with pytest.raises(ValueError, match=r"expected rotations \(17, 3\) and root \(3,\), got \(3, 3\)"):
            Pose(np.zeros((3, 3)))


def test_bones_keep_their_lengths_in_every_pose():
    rng = np.random.default_rng(0)
    transforms = SKELETON.transforms(Pose(rng.normal(0, 1, (17, 3)), rng.normal(size=3)))
    posed = np.einsum("bij,bj->bi", transforms[:, :, :3], SKELETON.joints) + transforms[:, :, 3]
    for bone in range(1, len(BONES)):
        lengths = [np.linalg.norm(joints[bone] - joints[PARENT[bone]]) for joints in (posed, SKELETON.joints)]
        assert lengths[0] == pytest.approx(lengths[1], abs=1e-12)


def test_axis_angles_invert_rotation_matrices():
    vectors = np.random.default_rng(0).normal(size=(50, 3))
    vectors *= (np.linspace(1e-6, 3.1, 50) / np.linalg.norm(vectors, axis=1))[:, None]
    matrices = rotation_matrices(vectors)
    np.testing.assert_allclose(
        np.einsum("nij,nkj->nik", matrices, matrices), np.tile(np.eye(3), (50, 1, 1)), atol=1e-12
    )
    np.testing.assert_allclose(axis_angles(matrices), vectors, atol=1e-7)
    quarter = rotation_matrices(np.array([0, np.pi / 2, 0])) @ [0, 0, 1]
    np.testing.assert_allclose(quarter, [1, 0, 0], atol=1e-15)


def test_mirrored_pose_mirrors_every_joint():
    rng = np.random.default_rng(1)
    pose = Pose(rng.normal(0, 0.5, (17, 3)), rng.normal(size=3))
    names = [name.replace("right", "?").replace("left", "right").replace("?", "left") for name in OPENPOSE_18]
    order = [OPENPOSE_18.index(name) for name in names]
    expected = SKELETON.posed_joints(pose)[order] * [-1, 1, 1]
    np.testing.assert_allclose(SKELETON.posed_joints(pose.mirrored()), expected, atol=1e-12)


def test_stature_is_kept_whatever_the_proportions():
    for body in (Body(0, 1.6, leg=1.05), Body(1, 1.8, head=0.95), Body(0.5, 1.7, leg=0.97, head=1.05)):
        assert stature_map(body, 1.0) == pytest.approx(body.height)
        assert (np.diff(stature_map(body, np.linspace(0, 1, 101))) > 0).all()


def test_every_angle_can_be_reached():
    assert len(set(ANGLES)) == len(ANGLES) == 9 + 2 * 11
