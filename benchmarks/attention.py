"""Local attention against its rivals: time, memory, error, and the share of what the machine could do at best.

    python benchmarks/attention.py                       the paper's two layers and how the cost grows; CPU, one thread
    python benchmarks/attention.py --device cuda         the same on a GPU, batch 8, in float32 and bfloat16
    python benchmarks/attention.py --tiny --out DIR      a rehearsal in seconds; the record goes elsewhere

On a CPU ours and patches are also measured alone, in fresh processes (``bench/pair.py``): the ratio of those is the one
that a first call meets. Writes data/records/benchmarks/attention.DEVICE.json, after every layer. About seven minutes on
one core.
"""

from collections.abc import Callable
from typing import Any

import torch
from bench import measure, pair, rivals
from torch import Tensor

from repro.ops import attend, local_attention

HIDDEN = 128  # of the kernel net
LAYERS = {"32x32x256 k3": (32, 256, 3), "64x64x128 k5": (64, 128, 5)}  # side, channels, k: the paper's two layers
RIVALS: dict[str, Callable[..., Tensor]] = {
    "ours": local_attention,
    "patches (grid_sample)": rivals.patches_by_grid_sample,
    "patches (indexing)": rivals.patches_by_index,
    "loop of grid_sample": rivals.loop_of_grid_samples,
    "deform_conv2d": rivals.deformable_convolution,
}
BASELINE = "patches (grid_sample)"


