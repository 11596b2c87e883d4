"""The measure of features: perfect where every cell is its own colour, chance where all look alike."""

from dataclasses import dataclass

import pytest
import torch

from repro import features
from repro.data.pair import Pair
from repro.features.quality import by_colour, by_tap, matching


@dataclass
class Moved:
    columns: int  # image pixels, target -> source

    def correspondence(self, height, width):
        flow = torch.zeros(2, height, width)
        flow[0] = self.columns * width / 32
        visible = torch.zeros(height, width, dtype=torch.bool)
        visible[:, width // 4 : width // 2] = True
        return flow, visible, visible


def pair(image):
    joints = torch.full((18, 2), -1.0)
    return Pair(image, image.roll(-8, -1), joints, joints, identity=0, truth=Moved(8))


def test_distinct_cells_are_all_found():
    cells = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(0))
    image = cells.repeat_interleave(4, 1).repeat_interleave(4, 2)
    scores = matching(by_colour, [pair(image)], stride=4)
    assert scores["cells"] == 8 * 2
    assert scores["true"] == pytest.approx(1, abs=1e-6)
    assert scores["best_wrong"] < 0.99999
    assert scores["found"] == 1
    assert scores["distance_px"] == 0


def test_one_colour_finds_nothing_by_merit():
    scores = matching(by_colour, [pair(torch.full((3, 32, 32), 0.7))], stride=4)
    assert scores["true"] == pytest.approx(scores["best_wrong"])
    assert scores["found"] < 0.5


def test_a_network_that_moves_with_the_picture():
    noise = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0))
    net = features.load("procnet", "random:0")
    scores = matching(by_tap(net, "stage3"), [pair(noise)], stride=4)
    assert scores["found"] > 0.8
    assert scores["true"] > 0.9
