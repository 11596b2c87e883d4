"""Every equation of the paper is in the index, and everything that the index names exists."""

import inspect
import re

import pytest

from repro import paths
from repro.pages import equation_index
from repro.pages.equation_index import EQUATIONS

IMPLEMENTED = [e for e in EQUATIONS if e.code]
each = pytest.mark.parametrize("equation", IMPLEMENTED, ids=lambda e: f"Eq{e.number}")


def test_all_26_equations_have_code_and_a_page():
    assert [e.number for e in EQUATIONS] == list(range(1, 27))
    assert [e.number for e in IMPLEMENTED if e.page] == list(range(1, 27))


@each
def test_code_exists_where_the_index_says(equation):
    for target in equation.code:
        file, line = equation_index.place(target)
        lines = (paths.root() / file).read_text().splitlines()
        name = target.split(":")[1]
        window = "\n".join(lines[line - 1 : line + 4])  # a decorator may stand above
        assert re.search(rf"^(def|class) {name}\b", window, flags=re.MULTILINE), f"{file}:{line}"


@each
def test_docstring_of_the_code_names_the_equation(equation):
    """The line "an equation" of the design: page -> function whose docstring names the equation -> test."""
    texts = []
    for target in equation.code:
        thing = equation_index.resolve(target)
        source = inspect.getsource(thing) if inspect.isclass(thing) else inspect.getdoc(thing)
        texts.append(f"{inspect.getmodule(thing).__doc__} {source}")
    named = {n for text in texts for n in _numbers(text)}
    assert equation.number in named


def _numbers(text: str) -> set[int]:
    """Return the equation numbers that a text names: "Eq. 8", "Eq. 4-6", "Eq. 8 and 9", "(7)" behind a formula."""
    found = {int(n) for n in re.findall(r"\\quad \((\d+)\)", text)}
    for first, joint, last in re.findall(r"Eq\. (\d+)(?:( and |-|, )(\d+))?", text):
        found |= (
            set(range(int(first), int(last) + 1)) if joint == "-" else {int(first)} | ({int(last)} if last else set())
        )
    return found


@each
def test_each_equation_is_tested_by_name(equation):
    assert any(equation_index.tests_of(target) for target in equation.code)


@each
def test_page_exists_and_labels_the_equation(equation):
    page = paths.root() / "notebooks" / f"{equation.page}.ipynb"
    if not equation.page or not page.exists():
        pytest.skip(f"{page.name} is not written yet")
    assert f"(eq-{equation.number})" in page.read_text(encoding="utf-8"), "label it: $$ ... $$ (eq-N)"


def test_index_page_shows_every_equation_with_an_anchor():
    text = equation_index.page()
    for equation in EQUATIONS:
        assert f"#index-eq-{equation.number}}}" in text
        assert equation.latex in text
    assert text.count("not yet here") == len(EQUATIONS) - len(IMPLEMENTED)
