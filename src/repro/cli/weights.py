"""``repro weights``: what ships, what is missing, and the feature networks of our own made again."""

from argparse import Namespace
from pathlib import Path
from typing import Any

from repro import data, experiments, features, paths
from repro.experiments import outside_weights
from repro.features.ledger import ChangedFile
from repro.features.weights import WeightsFile, find

CLIPS = ("fashion_video", "iper")
"""Sets of clips that the video networks learn from and are tested on."""


def show(options: Namespace) -> None:
    """List the networks that ship, and for each that losses, metrics or commands know its file or how to get it."""
    for path in experiments.exported():
        print(f"{path.name}  {path.stat().st_size / 2**20:.1f} MiB")
    own = {name: network.file for name, network in (features.NETWORKS | features.VIDEO_NETWORKS).items()}
    for name, file in (own | {name: one.file for name, one in outside_weights.KNOWN.items()}).items():
        print(f"{name}: {_place(name, file)}")


def _place(name: str, file: WeightsFile) -> str:
    """Where a network's file is on this machine, or how it gets there."""
    try:
        return str(find(file))
    except ChangedFile as changed:
        return str(changed)
    except features.MissingWeights:
        if name not in outside_weights.KNOWN:
            return f"missing ({file.names[0]}): {file.source}"
        size = f", {file.megabytes:g} MB" if file.megabytes else ""
        own = f"`repro weights import FILE --as {name}`"
        how = f"`repro weights fetch {name}`, or {own}" if file.url else f"from {file.source}, then {own}"
        return f"missing ({file.names[0]}{size}; licence: {file.licence}): {how}"


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
