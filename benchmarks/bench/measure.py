"""How the benchmarks measure: rounds that interleave the rivals, medians with spread, memory, the machine's own limits.

CPU: processor time of one thread, so that other programs on the machine count little. GPU: events on the stream; work
of less than a millisecond is repeated behind a pause, so that the time is the GPU's and not that of Python, which hands
it over. Every call finds in the cache (L2) what the one before left there. Only ratios within one run mean something.
"""

import argparse
import contextlib
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from repro import paths, records
from repro.training.host import describe

Work = Callable[[], object]
SHORT = 1e-3  # seconds; work of a GPU below this is repeated
REPEATS = 20
CYCLES = 2e9  # of a GPU's clock in a second, at most
FEWEST = 3  # rounds that also a measurement out of time has
_ends = [float("inf")]  # moments of time.monotonic, of the innermost ``until`` last


@contextlib.contextmanager
def until(moment: float) -> Iterator[None]:
    """Let measurements in this block end after :data:`FEWEST` rounds once ``time.monotonic()`` is past the moment."""
    _ends.append(min(moment, _ends[-1]))
    try:
        yield
    finally:
        _ends.pop()


def seconds(work: Work, device: torch.device) -> float:
    """Return what one call costs: processor time on a CPU, the GPU's own time on a GPU."""
    if device.type != "cuda":
        start = time.process_time()
        work()
        return time.process_time() - start
    torch.cuda.synchronize(device)
    begun = time.monotonic()
    once = _between_events(work, 1, 0)
    handing_over = time.monotonic() - begun
    return once if once > SHORT and once > handing_over / 2 else _between_events(work, REPEATS, REPEATS * handing_over)


def _between_events(work: Work, repeats: int, pause: float) -> float:
    """Return the GPU's seconds for one of some calls that were handed over while it paused (a second at most)."""
    before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    if pause:
        torch.cuda._sleep(int(min(pause, 1.0) * CYCLES))
    before.record()
    for _ in range(repeats):
        work()
    after.record()
    after.synchronize()
    return before.elapsed_time(after) / 1000 / repeats


def interleaved(works: Mapping[str, Work], device: torch.device, rounds: int) -> dict[str, dict[str, float]]:
    """Return median, quartiles and rounds of every work; each round measures all of them, after one warm-up each."""
    for work in works.values():
        work()
    times: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds):
        if number >= FEWEST and time.monotonic() > _ends[-1]:
            break
        for name, work in works.items():
            times[name].append(seconds(work, device))
    return {name: spread(values) for name, values in times.items()}


def by_threads(work: Work, counts: Sequence[int], rounds: int) -> dict[str, dict[str, float]]:
    """Return the wall time of a work on a CPU by the number of threads; each round runs all counts, after one warm-up.

    Processor time would add up over threads; wall time needs a machine without other work.
    """
    times: dict[str, list[float]] = {str(count): [] for count in counts}
    before = torch.get_num_threads()
    try:
        for number in range(rounds + 1):
            for count in counts:
                torch.set_num_threads(count)
                start = time.perf_counter()
                work()
                if number:
                    times[str(count)].append(time.perf_counter() - start)
    finally:
        torch.set_num_threads(before)
    return {count: spread(values) for count, values in times.items()}


def spread(values: list[float]) -> dict[str, float]:
    """Return the median of the seconds, the quartiles and the number of rounds."""
    low, middle, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    return {"median": middle, "quartiles": [low, high], "rounds": len(values)}


def kept_bytes(function: Callable[..., Tensor], arguments: list[Tensor]) -> int:
    """Return the bytes that the graph of ``function(*arguments)`` keeps for its backward, the arguments left out."""
    kept: dict[int, int] = {}

    def remember(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(remember, lambda tensor: tensor):
        function(*arguments)
    given = {x.untyped_storage().data_ptr() for x in arguments}
    return sum(size for storage, size in kept.items() if storage not in given)


def peak_bytes(work: Work, device: torch.device) -> int:
    """Return the most memory that one call of ``work`` holds at a time, beyond what was held before."""
    if device.type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        torch.cuda.synchronize()
        return torch.cuda.max_memory_allocated() - before
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True, acc_events=True
    ) as profile:
        work()
    changes = [e for e in profile.profiler.kineto_results.events() if e.name() == "[memory]"]
    held = peak = 0
    for change in sorted(changes, key=lambda e: e.start_ns()):
        held += change.nbytes()
        peak = max(peak, held)
    return peak


