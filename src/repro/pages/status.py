"""The status page: what was executed for this copy of the book, how long it took, on what."""

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Sequence

import torch

from repro import __version__, paths
from repro.pages.execution import Outcome

PACKAGES = ("torch", "torchvision", "numpy", "lightning", "scikit-image", "jupyter-book", "nbclient")


def versions() -> dict[str, str]:
    """Return the versions that matter for a number: Python, this package, the libraries it stands on."""
    found = {"repro": __version__, "python": platform.python_version()}
    return found | {name: importlib.metadata.version(name) for name in PACKAGES}


def hardware() -> dict[str, str]:
    """Return processor, cores in use, and the graphics card if there is one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none"
    return {
        "processor": _processor(),
        "cores": str(cores),
        "GPU": gpu,
        "system": f"{platform.system()} {platform.machine()}",
    }


def page(outcomes: Sequence[Outcome] | None) -> str:
    """Return the Markdown of the status page.

    Args:
        outcomes: what `make book` executed; None where the book shows the committed outputs.
    """
    lines = ["# Status of this copy", ""]
    if outcomes is None:
        lines += [
            "This copy shows the outputs that are committed with the pages; nothing was executed for it.",
            "`make book` executes every page anew and lists here how long each took.",
            "",
        ]
    else:
        lines += [
            "`make book` executed the pages below for this copy of the book.",
            "Profile `recorded` is what the book shows: its tables are read from committed records.",
            "Profile `smoke` trains every row of a table for seconds, to prove the pipe from data to record;",
            "its numbers are not results and are shown nowhere.",
            "A page is reused where neither its text, nor the code, nor the data has changed since it ran;",
            "its seconds are those of that run.",
            "",
            "| page | profile | seconds | ok | |",
            "|---|---|--:|---|---|",
        ]
        for o in sorted(outcomes, key=lambda o: (o.page, o.profile)):
            # Nothing here says "reused": a second `make book` would have another page to render.
            note = o.message.splitlines()[0].replace("|", "/")[:200] if o.message else ""
            lines.append(f"| `{o.page}` | {o.profile} | {o.seconds:.1f} | {'yes' if o.ok else '**no**'} | {note} |")
        lines.append("")
    lines += ["## Versions", "", "| | |", "|---|---|", f"| commit | `{commit()}` |"]
    lines += [f"| {name} | {value} |" for name, value in versions().items()]
    lines += ["", "## Hardware", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in hardware().items()]
    return "\n".join(lines) + "\n"


def commit() -> str:
    """Return the commit that the book is made from, marked where files differ from it."""
    git = ["git", "-C", str(paths.root())]
    head = subprocess.run([*git, "rev-parse", "--short=10", "HEAD"], capture_output=True, text=True, check=False)
    if head.returncode:
        return "not a git checkout"
    changed = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=False).stdout
    return head.stdout.strip() + (" with changes" if changed.strip() else "")


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
        return names[0] if names else platform.processor() or platform.machine()
    except OSError:
        return platform.processor() or platform.machine()
