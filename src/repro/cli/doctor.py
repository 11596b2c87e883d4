"""``repro doctor``: what this machine has, in the words that a question about a wrong number needs."""

import platform
from argparse import Namespace
from pathlib import Path

import torch

from repro import features, paths, records
from repro.data import pose_extra


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
    for name in features.NETWORKS:
        try:
            lines[name] = f"found, {features.load(name).weights_hash[:23]}"
        except features.MissingWeights as missing:
            lines[name] = missing.need
    for name, value in lines.items():
        print(f"{name:14} {value}")


def _size(folder: Path) -> str:
    total = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0
    return f"{folder} ({total / 2**20:.0f} MiB)"
