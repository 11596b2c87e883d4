"""The animation table's pictures: what is there is drawn, what is missing is said."""

import pandas as pd
import torch

from repro.pages import animation


def test_without_records_there_is_no_network_and_no_curve(tmp_path, monkeypatch):
    monkeypatch.setenv("REPRO_ROOT", str(tmp_path))
    assert animation.recorded_network("ours_animation") is None
    assert animation.recorded_curve("ours_animation") is None


def test_a_strip_has_a_line_per_row_and_eight_frames():
    made = {"true": torch.zeros(30, 3, 16, 16), "Ours": torch.ones(30, 3, 16, 16)}
    figure = animation.strip_figure(made)
    assert len(figure.axes) == 2 * animation.SHOWN
    titles = [axes.get_title() for axes in figure.axes[: animation.SHOWN]]
    assert titles[0] == "frame 0"
    assert titles[-1] == "frame 29"


def test_clips_play_side_by_side():
    html = animation.playing({"true": torch.zeros(4, 3, 16, 16), "Ours": torch.ones(4, 3, 16, 16)}, 12).data
    assert "from left to right: true, Ours" in html
    assert "<span>true</span><span>Ours</span>" in html
    assert "image/webp" in html
    assert "http" not in html


def test_both_discriminators_are_drawn():
    terms = ("discriminator", "adversarial", "temporal_discriminator", "temporal_adversarial")
    curve = pd.DataFrame({"step": [20, 40, 60]} | {term: [0.3, 0.2, 0.1] for term in terms})
    figure = animation.discriminator_figure(curve)
    assert [axes.get_title() for axes in figure.axes] == ["image discriminator", "temporal discriminator"]
    assert all(len(axes.lines) == 3 for axes in figure.axes)
