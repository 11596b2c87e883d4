"""The page pipeline: copy, execute, generate, render, check.

Commands (``python -m repro.pages.build ...``)::

    book [--fresh]              execute copies of all pages, prove the tables at smoke, write _build/html
    check                       write _build/check/_build/html from the committed outputs and check every link
    execute PAGE...             execute pages in place at profile `recorded`, cleaned for the commit
    normalise PAGE...           clean pages in place without running them

Nothing outside of ``_build`` and the caches is written by ``book`` and ``check``.
"""

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import nbformat

from repro import paths
from repro.pages import api_pages, deviations, equation_index, execution, html_check, status
from repro.pages.execution import Job

# What is copied as it stands; notebooks go through `execution` or are copied with their committed outputs.
SOURCES = ("_config.yml", "book")
FIRST_PAGE = "book/intro.html"


def notebooks() -> list[Path]:
    """Return the committed pages, sorted by path."""
    found = (paths.root() / "notebooks").rglob("*.ipynb")
    return sorted(p for p in found if ".ipynb_checkpoints" not in p.parts)


def book(*, fresh: bool = False, workers: int = 2) -> int:
    """Execute copies of the pages, prove every table at ``smoke``, render the book; return the exit status.

    Args:
        fresh: execute everything, whatever is kept from earlier.
        workers: how many pages run at the same time.
    """
    started = time.monotonic()
    executed, smoke = paths.build() / "executed", paths.build() / "smoke"
    jobs = []
    for page in notebooks():
        name = page.relative_to(paths.root())
        jobs.append(Job(page, "recorded", executed / name, {}))
        if execution.takes_profile(nbformat.read(page, as_version=4)):
            jobs.append(Job(page, "smoke", smoke / name, {"profile": "smoke", "out": str(smoke)}))
    # Tables first: they take longest.
    jobs.sort(key=lambda job: job.profile != "smoke")
    outcomes = execution.run_all(jobs, workers=workers, fresh=fresh)
    failed = [outcome for outcome in outcomes if not outcome.ok]
    copies = {job.page: job.target for job in jobs if job.profile == "recorded"}
    assemble(paths.build() / "pages", copies, status.page(outcomes))
    defects = render(paths.build() / "pages", paths.root())
    for outcome in failed:
        print(f"page {outcome.page} at {outcome.profile} failed: {outcome.message}", file=sys.stderr)
    _report(defects)
    if defects or failed:
        return 1
    print(f"the book took {time.monotonic() - started:.0f} s; its first page:")
    print(paths.build() / "html" / FIRST_PAGE)
    return 0


def check() -> int:
    """Render the book from the committed outputs and check every link; return the exit status."""
    target = paths.build() / "check"
    assemble(target / "pages", {page: page for page in notebooks()}, status.page(None))
    defects = render(target / "pages", target)
    _report(defects)
    if not defects:
        print(f"the book renders without a warning, no link is broken: {target / '_build' / 'html' / FIRST_PAGE}")
    return 1 if defects else 0


def assemble(target: Path, copies: dict[Path, Path], status_page: str) -> None:
    """Bring the sources of the book together in ``target``; files that have not changed are left alone.

    Args:
        target: the folder, made anew where needed.
        copies: page in the project -> notebook that stands in for it.
        status_page: Markdown of the status page.
    """
    root, wanted = paths.root(), {}
    for name in SOURCES:
        top = root / name
        for file in [top] if top.is_file() else sorted(p for p in top.rglob("*") if p.is_file()):
            if "__pycache__" not in file.parts:
                wanted[file.relative_to(root)] = file.read_bytes()
    for page, stand_in in copies.items():
        wanted[page.relative_to(root)] = nbformat.writes(
            execution.describe_figures(nbformat.read(stand_in, as_version=4))
        ).encode()
    wanted[Path("book/status.md")] = status_page.encode()
    wanted[Path("book/equations.md")] = equation_index.page().encode()
    wanted[Path("book/deviations.md")] = deviations.page().encode()
    wanted |= {Path(f"book/api/{room}.md"): api_pages.page(room).encode() for room in api_pages.ROOMS}
    for old in [p for p in target.rglob("*") if p.is_file()]:
        if old.relative_to(target) not in wanted:
            old.unlink()
    for name_, content in wanted.items():
        file = target / name_
        if not file.exists() or file.read_bytes() != content:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)


def render(pages: Path, output: Path) -> list[str]:
    """Render ``pages`` to ``output/_build/html``, warnings as errors, and check the HTML; return the defects.

    The HTML is kept where neither the pages nor the package (its docstrings are in the book) have changed.
    """
    html, key_file = output / "_build" / "html", output / "_build" / "html.key"
    key = _folder_hash([pages, paths.root() / "src"])
    if key_file.exists() and key_file.read_text() == key:
        print("reuse  HTML: nothing changed", flush=True)
        return html_check.check(html)
    print("render HTML", flush=True)
    # A fresh start: Sphinx repeats no warning about a page that it has read before.
    key_file.unlink(missing_ok=True)
    for leftover in (html, output / "_build" / ".doctrees"):
        shutil.rmtree(leftover, ignore_errors=True)
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", str(pages), "--path-output", str(output)]
    command += ["--config", str(pages / "_config.yml"), "--toc", str(pages / "book" / "_toc.yml")]
    command += ["--warningiserror", "--keep-going"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        lines = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout).splitlines()
        said = [line for line in lines if any(word in line for word in ("WARNING", "ERROR", "CRITICAL"))]
        return said or lines[-40:]
    defects = html_check.check(html)
    if not defects:
        key_file.write_text(key)
    return defects


def execute(pages: Iterable[Path]) -> int:
    """Execute pages in place, cleaned for the commit; a page that fails is left as it was."""
    for page in pages:
        start = time.monotonic()
        notebook = nbformat.read(page, as_version=4)
        execution.run(notebook)
        execution.write(execution.normalise(notebook), page)
        print(f"{page}: {time.monotonic() - start:.0f} s, {page.stat().st_size / 1e3:.0f} kB", flush=True)
    return 0


def normalise(pages: Iterable[Path]) -> int:
    """Clean pages in place without running them."""
    for page in pages:
        execution.write(execution.normalise(nbformat.read(page, as_version=4)), page)
    return 0


def _folder_hash(folders: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for folder in folders:
        for file in sorted(p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
            digest.update(file.relative_to(folder).as_posix().encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _report(defects: list[str]) -> None:
    for defect in defects:
        print(defect, file=sys.stderr)
    if defects:
        print(f"the book has {len(defects)} defects", file=sys.stderr)


def main(arguments: list[str] | None = None) -> int:
    """Run one of the commands and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m repro.pages.build", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    sub = commands.add_parser("book", help="execute copies of all pages and write the HTML")
    sub.add_argument("--fresh", action="store_true", help="execute every page, whatever is kept")
    sub.add_argument("--workers", type=int, default=2, help="pages executed at the same time")
    commands.add_parser("check", help="write and check the HTML from the committed outputs")
    for name, text in (("execute", "execute pages in place"), ("normalise", "clean pages in place")):
        commands.add_parser(name, help=text).add_argument("pages", nargs="+", type=Path)
    options = parser.parse_args(arguments)
    if options.command == "book":
        return book(fresh=options.fresh, workers=options.workers)
    if options.command == "check":
        return check()
    return execute(options.pages) if options.command == "execute" else normalise(options.pages)


if __name__ == "__main__":
    sys.exit(main())
