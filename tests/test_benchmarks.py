"""Every benchmark runs and writes its record, at tiny size; what they find on a full run is in data/records."""

import importlib
import json

import attention
import gpu
import pytest
import torch
from bench import measure

SCRIPTS = {"step": "ratios", "inference": "sizes", "loss": "scales", "switches": "ratios",
           "data": "units"}  # fmt: skip


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", SCRIPTS)
def test_rehearsal_writes_a_record(name, tmp_path):
    importlib.import_module(name).main(["--tiny", "--rounds", "1", "--out", str(tmp_path)])
    record = json.loads((tmp_path / f"{name}.cpu.json").read_text())
    assert record["benchmark"] == name
    assert record[SCRIPTS[name]]
    assert torch.backends.cpu.get_cpu_capability() in record["processor"]


def test_threads_are_put_back_and_every_count_is_measured():
    seen = []
    found = measure.by_threads(lambda: seen.append(torch.get_num_threads()), [1, 2], rounds=3)
    assert {count: one["rounds"] for count, one in found.items()} == {"1": 3, "2": 3}
    assert set(seen) == {1, 2}


def test_rehearsal_of_the_gpu_call_writes_all_its_records(tmp_path, capsys):
    gpu.main(["--tiny", "--out", str(tmp_path)])
    names = {"kernels", "attention", "step", "inference", "loss"}
    assert {f.name for f in tmp_path.iterdir()} == {f"{name}.cpu.json" for name in names}
    record = json.loads((tmp_path / "kernels.cpu.json").read_text())
    assert record["verdicts"]["worst error over plain torch's"]["reached"]
    assert record["deterministic"]["same_bits"]
    assert record["skipped"] == []
    assert ", wanted at most 2: reached" in capsys.readouterr().out


def test_gpu_call_out_of_time_skips_parts_and_says_so(tmp_path, capsys, monkeypatch):
    moments = iter([0.0, 1.0])  # the start, and the first part's
    monkeypatch.setattr(gpu.time, "monotonic", lambda: next(moments, 1e6))
    gpu.main(["--tiny", "--out", str(tmp_path)])
    record = json.loads((tmp_path / "kernels.cpu.json").read_text())
    assert record["skipped"] == ["attention", "step", "inference", "loss", "deterministic"]
    assert "loss: skipped, the time is over" in capsys.readouterr().out


@pytest.mark.skipif(torch.cuda.is_available(), reason="measures here")
def test_without_a_gpu_nothing_is_measured(tmp_path, capsys):
    gpu.main(["--out", str(tmp_path)])
    assert capsys.readouterr().out == "nothing measured: this needs a GPU; --tiny rehearses on the CPU\n"
    assert list(tmp_path.iterdir()) == []


def test_verdicts_on_every_bar():
    """At the limit a bar is reached; half precision counts against patches in float32 and in half precision."""

    def layer(name, microseconds, ratio):
        return {
            "layer": name, "dtype": "float32", "gather_forward_seconds": {"median": 1e-6 * microseconds},
            "methods": {"ours": {"times_the_speed_of_patches": ratio}},
        }  # fmt: skip

    medians = {"ours, float32": 2.0, "patches, float32": 4.0, "ours, bfloat16": 1.0, "patches, bfloat16": 1.4}
    found = {
        "kernels": {"cases": [{"dtype": "float64"}, {"worst_ratio": 1.0}, {"worst_ratio": 2.0}]},
        "attention": {"layers": [layer("64x64x128 k5", 29.0, 8.0), layer("32x32x256 k3", 11.0, 3.0)]},
        "step": {"seconds": {name: {"median": value} for name, value in medians.items()}},
    }
    told = gpu.verdicts(found)
    assert set(told) == set(gpu.BARS)
    assert {name: (round(v["value"], 9), v["reached"]) for name, v in told.items()} == {
        "worst error over plain torch's": (2.0, True),
        "gather 64x64x128 k5, microseconds": (29.0, True),
        "gather 32x32x256 k3, microseconds": (11.0, False),
        "block 64x64x128 k5, times patches": (8.0, True),
        "block 32x32x256 k3, times patches": (3.0, False),
        "step in bfloat16, times patches in float32": (4.0, True),
        "step at equal precision, times patches": (1.4, False),
    }


def test_measurements_out_of_time_end_after_a_few_rounds():
    with measure.until(0.0):
        times = measure.interleaved({"nothing": lambda: None}, torch.device("cpu"), 50)
    assert times["nothing"]["rounds"] == measure.FEWEST
    assert measure.interleaved({"nothing": lambda: None}, torch.device("cpu"), 5)["nothing"]["rounds"] == 5


def test_ratio_of_fresh_processes_is_that_of_patches_over_ours(tmp_path):
    """Both ways of the C library are in the record, beside the ratio within the process of all rivals."""
    record = attention.main(["--tiny", "--rounds", "1", "--out", str(tmp_path)])
    alone = record["layers"][0]["fresh_processes"]
    assert list(alone) == ["as it is", "memory kept"]
    for found in alone.values():
        ours, patches = (found["seconds"][name]["median"] for name in ("ours", "patches"))
        assert found["times_the_speed_of_patches"] == patches / ours
        assert set(found["page_faults"]) == {"ours", "patches"}
    assert json.loads((tmp_path / "attention.cpu.json").read_text())["layers"] == json.loads(
        json.dumps(record["layers"])
    )
