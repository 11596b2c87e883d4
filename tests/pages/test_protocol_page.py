"""What the page on protocols shows: its study, its tables, the files of single pairs, its figures."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from repro import data, records
from repro.metrics.choices import CHOICES
from repro.metrics.protocol import PROTOCOLS
from repro.pages import protocol as page


@pytest.fixture(scope="module")
def full():
    return next(record for record in records.read("II", "laptop") if record.row == "full" and record.seed == 0)


def frame():
    """Two choices, two rows, a score to be low and one to be high."""
    values = {"fd": {"a": (10, 8), "b": (11, 12)}, "ssim": {"a": (0.5, 0.4)}}
    return pd.DataFrame(
        [
            {"choice": choice, "score": score, "row": row, "value": value}
            for score, of_choices in values.items()
            for choice, both in of_choices.items()
            for row, value in zip(("full", "bi_sample"), both)
        ]
    )


def test_table_and_gaps_by_hand():
    shown = page.table(frame()).join(page.gaps(frame()))
    assert shown.loc["a", "fd"].tolist() == ["10.00", "–", "+2"]
    assert shown.loc["b", "fd"].tolist() == ["11.00", "+10.0\u00a0%", "-1"]
    assert shown.loc["b", "ssim"].tolist() == ["–", "–", "–"]


def test_worth_by_hand():
    """Four choices: the reference, cut, cut and JPEG, and two filters."""
    full = (10.0, 9.5, 12.0, 11.0, 15.0)
    words = [choice.words for choice in (*CHOICES[:3], *CHOICES[4:6])]
    lines = [
        {"choice": one, "score": "fd", "row": row, "value": value + more}
        for row, more in {"full": 0, "bi_sample": 3}.items()
        for one, value in zip(words, full)
    ]
    assert page.worth(pd.DataFrame(lines)).loc["fd"].tolist() == ["3", "4", "2.5", "0.5"]


def test_leads_by_hand():
    """Full has the smaller distance under b alone, and the larger SSIM under the one choice it has."""
    leads = page.leads(frame())
    assert leads.loc["fd"].tolist() == [1, 2]
    assert leads.loc["ssim"].tolist() == [1, 1]


def test_every_protocol_is_in_the_table():
    shown = page.protocols()
    assert shown["here"].tolist() == [one.compute.__name__ for one in PROTOCOLS]
    assert {"FID", "LPIPS", "mask-LPIPS", "SSIM", "mask-SSIM", "IS", "mask-IS", "DS"} == set(shown["score"])


def test_scores_of_a_machine_without_files(tmp_path, monkeypatch):
    monkeypatch.setenv("REPRO_WEIGHTS", str(tmp_path))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    observers, sights, answers, needs = page.scores_here()
    assert set(observers) == {"fd_procnet"}
    assert {name: sight.background for name, sight in sights.items()} == {
        "pd_procnet": None, "ssim": None, "mask_pd_procnet": 0.5, "mask_ssim": 0.0,
    }  # fmt: skip
    assert not answers
    whole = {"fd_squeezenet", "fid_torch_fidelity", "fid_torchvision", "lpips_squeeze", "lpips_alex"}
    whole |= {"is_torch_fidelity"}
    assert set(needs) == whole | {"mask_lpips_squeeze", "mask_lpips_alex", "mask_is_torch_fidelity"}
    assert needs["fid_torchvision"] == "needs file inception_v3_google-0cc3c7bd.pth"


def test_inception_scores_wait_for_the_file(monkeypatch):
    monkeypatch.setattr(page, "InceptionFeatures", lambda tap: f"Inception's {tap}")
    _, _, answers, needs = page.scores_here()
    assert answers == {
        "is_torch_fidelity": ("Inception's logits", None), "mask_is_torch_fidelity": ("Inception's logits", 0.0),
    }  # fmt: skip
    assert not any("is_torch" in name for name in needs)


def test_scores_of_single_pairs_are_those_behind_the_record(full):
    scores = page.pair_scores(full)
    assert len(scores) == full.n
    assert scores["l1_person"].mean() == pytest.approx(full.metrics["l1_person"], rel=1e-4)


def test_study_takes_pairs_of_people_evenly_spaced(full, monkeypatch):
    """Two of six people, three pairs each, by a "network" that gives the source back."""

    def source_again(record):
        return lambda source, source_pose, target_pose: SimpleNamespace(image=source)

    monkeypatch.setattr(page, "load_recorded_model", source_again)
    for name, value in {"PEOPLE": 2, "PAIRS": 3, "LARGE": 64}.items():
        monkeypatch.setattr(page, name, value)
    settings = {**full.config["data"], "scale": "tiny", "size": 32}
    pictures = page.study_pictures({"copy": replace(full, config={**full.config, "data": settings})})
    small = data.load("fashion", "test", 32, "tiny", sigma=settings["heatmap_sigma"])
    pairs = [small[place] for place in (0, 1, 2, 36, 37, 38)]  # 12 ordered pairs of 4 views; people 0 and 3
    torch.testing.assert_close(pictures.generated["copy"], torch.stack([pair.source for pair in pairs]))
    assert torch.equal(pictures.target, torch.stack([pair.target for pair in pairs]))
    assert torch.equal(pictures.joints, torch.stack([pair.target_joints for pair in pairs]))
    reduced = torch.nn.functional.avg_pool2d(pictures.large, 2)
    assert (reduced - pictures.target).abs().mean() < 0.02  # the same pictures, twice as large
    assert pictures.training.shape == (12, 3, 32, 32)


def test_figures_show_every_filter_and_every_protocol(full):
    one = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    pictures = page.Pictures({"full": one}, one, one, one, torch.full((1, 18, 2), 20.0))
    for figure, count in ((page.filters_figure(), 16), (page.seen_figure(pictures), 7)):
        assert len(figure.axes) == count
        shown = [axes.images[0].get_array() for axes in figure.axes]
        assert all(np.isfinite(own).all() and own.min() >= 0 and own.max() <= 1 for own in shown)
    differences = [axes.images[0].get_array() for axes in page.filters_figure().axes[8:]]
    assert np.ptp(differences[0]) == 0  # bicubic from itself
    assert all(np.ptp(own) > 0 for own in differences[1:])
