"""Python objects out of numpy's npz files without executing anything.

VideoPose3D keeps a dictionary of lists of arrays in an npz file. numpy can only store that as a pickle, and a pickle is
a program: ``numpy.load(allow_pickle=True)`` runs whatever it says. This reader knows dictionaries, lists, numbers,
words and arrays. Arrays are not even handed to numpy's own reconstruction (crafted types could corrupt memory there)
but to stand-ins, which check type and length before they copy the numbers.
"""

import io
import math
import pickle
import re
import tokenize
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from repro.checks import require_file
from repro.data.problems import DataError, Problem

_PLAIN = re.compile(r"[<>=|]?[fiub](1|2|4|8)")
_OBJECT = re.compile(r"\|?O8?")


def read_npz_object(path: str | Path, key: str) -> Any:
    """Return the object stored under ``key``: dictionaries, lists, tuples, numbers, words and numpy arrays of numbers.

    Raises:
        FileNotFoundError, IsADirectoryError: no such file.
        DataError: no npz file, truncated or damaged; no such key; content of any other kind, named and not run.
    """
    path = Path(path)
    require_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = [name.removesuffix(".npy") for name in archive.namelist()]
            if key not in members:
                raise _refusal(
                    path, "missing key", f"expected {key!r}, it holds {', '.join(sorted(members)) or 'nothing'}"
                )
            content = archive.read(f"{key}.npy")
    except (zipfile.BadZipFile, EOFError, OSError, NotImplementedError, zlib.error) as error:
        kind = "truncated or damaged npz"
        raise _refusal(path, kind, f"{path.stat().st_size} bytes, {error}") from error
    try:
        return _parsed(content)
    except _Forbidden as error:
        raise _refusal(path, "forbidden content", f"{key!r} asks for {error}, which is not run") from error
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError, pickle.UnpicklingError, MemoryError,
            RecursionError, OverflowError, UnicodeError, SyntaxError, tokenize.TokenError) as error:  # fmt: skip
        raise _refusal(path, "damaged array", f"{key!r}: {error}") from error


def _refusal(path: Path, kind: str, detail: str) -> DataError:
    return DataError(
        f"{path}: cannot be read:",
        [Problem(kind, f"file {path.name}", path.name, detail)],
        "Get the file anew from where it was published; a file that asks for code does not come from there.",
    )


class _Forbidden(Exception):
    """A pickle wants something that is not data."""


def _parsed(content: bytes) -> Any:
    file = io.BytesIO(content)
    version = npy.read_magic(file)
    read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = read_header(file)
    if dtype.hasobject:
        value = _plain(_Unpickler(file, encoding="latin1").load())
        return value[0] if isinstance(value, list) and shape == () else value
    return _numbers(file.read(), dtype, shape, fortran)


def _numbers(raw: bytes, dtype: np.dtype, shape: tuple[int, ...], fortran: bool) -> NDArray:
    """Numbers from bytes, of which there must be exactly as many as the shape says."""
    if len(raw) != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{len(raw)} bytes for an array {shape} of {dtype}")
    return np.frombuffer(raw, dtype).reshape(shape, order="F" if fortran else "C").copy()


class _Type:
    """Stands in for ``numpy.dtype``."""

    def __init__(self, code: str, *_: object) -> None:
        self.code = code if isinstance(code, str) else "?"
        if not (_PLAIN.fullmatch(self.code) or _OBJECT.fullmatch(self.code)):
            raise _Forbidden(f"an array of type {self.code!r}")

    def __setstate__(self, state: tuple) -> None:
        self.order = state[1] if state[1] in ("<", ">") else "|"

    @property
    def is_object(self) -> bool:
        return _OBJECT.fullmatch(self.code) is not None

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(self.code).newbyteorder(getattr(self, "order", "|"))


class _Array:
    """Stands in for ``numpy.ndarray``."""

    def __setstate__(self, state: tuple) -> None:
        _, shape, kind, fortran, content = state
        if not isinstance(kind, _Type):
            raise _Forbidden("an array without a type")
        self.value: Any
        if kind.is_object:
            self.value = list(content)
            return
        raw = content.encode("latin1") if isinstance(content, str) else bytes(content)
        self.value = _numbers(raw, kind.dtype, tuple(int(size) for size in shape), bool(fortran))


def _reconstruct(*_: object) -> _Array:
    return _Array()


def _scalar(kind: _Type, content: bytes | str) -> Any:
    raw = content.encode("latin1") if isinstance(content, str) else bytes(content)
    return _numbers(raw, kind.dtype, (), False)[()]


def _encode(text: str, encoding: str = "latin1") -> bytes:
    return text.encode("latin1")


_STAND_INS: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "dtype"): _Type,
    ("numpy", "ndarray"): _Array,
    ("_codecs", "encode"): _encode,
}
for _module in ("numpy.core.multiarray", "numpy._core.multiarray"):
    _STAND_INS |= {(_module, "_reconstruct"): _reconstruct, (_module, "scalar"): _scalar}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Everything that a pickle can call comes from here: nothing but the stand-ins."""
        if (module, name) not in _STAND_INS:
            raise _Forbidden(f"{module}.{name}")
        return _STAND_INS[module, name]


def _plain(value: Any) -> Any:
    """The object with arrays in place of their stand-ins."""
    if isinstance(value, _Array):
        return _plain(value.value) if isinstance(value.value, list) else value.value
    if isinstance(value, dict):
        return {name: _plain(own) for name, own in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(own) for own in value)
    if value is None or isinstance(value, str | bytes | int | float | bool | np.generic):
        return value
    raise _Forbidden(f"an object of type {type(value).__name__}")
