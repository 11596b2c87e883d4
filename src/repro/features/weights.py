"""Files of frozen networks: looked up by name, read without executing anything, never downloaded."""

import hashlib
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from repro import paths
from repro.features import ledger


@dataclass(frozen=True)
class WeightsFile:
    """What a network's file is called, who publishes it and under which licence."""

    network: str
    names: tuple[str, ...]
    source: str
    licence: str
    unused: tuple[str, ...] = ()
    """Prefixes of keys that the file holds and the network does not need (a classifier head)."""
    url: str = ""
    """Address of ``names[0]``, if a program can fetch it."""
    megabytes: float | None = None
    """Size of ``names[0]``, where its publisher says it."""

    @property
    def promised(self) -> str:
        """First digits of the SHA-256 that the publisher put into the file's name; empty where none is published."""
        found = re.search(r"-([0-9a-f]{8})\.pth$", self.names[0])
        return found[1] if found else ""


class MissingWeights(FileNotFoundError):
    """A network's file is in none of the folders: the message names file, source, licence and where to put it."""

    def __init__(self, file: WeightsFile):
        self.file = file
        self.folders = folders()
        super().__init__(
            f"{file.network} needs file {file.names[0]}"
            + (f" (or {', '.join(file.names[1:])})" if len(file.names) > 1 else "")
            + f". Source: {file.source}{f' ({file.url})' if file.url else ''}. Licence: {file.licence}."
            + f" Put it into {self.folders[1]}"
            + f" (also searched: {self.folders[0]}, {self.folders[2]}). Nothing is downloaded"
            + (": `repro weights fetch` gets it when asked." if file.url else ".")
        )

    @property
    def need(self) -> str:
        """The short form for tables: ``needs file NAME``."""
        return f"needs file {self.file.names[0]}"


def folders() -> list[Path]:
    """Return the folders searched, in order: shipped, the user's own, torch's hub checkpoints."""
    return [paths.weights(), paths.user_weights(), Path(torch.hub.get_dir()) / "checkpoints"]


def find(file: WeightsFile) -> Path:
    """Return the path of the first file found under one of ``file.names``.

    Raises:
        MissingWeights: none of the folders holds it.
        ChangedFile: it is not the file that was imported under its name.
    """
    for folder in folders():
        for name in file.names:
            if (folder / name).is_file():
                ledger.refuse_changed(folder / name)
                return folder / name
    raise MissingWeights(file)


def read(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a ``.safetensors`` file, or of a ``.pth`` state dictionary read with ``weights_only``.

    Raises:
        ValueError: the file is damaged, holds something else than named tensors, or has another suffix.
    """
    if path.suffix not in (".safetensors", ".pth", ".pt"):
        raise ValueError(f"expected a .safetensors, .pth or .pt file, got {path}")
    try:
        if path.suffix == ".safetensors":
            tensors = load_file(path)
        else:
            tensors = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:
        raise ValueError(f"cannot read {path}: {error}; fetch the file again") from error
    if not isinstance(tensors, Mapping) or not all(isinstance(t, Tensor) for t in tensors.values()):
        raise ValueError(f"expected named tensors in {path}, got {type(tensors).__name__}: save the state dictionary")
    return dict(tensors)


def fill(network: nn.Module, tensors: Mapping[str, Tensor], *, origin: str, unused: Sequence[str] = ()) -> None:
    """Copy ``tensors`` into ``network`` (cast to its dtype); every key must fit, but for prefixes in ``unused``.

    Counters of batches, which only training reads, are left out where the network has none.

    Raises:
        ValueError: keys are missing, unknown or misshapen; the message lists them.
    """
    wanted = network.state_dict()
    counters = {key for key in tensors if key.endswith(".num_batches_tracked") and key not in wanted}
    given = {k: tensor for k, tensor in tensors.items() if not k.startswith(tuple(unused)) and k not in counters}
    problems = [
        *(f"missing {key}" for key in wanted if key not in given),
        *(f"unknown {key}" for key in given if key not in wanted),
        *(
            f"{key} is {tuple(given[key].shape)}, expected {tuple(tensor.shape)}"
            for key, tensor in wanted.items()
            if key in given and given[key].shape != tensor.shape
        ),
    ]
    if problems:
        first = "; ".join(problems[:4])
        raise ValueError(f"{origin} does not fit {type(network).__name__}: {len(problems)} keys, first: {first}")
    network.load_state_dict({key: tensor.to(wanted[key].dtype) for key, tensor in given.items()})


def content_hash(network: nn.Module) -> str:
    """Return ``sha256:...`` over names, shapes, dtypes and values of all tensors, whatever file they came from."""
    digest = hashlib.sha256()
    for key, tensor in sorted(network.state_dict().items()):
        digest.update(f"{key} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return f"sha256:{digest.hexdigest()}"


def warn_if_not_published(path: Path) -> None:
    """Warn when a file ``name-XXXXXXXX.pth`` does not have the checksum that its publisher put in its name."""
    promised = path.stem.rpartition("-")[2]
    if path.suffix == ".pth" and len(promised) == 8:
        with path.open("rb") as stream:
            actual = hashlib.file_digest(stream, "sha256").hexdigest()
        if not actual.startswith(promised):
            warnings.warn(
                f"{path} is not the publisher's file (sha256 {actual[:8]}..., its name promises {promised}):"
                " results carry the hash of what was loaded; fetch the file again if that is not meant",
                stacklevel=2,
            )
