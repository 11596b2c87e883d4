"""The whole network with and without patches: one training step, and one image, at the paper's size.

    python benchmarks/step.py                        256x256, batch 1, one CPU thread
    python benchmarks/step.py --device cuda          batch 8, float32 and bfloat16 autocast
    python benchmarks/step.py --tiny --out DIR       a rehearsal in seconds; the record goes elsewhere

The step is forward, L1 to the target and the flows' affine regularisation, backward and Adam: what attention is part
of, without the discriminator and the feature network, whose cost no attention changes. Seconds and memory of the plain
way come from the same network, its attention replaced by the patches of ``bench.rivals``.
Writes data/records/benchmarks/step.DEVICE.json. About five minutes on one core.
"""

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import torch
from bench import measure, rivals
from torch import Tensor

from repro.losses import affine_regularization, l1
from repro.models import GFLA
from repro.models.settings import POSE_CHANNELS

WINDOWS = (3, 5)  # of the affine regulariser, coarse to fine


def main(argv: list[str] | None = None) -> None:
    options = measure.options(
        argv,
        "Measure a training step and inference with and without patches.",
        cpu_batch=1,
        rounds=5,
        tiny="64x64, width 1/8",
    )
    device = torch.device(options.device)
    if device.type == "cpu":
        torch.set_num_threads(1)
    size, width = (64, 0.125) if options.tiny else (256, 1.0)
    batch = options.batch or (8 if device.type == "cuda" else 1)
    record: dict[str, Any] = {
        "command": "python benchmarks/step.py " + " ".join(argv if argv is not None else sys.argv[1:]),
        "what": "GFLA fashion: seconds of a training step (generator) and of one forward pass, interleaved",
        "size": size, "width": width, "batch": batch, "seconds": {}, "peak_bytes": {}, "ratios": {},
    }  # fmt: skip
    works = {}
    for name, plain, half in variants(device):
        train, infer = prepared(size, width, batch, device, plain, half)
        works |= {f"step, {name}": train, f"inference, {name}": infer}
    record["seconds"] = measure.interleaved(works, device, options.rounds)
    record["peak_bytes"] = {name: measure.peak_bytes(work, device) for name, work in works.items()}
    for name in works:
        if not name.endswith("patches, float32"):
            baseline = f"{name.split(',')[0]}, patches, float32"
            ratio = record["seconds"][baseline]["median"] / record["seconds"][name]["median"]
            memory = record["peak_bytes"][name] / record["peak_bytes"][baseline]
            record["ratios"][name] = {"times_the_speed_of_patches_float32": ratio, "peak_bytes_of_patches": memory}
            print(
                f"{name}: {ratio:.2f} times the speed of float32 patches, {memory:.2f} of their peak memory", flush=True
            )
    print("record:", measure.write("step", device, record, options.out))


def variants(device: torch.device) -> list[tuple[str, bool, bool]]:
    """Return name, whether attention stores patches, and whether autocast is on."""
    plain = [("ours, float32", False, False), ("patches, float32", True, False)]
    half = [("ours, bfloat16", False, True), ("patches, bfloat16", True, True)]
    return plain + half if device.type == "cuda" else plain


def prepared(
    size: int, width: float, batch: int, device: torch.device, plain: bool, half: bool
) -> tuple[Callable[[], object], Callable[[], object]]:
    """Return one training step and one forward pass as works; both ways start from the same weights and images."""
    torch.manual_seed(0)
    model = GFLA.preset("fashion", width=width).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    source, target = torch.rand(2, batch, 3, size, size).to(device)
    poses = torch.rand(2, batch, POSE_CHANNELS, size, size).to(device)

    def train() -> None:
        with attention(plain), torch.autocast(device.type, torch.bfloat16, enabled=half):
            out = model(source, *poses)
            loss = l1(out.image, target)
            for flow, window in zip(out.flows, WINDOWS):
                loss = loss + 0.0025 * affine_regularization(flow, window)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def infer() -> None:
        with attention(plain), torch.autocast(device.type, torch.bfloat16, enabled=half), torch.no_grad():
            model(source, *poses)

    return train, infer


@contextlib.contextmanager
def attention(plain: bool) -> Iterator[None]:
    """Replace the local attention of the models by materialised patches, where ``plain``."""

    def on_patches(*arguments: Tensor, mean: bool = True) -> Tensor:
        pooled = rivals.patches_by_grid_sample(*arguments)
        return pooled if mean else pooled * arguments[3].shape[-1] ** 2

    with mock.patch("repro.ops.local_attention", on_patches) if plain else contextlib.nullcontext():
        yield


if __name__ == "__main__":
    main()
