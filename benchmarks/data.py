"""What data costs beside training: pictures per second of every set, the loader, the exact flow, memory.

    python benchmarks/data.py                     one CPU thread, against a training step of the profile "laptop"
    python benchmarks/data.py --device cuda       step and single pictures on the GPU; sets are drawn on the CPU
    python benchmarks/data.py --tiny --out DIR    a rehearsal; the record goes elsewhere

The step is the whole joint step of row "full" of Table II (64x64, width 1/4, batch 8). Sets are drawn as their cache is
filled: geometry, cloth, textures, light, joints and noise, every round another person. ``units`` compares with R, the
time of one 3x3 convolution, 64 to 64 channels, on 8x64x64x64 numbers, in which the goals of the studio are written.
Writes data/records/benchmarks/data.DEVICE.json. About four minutes on two cores, the half of it for memory.
"""

import itertools
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from bench import measure
from bench.memory import peak_of_preparing

from repro.data import load
from repro.data.studio.camera import fashion_camera
from repro.data.studio.correspondence import correspondence, source_buffer
from repro.data.studio.garments import build_person
from repro.data.studio.identity import Identity
from repro.data.studio.mesh import Mesh
from repro.data.studio.people_set import detail
from repro.data.studio.pose import random_pose
from repro.data.studio.render import render
from repro.data.studio.shot import Shot
from repro.data.studio.wardrobe import Wardrobe
from repro.experiments.rows import resolve
from repro.training import host
from repro.training.batches import Batches
from repro.training.loop import Run

DRAWN: list[tuple[str, int | tuple[int, int] | None]] = [
    ("fashion", 64), ("market", 64), ("fashion_video", 64), ("iper", 64), ("face", 64), ("car", 64), ("chair", 64),
    ("fashion", 256), ("market", (128, 64)), ("h36m", None),
]  # fmt: skip
"""Sets and sizes; ``h36m`` has frames of joints instead of pictures."""
VIEWS = 8
GOALS = {"picture 64": 0.8, "picture 256": 6.0, "flow 64": 0.4, "flow 256": 2.0, "person 64": 15.0, "person 256": 15.0}
"""In R: a picture in a batch of eight of one person, flow and visibility of a pair, a new person with all textures."""


def main(argv: list[str] | None = None) -> None:
    options = measure.options(
        argv,
        "Measure what data costs beside a training step.",
        cpu_batch=8,
        rounds=5,
        tiny="64 pixels, one set, memory of the scale tiny",
    )
    device = torch.device(options.device)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, REPRO_CACHE=folder):
        works, counts = training(device, options.batch or 8, Path(folder)), {}
        for name, size in DRAWN[:1] if options.tiny else DRAWN:
            label = f"draw {name} {size or 'joints'}"
            works[label], counts[label] = drawing(name, size)
        for size in (64,) if options.tiny else (64, 256):
            works |= {f"{name} {size}": work for name, work in studio(size, device).items()}
        seconds = measure.interleaved(works, device, options.rounds)
    scale = "tiny" if options.tiny else "default"
    memory = peak_of_preparing("fashion", 64, scale, workers=2)
    record: dict[str, Any] = {
        "command": measure.command("data", argv),
        "what": "seconds of a joint training step (GFLA, laptop profile), of its batch, and of what the studio draws",
        "seconds": seconds,
        "pictures_per_second": {name: count / seconds[name]["median"] for name, count in counts.items()},
        "shares_of_a_step": shares(seconds, counts),
        "units": units(seconds),
        "peak_bytes": {f"prepare fashion 64 {scale}": memory},
    }
    for name, rate in record["pictures_per_second"].items():
        print(f"{name}: {rate:.1f} {'frames' if 'joints' in name else 'pictures'} per second and core")
    for name, share in record["shares_of_a_step"].items():
        print(f"{name}: {share:.3f} of a training step")
    for name, unit in record["units"].items():
        print(f"{name}: {unit['R']:.2f} R, goal {unit['goal']} R")
    print(f"peak memory of preparing fashion: {memory / 1e9:.2f} GB in three processes")
    print("record:", measure.write("data", device, record, options.out))


