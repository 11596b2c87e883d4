"""The painted face: features where the rest points are, the same on both sides, nothing behind."""

import numpy as np
import pytest
import torch

from repro.data.studio.face_paint import Face, paint_face, random_style
from repro.data.studio.palette import body_colours

UNIT = 0.22
SOFT = UNIT / 200


@pytest.fixture(params=range(4))
def face(request):
    rng = np.random.default_rng(request.param)
    points = (torch.tensor(point) * UNIT for point in ([0.14, 0.5, 0.42], [0.0, 0.34, 0.56], [0.0, 0.2, 0.44]))
    return Face(UNIT, *points, body_colours(rng), **random_style(rng, bearded=request.param == 3))


def paint(face, places):
    rest = torch.tensor(places, dtype=torch.float32) * UNIT
    return paint_face(rest, torch.tensor(face.colours.skin).expand(len(rest), 3), face, SOFT)


def test_pupil_iris_white_from_the_eye_joint_outwards(face):
    pupil, iris, white = paint(face, [[0.14, 0.5, 0.42], [0.14 - 0.027, 0.5, 0.42], [0.14 - 0.05, 0.5, 0.42]])
    assert pupil.max() < 0.2
    assert (iris - torch.tensor(face.colours.iris)).abs().max() < 0.02
    assert white.min() > 0.85


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
    rng = np.random.default_rng(2)
    points = (torch.tensor(point) * UNIT for point in ([0.14, 0.5, 0.42], [0.0, 0.34, 0.56], [0.0, 0.2, 0.44]))
    face = Face(UNIT, *points, body_colours(rng))
    x, y = np.meshgrid(np.linspace(0.0, 0.3, 120), np.linspace(0.4, 0.6, 80))
    rest = torch.tensor(np.stack([x.ravel(), y.ravel(), np.full(x.size, 0.42)], 1), dtype=torch.float32) * UNIT
    skin = torch.tensor(face.colours.skin).expand(len(rest), 3)
    sharp, soft = (paint_face(rest, skin, face, UNIT * width).sub(skin).abs().mean() for width in (0.002, 0.04))
    assert 0.6 < soft / sharp < 1.6
