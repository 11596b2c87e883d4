"""What is done to pictures before they are scored: how files are written, resized, padded, normalised and counted.

Papers rarely say these things, and scores move with every one of them. Each function does one of them to images in
[0, 1]; :mod:`repro.metrics.protocol` says who does which.
"""

import io
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate, pad

from repro.checks import require_choice, require_shape

AUTHORS_BATCH = 64
WHITE_COLUMNS = 40
"""Added left and right of a picture 176 wide, which makes it square at 256."""

_PILLOW = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
    "nearest": Image.Resampling.NEAREST,
}
FILTERS = (*_PILLOW, "bilinear_plain")
"""Pillow's filters, which widen with the reduction, and bilinear without that (OpenCV's and torch's default)."""

# ImageNet's mean and spread of images in [0, 1], as torchvision's recipes state them.
_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def eight_bits(images: Tensor, *, truncate: bool = False) -> Tensor:
    """Return the images as a lossless file keeps them: multiples of 1/255, rounded, or truncated as the authors do.

    Args:
        images: of any shape, in [0, 1]; values outside are clipped.
        truncate: 0.9999 becomes 254/255.
    """
    values = images.clamp(0, 1) * 255
    return (values.floor() if truncate else values.round()) / 255


def jpeg(images: Tensor, quality: int = 75, *, thin_colours: bool = True) -> Tensor:
    """Return the images as they come back from a JPEG file; the defaults are Pillow's.

    Args:
        images: (B, 3, H, W) in [0, 1], rounded to 8 bits first.
        quality: 1 to 95.
        thin_colours: store colour at half the resolution (4:2:0); False keeps it (4:4:4).

    Raises:
        ValueError: another shape or quality.
    """
    if not 1 <= quality <= 95:
        raise ValueError(f"expected a JPEG quality from 1 to 95, got {quality}")

    def written(picture: Image.Image) -> Image.Image:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=quality, subsampling=2 if thin_colours else 0)
        return Image.open(file)

    return _with_pillow(images, written)


def saved_by_authors(images: Tensor) -> Tensor:
    """Return generated images as the authors' test script leaves them on disk: truncated to 8 bits, JPEG quality 75."""
    return jpeg(eight_bits(images, truncate=True))


def resized(images: Tensor, size: tuple[int, int], how: str) -> Tensor:
    """Return the images at another size, in 8 bits, aspect ratio not kept.

    Convention: pixels cover areas (``align_corners=False``). Pillow's filters average over all pixels that a new pixel
    covers; ``bilinear_plain`` reads four of them, however many there are.

    Args:
        images: (B, 3, H, W) in [0, 1].
        size: (h, w).
        how: one of ``FILTERS``.
    """
    require_choice("filter", how, FILTERS)
    if how in _PILLOW:
        return _with_pillow(images, lambda picture: picture.resize((size[1], size[0]), _PILLOW[how]))
    require_shape("images", images, "B 3 H W")
    return eight_bits(interpolate(eight_bits(images), size, mode="bilinear", align_corners=False))


def with_white_columns(images: Tensor, columns: int = WHITE_COLUMNS) -> Tensor:
    """Return the images (B, 3, H, W) with white columns at their left and right, (B, 3, H, W + 2 columns)."""
    require_shape("images", images, "B 3 H W")
    return pad(images, (columns, columns), value=1.0)


def doubly_normalised(images: Tensor) -> Tensor:
    r"""Return what a network is shown that expects images in [0, 1] and gets them through the authors' normalisation.

    .. math:: x'_c = \sigma_c x_c + \mu_c

    with ImageNet's mean and spread. Their Inception is wrapped in the step that takes a picture from ImageNet's
    normalisation to [-1, 1], :math:`2(\sigma x + \mu) - 1`, but is handed pictures that were never normalised: what
    arrives is pale, with a quarter of the contrast.

    Args:
        images: (B, 3, H, W) in [0, 1].
    """
    require_shape("images", images, "B 3 H W")
    mean, spread = (images.new_tensor(values).view(1, 3, 1, 1) for values in (_MEAN, _SPREAD))
    return spread * images + mean


def whole_batches(values: Tensor, batch: int = AUTHORS_BATCH) -> Tensor:
    """Return the first axis without its incomplete last batch, which the authors' script leaves out.

    Args:
        values: (N, ...), one entry per picture or pair.
        batch: entries of a batch.

    Raises:
        ValueError: not one whole batch.
    """
    whole = len(values) // batch * batch
    if whole == 0:
        raise ValueError(f"expected at least {batch} pictures, a whole batch of this protocol, got {len(values)}")
    return values[:whole]


def _with_pillow(images: Tensor, change: Callable[[Image.Image], Image.Image]) -> Tensor:
    require_shape("images", images, "B 3 H W")
    pixels = (eight_bits(images) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    changed = [np.array(change(Image.fromarray(picture))) for picture in pixels]
    return torch.from_numpy(np.stack(changed)).permute(0, 3, 1, 2).to(images) / 255
