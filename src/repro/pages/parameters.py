"""A misspelt parameter of a table page is refused: papermill itself only warns and runs with the defaults."""

import difflib
from collections.abc import Mapping
from typing import Any

TABLE_PARAMETERS = ("profile", "dataset", "root", "seeds", "rows", "device", "out")
# What a fresh notebook kernel defines by itself.
KERNEL_NAMES = ("In", "Out", "exit", "quit", "open", "get_ipython")


def refuse_unknown_parameters(namespace: Mapping[str, Any], known: tuple[str, ...] = TABLE_PARAMETERS) -> None:
    """Raise if a page was given a parameter that it does not have; call it before anything else is defined.

    Args:
        namespace: ``globals()`` of the notebook, right after its parameters.
        known: the page's parameters.

    Raises:
        NameError: a name that is not known; the message lists the choices and the nearest one.
    """
    own = {"refuse_unknown_parameters", *known, *KERNEL_NAMES}
    for name in namespace:
        if name not in own and not name.startswith("_"):
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise NameError(f"unknown parameter {name!r}: {hint}this page takes {', '.join(known)}")
