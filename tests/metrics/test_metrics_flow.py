"""Flow and mask scores, and the per-bone warp, on cases that can be computed by hand."""

import math

import pytest
import torch

from repro.metrics.bone_warp import BONES, bone_flow
from repro.metrics.flow import affine_residual, flow_scores, hidden_endpoint_error, upsample_flow, visibility_f1


def joints(**places):
    """Return (1, 18, 2) with the given joints, for example j1=(row, column); the rest is missing."""
    result = torch.full((1, 18, 2), -1.0)
    for name, place in places.items():
        result[0, int(name[1:])] = torch.tensor(place, dtype=torch.float32)
    return result


class TestUpsampleFlow:
    def test_constant_flow_grows_with_the_map(self):
        flow = torch.tensor([1.0, -2.0]).view(1, 2, 1, 1).expand(1, 2, 4, 2)
        up = upsample_flow(flow, (16, 16))
        assert up.shape == (1, 2, 16, 16)
        assert up[:, 0].unique().tolist() == [8.0]  # 16 / 2 columns
        assert up[:, 1].unique().tolist() == [-8.0]  # 16 / 4 rows

    def test_convention_cell_centres(self):
        # Position-dependent flow w_x = x (in cells): pixel 5 of 8 lies at cell (5 + 0.5) / 4 - 0.5 = 0.875.
        flow = torch.zeros(1, 2, 1, 2)
        flow[0, 0, 0] = torch.tensor([0.0, 1.0])
        assert upsample_flow(flow, (4, 8))[0, 0, 0, 5].item() == pytest.approx(0.875 * 4)


class TestFlowScores:
    def test_by_hand(self):
        # Errors 0, 1, 3, 5 on visible pixels, and a huge one where nothing is visible.
        true = torch.zeros(1, 2, 1, 5)
        flow = torch.tensor([[0.0, 1, 0, 3, 99], [0.0, 0, -3, 4, 99]]).view(1, 2, 1, 5)
        visible = torch.tensor([[[True, True, True, True, False]]])
        scores = flow_scores(flow, true, visible)
        assert scores["epe_visible_px"].tolist() == [9 / 4]
        assert scores["within_1px_visible"].tolist() == [0.5]
        assert scores["within_3px_visible"].tolist() == [0.75]

    def test_in_image_pixels_from_a_coarse_map(self):
        true = torch.full((1, 2, 8, 8), 4.0)
        scores = flow_scores(torch.full((1, 2, 2, 2), 1.0), true, torch.ones(1, 8, 8, dtype=torch.bool))
        assert scores["epe_visible_px"].item() == 0

    def test_nothing_visible_is_nan(self):
        scores = flow_scores(torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 4, 4), torch.zeros(1, 4, 4, dtype=torch.bool))
        assert all(math.isnan(value.item()) for value in scores.values())

    def test_garbage_where_hidden_does_not_count(self):
        true = torch.zeros(1, 2, 2, 2)
        true[..., 1, 1] = float("nan")
        visible = torch.tensor([[[True, True], [True, False]]])
        assert flow_scores(torch.zeros(1, 2, 2, 2), true, visible)["epe_visible_px"].item() == 0


class TestVisibilityF1:
    def test_by_hand(self):
        # person pixels: hit, hit, false alarm, miss, right rejection; the last pixel is background.
        mask = torch.tensor([0.9, 0.51, 0.8, 0.5, 0.1, 0.9]).view(1, 1, 1, 6)
        visible = torch.tensor([[[True, True, False, True, False, True]]])
        person = torch.tensor([[[True, True, True, True, True, False]]])
        assert visibility_f1(mask, visible, person).item() == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))

    def test_agrees_with_torchmetrics(self):
        from torchmetrics.functional.classification import binary_f1_score

        generator = torch.Generator().manual_seed(0)
        mask = torch.rand(3, 1, 16, 16, generator=generator)
        visible, person = torch.rand(2, 3, 16, 16, generator=generator) > 0.5
        for i, score in enumerate(visibility_f1(mask, visible, person)):
            theirs = binary_f1_score(mask[i, 0][person[i]], visible[i][person[i]])
            assert score.item() == pytest.approx(theirs.item(), abs=1e-6)

    def test_undefined_is_nan(self):
        nothing = torch.zeros(1, 4, 4, dtype=torch.bool)
        assert math.isnan(visibility_f1(torch.zeros(1, 1, 4, 4), nothing, ~nothing).item())


class TestHidden:
    def test_by_hand(self):
        """A flow of 4 pixels of a half-size map is 8 of the image; the truth is 5; only the hidden half counts."""
        flow = torch.zeros(1, 2, 2, 2)
        flow[:, 0] = 4.0
        true = torch.zeros(1, 2, 4, 4)
        true[:, 0, :, :2], true[:, 0, :, 2:] = 5.0, 100.0
        hidden = torch.zeros(1, 4, 4, dtype=torch.bool)
        assert math.isnan(hidden_endpoint_error(flow, true, hidden).item())
        hidden[:, :, :2] = True
        assert hidden_endpoint_error(flow, true, hidden).item() == pytest.approx(3.0)


