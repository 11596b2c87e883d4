"""The losses of a run over its steps: checked while it goes, kept as data, read as a table."""

import json
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd
from torch import Tensor

from repro.records import write_whole

NAME = "curve.jsonl"
EVERY = 20  # steps that share one line of the file, as their mean


class NotFinite(FloatingPointError):
    """A loss or a weight is no number any more: the message names stage, step and term or tensor."""


class Curve:
    """Collects the terms of every step and writes their means, one JSON line per ``EVERY`` steps.

    Terms stay on their device until a line is due or a checkpoint asks (:meth:`pending`), so a GPU is not made to wait
    at every step; nothing reaches a checkpoint unchecked.

    Args:
        folder: of the run.
        stage: name written to every line.
        pending: steps that a checkpoint carried over (the result of :meth:`pending`).
    """

    def __init__(self, folder: Path, stage: str, pending: Iterable[dict[str, Any]] = ()) -> None:
        self.path = folder / NAME
        self.stage = stage
        self.last: dict[str, float] = {}
        self._checked: list[dict[str, Any]] = list(pending)
        self._raw: list[tuple[int, dict[str, Tensor]]] = []

    def add(
        self,
        step: int,
        terms: dict[str, Tensor],
        rate: float,
        seconds: float,
        last: bool = False,
        measure: Callable[[], dict[str, float]] = dict,
    ) -> None:
        """Take the terms of step number ``step`` (counted from 1); the ``last`` one of a stage ends a line, too.

        What ``measure`` says of the network after this step goes into a line that is due, as it is.

        Raises:
            NotFinite: a term of this or an earlier step is NaN or infinite.
        """
        self._raw.append((step, terms))
        if step % EVERY == 0 or last:
            steps = self.pending()
            names = [name for name in steps[-1] if name != "step"]
            self.last = {name: float(f"{sum(one[name] for one in steps) / len(steps):.5g}") for name in names}
            line = {"stage": self.stage, "step": step, "rate": rate, "seconds": round(seconds, 2)} | self.last
            line |= {name: float(f"{value:.5g}") for name, value in measure().items()}
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(line) + "\n")
            self._checked = []

    def pending(self) -> list[dict[str, Any]]:
        """Return the checked terms of the steps that no line holds yet."""
        for step, terms in self._raw:
            values = {name: float(value) for name, value in terms.items()}
            for name, value in values.items():
                if not math.isfinite(value):
                    raise NotFinite(f"stage {self.stage!r}, step {step}: the loss term {name!r} is {value}")
            self._checked.append({"step": step} | values)
        self._raw = []
        return self._checked


def cut(folder: Path, stages: Iterable[str], stage: str, step: int) -> None:
    """Drop the lines that were written after step ``step`` of ``stage``: a run continues from there."""
    path = folder / NAME
    if not path.exists():
        return
    order = list(stages)
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            content = json.loads(line)
        except json.JSONDecodeError:  # the process was killed while writing it
            continue
        if (order.index(content["stage"]), content["step"]) <= (order.index(stage), step):
            kept.append(line + "\n")
    write_whole(path, "".join(kept).encode())


def read_curve(folder: Path) -> pd.DataFrame:
    """Return the curve of a run: one line per 20 steps with stage, step, rate, seconds, the mean of every term
    and what was measured after the last of them.

    Raises:
        FileNotFoundError: the folder holds no curve.
    """
    path = folder / NAME
    if not path.exists():
        raise FileNotFoundError(f"no {NAME} in {folder}: train a row into it first (repro train --out {folder})")
    return pd.read_json(path, lines=True)