def compared(works: Mapping[str, Work], baseline: str, device: torch.device, rounds: int) -> dict[str, Any]:
    """Return seconds and peak memory of all works, and their ratios to the baseline; print the ratios."""
    seconds = interleaved(works, device, rounds)
    peaks = {name: peak_bytes(work, device) for name, work in works.items()}
    ratios = {
        name: {
            "times_the_speed": seconds[baseline]["median"] / seconds[name]["median"],
            "peak_bytes_of_baseline": peaks[name] / peaks[baseline],
        }
        for name in works
    }
    for name, ratio in ratios.items():
        speed, memory = ratio["times_the_speed"], ratio["peak_bytes_of_baseline"]
        print(f"{name}: {speed:.2f} times the speed of {baseline}, {memory:.2f} of its peak memory", flush=True)
    return {"baseline": baseline, "seconds": seconds, "peak_bytes": peaks, "ratios": ratios}


def limits(device: torch.device, dtype: torch.dtype, rounds: int) -> dict[str, float]:
    """Return what the machine reaches at best: operations a second of a matrix product, bytes a second of a copy."""
    side, length = (4096, 2**28) if device.type == "cuda" else (1024, 2**25)
    matrix = torch.randn(side, side, device=device).to(dtype)
    vector = torch.zeros(length, device=device)
    other = torch.empty_like(vector)
    works = {"product": lambda: matrix @ matrix, "copy": lambda: other.copy_(vector)}
    best = {name: min(seconds(work, device) for _ in range(rounds + 2)) for name, work in works.items()}
    return {"flops_per_s": 2 * side**3 / best["product"], "bytes_per_s": 2 * 4 * length / best["copy"]}


def options(argv: list[str] | None, description: str, *, cpu_batch: int, rounds: int, tiny: str) -> argparse.Namespace:
    """Return the command line of a benchmark: ``device batch rounds tiny out``.

    Args:
        argv: words of the command line; None = those of the program.
        description: what the benchmark measures.
        cpu_batch: batch that the benchmark takes on a CPU; on a GPU it is 8.
        rounds: how many interleaved rounds by default.
        tiny: what a rehearsal shrinks.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--batch", type=int, help=f"default: {cpu_batch} on a CPU, 8 on a GPU")
    parser.add_argument("--rounds", type=int, default=rounds, help="interleaved rounds; 100 are quick on a GPU")
    parser.add_argument("--tiny", action="store_true", help=f"a rehearsal: {tiny}")
    parser.add_argument("--out", type=Path, help="folder of the record")
    return parser.parse_args(argv)


def command(script: str, argv: list[str] | None) -> str:
    """Return what a reader types to measure it again; ``argv`` as :func:`options` takes it."""
    return " ".join(["python", f"benchmarks/{script}.py", *(sys.argv[1:] if argv is None else argv)])


def chosen(options: argparse.Namespace) -> torch.device:
    """Return the device that the command line names; a CPU computes with one thread from now on."""
    if options.device == "cpu":
        torch.set_num_threads(1)
    return torch.device(options.device)


def processor() -> str:
    """Return the processor's name where the system tells it (Linux), and the instructions that torch uses on it."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return ", ".join([*names[:1], torch.backends.cpu.get_cpu_capability()])


def write(name: str, device: torch.device, record: dict[str, Any], folder: Path | None = None) -> Path:
    """Write the record with its provenance to ``data/records/benchmarks/NAME.DEVICE.json`` and return the path."""
    kind = torch.cuda.get_device_name(device).lower().replace(" ", "-") if device.type == "cuda" else device.type
    path = (folder or paths.records() / "benchmarks") / f"{name}.{kind}.json"
    head = {
        "schema": 1, "benchmark": name, "device": describe(device), "processor": processor(),
        "threads": torch.get_num_threads(),
        "tf32": {"convolutions": torch.backends.cudnn.allow_tf32, "products": torch.backends.cuda.matmul.allow_tf32},
        "started": records.now(), **records.provenance(),
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    records.write_whole(path, (json.dumps(head | record, indent=1) + "\n").encode())
    return path
