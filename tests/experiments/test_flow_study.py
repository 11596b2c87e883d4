"""The study of the flow: every arm is Full's first stage but for the one thing that its name says."""

import functools

import pandas as pd
import pytest
import torch

from repro import data, experiments, records
from repro.config import flatten
from repro.experiments import PROFILES, TABLES, resolve, rows, run, run_table
from repro.experiments.flow import TASK, watch
from repro.experiments.run import curve_file
from repro.metrics.flow import flow_scores
from repro.training import build_generator

ROWS = TABLES["flow"].rows
RENDERED = {"stages": ("joint",), "joint.correctness": 0.0, "joint.regularization": 0.0} | {
    "joint.style": 0.0,
    "joint.adversarial": 0.0,
}
NAMED = {
    "correctness": {},
    "bilinear_window": {"losses.correctness_sampling": "bilinear_exact"},
    "no_normaliser": {"losses.correctness_normaliser": False},
    "no_regulariser": {"flow.regularization": 0.0},
    "strong_regulariser": {"flow.regularization": 0.1},
    "stiff_regulariser": {"flow.regularization": 1.0},
    "paper_direction": {"losses.regularization_direction": "paper"},
    "warp_pictures": {"flow.correctness": 0.0, "flow.l1": 5.0},
    "warp_features": {"flow.correctness": 0.0, "flow.perceptual": 5.0},
    "render_bilinear": RENDERED | {"model.sampling": "bilinear"},
    "render_attention": RENDERED,
    "copy_source": {"stages": (), "model.kind": "copy_source"},
}


@pytest.mark.parametrize("profile", PROFILES)
def test_every_arm_differs_from_the_authors_first_stage_in_what_it_is_about_alone(profile):
    assert set(ROWS) == set(NAMED)
    first = flatten(resolve("flow", "correctness", profile).config)
    for row, settings in NAMED.items():
        assert flatten(resolve("flow", row, profile).config) == first | settings, row


@pytest.mark.parametrize("profile", ["smoke", "laptop", "gpu"])
def test_the_first_arm_is_full_s_first_stage(profile):
    arm, full = (
        flatten(resolve(table, row, profile).config) for table, row in [("flow", "correctness"), ("II", "full")]
    )
    changed = {key for key in arm if arm[key] != full[key]}
    assert changed <= {"task", "stages", "flow.steps", "joint.steps", "optimizer.flow_net_factor"}


def test_the_watched_error_is_that_of_the_estimator_s_finest_flow(studio_cache):
    config = resolve("flow", "correctness", "smoke", changes={"evaluation.pairs": 3}).config
    test_set = data.load("fashion", "test", 64, "tiny", sigma=2.0)
    network = build_generator(config, seed=0)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    seen = watch(config, test_set, "cpu")(network)
    expected = []
    chosen = experiments.TestPairs.of(test_set, 3)
    for pair in (chosen[place] for place in range(3)):
        with torch.no_grad():
            out = network(pair.source[None] * 2 - 1, pair.source_pose[None], pair.target_pose[None])
        expected.append(flow_scores(out.flows[-1], pair.flow[None], pair.visible[None])["epe_visible_px"])
    assert seen["epe_visible_px"] == pytest.approx(torch.cat(expected).nanmean().item(), rel=1e-5)
    assert set(seen) == {"epe_visible_px", "within_1px_visible", "within_3px_visible"}
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


@pytest.fixture
def short(house, monkeypatch):
    changes = {"model.width": 0.125, "batch": 2, "flow.steps": 21, "joint.steps": 1, "evaluation.pairs": 3}
    monkeypatch.setattr(run, "resolve", functools.partial(rows.resolve, changes=changes))
    return house


def test_every_arm_trains_and_its_curve_holds_the_flow_s_error(short):
    wanted = experiments.request("flow", "smoke", out=short / "runs", device="cpu")
    found = {record.row: record for record in run_table(wanted, say=lambda words: None)}
    assert set(found) == set(ROWS)
    names = {"epe_visible_px", "within_1px_visible", "within_3px_visible"}
    assert all(set(record.metrics) == names | {"epe_hidden_px", "affine_residual_px"} for record in found.values())
    assert found["copy_source"].metrics["affine_residual_px"] == 0  # zero flow is affine
    terms = {
        row: set(pd.read_json(curve_file(record, short / "runs" / "records"), lines=True)) - names
        for row, record in found.items()
        if row != "copy_source"
    }
    always = {"stage", "step", "rate", "seconds", "total"}
    assert terms["correctness"] - always == {"correctness", "regularization"}
    assert terms["no_regulariser"] - always == {"correctness"}
    assert terms["warp_pictures"] - always == {"l1", "regularization"}
    assert terms["warp_features"] - always == {"perceptual", "regularization"}
    assert terms["render_bilinear"] - always == terms["render_attention"] - always == {"l1", "perceptual"}
    curve = pd.read_json(curve_file(found["correctness"], short / "runs" / "records"), lines=True)
    assert curve["step"].tolist() == [20, 21]
    # Three test pairs are all watched, so the curve ends in the record's scores.
    for name in names:
        assert curve[name].iloc[-1] == pytest.approx(found["correctness"].metrics[name], rel=1e-3, abs=1e-6)
    start = {found[row].metrics["epe_visible_px"] for row in ("correctness", "no_normaliser", "paper_direction")}
    assert len(start) == 3  # other losses lead elsewhere


def test_every_seed_keeps_its_curve_and_no_network_is_recorded(short):
    wanted = experiments.request("flow", "smoke", rows="correctness", seeds="1", out=short / "runs", device="cpu")
    (record,) = run_table(wanted, record=True, say=lambda words: None)
    assert curve_file(record).is_file()
    assert records.read("flow", "smoke") == [record]
    assert [path.name for path in (short / "data" / "weights").glob("flow-*")] == []
    config = resolve("flow", "correctness", "smoke").config
    generator = build_generator(config, seed=0)
    assert 0 < TASK.flops(generator, config) < TABLES["II"].task.flops(generator, config) / 2
