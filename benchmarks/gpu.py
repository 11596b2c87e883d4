"""What one GPU call should bring home: correctness, operation, step, inference, losses, within eight minutes.

    python benchmarks/gpu.py --out DIR           on a GPU
    python benchmarks/gpu.py --tiny --out DIR    a rehearsal on the CPU, the kernels left out

Parts with a record of their own, each written as soon as it is there, so that a stop in the middle loses little: the
kernels against float64 (kernels.DEVICE.json), ``attention.py``, ``step.py``, ``inference.py`` and ``loss.py``; then the
cost of torch's deterministic mode. The record of the kernels also holds the verdicts on the bars, and what was skipped:
past MINUTES no part begins, and what has begun ends after a few rounds.
Without --out the records go to data/records/benchmarks. Without a GPU nothing is measured.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import attention
import inference
import loss
import step
import torch
from bench import measure

from repro.ops import local_attention
from repro.ops.precision import without_tf32

MINUTES = 7.5  # of the eight; the rest is for what is under way
NAMES = ("value", "source", "target", "flow", "weight1", "bias1", "weight2", "bias2")
BARS = {  # name: limit, and whether it is the most or the least
    "worst error over plain torch's": (2.0, "at most"),
    "gather 64x64x128 k5, microseconds": (30.0, "at most"),
    "gather 32x32x256 k3, microseconds": (10.0, "at most"),
    "block 64x64x128 k5, times patches": (8.0, "at least"),
    "block 32x32x256 k3, times patches": (4.0, "at least"),
    "step in bfloat16, times patches in float32": (3.0, "at least"),
    "step at equal precision, times patches": (1.5, "at least"),
}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="All benchmarks of one GPU, correctness first.")
    parser.add_argument("--tiny", action="store_true", help="a rehearsal on the CPU")
    parser.add_argument("--rounds", type=int, default=100, help="interleaved rounds of the operation")
    parser.add_argument("--out", type=Path, help="folder of the records")
    options = parser.parse_args(argv)
    if not options.tiny and not torch.cuda.is_available():  # `make bench` runs every script as it is
        print("nothing measured: this needs a GPU; --tiny rehearses on the CPU")
        return
    device, start = torch.device("cpu" if options.tiny else "cuda"), time.monotonic()
    end = start + 60 * MINUTES
    common = ["--device", device.type, *(["--tiny"] if options.tiny else [])]
    common += ["--out", str(options.out)] if options.out else []
    many, some = ("1", "1") if options.tiny else (str(options.rounds), "20")
    parts = {
        "kernels": lambda: correctness(device, options.tiny, end),
        "attention": lambda: attention.main([*common, "--rounds", many]),
        "step": lambda: step.main([*common, "--rounds", some]),
        "inference": lambda: inference.main([*common, "--rounds", some]),
        "loss": lambda: loss.main([*common, "--rounds", some]),
        "deterministic": lambda: deterministic(device, options.tiny),
    }
    found: dict[str, Any] = {}
    skipped: list[str] = []
    for name, part in parts.items():
        if time.monotonic() > end:
            skipped.append(name)
            print(f"{name}: skipped, the time is over", flush=True)
            continue
        with measure.until(end):
            found[name] = part()
        record = found["kernels"] | {"deterministic": found.get("deterministic")}
        record |= {"verdicts": verdicts(found), "skipped": skipped, "caches": "warm (L2)"}
        path = measure.write("kernels", device, record, options.out)
        print(f"{name}: {time.monotonic() - start:.0f} s", flush=True)
    measure.write("kernels", device, record | {"skipped": skipped}, options.out)
    for name, verdict in record["verdicts"].items():
        reached = "reached" if verdict["reached"] else "not reached"
        print(f"{name}: {verdict['value']:.2f}, wanted {verdict['wanted']}: {reached}")
    print("record:", path)


def verdicts(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return value, wish and whether it is reached, of every bar that the parts so far can answer."""
    values = {}
    ratios = [case["worst_ratio"] for case in found["kernels"]["cases"] if "worst_ratio" in case]
    if ratios:
        values["worst error over plain torch's"] = max(ratios)
    for layer in found.get("attention", {}).get("layers", ()):
        if layer["dtype"] == "float32":
            values[f"gather {layer['layer']}, microseconds"] = 1e6 * layer["gather_forward_seconds"]["median"]
            ours = layer["methods"]["ours"]
            values[f"block {layer['layer']}, times patches"] = ours["times_the_speed_of_patches"]
    medians = {name: times["median"] for name, times in found.get("step", {}).get("seconds", {}).items()}
    if "ours, bfloat16" in medians:
        plain = step.PATCHES
        values["step in bfloat16, times patches in float32"] = medians[plain] / medians["ours, bfloat16"]
        values["step at equal precision, times patches"] = min(
            medians[f"patches, {dtype}"] / medians[f"ours, {dtype}"] for dtype in ("float32", "bfloat16")
        )
    return {
        name: {
            "value": values[name],
            "wanted": f"{kind} {limit:g}",
            "reached": values[name] <= limit if kind == "at most" else values[name] >= limit,
        }
        for name, (limit, kind) in BARS.items()
        if name in values
    }


