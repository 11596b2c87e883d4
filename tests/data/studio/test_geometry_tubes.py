"""Tubes: volumes and lengths that can be computed by hand, seams, and outward normals."""

import numpy as np
import pytest

from repro.data.studio.body import Detail, body_pieces
from repro.data.studio.identity import Body
from repro.data.studio.skeleton import build_skeleton
from repro.data.studio.tubes import Profile, join, signed_volume, tube

CYLINDER = Profile([(0, 1.0, 0, 0.1, 0.1, 0.1), (0, 0.0, 0, 0.1, 0.1, 0.1)])


def test_values_cylinder_with_domes():
    surface = tube(CYLINDER, 121, 200, caps=(0.1, 0.1))
    expected = np.pi * 0.1**2 * 1.0 + 4 / 3 * np.pi * 0.1**3
    assert signed_volume(surface.vertices, surface.faces) == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize("end", [(0, 0, 0), (1, 2, 0), (-1, 0.5, 0.3), (0, 1.5, 0)])
def test_closed_tubes_of_any_direction_have_positive_volume(end):
    rows = [(0, 1.0, 0, 0.1, 0.2, 0.15), (*end, 0.1, 0.1, 0.1)]
    surface = tube(Profile(rows), 9, 12, caps=(0.05, 0.05))
    assert signed_volume(surface.vertices, surface.faces) > 0


@pytest.mark.parametrize("detail", ["full", "low"])
@pytest.mark.parametrize("femininity", [0.0, 1.0])
def test_every_tube_of_a_body_points_outward(femininity, detail):
    """Handedness of the frame once put the hair line on the back of the head."""
    body = Body(femininity, 1.7)
    for piece in body_pieces(body, build_skeleton(body), Detail(detail)):
        surface = piece.surface
        closed = surface.vertices - surface.vertices.mean(0)  # an open end changes the volume little about its middle
        assert signed_volume(closed, surface.faces) > 1e-7


def test_convention_uv_are_metres_from_the_front_and_from_the_top():
    surface = tube(CYLINDER, 11, 64)
    uv, vertices = surface.uv.reshape(11, 65, 2), surface.vertices.reshape(11, 65, 3)
    assert uv[0, -1, 0] - uv[0, 0, 0] == pytest.approx(2 * np.pi * 0.1, rel=1e-3)
    np.testing.assert_allclose(uv[:, 32, 0], 0, atol=1e-12)
    np.testing.assert_allclose(vertices[:, 32, 2], 0.1, atol=1e-12)  # the front column looks to +z
    assert vertices[5, 48, 0] == pytest.approx(0.1)  # and u grows towards the wearer's left
    np.testing.assert_allclose(uv[:, 7, 1], np.linspace(0, 1, 11), atol=1e-12)


def test_seam_and_poles_are_welded():
    surface = tube(CYLINDER, 6, 8, caps=(0.1, 0.0))
    weld = surface.weld
    np.testing.assert_allclose(surface.vertices[weld], surface.vertices, atol=1e-12)
    assert (weld[weld] == weld).all()
    grid = weld.reshape(-1, 9)
    assert (grid[:, -1] == grid[:, 0]).all()
    assert len(set(grid[0])) == 1
    assert len(set(grid[-1])) == 8


def test_edges_start_and_end_where_asked():
    angles = np.linspace(-np.pi, np.pi, 17)
    surface = tube(CYLINDER, 5, 16, start=0.2 + 0.1 * np.cos(angles), end=0.9)
    heights = surface.vertices.reshape(5, 17, 3)[..., 1]
    np.testing.assert_allclose(heights[0], 0.8 - 0.1 * np.cos(angles), atol=1e-12)
    np.testing.assert_allclose(heights[-1], 0.1, atol=1e-12)


def test_offset_and_fold_change_the_radius():
    radius = np.linalg.norm(tube(CYLINDER, 3, 12, offset=0.02).vertices[:, [0, 2]], axis=1)
    np.testing.assert_allclose(radius, 0.12, atol=1e-12)
    folded = tube(CYLINDER, 3, 12, fold=lambda phi, s, part: 0.5 * part)
    radius = np.linalg.norm(folded.vertices[:, [0, 2]], axis=1).reshape(3, 13)
    np.testing.assert_allclose(radius, np.broadcast_to([[0.1], [0.125], [0.15]], (3, 13)), atol=1e-12)


def test_radii_are_interpolated_monotonically():
    profile = Profile(
        [(0, 1, 0, 0.1, 0.1, 0.1), (0, 0.5, 0, 0.1, 0.1, 0.1), (0, 0.4, 0, 0.3, 0.3, 0.3), (0, 0, 0, 0.3, 0.3, 0.3)]
    )
    radii = profile.radii(np.linspace(0, profile.length, 400))
    assert (np.diff(radii, axis=0) >= -1e-12).all()
    assert radii.max() <= 0.3 + 1e-12
    assert profile.centre(profile.at_height(0.45))[1] == pytest.approx(0.45, abs=1e-3)


def test_join_keeps_faces_on_their_vertices():
    one, two = tube(CYLINDER, 3, 4), tube(CYLINDER, 2, 5)
    both = join([one, two])
    np.testing.assert_array_equal(both.vertices[both.faces[len(one.faces) :]], two.vertices[two.faces])
    np.testing.assert_array_equal(both.weld[len(one.weld) :], two.weld + len(one.vertices))


def test_exception():
    with pytest.raises(ValueError, match="at least two control rings of 6 or 7 numbers"):
        Profile([(0, 0, 0, 1, 1)])
    with pytest.raises(ValueError, match="at least 2 rings and 3 sectors, got 1 and 8"):
        tube(CYLINDER, 1, 8)
    with pytest.raises(ValueError, match="unknown detail 'medium'"):
        Detail("medium")