class TestAffineResidual:
    def test_affine_is_zero_and_scales_with_the_flow(self):
        y, x = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
        affine = torch.stack([0.5 * x - y + 3, 2 * y])[None]
        assert affine_residual(affine, 5).item() == pytest.approx(0, abs=1e-6)
        bent = affine + torch.randn(1, 2, 8, 8, generator=torch.Generator().manual_seed(0))
        assert affine_residual(3 * bent, 5).item() == pytest.approx(3 * affine_residual(bent, 5).item())

    def test_noise_keeps_what_three_numbers_cannot_fit(self):
        """White noise of variance 1 on both axes: an affine fit takes 3 of 25 numbers, 2 * 22 / 25 is left."""
        noise = torch.randn(2, 2, 200, 200, generator=torch.Generator().manual_seed(1))
        assert affine_residual(noise, 5).square().tolist() == pytest.approx([2 * 22 / 25] * 2, rel=0.03)


class TestBoneFlow:
    def test_pure_shift(self):
        source = joints(j1=(10, 10), j2=(10, 4), j3=(16, 4))
        target = source.clone()
        target[source >= 0] += 3
        flow = bone_flow(source, target, (24, 24))
        torch.testing.assert_close(flow, torch.full((1, 2, 24, 24), -3.0, dtype=torch.float64))

    def test_quarter_turn_by_hand(self):
        # Target: upper arm from (5, 5) along the row axis, down; source: from (5, 5) along columns, to the right.
        target = joints(j2=(5, 5), j3=(9, 5))
        source = joints(j2=(5, 5), j3=(5, 9))
        flow = bone_flow(source, target, (12, 12))[0]
        # Elbow (row 9, column 5) -> (row 5, column 9): flow x = +4, y = -4. Two rows below the shoulder: +2, -2.
        assert flow[:, 9, 5].tolist() == pytest.approx([4, -4])
        assert flow[:, 7, 5].tolist() == pytest.approx([2, -2])
        # Right of the bone in the target (row 7, column 8) lies above the source's bone: row 5 - 3, column 5 + 2.
        assert flow[:, 7, 8].tolist() == pytest.approx([7 - 8, 2 - 7])

    def test_scale_by_hand(self):
        # The source's bone is twice as long: a point 1 pixel beside the middle is 2 pixels beside it in the source.
        flow = bone_flow(joints(j2=(0, 8), j3=(16, 8)), joints(j2=(0, 8), j3=(8, 8)), (12, 16))[0]
        assert flow[:, 4, 9].tolist() == pytest.approx([10 - 9, 8 - 4])

    def test_nearest_bone_decides(self):
        # Two bones that move apart: forearm stays, shin moves by 5 columns.
        target = joints(j3=(2, 2), j4=(8, 2), j9=(2, 20), j10=(8, 20))
        source = joints(j3=(2, 2), j4=(8, 2), j9=(2, 25), j10=(8, 25))
        flow = bone_flow(source, target, (10, 24))[0]
        assert flow[0, 5, :11].abs().max() < 1e-9
        torch.testing.assert_close(flow[0, 5, 12:], torch.full((12,), 5.0, dtype=torch.float64))

    def test_segment_not_line(self):
        # (row 20, column 2) lies on the line of the first bone but nearer to the second's segment.
        target = joints(j3=(0, 2), j4=(4, 2), j9=(18, 6), j10=(22, 6))
        source = joints(j3=(0, 2), j4=(4, 2), j9=(18, 9), j10=(22, 9))
        assert bone_flow(source, target, (24, 24))[0, :, 20, 2].tolist() == pytest.approx([3, 0])

    def test_missing_joint_drops_its_bones(self):
        source = joints(j2=(5, 5), j3=(9, 5), j4=(9, 9))
        target = joints(j2=(6, 5), j3=(10, 5))  # the wrist is missing in the target
        torch.testing.assert_close(
            bone_flow(source, target, (12, 12)), bone_flow(joints(j2=(5, 5), j3=(9, 5)), target, (12, 12))
        )

    def test_no_bone_is_zero_flow(self):
        assert bone_flow(joints(j0=(1, 1)), joints(j0=(4, 4)), (6, 6)).abs().max() == 0

    def test_short_bone_only_shifts(self):
        # Seen end-on in the target (length 1): no direction, so the midpoint's way for everyone, not a scale of 8.
        flow = bone_flow(joints(j2=(0, 4), j3=(8, 4)), joints(j2=(4, 4), j3=(5, 4)), (10, 10))[0]
        torch.testing.assert_close(flow[1], torch.full((10, 10), -0.5, dtype=torch.float64))

    def test_bones_end_at_the_trunk_limbs_and_nose(self):
        assert len(BONES) == 13
        assert {end for bone in BONES for end in bone} == set(range(14))
