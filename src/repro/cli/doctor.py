"""``repro doctor``: what this machine has, in the words that a question about a wrong number needs."""

import platform
from argparse import Namespace
from pathlib import Path

import torch

from repro import features, paths, records
from repro.data import pose_extra
from repro.experiments import outside_weights
from repro.features.weights import find


def show(options: Namespace) -> None:
    """Print versions, devices, threads, folders and the feature networks that are found."""
    provenance = records.provenance()
    dirty = " with changes" if provenance["dirty"] else ""
    lines = {"commit": provenance["commit"] + dirty} | provenance["versions"]
    lines["system"] = platform.platform()
    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    lines["GPUs"] = ", ".join(gpus) or "none"
    lines["threads"] = str(torch.get_num_threads())
    lines |= {"root": str(paths.root()), "cache": _size(paths.cache()), "runs": _size(paths.runs())}
    lines["records"] = f"{sum(1 for _ in paths.records().glob('*.jsonl'))} files in {paths.records()}"
    extra = pose_extra.installed()
    lines["pose extra"] = f"{pose_extra.PACKAGE} {extra}" if extra else f"not installed, {pose_extra.INSTALL}"
    lines |= _networks()
    for name, value in lines.items():
        print(f"{name:{max(map(len, lines))}} {value}")


def _networks() -> dict[str, str]:
    """Name -> whether its file is found, of all feature networks and of what others publish."""
    own = {name: network.file for name, network in (features.NETWORKS | features.VIDEO_NETWORKS).items()}
    lines = {}
    for name, file in (own | {name: one.file for name, one in outside_weights.KNOWN.items()}).items():
        try:
            path = find(file)
            lines[name] = f"found, {features.load(name).weights_hash[:23]}" if name in features.NETWORKS else str(path)
        except features.MissingWeights as missing:
            lines[name] = missing.need
        except ValueError as error:  # a wrong file is what a doctor should see, not fall over
            lines[name] = f"refused: {error}"
    return lines


def _size(folder: Path) -> str:
    total = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0
    return f"{folder} ({total / 2**20:.0f} MiB)"
