"""What is wrong with files from outside: counted, named, in one message."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

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
