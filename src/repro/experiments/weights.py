"""The trained generators that ship: half precision, named after their row and the hash that its record holds."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from repro import paths
from repro.checks import require_file
from repro.config import Config, from_mapping
from repro.records import Record, table_slug, write_whole
from repro.training import build_generator

LARGEST = 4_500_000  # bytes of a file that may ship in data/weights
REMEDY = "restore it (git checkout) or train the row again"


@dataclass(frozen=True)
class Exported:
    """What the file of a run's network holds.

    Attributes:
        tensors: float16.
        config: of the run.
        dataset: that it learned from; empty in files that do not say it.
        hash: of the tensors, as the record holds it.
    """

    tensors: dict[str, Tensor]
    config: Config
    dataset: str
    hash: str

    @cached_property
    def network(self) -> nn.Module:
        """The generator (to half precision), in eval mode on the CPU, without gradients."""
        model = build_generator(self.config, seed=0)
        model.load_state_dict({name: tensor.float() for name, tensor in self.tensors.items()})
        return model.eval().requires_grad_(False)


def half(model: nn.Module) -> dict[str, Tensor]:
    """Return the tensors of a model as they are exported: float16, on the CPU."""
    return {name: tensor.detach().cpu().half().contiguous() for name, tensor in model.state_dict().items()}


def weights_hash(tensors: dict[str, Tensor]) -> str:
    """Return the SHA-256 over names, shapes and values."""
    sha = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        sha.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}\n".encode())
        sha.update(tensor.numpy().tobytes())
    return sha.hexdigest()


def export(tensors: dict[str, Tensor], record: Record, folder: Path) -> Path:
    """Write exported tensors under the record's name and return the file; older ones of the same row go."""
    path = folder / _name(record)
    header = {
        "config": json.dumps(record.config, sort_keys=True),
        "dataset": record.dataset,
        "weights_hash": record.weights_hash,
    }
    write_whole(path, save(tensors, metadata=header))
    for old in folder.glob(f"{_stem(record)}-*.safetensors"):
        if old != path:
            old.unlink()
    return path


def load_recorded_model(record: Record, folder: Path | None = None) -> nn.Module:
    """Return the generator that a record was measured with (to half precision), in eval mode on the CPU.

    Args:
        record: of a row that learns; networks of seed 0 ship.
        folder: where to look; default the project's own ``data/weights``.

    Raises:
        FileNotFoundError: its file is not there.
        ValueError: the file is damaged or not the record's.
    """
    path = (folder or paths.weights()) / _name(record)
    if not path.is_file():
        raise FileNotFoundError(
            f"no {path.name} in {path.parent}: networks of seed 0 ship; train others with "
            f"`repro table {record.table} --profile {record.profile} --rows {record.row} --seeds {record.seed}`"
        )
    found = load_exported(path)
    if found.hash != record.weights_hash:
        raise ValueError(f"{path} does not hold the record's weights: {REMEDY}")
    return found.network


def load_exported(path: Path) -> Exported:
    """Return the network of a file that :func:`export` wrote.

    Raises:
        FileNotFoundError, IsADirectoryError: no such file.
        ValueError: no file of that kind, or a damaged one.
    """
    if not require_file(path, "weights").stat().st_size:
        raise ValueError(f"cannot read {path}: the file is empty (0 bytes): {REMEDY}")
    try:
        with safe_open(path, framework="pt") as stream:
            header = stream.metadata() or {}
            tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ValueError(
            f"cannot read {path}: no network of a run, or it is damaged ({error}): {REMEDY}; "
            "a checkpoint of the authors needs --task"
        ) from error
    if not {"config", "weights_hash"} <= header.keys():
        raise ValueError(f"{path} is no network of a run: neither config nor hash are in it")
    if weights_hash(tensors) != header["weights_hash"]:
        raise ValueError(f"{path} is damaged, its hash does not fit its content: {REMEDY}")
    config = from_mapping(json.loads(header["config"]))
    return Exported(tensors, config, header.get("dataset", ""), header["weights_hash"])


def exported(folder: Path | None = None) -> list[Path]:
    """Return the network files of a folder (default: the project's own ``data/weights``)."""
    return sorted((folder or paths.weights()).glob("*.safetensors"))


def _stem(record: Record) -> str:
    return f"{table_slug(record.table)}-{record.row}-{record.dataset}-{record.profile}-seed{record.seed}"


def _name(record: Record) -> str:
    return f"{_stem(record)}-{record.weights_hash[:12]}.safetensors"
