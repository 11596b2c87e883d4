"""Sampling correctness (paper Eq. 2-3): does the flow bring a similar source feature to every target position?"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from repro.checks import require_choice, require_shape
from repro.losses.precision import full_precision
from repro.ops import bilinear_warp, gaussian_warp, max_cosine_similarity

SAMPLING = ("gaussian", "bilinear", "bilinear_exact")
EPSILON = 1e-8  # beside mu_max, the norms and the mask's sum, as in the authors' code


@full_precision
def sampling_correctness(
    source_features: Tensor,
    target_features: Tensor,
    flow: Tensor,
    *,
    mask: Tensor | None = None,
    sampling: str = "gaussian",
    normalise: bool = True,
) -> Tensor:
    r"""Return the sampling correctness loss of one scale, L_c of Eq. 2 less its best value 1/e.

    .. math:: L_c = \frac{1}{N} \sum_l \exp\!\Big(-\frac{\mu(v_{s,w}^l, v_t^l)}{\mu_{max}^l}\Big) - e^{-1}, \qquad
              \mu_{max}^l = \max_{l'} \mu(v_s^{l'}, v_t^l)

    0 = the warped source is as similar to the target everywhere as its best match in the whole source. Gradients flow
    into the flow (and the warped features); mu_max (Eq. 3) carries none.

    Paper and code: the paper has no - 1/e and implies a bilinear warp; the authors' code reads the source through a
    4 x 4 Gaussian window (sampling="gaussian"), and so do we unless told otherwise.

    Args:
        source_features: v_s, (B, C, H, W), the source image seen by a feature network.
        target_features: v_t, (B, C, H, W).
        flow: w, (B, 2, h, w), (x, y), pixels, target -> source. A flow on another grid is resized by nearest
            neighbour **without** rescaling its values, as in the authors' code.
        mask: weights of target positions (foreground), (B, 1, any, any), resized by nearest neighbour.
        sampling: "gaussian"; "bilinear" = the authors' unused option, whose grid shrinks displacements by
            (size - 1) / size and reads zeros outside; "bilinear_exact" = ``repro.ops.bilinear_warp``.
        normalise: False puts 1 in the place of mu_max: every position is asked for a perfect match, also those that
            the source does not show.

    Returns:
        a scalar, at least float32: the mean over batch and positions, or the mean weighted by ``mask``.

    Raises:
        ValueError: shapes that do not fit, or an unknown ``sampling``.
    """
    require_choice("sampling", sampling, SAMPLING)
    sizes = require_shape("source_features", source_features, "B C H W")
    require_shape("target_features", target_features, "B C H W", sizes=sizes)
    grid = {"B": sizes["B"]}
    require_shape("flow", flow, "B 2 H W", sizes=grid)
    size = source_features.shape[-2:]
    if flow.shape[-2:] != size:
        flow = F.interpolate(flow, size, mode="nearest")

    warped = _WARPS[sampling](source_features, flow)
    similarity = F.cosine_similarity(warped, target_features, dim=1, eps=EPSILON)
    if normalise:
        with torch.no_grad():
            best = max_cosine_similarity(target_features, source_features)
        similarity = similarity / (best + EPSILON)
    loss = torch.exp(-similarity) - math.exp(-1)
    if mask is None:
        return loss.mean()
    require_shape("mask", mask, "B 1 H W", sizes=grid)
    weights = F.interpolate(mask.to(loss.dtype), size, mode="nearest").squeeze(1)
    return (weights * loss).sum() / (weights.sum() + EPSILON)


def _authors_bilinear_warp(source: Tensor, flow: Tensor) -> Tensor:
    """Return the warp of the authors' unused option: grid normalised by size - 1, flow by size, zeros outside."""
    height, width = flow.shape[-2:]
    x = torch.linspace(-1, 1, width, device=flow.device, dtype=flow.dtype) + 2 * flow[:, 0] / width
    y = torch.linspace(-1, 1, height, device=flow.device, dtype=flow.dtype)[:, None] + 2 * flow[:, 1] / height
    grid = torch.stack([x, y], dim=-1).to(source.dtype)
    return F.grid_sample(source, grid, mode="bilinear", padding_mode="zeros", align_corners=True)


_WARPS = {"gaussian": gaussian_warp, "bilinear": _authors_bilinear_warp, "bilinear_exact": bilinear_warp}
