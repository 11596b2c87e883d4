"""The machine around a run: device, exclusive folder, signals, progress, memory."""

import contextlib
import fcntl
import os
import platform
import resource
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from tqdm import tqdm

from repro.records import sweep

if TYPE_CHECKING:
    from lightning.fabric import Fabric


def find_device(device: str) -> torch.device:
    """Return the device of "auto" (a GPU if there is one), "cpu", "cuda" or "cuda:N".

    Raises:
        ValueError: another name, or a GPU that is not there.
    """
    kind, _, number = device.partition(":")
    if kind not in ("auto", "cpu", "cuda") or (number and not (kind == "cuda" and number.isdigit())):
        raise ValueError(f"unknown device {device!r}: choose auto, cpu, cuda or cuda:N")
    if kind == "auto":
        kind = "cuda" if torch.cuda.is_available() else "cpu"
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise ValueError(f"device {device!r} is not there ({torch.cuda.device_count()} GPUs found): use --device cpu")
    return torch.device(kind, int(number)) if number else torch.device(kind)


def make_fabric(device: str, precision: str) -> "Fabric":
    """Return Fabric on a device as :func:`find_device` names it, with its errors."""
    found = find_device(device)
    from lightning.fabric import Fabric  # here, because importing it takes seconds that only training should pay

    devices: Any = 1 if found.index is None else [found.index]
    return Fabric(accelerator=found.type, devices=devices, precision=precision)  # type: ignore[arg-type]


def describe(device: torch.device) -> str:
    """Return the device in words, for records: "cpu (x86_64, 1 thread)" or the GPU's name."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"cpu ({platform.machine()}, {threads} thread{'s' * (threads > 1)})"


@contextlib.contextmanager
def only_process(folder: Path) -> Iterator[None]:
    """Hold a run's folder, swept of what a killed process left; the hold ends with the process, also a killed one.

    Raises:
        BlockingIOError: another process trains there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BlockingIOError(
                f"another process trains in {folder}: wait for it or choose another folder"
            ) from error
        sweep(folder)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def stop_requested() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C or SIGTERM into an event, so that the loop can save before it ends; a second one kills."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():  # signals belong to the main thread
        yield event
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}

    def request(number: int, frame: Any) -> None:
        event.set()
        for one, handler in before.items():
            signal.signal(one, handler)

    for number in numbers:
        signal.signal(number, request)
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def progress(text: str, done: int, total: int) -> tqdm:
    """Return a bar with speed and time left; in a log file it writes a line every 15 seconds instead."""
    return tqdm(total=total, initial=done, desc=text, unit="step", mininterval=0.5 if sys.stderr.isatty() else 15)


def show(bar: tqdm, losses: Mapping[str, float], device: torch.device) -> None:
    """Advance the bar by one step and show losses and memory."""
    if losses and bar.n % 20 == 0:
        shown = {name: f"{value:.3g}" for name, value in losses.items()}
        bar.set_postfix(shown | {"MiB": f"{peak_memory_mib(device):.0f}"}, refresh=False)
    bar.update()


def peak_memory_mib(device: torch.device) -> float:
    """Return the largest memory use so far in MiB: of the GPU, or of the whole process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
