"""Sphinx extension: leave out the automatic "Alias for field number 0" of named tuples; the class lists its fields."""

from sphinx.application import Sphinx


def skip(app: Sphinx, what: str, name: str, thing: object, skipped: bool, options: object) -> bool | None:
    """Return True for a field that nobody described, None to leave the decision to autodoc."""
    return True if (getattr(thing, "__doc__", None) or "").startswith("Alias for field number") else None


def setup(app: Sphinx) -> dict:
    """Connect to autodoc."""
    app.connect("autodoc-skip-member", skip)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
