"""The index of equations: number, what it says, function, test, page."""


def page() -> str:
    """Return the Markdown of the index of equations."""
    return "# Equations\n"
