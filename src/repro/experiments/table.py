"""A table: rows x seeds, one after the other or side by side; what is finished is reused."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from repro import paths, records
from repro.experiments.request import RECORDED, Request, choose
from repro.experiments.rows import PROFILES, TABLES, learns, resolve
from repro.experiments.run import REUSE, Folders, Say, load_splits, prepare, run_row
from repro.records import Record


def run_table(
    request: Request, *, jobs: int = 1, reuse: str = "all", record: bool = False, say: Say = print
) -> list[Record]:
    """Return the records of all rows and seeds of a request, running what is not finished.

    Stopped and started again, it goes on where it was.

    Args:
        request: what is wanted; at profile "recorded" nothing runs and the project's own records are returned.
        jobs: rows at a time, each in a process of its own with one thread.
        reuse, record, say: as for :func:`repro.experiments.run_row`.

    Raises:
        ChildProcessError: a row that ran in its own process failed; the message names its log.
    """
    choose("reuse", reuse, REUSE)
    if request.profile == RECORDED:
        return recorded(request)
    wanted = [
        (row, seed)
        for seed in request.seeds
        for row in request.rows
        if learns(request.table, row) or seed == request.seeds[0]
    ]
    if jobs > 1:
        _side_by_side(request, wanted, jobs, reuse, record, say)
        reuse = "all"
    return [run_row(request, row, seed, reuse=reuse, record=record and jobs == 1, say=say) for row, seed in wanted]


def recorded(request: Request) -> list[Record]:
    """Return the project's own records of a table, all profiles, filtered by rows, data set and seeds.

    Rows that learn nothing have seed 0 only and stand beside every seed.
    """
    found = [one for profile in PROFILES for one in records.read(request.table, profile)]
    return [
        one
        for one in found
        if one.row in request.rows
        and one.dataset == request.dataset
        and (one.seed in request.seeds or not request.seeds or not learns(one.table, one.row))
    ]


def _side_by_side(
    request: Request, wanted: list[tuple[str, int]], jobs: int, reuse: str, record: bool, say: Say
) -> None:
    """Run every row as a command of its own, ``jobs`` at a time."""
    for dataset in load_splits(resolve(request.table, request.rows[0], request.profile).config, request):
        prepare(dataset, jobs)  # once, before the rows would all do it
    logs = Folders(request.out).out / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "REPRO_ROOT": str(paths.root())}

    def command(row: str, seed: int) -> list[str]:
        options = {
            "--profile": request.profile,
            "--rows": row,
            "--seeds": seed,
            "--dataset": request.dataset,
            "--root": request.root,
            "--annotation-size": ",".join(map(str, request.annotation_size)) if request.annotation_size else None,
            "--exclude": request.exclude,
            "--out": request.out,
            "--device": request.device,
            "--reuse": reuse,
        }
        given = [str(word) for pair in options.items() if pair[1] is not None for word in pair]
        return [sys.executable, "-m", "repro", "table", request.table, *given, *["--record"] * record]

    def one(row: str, seed: int) -> str | None:
        log = logs / f"{request.profile}-{row}-seed{seed}.log"
        say(f"{row}, seed {seed}: started, log {log}")
        with log.open("w") as stream:
            code = subprocess.run(
                command(row, seed), stdout=stream, stderr=subprocess.STDOUT, env=environment
            ).returncode
        say(f"{row}, seed {seed}: {'finished' if code == 0 else f'failed with exit status {code}'}")
        return None if code == 0 else f"{row}, seed {seed}: see {log}"

    # Rows that others go on from come first: two processes would otherwise train one of them.
    started_from = {resolve(request.table, row, request.profile).config.model.start_from for row, _ in wanted}
    first = [(row, seed) for seed in request.seeds for row in TABLES[request.table].rows if row in started_from]
    failed: list[str] = []
    with ThreadPoolExecutor(jobs) as pool:
        for rows in (first, [pair for pair in wanted if pair not in first]):
            failed += [words for words in pool.map(lambda pair: one(*pair), rows) if words]
    if failed:
        raise ChildProcessError(f"{len(failed)} of {len(wanted)} rows failed: {'; '.join(failed)}; repeat to continue")
