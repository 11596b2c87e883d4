"""Pages run, are reused while nothing changed, say why they run again, and are committed clean."""

import json

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from repro.pages import execution
from repro.pages.execution import Job


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A project with nothing but one page that prints what its parameters cell says."""
    monkeypatch.setenv("REPRO_ROOT", str(tmp_path))
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "code.py").write_text("one = 1\n")
    cells = [
        new_markdown_cell("# A page"),
        new_code_cell("profile = 'recorded'", metadata={"tags": ["parameters"]}),
        new_code_cell("print(profile, 1 + 1)", metadata={"tags": ["nbval-check-output"]}),
    ]
    (tmp_path / "notebooks").mkdir()
    nbformat.write(new_notebook(cells=cells), tmp_path / "notebooks" / "page.ipynb")
    return tmp_path


def job(root, profile="recorded", parameters=()) -> Job:
    return Job(root / "notebooks/page.ipynb", profile, root / f"_build/{profile}/page.ipynb", dict(parameters))


def printed(file) -> str:
    notebook = nbformat.read(file, as_version=4)
    return "".join(o.text for c in notebook.cells if c.cell_type == "code" for o in c.outputs if "text" in o)


def test_pages_run_with_their_parameters_and_are_reused_until_something_changes(root, capsys):
    jobs = [job(root), job(root, "smoke", {"profile": "smoke"})]
    first = execution.run_all(jobs)
    assert [(o.ok, o.reused, o.page) for o in first] == [(True, False, "notebooks/page.ipynb")] * 2
    assert [printed(j.target) for j in jobs] == ["recorded 2\n", "smoke 2\n"]
    assert "left" in capsys.readouterr().out

    assert [o.reused for o in execution.run_all(jobs)] == [True, True]
    assert "nothing changed" in capsys.readouterr().out

    (root / "src" / "code.py").write_text("one = 2\n")
    assert [o.reused for o in execution.run_all(jobs[:1])] == [False]
    assert "the code or the data changed" in capsys.readouterr().out


def test_figures_are_in_the_page_whatever_draws_them_elsewhere(monkeypatch):
    """``make`` and servers ask for a matplotlib that shows nothing."""
    monkeypatch.setenv("MPLBACKEND", "agg")
    notebook = new_notebook(cells=[new_code_cell("import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()")])
    execution.run(notebook)
    assert [output.output_type for output in notebook.cells[0].outputs] == ["display_data"]
    assert "image/png" in notebook.cells[0].outputs[0].data


def test_a_failing_page_is_reported_and_does_not_stop_the_others(root):
    bad = nbformat.read(root / "notebooks/page.ipynb", as_version=4)
    bad.cells[1].source = "raise RuntimeError('no data here')"
    nbformat.write(bad, root / "notebooks/bad.ipynb")
    jobs = [Job(root / "notebooks/bad.ipynb", "recorded", root / "_build/bad.ipynb", {}), job(root)]
    outcomes = execution.run_all(jobs)
    assert [o.ok for o in outcomes] == [False, True]
    assert "no data here" in outcomes[0].message
    assert not execution.run_all(jobs)[0].reused  # a failure is tried again


def test_fingerprint_depends_on_cells_profile_and_dependencies_only(root):
    page = root / "notebooks/page.ipynb"
    key = execution.fingerprint(page, "recorded", "abc")
    notebook = nbformat.read(page, as_version=4)
    notebook.cells[2].outputs = [new_output("stream", text="recorded 2\n")]
    nbformat.write(notebook, page)
    assert execution.fingerprint(page, "recorded", "abc") == key
    assert execution.fingerprint(page, "smoke", "abc") != key
    assert execution.fingerprint(page, "recorded", "abd") != key
    notebook.cells[2].source = "print(3)"
    nbformat.write(notebook, page)
    assert execution.fingerprint(page, "recorded", "abc") != key


def test_takes_profile_reads_the_parameters_cell(root):
    notebook = nbformat.read(root / "notebooks/page.ipynb", as_version=4)
    assert execution.takes_profile(notebook)
    notebook.cells[1].metadata = {}
    assert not execution.takes_profile(notebook)


def test_normalise_keeps_results_and_widgets_and_drops_the_machine(tmp_path):
    result = new_output(
        "execute_result", {"text/plain": "2"}, execution_count=17, metadata={"needs_background": "light"}
    )
    code = new_code_cell("1 + 1", execution_count=17, outputs=[result])
    code.metadata = {
        "tags": ["nbval-check-output"],
        "execution": {"iopub.status": "2026"},
        "papermill": {"duration": 1},
    }
    notebook = new_notebook(cells=[new_markdown_cell("x"), new_code_cell("pass"), code])
    notebook.metadata = {
        "papermill": {"input_path": "somewhere"},
        "language_info": {"name": "python", "version": "3.11.7"},
        "widgets": {"application/vnd.jupyter.widget-state+json": {"state": {}}},
    }
    clean = execution.normalise(notebook)
    assert sorted(clean.metadata) == ["kernelspec", "language_info", "widgets"]
    assert "version" not in clean.metadata.language_info
    assert clean.cells[2].metadata == {"tags": ["nbval-check-output"]}
    assert clean.cells[2].execution_count == 1
    assert clean.cells[2].outputs[0].execution_count == 1
    assert clean.cells[2].outputs[0].metadata == {}
    assert [c.id for c in clean.cells] == ["cell-0", "cell-1", "cell-2"]
    nbformat.validate(clean)
    once = json.dumps(clean)
    assert json.dumps(execution.normalise(clean)) == once


def test_figures_are_described_by_their_section_unless_the_page_says_more():
    figure = new_output("display_data", {"image/png": "AA=="})
    silent = new_code_cell("plot()", outputs=[figure])
    spoken = new_code_cell("plot()", outputs=[figure], metadata={"mystnb": {"image": {"alt": "a flow"}}})
    cells = [new_markdown_cell("# Page\n\n## The flow"), silent, spoken, new_code_cell("print(1)")]
    described = execution.describe_figures(new_notebook(cells=cells))
    alts = [c.metadata.get("mystnb", {}).get("image", {}).get("alt") for c in described.cells[1:]]
    assert alts == ["Figure of the section “The flow”", "a flow", None]
