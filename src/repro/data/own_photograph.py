"""A photograph of the user's own as the network wants it: upright, opaque, in the middle of the network's frame."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import ExifTags, Image, ImageOps
from torch import Tensor

from repro.data.images import DamagedImage
from repro.data.joints import MISSING, is_missing

ENOUGH = 2048
"""Pixels of the longer side that are kept when a JPEG is decoded at a half, a quarter or an eighth of its size."""
MEGAPIXELS = 40
"""Decoded at most: with transparency 160 MB, and a few copies of that."""
TURNED = (5, 6, 7, 8)
"""EXIF's orientations of pictures that lie on their side."""


class TooLarge(ValueError):
    """A photograph that would take too much memory; the message says what to do."""


@dataclass(frozen=True)
class Photograph:
    """A photograph in the network's frame, and the way from its own pixels to the frame's.

    Attributes:
        image: (3, H, W) float32 in [0, 1] of the frame; beside the photograph its border pixels repeat.
        original: (h, w) of the photograph, upright.
        window: (top, left, height, width) of the photograph in the frame; height and width are even, as videos want.
    """

    image: Tensor
    original: tuple[int, int]
    window: tuple[int, int, int, int]

    def place(self, joints: Tensor) -> Tensor:
        """Return joints (..., 2) of the photograph, (row, column), as they lie in the frame; missing ones stay."""
        top, left, height, width = self.window
        factor = torch.tensor([height / self.original[0], width / self.original[1]], dtype=torch.float64)
        moved = joints.double() * factor + torch.tensor([top, left], dtype=torch.float64)
        return moved.masked_fill(is_missing(joints)[..., None], MISSING)

    def cut(self, frame: Tensor) -> Tensor:
        """Return the part (..., height, width) of (..., H, W) that is the photograph."""
        top, left, height, width = self.window
        return frame[..., top : top + height, left : left + width]


def upright(path: str | Path) -> tuple[Image.Image, tuple[int, int]]:
    """Return a photograph as RGB, turned as its EXIF says, what is transparent on white; and its own (height, width).

    A very large JPEG is decoded at a part of its size, so that memory stays bounded; the picture is then smaller than
    the size that is returned.

    Raises:
        FileNotFoundError, IsADirectoryError: no such file.
        DamagedImage (a ValueError): the file is no image, truncated or damaged.
        TooLarge (a ValueError): more pixels than are decoded.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # what is too large is refused below
            file = Image.open(path)
        with file:
            width, height = file.size
            factor = max(file.size) // ENOUGH
            if factor > 1:
                file.draft(None, (max(1, width // factor), max(1, height // factor)))
            decoded = file.size
            if decoded[0] * decoded[1] <= MEGAPIXELS * 1e6:
                orientation = file.getexif().get(ExifTags.Base.Orientation)
                size = (width, height) if orientation in TURNED else (height, width)
                return _opaque(ImageOps.exif_transpose(file)), size
    except FileNotFoundError:
        raise FileNotFoundError(f"no photograph {path}") from None
    except IsADirectoryError:
        raise IsADirectoryError(f"no photograph {path}: it is a folder, give a file in it") from None
    except Image.DecompressionBombError as error:
        raise TooLarge(f"{path}: {error}: make it smaller") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise DamagedImage(f"{path}: damaged image ({error}): give another file, a whole JPEG or PNG") from error
    raise TooLarge(
        f"{path} has {width}x{height} pixels, {width * height / 1e6:.0f} megapixels of {file.format}: expected at most "
        f"{MEGAPIXELS}: make it smaller, or a JPEG, which is decoded at a part of its size"
    )


def read_photograph(path: str | Path, size: int | tuple[int, int], stretch: float = 1.0) -> Photograph:
    """Return a photograph in a frame of ``size``, as large as fits (bicubic).

    Args:
        path: the file.
        size: (H, W) of the frame, or one number for a square.
        stretch: the photograph's width is multiplied by it: networks that learned from stretched pictures want that.

    Raises:
        FileNotFoundError, DamagedImage, TooLarge: as :func:`upright`.
    """
    picture, (own_height, own_width) = upright(path)
    rows, columns = (size, size) if isinstance(size, int) else size
    scale = min(rows / own_height, columns / (own_width * stretch))
    height, width = (max(2, round(side * scale / 2) * 2) for side in (own_height, own_width * stretch))
    pixels = np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC))
    top, left = (rows - height) // 2, (columns - width) // 2
    padded = np.pad(pixels, ((top, rows - height - top), (left, columns - width - left), (0, 0)), mode="edge")
    image = torch.from_numpy(padded).permute(2, 0, 1).float() / 255
    return Photograph(image, (own_height, own_width), (top, left, height, width))


def _opaque(picture: Image.Image) -> Image.Image:
    """The picture as RGB."""
    if picture.mode.startswith("I;16"):  # Pillow would cut off what is above 255
        picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return picture.convert("RGB")
