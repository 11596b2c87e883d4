"""Progress of long work: a bar on a terminal, a line every ten seconds in a log."""

import sys

from tqdm import tqdm


def progress_bar(label: str, total: int, unit: str, done: int = 0) -> tqdm:
    """Return a bar that shows count, speed and time left; a work that ends within a second leaves no trace.

    Args:
        label: what is being done.
        total: units of work, of which ``done`` are done already.
        unit: what is counted, for example "image".
    """
    terminal = sys.stderr.isatty()
    return tqdm(
        total=total, initial=done, desc=label, unit=unit, mininterval=0.2 if terminal else 10, delay=1, leave=terminal
    )
