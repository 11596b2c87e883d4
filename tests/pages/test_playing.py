"""Clips in a page: the animated picture holds every frame at its rate, the still is one frame, nothing is fetched."""

import base64
import io
import re

import numpy as np
import pytest
import torch
from PIL import Image

from repro.pages import html_check
from repro.pages.playing import play, side_by_side


def ramp(count: int, height: int = 16, width: int = 24) -> torch.Tensor:
    """Grey frames, each brighter than the one before."""
    return torch.linspace(0.1, 0.9, count)[:, None, None, None].expand(count, 3, height, width)


def pictures(html: str) -> list[Image.Image]:
    found = re.findall(r'(?:src|srcset)="data:image/webp;base64,([^"]+)"', html)
    return [Image.open(io.BytesIO(base64.b64decode(data))) for data in found]


def brightness(picture: Image.Image, frame: int) -> float:
    picture.seek(frame)
    return float(np.asarray(picture.convert("RGB")).mean() / 255)


def test_every_frame_plays_at_its_rate_and_over_and_over():
    still, moving = pictures(play(ramp(5), 12.5, alt="grey", still=3).data)
    assert (moving.n_frames, moving.size, moving.info["loop"]) == (5, (24, 16), 0)
    shown = []
    for frame in range(5):
        shown.append(brightness(moving, frame))
        assert moving.info["duration"] == 80
    np.testing.assert_allclose(shown, np.linspace(0.1, 0.9, 5), atol=0.02)
    assert getattr(still, "n_frames", 1) == 1
    assert brightness(still, 0) == pytest.approx(0.7, abs=0.02)


def test_print_and_less_motion_get_the_still():
    text = play(ramp(2), 10, alt='a "grey" clip').data
    assert re.search(r'<source media="print, \(prefers-reduced-motion: reduce\)" srcset="data:', text)
    assert 'alt="a &quot;grey&quot; clip"' in text


def test_a_page_with_a_clip_is_clean_offline(tmp_path):
    (tmp_path / "page.html").write_text(f"<html><body>{play(ramp(3), 25, alt='grey').data}</body></html>")
    assert html_check.check(tmp_path) == []


@pytest.mark.parametrize(("fps", "still", "said"), [(60, 0, "50"), (0, 0, "above 0"), (25, 3, "from 0 to 2")])
def test_refusals(fps, still, said):
    with pytest.raises(ValueError, match=said):
        play(ramp(3), fps, alt="grey", still=still)


def test_clips_beside_each_other_keep_their_pixels():
    both = side_by_side([ramp(2, 4, 6) * 0, ramp(2, 4, 5)], gap=3)
    assert both.shape == (2, 3, 4, 14)
    assert (both[..., :6] == 0).all()
    assert (both[..., 6:9] == 1).all()
    assert torch.equal(both[..., 9:], ramp(2, 4, 5))
    with pytest.raises(ValueError, match="one length"):
        side_by_side([ramp(2), ramp(3)])
