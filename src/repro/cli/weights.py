"""``repro weights``: what ships, what is missing, and the feature networks of our own made again."""

from argparse import Namespace
from pathlib import Path
from typing import Any

from repro import data, experiments, features, paths

CLIPS = ("fashion_video", "iper")
"""Sets of clips that the video networks learn from and are tested on."""


def show(options: Namespace) -> None:
    """List the networks that ship and, for feature networks, whether their file is found."""
    for path in experiments.exported():
        print(f"{path.name}  {path.stat().st_size / 2**20:.1f} MiB")
    for name, load in [
        *dict.fromkeys(features.NETWORKS, features.load).items(),
        *dict.fromkeys(features.VIDEO_NETWORKS, features.load_video).items(),
    ]:
        try:
            network = load(name)
        except features.MissingWeights as missing:
            print(f"{name}: {missing}")
        else:
            print(f"{name}: {network.weights_file}, {network.weights_hash}")


def procnet(options: Namespace) -> None:
    """Train procnet on the studio's people and write it with its record."""
    from repro.features.train_procnet import train_procnet

    train, test = (data.prepare("fashion", split, 64) for split in ("train", "test"))
    print(train_procnet(options.out or paths.weights(), train, test, **_how("procnet", options)))


def videonet(options: Namespace) -> None:
    """Train videonet on the studio's clips and write it with its record."""
    from repro.features.train_videonet import train_videonet

    train, test = ([data.prepare(name, split, 64) for name in CLIPS] for split in ("train", "test"))
    print(train_videonet(options.out or paths.weights(), train, test, **_how("videonet", options)))


def sensitivity(options: Namespace) -> None:
    """Measure whether the video networks see time, and write the record."""
    from repro.metrics.sensitivity import record_sensitivity

    sets = {name: data.prepare(name, "test", 64) for name in CLIPS}
    out = Path(options.out) if options.out else paths.records()
    print(record_sensitivity(out, sets, command="repro weights sensitivity"))


def _how(network: str, options: Namespace) -> dict[str, Any]:
    """Return seed, steps where they are given, and the command that says both."""
    steps = {} if options.steps is None else {"steps": options.steps}
    command = f"repro weights {network} --seed {options.seed}" + "".join(
        f" --steps {count}" for count in steps.values()
    )
    return {"seed": options.seed, "command": command, **steps}
