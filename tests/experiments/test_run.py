"""A row from data to record, its reuse, and the network that it leaves."""

import dataclasses
import hashlib
from unittest.mock import Mock

import pytest
import torch

from repro import experiments, paths, records
from repro.experiments import Folders, TestPairs, load_recorded_model, request, run_row, run_table, weights
from repro.experiments.run import load_splits
from repro.training import build_generator, checkpoint

pytestmark = pytest.mark.slow


def wish(house, **changes):
    return request("II", "smoke", **({"rows": "full", "device": "cpu", "out": house / "out"} | changes))


def test_a_row_is_trained_measured_recorded_and_reused(house, capsys):
    one = wish(house)
    first = run_row(one, "full")
    assert first.steps == 3
    assert first.n == 3
    assert {"l1_person", "epe_visible_px", "visibility_f1", "fd_procnet", "ssim_skimage_gaussian_person"} <= set(
        first.metrics
    )
    assert "needs file" in first.needs["lpips_alex"]
    assert first.parameters > 0 < first.flops
    assert records.read("II", "smoke", one.out / "records") == [first]
    assert (one.out / "records" / "pairs" / "table_2.smoke.fashion.full.seed0.csv").read_text().count("\n") == 4
    assert not paths.records().exists()  # a user's run leaves the project's own records alone
    capsys.readouterr()

    assert run_row(one, "full") == first
    assert "reused, recorded" in capsys.readouterr().out

    anew = run_row(one, "full", reuse="training")
    assert (anew.weights_hash, anew.metrics) == (first.weights_hash, first.metrics)
    again = run_row(one, "full", reuse="nothing")
    assert (again.weights_hash, again.metrics) == (first.weights_hash, first.metrics)  # bit for bit, same machine

    # The network that ships is the trained one, to half precision.
    model = load_recorded_model(first, one.out / "weights")
    trained, _ = checkpoint.load(Folders(one.out).run(first.fingerprint))
    name, value = next(iter(model.state_dict().items()))
    assert torch.equal(value, trained[f"generator/{name}"].half().float())
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_a_changed_setting_runs_again_and_says_what_changed(house, monkeypatch, capsys):
    one = wish(house, rows="baseline")
    before = run_row(one, "baseline")
    resolve = experiments.run.resolve
    monkeypatch.setattr(
        experiments.run,
        "resolve",
        lambda *names: resolve(*names, changes={**resolve.keywords["changes"], "joint.steps": 1}),
    )
    after = run_row(one, "baseline")
    said = capsys.readouterr().out
    assert "config_hash: recorded" in said
    assert f"runs again in {Folders(one.out).run(after.fingerprint)}" in said
    assert (before.steps, after.steps) == (2, 1)
    assert records.read("II", "smoke", one.out / "records") == [after]


