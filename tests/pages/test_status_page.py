"""The status page says what ran and how long, and is the same page when all of it is reused."""

from dataclasses import replace

from repro.pages import status
from repro.pages.execution import Outcome

RAN = Outcome("notebooks/a.ipynb", "smoke", 12.34, True, "", "key")
FAILED = Outcome("notebooks/b.ipynb", "recorded", 1.0, False, "ValueError: x | y\nmore", "key")


def test_each_page_has_a_line_with_seconds_and_verdict():
    page = status.page([FAILED, RAN])
    assert "| `notebooks/a.ipynb` | smoke | 12.3 | yes |  |" in page
    assert "| `notebooks/b.ipynb` | recorded | 1.0 | **no** | ValueError: x / y |" in page
    assert page.index("a.ipynb") < page.index("b.ipynb")


def test_reuse_changes_nothing_so_that_nothing_is_rendered_again():
    assert status.page([RAN]) == status.page([replace(RAN, reused=True)])


def test_committed_outputs_are_named_as_such():
    assert "nothing was executed for it" in status.page(None)
