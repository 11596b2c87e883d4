"""The page on Table I: every method has its line, and the kinds of deformation are shown as they are."""

import torch

from repro import records
from repro.data import load
from repro.models import GFLA
from repro.pages import methods


def test_every_method_has_a_line_and_says_where_it_lives():
    table = methods.methods()
    assert list(table.index) == [row["label"] for row in records.published("I")["rows"].values()]
    assert table.loc["GFLA", "here"] == "repro.models.GFLA"
    assert table.loc["VU-Net", "here"] == "not yet"
    assert table.loc["Intr-Flow", "Flow Field Label"] == "yes"
    assert table.loc["Pose-Attn", "Flow Field Label"] == "–"


def test_holes_of_pixel_flow_are_the_hidden_pixels():
    pair = load("fashion", "test", 64, "tiny")[1]
    pictures = methods.deformed(pair, GFLA.preset("fashion", width=0.0625, seed=0))
    flow = next(picture for title, picture in pictures.items() if title.startswith("pixel flow"))
    marked = (flow == methods.HOLE).all(0)
    assert torch.equal(marked, pair.person & ~pair.visible)
    assert marked.any()
    assert torch.equal(flow[:, ~pair.person], pair.target[:, ~pair.person].mul(2).sub(1).add(1).div(2))
