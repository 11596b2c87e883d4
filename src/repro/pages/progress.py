"""Lines of progress for pages that are executed side by side: what ended, what is running, how much time is left."""

import math
import threading
import time
from collections.abc import Mapping

import nbformat


class Progress:
    """Says when a page ends and, after a silence, what the running pages do; each line with the time left.

    The time left is estimated from the share of cells done, each page weighted by how long it took last time (pages
    that never ran count as the mean of the others).

    Args:
        seconds: page -> how long it took when it last ran, None where that is not known.
        workers: how many pages run at a time.
        silence: seconds without a line after which the running pages are named.
    """

    def __init__(self, seconds: Mapping[str, float | None], workers: int, silence: float = 15.0):
        known = [s for s in seconds.values() if s]
        mean = sum(known) / len(known) if known else 1.0
        self.weight = {page: s or mean for page, s in seconds.items()}
        self.part = dict.fromkeys(seconds, 0.0)
        self.running: dict[str, tuple[int, int, nbformat.NotebookNode]] = {}
        self.silence, self.done = silence, 0
        self.start = self.said = time.monotonic()
        self._lock, self._over = threading.Lock(), threading.Event()
        if seconds:
            print(f"{len(seconds)} pages to execute, {workers} at a time", flush=True)

    def __enter__(self) -> "Progress":
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()

    def begin(self, page: str, notebook: nbformat.NotebookNode) -> None:
        """Note that a page has started; its outputs are read while it runs."""
        with self._lock:
            self.running[page] = (0, len(notebook.cells), notebook)

    def cell(self, page: str, done: int) -> None:
        """Note that a page has finished ``done`` of its cells."""
        with self._lock:
            _, of, notebook = self.running[page]
            self.running[page] = (done, of, notebook)
            self.part[page] = done / of

    def end(self, page: str, words: str) -> None:
        """Say that a page has ended, and how."""
        with self._lock:
            self.running.pop(page, None)
            self.done += 1
            self.part[page] = 1.0
            self._say(f"[{self.done}/{len(self.part)}] {page}: {words}")

    def left(self) -> float:
        """Return the estimated seconds that are left, NaN while nothing is done."""
        share = sum(self.part[page] * weight for page, weight in self.weight.items()) / sum(self.weight.values())
        return (time.monotonic() - self.start) * (1 - share) / share if share else float("nan")

    def _watch(self) -> None:
        while not self._over.wait(self.silence / 3):
            with self._lock:
                if self.running and time.monotonic() - self.said > self.silence:
                    states = [
                        f"{page}: cell {done + 1} of {of}{last_words(notebook)}"
                        for page, (done, of, notebook) in self.running.items()
                    ]
                    self._say(" · ".join(states))

    def _say(self, text: str) -> None:
        self.said = time.monotonic()
        left = self.left()
        time_left = "" if math.isnan(left) else f", about {left:.0f} s left"
        print(f"{text}; {self.said - self.start:.0f} s gone{time_left}", flush=True)


def last_words(notebook: nbformat.NotebookNode, most: int = 60) -> str:
    """Return the last line that a running page has printed, in brackets; empty where it has printed nothing."""
    for cell in reversed(notebook.cells):
        for output in reversed(cell.get("outputs", [])):
            lines = [line for line in output.get("text", "").replace("\r", "\n").splitlines() if line.strip()]
            if lines:
                return f" ({lines[-1].strip()[:most]})"
    return ""
