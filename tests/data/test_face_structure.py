"""The 16 channels of a face: curves, distances, labels and edges that can be counted by hand."""

import numpy as np
import pytest
import torch

from repro.data.face_structure import (
    PARTS,
    curve_pixels,
    distance_map,
    draw_curve,
    face_structure,
    part_labels,
    with_forehead,
)


def landmarks():
    """A round face of 100 pixels: outline, brows, nose, eyes, mouth in dlib's order, (row, column)."""
    angle = np.linspace(np.pi, 0, 17)
    outline = np.stack([50 + 40 * np.sin(angle), 50 + 35 * np.cos(angle)], 1)
    brow = lambda x: np.stack([38 - 3 * np.sin(np.linspace(0, np.pi, 5)), np.linspace(x, x + 16, 5)], 1)  # noqa: E731
    bridge = np.stack([np.linspace(44, 58, 4), np.full(4, 50.0)], 1)
    base = np.stack([np.array([60, 61, 62, 61, 60.0]), np.linspace(44, 56, 5)], 1)
    eye = lambda x: np.array(  # noqa: E731
        [[46, x], [44, x + 4], [44, x + 8], [46, x + 12], [48, x + 8], [48, x + 4]], dtype=float
    )
    ring = lambda n, wide, high: np.stack(  # noqa: E731
        [
            72 - high * np.sin(np.linspace(np.pi, -np.pi, n, endpoint=False)),
            50 + wide * np.cos(np.linspace(np.pi, -np.pi, n, endpoint=False)),
        ],
        1,
    )
    parts = [outline, brow(25), brow(59), bridge, base, eye(28), eye(60), ring(12, 14, 7), ring(8, 11, 3)]
    return torch.tensor(np.concatenate(parts))


class TestCurves:
    def test_a_straight_line_has_one_sample_less_than_pixels(self):
        """From column 0 to 10 in 10 steps of 10/9: column 9 is left out, as in the authors' drawing."""
        rows, columns = curve_pixels(np.array([[5, 0], [5, 10]]))
        assert rows.tolist() == [5] * 10
        assert columns.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 10]

    def test_the_parabola_goes_through_its_three_points(self):
        """y = x^2 / 4 through (-4, 4), (0, 0), (4, 4); sampled at x = -4, -20/7, ...: by hand."""
        rows, columns = curve_pixels(np.array([[4, 0], [0, 4], [4, 8]]))
        t = -4 + np.arange(8) * 8 / 7
        assert columns.tolist() == np.trunc(t + 4 + 1e-6).astype(int).tolist()
        assert rows.tolist() == np.trunc(t**2 / 4 + 1e-6).astype(int).tolist()

    def test_the_longer_step_is_the_independent_variable(self):
        points = np.array([[0, 4], [5, 0], [10, 4]])
        flat = curve_pixels(points[:, ::-1])
        upright = curve_pixels(points)
        assert upright[0].tolist() == flat[1].tolist()
        assert upright[1].tolist() == flat[0].tolist()
        # Equal steps: x decides.
        columns = curve_pixels(np.array([[0, 0], [3, 3], [0, 6]]))[1]
        assert len(columns) == 6
        assert columns[-1] == 6

    def test_the_direction_does_not_matter(self):
        points = np.array([[7, 2], [3, 9], [12, 15]])
        one, other = curve_pixels(points), curve_pixels(points[::-1])
        assert one[0].tolist() == other[0].tolist()
        assert one[1].tolist() == other[1].tolist()

    def test_sharp_curves_are_left_out(self):
        """Through x = 0, 3, 1 and y = 0, 0, 3 the slopes are 3 and -1.5 over a length of 3: a = -1.5."""
        rows, _ = curve_pixels(np.array([[0, 0], [0, 3], [3, 1]]))
        assert len(rows) == 0
        rows, _ = curve_pixels(np.array([[0, 0], [2, 2], [2, 4]]))
        assert len(rows) == 4

    def test_two_points_in_one_place_make_a_line(self):
        rows, columns = curve_pixels(np.array([[0, 0], [2, 0], [1, 4]]))
        assert columns.tolist() == [0, 1, 2, 4]
        assert rows.tolist() == [1] * 4
        assert len(curve_pixels(np.array([[3, 3], [3, 3], [3, 3]]))[0]) == 0

    def test_pieces_share_their_ends_and_an_even_rest_is_a_line(self):
        points = np.array([[10, 0], [10, 10], [10, 20], [20, 20]])
        drawn = draw_curve(points, 30, 30)
        assert drawn[10, :18].all()
        assert drawn[10:18, 20].all()
        assert drawn.sum() == 20 + 10 - 1  # 20 and 10 samples, one common

    def test_outside_is_drawn_on_the_border(self):
        drawn = draw_curve(np.array([[-5, 2], [-5, 8]]), 10, 10)
        assert drawn[0].sum() == 6
        assert drawn.sum() == 6


