"""The structural similarities of the literature: one index, four computations, four different numbers.

The project's own tables use :func:`repro.metrics.image.ssim_skimage_gaussian`; papers on people use mostly
:func:`ssim_generated_range`.
"""

from typing import Any

import torch
from skimage.metrics import structural_similarity
from torch import Tensor

from repro.checks import require_shape
from repro.metrics.image import ssim_skimage_gaussian

_GAUSSIAN: dict[str, Any] = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}


def ssim_gaussian(generated: Tensor, target: Tensor) -> Tensor:
    """Return the form of Wang et al. 2004 per image, (B,), float64: Gaussian window, data range 1.

    Args:
        generated, target: (B, 3, H, W) in [0, 1], sides of at least 11.
    """
    return ssim_skimage_gaussian(generated, target)[0]


def ssim_generated_range(generated: Tensor, target: Tensor) -> Tensor:
    r"""Return the form of the papers on people, per image, (B,), float64: Gaussian window, range of the generated.

    As :func:`ssim_gaussian`, but what counts as the range L of the data in

    .. math:: C_1 = (0.01\,L)^2, \qquad C_2 = (0.03\,L)^2

    is not the 255 that pixels can have but the span (largest minus smallest value) of this one generated picture. A
    picture of little contrast so gets smaller constants, and mostly a lower score. Def-GAN, Pose-Attn and SCA-GAN
    compute it so, and so does the second of the two forms in the authors' script.

    Args:
        generated, target: (B, 3, H, W) in [0, 1], sides of at least 11. A generated picture of one single value has no
            range: NaN.
    """
    values = generated.double().flatten(1)
    return _per_image(generated, target, values.amax(1) - values.amin(1), **_GAUSSIAN)


def ssim_uniform7(generated: Tensor, target: Tensor) -> Tensor:
    """Return scikit-image's default per image, (B,), float64: mean over 7 x 7, sample covariances; as in Intr-Flow.

    Args:
        generated, target: (B, 3, H, W) in [0, 1], sides of at least 7.
    """
    return _per_image(generated, target, torch.ones(len(generated)))


def ssim_uniform51(generated: Tensor, target: Tensor) -> Tensor:
    """Return the first form of the authors' script per image, (B,), float64: mean over 51 x 51, range 1.

    So large a window sees light and colour of whole body parts and hardly any texture.

    Args:
        generated, target: (B, 3, H, W) in [0, 1], sides of at least 51.
    """
    return _per_image(generated, target, torch.ones(len(generated)), win_size=51)


def _per_image(generated: Tensor, target: Tensor, data_range: Tensor, **options: Any) -> Tensor:
    """Return scikit-image's mean per image for ranges (B,); NaN where the range is 0."""
    sizes = require_shape("generated", generated, "B 3 H W")
    require_shape("target", target, "B 3 H W", sizes=sizes)
    scores = torch.full((len(generated),), float("nan"), dtype=torch.float64)
    for index, span in enumerate(data_range.tolist()):
        if span > 0:
            a, b = (images[index].double().cpu().numpy() for images in (generated, target))
            scores[index] = structural_similarity(a, b, channel_axis=0, data_range=span, **options)
    return scores