def training(device: torch.device, batch: int, folder: Path) -> dict[str, measure.Work]:
    """Return a joint step, the flow stage's step and what both are fed by, the batch from the cache, as works."""
    config = resolve("II", "full", "laptop", changes={"batch": batch}).config
    dataset = load("fashion", "train", 64, "tiny")
    dataset.prepare(workers=1)
    batches = Batches(dataset, batch, 0, "joint", config.data.heatmap_sigma, config.data.flips)
    numbers, ready = itertools.count(), batches[0].to(device)
    works: dict[str, measure.Work] = {"batch": lambda: batches[next(numbers)]}
    for stage in config.stages:
        run = Run(host.make_fabric(device.type, config.precision), config, 0, folder / stage, "")
        run.enter(stage)
        works[f"step {stage}"] = lambda run=run: run.step(ready)  # type: ignore[misc]
    return works


def drawing(name: str, size: int | tuple[int, int] | None) -> tuple[measure.Work, int]:
    """Return the work that draws another unit of a set each time, and how many pictures a unit has."""
    dataset = load(name, "train", size)
    numbers = itertools.cycle(range(dataset.count))
    first = dataset.draw(dataset.count - 1)
    count = len(first["images"]) if "images" in first else first["clean"].shape[0] * first["clean"].shape[1]
    return lambda: dataset.draw(next(numbers)), count


def studio(size: int, device: torch.device) -> dict[str, Callable[[], Any]]:
    """Return the works of a new person, of eight pictures of one person, and of the exact flow of eight pairs."""
    identity, numbers = Identity("fashion", "train", 1), itertools.count(2)
    level, sides = detail((size, size)), (size, size)

    def person(who: Identity) -> tuple[Mesh, Wardrobe]:
        return build_person(who, level), Wardrobe.for_identity(who)

    mesh, wardrobe = person(identity)
    poses = [random_pose(mesh, identity.rng("pose", view)) for view in range(VIEWS)]
    cameras = [fashion_camera(identity.rng("camera", view), identity.body.height) for view in range(VIEWS)]
    shots = [Shot.take(mesh, pose, camera, sides) for pose, camera in zip(poses, cameras)]
    buffers = [source_buffer(shot) for shot in shots]
    return {
        "unit": convolution(device),
        "person": lambda: person(Identity("fashion", "train", next(numbers))),
        "picture": lambda: render(mesh, wardrobe, poses, cameras, sides, device=device),
        "flow": lambda: [
            correspondence(source, target, *sides) for source, target in zip(buffers, shots[1:] + shots[:1])
        ],
    }


def convolution(device: torch.device) -> Callable[[], Any]:
    """Return the unit R as a work: one 3x3 convolution, 64 to 64 channels, on 8x64x64x64."""
    values, weights = torch.rand(8, 64, 64, 64, device=device), torch.rand(64, 64, 3, 3, device=device)
    return lambda: torch.nn.functional.conv2d(values, weights, padding=1)


def shares(seconds: dict[str, dict[str, float]], counts: dict[str, int]) -> dict[str, float]:
    """Return what a batch, and what drawing the two pictures of a pair, cost as shares of a training step."""
    step = seconds["step joint"]["median"]
    pairs = {name: 2 * seconds[name]["median"] / count for name, count in counts.items() if "joints" not in name}
    return {
        "batch": seconds["batch"]["median"] / step,
        "batch, of a step of the flow stage": seconds["batch"]["median"] / seconds["step flow"]["median"],
    } | {f"{name}, a pair": cost / step for name, cost in pairs.items()}


def units(seconds: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Return every cost of the studio per picture, pair or person in R, with its goal."""
    result = {}
    for name, goal in GOALS.items():
        what, _, size = name.partition(" ")
        if name not in seconds:  # a rehearsal is of one size
            continue
        each = seconds[name]["median"] / (1 if what == "person" else VIEWS)
        result[name] = {"R": each / seconds[f"unit {size}"]["median"], "goal": goal}
    return result


if __name__ == "__main__":
    main()
