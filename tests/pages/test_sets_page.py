"""What the page of the studio's sets shows: chains of flows by hand, tables of all sets, pictures."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from repro.data import PROCEDURAL
from repro.pages import sets


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


def test_every_set_of_the_studio_is_in_the_tables():
    glance, kept = sets.glance(), sets.held_out()
    assert list(glance.index) == list(kept.index) == list(PROCEDURAL)
    assert (glance["stands in for"].str.len() > 3).all()
    assert kept.loc["fashion", "motion"] == "-"
    assert kept.loc["h36m", "textures"] == "-"
    assert {kept.loc[name, "motion"] for name in ("fashion_video", "iper", "h36m")} == {"step_touch"}


def test_contact_sheets_take_pictures_of_any_shape():
    figure = sets.contact_sheet({"wide": [torch.zeros(3, 4, 8)] * 3, "tall": [torch.ones(3, 16, 8)]})
    assert [text.get_text() for ax in figure.axes for text in ax.texts] == ["wide", "tall"]
    strip = figure.axes[0].images[0].get_array()
    assert strip.shape == (4, 3 * 8 + 2, 3)
    assert (strip[:, 8] == 1).all()
    assert (strip[:, :8] == 0).all()


def test_the_code_stands_below_the_view():
    code = torch.zeros(21)
    code[[4, 19]] = 1
    figure = sets.turn_row({"car": torch.zeros(3, 8, 8), "chair": torch.zeros(3, 8, 8)}, code)
    squares = figure.axes[-1].collections[0].get_array().ravel()
    assert np.flatnonzero(squares).tolist() == [4, 19]