def test_distance_is_city_block_over_three_in_whole_numbers():
    drawn = np.zeros((20, 20), bool)
    drawn[3, 4] = True
    rows, columns = np.mgrid[:20, :20]
    expected = (abs(rows - 3) + abs(columns - 4)) // 3 / 255
    np.testing.assert_array_equal(distance_map(drawn), expected)
    assert distance_map(np.zeros((4, 4), bool)).min() == 1
    far = np.zeros((1, 900), bool)
    far[0, 0] = True
    assert distance_map(far).max() == 1


def test_the_forehead_mirrors_the_outline_at_two_thirds():
    points = with_forehead(landmarks().numpy())
    assert points.shape == (83, 2)
    # The ends lie at row 50, the chin at 90: its mirror image stands 26.67 above, cut to 50 - 27 = 23.
    assert points[8].tolist() == [90, 50]
    assert points[75].tolist() == [23, 50]
    assert points[68, 1] == points[15, 1]
    assert points[82, 1] == points[1, 1]


def test_labels_cover_the_parts_and_their_borders():
    points = with_forehead(landmarks().numpy())
    labels = part_labels(points, 100, 100)
    assert labels[5, 50] == 0
    assert labels[30, 50] == 1  # forehead
    assert labels[46, 34] == 4
    assert labels[46, 66] == 4
    assert labels[57, 50] == 3
    assert labels[72, 50] == 6
    assert labels[66, 50] == 5
    assert labels[36, 33] == 2
    for label, curves in PARTS[1:]:
        corners = points[list(curves[0])]
        assert set(labels[corners[:, 0], corners[:, 1]]) <= {label, 6}


class TestStructure:
    def test_shapes_and_ranges(self):
        image = torch.zeros(3, 100, 120)
        structure = face_structure(landmarks(), image)
        assert structure.shape == (16, 100, 120)
        assert structure.dtype == torch.float32
        assert set(structure[0].unique().tolist()) == {0.0, 1.0}
        assert structure[1:15].min() == 0
        assert structure[1:15].max() < 0.3
        assert set(structure[15].unique().tolist()) == {0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0}

    def test_each_distance_is_zero_on_its_curve_and_the_edges_are_their_union(self):
        structure = face_structure(landmarks(), torch.zeros(3, 100, 100))
        points = with_forehead(landmarks().numpy())
        curves = [curve for _, of_part in PARTS for curve in of_part]
        assert len(curves) == 14
        union = torch.zeros(100, 100, dtype=torch.bool)
        for channel, curve in zip(structure[1:15], curves):
            drawn = torch.from_numpy(draw_curve(points[list(curve)], 100, 100))
            assert bool((channel[drawn] == 0).all())
            union |= drawn
        assert torch.equal(structure[0].bool(), union)

    def test_edges_of_the_picture_count_outside_the_face_only(self):
        """A white stripe beside the face and one across it: only the first is seen."""
        image = torch.zeros(3, 100, 100)
        empty = face_structure(landmarks(), image)
        image[:, :, 4:8] = 1
        image[:, 60:64, 40:60] = 1
        structure = face_structure(landmarks(), image)
        found = (structure[0] - empty[0]).nonzero()
        assert len(found) > 150
        assert bool((found[:, 1] <= 9).all())
        assert torch.equal(structure[1:], empty[1:])

    def test_exception(self):
        with pytest.raises(ValueError, match=r"expected landmarks \(68, 2\), got \(17, 2\)"):
            face_structure(torch.zeros(17, 2), torch.zeros(3, 64, 64))
        with pytest.raises(ValueError, match="expected finite landmarks"):
            face_structure(torch.full((68, 2), torch.nan), torch.zeros(3, 64, 64))
        with pytest.raises(ValueError, match="expected image"):
            face_structure(torch.zeros(68, 2), torch.zeros(64, 64))
