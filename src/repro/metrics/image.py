"""Differences between images in [0, 1], per image; means over pairs are taken where results are collected."""

import torch
from skimage.metrics import structural_similarity
from torch import Tensor

from repro.checks import require_shape
from repro.metrics.flow import masked_mean


def l1(generated: Tensor, target: Tensor, where: Tensor | None = None) -> Tensor:
    """Return the mean absolute difference per image, (B,), float64, over colours and pixels.

    Args:
        generated: (B, 3, H, W) in [0, 1].
        target: (B, 3, H, W).
        where: (B, H, W) bool restricts it, for example to the person's pixels; NaN where it is empty.
    """
    _check(generated, target, where)
    difference = (generated.double() - target.double()).abs().mean(1)
    return masked_mean(difference, torch.ones_like(difference, dtype=torch.bool) if where is None else where)


def psnr(generated: Tensor, target: Tensor) -> Tensor:
    r"""Return the peak signal-to-noise ratio per image in dB, (B,), float64; infinite for equal images.

    .. math:: \mathrm{PSNR} = -10 \log_{10} \mathrm{MSE}, \qquad \text{peak } 1
    """
    _check(generated, target, None)
    return -10 * torch.log10((generated.double() - target.double()).square().mean((1, 2, 3)))


def relative_error(generated: Tensor, target: Tensor) -> Tensor:
    r"""Return the authors' "MAE" per image, (B,), float64: the absolute difference relative to all brightness.

    .. math:: \frac{\sum |a - b|}{\sum (a + b)}

    NaN for two black images. A mean absolute error in the usual sense is :func:`l1`.
    """
    _check(generated, target, None)
    a, b = generated.double().flatten(1), target.double().flatten(1)
    return (a - b).abs().sum(1) / (a + b).sum(1)


def ssim_skimage_gaussian(
    generated: Tensor, target: Tensor, where: Tensor | None = None
) -> tuple[Tensor, Tensor | None]:
    """Return scikit-image's structural similarity with Gaussian weights, per image, and its mean over ``where``.

    The form of Wang et al. 2004: sigma 1.5, window 11 x 11, population covariances, K 0.01 and 0.03, per colour
    channel, data range 1. Other implementations treat the border differently, hence the name.

    Args:
        generated: (B, 3, H, W) in [0, 1], sides of at least 11.
        target: (B, 3, H, W).
        where: (B, H, W) bool: the second result is the mean of the same similarity map over these pixels.

    Returns:
        (B,) scikit-image's mean, which leaves out a border of 5 pixels; (B,) the mean over ``where``, which leaves out
        nothing (NaN where it is empty), or None without ``where``. Both float64.
    """
    _check(generated, target, where)
    means, maps = [], []
    for a, b in zip(generated, target):
        mean, similarity = structural_similarity(
            a.double().cpu().numpy(),
            b.double().cpu().numpy(),
            channel_axis=0,
            data_range=1.0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            full=True,
        )
        means.append(mean)
        maps.append(torch.from_numpy(similarity).mean(0))
    whole = torch.tensor(means, dtype=torch.float64)
    return whole, None if where is None else masked_mean(torch.stack(maps), where.cpu())


def _check(generated: Tensor, target: Tensor, where: Tensor | None) -> None:
    sizes = require_shape("generated", generated, "B 3 H W")
    require_shape("target", target, "B 3 H W", sizes=sizes)
    if where is not None:
        require_shape("where", where, "B H W", sizes=sizes)
