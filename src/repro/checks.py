"""Checks at the door: say what was expected, what came, and what to do."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path

from torch import Tensor


def require_shape(
    name: str, tensor: Tensor, shape: str, *, sizes: Mapping[str, int] | None = None, hint: str = ""
) -> dict[str, int]:
    """Check a tensor's shape against a pattern such as ``"B 2 H W"`` and return the sizes bound to its letters.

    Args:
        name: what the tensor is called in the message.
        tensor: the tensor to check.
        shape: one word per axis; a number must match exactly, a letter binds the size of its axis.
        sizes: letters that are bound already (the result of an earlier call); they must agree.
        hint: what the caller should do, added to the message.

    Returns:
        The bound letters, those of ``sizes`` included: pass it to the next check to tie tensors together.

    Raises:
        TypeError: ``tensor`` is no tensor.
        ValueError: the shape does not fit the pattern.
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"expected {name} to be a tensor of shape ({_commas(shape)}), got {type(tensor).__name__}")
    bound = dict(sizes or {})
    words = shape.split()
    fits = tensor.ndim == len(words)
    if fits:
        for word, size in zip(words, tensor.shape):
            wanted = int(word) if word.isdigit() else bound.setdefault(word, size)
            fits = fits and wanted == size
    if not fits:
        known = {k: v for k, v in (sizes or {}).items() if k in words}
        where = f" with {', '.join(f'{k}={v}' for k, v in known.items())}" if known else ""
        raise ValueError(
            f"expected {name} ({_commas(shape)}){where}, got {tuple(tensor.shape)}" + (f": {hint}" if hint else "")
        )
    return bound


def require_choice(name: str, value: str, choices: tuple[str, ...]) -> str:
    """Return ``value`` if it is one of ``choices``; otherwise a ValueError lists them."""
    if value not in choices:
        raise ValueError(f"unknown {name} {value!r}: choose one of {', '.join(choices)}")
    return value


def require_file(path: Path, what: str = "file") -> Path:
    """Return ``path`` if it is a file; otherwise the error says whether nothing or a folder is there.

    Args:
        path: where it should be.
        what: the file is called in the message.

    Raises:
        FileNotFoundError, IsADirectoryError: nothing, or a folder.
    """
    if path.is_dir():
        raise IsADirectoryError(f"no {what} {path}: it is a folder, give a file in it")
    if not path.is_file():
        raise FileNotFoundError(f"no {what} {path}")
    return path


def require_writable(
    out: Path,
    endings: Collection[str],
    *inputs: str | Path | None,
    also: Path | None = None,
    folder: Path | None = None,
) -> Path:
    """Return ``out`` if a command can write its result there; said before any work, not after it.

    Args:
        out: the file to make; its folder is made when it is written.
        endings: that it may have, in small letters.
        inputs: what the command reads; None is nothing.
        also: another file that it makes.
        folder: that it makes for what it keeps on the way.

    Raises:
        ValueError: a folder, another ending, or a file that is read.
        NotADirectoryError, PermissionError: nothing can be written there.
    """
    if out.is_dir():
        example = out / f"NAME{next(iter(endings))}"
        raise ValueError(f"expected a file to write, {out} is a folder: give a name in it, as {example}")
    if out.suffix.lower() not in endings:
        raise ValueError(f"expected a file that ends in {', '.join(endings)}, got {out.name!r}")
    read = {Path(given).resolve() for given in inputs if given is not None}
    for made in (out, also, folder):
        if made is not None and made.resolve() in read:
            raise ValueError(f"{made} is read and would be overwritten: choose another --out")
    if also is not None and also.is_dir():
        raise ValueError(f"{also} is written too, and is a folder: choose another --out")
    if folder is not None and folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} should become a folder, and is a file: choose another --out")
    there = next(parent for parent in out.absolute().parents if parent.exists())
    if not there.is_dir():
        raise NotADirectoryError(f"cannot write {out}: {there} is a file, no folder: choose another --out")
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(f"cannot write {out}: no permission to write in {there}: choose another --out")
    return out


def _commas(shape: str) -> str:
    return ", ".join(shape.split())
