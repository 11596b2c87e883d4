"""Pictures and tables of the performance page: the two identities, and the records of the benchmarks."""

import json
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from repro import paths

METHODS = {
    "ours": "#D55E00",
    "loop of grid_sample": "#E69F00",
    "patches (grid_sample)": "#0072B2",
    "patches (indexing)": "#56B4E9",
    "deform_conv2d": "#999999",
}
AXES = {"side": "side of the map", "channels": "channels", "k": "side of the patch k", "batch": "batch"}


def benchmark(name: str, device: str = "cpu", folder: Path | None = None) -> dict[str, Any]:
    """Return a benchmark's record.

    Args:
        name: "attention", "step", "inference", "loss", "switches".
        device: "cpu" or a GPU's name in the record's file name.
        folder: of the records; None = the project's.

    Raises:
        FileNotFoundError: the benchmark has not been recorded on that device.
    """
    path = (folder or paths.records() / "benchmarks") / f"{name}.{device}.json"
    if not path.exists():
        raise FileNotFoundError(f"no {path.name} in {path.parent}: run python benchmarks/{name}.py first")
    return json.loads(path.read_text(encoding="utf-8"))


def spread_coefficients(kernel: Tensor, alpha: float, beta: float) -> Tensor:
    """Return identity 2's weights of (k + 1) x (k + 1) pixels: every coefficient on the four that its sample reads.

    Args:
        kernel: (k, k).
        alpha: common fraction of the columns, in [0, 1).
        beta: common fraction of the rows, in [0, 1).
    """
    weights = torch.zeros(len(kernel) + 1, len(kernel) + 1, dtype=kernel.dtype)
    for down, of_row in ((0, 1 - beta), (1, beta)):
        for right, of_column in ((0, 1 - alpha), (1, alpha)):
            weights[down : down + len(kernel), right : right + len(kernel)] += of_row * of_column * kernel
    return weights


def taps_figure(x: float, y: float, k: int = 3, size: int = 7) -> Figure:
    """Return a figure: the k x k taps around (x, y) on a grid of pixels, and the (k + 1)^2 pixels that they read."""
    figure, axes = plt.subplots(figsize=(3.6, 3.6))
    reach = k // 2
    axes.add_patch(Rectangle((int(x) - reach - 0.5, int(y) - reach - 0.5), k + 1, k + 1, color="#56B4E9", alpha=0.35))
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    axes.plot(columns.flatten(), rows.flatten(), "s", ms=4, color="#999999", label="pixels")
    taps = torch.arange(-reach, reach + 1)
    across, down = torch.meshgrid(x + taps, y + taps, indexing="xy")
    axes.plot(across.flatten(), down.flatten(), "o", ms=6, color="#D55E00", label=f"{k} x {k} taps")
    for a, b in zip(across.flatten().tolist(), down.flatten().tolist()):
        axes.plot([int(a), a, a], [b, b, int(b)], color="#D55E00", lw=0.8)
    axes.set(xlim=(-0.7, size - 0.3), ylim=(size - 0.3, -0.7), aspect="equal", xlabel="column", ylabel="row")
    axes.legend(loc="upper right", fontsize=7, framealpha=1)
    figure.tight_layout(pad=0.4)
    return figure


def spreading_figure(kernel: Tensor, alpha: float, beta: float) -> Figure:
    """Return a figure: coefficients of the taps, and the weights of the pixels that follow from them."""
    figure, axes = plt.subplots(1, 2, figsize=(5.4, 2.7))
    weights = spread_coefficients(kernel, alpha, beta)
    for ax, values, title in zip(axes, (kernel, weights), ("coefficients of the taps", "weights of the pixels")):
        ax.imshow(values, cmap="Blues", vmin=0, vmax=kernel.max().item())
        for (row, column), value in zip(
            ((r, c) for r in range(len(values)) for c in range(len(values))), values.flatten().tolist()
        ):
            ax.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=7)
        ax.set(xticks=[], yticks=[])
        ax.set_title(title, fontsize=9)
    figure.tight_layout(pad=0.4)
    return figure


def methods_table(record: dict[str, Any]) -> pd.DataFrame:
    """Return one line per layer, dtype and method: time with spread, ratios to patches, error."""
    lines = []
    for layer in record["layers"]:
        for name, method in layer["methods"].items():
            low, high = method["seconds"]["quartiles"]
            lines.append(
                {
                    "layer": layer["layer"],
                    "dtype": layer["dtype"],
                    "method": name,
                    "ms": round(method["seconds"]["median"] * 1e3, 1),
                    "quartiles": f"{low * 1e3:.1f} to {high * 1e3:.1f}",
                    "speed": f"{method['times_the_speed_of_patches']:.2f} x",
                    "of the limit": f"{100 * method['share_of_limit']:.0f} %",
                    "kept": f"1/{1 / method['kept_bytes_of_patches']:.1f}",
                    "peak": f"1/{1 / method['peak_bytes_of_patches']:.1f}",
                    "error": f"{method['worst_relative_error_of_gradients']:.0e}",
                }
            )
    return pd.DataFrame(lines).set_index(["layer", "dtype", "method"])


