"""Peak memory of work done in processes of its own, which nothing that ran before can hide or inflate (Linux)."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EVERY = 0.05  # seconds between two looks


def peak_of_preparing(name: str, size: int, scale: str, workers: int) -> int:
    """Return the most memory, in bytes, that preparing a training set takes, its worker processes included.

    What processes hold of their own (RssAnon) is added up; libraries that they share (RssFile) count once.
    """
    code = f"from repro.data import prepare; prepare({name!r}, 'train', {size}, {scale!r}, workers={workers})"
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "REPRO_CACHE": folder, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        process = subprocess.Popen([sys.executable, "-c", code], env=environment)
        peak = 0
        while process.poll() is None:
            peak = max(peak, _held(process.pid))
            time.sleep(EVERY)
    if process.returncode:
        raise RuntimeError(f"preparing {name} failed: its words are above")
    return peak


def _held(pid: int) -> int:
    """Bytes that a process and its children hold now."""
    own, shared = zip(*(_resident(each) for each in (pid, *_children(pid))))
    return sum(own) + max(shared)


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:  # it ended
        return []


def _resident(pid: int) -> tuple[int, int]:
    """Anonymous and file-backed bytes of a process; zero once it ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except FileNotFoundError:
        return 0, 0
    kib = {name: int(value.split()[0]) for name, _, value in (line.partition(":") for line in lines) if "Rss" in name}
    return kib.get("RssAnon", 0) * 1024, kib.get("RssFile", 0) * 1024