def test_an_interrupted_row_continues_in_its_folder(house, monkeypatch):
    one = wish(house, rows="baseline")
    with monkeypatch.context() as patch:
        patch.setattr(experiments.pairs, "evaluate", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run_row(one, "baseline")
    (file,) = (one.out / "table_2").rglob(checkpoint.NAME)
    written = file.stat().st_mtime_ns
    assert run_row(one, "baseline").steps == 2
    assert file.stat().st_mtime_ns == written  # all steps were there: none was taken again


def test_other_settings_data_or_features_are_another_folder():
    values = dict(zip(records.KEY, ("II", "full", "fashion", "smoke", 0), strict=True))
    values |= {"config_hash": "a", "dataset_hash": "b", "features": {"procnet": "c"}}
    changed = [{"config_hash": "x"}, {"dataset_hash": "x"}, {"features": {"procnet": "x"}}, {"seed": 1}]
    found = {Folders(paths.runs()).run(values | change) for change in ({}, *changed)}
    assert len(found) == 5
    assert Folders(paths.runs()).run(values) in found


def test_maintainers_record_into_the_project(house):
    done = run_row(wish(house, rows="baseline"), "baseline", record=True)
    assert run_table(request("II")) == [done]
    assert [path.name for path in weights.exported() if "baseline" in path.name] == [
        f"table_2-baseline-fashion-smoke-seed0-{done.weights_hash[:12]}.safetensors"
    ]
    assert isinstance(load_recorded_model(done), torch.nn.Module)


def test_a_missing_or_foreign_network_file_is_named(house):
    done = run_row(wish(house, rows="baseline"), "baseline")
    with pytest.raises(FileNotFoundError, match=r"networks of seed 0 ship; train others with `repro table II"):
        load_recorded_model(done, house / "nowhere")
    path = next((house / "out" / "weights").glob("*.safetensors"))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is damaged, its hash does not fit"):
        load_recorded_model(done, house / "out" / "weights")
    path.write_bytes(content[:100])
    with pytest.raises(ValueError, match=r"cannot read .* it is damaged"):
        load_recorded_model(done, house / "out" / "weights")


def test_rows_that_learn_nothing_are_measured_on_the_same_pairs(house):
    found = run_table(wish(house, rows="copy_source,bone_warp", seeds="0,1"))
    assert [(one.row, one.seed, one.steps) for one in found] == [("copy_source", 0, 0), ("bone_warp", 0, 0)]
    assert found[1].metrics["epe_visible_px"] < found[0].metrics["epe_visible_px"]


def test_rows_side_by_side_are_commands_of_their_own(house, monkeypatch):
    monkeypatch.setattr(experiments.run, "resolve", experiments.resolve)  # the commands know no shortened rows
    found = run_table(wish(house, rows="copy_source,mean_colour"), jobs=2)
    assert [(one.row, one.n) for one in found] == [("copy_source", 24), ("mean_colour", 24)]
    (house / "out" / "records" / "table_2.smoke.jsonl").write_text("damaged\n")
    with pytest.raises(ChildProcessError, match=r"2 of 2 rows failed: .*see .*copy_source-seed0\.log"):
        run_table(wish(house, rows="copy_source,mean_colour"), jobs=2)


def record_of(row, seed):
    values = {one.name: "" for one in dataclasses.fields(records.Record)}
    values |= {"table": "II", "row": row, "dataset": "fashion", "profile": "laptop", "seed": seed}
    return records.Record(**values | {"schema": records.SCHEMA})


def test_rows_that_learn_nothing_stand_beside_every_recorded_seed(tmp_path, monkeypatch):
    monkeypatch.setenv("REPRO_ROOT", str(tmp_path))
    for row, seed in (("full", 0), ("full", 1), ("copy_source", 0)):
        records.append(record_of(row, seed))
    assert [(one.row, one.seed) for one in run_table(request("II", seeds="1"))] == [("full", 1), ("copy_source", 0)]
    assert [one.seed for one in run_table(request("II", seeds="1", rows="full"))] == [1]


def test_a_score_without_a_finite_number_goes_into_words():
    found = Mock(metrics={"l1": 0.5, "epe": float("nan"), "psnr": float("inf")}, defined={"epe": 0, "psnr": 3})
    assert experiments.run._not_finite(found) == {
        "epe": "defined for none of the test examples",
        "psnr": "no finite number (inf)",
    }


def test_the_exclusion_list_is_noted(tmp_path):
    (tmp_path / "exclude.txt").write_text("image a.jpg\n")
    one = request("II", "smoke", dataset="deepfashion", root=tmp_path)
    splits = [Mock(split=split, excluded=n) for split, n in (("train", 0), ("test", 2))]
    (note,) = experiments.run._left_out(one, "pair", *splits)
    content = hashlib.sha256(b"image a.jpg\n").hexdigest()
    assert note == f"Left out by exclude.txt (SHA-256 {content[:12]}): 0 train, 2 test pairs."


def test_the_test_pairs_are_fixed(house):
    _, test_set = load_splits(experiments.resolve("II", "full", "smoke").config, wish(house))
    few, more = TestPairs.of(test_set, 5), TestPairs.of(test_set, 9)
    assert set(few.indices) < set(more.indices)
    assert len(TestPairs.of(test_set, 10**6)) == len(test_set)
    held_out = test_set.held_out[test_set.pairs[more.indices, 0]]
    assert more.subsets()["held_out_texture"] == torch.nonzero(held_out).flatten().tolist()


def test_equal_seeds_share_weights_across_rows():
    full, local = (
        build_generator(experiments.resolve("II", row, "laptop").config, 3) for row in ("full", "local_attn")
    )
    assert all(torch.equal(a, b) for a, b in zip(full.state_dict().values(), local.state_dict().values(), strict=True))
