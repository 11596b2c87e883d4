"""Progress names what runs, what it last printed, and estimates the time left from what pages took before."""

import math
import time

from nbformat.v4 import new_code_cell, new_notebook, new_output

from repro.pages.progress import Progress, last_words


def test_time_left_weighs_pages_by_how_long_they_took(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    progress = Progress({"short": 10.0, "long": 90.0, "new": None}, workers=2)
    progress.begin("long", new_notebook(cells=[new_code_cell(str(n)) for n in range(4)]))
    assert math.isnan(progress.left())  # nothing is done yet
    now[0] += 15.0
    progress.end("short", "ok")  # 10 of 10 + 90 + 50: the new page counts as the mean of the others
    assert progress.left() == 15 * (150 - 10) / 10
    progress.cell("long", 2)
    assert progress.left() == 15 * (150 - 55) / 55


def test_a_silence_is_broken_with_the_last_words_of_what_runs(capsys):
    notebook = new_notebook(cells=[new_code_cell("train()", outputs=[new_output("stream", text="row full\rstep 7\n")])])
    with Progress({"table": 5.0}, workers=1, silence=0.03) as progress:
        progress.begin("table", notebook)
        time.sleep(0.5)
        progress.end("table", "ok, 0 s")
    said = capsys.readouterr().out.splitlines()
    assert any("table: cell 1 of 1 (step 7)" in line for line in said)
    assert said[-1].startswith("[1/1] table: ok")


def test_last_words_of_a_page_that_printed_nothing_are_empty():
    assert last_words(new_notebook(cells=[new_code_cell("1 + 1")])) == ""
