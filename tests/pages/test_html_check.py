"""The link check finds what a reader would stumble over, and nothing else."""

import pytest

from repro.pages.html_check import check

GOOD = """<html><link rel="stylesheet" href="s.css"><body id="top">
<a href="b.html#part">b</a><a href="#top">up</a><a href="https://example.org/paper">paper</a>
<img src="p.png" alt="a picture"><img alt="dot" src="data:image/png;base64,AA=="></body></html>"""


@pytest.fixture
def book(tmp_path):
    (tmp_path / "a.html").write_text(GOOD)
    (tmp_path / "b.html").write_text('<h2 id="part">x</h2>')
    (tmp_path / "p.png").write_bytes(b"")
    (tmp_path / "s.css").write_text("a { background: url(p.png) }")
    return tmp_path


def test_clean_book_has_no_defects(book):
    assert check(book) == []


@pytest.mark.parametrize(
    ("addition", "complaint"),
    [
        ('<a href="gone.html">x</a>', "gone.html, which does not exist"),
        ('<a href="b.html#gone">x</a>', "b.html#gone, where there is no such anchor"),
        ('<img src="gone.png" alt="x">', "gone.png, which does not exist"),
        ('<img src="p.png">', "without alternative text"),
        ('<img src="p.png" alt="p.png">', "without alternative text"),
        ('<script src="https://cdn.example.org/x.js"></script>', "<script> fetches https://cdn.example.org/x.js"),
        ('<script src="//cdn.example.org/x.js"></script>', "<script> fetches //cdn.example.org/x.js"),
        ('<link rel="stylesheet" href="https://example.org/f.css">', "<link> fetches"),
        ('<link rel="preload" as="font" href="https://example.org/f.woff2">', "<link> fetches"),
        ('<img src="http://example.org/x.png" alt="x">', "<img> fetches"),
        ('<iframe src="https://example.org"></iframe>', "<iframe> fetches"),
        ("<style>@import 'https://example.org/f.css';</style>", "style fetches https://example.org/f.css"),
        ('<p style="background: url(//example.org/x.png)">x</p>', "style fetches //example.org/x.png"),
    ],
)
def test_each_kind_of_defect_is_named(book, addition, complaint):
    page = book / "a.html"
    page.write_text(GOOD + addition)
    (defect,) = check(book)
    assert defect.startswith("a.html")
    assert complaint in defect


def test_a_font_from_elsewhere_in_a_style_sheet_is_found(book):
    (book / "s.css").write_text('@font-face { src: url("https://fonts.example.org/x.woff2") }')
    assert check(book) == ["s.css: style fetches https://fonts.example.org/x.woff2"]


def test_naming_another_page_fetches_nothing(book):
    (book / "a.html").write_text(GOOD + '<link rel="canonical" href="https://example.org/a.html">')
    assert check(book) == []


def test_an_empty_folder_is_no_book(tmp_path):
    assert "build the book first" in check(tmp_path)[0]
