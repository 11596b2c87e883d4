"""``repro weights``: what ships, what is missing, and the feature networks of our own made again."""

import textwrap
from argparse import Namespace
from pathlib import Path
from typing import Any

from repro import data, experiments, features, paths
from repro.experiments import outside_weights
from repro.features import ledger
from repro.features.weights import WeightsFile, WrongChecksum, find

WIDTH = 100
"""Columns of the list."""
CLIPS = ("fashion_video", "iper")
"""Sets of clips that the video networks learn from and are tested on."""


def show(options: Namespace) -> None:
    """List the networks that ship, and for each that losses, metrics or commands know its file and how to get it."""
    for path in experiments.exported():
        print(f"{path.name}  {path.stat().st_size / 1e6:.1f} MB")
    own = {name: network.file for name, network in (features.NETWORKS | features.VIDEO_NETWORKS).items()}
    for name, file in (own | {name: one.file for name, one in outside_weights.KNOWN.items()}).items():
        print("\n".join(_entry(name, file)))


def _entry(name: str, file: WeightsFile) -> list[str]:
    """The lines about a file: whether it is there, its size, checksum, licence and source."""
    lines = {"file": " or ".join(file.names)}
    size, yours = f"{file.megabytes:g} MB" if file.megabytes else "unknown", None
    try:
        path = find(file)
    except features.MissingWeights:
        state = "missing"
    except (WrongChecksum, ledger.ChangedFile) as error:
        state, lines["trouble"] = "refused", str(error)
    else:
        state, lines["path"] = "there", str(path)
        size = f"{path.stat().st_size / 1e6:.1f} MB"
        yours = ledger.recorded(path)
    lines["size"] = size
    if not file.ours:
        lines["sha256"] = f"{file.promised}... (in the publisher's name)" if file.promised else "unknown"
        if yours and not file.promised:
            lines["sha256"] += f"; yours was {yours[:8]}... when it came"
    lines |= {"licence": file.licence, "source": file.source}
    if file.url:
        lines["address"] = file.url
    if state == "missing" and name in outside_weights.KNOWN:
        bring = f"`repro weights import FILE --as {name}`"
        lines["to get it"] = f"`repro weights fetch {name}`, or {bring}" if file.url else f"{bring}, by hand"
    return [f"{name}: {state}", *(line for label, text in lines.items() for line in _wrapped(label, text))]


def _wrapped(label: str, text: str) -> list[str]:
    """``label: text`` under a network's name, in lines of a terminal; paths and addresses stay whole."""
    return textwrap.wrap(
        f"{label + ':':11}{text}",
        WIDTH,
        initial_indent="  ",
        subsequent_indent=" " * 13,
        break_long_words=False,
        break_on_hyphens=False,
    )


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
