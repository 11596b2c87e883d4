"""What torch's switches add to a training step without patches: channels last and torch.compile, alone and together.

    python benchmarks/switches.py                        128x128, width 1/4, batch 2, one CPU thread
    python benchmarks/switches.py --tiny --out DIR       a rehearsal; the record goes elsewhere

The compiler takes a minute before the first step; its steps are those after it.
Writes data/records/benchmarks/switches.DEVICE.json.
"""

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
    print("record:", measure.write("switches", device, record, options.out))


if __name__ == "__main__":
    main()
