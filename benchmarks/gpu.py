"""What one GPU call should bring home: correctness, operation, step, inference, losses, within eight minutes.

    python benchmarks/gpu.py --out DIR           on a GPU
    python benchmarks/gpu.py --tiny --out DIR    a rehearsal on the CPU, the kernels left out

Five parts, each with a record of its own, so that a stop in the middle loses no finished part: the kernels against
float64 (kernels.DEVICE.json), ``attention.py``, ``step.py``, ``inference.py`` and ``loss.py``. On GPUs the
deterministic mode is timed as well.
Without --out the records go to data/records/benchmarks.
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

NAMES = ("value", "source", "target", "flow", "weight1", "bias1", "weight2", "bias2")


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="All benchmarks of one GPU, correctness first.")
    parser.add_argument("--tiny", action="store_true", help="a rehearsal on the CPU")
    parser.add_argument("--rounds", type=int, default=100, help="interleaved rounds of the operation")
    parser.add_argument("--out", type=Path, help="folder of the records")
    options = parser.parse_args(argv)
    device = torch.device("cpu" if options.tiny else "cuda")
    start = time.monotonic()
    print("record:", measure.write("kernels", device, correctness(device, options.tiny), options.out), flush=True)
    print(f"correctness: {time.monotonic() - start:.0f} s", flush=True)
    common = ["--device", device.type, *(["--tiny"] if options.tiny else [])]
    common += ["--out", str(options.out)] if options.out else []
    attention.main([*common, "--rounds", "3" if options.tiny else str(options.rounds)])
    print(f"operation: {time.monotonic() - start:.0f} s", flush=True)
    for part in (step, inference, loss):
        part.main([*common, "--rounds", "2" if options.tiny else "20"])
        print(f"{part.__name__}: {time.monotonic() - start:.0f} s", flush=True)
    print(f"all: {time.monotonic() - start:.0f} s", flush=True)


def correctness(device: torch.device, tiny: bool) -> dict[str, Any]:
    """Return, per case, the error of the fast path and that of plain torch in the same dtype, both against float64."""
    cases: list[dict[str, Any]] = []
    sides = {"8x8x4 k3": (8, 4, 3)} if tiny else {"5x5x130 k3": (5, 130, 3), **attention.LAYERS}
    with torch.backends.cudnn.flags(allow_tf32=False):
        for name, (side, channels, k) in sides.items():
            for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
                errors = errors_of(attention.arguments(2, side, channels, k, device, dtype))
                case = {"layer": name, "dtype": str(dtype)[6:], "errors": errors}
                if dtype != torch.float64:  # there plain torch is the truth itself
                    case["worst_ratio"] = max(ours / max(plain, 1e-30) for ours, plain in errors.values())
                cases.append(case)
                worst = max(ours for ours, _ in errors.values())
                print(
                    f"{name} {dtype}: {worst:.1e}; {case.get('worst_ratio', 0):.2f} times plain torch's error at worst"
                )
    return {"what": "mean error against float64: [fast path, plain torch]", "cases": cases,
            "deterministic": deterministic(device, tiny)}  # fmt: skip


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
    same = all(torch.equal(x, y) for _ in range(100) for x, y in zip(first, ordered()))
    return {"seconds": times, "slower": times["deterministic"]["median"] / times["free"]["median"], "same_bits": same}


if __name__ == "__main__":
    main()
