"""A photograph of the user's own as the network wants it: upright, opaque, in the middle of a square."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from repro.data.images import DamagedImage
from repro.data.joints import MISSING, is_missing


@dataclass(frozen=True)
class Photograph:
    """A photograph in a square, and the way from its own pixels to the square's.

    Attributes:
        image: (3, S, S) float32 in [0, 1]; beside the photograph its border pixels repeat.
        original: (H, W) of the photograph, upright.
        window: (top, left, height, width) of the photograph in the square; height and width are even, as videos want.
    """

    image: Tensor
    original: tuple[int, int]
    window: tuple[int, int, int, int]

    def place(self, joints: Tensor) -> Tensor:
        """Return joints (..., 2) of the photograph, (row, column), as they lie in the square; missing ones stay."""
        top, left, height, width = self.window
        factor = torch.tensor([height / self.original[0], width / self.original[1]], dtype=torch.float64)
        moved = joints.double() * factor + torch.tensor([top, left], dtype=torch.float64)
        return moved.masked_fill(is_missing(joints)[..., None], MISSING)

    def cut(self, square: Tensor) -> Tensor:
        """Return the part (..., height, width) of (..., S, S) that is the photograph."""
        top, left, height, width = self.window
        return square[..., top : top + height, left : left + width]


def upright(path: str | Path) -> Image.Image:
    """Return a photograph as RGB: turned as its EXIF says, what is transparent on white.

    Raises:
        FileNotFoundError: no such file.
        DamagedImage (a ValueError): the file is no image, truncated or damaged.
    """
    try:
        with Image.open(path) as file:
            turned = ImageOps.exif_transpose(file)
            if turned.has_transparency_data:
                layer = turned.convert("RGBA")
                turned = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
            return turned.convert("RGB")
    except FileNotFoundError:
        raise FileNotFoundError(f"no photograph {path}") from None
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise DamagedImage(f"{path}: damaged image ({error}): give another file") from error


def read_photograph(path: str | Path, size: int) -> Photograph:
    """Return a photograph in a square of ``size`` pixels a side: its longer side fills it (bicubic).

    Raises:
        FileNotFoundError, DamagedImage: as :func:`upright`.
    """
    picture = upright(path)
    longest = max(picture.size)
    width, height = (max(2, round(side * size / longest / 2) * 2) for side in picture.size)
    pixels = np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC))
    top, left = (size - height) // 2, (size - width) // 2
    padded = np.pad(pixels, ((top, size - height - top), (left, size - width - left), (0, 0)), mode="edge")
    image = torch.from_numpy(padded).permute(2, 0, 1).float() / 255
    return Photograph(image, (picture.height, picture.width), (top, left, height, width))
