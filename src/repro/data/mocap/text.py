"""Text files of motion capture, word by word: whatever is wrong is said with its line."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from repro.checks import require_file
from repro.data.problems import DataError, Problem


class Reader:
    """The words of a text file, one line after the other; lines without words are passed over.

    Attributes:
        path: the file.
        number: of the line that was read last, from 1.
        words: that line's words.

    Raises:
        FileNotFoundError, IsADirectoryError: no such file.
        DataError: the file is empty or no text.
    """

    def __init__(self, path: str | Path, comment: str | None = None):
        self.path, self.number, self.words = Path(path), 0, [""]
        require_file(self.path)
        try:
            lines = self.path.read_text(encoding="utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            self.fail("not text", str(error))
        self._lines = [
            (number, words)
            for number, line in enumerate(lines, start=1)
            if (words := line.split()) and not (comment and words[0].startswith(comment))
        ]
        self._next = 0
        if not self._lines:
            self.fail("empty file", "it holds not a single word")

    @property
    def left(self) -> bool:
        """Whether there is another line."""
        return self._next < len(self._lines)

    def line(self, expected: str) -> list[str]:
        """Return the words of the next line; without one the error says what was expected."""
        if not self.left:
            self.fail("truncated file", f"expected {expected}, got the end of the file")
        self.number, self.words = self._lines[self._next]
        self._next += 1
        return self.words

    def peek(self) -> str:
        """Return the first word of the next line, "" at the end."""
        return self._lines[self._next][1][0] if self.left else ""

    def word(self, expected: str) -> str:
        """Return the next word of the line, or of the next one where the line has no more."""
        words = self.words[1:] or self.line(expected)
        self.words = words
        return words[0]

    def numbers(self, words: Sequence[str], count: int, of: str) -> list[float]:
        """Return ``count`` finite numbers.

        Args:
            words: what stands there.
            count: how many there should be.
            of: what they are, for the message.
        """
        if len(words) != count:
            self.fail(f"wrong number of {of}", f"expected {count}, got {len(words)}")
        values = []
        for place, word in enumerate(words, start=1):
            try:
                value = float(word)
            except ValueError:
                value = math.nan
            if not math.isfinite(value):
                self.fail("not a number", f"{of}, value {place}: expected a number, got {word!r}")
            values.append(value)
        return values

    def fail(self, kind: str, detail: str) -> NoReturn:
        """Raise the error of this line."""
        where = f"{self.path.name}, line {self.number}" if self.number else self.path.name
        key = f"file {self.path.name}"
        raise DataError(
            f"{self.path}: no usable motion capture:",
            [Problem(kind, key, where, detail)],
            "Export it again from its source, or leave the file out.",
        )
