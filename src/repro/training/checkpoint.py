"""Checkpoints: one file that holds all of a run, whole or absent, nothing executed when it is read.

The file is safetensors: tensors, and in its header one JSON text for everything else and a SHA-256 over both. Saving
writes a temporary file in the same folder, flushes it, reads it back, and only then lets it take its place; the one
before stays as ``*.previous``. Whenever the process is killed, the folder holds a complete checkpoint.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor

from repro.records import write_whole

FORMAT = "repro-checkpoint-1"
NAME = "checkpoint.safetensors"


class CheckpointError(ValueError):
    """A checkpoint that is damaged, foreign or of another run: the message names file and remedy."""


def save(folder: Path, tensors: Mapping[str, Tensor], rest: Mapping[str, Any]) -> Path:
    """Write the folder's checkpoint and return its path.

    Args:
        folder: of the run.
        tensors: by name, on any device.
        rest: everything else, as JSON knows it.

    Raises:
        OSError: disk full or folder not writable; the last checkpoint stays, nothing half-written remains.
    """
    path = folder / NAME
    held = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    text = json.dumps(rest, sort_keys=True)
    header = {"format": FORMAT, "rest": text, "sha256": checksum(held, text)}
    new = path.with_suffix(".new")
    write_whole(new, serialise(held, metadata=header))
    _read(new)
    if path.exists():
        os.replace(path, previous(path))
    os.replace(new, path)
    return path


def load(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Return the tensors and the rest of the folder's checkpoint; None where there is none.

    Raises:
        CheckpointError: the file is damaged or foreign.
    """
    path = folder / NAME
    for candidate in (path, previous(path)):  # only the previous one exists if killed between the two renames
        if candidate.exists():
            return _read(candidate)
    return None


def previous(path: Path) -> Path:
    """Return where the checkpoint before ``path`` is kept."""
    return path.with_suffix(".previous")


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    older = previous(path)
    then = f"continues from {older.name}" if older.exists() and older != path else "starts from the beginning"
    remedy = f"delete {path}; the run then {then}"
    try:
        with safe_open(path, framework="pt") as stream:
            header = stream.metadata() or {}
            tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged or no checkpoint ({error}): {remedy}") from error
    if header.get("format") != FORMAT:
        raise CheckpointError(
            f"{path} is no checkpoint of this project (expected {FORMAT}, got {header.get('format')}): {remedy}"
        )
    if header["sha256"] != checksum(tensors, header["rest"]):
        raise CheckpointError(f"{path} is damaged (its checksum does not fit its content): {remedy}")
    return tensors, json.loads(header["rest"])


def checksum(tensors: Mapping[str, Tensor], text: str = "") -> str:
    """Return the SHA-256 over a text and the names, shapes and values of tensors on the CPU."""
    sha = hashlib.sha256(text.encode())
    for name, tensor in sorted(tensors.items()):
        sha.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        sha.update(tensor.reshape(-1).view(torch.uint8).numpy().data if tensor.numel() else b"")
    return sha.hexdigest()
