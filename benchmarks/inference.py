"""One image by the whole network, with and without patches, and how the time grows with its size and the batch.

    python benchmarks/inference.py                        256x256 and smaller, one CPU thread
    python benchmarks/inference.py --device cuda          batch 8, float32 and bfloat16 autocast
    python benchmarks/inference.py --tiny --out DIR       a rehearsal in seconds; the record goes elsewhere

Writes data/records/benchmarks/inference.DEVICE.json. About a minute on one core.
"""

from typing import Any

from bench import measure
from bench.network import Prepared
from step import PATCHES, variants


def main(argv: list[str] | None = None) -> dict[str, Any]:
    options = measure.options(
        argv, "Measure one forward pass with and without patches.", cpu_batch=1, rounds=7, tiny="64x64, width 1/8"
    )
    device = measure.chosen(options)
    width, batch = (0.125, 1) if options.tiny else (1.0, options.batch or (8 if device.type == "cuda" else 1))
    sizes = [(64, batch)] if options.tiny else [(256, batch), (128, batch), (128, 4 * batch), (64, batch)]
    record: dict[str, Any] = {
        "command": measure.command("inference", argv),
        "what": "GFLA fashion: seconds of a forward pass without gradients, interleaved",
        "width": width,
        "sizes": [],
    }
    for size, images in sizes:
        works = {name: Prepared(size, width, images, device, way).infer for name, way in variants(device).items()}
        print(f"{images} x {size}x{size}")
        record["sizes"].append(
            {"size": size, "batch": images} | measure.compared(works, PATCHES, device, options.rounds)
        )
    print("record:", measure.write("inference", device, record, options.out))
    return record


if __name__ == "__main__":
    main()
