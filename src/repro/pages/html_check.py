"""Check rendered HTML: every local link leads somewhere and nothing is fetched from elsewhere."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Elements whose address is fetched when the page opens (an <a href> is only followed when the reader clicks).
FETCHED = {
    ("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"), ("source", "src"), ("source", "srcset"),
    ("video", "src"), ("audio", "src"), ("embed", "src"), ("object", "data"), ("image", "href"), ("use", "href"),
    ("image", "xlink:href"), ("use", "xlink:href"), ("track", "src"), ("input", "src"), ("img", "srcset"),
}  # fmt: skip
# <link rel=...> that names another page and fetches nothing.
NAMING = {"canonical", "next", "prev", "search", "index", "author", "license", "alternate", "help", "bookmark"}


class _Page(HTMLParser):
    """Collects the addresses, the anchors and the inline style of one page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[tuple[str, str, bool]] = []  # (element, address, fetched)
        self.anchors: set[str] = set()
        self.styles: list[str] = []
        self.missing_alt: list[str] = []
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self._in_style = tag == "style"
        for name in ("id", "name"):
            if name in values:
                self.anchors.add(values[name])
        if "style" in values:
            self.styles.append(values["style"])
        if tag == "img" and (not values.get("alt", "").strip() or values["alt"] == values.get("src")):
            self.missing_alt.append(values.get("src", "")[:60])
        for name in ("href", "src", "srcset", "data", "xlink:href"):
            if values.get(name):
                naming = tag == "link" and bool(set(values.get("rel", "").split()) & NAMING)
                self.links.append((tag, values[name], (tag, name) in FETCHED and not naming))

    handle_startendtag = handle_starttag

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.styles.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "style":
            self._in_style = False


def check(folder: Path) -> list[str]:
    """Return one line per defect of the HTML under ``folder``; an empty list is a clean book.

    A defect is a local ``src`` or ``href`` whose file or anchor does not exist, anything that a browser would fetch
    from another host (scripts, styles, fonts, pictures; in HTML and in style sheets), or a picture without
    alternative text.

    Args:
        folder: the root of the rendered book.
    """
    defects: list[str] = []
    # The theme leaves templates among its static files; they are no pages.
    files = sorted(file for file in folder.rglob("*.html") if "_static" not in file.relative_to(folder).parts)
    if not files:
        return [f"expected HTML pages under {folder}, found none: build the book first"]
    pages = {file.resolve(): _parse(file) for file in files}
    for file, page in pages.items():
        name = file.relative_to(folder.resolve()).as_posix()
        defects += [f"{name}: style fetches {url}" for style in page.styles for url in _outside(style)]
        defects += [f"{name}: picture without alternative text: {src}" for src in page.missing_alt]
        for tag, address, fetched in page.links:
            parts = urlsplit(address)
            if parts.scheme == "data" or parts.scheme in ("mailto", "javascript"):
                continue
            if parts.scheme or parts.netloc:
                if fetched:
                    defects.append(f"{name}: <{tag}> fetches {address}")
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            if not target.exists():
                defects.append(f"{name}: <{tag}> points to {address}, which does not exist")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                defects.append(f"{name}: <{tag}> points to {address}, where there is no such anchor")
    for sheet in sorted(folder.rglob("*.css")):
        urls = _outside(sheet.read_text(encoding="utf-8", errors="replace"))
        defects += [f"{sheet.relative_to(folder)}: style fetches {url}" for url in urls]
    return defects


def _parse(file: Path) -> _Page:
    page = _Page()
    page.feed(file.read_text(encoding="utf-8"))
    page.close()
    return page


def _outside(style: str) -> list[str]:
    """Return the addresses on other hosts that a piece of CSS fetches."""
    urls = re.findall(r"url\(\s*['\"]?([^'\")]+)|@import\s+['\"]([^'\"]+)", style)
    return [url for pair in urls for url in pair if url.startswith(("http:", "https:", "//"))]
