"""Image files in and out: whole pictures or an error that names the file."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

# How a whole file ends: JPEG's end-of-image marker, PNG's last chunk.
_ENDS = {b"\xff\xd8": b"\xff\xd9", b"\x89P": b"IEND\xaeB`\x82"}


class DamagedImage(ValueError):
    """An image file that cannot be decoded."""


def read_image(
    path: str | Path,
    size: tuple[int, int] | None = None,
    resampling: Image.Resampling = Image.Resampling.BILINEAR,
) -> Tensor:
    """Return the image (3, H, W) float32 in [0, 1]; grey and transparent files become RGB.

    Args:
        path: a file that Pillow reads.
        size: (H, W) to resize to, without keeping the aspect ratio, as the authors do; None = as it is.
        resampling: how; the authors take bilinear for pairs, bicubic for frames of videos.

    Raises:
        FileNotFoundError: no such file.
        DamagedImage (a ValueError): the file is no image, truncated or damaged.
    """
    try:
        with Image.open(path) as file:
            if file.format == "PNG":  # decoding alone ignores the checksums of the pixels
                file.verify()
        with Image.open(path) as file:
            # By way of RGBA, because a palette may hold transparent colours.
            image = (file.convert("RGBA") if file.mode == "P" else file).convert("RGB")
    except FileNotFoundError:
        raise FileNotFoundError(f"no image {path}") from None
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise DamagedImage(f"{path}: damaged image ({error}): replace the file or exclude it") from error
    if size is not None and image.size != (size[1], size[0]):
        image = image.resize((size[1], size[0]), resampling)
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).float() / 255


def damage(path: Path, decode: bool = False) -> str | None:
    """Return what is wrong with an image file, None where nothing was found.

    The quick look reads the first and last bytes, which finds empty and truncated files; a file that does not end as
    JPEG or PNG should is decoded before it is called damaged. ``decode`` decodes every file and checks PNG's checksums.
    """
    with path.open("rb") as file:
        start = file.read(2)
        if not start:
            return "empty file"
        end = _ENDS.get(start)
        if not decode and end is not None:
            file.seek(0, 2)
            file.seek(-min(len(end), file.tell()), 2)
            if file.read() == end:
                return None
    try:
        read_image(path)
    except DamagedImage as error:
        return str(error.__cause__)
    return None


def write_image(path: Path, image: Tensor) -> None:
    """Write an image (3, H, W), uint8 or float in [0, 1] (rounded); the file name's ending decides the format."""
    if image.dtype != torch.uint8:
        image = (image.clamp(0, 1) * 255).round().to(torch.uint8)
    picture = Image.fromarray(image.permute(1, 2, 0).contiguous().cpu().numpy())
    # 4:4:4: thin garment patterns keep their colour.
    if path.suffix.lower() in {".jpg", ".jpeg"}:
        picture.save(path, quality=95, subsampling=0)
    else:
        picture.save(path)
