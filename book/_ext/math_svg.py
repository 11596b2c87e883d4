"""Sphinx extension: equations as SVG made at build time, numbered as in the paper.

No script runs in the reader's browser: `ziamath` typesets the LaTeX, the drawing takes the colour of the text around it
(light and dark), and the LaTeX itself is the alternative text, for screen readers and for copying.

An equation labelled ``eq-8`` shows "(8)", the paper's number, and ``{eq}`eq-8``` links to it. An equation of the paper
that no page shows yet links to its line in the index of equations. Other labels show no number.
"""

import re
from functools import cache
from html import escape
from typing import Any

import ziamath
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.domains.math import MathDomain
from sphinx.util import logging
from sphinx.util.nodes import make_refnode

logger = logging.getLogger(__name__)

PAPER_LABEL = re.compile(r"eq-(\d+[a-z]?)")
LAST = 26  # the paper's last number
INDEX = "book/equations"  # the page with one line per equation, anchors `index-eq-N`
INLINE_SIZE, DISPLAY_SIZE = (
    17.0,
    19.0,
)  # px, beside body text of 16 px: STIX Two is a little smaller than the text's font
EM = 16.0


class PaperMathDomain(MathDomain):
    """Equations carry the paper's numbers instead of a count."""

    def note_equation(self, docname: str, labelid: str, location: Any = None) -> None:
        super().note_equation(docname, labelid, location)
        self.equations[labelid] = (docname, paper_number(labelid))  # type: ignore[assignment]

    def process_doc(self, env, docname, document):
        """Keep the LaTeX of labelled equations: a link to one shows it when the reader points at it."""
        super().process_doc(env, docname, document)
        latex = self.data.setdefault("latex", {})
        latex.update({node["label"]: node.astext() for node in document.findall(nodes.math_block) if node.get("label")})

    def resolve_xref(self, env, fromdocname, builder, typ, target, node, contnode):
        """Link to the equation, or, where no page shows it yet, to its line in the index."""
        number = paper_number(target)
        in_paper = number.isdigit() and 1 <= int(number) <= LAST
        if target in self.equations or not in_paper or INDEX not in env.found_docs:
            link = super().resolve_xref(env, fromdocname, builder, typ, target, node, contnode)
            if link is not None and target in self.data["latex"]:
                link += preview(self.data["latex"][target])
            return link
        title = (env.config.math_eqref_format or "({number})").format(number=number)
        return make_refnode(builder, fromdocname, INDEX, f"index-{target}", nodes.Text(title))


def preview(latex: str) -> nodes.raw:
    """Return the equation as a box that the style sheet shows while a link to it is pointed at."""
    try:
        drawing = svg(latex, inline=False)[0]
    except ValueError:  # reported where the equation stands
        drawing = escape(latex)
    return nodes.raw("", f'<span class="eq-preview" aria-hidden="true">{drawing}</span>', format="html")


def paper_number(label: str) -> str:
    """Return "8" for ``eq-8``, "" for a label that names no equation of the paper."""
    found = PAPER_LABEL.fullmatch(label)
    return found.group(1) if found else ""


@cache
def svg(latex: str, inline: bool) -> tuple[str, float]:
    """Return (SVG text, drop below the baseline in em) of a piece of LaTeX.

    Raises:
        ValueError: the LaTeX cannot be typeset.
    """
    ziamath.config.svg2 = False  # glyphs as paths: no ids that could clash on a page
    size = INLINE_SIZE if inline else DISPLAY_SIZE
    try:
        drawn = ziamath.Latex(prepare(latex), size=size, inline=inline, color="currentColor")
        text = drawn.svg()
    except Exception as error:
        raise ValueError(f"cannot typeset {latex!r}: {error}") from error
    # Sizes in em, so that the equation grows with the reader's font.
    text = re.sub(
        r'width="([\d.]+)" height="([\d.]+)"',
        lambda m: f'width="{float(m[1]) / EM:.3f}em" height="{float(m[2]) / EM:.3f}em"',
        text,
        count=1,
    )
    hidden = 'aria-hidden="true" focusable="false" xmlns='
    return text.replace("xmlns=", hidden, 1), drawn.getyofst() / EM


def prepare(latex: str) -> str:
    """Return the LaTeX without what a typesetter of single equations does not know."""
    text = re.sub(r"\\(?:label|nonumber|notag)(?:\{[^}]*\})?", "", latex.strip())
    text = re.sub(r"\\(begin|end)\{(align|equation|gather|split)\*?\}", _environment, text)
    return text.strip()


def _environment(match: re.Match) -> str:
    # `equation` only starts display mode; the aligned ones exist inside of an equation as `aligned`.
    return "" if match[2] in ("equation", "gather") else rf"\{match[1]}{{aligned}}"


def visit_inline(self, node: nodes.math) -> None:
    """Write an inline formula, its baseline on the text's."""
    text, drop = _typeset(node, inline=True)
    self.body.append(
        f'<span class="math-inline" role="math" aria-label="{escape(node.astext())}" '
        f'style="--drop:{drop:.3f}em">{text}</span>'
    )
    raise nodes.SkipNode


def visit_block(self, node: nodes.math_block) -> None:
    """Write a displayed equation with the paper's number at its right."""
    text, _ = _typeset(node, inline=False)
    number = paper_number(node.get("label") or "")
    self.body.append(self.starttag(node, "div", CLASS="math-block"))
    self.body.append(
        f'<div class="math-scroll" role="math" aria-label="{escape(node.astext().strip())}" tabindex="0">{text}</div>'
    )
    if number:
        self.body.append(f'<span class="eqno">({number})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append("</div>\n")
    raise nodes.SkipNode


def _typeset(node: nodes.Node, inline: bool) -> tuple[str, float]:
    try:
        return svg(node.astext(), inline)
    except ValueError as error:
        logger.warning("%s", error, location=node)
        return f"<code>{escape(node.astext())}</code>", 0.0


def setup(app: Sphinx) -> dict:
    """Register the renderer ``svg`` and the domain with the paper's numbers."""
    app.add_domain(PaperMathDomain, override=True)
    app.add_html_math_renderer("svg", inline_renderers=(visit_inline, None), block_renderers=(visit_block, None))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
