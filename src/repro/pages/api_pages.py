"""Pages of the API, one per room of the house, generated from the package so that no module is forgotten."""

import importlib
import inspect
import pkgutil

# The rooms, from the ground upwards.
ROOMS = (
    *("paths", "checks", "config", "records", "data", "ops", "features", "losses", "models", "metrics", "training"),
    *("experiments", "pages", "cli"),
)


def modules(room: str) -> list[str]:
    """Return the names of a room's modules, the room itself first, private ones left out."""
    top = importlib.import_module(f"repro.{room}")
    below = pkgutil.walk_packages(getattr(top, "__path__", []), f"repro.{room}.")
    return [top.__name__, *sorted(m.name for m in below if not m.name.rsplit(".", 1)[1].startswith("_"))]


def page(room: str) -> str:
    """Return the Markdown of one room's page: what is imported from the room, then module by module."""
    names = modules(room)
    top = importlib.import_module(names[0])
    lines = [f"# repro.{room}", "", *_automodule(names[0])]
    exported = [thing for name in getattr(top, "__all__", []) if callable(thing := getattr(top, name))]
    if exported:
        lines += [f"To be imported from `repro.{room}`:", ""]
    for thing in exported:
        role = "class" if inspect.isclass(thing) else "func"
        lines.append(f"- {{py:{role}}}`~{thing.__module__}.{thing.__qualname__}`: {first_sentence(thing)}")
    lines.append("")
    for name in names[1:]:
        lines += [f"## {name.removeprefix('repro.')}", "", *_automodule(name)]
    return "\n".join(lines)


def _automodule(name: str) -> list[str]:
    # __all__ names what the submodules define: each thing is described once, where it is written.
    return ["```{eval-rst}", f".. automodule:: {name}", "   :members:", "   :ignore-module-all:", "```", ""]


def first_sentence(thing: object) -> str:
    """Return the first line of a docstring as plain Markdown."""
    text = (inspect.getdoc(thing) or "").split("\n\n")[0].replace("\n", " ").strip()
    return text.replace("``", "`").replace("$", r"\$")
