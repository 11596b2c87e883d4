"""The book's toolchain: equations become drawings with the paper's numbers, and a broken page stops the build."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from repro.pages import api_pages, build

ROOT = Path(__file__).resolve().parents[1]
GENERATED = {"book/status", "book/equations", "book/deviations", *(f"book/api/{room}" for room in api_pages.ROOMS)}


def load_extension():
    spec = importlib.util.spec_from_file_location("math_svg", ROOT / "book" / "_ext" / "math_svg.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


math_svg = load_extension()


def listed(chapters: list[dict]) -> list[str]:
    return [f for c in chapters for f in [c["file"], *listed(c.get("sections", []))]]


def test_contents_list_every_page_once_and_only_pages_that_exist():
    toc = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text())
    names = [toc["root"], *(name for part in toc["parts"] for name in listed(part["chapters"]))]
    assert len(names) == len(set(names))
    written = {p.relative_to(ROOT).with_suffix("").as_posix() for p in (ROOT / "book").rglob("*.md")}
    pages = {p.relative_to(ROOT).with_suffix("").as_posix() for p in build.notebooks()}
    assert set(names) == written | pages | GENERATED


def test_every_room_of_the_package_has_an_api_page():
    package = ROOT / "src" / "repro"
    rooms = {p.stem for p in package.iterdir() if (p.is_dir() and (p / "__init__.py").exists()) or p.suffix == ".py"}
    assert set(api_pages.ROOMS) == {room for room in rooms if not room.startswith("_")}


@pytest.mark.parametrize("inline", [True, False])
def test_equation_is_a_drawing_in_the_colour_of_the_text(inline):
    text, drop = math_svg.svg(r"\frac{1}{N}\sum_{l\in\Omega} \mathbf{w}^l", inline)
    assert text.startswith("<svg")
    assert 'fill="currentColor"' in text
    assert 'fill="black"' not in text
    assert "id=" not in text  # ids of two equations on a page would clash
    assert "em" in text.split("viewBox")[0]  # grows with the reader's font
    assert drop < 0  # a fraction hangs below the baseline


def test_display_is_larger_than_inline():
    def height(inline):
        return float(math_svg.svg(r"\sum_{l} x^l", inline)[0].split('height="')[1].split("em")[0])

    assert height(False) > 1.2 * height(True)


def test_aligned_equations_are_typeset_line_by_line():
    one = math_svg.svg(r"a = b", False)[0]
    two = math_svg.svg(r"\begin{align} a &= b \\ c &= d \end{align}", False)[0]
    assert two.count("<path") > one.count("<path")


@pytest.mark.parametrize(
    ("label", "number"), [("eq-8", "8"), ("eq-15", "15"), ("eq-3a", "3a"), ("own", ""), ("eq-", "")]
)
def test_label_is_the_papers_number(label, number):
    assert math_svg.paper_number(label) == number


def test_latex_that_cannot_be_typeset_is_an_error_that_quotes_it():
    with pytest.raises(ValueError, match="frac"):
        math_svg.svg(r"\frac{1", True)


TINY = {
    "book/_toc.yml": "format: jb-book\nroot: book/intro\nchapters:\n- file: book/equations\n",
    "book/equations.md": "# Index\n\n[]{#index-eq-16}(16) not yet here\n",
    "book/intro.md": "# A page\n\n$$ a = b $$ (eq-8)\n\n{eq}`eq-8`, {eq}`eq-16`, $x_1$ and [index](equations.md).\n",
}


def render(folder: Path, **changes: str) -> tuple[list[str], Path]:
    """Render the tiny book with the project's configuration, extensions and style."""
    pages = folder / "pages"
    for file in [
        "_config.yml",
        *(p.relative_to(ROOT) for p in (ROOT / "book" / "_ext").glob("*.py")),
        "book/_static/book.css",
    ]:
        (pages / file).parent.mkdir(parents=True, exist_ok=True)
        (pages / file).write_bytes((ROOT / file).read_bytes())
    (pages / "book/references.bib").write_text("")
    for name, text in (TINY | changes).items():
        (pages / name).write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPRO_ROOT", str(folder))
        return build.render(pages, folder), folder / "_build" / "html"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return render(tmp_path_factory.mktemp("tiny"))


def test_tiny_book_renders_without_defects_and_is_kept(tiny, capsys):
    defects, html = tiny
    assert defects == []
    assert (html / "index.html").exists()
    assert render(html.parents[1])[0] == []
    assert "nothing changed" in capsys.readouterr().out


def test_equations_carry_and_link_the_papers_numbers(tiny):
    page = (tiny[1] / "book" / "intro.html").read_text()
    assert '<span class="eqno">(8)' in page
    assert 'href="#equation-eq-8"' in page
    assert 'href="equations.html#index-eq-16"' in page  # no page shows it yet: its line in the index
    assert 'aria-label="x_1"' in page
    assert not any("mathjax" in script.lower() for script in re.findall(r"<script[^>]*>", page))


def test_a_link_to_an_equation_carries_its_picture(tiny):
    page = (tiny[1] / "book" / "intro.html").read_text()
    link = re.search(r'<a [^>]*href="#equation-eq-8"[^>]*>Eq.*?</a>', page, flags=re.DOTALL)
    assert 'class="eq-preview"' in link[0]
    assert "<svg" in link[0]


def test_notebooks_and_pages_can_be_downloaded_and_searched_offline(tiny):
    html = tiny[1]
    assert (html / "_sources" / "book" / "intro.md").exists()
    assert (html / "searchindex.js").exists()
    assert "intro" in (html / "searchindex.js").read_text()


def test_a_broken_page_stops_the_build_and_every_fault_is_named(tmp_path):
    broken = "# A page\n\n{eq}`eq-99` [gone](gone.md) $\\frac{1$ ![](lost.png)\n"
    defects, _ = render(tmp_path, **{"book/intro.md": broken})
    for complaint in ("eq-99", "gone", "cannot typeset", "lost.png"):
        assert any(complaint in defect for defect in defects), complaint


def test_commands_explain_themselves():
    command = [sys.executable, "-m", "repro.pages.build", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert all(word in done.stdout for word in ("book", "check", "execute", "normalise"))
