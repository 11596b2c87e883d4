"""Light: normals of a known shape, shadows of a known occluder, the shading formula by hand."""

import math

import numpy as np
import pytest
import torch

from repro.data.studio.camera import Camera
from repro.data.studio.shading import (
    Light,
    ShadowMaps,
    bend,
    face_normals,
    normal_fans,
    shade,
    studio_light,
    vertex_normals,
)
from repro.data.studio.tubes import Profile, tube


@pytest.fixture(scope="module")
def ball():
    angle = np.linspace(0.15, np.pi - 0.15, 33)
    rows = np.column_stack([0 * angle, np.cos(angle), 0 * angle, *[np.sin(angle)] * 3])
    return tube(Profile(rows), 40, 48, caps=(0.012, 0.012))


def test_smooth_normals_of_a_ball_point_away_from_its_centre(ball):
    vertices, faces = torch.from_numpy(ball.vertices)[None], torch.from_numpy(ball.faces)
    fans = torch.from_numpy(normal_fans(ball.faces, ball.weld))
    normals = vertex_normals(face_normals(vertices, faces), fans)[0]
    away = torch.nn.functional.normalize(vertices[0], dim=1)
    middle = vertices[0, :, 1].abs() < 0.95
    assert (normals * away).sum(1)[middle].min() > 0.995


def test_the_seam_has_one_normal(ball):
    vertices, faces = torch.from_numpy(ball.vertices)[None], torch.from_numpy(ball.faces)
    normals = vertex_normals(face_normals(vertices, faces), torch.from_numpy(normal_fans(ball.faces, ball.weld)))[0]
    assert torch.equal(normals, normals[torch.from_numpy(ball.weld)])


def test_fans_list_each_face_of_a_vertex_once():
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    fans = normal_fans(faces, np.arange(5))
    assert fans.shape == (5, 8)
    assert [sorted(row[row < 2]) for row in fans] == [[0, 1], [0], [0, 1], [1], []]


class TestShadow:
    """A plate of 40 cm hangs 50 cm above the ground; the light comes straight from above."""

    @pytest.fixture
    def maps(self):
        def plate(half, y):
            return [[-half, y, half], [half, y, half], [half, y, -half], [-half, y, -half]]

        vertices = torch.tensor([plate(1.0, 0.0) + plate(0.2, 0.5)], dtype=torch.float64)
        faces = torch.tensor([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]])
        return ShadowMaps.render(vertices, faces, torch.ones(4, dtype=torch.bool), [Light((0.0, 1.0, 0.0))], 101)

    def lit(self, maps, points):
        points = torch.tensor(points)
        normal = torch.tensor([0.0, 1.0, 0.0]).expand_as(points)
        return maps.lit(torch.zeros(len(points), dtype=torch.int64), points, normal)

    def test_dark_below_bright_beside(self, maps):
        got = self.lit(maps, [[0.0, 0.0, 0.0], [0.15, 0.0, -0.15], [0.5, 0.0, 0.0], [0.0, 0.0, -0.8]])
        assert got.tolist() == [0, 0, 1, 1]

    def test_the_plate_does_not_shadow_itself(self, maps):
        assert self.lit(maps, [[0.0, 0.5, 0.0], [0.1, 0.5, -0.1]]).tolist() == [1, 1]

    def test_the_edge_is_soft(self, maps):
        line = self.lit(maps, [[0.14 + 0.005 * k, 0.0, 0.0] for k in range(24)])
        assert line[0] == 0
        assert line[-1] == 1
        assert (line.diff() >= 0).all()
        assert ((line > 0) & (line < 1)).any()


class TestShade:
    def shade(self, normal, light, lit=1.0, gloss=0.0, ambient=0.5, to_eye=(0.0, 0.0, 1.0)):
        vector = lambda v: torch.tensor([v])  # noqa: E731
        return shade(vector(normal), vector(to_eye), vector(lit), vector(gloss), vector(light), vector(ambient)).item()

    def test_by_hand(self):
        """Facing the light: 0.5 * 0.85 + 0.7 = 1.125; at 60 degrees 0.65 / 1.15 of the 0.7; in shadow none."""
        assert self.shade((0.0, 0.0, 1.0), (0.0, 0.0, 1.0)) == pytest.approx(1.125)
        assert self.shade((0.0, 0.0, 1.0), (math.sqrt(0.75), 0.0, 0.5)) == pytest.approx(0.425 + 0.7 * 0.65 / 1.15)
        assert self.shade((0.0, 0.0, 1.0), (0.0, 0.0, 1.0), lit=0.0) == pytest.approx(0.425)
        assert self.shade((0.0, 0.0, 1.0), (0.0, 0.0, -1.0)) == pytest.approx(0.425)

    def test_the_sky_is_brighter_than_the_ground(self):
        up, down = (self.shade((0.0, y, 0.0), (1.0, 0.0, 0.0)) for y in (1.0, -1.0))
        around = 0.7 * 0.15 / 1.15  # grazing light reaches a little round the body
        assert (up, down) == (pytest.approx(0.5 + around), pytest.approx(0.35 + around))

    def test_highlight_half_way_between_light_and_eye(self):
        dull, glossy = (self.shade((0.0, 0.0, 1.0), (0.0, 0.0, 1.0), gloss=g) for g in (0.0, 0.3))
        assert glossy / dull == pytest.approx(1 + 4 * 0.3)
        dull, glossy = (self.shade((0.0, 0.0, 1.0), (math.sqrt(0.75), 0.0, 0.5), gloss=g) for g in (0.0, 0.3))
        assert glossy / dull == pytest.approx(1 + 1.2 * math.cos(math.pi / 6) ** 24)


def test_no_slope_bends_nothing_and_bent_normals_stay_unit():
    normal = torch.nn.functional.normalize(torch.randn(50, 3, generator=torch.Generator().manual_seed(0)), dim=1)
    slopes = torch.randn(50, 2, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(bend(normal, slopes * 0, torch.ones(50)), normal)
    bent = bend(normal, slopes, torch.full((50,), 0.3))
    torch.testing.assert_close(bent.norm(dim=1), torch.ones(50))
    assert (bent - normal).abs().max() > 0.1


def test_convention_studio_light_moves_with_the_camera():
    """Yaw 0 looks at the front: the light stands in front of the person, to the viewer's left (-x), and above."""
    x, y, z = studio_light(Camera(yaw=0.0)).direction
    assert x < 0 < min(y, z)
    x, _, z = studio_light(Camera(yaw=math.pi)).direction
    assert z < 0 < x