def fresh_processes_table(record: dict[str, Any]) -> pd.DataFrame:
    """Return one line per layer and allocator: ours and patches alone in a process, and the page faults of a call."""
    lines = {
        (layer["layer"], name): {
            "ours, ms": round(alone["seconds"]["ours"]["median"] * 1e3, 1),
            "patches, ms": round(alone["seconds"]["patches"]["median"] * 1e3, 1),
            "speed": f"{alone['times_the_speed_of_patches']:.2f} x",
            "page faults, ours": alone["page_faults"]["ours"],
            "page faults, patches": alone["page_faults"]["patches"],
        }
        for layer in record["layers"]
        for name, alone in layer["fresh_processes"].items()
    }
    return pd.DataFrame.from_dict(lines, orient="index").rename_axis(["layer", "allocator"])


def comparison_table(compared: dict[str, Any]) -> pd.DataFrame:
    """Return one line per way of a comparison: median, quartiles, speed and peak memory against its baseline."""
    lines = {}
    for name, seconds in compared["seconds"].items():
        low, high = seconds["quartiles"]
        ratio = compared["ratios"][name]
        lines[name] = {
            "ms": round(seconds["median"] * 1e3, 1),
            "quartiles": f"{low * 1e3:.1f} to {high * 1e3:.1f}",
            "speed": f"{ratio['times_the_speed']:.2f} x",
            "peak memory": f"{ratio['peak_bytes_of_baseline']:.2f} x",
        }
    return pd.DataFrame.from_dict(lines, orient="index")


def threads_table(record: dict[str, Any]) -> pd.DataFrame:
    """Return one line per number of threads: seconds of a step by the clock, and the gain over one thread."""
    by_threads = record["wall_seconds_by_threads"]
    lines = {
        int(count): {
            "ms": round(seconds["median"] * 1e3, 1),
            "quartiles": " to ".join(f"{value * 1e3:.1f}" for value in seconds["quartiles"]),
            "speed": f"{by_threads['1']['median'] / seconds['median']:.2f} x",
        }
        for count, seconds in by_threads.items()
    }
    return pd.DataFrame.from_dict(lines, orient="index").rename_axis("threads")


def data_table(record: dict[str, Any]) -> pd.DataFrame:
    """Return what reading or drawing the examples of a step costs, as a share of a joint training step's time."""
    shares = {name: f"{share:.3f}" for name, share in record["shares_of_a_step"].items()}
    return pd.DataFrame({"share of a step": shares})


def roofline_figure(record: dict[str, Any]) -> Figure:
    """Return a figure: what the machine can do per byte moved, and what each method reaches on each layer.

    Operations and bytes are those that no method can avoid, so all methods of a layer stand above each other.
    """
    layers = [layer for layer in record["layers"] if layer["dtype"] == "float32"]
    limits = record["limits"]["float32"]
    figure, axes = plt.subplots(figsize=(6.4, 3.6))
    intensity = torch.logspace(-1, 4, 100)
    roof = (intensity * limits["bytes_per_s"]).clamp(max=limits["flops_per_s"])
    axes.loglog(intensity, roof / 1e9, color="#000000", label="limit of this machine")
    for marker, layer in zip("os^v", layers):
        x = layer["flops"] / layer["bytes"]
        for name, method in layer["methods"].items():
            axes.loglog(
                x, layer["flops"] / method["seconds"]["median"] / 1e9, marker, ms=6, color=METHODS[name], mec="white"
            )
        axes.loglog([], [], marker, color="#666666", label=layer["layer"])
    for name, colour in METHODS.items():
        axes.loglog([], [], "-", lw=4, color=colour, label=name)
    axes.set(xlabel="operations per byte that must be moved", ylabel="10⁹ operations per second")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    figure.tight_layout(pad=0.4)
    return figure


def growth_figure(record: dict[str, Any]) -> Figure:
    """Return a figure: how many times the speed of patches, while one of side, channels, k and batch grows."""
    base = {"side": 32, "channels": 128, "k": 3, "batch": record["batch"]}
    figure, axes = plt.subplots(1, 4, figsize=(8.4, 2.3), sharey=True)
    for ax, (grown, label) in zip(axes, AXES.items()):
        entries = [e for e in record["growth"] if all(e[name] == base[name] for name in base if name != grown)]
        points = {e[grown]: e["ratio"] for e in entries}
        _curve(ax, sorted(points), [points[value] for value in sorted(points)], label)
    axes[0].set_ylabel("times the speed of patches", fontsize=8)
    figure.tight_layout(pad=0.4)
    return figure


def _curve(axes: Axes, values: list[int], ratios: list[float], label: str) -> None:
    axes.plot(range(len(values)), ratios, "o-", color=METHODS["ours"])
    axes.axhline(1, color="#0072B2", lw=1, ls="--")
    axes.set_xticks(range(len(values)), [str(value) for value in values], fontsize=8)
    axes.set_xlabel(label, fontsize=8)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
