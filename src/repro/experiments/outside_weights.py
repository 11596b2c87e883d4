"""Networks that others publish: where each file comes from, and how it gets into the user's folder, checked.

Nothing is fetched unless it is asked for. A file counts as known when its keys fit the network that needs it.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from repro import features, paths
from repro.checks import require_choice, require_file
from repro.experiments.weights import exported
from repro.features import ledger
from repro.features.download import Report, download
from repro.features.weights import WeightsFile, WrongChecksum, opened, read
from repro.metrics.frechet import INCEPTION, InceptionFeatures
from repro.metrics.inception import TORCHVISION_INCEPTION, TorchvisionInception
from repro.metrics.perceptual import ALEXNET, LPIPS
from repro.models import authors

AUTHORS = "https://github.com/RenYurui/Global-Flow-Local-Attention (links to the released folders)"
AUTHORS_LICENCE = "CC BY-NC 4.0: no commercial use"


@dataclass(frozen=True)
class Known:
    """A file of somebody else's network.

    Attributes:
        file: its names, source, licence, address and size.
        fits: raises ValueError unless the file at a path holds this network.
    """

    file: WeightsFile
    fits: Callable[[Path], object]


@dataclass(frozen=True)
class Checked:
    """What is known of one file on this machine.

    Attributes:
        state: "ships", "there", "missing", "wrong" (not the publisher's), "changed" or "damaged".
        words: path and checksum, or what to do.
    """

    name: str
    state: str
    words: str


def _authors(task: str) -> Known:
    names = (f"authors-{task}.pth", f"authors-{task}.safetensors")
    file = WeightsFile(f"authors-{task}", names, AUTHORS, AUTHORS_LICENCE)
    return Known(file, lambda path: authors.load(path, task))


KNOWN: dict[str, Known] = {
    "vgg19": Known(features.VGG19.file, features.VGG19.load),
    "squeezenet1_1": Known(features.SqueezeNet.file, features.SqueezeNet.load),
    "alexnet": Known(ALEXNET, lambda path: LPIPS("alex", path=path)),
    "inception": Known(INCEPTION, lambda path: InceptionFeatures(path=path)),
    "inception_torchvision": Known(TORCHVISION_INCEPTION, lambda path: TorchvisionInception(path=path)),
    "i3d": Known(features.I3D.file, features.I3D.load),
} | {f"authors-{task}": _authors(task) for task in authors.TASKS}


def known(name: str) -> Known:
    """Return what is known of a network; an unknown name is an error that lists the others."""
    return KNOWN[require_choice("network", name, tuple(KNOWN))]


def fetchable(name: str) -> Known:
    """Return what is known of a network that a program can fetch.

    Raises:
        ValueError: an unknown name, or a file that must be brought by hand: the message says from where and whereto.
    """
    one = known(name)
    if not one.file.url:
        raise ValueError(
            f"{name} must be brought by hand, no program can fetch it: get it from {one.file.source}, licence: "
            f"{one.file.licence}; then `repro weights import FILE --as {name}`, or put it there as "
            f"{paths.user_weights() / one.file.names[0]}"
        )
    return one


def fetch(name: str, report: Report = lambda done, total: None) -> Path:
    """Return the file of a known network after fetching it into the user's folder; one that is there is compared.

    Args:
        name: key of ``KNOWN``.
        report: told about progress.

    Raises:
        ValueError: an unknown name, a file that cannot be fetched by a program, one that does not fit; a file that is
            there and not the publisher's, or not the one that it was.
        DownloadError: see :func:`repro.features.download.download`.
    """
    one = fetchable(name)
    target = paths.user_weights() / one.file.names[0]
    if target.is_file():
        digest = ledger.sha256(target)
        one.file.refuse_unpublished(target, digest)
        ledger.refuse_changed(target, digest)
    else:
        download(one.file.url, target, promised=one.file.promised, report=report)
        try:
            one.fits(target)
        except ValueError:
            target.unlink()
            raise
        ledger.enter(target)
    return target


def import_file(source: Path, name: str = "", *, replace: bool = False) -> tuple[str, Path, str]:
    """Return (network, file, SHA-256) of a file that was copied into the user's folder and found to fit.

    Args:
        source: the user's file: ``.safetensors``, or ``.pth``/``.pt`` with tensors only.
        name: key of ``KNOWN``; empty = told from the file's name.
        replace: let it take the place of another file of the same network.

    Raises:
        FileNotFoundError, IsADirectoryError: there is no such file.
        ValueError: nobody knows the file, it is not the publisher's, does not fit, or another one is there already.
    """
    require_file(source)
    name = name or _recognised(source)
    one = known(name)
    target = paths.user_weights() / _name(source, one.file)
    digest = ledger.sha256(source)
    one.file.refuse_unpublished(source, digest, target.name)
    others = {
        path: there
        for own in one.file.names
        if (path := paths.user_weights() / own).is_file() and (there := ledger.sha256(path)) != digest
    }
    if others and not replace:
        path, there = next(iter(others.items()))
        raise ValueError(
            f"{path} is another file already (sha256 {there[:12]}..., yours {digest[:12]}...): results made with it "
            "would change their meaning; --replace if that is meant"
        )
    one.fits(source)
    _copy(source, target)
    for path in others.keys() - {target}:
        path.unlink()
    return name, target, ledger.enter(target)


def load_authors(task: str, checkpoint: str | Path | None = None) -> nn.Module:
    """Return the network of an authors' checkpoint, in evaluation mode, without gradients.

    Args:
        task: as :func:`repro.models.authors.load` takes it.
        checkpoint: file; None = the one that was imported (``repro weights import FILE --as authors-TASK``).

    Raises:
        MissingWeights, ChangedFile: none was brought, or its file is another one now.
        FileNotFoundError, ValueError: no such file; what does not fit in it.
    """
    with opened(known(f"authors-{task}").file, checkpoint) as path:
        return authors.load(path, task).requires_grad_(False)


def check(names: tuple[str, ...] = ()) -> Iterator[Checked]:
    """Yield the state of every known file on this machine, and of the networks that ship: read, compared, tried.

    Args:
        names: keys of ``KNOWN``; empty = all, and what ships.
    """
    if not names:
        for path in exported():
            yield _shipped(path)
    for name in names or KNOWN:
        yield _checked(name, known(name))


def _checked(name: str, one: Known) -> Checked:
    """The state of a file that others publish, hashed anew."""
    try:
        with opened(one.file, afresh=True) as path:
            one.fits(path)
    except features.MissingWeights as missing:
        return Checked(name, "missing", str(missing))
    except WrongChecksum as wrong:
        return Checked(name, "wrong", str(wrong))
    except ledger.ChangedFile as changed:
        return Checked(name, "changed", str(changed))
    except ValueError as error:
        return Checked(name, "damaged", str(error))
    return Checked(name, "there", f"{path}, sha256 {ledger.digest(path)[:12]}...")


def _shipped(path: Path) -> Checked:
    try:
        read(path)
    except ValueError as error:
        return Checked(path.name, "damaged", str(error))
    return Checked(path.name, "ships", f"{path}, sha256 {ledger.sha256(path)[:12]}...")


def _recognised(source: Path) -> str:
    for name, one in KNOWN.items():
        if source.name in one.file.names:
            return name
    raise ValueError(
        f"cannot tell from its name which network {source.name} is: add --as with one of {', '.join(KNOWN)}"
    )


def _name(source: Path, file: WeightsFile) -> str:
    """Return the name that a file gets: its own if it is a known one, else the last known one with its suffix."""
    if source.name in file.names:
        return source.name
    own = [name for name in file.names if Path(name).suffix == source.suffix]
    if not own:
        raise ValueError(f"expected a file like {' or '.join(file.names)}, got {source.name}")
    return own[-1]


def _copy(source: Path, target: Path) -> None:
    """Copy a file whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".import-") as folder:
        shutil.copyfile(source, Path(folder) / target.name)
        (Path(folder) / target.name).replace(target)
