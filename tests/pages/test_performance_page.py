"""The performance page: its second identity is the operation's, its tables and pictures say what the record says."""

import json

import pytest
import torch
from tolerances import assert_close

from repro.ops import attend
from repro.pages import performance

METHOD = {
    "seconds": {"median": 0.002, "quartiles": [0.001, 0.003], "rounds": 3},
    "times_the_speed_of_patches": 5.0,
    "share_of_limit": 0.5,
    "kept_bytes_of_patches": 0.025,
    "peak_bytes_of_patches": 0.1,
    "worst_relative_error_of_gradients": 1e-6,
}
RECORD = {
    "batch": 2,
    "limits": {"float32": {"flops_per_s": 1e11, "bytes_per_s": 1e10}},
    "layers": [{"layer": "small", "dtype": "float32", "flops": 1e8, "bytes": 1e6, "methods": {"ours": METHOD}}],
    "growth": [
        {"side": side, "channels": 128, "k": k, "batch": 2, "ratio": float(side * k)}
        for side, k in ((16, 3), (32, 3), (32, 5))
    ],
}


def test_spread_coefficients_are_what_the_operation_reads():
    """The gradient of one attended pixel with respect to the source is the weight of every source pixel."""
    kernel = torch.rand(5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    source = torch.zeros(1, 1, 9, 9, dtype=torch.float64, requires_grad=True)
    flow = torch.zeros(1, 2, 9, 9, dtype=torch.float64)
    flow[:, 0], flow[:, 1] = 0.3, 0.6
    pixel = attend(source, flow, kernel.view(1, 25, 1, 1).expand(1, 25, 9, 9), mean=False)[0, 0, 4, 4]
    read = torch.autograd.grad(pixel, source)[0][0, 0, 2:8, 2:8]
    assert_close(performance.spread_coefficients(kernel, 0.3, 0.6), read)


def test_tables_and_pictures_hold_the_record():
    table = performance.methods_table(RECORD)
    line = table.loc[("small", "float32", "ours")]
    assert (line["ms"], line["quartiles"], line["speed"], line["kept"], line["peak"]) == (
        2.0, "1.0 to 3.0", "5.00 x", "1/40.0", "1/10.0",
    )  # fmt: skip
    sides, _, ks, _ = performance.growth_figure(RECORD).axes
    assert sides.lines[0].get_ydata().tolist() == [48, 96]
    assert ks.lines[0].get_ydata().tolist() == [96, 160]
    reached = [line for line in performance.roofline_figure(RECORD).axes[0].lines if list(line.get_xdata()) == [100]]
    assert [line.get_ydata().tolist() for line in reached] == [[50.0]]


def test_table_of_fresh_processes_tells_both_ratios_and_the_page_faults():
    def alone(ratio, faults):
        return {"seconds": {"ours": {"median": 0.002}, "patches": {"median": 0.002 * ratio}},
                "page_faults": {"ours": 1, "patches": faults}, "times_the_speed_of_patches": ratio}  # fmt: skip

    layer = {"layer": "small", "fresh_processes": {"as it is": alone(5.0, 70000), "memory kept": alone(4.0, 0)}}
    table = performance.fresh_processes_table({"layers": [layer]})
    assert table.loc[("small", "as it is")].tolist() == [2.0, 10.0, "5.00 x", 1, 70000]
    assert table.loc[("small", "memory kept")].tolist() == [2.0, 8.0, "4.00 x", 1, 0]


def test_comparison_table():
    compared = {"seconds": {"ours": METHOD["seconds"]},
                "ratios": {"ours": {"times_the_speed": 1.5, "peak_bytes_of_baseline": 0.25}}}  # fmt: skip
    line = performance.comparison_table(compared).loc["ours"]
    assert (line["ms"], line["speed"], line["peak memory"]) == (2.0, "1.50 x", "0.25 x")


def test_threads_are_compared_with_one():
    found = {str(n): {"median": 0.4 / n, "quartiles": [0.4 / n, 0.5 / n]} for n in (1, 2)}
    table = performance.threads_table({"wall_seconds_by_threads": found})
    assert table.loc[2].tolist() == [200.0, "200.0 to 250.0", "2.00 x"]


def test_shares_of_a_step():
    table = performance.data_table({"shares_of_a_step": {"batch": 0.02701, "draw fashion 64, a pair": 0.21628}})
    assert table["share of a step"].tolist() == ["0.027", "0.216"]


def test_missing_record_says_how_to_make_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no step\.cpu\.json in .*: run python benchmarks/step\.py first"):
        performance.benchmark("step", folder=tmp_path)
    (tmp_path / "step.cpu.json").write_text(json.dumps({"size": 64}))
    assert performance.benchmark("step", folder=tmp_path) == {"size": 64}
