"""The page on the study of the flow: gradients without training, and tables and curves of constructed records."""

import dataclasses
import json

import pandas as pd
import pytest
import torch

from repro import records
from repro.config import to_mapping
from repro.experiments import resolve
from repro.experiments.run import curve_file, pairs_file
from repro.pages import flow_study, held_out


def record(row, seed=0, error=8.0):
    """Return a record of a row of the table "flow" at profile laptop with this flow error."""
    config = resolve("flow", row, "laptop").config
    values = {one.name: "" for one in dataclasses.fields(records.Record)}
    values |= dict.fromkeys(("seconds", "peak_memory_mib", "steps", "parameters", "flops"), 1)
    values |= {"versions": {"torch": "0"}, "needs": {}, "subsets": {}, "notes": [], "dirty": False, "n": 10}
    values |= {"table": "flow", "row": row, "seed": seed, "dataset": "fashion", "profile": "laptop"}
    metrics = {"epe_visible_px": error, "within_3px_visible": 0.5, "epe_hidden_px": 9.0, "affine_residual_px": 0.25}
    return records.Record(**values | {"metrics": metrics, "config": to_mapping(config)})


FOUND = [
    *(record("no_normaliser", seed, error) for seed, error in enumerate((8.5, 8.6, 8.7))),
    *(record("correctness", seed, error) for seed, error in enumerate((8.0, 8.1, 8.2))),
    *(record("paper_direction", seed, error) for seed, error in enumerate((7.0, 8.1, 9.0))),
    record("copy_source", 0, 13.0),
]


@pytest.fixture(scope="module")
def pair():
    """A held-out pair in the middle of the order of hidden shares, and its number."""
    number = held_out.spaced(held_out.hidden_shares(), 5)[2]
    return number, held_out.pairs()[number]


class TestRecords:
    def test_one_line_per_row_in_the_table_s_order_with_the_paired_difference(self):
        frame = flow_study.score_table(FOUND)
        assert list(frame.index) == [
            "Correctness, as the authors",
            "Without the normaliser",
            "Regulariser as Eq. 4-6",
            "Zero flow",
        ]
        assert frame.loc["Correctness, as the authors"].tolist() == [
            "3",
            "8.10 ± 0.10",
            "0.500 ± 0.000",
            "9.00 ± 0.00",
            "0.250 ± 0.000",
            "–",
        ]
        assert frame.loc["Without the normaliser"].iloc[-1].startswith("-0.5000")
        assert frame.loc["Zero flow", "flow error, px"] == "13.00"

    def test_words_say_what_is_settled(self):
        first, second, third = flow_study.sentences(FOUND).splitlines()
        assert first == "Without the normaliser: worse by 0.50 px (the interval excludes zero, 3 seeds)."
        assert second == "Regulariser as Eq. 4-6: better by 0.07 px (not settled, 3 seeds)."
        assert third.startswith("Zero flow: worse by 4.90 px (the interval excludes zero")

    def test_the_curves_are_read_where_the_records_are_and_rows_without_one_are_left_out(self, tmp_path, monkeypatch):
        monkeypatch.setenv("REPRO_ROOT", str(tmp_path))  # not what ships
        for seed, errors in enumerate(((12.0, 9.0, 8.0), (12.0, 11.0, 10.0))):
            file = curve_file(FOUND[3 + seed], tmp_path / "records")
            file.parent.mkdir(parents=True, exist_ok=True)
            lines = [{"stage": "flow", "step": 20 * (n + 1), "epe_visible_px": e} for n, e in enumerate(errors)]
            file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        seen = flow_study.curves(FOUND, tmp_path)
        assert set(zip(seen["row"], seen["seed"])) == {("correctness", 0), ("correctness", 1)}
        reached = flow_study.steps_to(seen, 9.5)
        assert reached.loc["Correctness, as the authors"].tolist() == ["40", "never"]
        figure = flow_study.curve_figure(seen, {"loss": ["correctness"], "empty": []}, zero=13.0)
        line = figure.axes[0].lines[0]
        assert line.get_ydata().tolist() == [12.0, 10.0, 9.0]

    def test_zero_flow_is_that_of_the_watched_pairs(self, tmp_path):
        """Of 47 pairs every second is watched; the others are wrong by 100."""
        one = dataclasses.replace(FOUND[-1], n=47)
        file = pairs_file(one, tmp_path / "records")
        file.parent.mkdir(parents=True)
        errors = [4.0 + n if n % 2 == 0 else 100.0 for n in range(47)]
        pd.DataFrame({"pair": range(47), "epe_visible_px": errors}).to_csv(file)
        assert flow_study.zero_flow([*FOUND[:-1], one], tmp_path) == pytest.approx(4.0 + 23)
        assert flow_study.zero_flow(FOUND[:-1], tmp_path) is None

    def test_without_records_there_is_nothing(self, tmp_path):
        assert flow_study.curves([], tmp_path).empty
        assert flow_study.score_table([]).empty
        assert flow_study.sentences([]) == ""


class TestWayBack:
    def test_directions_are_equally_long_and_cancel(self):
        found = flow_study.directions(4.0)
        torch.testing.assert_close(found.norm(dim=1).flatten(), torch.full((8,), 4.0))
        torch.testing.assert_close(found.sum(0), torch.zeros(2, 1, 1), atol=1e-5, rtol=0)
        assert torch.unique(found.round(decimals=3), dim=0).shape[0] == 8

    def test_every_loss_is_measured_at_every_offset(self, pair):
        number, _ = pair
        measured = flow_study.way_back([number], offsets=(4, 24))
        assert set(measured["judged by"]) == set(flow_study.SAMPLINGS)
        assert len(measured) == 2 * len(flow_study.SAMPLINGS)
        assert measured["cosine"].between(-1, 1).all()
        table = flow_study.way_back_table(measured)
        assert table.shape == (len(flow_study.SAMPLINGS), 2)
        # What a smooth, frozen feature says at 4 pixels is better than chance, and better than at 24.
        gaussian = table.loc["correctness, Gaussian"]
        assert gaussian[4] > 0.2
        assert gaussian[4] > gaussian[24]

    def test_generators_follow_the_given_flow_where_the_source_shows_the_target_and_their_own_elsewhere(self, pair):
        _, one = pair
        exact, visible = one.flow_at(16, 16)
        for name in ("generated, bilinear (Bi-Sample)", "generated, local attention (Full)"):
            loss = flow_study.losses_of(one, exact.float())[name]
            flow = (exact.float() + flow_study.directions(1.0)).requires_grad_()
            (gradient,) = torch.autograd.grad(loss(flow), flow)
            assert gradient[:, :, ~visible].abs().max() == 0
            assert gradient[:, :, visible].abs().amax((1, 2)).min() > 0
            # Moving coarse and fine flow alike: another shift is another picture.
            assert loss(flow.detach()) != loss(exact.float() + flow_study.directions(4.0))

    def test_the_gain_is_paired_by_pair(self):
        lines = [(n, 4, name, c, 1.0) for n in range(3) for name, c in (("a", 0.3 + n / 10), ("b", 0.1 + n / 10))]
        measured = pd.DataFrame(lines, columns=["pair", "offset", "judged by", "cosine", "share that leads back"])
        (interval,) = flow_study.gain(measured, "a", "b").values()
        assert (interval.mean, interval.n) == (pytest.approx(0.2), 3)
        assert interval.low == pytest.approx(0.2)
