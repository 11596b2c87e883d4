"""The rasteriser: hand-made triangles, a brute-force oracle in whole numbers, and the promise of equal bits."""

from dataclasses import astuple

import pytest
import torch

from repro.data.studio import raster
from repro.data.studio.raster import face_map, facing, interpolate, rasterize


def screen(*rows: tuple[float, float, float]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float64)


# Counter-clockwise for the viewer, y down: the lower left half of a square of 4 pixels, and the upper right half.
SQUARE = screen((0, 0, 1), (0, 4, 1), (4, 4, 1), (4, 0, 1))
HALVES = torch.tensor([[0, 1, 2], [0, 2, 3]])


def brute_force(points: torch.Tensor, faces: torch.Tensor, height: int, width: int) -> list[list[set[int]]]:
    """Which faces cover each pixel centre, with Python's whole numbers."""
    xy = [[int(v) for v in row] for row in (points[:, :2] * 256).round().tolist()]
    covered: list[list[set[int]]] = [[set() for _ in range(width)] for _ in range(height)]
    for number, corners in enumerate(faces.tolist()):
        (x0, y0), (x1, y1), (x2, y2) = (xy[corner] for corner in corners)
        area = (x1 - x0) * (y2 - y0) - (y1 - y0) * (x2 - x0)
        if area == 0:
            continue
        for i in range(height):
            for j in range(width):
                px, py = 256 * j + 128, 256 * i + 128
                edges = [
                    (bx - ax) * (py - ay) - (by - ay) * (px - ax)
                    for (ax, ay), (bx, by) in (((x1, y1), (x2, y2)), ((x2, y2), (x0, y0)), ((x0, y0), (x1, y1)))
                ]
                if all(edge * area >= 0 for edge in edges):
                    covered[i][j].add(number)
    return covered


def test_values_square_of_two_triangles():
    seen = rasterize(SQUARE[None], HALVES, 6, 6)
    expected = torch.full((6, 6), -1)
    for i in range(4):
        for j in range(4):
            expected[i, j] = 0 if i >= j else 1  # the diagonal belongs to both: the first face wins
    assert torch.equal(seen.face[0], expected)
    assert (seen.depth[0, :4, :4] == 1).all()
    assert torch.isinf(seen.depth[0, 4:]).all()
    assert torch.allclose(seen.barycentric.sum(-1), (seen.face >= 0).double())


def test_convention_front_faces_run_counter_clockwise_for_the_viewer():
    assert (facing(SQUARE[HALVES]) > 0).all()
    one_sided = torch.zeros(2, dtype=torch.bool)
    assert (rasterize(SQUARE[None], HALVES, 4, 4, two_sided=one_sided).face >= 0).all()
    turned = HALVES[:, [0, 2, 1]]
    assert (rasterize(SQUARE[None], turned, 4, 4, two_sided=one_sided).face == -1).all()
    assert (rasterize(SQUARE[None], turned, 4, 4, two_sided=~one_sided).face >= 0).all()
    assert (rasterize(SQUARE[None], turned, 4, 4).face >= 0).all()


def test_values_coverage_equals_brute_force_without_cracks():
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(40, 3, generator=generator, dtype=torch.float64) * 30 - 8
    points[:12, :2] = points[:12, :2].round() + 0.5  # corners on pixel centres
    points[30:, :2] *= 1e5  # far outside
    points[:, 2] = points[:, 2].abs() + 1
    faces = torch.randint(0, 40, (60, 3), generator=generator)
    for number in range(len(faces)):  # one by one, so that nothing hides
        own = faces[number : number + 1]
        expected = torch.tensor([[bool(cell) for cell in row] for row in brute_force(points.clone(), own, 11, 17)])
        if points[own].abs().max() > 16384:
            continue  # beyond the clamp, tested below
        assert torch.equal(rasterize(points[None], own, 11, 17).face[0] >= 0, expected), number
    # A fan about a point: every pixel exactly once or on a shared edge, no crack.
    ring = torch.stack([torch.linspace(0, 6.2831853, 14)[:-1].double()] * 2)
    fan = torch.cat(
        [
            torch.tensor([[8.3, 5.1, 1.0]]).double(),
            torch.stack([8.3 + 40 * ring[0].cos(), 5.1 + 40 * ring[1].sin(), torch.ones(13)], 1),
        ]
    )
    faces = torch.tensor([[0, k + 1, (k + 1) % 13 + 1] for k in range(13)])
    assert (rasterize(fan[None], faces, 11, 17).face >= 0).all()


