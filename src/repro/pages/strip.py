"""A slider over pre-computed pictures that moves without a kernel, a network or a third-party script."""

import base64
import hashlib
import io
from collections.abc import Iterable
from html import escape

import matplotlib.pyplot as plt
from IPython.display import HTML
from matplotlib.figure import Figure


def slider_strip(frames: Iterable[tuple[str, Figure]], *, alt: str, start: int = 0, dpi: int = 90) -> HTML:
    """Return a range slider that shows one picture of a series at a time.

    The frames are embedded as WebP, a fraction of PNG's bytes, so that the strip works in the rendered book, offline,
    and in print (where the first frame chosen by ``start`` is shown).

    Args:
        frames: pairs (label, figure); each figure is drawn and closed.
        alt: what the series shows, for readers who do not see it.
        start: index of the picture shown first.
        dpi: resolution of the pictures.

    Returns:
        An HTML object that a notebook cell displays.

    Raises:
        ValueError: no frames, or ``start`` outside of them.
    """
    labels, pictures = [], []
    for label, figure in frames:
        buffer = io.BytesIO()
        figure.savefig(
            buffer, format="webp", dpi=dpi, bbox_inches="tight", facecolor="white", pil_kwargs={"quality": 88}
        )
        plt.close(figure)
        labels.append(label)
        pictures.append(base64.b64encode(buffer.getvalue()).decode())
    if not 0 <= start < len(pictures):
        raise ValueError(f"expected start between 0 and {len(pictures) - 1}, got {start}: give at least one frame")
    name = "strip-" + hashlib.sha256("".join(pictures).encode()).hexdigest()[:10]
    images = "".join(
        f'<figure style="margin:0;display:{"block" if i == start else "none"}">'
        f'<img alt="{escape(alt)}: {escape(label)}" src="data:image/webp;base64,{picture}" style="max-width:100%">'
        f"<figcaption>{escape(label)}</figcaption></figure>"
        for i, (label, picture) in enumerate(zip(labels, pictures))
    )
    move = (
        "const f=this.parentNode.querySelectorAll('figure');"
        "f.forEach((e,i)=>e.style.display=i==this.value?'block':'none')"
    )
    return HTML(
        f'<div id="{name}" class="slider-strip">{images}'
        f'<input type="range" min="0" max="{len(pictures) - 1}" value="{start}" step="1" style="width:100%"'
        f' aria-label="{escape(alt)}" oninput="{move}"></div>'
    )
