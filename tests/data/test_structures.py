"""Structures of skeletons: values that one can compute by hand, order of drawing, missing joints."""

import math

import numpy as np
import pytest
import torch

from repro.data.structures import STRUCTURE_COLOURS, STRUCTURE_LIMBS, skeleton_structure

MISSING = (-1.0, -1.0)


def skeleton(**places: tuple[float, float]) -> torch.Tensor:
    """17 joints of which only the named ones (j3=(row, column)) are there."""
    joints = torch.full((17, 2), -1.0, dtype=torch.float64)
    for name, place in places.items():
        joints[int(name[1:])] = torch.tensor(place)
    return joints


def drawing(joints: torch.Tensor, size: tuple[int, int], layout: str = "human36m17") -> np.ndarray:
    """The drawing's channels (3, H, W)."""
    return skeleton_structure(joints, size, layout)[17:].numpy()


class TestHeatMaps:
    def test_a_map_is_a_gaussian_at_the_exact_place(self):
        maps = skeleton_structure(skeleton(j5=(3.25, 7.5)), (12, 17))[:17]
        row, column = 9, 2
        expected = math.exp(-((row - 3.25) ** 2 + (column - 7.5) ** 2) / 72)
        assert float(maps[5, row, column]) == pytest.approx(expected, abs=1e-7)
        assert int((maps.amax(dim=(1, 2)) > 0).sum()) == 1

    def test_truncated_when_asked(self):
        joints = skeleton(j5=(3.75, 7.5))
        whole = skeleton_structure(joints, (12, 17), truncate=True)
        assert float(whole[5, 3, 7]) == 1.0
        assert not torch.equal(whole[:17], skeleton_structure(joints, (12, 17))[:17])

    def test_sigma(self):
        maps = skeleton_structure(skeleton(j0=(4.0, 4.0)), (9, 9), sigma=1.5)
        assert float(maps[0, 4, 6]) == pytest.approx(math.exp(-4 / (2 * 1.5**2)), abs=1e-7)


