"""What the studio page measures: hand-made flows with known answers, and one small real pair."""

import numpy as np
import pytest
import torch

from repro.data.studio.correspondence import correspondence
from repro.data.studio.mesh import PART
from repro.data.studio.pose import articulate, grounded
from repro.pages import studio

SMALL = (64, 48)


@pytest.fixture(scope="module")
def shots():
    sitter = studio.Sitter.invite("train", 3, detail="low")
    poses = [grounded(sitter.mesh, articulate(angles)) for angles in ({"left_elbow": 90}, {"right_elbow": 60})]
    return [sitter.shot(pose, sitter.camera(yaw), SMALL) for pose, yaw in zip(poses, (0.0, 0.9))]


def test_the_whole_person_is_in_the_picture(shots):
    for shot in shots:
        part = studio.parts(shot, *SMALL)
        assert (part >= 0).any()
        assert (part[[0, -1]] < 0).all()


def test_a_picture_through_its_own_zero_flow_misses_nothing(shots):
    shot, zero = shots[0], torch.zeros(2, *SMALL)
    here = studio.parts(shot, *SMALL) >= 0
    assert studio.rest_residual(shot, shot, zero).max() == 0
    assert studio.miss(shot, shot, zero)[here].max() == 0
    assert studio.miss(shot, shot, zero)[~here].isinf().all()


def test_a_flow_that_is_wrong_is_measured_in_metres(shots):
    _, target = shots
    here = studio.parts(target, *SMALL) >= 0
    off = torch.zeros(2, *SMALL)
    off[0] = 2
    # Two pixels of 64 on a person who fills 84 % of them: about 2 / (0.84 * 64) of the stature across the camera.
    expected = 2 * target.mesh.skeleton.points["crown"][1][1] / (0.84 * 64)
    assert studio.rest_residual(target, target, off)[here].median() == pytest.approx(expected, rel=0.5)


def test_nearest_reading_takes_the_pixel_that_holds_the_end_of_the_flow():
    picture = torch.arange(64.0).reshape(1, 8, 8)
    # Cells of 4 x 4 pixels: their centres lie on corner (2, 2), which belongs to pixel (2, 2).
    assert studio.read_nearest(picture, torch.zeros(2, 2, 2))[0].tolist() == [[18, 22], [50, 54]]
    shift = torch.tensor([0.5, 0.0])[:, None, None].expand(2, 2, 2)  # half a cell = two pixels to the right
    assert studio.read_nearest(picture, shift)[0].tolist() == [[20, 23], [52, 55]]


def test_averages_take_the_given_pixels_only_and_change_the_unit():
    flow = torch.zeros(2, 4, 4)
    flow[0, :2] = 8.0
    where = torch.zeros(4, 4, dtype=torch.bool)
    where[:3, :2] = True
    mean = studio.averaged_flow(flow, where, 4)
    assert mean.shape == (2, 1, 1)
    assert mean[0].item() == pytest.approx(8 * 4 / 6 / 4)
    assert studio.averaged_flow(flow, ~where & where, 4).tolist() == [[[0.0]], [[0.0]]]


def test_cells_of_one_part_are_not_mixed(shots):
    part = studio.parts(shots[1], *SMALL)
    mixed = studio.mixed_cells(shots[1], 8)
    assert mixed.shape == (8, 6)
    for row in range(8):
        for column in range(6):
            cell = part[8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
            assert mixed[row, column] == (len(cell.unique()) > 1)


def test_every_pixel_has_one_fate(shots):
    source, target = shots
    flow, visible, person = correspondence(source, target, *SMALL)
    fate = studio.fate(source, target, flow, visible)
    assert torch.equal(fate == 0, visible)
    assert torch.equal(fate == studio.REASONS.index("background"), ~person)
    assert (fate == studio.REASONS.index("turned away")).sum() > 0
    far = studio.fate(source, target, flow + 1000, torch.zeros_like(visible))
    assert (far[person] == studio.REASONS.index("outside the picture")).all()


def test_false_colours_are_per_vertex_or_per_face(shots):
    shot = shots[0]
    red = np.tile([1.0, 0.0, 0.0], (len(shot.mesh.faces), 1))
    here = studio.parts(shot, *SMALL) >= 0
    picture = studio.paint(shot, red)
    assert picture.shape == (3, *SMALL)
    assert (picture[0] - picture[1])[here].mean() > 0.5
    head = studio.paint(shot, red, keep=shot.mesh.part == PART["head"])
    assert (head[1] < 1).any()
    assert (head[:, 32:] == 1).all()
    with pytest.raises(ValueError, match="got 5"):
        studio.paint(shot, red[:5])


def test_cloth_samples_are_pictures_that_differ():
    first, second = studio.swatch("lace", 0, 32), studio.swatch("lace", 1, 32)
    assert first.shape == (3, 32, 32)
    assert 0 <= float(first.min()) <= float(first.max()) <= 1
    assert not torch.equal(first, second)
    assert torch.equal(first, studio.swatch("lace", 0, 32))
