"""One training step of the whole network with and without patches.

    python benchmarks/step.py                        256x256, batch 1, one CPU thread
    python benchmarks/step.py --device cuda          batch 8, float32 and bfloat16 autocast
    python benchmarks/step.py --tiny --out DIR       a rehearsal in seconds; the record goes elsewhere

Also how far the losses of 200 float32 steps without patches are from those of 200 steps with them, at 64x64 and width
1/8, and how far the latter are from their own after a change of the weights' last bits.
Writes data/records/benchmarks/step.DEVICE.json. About five minutes on one core.
"""

from typing import Any

import torch
from bench import measure
from bench.network import Prepared, Way

PATCHES = "patches, float32"


def main(argv: list[str] | None = None) -> dict[str, Any]:
    options = measure.options(
        argv, "Measure a training step with and without patches.", cpu_batch=1, rounds=5, tiny="64x64, width 1/8"
    )
    device = measure.chosen(options)
    size, width = (64, 0.125) if options.tiny else (256, 1.0)
    batch = options.batch or (8 if device.type == "cuda" else 1)
    works = {name: Prepared(size, width, batch, device, way).step for name, way in variants(device).items()}
    record: dict[str, Any] = {
        "command": measure.command("step", argv),
        "what": "GFLA fashion: seconds of a training step (generator), interleaved",
        "size": size, "width": width, "batch": batch,
    }  # fmt: skip
    record |= measure.compared(works, PATCHES, device, options.rounds)
    record["same_losses"] = same_losses(device, 5 if options.tiny else 200)
    print("record:", measure.write("step", device, record, options.out))
    return record


def variants(device: torch.device) -> dict[str, Way]:
    """Return the ways with and without patches; on GPUs in half precision too."""
    plain = {"ours, float32": Way(), PATCHES: Way(patches=True)}
    half = {"ours, bfloat16": Way(bfloat16=True), "patches, bfloat16": Way(patches=True, bfloat16=True)}
    return plain | half if device.type == "cuda" else plain


def same_losses(device: torch.device, steps: int, size: int = 64, width: float = 0.125) -> dict[str, Any]:
    """Return how far the losses of the two ways come apart over some steps of training from the same weights.

    Training multiplies the smallest difference. So the way with patches is also compared with itself after every
    weight was changed by about its last bit: two ways that differ by rounding alone come apart as far as that.
    """
    ours, plain, nudged = (Prepared(size, width, 2, device, Way(patches=patches)) for patches in (False, True, True))
    change_last_bits(nudged.model)
    losses = torch.tensor([[one.step().item() for one in (ours, plain, nudged)] for _ in range(steps)])
    apart = {
        "largest_difference": (losses[:, 0] - losses[:, 1]).abs(),
        "largest_difference_of_rounding": (losses[:, 2] - losses[:, 1]).abs(),
    }
    found: dict[str, Any] = {"steps": steps, "size": size, "width": width, "batch": 2}
    found |= {name: values.max().item() for name, values in apart.items()}
    found["first_20_steps"] = {name: values[:20].max().item() for name, values in apart.items()}
    for name, value in found.items():
        print(f"{name}: {value}", flush=True)
    return found | {"first_loss": losses[0, 0].item(), "last_loss": losses[-1, 0].item()}


def change_last_bits(model: torch.nn.Module) -> None:
    """Multiply every weight by 1 + 2^-24 z, z normal."""
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(1 + 2**-24 * torch.randn(weight.shape, generator=draw).to(weight.device))


if __name__ == "__main__":
    main()
