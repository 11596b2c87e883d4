"""Files of frozen networks: looked up by name, read without executing anything, never downloaded."""

import contextlib
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from repro import paths
from repro.checks import require_file
from repro.features import ledger


class WrongChecksum(ValueError):
    """A file under its publisher's name is not the publisher's: the checksum in the name is not its own."""


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
    ours: bool = False
    """Made by this project: it may be made again at any time, and nobody's checksum is remembered."""

    @property
    def promised(self) -> str:
        """First digits of the SHA-256 that the publisher put into ``names[0]``; empty where none is published."""
        return self.promise(self.names[0])

    def promise(self, name: str) -> str:
        """Return the first digits of the SHA-256 that the publisher put into one of the names; empty for others."""
        found = re.search(r"-([0-9a-f]{8})\.pth$", name) if name in self.names else None
        return found[1] if found else ""

    def refuse_unpublished(self, path: Path, digest: str, name: str = "") -> None:
        """Raise WrongChecksum if a file does not have the checksum that its name promises.

        Args:
            path: the file.
            digest: its SHA-256.
            name: under which it is to be known; default its own.
        """
        if not digest.startswith(promised := self.promise(name or path.name)):
            raise WrongChecksum(
                f"{path}: wrong checksum: expected sha256 {promised}..., got {digest[:8]}...: it is not the "
                f"publisher's file. Remove it and get that (`repro weights fetch`, or {self.url}); a network of your "
                f"own goes under a name that promises nothing{self._unpromised}"
            )

    @property
    def _unpromised(self) -> str:
        names = [name for name in self.names if not self.promise(name)]
        return f": {' or '.join(names)}" if names else ", given by its path"


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
    """Return the path of the first file found under one of ``file.names``, its checksum compared.

    Raises:
        MissingWeights: none of the folders holds it.
        WrongChecksum: it is not the file that its name promises.
        ChangedFile: it is not the file that was imported or first used under its name.
    """
    return _found(file)[0]


def _found(file: WeightsFile, afresh: bool = False) -> tuple[Path, str]:
    """The path, and its SHA-256 ("" for networks of ours, which nobody compares)."""
    path = next((path for folder in folders() for name in file.names if (path := folder / name).is_file()), None)
    if path is None:
        raise MissingWeights(file)
    if file.ours:
        return path, ""
    digest = ledger.digest(path, afresh=afresh)
    file.refuse_unpublished(path, digest)
    ledger.refuse_changed(path, digest)
    return path, digest


@contextlib.contextmanager
def opened(file: WeightsFile, given: str | Path | None = None, *, afresh: bool = False) -> Iterator[Path]:
    """Yield the path of a network's file, its checksum compared: the one door through which weights are loaded.

    A file that was found by its name is remembered once the block has ended without an error, that is, once the file
    was found to fit: a damaged one may be replaced by a whole one.

    Args:
        file: what is looked for.
        given: a path, whose name may promise a checksum too; None = found by name.
        afresh: hash it also when size and time of change say that nobody touched it.

    Raises:
        FileNotFoundError: no file at the given path.
        MissingWeights, WrongChecksum, ChangedFile: as for :func:`find`.
    """
    if given is not None:
        path = Path(given)
        if file.promise(path.name):
            file.refuse_unpublished(path, ledger.sha256(require_file(path, "weights")))
        yield path
        return
    path, digest = _found(file, afresh)
    yield path
    if digest:
        ledger.keep(path, digest)


def read(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a ``.safetensors`` file, or of a ``.pth`` state dictionary read with ``weights_only``.

    Raises:
        FileNotFoundError, IsADirectoryError: there is no such file.
        ValueError: the file is damaged, holds something else than named tensors, or has another suffix.
    """
    if path.suffix not in (".safetensors", ".pth", ".pt"):
        raise ValueError(f"expected a .safetensors, .pth or .pt file, got {path}")
    if not require_file(path, "weights").stat().st_size:
        raise ValueError(f"cannot read {path}: the file is empty (0 bytes); fetch the file again")
    try:
        if path.suffix == ".safetensors":
            tensors = load_file(path)
        else:
            tensors = torch.load(path, map_location="cpu", weights_only=True)
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