def correctness(device: torch.device, tiny: bool, end: float = float("inf")) -> dict[str, Any]:
    """Return, per case, the error of the fast path and that of plain torch in the same dtype, both against float64."""
    cases: list[dict[str, Any]] = []
    sides = {"8x8x4 k3": (8, 4, 3)} if tiny else {"5x5x130 k3": (5, 130, 3), **attention.LAYERS}
    with without_tf32(device):
        for name, (side, channels, k) in sides.items():
            for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
                if time.monotonic() > end:
                    print(f"{name} {dtype}: skipped, the time is over")
                    continue
                errors = errors_of(attention.arguments(2, side, channels, k, device, dtype))
                case = {"layer": name, "dtype": str(dtype)[6:], "errors": errors}
                if dtype != torch.float64:  # there plain torch is the truth itself
                    case["worst_ratio"] = max(ours / max(plain, 1e-30) for ours, plain in errors.values())
                cases.append(case)
                worst = max(ours for ours, _ in errors.values())
                print(
                    f"{name} {dtype}: {worst:.1e}; {case.get('worst_ratio', 0):.2f} times plain torch's error at worst"
                )
    return {"what": "mean error against float64: [fast path, plain torch]", "cases": cases}


def errors_of(given: list[torch.Tensor]) -> dict[str, tuple[float, float]]:
    """Return the mean absolute errors of value and gradients, relative to the mean size: fast path, reference."""

    def run(of: list[torch.Tensor], impl: str) -> tuple[torch.Tensor, ...]:
        out = local_attention(*of, impl=impl)
        weights = torch.linspace(-1, 1, out.numel(), device=out.device).view(out.shape).to(out.dtype)
        return (out.detach(), *torch.autograd.grad(out, of, weights))

    truth = run([x.detach().double().requires_grad_() for x in given], "reference")
    pairs = zip(NAMES, truth, run(given, "fused"), run(given, "reference"))
    return {
        name: tuple(((x.double() - best).abs().mean() / best.abs().mean()).item() for x in (ours, plain))
        for name, best, ours, plain in pairs
    }


def deterministic(device: torch.device, tiny: bool) -> dict[str, Any]:
    """Return what torch's switch for deterministic algorithms costs, and whether 100 repeats are equal bit for bit."""
    side, channels, k = (8, 4, 3) if tiny else attention.LAYERS["64x64x128 k5"]
    work = attention.step(local_attention, attention.arguments(2, side, channels, k, device))

    def ordered() -> tuple[torch.Tensor, ...]:
        torch.use_deterministic_algorithms(True, warn_only=True)
        try:
            return work()
        finally:
            torch.use_deterministic_algorithms(False)

    times = measure.interleaved({"free": work, "deterministic": ordered}, device, 3 if tiny else 50)
    first = ordered()
    same = all(torch.equal(x, y) for _ in range(3 if tiny else 100) for x, y in zip(first, ordered()))
    return {"seconds": times, "slower": times["deterministic"]["median"] / times["free"]["median"], "same_bits": same}


if __name__ == "__main__":
    main()
