"""Clips that play in the page: one animated picture, no script needed to move, offline, and a still for print."""

import base64
import io
from collections.abc import Sequence
from html import escape

import numpy as np
import torch
from IPython.display import HTML
from PIL import Image
from torch import Tensor
from torch.nn import functional

from repro.pages.figures import image_array

QUALITY = 70
"""Of the WebP pictures, 0 to 100."""


def play(frames: Tensor, fps: float, *, alt: str, still: int = 0) -> HTML:
    """Return a clip that plays over and over, with a button that stops it.

    Print, and readers who asked their browser for less motion, get one frame.

    Args:
        frames: (T, 3, H, W) in [0, 1].
        fps: frames per second, at most 50: browsers slow down faster pictures.
        alt: what is seen, for readers who do not see it.
        still: the frame of the still.

    Raises:
        ValueError: a rate that browsers do not keep, or a still outside of the clip.
    """
    if not 0 < fps <= 50:
        raise ValueError(f"expected a rate above 0 and at most 50 frames per second, got {fps:g}: leave frames out")
    if not 0 <= still < len(frames):
        raise ValueError(f"expected a still from 0 to {len(frames) - 1}, got {still}")
    pictures = [Image.fromarray(np.round(255 * image_array(frame)).astype(np.uint8)) for frame in frames]
    moving = _webp(pictures, duration=round(1000 / fps), loop=0)
    # The button lets the two pictures change places.
    swap = (
        "const f=this.parentNode,i=f.querySelector('img'),s=f.querySelector('source');[i.src,s.srcset]=[s.srcset,i.src]"
    )
    return HTML(
        '<figure class="clip" style="margin:0"><picture>'
        f'<source media="print, (prefers-reduced-motion: reduce)" srcset="{_webp([pictures[still]])}">'
        f'<img alt="{escape(alt)}" src="{moving}" style="max-width:100%"></picture>'
        f'<button type="button" onclick="{swap}">stop or play</button></figure>'
    )


def side_by_side(clips: Sequence[Tensor], gap: int = 4) -> Tensor:
    """Return clips (T, 3, H, W_i) beside each other, (T, 3, H, W), white between them.

    Raises:
        ValueError: clips of other lengths or heights.
    """
    shapes = {tuple(clip.shape[:3]) for clip in clips}
    if len(shapes) != 1:
        raise ValueError(f"expected clips of one length and height, got (T, 3, H) of {sorted(shapes)}")
    padded = [functional.pad(clip, (0, gap), value=1.0) for clip in clips[:-1]]
    return torch.cat([*padded, clips[-1]], -1)


def _webp(pictures: list[Image.Image], **options: int) -> str:
    """The address of a WebP picture, moving if there are several, that holds the picture itself."""
    buffer = io.BytesIO()
    pictures[0].save(
        buffer, format="webp", quality=QUALITY, method=4, save_all=len(pictures) > 1, append_images=pictures[1:],
        **options,
    )  # fmt: skip
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
