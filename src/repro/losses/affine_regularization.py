"""Affine regularisation (paper Eq. 4-6): a flow that is not locally affine costs."""

import torch
from torch import Tensor
from torch.nn import functional as F

from repro.checks import require_choice, require_shape
from repro.losses.precision import full_precision
from repro.ops.precision import without_tf32

DIRECTIONS = ("code", "paper")
COLLAPSED = 1e-10  # a window whose squared extents differ by more than this ratio has collapsed to a line or a point


@full_precision
def affine_regularization(flow: Tensor, window: int, *, direction: str = "code") -> Tensor:
    r"""Return the affine regularisation loss of one scale, L_r of Eq. 6: what an affine fit of each window leaves over.

    direction="code" regresses the source coordinates c = grid + w on the fixed target grid. The residual is linear
    in the flow,

    .. math:: L_r = \frac{1}{|\Omega|} \sum_l \|R\,w_x^l\|^2 + \|R\,w_y^l\|^2, \qquad R = A (A^T A)^{-1} A^T - I,

    with one row (row, column, 1) of A for each of the n^2 pixels of the window. R annihilates the grid itself, so the
    flow alone gives the same number, without the round-off of absolute coordinates that lets the authors' own value
    differ from it by 6e-5 relative, or be negative for an affine flow.

    direction="paper" is Eq. 4-6 as printed: target coordinates T regressed on source coordinates S,

    .. math:: \hat A_l = T_l S_l^H (S_l S_l^H)^{-1}, \qquad
              L_r = \frac{1}{|\Omega|} \sum_l \|T_l - \hat A_l S_l\|_2^2 .

    Where a window's source points lie on one line or in one point, S S^H is singular: the pseudo-inverse is taken, so
    that the collapsed direction explains nothing (a flow that gathers a 3 x 3 window in one point costs 12).

    Both directions are the mean over batch and **valid** windows (no padding), x and y added. The paper sums over all
    positions; its weight 0.0025 belongs to the code's mean. Scales are added without weights.

    Args:
        flow: w, (B, 2, H, W), (x, y), pixels of this map.
        window: side n of the window, >= 2; 3 at layer 3 and 5 at layer 2 in the paper's networks.
        direction: "code" or "paper".

    Returns:
        a scalar, at least float32, >= 0; 0 for an affine flow up to round-off.

    Raises:
        TypeError: a flow of whole numbers.
        ValueError: a flow of another shape or smaller than the window, a window below 2, an unknown direction.
    """
    require_choice("direction", direction, DIRECTIONS)
    sizes = require_shape("flow", flow, "B 2 H W")
    if not flow.is_floating_point():
        raise TypeError(f"expected a flow of floating-point numbers, got {flow.dtype}: convert it with flow.float()")
    if window < 2:
        raise ValueError(f"expected a window of side >= 2 (an affine map has three unknowns per axis), got {window}")
    if min(sizes["H"], sizes["W"]) < window:
        raise ValueError(
            f"expected a flow of at least {window}x{window} pixels, got {sizes['H']}x{sizes['W']}: use a smaller window"
        )
    if direction == "code":
        # Row p of R is a filter: the residual of the window's pixel p. Each axis of each flow is an image of its own.
        filters = _residual_projector(window).to(flow).view(-1, 1, window, window)
        with without_tf32(flow.device):
            residuals = F.conv2d(flow.flatten(0, 1)[:, None], filters)
        return residuals.square().sum(dim=1).mean() * 2  # the mean runs over x and y too; they are to be added
    return _target_residual(flow.double(), window).mean().to(flow.dtype)


def _target_residual(flow: Tensor, window: int) -> Tensor:
    """Return ||T - A S||^2 of every window, (B, L): coordinates about the mean, where the offset of A is 0."""
    grid = _centred_grid(window).to(flow)
    displacement = F.unfold(flow, window).unflatten(1, (2, window * window)).permute(0, 3, 1, 2)
    source = grid + displacement - displacement.mean(dim=-1, keepdim=True)
    target = grid.expand_as(source)
    inverse = torch.linalg.pinv(source @ source.mT, hermitian=True, rtol=COLLAPSED)
    fitted = target @ source.mT @ inverse @ source
    return (target - fitted).square().sum(dim=(2, 3))


def _centred_grid(window: int) -> Tensor:
    """Return the window's pixels about its centre, (2, n^2): x in row 0, y in row 1."""
    axis = torch.arange(window, dtype=torch.float64) - (window - 1) / 2
    return torch.stack([axis.repeat(window), axis.repeat_interleave(window)])


def _residual_projector(window: int) -> Tensor:
    """Return R, (n^2, n^2), float64. About the window's centre the columns of A are orthogonal: A^T A is diagonal."""
    x, y = _centred_grid(window)
    design = torch.stack([y, x, torch.ones_like(x)], dim=1)
    return design / design.square().sum(dim=0) @ design.T - torch.eye(window * window, dtype=torch.float64)
