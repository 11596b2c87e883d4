"""Run notebooks, keep what ran under a fingerprint of everything that it depends on, and clean what gets committed."""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from repro import paths
from repro.pages.progress import Progress

# What a page may depend on besides its own text; `data` holds records, published numbers and weights.
DEPENDENCIES = ("src", "data", "requirements.lock")
# Metadata that a committed notebook keeps: the rest is timings, versions and paths of one machine.
CELL_METADATA = ("tags", "mystnb")
CELL_TIMEOUT = 900


@dataclass(frozen=True)
class Outcome:
    """What happened to one page: where it stands, how long it took, whether it ran to its end."""

    page: str
    profile: str
    seconds: float
    ok: bool
    message: str
    fingerprint: str
    reused: bool = False


def dependencies_hash(root: Path | None = None) -> str:
    """Return the SHA-256 of names and contents of everything that any page may depend on."""
    root = root or paths.root()
    digest = hashlib.sha256()
    for name in DEPENDENCIES:
        top = root / name
        files = sorted(p for p in top.rglob("*") if p.is_file()) if top.is_dir() else [top]
        for file in files:
            if "__pycache__" not in file.parts and file.is_file():
                digest.update(file.relative_to(root).as_posix().encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()


def fingerprint(page: Path, profile: str, dependencies: str) -> str:
    """Return the key under which an executed page is kept: its cells, its profile, what it depends on."""
    notebook = nbformat.read(page, as_version=4)
    cells = [(c.cell_type, c.source, c.metadata.get("tags", [])) for c in notebook.cells]
    return hashlib.sha256(json.dumps([cells, profile, dependencies]).encode()).hexdigest()


def takes_profile(notebook: nbformat.NotebookNode) -> bool:
    """Return whether the notebook is a table page: it has a parameters cell that sets ``profile``."""
    return any("parameters" in c.metadata.get("tags", []) and "profile" in c.source for c in notebook.cells)


def normalise(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Clean a notebook in place for the commit and return it.

    Kept: sources, outputs, tags, widget state. Removed: timings, versions, names and paths of the machine that ran it.
    Execution counts become 1, 2, 3 ... over the cells that were run in order.
    """
    metadata: dict = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python", "file_extension": ".py", "pygments_lexer": "ipython3"},
    }
    if "widgets" in notebook.metadata:
        metadata["widgets"] = notebook.metadata["widgets"]
    notebook.metadata = nbformat.from_dict(metadata)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    count = 0
    for number, cell in enumerate(notebook.cells):
        cell.metadata = nbformat.from_dict({k: cell.metadata[k] for k in CELL_METADATA if k in cell.metadata})
        cell["id"] = f"cell-{number}"
        if cell.cell_type != "code":
            continue
        if cell.execution_count is not None:
            count += 1
            cell.execution_count = count
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = cell.execution_count
            if "metadata" in output:
                output.metadata = nbformat.from_dict({k: v for k, v in output.metadata.items() if k == "image/png"})
    return notebook


def describe_figures(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Give every figure without alternative text that of its section, in place, and return the notebook.

    A page says more where it can: ``mystnb: {image: {alt: ...}}`` in the metadata of the cell.
    """
    section = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            headings = [line.lstrip("# ") for line in cell.source.splitlines() if line.startswith("#")]
            section = headings[-1].strip() if headings else section
        elif any(kind.startswith("image/") for output in cell.outputs for kind in output.get("data", {})):
            mystnb = cell.metadata.setdefault("mystnb", nbformat.from_dict({}))
            mystnb.setdefault("image", nbformat.from_dict({})).setdefault("alt", f"Figure of the section “{section}”")
    return notebook


def write(notebook: nbformat.NotebookNode, file: Path) -> None:
    """Write a notebook whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(file.name + ".partial")
    partial.write_text(nbformat.writes(notebook).rstrip("\n") + "\n", encoding="utf-8")
    os.replace(partial, file)


def parameterised(notebook: nbformat.NotebookNode, parameters: Mapping[str, object]) -> nbformat.NotebookNode:
    """Return the notebook with a cell that sets ``parameters`` after its parameters cell, as papermill makes it."""
    if not parameters:
        return notebook
    from papermill.parameterize import parameterize_notebook

    notebook.metadata.setdefault("papermill", {})
    for cell in notebook.cells:
        cell.metadata.setdefault("tags", [])
    return parameterize_notebook(notebook, dict(parameters), kernel_name="python3", language="python")


def run(notebook: nbformat.NotebookNode, *, on_cell: Callable[[int], None] = lambda done: None) -> None:
    """Execute a notebook in place, in the project's root, with one thread.

    Args:
        notebook: receives the outputs while it runs.
        on_cell: called with the number of cells done after each code cell.

    Raises:
        CellExecutionError: a cell failed; the notebook then holds the error.
    """
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
        timeout=CELL_TIMEOUT,
        resources={"metadata": {"path": str(paths.root())}},
        on_cell_complete=lambda cell, cell_index: on_cell(cell_index + 1),
    )
    settings = {
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "JUPYTER_PREFER_ENV_PATH": "1",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",  # with another one figures are not shown
    }
    client.execute(env=os.environ | settings)


@dataclass(frozen=True)
class Job:
    """One page to execute: where it stands, at which profile, with which parameters, where the result goes."""

    page: Path
    profile: str
    target: Path
    parameters: Mapping[str, object]

    @property
    def name(self) -> str:
        """The page's path inside the project."""
        return self.page.relative_to(paths.root()).as_posix()

    @property
    def label(self) -> str:
        """The page and its profile, for messages."""
        return f"{self.name} at {self.profile}"

    @property
    def note(self) -> Path:
        """The file beside the executed copy that says under which fingerprint it was made."""
        return self.target.with_suffix(".json")


def run_all(jobs: Iterable[Job], *, workers: int = 2, fresh: bool = False) -> list[Outcome]:
    """Execute pages side by side, reuse those whose fingerprint has not changed, and report progress with time left.

    Args:
        jobs: the pages.
        workers: how many run at the same time.
        fresh: execute all of them, whatever is kept.

    Returns:
        One outcome per job, in the jobs' order. A failed page does not stop the others.
    """
    jobs = list(jobs)
    dependencies = dependencies_hash()
    keys = [fingerprint(job.page, job.profile, dependencies) for job in jobs]
    kept = [None if fresh else _kept(job, key) for job, key in zip(jobs, keys)]
    waits = {job.label: _seconds(job) for job, old in zip(jobs, kept) if old is None}
    with Progress(waits, workers) as progress, ThreadPoolExecutor(workers) as pool:
        waiting = [
            old if old is not None else pool.submit(_run_one, job, key, progress)
            for job, key, old in zip(jobs, keys, kept)
        ]
    return [w if isinstance(w, Outcome) else w.result() for w in waiting]


def _kept(job: Job, key: str) -> Outcome | None:
    """Return the kept outcome if it was good and is still valid; otherwise say why the page runs again."""
    if not (job.note.exists() and job.target.exists()):
        return None
    old = json.loads(job.note.read_text())
    if not old["ok"] or old["fingerprint"] != key:
        why = "it failed last time" if not old["ok"] else "its text, the code or the data changed"
        print(f"rerun  {job.label}: {why}", flush=True)
        return None
    print(f"reuse  {job.label}: nothing changed ({old['seconds']:.0f} s when it ran)", flush=True)
    return Outcome(**{**old, "reused": True})


def _seconds(job: Job) -> float | None:
    """Return how long the job took when it last ran to its end, if it ever did."""
    old = json.loads(job.note.read_text()) if job.note.exists() else {"ok": False}
    return old["seconds"] if old["ok"] else None


def _run_one(job: Job, key: str, progress: Progress) -> Outcome:
    notebook = parameterised(nbformat.read(job.page, as_version=4), job.parameters)
    progress.begin(job.label, notebook)
    start, message = time.monotonic(), ""
    try:
        run(notebook, on_cell=lambda done: progress.cell(job.label, done))
    except CellExecutionError as error:
        message = f"{error.ename}: {error.evalue}"
    except Exception as error:  # a kernel that died, a cell beyond its time: the page failed, the others go on
        message = f"{type(error).__name__}: {error}"
    outcome = Outcome(job.name, job.profile, time.monotonic() - start, not message, message, key)
    write(normalise(notebook), job.target)
    partial = job.note.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(outcome)))
    os.replace(partial, job.note)
    words = "ok" if outcome.ok else f"FAILED: {outcome.message[:300]}"
    progress.end(job.label, f"{words}, {outcome.seconds:.0f} s")
    return outcome