class TestDrawing:
    def test_colours_are_those_of_pascal_voc(self):
        assert STRUCTURE_COLOURS[:9].tolist() == [
            [0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128], [128, 0, 128], [0, 128, 128],
            [128, 128, 128], [64, 0, 0],
        ]  # fmt: skip
        assert STRUCTURE_COLOURS[16].tolist() == [0, 64, 0]

    def test_a_disc_covers_what_is_nearer_than_two_pixels(self):
        canvas = drawing(skeleton(j3=(4.9, 5.2)), (9, 9))
        expected = np.zeros((3, 9, 9))
        expected[:2, 3:6, 4:7] = 128  # place (4, 5): offsets (2, 0) and (2, 1) are too far, (1, 1) is not
        np.testing.assert_array_equal(canvas, expected)

    def test_a_limb_is_white_between_its_discs(self):
        canvas = drawing(skeleton(j1=(2.0, 2.0), j2=(2.0, 9.0)), (5, 12))
        np.testing.assert_array_equal(canvas[:, 2, 4:8], 255)
        np.testing.assert_array_equal(canvas[:, 2, 10], (0, 128, 0))
        assert canvas[:, [0, 4]].max() == 0

    def test_coverage_of_a_slanted_limb_is_one_less_the_distance_from_it_and_truncated_to_8_bits(self):
        start, end = np.array([3, 4]), np.array([14, 29])
        canvas = drawing(skeleton(j15=tuple(start), j16=tuple(end)), (20, 34))
        rows, columns = np.mgrid[:20, :34]
        across, along = end - start
        distance = abs((rows - start[0]) * along - (columns - start[1]) * across) / math.hypot(along, across)
        expected = np.floor(255 * np.clip(1 - distance, 0, None))
        between = slice(6, 28)  # clear of both discs
        np.testing.assert_allclose(canvas[0, :, between], expected[:, between], atol=1e-9)
        assert len(np.unique(expected[:, between])) > 20

    def test_a_diagonal_has_coverage_1_less_half_the_root_of_2_beside_it(self):
        canvas = drawing(skeleton(j1=(2.0, 2.0), j2=(12.0, 12.0)), (15, 15))
        assert canvas[0, 7, 7] == 255
        assert canvas[0, 7, 8] == 74  # 74.7: truncated, not rounded

    def test_later_limbs_overwrite_even_with_less(self):
        """Limb 4-5 comes after 0-1; its faint edge darkens the pixels of 0-1 that it touches."""
        alone = drawing(skeleton(j0=(10.0, 2.0), j1=(10.0, 26.0)), (22, 30))
        both = drawing(skeleton(j0=(10.0, 2.0), j1=(10.0, 26.0), j4=(4.0, 7.0), j5=(18.0, 22.0)), (22, 30))
        line = slice(5, 24)
        assert (alone[0, 10, line] == 255).all()
        changed = both[0, 10, line]
        assert ((changed > 0) & (changed < 255)).any()

    def test_discs_lie_over_limbs_in_the_order_of_joints(self):
        canvas = drawing(skeleton(j1=(5.0, 5.0), j2=(5.0, 6.0), j0=(5.0, 2.0)), (11, 11))
        np.testing.assert_array_equal(canvas[:, 5, 6], (0, 128, 0))  # joint 2 over joint 1
        np.testing.assert_array_equal(canvas[:, 5, 4], (128, 0, 0))  # joint 1 over the limb 0-1
        np.testing.assert_array_equal(canvas[:, 5, 2], (0, 0, 0))  # joint 0 is black and hides the limb's start

    def test_what_lies_outside_is_cut_off_and_changes_nothing_inside(self):
        joints = skeleton(j1=(5.0, -6.0), j2=(5.0, 20.0))
        np.testing.assert_array_equal(drawing(joints, (11, 12))[:, 5], 255)
        wide = drawing(joints + torch.tensor([0.0, 10.0]), (11, 32))
        limb = wide[:, :, 10:22]
        np.testing.assert_array_equal(drawing(joints, (11, 12)), limb)

    @pytest.mark.parametrize("layout", ["human36m17", "coco17"])
    def test_limbs_connect_all_joints_without_repetition(self, layout: str):
        pairs = {frozenset(pair) for pair in STRUCTURE_LIMBS[layout]}
        assert len(pairs) == 16
        assert set().union(*pairs) == set(range(17))

    def test_layouts_draw_different_limbs(self):
        joints = skeleton(j0=(3.0, 3.0), j7=(3.0, 20.0))
        assert drawing(joints, (7, 24))[0, 3, 12] == 255
        assert drawing(joints, (7, 24), "coco17")[0, 3, 12] == 0


class TestStructures:
    def test_a_missing_joint_has_no_map_no_disc_and_no_limbs(self):
        joints = skeleton(j0=(4.0, 3.0), j1=(4.0, 12.0))
        joints[1, 0] = -1  # one coordinate is enough
        structure = skeleton_structure(joints, (9, 16))
        assert structure[1].max() == 0
        assert structure[17:].max() == 0  # joint 0 is black
        assert skeleton_structure(torch.full((17, 2), -1.0), (9, 16)).abs().max() == 0

    def test_batched_equals_one_by_one(self):
        joints = torch.rand(2, 3, 17, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 30 - 5
        joints[0, 1, 4] = -1
        together = skeleton_structure(joints, (19, 23), "coco17")
        assert together.shape == (2, 3, 20, 19, 23)
        assert together.dtype == torch.float32
        for i in range(2):
            for j in range(3):
                assert torch.equal(together[i, j], skeleton_structure(joints[i, j], (19, 23), "coco17"))

    def test_values_run_to_255(self):
        structure = skeleton_structure(skeleton(j1=(2.0, 2.0), j2=(2.0, 12.0)), (5, 15))
        assert structure[:17].max() == 1
        assert structure[17:].max() == 255

    def test_refusals(self):
        with pytest.raises(ValueError, match=r"unknown joint layout 'openpose18'"):
            skeleton_structure(torch.zeros(17, 2), (8, 8), "openpose18")
        with pytest.raises(ValueError, match=r"expected joints \(\.\.\., 17, 2\) as \(row, column\), got \(18, 2\)"):
            skeleton_structure(torch.zeros(18, 2), (8, 8))
        with pytest.raises(ValueError, match="near the image"):
            skeleton_structure(torch.full((17, 2), 1e6), (8, 8))
        with pytest.raises(ValueError, match="not finite"):
            skeleton_structure(torch.full((17, 2), math.nan), (8, 8))
