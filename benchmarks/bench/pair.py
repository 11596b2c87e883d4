"""Ours and materialised patches alone, in processes of their own: what a first call meets, and what memory costs it.

The C library gives large blocks back to the system at once, and the next call pays for every page again, with zeros
written by the system. After other work in the same process it may keep them instead (glibc moves its threshold), so
the same baseline costs more or less by what ran before. Here nothing did; a second process is told to keep all memory.

    python -m bench.pair SIDE CHANNELS K BATCH ROUNDS       (in benchmarks/) prints one measurement
"""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from bench import measure, rivals
from repro.ops import local_attention

ALLOCATORS = {
    "as it is": {},
    "memory kept": {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**40), "MALLOC_TOP_PAD_": str(2**26)},
}
"""What glibc is told by its environment; other C libraries ignore it."""


def measured(side: int, channels: int, k: int, batch: int, rounds: int) -> dict[str, dict[str, Any]]:
    """Return, per allocator, what two fresh processes find: seconds and page faults of a call, the ratio to patches."""
    given = [str(number) for number in (side, channels, k, batch, rounds)]
    found = {}
    for name, told in ALLOCATORS.items():
        kept = {n: value for n, value in os.environ.items() if not n.startswith("MALLOC_")}
        run = subprocess.run(
            [sys.executable, "-m", "bench.pair", *given], cwd=Path(__file__).parents[1], env=kept | told,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if run.returncode:
            raise RuntimeError(f"a process of its own failed: {run.stderr.strip().splitlines()[-1]}")
        found[name] = json.loads(run.stdout.splitlines()[-1])
    return found


def main(argv: list[str]) -> None:
    from attention import arguments, step  # which imports this module

    torch.set_num_threads(1)
    side, channels, k, batch, rounds = map(int, argv)
    given = arguments(batch, side, channels, k, torch.device("cpu"))
    works = {"ours": step(local_attention, given), "patches": step(rivals.patches_by_grid_sample, given)}
    seconds = measure.interleaved(works, torch.device("cpu"), rounds)
    faults = {name: _page_faults(work) for name, work in works.items()}
    ratio = seconds["patches"]["median"] / seconds["ours"]["median"]
    print(json.dumps({"seconds": seconds, "page_faults": faults, "times_the_speed_of_patches": ratio}))


def _page_faults(work: measure.Work) -> int:
    """Return how many pages one call makes the system hand out."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    work()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


if __name__ == "__main__":
    main(sys.argv[1:])
