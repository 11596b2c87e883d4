"""What torch's switches add to a training step without patches: channels last, torch.compile, both; and threads.

    python benchmarks/switches.py                        128x128, width 1/4, batch 2, one CPU thread
    python benchmarks/switches.py --tiny --out DIR       a rehearsal; the record goes elsewhere

The compiler takes a minute before the first step; its steps are those after it. Threads are measured by the clock on
the wall, so nothing else should run.
Writes data/records/benchmarks/switches.DEVICE.json.
"""

import os
from dataclasses import replace
from typing import Any

from bench import measure
from bench.network import Prepared, Way

WAYS = {
    "as it is": Way(),
    "channels last": Way(channels_last=True),
    "compiled": Way(compiled=True),
    "channels last, compiled": Way(channels_last=True, compiled=True),
}


def main(argv: list[str] | None = None) -> None:
    options = measure.options(
        argv,
        "Measure torch's switches in a training step.",
        cpu_batch=2,
        rounds=5,
        tiny="64x64, width 1/8, traced but not compiled",
    )
    device = measure.chosen(options)
    size, width = (64, 0.125) if options.tiny else (128, 0.25)
    batch = options.batch or (8 if device.type == "cuda" else 2)
    ways = {name: replace(way, backend="eager") if options.tiny else way for name, way in WAYS.items()}
    works = {name: Prepared(size, width, batch, device, way).step for name, way in ways.items()}
    record: dict[str, Any] = {
        "command": measure.command("switches", argv),
        "what": "GFLA fashion: seconds of a training step (generator) by torch's switches, interleaved",
        "size": size, "width": width, "batch": batch,
    }  # fmt: skip
    record |= measure.compared(works, "as it is", device, options.rounds)
    if device.type == "cpu":
        counts = sorted({1, 2, os.cpu_count() or 1} & set(range(1, (os.cpu_count() or 1) + 1)))
        record["wall_seconds_by_threads"] = measure.by_threads(works["as it is"], counts, options.rounds)
        for count, found in record["wall_seconds_by_threads"].items():
            print(f"{count} threads: {found['median']:.3f} s by the clock", flush=True)
    print("record:", measure.write("switches", device, record, options.out))


if __name__ == "__main__":
    main()