def test_far_corners_are_clamped_not_overflown():
    points = screen((-1e12, -5, 1), (3, 1e12, 1), (1e12, -5, 1))
    assert (rasterize(points[None], torch.tensor([[0, 1, 2]]), 4, 4).face == 0).all()


def test_nearest_wins_then_the_first():
    points = torch.cat([SQUARE, SQUARE + torch.tensor([0, 0, 0.5]), SQUARE])
    faces = torch.cat([HALVES + 4, HALVES, HALVES + 8])
    face = rasterize(points[None], faces, 4, 4).face
    assert set(face.unique().tolist()) == {2, 3}


def test_values_interpolation_is_perspective_correct():
    """A plane that recedes from 1 m to 3 m: halfway on the screen lies a quarter of the way along the plane."""
    points = screen((0, 0, 1), (0, 8, 1), (8, 8, 3), (8, 0, 3))
    seen = rasterize(points[None], HALVES, 8, 9)
    along = interpolate(torch.tensor([[0.0], [0.0], [1.0], [1.0]], dtype=torch.float64), HALVES, seen)[0, 4, :, 0]
    share = (torch.arange(8) + 0.5).double() / 8
    expected = (share / 3) / ((1 - share) / 1 + share / 3)
    torch.testing.assert_close(along[:8], expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(seen.depth[0, 4, :8], 1 + 2 * expected, rtol=0, atol=1e-12)
    assert along[8] == 0  # nothing is seen there
    flat = rasterize(points[None], HALVES, 8, 9, perspective=False)
    torch.testing.assert_close(flat.depth[0, 4, :8], 1 + 2 * share, rtol=0, atol=1e-12)


def test_triangles_that_reach_behind_the_near_plane_are_dropped():
    points = SQUARE.clone()
    points[0, 2] = 0.0005
    assert (rasterize(points[None], HALVES, 4, 4).face == -1).all()
    points[0, 2] = -2.0
    assert (rasterize(points[None], HALVES, 4, 4).face == -1).all()
    assert (rasterize(points[None], HALVES, 4, 4, perspective=False).face >= 0).all()


def test_ragged_batch_equals_single_images_bit_for_bit():
    generator = torch.Generator().manual_seed(1)
    scenes = []
    for count in (5, 50, 17, 1, 30, 8, 3, 40):
        points = torch.rand(count + 2, 3, generator=generator, dtype=torch.float64) * 20 + 0.5
        scenes.append((points, torch.randint(0, count + 2, (2 * count, 3), generator=generator)))
    batch = rasterize([points for points, _ in scenes], [faces for _, faces in scenes], 13, 19)
    values = [torch.rand(len(points), 2, generator=generator) for points, _ in scenes]
    mixed = interpolate(values, [faces for _, faces in scenes], batch)
    for index, (points, faces) in enumerate(scenes):
        single = rasterize(points[None], faces, 13, 19)
        for one, many in zip(astuple(single), astuple(batch)):
            assert torch.equal(one[0], many[index])
        assert torch.equal(interpolate(values[index], faces, single)[0], mixed[index])


def test_blocks_and_the_map_of_faces_change_nothing(monkeypatch):
    generator = torch.Generator().manual_seed(2)
    points = torch.rand(2, 60, 3, generator=generator, dtype=torch.float64) * 20 + 0.5
    faces = torch.randint(0, 60, (100, 3), generator=generator)
    whole = rasterize(points, faces, 13, 19)
    monkeypatch.setattr(raster, "_BLOCK", 7)
    for one, many in zip(astuple(whole), astuple(rasterize(points, faces, 13, 19))):
        assert torch.equal(one, many)
    assert torch.equal(face_map(points, faces, 13, 19), whole.face)
    assert (whole.face == -1).any()


def test_nothing_to_see():
    seen = rasterize(SQUARE[None] + 100, HALVES, 4, 4)
    assert (seen.face == -1).all()
    assert (interpolate(SQUARE, HALVES, seen) == 0).all()


def test_exception():
    with pytest.raises(ValueError, match=r"expected screen points \(V, 3\) in float64, got \(4, 3\) in torch.float32"):
        rasterize(SQUARE[None].float(), HALVES, 4, 4)
    with pytest.raises(ValueError, match="expected faces for each of 1 images, got 2"):
        rasterize(SQUARE[None], [HALVES, HALVES], 4, 4)
    with pytest.raises(ValueError, match="expected 1 attributes and face lists, got 2 and 1"):
        interpolate([SQUARE, SQUARE], HALVES, rasterize(SQUARE[None], HALVES, 4, 4))
