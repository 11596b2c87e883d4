"""What the page of the studio's sets shows: chains of flows by hand, error statistics with known answers, pictures."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from repro.data import PROCEDURAL, load
from repro.data.studio.camera import Camera
from repro.data.studio.cloth import animate
from repro.data.studio.film import Film
from repro.data.studio.identity import Identity
from repro.data.studio.motion import Motion
from repro.data.studio.shot import Shot
from repro.data.studio.skeleton import Pose
from repro.pages import sets
from repro.pages.studio import Sitter


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


class TestChained:
    def test_steps_of_one_flow_add_up(self):
        flows = torch.zeros(3, 2, 4, 8)
        flows[:, 0] = -1.0
        chain, followed = sets.chained(flows, torch.ones(3, 4, 8, dtype=torch.bool))
        assert torch.equal(chain[0], torch.full((4, 8), -3.0))
        assert torch.equal(chain[1], torch.zeros(4, 8))
        assert followed.all()

    def test_later_flows_are_read_where_the_earlier_ones_end(self):
        """x goes to x / 2 and then to x / 4: the chain is -3/4 x, not twice -1/2 x."""
        flows = torch.zeros(2, 2, 3, 9)
        flows[:, 0] = -0.5 * torch.arange(9)
        chain, _ = sets.chained(flows, torch.ones(2, 3, 9, dtype=torch.bool))
        assert torch.allclose(chain[0, 1], -0.75 * torch.arange(9))

    def test_who_is_lost_on_the_way_stays_lost(self):
        flows = torch.zeros(2, 2, 1, 6)
        flows[1, 0] = -1.0  # the last frame's pixel x was at x - 1, where the earlier frame knows columns 2 to 5 only
        known = torch.ones(2, 1, 6, dtype=torch.bool)
        known[0, 0, :2] = False
        known[1, 0, 5] = False
        _, followed = sets.chained(flows, known)
        assert followed.tolist() == [[False, False, False, True, True, False]]


class TestErrorSizes:
    def test_a_constant_error_has_no_jitter(self):
        errors = torch.tensor([3.0, 4.0]).expand(10, 17, 2)
        assert sets.error_sizes(errors) == (5.0, 0.0)

    def test_white_noise_has_the_ratio_of_six_variances(self):
        errors = torch.from_numpy(np.random.default_rng(0).normal(size=(2000, 17, 2)))
        mean, acceleration = sets.error_sizes(errors)
        assert acceleration / mean == pytest.approx(sets.WHITE_RATIO, rel=0.01)
        assert mean == pytest.approx(np.sqrt(np.pi / 2), rel=0.01)

    def test_missed_joints_are_left_out(self):
        errors = torch.zeros(8, 1, 2)
        errors[2] = torch.nan
        errors[:, 0, 0] += 2.0
        assert sets.error_sizes(errors) == (2.0, 0.0)


def test_published_detectors_stand_under_the_level_that_imitates_them():
    dataset = load("h36m", "test", scale="tiny")
    table = sets.noise_table(dataset, [0, 1])
    assert [name.partition(" ")[0] for name in table.index] == ["clean", "HRNet", "typical", "CPN", "hard"]
    assert table.loc["clean", "MPJPE, px"] < table.loc["hard", "MPJPE, px"]
    assert table["ratio"].between(0.05, 1.5).all()
    errors, height, faults = sets.detector_errors(dataset, 5, "typical")
    assert errors.shape == (150, 17, 2)
    assert torch.equal(errors.isnan().all(-1), faults["missed"])
    assert (errors.norm(dim=-1).nanmedian() / height.mean()) < 0.03


def test_every_set_of_the_studio_is_in_the_tables():
    glance, kept = sets.glance(), sets.held_out()
    assert list(glance.index) == list(kept.index) == list(PROCEDURAL)
    assert (glance["stands in for"].str.len() > 3).all()
    assert kept.loc["fashion", "motion"] == "-"
    assert kept.loc["h36m", "textures"] == "-"
    assert {kept.loc[name, "motion"] for name in ("fashion_video", "iper", "h36m")} == {"step_touch"}


def moved(shifts: list[float]) -> Film:
    """A person in a skirt whom a jolt shifts by so many metres to the side, frame after frame."""
    number = next(n for n in range(100) if Identity("fashion", "train", n).garment("skirt"))
    mesh = Sitter.invite("train", number, detail="low").mesh
    poses = tuple(Pose(root=np.array([shift, 0.0, 0.0])) for shift in shifts)
    vertices = animate(mesh, Motion("jolt", poses))
    return Film([Shot(mesh, own, pose, Camera(), (32, 32)) for own, pose in zip(vertices, poses)])


def test_the_hem_lags_only_when_somebody_moves():
    still, jolted = sets.swing(moved([0.3] * 3)), sets.swing(moved([0.0, 0.0, 0.1, 0.2, 0.2]))
    assert "hem" in still
    assert all((values == 0).all() for values in still.values())
    assert jolted["hem"][0] == 0
    assert 0.5 < jolted["hem"].max() < 20


def test_a_performance_shows_the_person_where_they_are():
    sitter = Sitter.invite("train", 3, detail="low")
    walk = Motion("shift", tuple(Pose(root=np.array([0.4 * frame, 0.0, 0.0])) for frame in range(3)))
    pictures = sets.performed(sitter, walk, [0, 2], height=48)
    assert pictures.shape == (2, 3, 48, 30)
    # The camera follows: both times somebody stands in the middle, with as much of the picture.
    middle = (pictures[:, :, :, 12:18] - pictures[:, :, :1, :1]).abs().amax(1).gt(0.1).flatten(1).float().mean(1)
    assert (middle > 0.3).all()


def test_contact_sheets_take_pictures_of_any_shape():
    figure = sets.contact_sheet({"wide": [torch.zeros(3, 4, 8)] * 3, "tall": [torch.ones(3, 16, 8)]})
    assert [text.get_text() for ax in figure.axes for text in ax.texts] == ["wide", "tall"]
    strip = figure.axes[0].images[0].get_array()
    assert strip.shape == (4, 3 * 8 + 2, 3)
    assert (strip[:, 8] == 1).all()
    assert (strip[:, :8] == 0).all()


def test_sticks_without_a_missing_joint():
    _, ax = plt.subplots()
    joints = torch.tensor([[1.0, 2.0], [3.0, 4.0], [-1.0, -1.0]])
    sets.draw_sticks(ax, joints, [(0, 1), (1, 2)])
    (stick,) = ax.collections[0].get_segments()
    assert stick.tolist() == [[2.0, 1.0], [4.0, 3.0]]  # (column, row)


def test_the_code_stands_below_the_view():
    code = torch.zeros(21)
    code[[4, 19]] = 1
    figure = sets.turn_row({"car": torch.zeros(3, 8, 8), "chair": torch.zeros(3, 8, 8)}, code)
    squares = figure.axes[-1].collections[0].get_array().ravel()
    assert np.flatnonzero(squares).tolist() == [4, 19]
