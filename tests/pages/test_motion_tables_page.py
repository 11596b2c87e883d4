"""The motion table's page on constructed records, and the pictures of the page on motion extraction."""

import dataclasses

import pytest
import torch

from repro import records
from repro.config import to_mapping
from repro.experiments import resolve
from repro.metrics.motion import HUMAN36M_SHARED
from repro.models import MotionExtractionNetwork
from repro.pages import motion_extraction, motion_tables


def record(row, seed=0, mpjpe_px=1.0, acceleration_px_frame2=1.0, subsets=None):
    """Return a record of a row of the motion table at profile laptop with these two errors."""
    config = resolve("motion", row, "laptop", "h36m").config
    values = {one.name: "" for one in dataclasses.fields(records.Record)}
    values |= dict.fromkeys(("seconds", "peak_memory_mib", "steps", "parameters", "flops"), 1)
    values |= {"versions": {"torch": "0"}, "needs": {}, "subsets": subsets or {}, "notes": [], "dirty": False, "n": 24}
    values |= {"table": "motion", "row": row, "seed": seed, "dataset": "h36m", "profile": "laptop"}
    errors = {"mpjpe_px": mpjpe_px, "acceleration_px_frame2": acceleration_px_frame2}
    return records.Record(**values | {"metrics": errors, "config": to_mapping(config)})


NETWORK = [record("men_adaln", seed, 5.0 + seed, 2.0) for seed in (0, 1, 2)]
FILTERS = [record("identity", 0, 7.0, 4.0), record("gaussian", 0, 6.5, 0.25, {"true_input": {"mpjpe_px": 0.75}})]


class TestTable:
    def test_mean_and_spread_over_seeds_and_only_columns_that_somebody_has(self):
        frame = motion_tables.score_table([*FILTERS, *NETWORK], motion_tables.HEADLINE)
        assert list(frame.index) == ["MEN, ADALN", "No cleaning", "Gaussian"]  # the table's order, not that of files
        assert frame.loc["MEN, ADALN", "MPJPE, px"] == "6.00 ± 1.00"
        assert frame.loc["Gaussian", "damage: MPJPE on true input, px"] == "0.75"
        assert frame.loc["No cleaning", "damage: MPJPE on true input, px"] == "–"
        assert "MPJPE, % of height" not in frame

    def test_the_best_filter_is_chosen_for_each_error_among_those_that_learn_nothing(self):
        found = [*NETWORK, *FILTERS, record("savitzky_golay", 0, 6.0, 0.5)]
        assert motion_tables.best_filter(found, "mpjpe_px") == "savitzky_golay"
        assert motion_tables.best_filter(found, "acceleration_px_frame2") == "gaussian"

    def test_words(self):
        first, second, third, fourth = motion_tables.sentences([*NETWORK, *FILTERS]).splitlines()
        assert first.startswith("Error of position: MEN, ADALN 6.00 px, No cleaning 7.00 px: better")
        assert second.startswith("Error of position: MEN, ADALN 6.00 px, Gaussian 6.50 px: better")
        assert third.startswith(
            "Error of acceleration: MEN, ADALN 2.000 px/frame², No cleaning 4.000 px/frame²: better"
        )
        assert fourth.startswith("Error of acceleration: MEN, ADALN 2.000 px/frame², Gaussian 0.250 px/frame²: worse")

    def test_without_something_to_compare_with_there_are_no_words(self):
        assert motion_tables.sentences(NETWORK) == motion_tables.sentences(FILTERS) == ""


class TestPictures:
    def test_the_legend_states_the_errors_over_all_frames(self):
        """A network of zeros puts every joint into the middle of the picture, and it stays there."""
        network = MotionExtractionNetwork(width=1 / 64).eval()
        torch.nn.init.zeros_(list(network.parameters())[-1])
        torch.nn.init.zeros_(list(network.parameters())[-2])
        sequence = motion_extraction.example_sequence()
        figure = motion_extraction.cleaned_figure(sequence, network, "zero", "left_wrist", range(20))
        legend = {text.get_text().split(":")[0]: text.get_text() for text in figure.axes[0].get_legend().get_texts()}
        true = sequence.clean[:, list(HUMAN36M_SHARED)]
        error = (true - torch.tensor([500.0, 500.0])).norm(dim=-1).mean()
        assert list(legend) == ["detected", "Gaussian", "network", "true"]
        assert float(legend["network"].split()[1]) == pytest.approx(float(error), abs=0.06)

    def test_tracks_that_coincide_can_be_told_apart(self):
        track = torch.linspace(0, 1, 5)
        figure = motion_extraction.track_figure({"one": {"a": track, "b": track}}, unit="px", label="row")
        thick, thin = (line.get_linewidth() for line in figure.axes[0].lines)
        assert thick > 2 * thin

    def test_without_a_record_the_message_says_what_makes_one(self, monkeypatch):
        monkeypatch.setattr(motion_extraction.records, "read", lambda *_: [])
        with pytest.raises(LookupError, match="repro table motion --profile laptop --rows men_adaln"):
            motion_extraction.example_network()
