"""Rendered people on disk: one file per person while they are made, then memory-mapped arrays.

Everything is written under a temporary name and renamed, so a file is whole or absent; several processes may fill one
folder at once, because what they write for a person is the same bytes.
"""

import json
import os
import tempfile
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray]

# People kept in memory while the arrays are not complete yet.
_RECENT = 64


class Cache:
    """The rendered views of ``count`` people in ``folder``.

    Args:
        folder: named after everything that decides the content (set, split, size, scale, generator).
        count: number of people.
        make: person -> arrays with the person's views along the first axis; called when a person is not there yet.
    """

    def __init__(self, folder: Path, count: int, make: Callable[[int], Arrays]):
        self.folder, self.count, self._make = folder, count, make
        self._whole: Arrays | None = None
        self._recent: OrderedDict[int, Arrays] = OrderedDict()

    def person(self, index: int) -> Arrays:
        """Return the arrays (views, ...) of one person, made now if need be."""
        whole = self._open()
        if whole is None and index not in self._recent:
            arrays = self._read(index) or self.make(index)
            # The last one completes the set: from now on it is memory-mapped.
            whole = None if self.missing() else self.whole()
            self._recent[index] = arrays
            while len(self._recent) > _RECENT:
                self._recent.popitem(last=False)
        if whole is not None:
            return {name: array[index] for name, array in whole.items()}
        self._recent.move_to_end(index)
        return self._recent[index]

    def make(self, index: int) -> Arrays:
        """Make one person's arrays, write them and return them."""
        arrays = self._make(index)
        self.folder.mkdir(parents=True, exist_ok=True)
        _write(self._part(index), lambda file: np.savez(file, allow_pickle=False, **arrays))
        return arrays

    def missing(self) -> list[int]:
        """Return who is not there yet, without opening the files."""
        if self._open() is not None:
            return []
        there = {path.name for path in self.folder.glob("person-*.npz")}
        return [index for index in range(self.count) if self._part(index).name not in there]

    def whole(self) -> Arrays:
        """Return memory-mapped arrays (people, views, ...), merged from the people's files at the first call.

        Whoever is still missing is made now, in this process.
        """
        whole = self._open()
        if whole is None:
            self._merge()
            whole = self._open()
            if whole is None:
                raise OSError(f"{self.folder}: the cache is damaged again right after it was written: check the disk")
        return whole

    def _merge(self) -> None:
        first = self._read(0) or self.make(0)
        self.folder.mkdir(parents=True, exist_ok=True)
        sizes = {}
        for name, sample in first.items():
            # One array after the other: memory holds one person, disk holds the set twice for a moment.
            shape = (self.count, *sample.shape)
            header = {"descr": np.lib.format.dtype_to_descr(sample.dtype), "fortran_order": False, "shape": shape}

            def fill(file: BinaryIO, name: str = name, header: dict = header) -> None:
                np.lib.format.write_array_header_1_0(file, header)
                for index in range(self.count):
                    file.write(np.ascontiguousarray((self._read(index) or self.make(index))[name]).tobytes())

            _write(self.folder / f"{name}.npy", fill)
            sizes[name] = (self.folder / f"{name}.npy").stat().st_size
        # The list of arrays comes last: without it nothing counts as complete.
        _write(self.folder / "arrays.json", lambda file: file.write(json.dumps(sizes).encode()))
        for path in self.folder.glob("person-*.npz"):
            path.unlink(missing_ok=True)

    def _open(self) -> Arrays | None:
        """Return the merged arrays, None where they are not there; damaged ones are said and removed."""
        if self._whole is None and (listing := self.folder / "arrays.json").is_file():
            try:
                sizes = json.loads(listing.read_text())
                arrays = {}
                for name, size in sizes.items():
                    path = self.folder / f"{name}.npy"
                    if path.stat().st_size != size:
                        raise ValueError(f"{path.name} has {path.stat().st_size} bytes instead of {size}")
                    arrays[name] = np.load(path, mmap_mode="r", allow_pickle=False)
                self._whole = arrays
            except (OSError, ValueError) as error:
                warnings.warn(f"{self.folder}: damaged cache ({error}); it is rendered again", stacklevel=4)
                listing.unlink(missing_ok=True)
        return self._whole

    def _part(self, index: int) -> Path:
        return self.folder / f"person-{index:05d}.npz"

    def _read(self, index: int) -> Arrays | None:
        path = self._part(index)
        try:
            with np.load(path, allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        except FileNotFoundError:  # not made yet, or another process has merged it a moment ago
            return None
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            warnings.warn(f"{path}: damaged cache file ({error}); it is rendered again", stacklevel=4)
            path.unlink(missing_ok=True)
            return None

    def __getstate__(self) -> dict:
        # Worker processes open the files themselves instead of receiving copies of the arrays.
        return {**self.__dict__, "_whole": None, "_recent": OrderedDict()}


def _write(path: Path, fill: Callable[[BinaryIO], object]) -> None:
    """Write a file under a temporary name and rename it; nothing half-written remains."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            fill(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except OSError as error:
        raise OSError(
            error.errno, f"cannot write the cache ({error.strerror}): free space or set REPRO_CACHE", str(path)
        ) from error
    finally:
        Path(name).unlink(missing_ok=True)
