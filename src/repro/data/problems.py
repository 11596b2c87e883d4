"""What is wrong with files from outside: counted, named, in one message."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

SHOWN = 5


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        kind: what is counted, for example "wrong number of joints".
        key: the entry of an exclusion list that answers it, for example ``image a.jpg``.
        where: file, and line where there is one.
        detail: what was found there.
    """

    kind: str
    key: str
    where: str
    detail: str


class DataError(ValueError):
    """Files from outside that cannot be used as they are; ``problems`` holds every finding."""

    def __init__(self, head: str, problems: Sequence[Problem], remedy: str):
        self.problems = list(problems)
        super().__init__(f"{head}\n{describe(problems)}\n{remedy}")


def things_wrong(problems: Sequence[Problem]) -> str:
    """Return how many problems there are, as a head says it: "1 thing is wrong", "2 things are wrong"."""
    return "1 thing is wrong" if len(problems) == 1 else f"{len(problems)} things are wrong"


def describe(problems: Sequence[Problem], shown: int = SHOWN) -> str:
    """Return the problems as text: each kind with its count, then the first few of each kind."""
    lines = []
    for kind, count in Counter(problem.kind for problem in problems).most_common():
        lines.append(f"  {count} x {kind}")
        of_kind = [problem for problem in problems if problem.kind == kind]
        lines += [f"      {problem.where}: {problem.detail}" for problem in of_kind[:shown]]
        if count > shown:
            lines.append(f"      ... and {count - shown} more")
    return "\n".join(lines)


class Findings(Protocol):
    """What one split of a data folder holds: a line of facts, and everything that is wrong."""

    @property
    def summary(self) -> str: ...

    @property
    def problems(self) -> list[Problem]: ...


@dataclass
class Report:
    """What a check found in a folder."""

    root: Path
    layout: str
    splits: Mapping[str, Findings] = field(default_factory=dict)

    @property
    def problems(self) -> list[Problem]:
        """Every finding of every split."""
        return [problem for found in self.splits.values() for problem in found.problems]

    def __str__(self) -> str:
        lines = [f"{self.layout} in {self.root}"]
        for split, found in self.splits.items():
            lines.append(f"{split}: {found.summary}; {len(found.problems)} problems")
            if found.problems:
                lines.append(describe(found.problems))
        return "\n".join(lines)

    def write(self, path: str | Path) -> Path:
        """Write the exclusion list that answers every problem; each entry is preceded by its reason."""
        lines = [f"# what to leave out of {self.layout} in {self.root.name}: {len(self.problems)} findings"]
        for problem in self.problems:
            lines += [f"# {problem.kind}: {problem.where}: {problem.detail}", problem.key]
        path = Path(path)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path
