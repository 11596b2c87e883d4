"""What the motion page says of the detector: error statistics with known answers, tables, pictures."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from repro.data import load
from repro.pages import detector


@pytest.fixture(scope="module")
def dataset():
    return load("h36m", "test", scale="tiny")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


class TestErrorSizes:
    def test_a_constant_error_has_no_jitter(self):
        errors = torch.tensor([3.0, 4.0]).expand(10, 17, 2)
        assert detector.error_sizes(errors) == (5.0, 0.0)

    def test_white_noise_has_the_ratio_of_six_variances(self):
        errors = torch.from_numpy(np.random.default_rng(0).normal(size=(2000, 17, 2)))
        mean, acceleration = detector.error_sizes(errors)
        assert acceleration / mean == pytest.approx(detector.WHITE_RATIO, rel=0.01)
        assert mean == pytest.approx(np.sqrt(np.pi / 2), rel=0.01)

    def test_missed_joints_are_left_out(self):
        errors = torch.zeros(8, 1, 2)
        errors[2] = torch.nan
        errors[:, 0, 0] += 2.0
        assert detector.error_sizes(errors) == (2.0, 0.0)


def test_published_detectors_stand_under_the_level_that_imitates_them(dataset):
    table = detector.noise_table(dataset, [0, 1])
    assert [name.partition(",")[0] for name in table.index] == [
        "clean", "HRNet", "typical", "CPN", "hard", "single photographs",
    ]  # fmt: skip
    assert table.loc["clean", "MPJPE, px"] < table.loc["hard", "MPJPE, px"]
    assert table["ratio"].dropna().between(0.05, 1.5).all()
    # Of 17 joints 5 are the face's (2 %), 4 have 5 % and 8 have 10 %; of 12 limb joints half have 3 % and half 6 %.
    photographs = table.loc["single photographs, published"].dropna().tolist()
    assert photographs == pytest.approx([(5 * 2 + 4 * 5 + 8 * 10) / 17, 4.5])
    errors, height, faults = detector.detector_errors(dataset, 5, "typical")
    assert errors.shape == (150, 17, 2)
    assert torch.equal(errors.isnan().all(-1), faults["missed"])
    assert (errors.norm(dim=-1).nanmedian() / height.mean()) < 0.03


def test_hidden_joints_fail_about_three_times_as_often(dataset):
    """The simulator's factor is 3; of 12 sequences, ten draws each, two standard deviations of a ratio are below 1."""
    table = detector.coupling(dataset, range(12), "hard", 10)
    assert list(table.index) == ["missed", "burst"]
    assert table["ratio"].between(2, 4).all()
    # Starts at seen joints: the level's own rates, 80 and 60 in 10,000 frames.
    assert table["seen"].tolist() == pytest.approx([80, 60], rel=0.2)


def test_faults_are_drawn_over_what_is_hidden():
    hidden = torch.zeros(20, 17, dtype=torch.bool)
    hidden[:, 3] = True
    faults = {name: torch.zeros_like(hidden) for name in detector.GROSS}
    faults["missed"][4, 3] = True
    _, ax = plt.subplots()
    detector.draw_faults(ax, hidden, faults, 10.0)
    drawn = np.asarray(ax.images[0].get_array())
    assert drawn.shape == (17, 20)
    assert (drawn[3, 5], drawn[3, 4], drawn[0, 0]) == (1, 2, 0)
    assert ax.get_xlim() == (0, 2)


def test_sticks_without_a_missing_joint():
    _, ax = plt.subplots()
    joints = torch.tensor([[1.0, 2.0], [3.0, 4.0], [-1.0, -1.0]])
    detector.draw_sticks(ax, joints, [(0, 1), (1, 2)])
    (stick,) = ax.collections[0].get_segments()
    assert stick.tolist() == [[2.0, 1.0], [4.0, 3.0]]  # (column, row)
