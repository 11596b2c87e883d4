"""Forward kinematics of clips against that of poses; hidden joints against common sense and the depth buffer."""

import numpy as np
import pytest
from studio_people import person

from repro.data.studio.camera import Camera
from repro.data.studio.identity import Body
from repro.data.studio.kinematics import clip_points, clip_transforms, hidden_joints
from repro.data.studio.pose import articulate, random_pose
from repro.data.studio.raster import rasterize
from repro.data.studio.seeds import child_generator
from repro.data.studio.shot import Shot, joints_visible
from repro.data.studio.skeleton import COCO_17, HUMAN36M_17, Pose, build_skeleton

SKELETON = build_skeleton(Body(0.3, 1.75))


def seen(yaw: float, pose: Pose) -> dict[str, bool]:
    """Which joints a camera at an angle (degrees) sees."""
    transforms = clip_transforms(SKELETON, [pose])
    joints = clip_points(SKELETON, transforms, COCO_17)
    hidden = hidden_joints(SKELETON, transforms, joints, Camera(yaw=np.deg2rad(yaw), distance=4.5).position)
    return dict(zip(COCO_17, ~hidden[0]))


def test_a_clip_is_its_poses():
    poses = [random_pose(person(0, "low"), child_generator("test", number)) for number in range(3)]
    poses.append(articulate({"turn": 120.0, "right_knee": 50.0}, root=np.array([0.3, 0.1, -0.2])))
    transforms = clip_transforms(SKELETON, poses)
    for own, pose in zip(transforms, poses):
        np.testing.assert_allclose(own, SKELETON.transforms(pose), atol=1e-12)
    points = clip_points(SKELETON, transforms, HUMAN36M_17)
    np.testing.assert_allclose(points[3], SKELETON.posed_joints(poses[3], "human36m17"), atol=1e-12)


class TestHiddenJoints:
    STANDING = articulate({"right_shoulder_abduct": 20.0, "left_shoulder_abduct": 20.0})

    def test_from_the_front_everything_is_seen(self):
        assert all(seen(0, self.STANDING).values())

    def test_from_behind_the_face_is_hidden_and_the_limbs_are_not(self):
        view = seen(180, self.STANDING)
        assert {name for name, visible in view.items() if not visible} == {"nose", "left_eye", "right_eye"}

    @pytest.mark.parametrize(("yaw", "near", "far"), [(90, "left", "right"), (-90, "right", "left")])
    def test_from_the_side_the_far_half_is_hidden(self, yaw, near, far):
        view = seen(yaw, articulate({"right_shoulder_flex": 80.0, "left_shoulder_flex": 80.0}))
        for name in ("eye", "ear", "shoulder", "hip"):
            assert view[f"{near}_{name}"]
            assert not view[f"{far}_{name}"]
        assert view["nose"]

    def test_an_arm_before_the_chest_hides_nothing_of_itself(self):
        crossed = articulate({"right_shoulder_flex": 35.0, "right_elbow": 95.0, "right_shoulder_twist": 60.0})
        front, back = seen(0, crossed), seen(180, crossed)
        assert front["right_wrist"]
        assert not back["right_wrist"]

    def test_agrees_with_the_depth_buffer_of_the_dressed_mesh(self):
        """The buffer also knows skirts, long hair and bags: where it alone hides a joint, mostly one of these does."""
        agree, wrongly_hidden, hidden_share = [], [], []
        for index in range(6):
            mesh = person(index, "low")
            for view in range(8):
                pose = random_pose(mesh, child_generator("test", index, view))
                camera = Camera(yaw=view * np.pi / 4 + 0.2, pitch=0.13, distance=4.5, focal=1.6)
                shot = Shot.take(mesh, pose, camera, (192, 192))
                buffer = rasterize([shot.screen((192, 192))], [shot.faces], 192, 192, two_sided=[shot.two_sided]).depth
                hidden = ~joints_visible(shot, buffer[0], COCO_17)
                transforms = clip_transforms(mesh.skeleton, [pose])
                joints = clip_points(mesh.skeleton, transforms, COCO_17)
                ours = hidden_joints(mesh.skeleton, transforms, joints, camera.position)[0]
                agree.append(ours == hidden)
                wrongly_hidden.append(ours & ~hidden)
                hidden_share.append((ours.mean(), hidden.mean()))
        assert np.mean(agree) > 0.87
        assert np.mean(wrongly_hidden) < 0.03
        ours, buffer = np.mean(hidden_share, axis=0)
        assert buffer - 0.1 < ours < buffer
