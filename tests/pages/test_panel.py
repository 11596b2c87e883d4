"""The panel of a generated picture: what it shows, cut to the photograph, with arrows and heat where they belong."""

import numpy as np
import pytest
import torch
from matplotlib.quiver import Quiver

from repro.data.own_photograph import Photograph
from repro.experiments.generation import Generator, Reposing, generate
from repro.experiments.own_person import OwnPerson
from repro.models import GFLA
from repro.models.ablations import Baseline
from repro.pages.panel import panel
from repro.pages.reading import reading_weights, region_weights

SIDE = 64


def scene():
    """A photograph of 64 x 32 in the middle of the frame; two joints, and 16 missing ones."""
    image = torch.rand(3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    joints = torch.full((18, 2), -1.0, dtype=torch.float64)
    joints[:2] = torch.tensor([[20.0, 10.0], [40.0, 16.0]])
    photograph = Photograph(image, (64, 32), (0, 16, 64, 32))
    return Reposing(OwnPerson(photograph, joints, []), photograph.place(joints), 1.0, [])


def made(network):
    generator = Generator(network.eval().requires_grad_(False), (SIDE, SIDE), 2.0, 1.0, "tiny")
    return generator, generate(scene(), generator)


@pytest.fixture(scope="module")
def gfla():
    return made(GFLA.preset("fashion", 0.0625, init_gain=1.0, seed=0))


class TestPanel:
    def test_six_pictures_cut_to_the_photograph(self, gfla):
        figure = panel(scene(), *gfla)
        titles = [axes.get_title() for axes in figure.axes]
        assert [title.split(":")[0] for title in titles] == [
            "source and its joints", "pose that is asked for", "result", "flow", "visibility", "attention",
        ]  # fmt: skip
        for axes in figure.axes:
            assert (axes.get_xlim(), axes.get_ylim()) == ((15.5, 47.5), (63.5, -0.5))

    @pytest.mark.parametrize(
        ("network", "count"),
        [
            (GFLA.preset("fashion", 0.0625, sampling="bilinear", seed=0), 5),
            (Baseline.preset("fashion", 0.0625, seed=0), 3),
        ],
    )
    def test_what_a_network_has_not_is_left_out(self, network, count):
        assert len(panel(scene(), *made(network)).axes) == count

    def test_arrows_start_where_the_source_is_seen_and_end_where_it_is_read(self, gfla):
        generator, output = gfla
        (arrows,) = (one for one in panel(scene(), generator, output).axes[3].collections if isinstance(one, Quiver))
        seen = output.masks[-1][0, 0] > 0.5
        assert int(seen.sum()) == arrows.N
        assert 0 < arrows.N < 256
        # Positions of the 16 x 16 map are four pixels apart, and its flow counts them.
        assert np.array_equal(arrows.XY, (seen.nonzero().flip(-1) * 4 + 2).numpy())
        assert pytest.approx((output.flows[-1][0, 0] * 4)[seen].numpy()) == arrows.U

    def test_a_stretched_picture_is_shown_as_it_was(self, gfla):
        own = scene()
        wide = Reposing(own.person, own.target, 2.0, [])
        assert {axes.get_aspect() for axes in panel(own, *gfla).axes} == {1.0}
        figure = panel(wide, *gfla)
        assert {axes.get_aspect() for axes in figure.axes} == {2.0}
        assert figure.get_figwidth() < panel(own, *gfla).get_figwidth()


def test_what_a_region_reads_is_the_sum_of_what_its_positions_read(gfla):
    generator, output = gfla
    positions = torch.zeros(16, 16)
    positions[3, 5], positions[10, 2] = 1.0, 0.5
    network = generator.network
    one, other = (reading_weights(network, output, 2, *place) for place in ((3, 5), (10, 2)))
    found = region_weights(network, output, 2, positions)
    torch.testing.assert_close(found, one + 0.5 * other)
    assert float(found.sum()) == pytest.approx(1.5)
    assert float(found.min()) >= 0