def main(argv: list[str] | None = None) -> dict[str, Any]:
    options = measure.options(
        argv,
        "Measure local attention against materialised patches and others.",
        cpu_batch=2,
        rounds=9,
        tiny="small maps",
    )
    device = measure.chosen(options)
    batch = options.batch or (8 if device.type == "cuda" else 2)
    layers = {"8x8x4 k3": (8, 4, 3)} if options.tiny else LAYERS
    dtypes = [torch.float32, torch.bfloat16] if device.type == "cuda" else [torch.float32]
    record: dict[str, Any] = {
        "command": measure.command("attention", argv),
        "what": "forward + backward of local attention; seconds of one call, interleaved; ratios to " + BASELINE,
        "batch": batch,
        "limits": {str(dtype)[6:]: measure.limits(device, dtype, options.rounds) for dtype in dtypes},
        "layers": [],
        "growth": [],
    }
    for dtype in dtypes:
        for name, (side, channels, k) in layers.items():
            entry = one_layer(batch, side, channels, k, device, dtype, options.rounds, record["limits"][str(dtype)[6:]])
            if device.type == "cpu":
                entry["fresh_processes"] = pair.measured(side, channels, k, batch, options.rounds)
            record["layers"].append({"layer": name, "dtype": str(dtype)[6:]} | entry)
            print_layer(record["layers"][-1])
            measure.write("attention", device, record, options.out)
    for side, channels, k, size in growth(options.tiny, batch):
        works = {n: step(RIVALS[n], arguments(size, side, channels, k, device)) for n in ("ours", BASELINE)}
        times = measure.interleaved(works, device, max(3, options.rounds // 3))
        ratio = times[BASELINE]["median"] / times["ours"]["median"]
        record["growth"].append({"side": side, "channels": channels, "k": k, "batch": size, "ratio": ratio, **times})
        print(f"{size} x {side}x{side}x{channels} k{k}: {ratio:.2f} times", flush=True)
    print("record:", measure.write("attention", device, record, options.out))
    return record


def growth(tiny: bool, batch: int) -> list[tuple[int, int, int, int]]:
    """Return (side, channels, k, batch): one of them grows at a time, from 32x32x128 k3."""
    if tiny:
        return [(8, 4, 3, 1)]
    base = (32, 128, 3, batch)
    grown = [(0, (16, 32, 64, 128)), (1, (32, 64, 128, 256)), (2, (1, 3, 5, 7)), (3, (1, 2, 4, 8))]
    return [(*base[:axis], value, *base[axis + 1 :]) for axis, values in grown for value in values]


def arguments(
    batch: int, side: int, channels: int, k: int, device: torch.device, dtype: torch.dtype = torch.float32
) -> list[Tensor]:
    """Return features, a flow of some pixels and the kernel net's weights, drawn on the CPU."""
    generator = torch.Generator().manual_seed(0)
    features = ((batch, channels, side, side), 1.0)
    net = (((HIDDEN, 2 * channels, k, k), (2 * channels * k * k) ** -0.5), ((HIDDEN,), 0.1))
    head = (((k * k, HIDDEN, 1, 1), HIDDEN**-0.5), ((k * k,), 0.1))
    drawn = (features, features, ((batch, 2, side, side), 3.0), *net, *head)
    return [
        (scale * torch.randn(shape, generator=generator)).to(device, dtype).requires_grad_() for shape, scale in drawn
    ]


def step(function: Callable[..., Tensor], given: list[Tensor]) -> Callable[[], tuple[Tensor, ...]]:
    """Return the work: forward, then the gradients of all arguments."""
    weights = torch.linspace(-1, 1, given[0].numel(), device=given[0].device).view(given[0].shape).to(given[0].dtype)
    return lambda: torch.autograd.grad(function(*given), given, weights)


def one_layer(
    batch: int, side: int, channels: int, k: int, device: torch.device, dtype: torch.dtype, rounds: int,
    limits: dict[str, float],
) -> dict[str, Any]:  # fmt: skip
    """Return what the rivals cost on one layer, and how far each is from float64 and from the machine's limit."""
    given = arguments(batch, side, channels, k, device, dtype)
    works = {name: step(rival, given) for name, rival in RIVALS.items()}
    works = {name: work for name, work in works.items() if runs(name, work)}
    truth = step(rivals.patches_by_index, [x.detach().double().requires_grad_() for x in given])()
    frozen = [x.detach() for x in given]
    coefficients = torch.rand(batch, k * k, side, side, device=device)
    last = frozen[0].contiguous(memory_format=torch.channels_last)  # as the kernels read it, without a copy
    forward = {
        "ours, forward": lambda: local_attention(*frozen),
        "ours, gather forward": lambda: attend(last, frozen[2], coefficients),
    }
    times = measure.interleaved(works | forward, device, rounds)
    work, moved = cost(batch, side, channels, k, given[0].element_size())
    best = max(work / limits["flops_per_s"], moved / limits["bytes_per_s"])
    methods = {}
    for name in works:
        gradients = works[name]()
        methods[name] = {
            "seconds": times[name],
            "times_the_speed_of_patches": times[BASELINE]["median"] / times[name]["median"],
            "share_of_limit": best / times[name]["median"],
            "kept_bytes": measure.kept_bytes(RIVALS[name], given),
            "peak_bytes": measure.peak_bytes(works[name], device),
            "worst_relative_error_of_gradients": max(
                ((x.double() - y).abs().max() / y.abs().max()).item() for x, y in zip(gradients, truth)
            ),
        }
    baseline = methods[BASELINE]
    for entry in methods.values():
        for what in ("kept_bytes", "peak_bytes"):
            entry[f"{what}_of_patches"] = entry[what] / baseline[what]
    return {
        "flops": work, "bytes": moved, "limit_seconds": best, "methods": methods,
        "forward_seconds": times["ours, forward"], "gather_forward_seconds": times["ours, gather forward"],
    }  # fmt: skip


def runs(name: str, work: Callable[[], object]) -> bool:
    """Return whether a rival knows this device and dtype; say so where it does not."""
    try:
        work()
    except (RuntimeError, NotImplementedError) as error:
        print(f"  {name} left out: {str(error).splitlines()[0]}")
        return False
    return True


def cost(batch: int, side: int, channels: int, k: int, size: int) -> tuple[int, int]:
    """Return operations and bytes that no method can avoid, forward + backward.

    Operations: the kernel net (a multiplication and its addition are two), twice as many backward, and the sum over
    (k + 1)^2 pixels. Bytes: arguments read and result written once; backward read once more, gradients written once.
    """
    positions = batch * side * side
    net = 2 * HIDDEN * positions * (2 * channels * k * k + k * k)
    pooling = 2 * positions * channels * (k + 1) ** 2
    maps, weights = positions * channels * size, HIDDEN * (2 * channels * k * k + k * k) * size
    flow = positions * 2 * 4
    forward = 3 * maps + flow + weights
    backward = 3 * maps + flow + weights + 2 * maps + flow + weights
    return 3 * net + 3 * pooling, forward + backward


def print_layer(entry: dict[str, Any]) -> None:
    print(f"{entry['layer']} {entry['dtype']}: limit {entry['limit_seconds'] * 1e3:.2f} ms")
    for name, m in entry["methods"].items():
        print(
            f"  {name:24s} {m['seconds']['median'] * 1e3:9.2f} ms  {m['times_the_speed_of_patches']:6.2f} x"
            f"  {100 * m['share_of_limit']:5.1f} % of the limit  kept {m['kept_bytes'] / 2**20:8.2f} MiB"
            f"  peak {m['peak_bytes'] / 2**20:8.2f} MiB  error {m['worst_relative_error_of_gradients']:.1e}",
            flush=True,
        )
    for name, alone in entry.get("fresh_processes", {}).items():
        faults = ", ".join(f"{who} {count}" for who, count in alone["page_faults"].items())
        print(
            f"  in a fresh process, {name}: {alone['times_the_speed_of_patches']:.2f} x; page faults a call: {faults}"
        )


if __name__ == "__main__":
    main()
