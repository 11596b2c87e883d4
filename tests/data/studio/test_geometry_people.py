"""People: sound meshes, clothes outside of skin, poses without self-intersection, cameras, joints."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import torch
from studio_people import parts_seen, person, shots

from repro.data.studio.body import Detail, hair_pieces, hand_surfaces, head_frame, trunk_rows
from repro.data.studio.camera import Camera, fashion_camera
from repro.data.studio.garments import build_person, crumpled
from repro.data.studio.identity import GARMENTS, HAIR_STYLES, Body, Hair, Identity
from repro.data.studio.mesh import MATERIAL, MATERIALS, PART, PARTS, pose_vertices
from repro.data.studio.pose import articulate, grounded, intersects, random_angles, random_pose
from repro.data.studio.seeds import child_generator
from repro.data.studio.shot import Shot, integer_centres, joints_visible, shoot
from repro.data.studio.skeleton import BONE, OPENPOSE_18, Pose, build_skeleton
from repro.data.studio.tubes import signed_volume

CROWD = [Identity("fashion", "train", index) for index in range(60)]


WHERE = {  # joint -> parts on which it may be seen
    "nose": {"head"}, "eye": {"head", "hair"}, "ear": {"head", "hair", "accessory"},
    "neck": {"trunk", "top", "hair", "head"}, "shoulder": {"arm", "top", "trunk", "hair"}, "elbow": {"arm"},
    "wrist": {"arm"}, "hip": {"leg", "top", "skirt", "trunk", "accessory"}, "knee": {"leg", "top", "skirt"},
    "ankle": {"leg", "shoe", "skirt"},
}  # fmt: skip


class TestMesh:
    """What every mesh must be, whatever its owner wears."""

    @pytest.mark.parametrize("index", range(8))
    def test_values_sound(self, index):
        mesh = person(index, "low")
        count = len(mesh.rest_vertices)
        np.testing.assert_allclose(mesh.weights.sum(1), 1, atol=1e-12)
        assert (mesh.weights >= 0).all()
        assert mesh.faces.min() >= 0
        assert mesh.faces.max() < count
        assert set(np.unique(mesh.part)) <= set(range(len(PARTS)))
        assert set(np.unique(mesh.material)) <= set(range(len(MATERIALS)))
        assert np.isfinite(mesh.uv).all()
        assert len(mesh.uv) == len(mesh.weld) == len(mesh.weights) == count
        np.testing.assert_allclose(mesh.rest_vertices[mesh.weld], mesh.rest_vertices, atol=1e-12)
        corners = mesh.rest_vertices[mesh.faces]
        area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
        assert (area > 0).all()

    def test_low_detail_has_about_a_quarter_of_the_faces(self):
        for index in range(3):
            full, low = person(index, "full"), person(index, "low")
            assert 0.2 < len(low.faces) / len(full.faces) < 0.3
            np.testing.assert_allclose(low.rest_vertices.max(0), full.rest_vertices.max(0), atol=0.02)

    def test_same_identity_same_mesh(self):
        again = build_person(Identity("fashion", "train", 2), "low")
        np.testing.assert_array_equal(again.rest_vertices, person(2, "low").rest_vertices)

    def test_every_material_on_the_mesh_is_worn_or_grown(self):
        for index in range(12):
            names = {MATERIALS[number] for number in np.unique(person(index, "low").material)}
            worn = {garment.kind for garment in CROWD[index].outfit}
            assert names - {"skin", "face", "hair", "sole"} == worn

    def test_stature_is_that_of_the_body(self):
        for index in range(6):
            mesh, body = person(index, "full"), CROWD[index].body
            head = mesh.rest_vertices[np.unique(mesh.faces[mesh.part == PART["head"]])]
            assert head[:, 1].max() == pytest.approx(body.height, rel=0.005)

    def test_mirrored_twice_is_itself(self):
        mesh = person(4, "low")
        twice = mesh.mirrored().mirrored()
        np.testing.assert_array_equal(twice.rest_vertices, mesh.rest_vertices)
        np.testing.assert_array_equal(twice.faces, mesh.faces)
        np.testing.assert_array_equal(twice.weights, mesh.weights)
        assert (mesh.mirrored().part == PART["left_arm"]).sum() == (mesh.part == PART["right_arm"]).sum()

    def test_skinning_is_the_weighted_sum_over_bones(self):
        mesh = person(3, "low")
        pose = random_pose(mesh, np.random.default_rng(0))
        transforms = mesh.skeleton.transforms(pose)
        homogeneous = np.column_stack([mesh.rest_vertices, np.ones(len(mesh.rest_vertices))])
        expected = np.einsum("vb,bij,vj->vi", mesh.weights, transforms, homogeneous)
        np.testing.assert_allclose(pose_vertices(mesh, pose), expected, atol=1e-12)
        np.testing.assert_allclose(pose_vertices(mesh, Pose()), mesh.rest_vertices, atol=1e-12)

    def test_skirts_follow_the_nearer_thigh_to_three_quarters_at_the_hem(self):
        mesh = next(person(i, "low") for i, who in enumerate(CROWD) if who.garment("skirt"))
        skirt = np.unique(mesh.faces[mesh.part == PART["skirt"]])
        hem = skirt[mesh.rest_vertices[skirt, 1] < mesh.rest_vertices[skirt, 1].min() + 0.01]
        far = hem[np.abs(mesh.rest_vertices[hem, 0]) > 0.11]
        left = mesh.rest_vertices[far, 0] > 0
        np.testing.assert_allclose(mesh.weights[far[left], BONE["left_thigh"]], 0.75, atol=0.02)
        np.testing.assert_allclose(mesh.weights[far[~left], BONE["right_thigh"]], 0.75, atol=0.02)


class TestLooks:
    """Regressions that a glance at a picture would find."""

    def test_hair_is_behind_and_the_face_in_front(self):
        for index in range(6):
            mesh = person(index, "low")
            pose = Pose()
            front, back = (Camera(yaw=yaw, look_at=(0, 0.9, 0)) for yaw in (0.0, np.pi))
            pair = [Shot.take(mesh, pose, camera, (128, 128)) for camera in (front, back)]
            part = parts_seen(mesh, shoot(pair, 128, 128))
            hair, head = ((part == PART[name]).sum((1, 2)) for name in ("hair", "head"))
            assert head[0] > 20
            assert head[0] > 4 * head[1], f"identity {index}"
            assert hair[1] > hair[0]

    def test_the_trunk_does_not_poke_through_the_top(self):
        for index in range(7):
            mesh, body = person(index, "low"), CROWD[index].body
            material = torch.from_numpy(mesh.material)
            for yaw in (0.0, 1.3, 2.6, 3.9, 5.2):
                shot = Shot.take(mesh, Pose(), Camera(yaw=yaw, look_at=(0, 0.9, 0)), (128, 128))
                seen = shoot([shot], 128, 128)
                skin = (seen.face >= 0) & (parts_seen(mesh, seen) == PART["trunk"])
                height = torch.from_numpy(mesh.rest_vertices[mesh.faces].mean(1)[:, 1])[seen.face.clamp_min(0)]
                bare = skin & (material[seen.face.clamp_min(0)] == MATERIAL["skin"]) & (height < 0.70 * body.height)
                assert bare.sum() == 0, f"identity {index}, yaw {yaw}"

    def test_shoulders_are_not_puffed(self):
        """Sleeves begin inside the trunk: next to the neck nothing rises above a straight line to the shoulder."""
        for index in range(12):
            mesh, height = person(index, "full"), CROWD[index].body.height
            arm = np.unique(mesh.faces[mesh.part == PART["left_arm"]])
            assert mesh.rest_vertices[arm, 1].max() < 0.855 * height


class TestDetails:
    """Hands, hair, collars, folds and bags: what makes the difference between a doll and a person."""

    @staticmethod
    def hair(style, thickness=0.02):
        body = Body(0.8, 1.7)
        skeleton = build_skeleton(body)
        pieces = hair_pieces(body, skeleton, Hair(style, thickness, 0), Detail("full"), 0.01)
        chin, unit = head_frame(body, skeleton)
        return [(piece.surface.vertices - [0, chin, 0]) / unit for piece in pieces]

    def test_no_knob_on_the_crown(self):
        """Hair used to end in a dome as high as it is thick, on a ring a tenth of the head wide."""
        for style in HAIR_STYLES:
            cap = self.hair(style)[0]
            around = np.hypot(cap[:, 0], cap[:, 2])
            top, shoulder = cap[around < 0.02, 1].max(), cap[(around > 0.1) & (around < 0.2), 1].max()
            assert 0 < top - shoulder < 0.05, style

    @pytest.mark.parametrize(
        ("style", "low", "high"), [("fringe", 0.55, 0.7), ("short", 0.75, 0.9), ("receding", 0.8, 1.0)]
    )
    def test_the_hair_line_is_where_the_style_says(self, style, low, high):
        cap = self.hair(style)[0]
        forehead = cap[(np.abs(cap[:, 0]) < 0.05) & (cap[:, 2] > 0)]
        assert low < forehead[:, 1].min() < high

    def test_a_pony_tail_hangs_behind_the_back(self):
        tail = self.hair("ponytail")[1]
        assert tail[:, 1].min() < -0.5
        body = Body(0.8, 1.7)
        skeleton = build_skeleton(body)
        trunk = trunk_rows(body)
        chin, unit = head_frame(body, skeleton)
        below = tail[tail[:, 1] < -0.3] * unit + [0, chin, 0]
        back = np.interp(-below[:, 1], -trunk[:, 1], trunk[:, 5])
        assert (-below[:, 2] > back).all()

    def test_hands_have_five_fingers_wound_outward(self):
        body = Body(0.5, 1.7)
        skeleton = build_skeleton(body)
        for side in ("right", "left"):
            palm, *fingers = hand_surfaces(body, skeleton, side, Detail("full"))
            assert len(fingers) == 5
            for surface in (palm, *fingers):  # open towards the wrist: volume about the middle of the opening
                opening = surface.vertices[surface.uv[:, 1] == 0].mean(0)
                assert signed_volume(surface.vertices - opening, surface.faces) > 0
            tip = skeleton.points[f"{side}_fingertip"][1]
            nearest = min(np.linalg.norm(finger.vertices - tip, axis=1).min() for finger in fingers)
            assert nearest < 0.03

    def test_every_cut_is_worn(self):
        styles = Counter((piece.kind, piece.style) for who in CROWD for piece in who.outfit)
        for cut in (("trousers", "creased"), ("top", "collar"), ("bag", "backpack"), ("bag", "shoulder")):
            assert styles[cut] > 0, cut
        assert len({piece.folds for who in CROWD for piece in who.outfit}) > 100

    def test_creases_lie_where_they_are_asked_for(self):
        s = np.linspace(0, 1, 200)[:, None]
        fold = crumpled(0.5, 0.05, 0.04, 0.03, 1.0)(np.linspace(-3, 3, 9)[None], s, s)
        assert np.abs(fold).max() <= 0.03
        assert np.abs(fold[np.abs(s[:, 0] - 0.5) > 0.2]).max() < 1e-6
        assert np.abs(fold[np.abs(s[:, 0] - 0.5) < 0.02]).max() > 0.02

    def test_a_raised_arm_leaves_the_flank_where_it_is(self):
        """The side of the chest used to follow the arm half-way, as if the person had wings."""
        mesh = person(5, "full")
        skeleton = mesh.skeleton
        trunk = np.unique(mesh.faces[mesh.part == PART["top"]])
        shoulder, height = skeleton.points["left_shoulder"][1], skeleton.points["crown"][1][1]
        flank = trunk[mesh.rest_vertices[trunk, 1] < shoulder[1] - 0.13 * height]
        moved = pose_vertices(mesh, articulate({"left_shoulder_abduct": 150.0})) - mesh.rest_vertices
        assert np.linalg.norm(moved[flank], axis=1).max() < 0.02

    def test_a_bag_hangs_from_straps_that_lie_on_the_clothes(self):
        for who in [who for who in CROWD if who.garment("bag")][:3]:
            mesh = build_person(who, "low")
            straps = np.unique(mesh.faces[mesh.material == MATERIAL["bag"]])
            follow = straps[mesh.weights[straps].max(1) < 1]
            rows = trunk_rows(who.body)
            side = np.interp(-mesh.rest_vertices[follow, 1], -rows[:, 1], rows[:, 4:6].max(1))
            assert len(follow) > 20
            assert (np.abs(mesh.rest_vertices[follow, 2]) < side + 0.12).all()


class TestIdentities:
    """The crowd is varied, within its bounds."""

    def test_bounds_and_variety(self):
        bodies = [who.body for who in CROWD]
        for body in bodies:
            mean = 1.655 if body.femininity > 0.5 else 1.775
            assert abs(body.height / mean - 1) <= 0.1 + 1e-12
            assert abs(body.girth - 1) <= 0.12 + 1e-12
        assert 0.3 < np.mean([body.femininity > 0.5 for body in bodies]) < 0.8
        assert {who.hair.style for who in CROWD} == set(HAIR_STYLES)
        worn = Counter(garment.kind for who in CROWD for garment in who.outfit)
        assert set(worn) == set(GARMENTS)
        assert worn["top"] + worn["dress"] == worn["shoe"] == len(CROWD)

    def test_later_garments_lie_further_out(self):
        for who in CROWD:
            trunk = [garment for garment in who.outfit if garment.kind in ("top", "trousers", "skirt", "coat", "dress")]
            for inner, outer in pairwise(trunk):
                assert outer.fit >= inner.fit + 0.0079


class TestPoses:
    """Random standing poses."""

    def test_random_poses_stand_on_the_ground_and_keep_their_hands_out_of_the_body(self):
        mesh = person(1, "low")
        for view in range(12):
            pose = random_pose(mesh, child_generator("test pose", view))
            assert not intersects(mesh, pose)
            assert abs(pose_vertices(mesh, pose)[:, 1].min()) < 1e-9

    def test_unconstrained_poses_are_often_rejected(self):
        mesh = person(1, "low")
        rejected = np.mean(
            [intersects(mesh, articulate(random_angles(child_generator("reject", i)))) for i in range(100)]
        )
        assert 0.1 < rejected < 0.75

    def test_a_hand_in_the_belly_and_an_arm_through_the_other_are_intersections(self):
        mesh = person(0, "low")
        inside = {"right_elbow": 100.0, "right_shoulder_twist": 80.0, "right_shoulder_flex": -30.0}
        assert intersects(mesh, articulate(inside))
        crossed = {f"{side}_{name}": value for side in ("right", "left") for name, value in
                   (("shoulder_flex", 60.0), ("elbow", 90.0), ("shoulder_twist", 80.0))}  # fmt: skip
        assert intersects(mesh, articulate(crossed))
        assert not intersects(mesh, articulate({"right_shoulder_abduct": 30.0, "left_shoulder_abduct": 30.0}))

    def test_poses_differ_between_views_and_repeat_for_one(self):
        mesh, who = person(0, "low"), CROWD[0]
        first, again, other = (random_pose(mesh, who.rng("pose", view)) for view in (0, 0, 1))
        np.testing.assert_array_equal(first.rotations, again.rotations)
        assert np.abs(first.rotations - other.rotations).max() > 0.05

    def test_grounding_moves_only_the_root(self):
        mesh = person(0, "low")
        pose = articulate({"right_knee": 60.0, "left_knee": 60.0})
        np.testing.assert_array_equal(grounded(mesh, pose).rotations, pose.rotations)


class TestCameras:
    """Pinholes."""

    def test_convention_hand_numbers(self):
        camera = Camera(distance=4.0, look_at=(0.0, 1.0, 0.0), focal=2.0)
        points = np.array([[0, 1, 0], [0.5, 1, 0], [0, 1.5, 0], [0, 1, 2.0]])
        # x = W/2 + f H X/Z: 2 * 100 * 0.5 / 4 = 25 pixels to the right; up is a smaller y; nearer is a smaller Z
        expected = [[40, 50, 4], [65, 50, 4], [40, 25, 4], [40, 50, 2]]
        np.testing.assert_allclose(camera.project(points, (100, 80)), expected, atol=1e-12)

    def test_convention_yaw_pitch_roll(self):
        left_side = Camera(yaw=np.pi / 2, look_at=(0, 1, 0))
        np.testing.assert_allclose(left_side.position, [4, 1, 0], atol=1e-12)
        above = Camera(pitch=0.3, look_at=(0, 1, 0))
        assert above.position[1] > 2
        x, y, _ = Camera(roll=0.2, look_at=(0, 1, 0)).project(np.array([0.5, 1, 0]), (100, 100))
        assert x > 50 > y, "counter-clockwise: what was right is now higher"
        for camera in (left_side, above, Camera(yaw=1, pitch=0.2, roll=0.3)):
            np.testing.assert_allclose(camera.axes @ camera.axes.T, np.eye(3), atol=1e-12)

    def test_fashion_views_have_the_promised_shares(self):
        cameras = [fashion_camera(child_generator("camera", i), 1.7) for i in range(2000)]
        upper = np.mean([camera.focal == 3.7 for camera in cameras])
        behind = np.mean([abs(camera.yaw) > np.deg2rad(120) for camera in cameras])
        assert abs(upper - 0.35) < 0.03
        assert 0.15 <= behind < 0.25
        assert all(0 <= camera.pitch <= np.deg2rad(5) for camera in cameras)


class TestJoints:
    """Check 8 of the specification: joints lie on the parts they belong to."""

    @pytest.mark.parametrize("index", range(4))
    def test_visible_joints_project_into_their_dilated_part(self, index):
        for shot in shots(index, 256, 3):
            seen = shoot([shot], 256, 256)
            part = parts_seen(shot.mesh, seen)[0]
            visible = joints_visible(shot, seen.depth[0], OPENPOSE_18)
            for name, (row, column), shown in zip(OPENPOSE_18, shot.joints(), visible):
                if not shown:
                    continue
                side, _, plain = name.partition("_") if "_" in name else ("", "", name)
                around = part[max(0, int(row) - 3) : int(row) + 5, max(0, int(column) - 3) : int(column) + 5]
                names = {PARTS[number] for number in around.unique().tolist() if number >= 0}
                wanted = {f"{side}_{where}" if where in ("arm", "leg") else where for where in WHERE[plain]}
                assert names & wanted, f"identity {index}: {name} at ({row:.0f}, {column:.0f}) lies on {names}"

    def test_convention_row_column_with_centres_at_integers(self):
        screen = np.array([[10.5, 20.5, 1.0], [-0.1, 5, 1], [64.0, 5, 1], [5, 5, -1]])
        expected = [[20, 10], [-1, -1], [-1, -1], [-1, -1]]
        np.testing.assert_allclose(integer_centres(screen, (64, 64)), expected)

    def test_the_nose_is_hidden_from_behind_and_seen_from_the_front(self):
        mesh = person(0, "low")
        for yaw, expected in ((0.0, True), (np.pi, False)):
            shot = Shot.take(mesh, Pose(), Camera(yaw=yaw, look_at=(0, 0.9, 0)), (64, 64))
            visible = joints_visible(shot, shoot([shot], 64, 64).depth[0], OPENPOSE_18)
            assert visible[0] == expected
            assert visible[OPENPOSE_18.index("left_knee")]
