"""The painted face: features where the rest points are, the same on both sides, nothing behind."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from repro.data.studio.face_paint import Face, _Canvas, paint_face, random_style
from repro.data.studio.palette import body_colours

UNIT = 0.22
SOFT = UNIT / 200


def bare():
    points = (torch.tensor(point) * UNIT for point in ([0.14, 0.5, 0.42], [0.0, 0.34, 0.56], [0.0, 0.2, 0.44]))
    return Face(UNIT, *points, body_colours(np.random.default_rng(0)))


@pytest.fixture(params=range(4))
def face(request):
    rng = np.random.default_rng(request.param)
    points = (torch.tensor(point) * UNIT for point in ([0.14, 0.5, 0.42], [0.0, 0.34, 0.56], [0.0, 0.2, 0.44]))
    return Face(UNIT, *points, body_colours(rng), **random_style(rng, bearded=request.param == 3))


def paint(face, places):
    rest = torch.tensor(places, dtype=torch.float32) * UNIT
    return paint_face(rest, torch.tensor(face.colours.skin).expand(len(rest), 3), face, SOFT)


def test_pupil_iris_white_from_the_eye_joint_outwards(face):
    pupil, iris, white = paint(face, [[0.14, 0.5, 0.42], [0.14 - 0.02, 0.5, 0.42], [0.14 - 0.045, 0.5, 0.42]])
    assert pupil.max() < 0.2
    assert (iris - torch.tensor(face.colours.iris)).abs().max() < 0.02
    assert white.min() > 0.75
    assert white.max() - white.min() < 0.06


def test_both_sides_are_the_same(face):
    rng = np.random.default_rng(0)
    places = np.column_stack([rng.uniform(0, 0.35, 500), rng.uniform(0, 1, 500), rng.uniform(0.2, 0.5, 500)])
    assert torch.equal(paint(face, places), paint(face, places * [-1, 1, 1]))


def test_the_back_of_the_head_keeps_its_skin(face):
    rng = np.random.default_rng(0)
    places = np.column_stack([rng.uniform(-0.3, 0.3, 500), rng.uniform(0, 1, 500), rng.uniform(-0.4, 0.05, 500)])
    assert torch.equal(paint(face, places), torch.tensor(face.colours.skin).expand(500, 3))


def test_lips_at_the_mouth(face):
    lips = paint(face, [[0.03, 0.2 - 0.02, 0.44]])[0]
    skin = torch.tensor(face.colours.skin)
    towards = torch.tensor(face.colours.lips) - skin
    assert ((lips - skin) * towards).sum() / (towards**2).sum() > 0.5


def test_brows_lie_above_the_eyes(face):
    column = paint(face, [[0.14, 0.5 + 0.001 * k, 0.42] for k in range(60, 160)])
    darkest = int(column.sum(1).argmin())
    assert 0.075 < 0.06 + 0.001 * darkest < 0.135


def test_colours_stay_in_range(face):
    rng = np.random.default_rng(1)
    colours = paint(face, rng.uniform([-0.35, 0, 0.1], [0.35, 1, 0.5], (2000, 3)))
    assert colours.min() >= 0
    assert colours.max() <= 1


def test_soft_edges_cover_the_same_area():
    """A wider edge blurs the iris but keeps how much of it there is: at 64 pixels eyes neither vanish nor swell."""
    face = bare()
    x, y = np.meshgrid(np.linspace(0.0, 0.3, 120), np.linspace(0.4, 0.6, 80))
    rest = torch.tensor(np.stack([x.ravel(), y.ravel(), np.full(x.size, 0.42)], 1), dtype=torch.float32) * UNIT
    skin = torch.tensor(face.colours.skin).expand(len(rest), 3)
    sharp, soft = (paint_face(rest, skin, face, UNIT * width).sub(skin).abs().mean() for width in (0.002, 0.04))
    assert 0.6 < soft / sharp < 1.6


def test_discs_and_lines_keep_their_area_however_soft():
    """The mean of the coverage times the area is pi r^2 and 2 w per length: a closed form for every softness."""
    ticks = np.linspace(-0.2, 0.2, 401)
    x, y = (torch.tensor(axis.ravel()) for axis in np.meshgrid(ticks, ticks))
    rest = torch.stack([x, y, torch.ones_like(x)], 1)
    points = (torch.tensor([0.0, 0.0, 1.0]) for _ in range(3))
    face = Face(1.0, *points, body_colours(np.random.default_rng(0)))
    for soft in (0.004, 0.02, 0.05, 0.1):
        canvas = _Canvas(rest, rest, face, soft)
        assert canvas.disc(x, y, 0.02).sum() * 0.001**2 == pytest.approx(np.pi * 0.02**2, rel=0.02)
        assert canvas.between(0.005 - y, 0.005 + y).mean() * 0.401 == pytest.approx(0.01, rel=0.02)


def test_a_beard_darkens_cheeks_and_chin_but_not_the_forehead():
    face = replace(bare(), colours=body_colours(np.random.default_rng(5)))
    places = [[0.0, 0.06, 0.4], [0.2, 0.15, 0.35], [0.0, 0.75, 0.4]]
    shaved, grown = paint(face, places), paint(replace(face, beard=0.8), places)
    towards = torch.tensor(face.colours.brows) - torch.tensor(face.colours.skin)
    assert (((grown - shaved) * towards).sum(1)[:2] > 0.3 * (towards**2).sum()).all()
    assert torch.equal(grown[2], shaved[2])
    goatee = paint(replace(face, beard=0.8, reach=0.11), places)
    assert torch.equal(goatee[1:], shaved[1:])


def test_style_is_drawn_in_one_order():
    """A beard is no draw of its own: who has none keeps all other features."""
    shaved, grown = (random_style(np.random.default_rng(3), bearded) for bearded in (False, True))
    assert [shaved[name] for name in ("brow", "lip", "blush")] == [grown[name] for name in ("brow", "lip", "blush")]
    assert shaved["beard"] == 0 < grown["beard"]
    assert set(shaved) <= {field.name for field in fields(Face)}
