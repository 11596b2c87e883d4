"""How right a flow and its mask are, where the truth is known (the studio's people)."""

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from repro.checks import require_shape
from repro.losses import affine_regularization


def upsample_flow(flow: Tensor, size: tuple[int, int]) -> Tensor:
    """Return a feature map's flow on the image's grid, in pixels of the image.

    Convention: bilinear, ``align_corners=False``: cell (i, j) of a map with stride s covers s x s pixels, and its flow
    is that of the block's centre. Values grow with the map: x by W / w, y by H / h.

    Args:
        flow: (B, 2, h, w), (x, y), pixels of this map.
        size: (H, W) of the image.
    """
    sizes = require_shape("flow", flow, "B 2 h w")
    scale = torch.tensor([size[1] / sizes["w"], size[0] / sizes["h"]], dtype=flow.dtype, device=flow.device)
    return interpolate(flow, size, mode="bilinear", align_corners=False) * scale.view(1, 2, 1, 1)


def endpoint_error(flow: Tensor, true_flow: Tensor) -> Tensor:
    r"""Return the end-point error of every position, (B, H, W), in pixels.

    .. math:: e^l = \lVert w^l - \hat w^l \rVert_2
    """
    sizes = require_shape("flow", flow, "B 2 H W")
    require_shape("true flow", true_flow, "B 2 H W", sizes=sizes, hint="upsample_flow brings a flow to image size")
    return torch.linalg.vector_norm(flow - true_flow, dim=1)


def flow_scores(flow: Tensor, true_flow: Tensor, visible: Tensor) -> dict[str, Tensor]:
    """Return the flow's scores per image, over the person's pixels that the source shows.

    Args:
        flow: (B, 2, h, w), (x, y), pixels of its own map; brought to the image's size first.
        true_flow: (B, 2, H, W), pixels of the image.
        visible: (B, H, W) bool: the same surface point is seen in the source.

    Returns:
        name -> (B,), float64: ``epe_visible_px`` mean end-point error in image pixels, ``within_1px_visible`` and
        ``within_3px_visible`` shares in [0, 1] (the bound included). NaN where nothing is visible.
    """
    sizes = require_shape("true flow", true_flow, "B 2 H W")
    require_shape("visible", visible, "B H W", sizes=sizes)
    error = endpoint_error(upsample_flow(flow, (sizes["H"], sizes["W"])).double(), true_flow.double())
    return {
        "epe_visible_px": masked_mean(error, visible),
        "within_1px_visible": masked_mean((error <= 1).double(), visible),
        "within_3px_visible": masked_mean((error <= 3).double(), visible),
    }


def hidden_endpoint_error(flow: Tensor, true_flow: Tensor, hidden: Tensor) -> Tensor:
    """Return the mean end-point error where the source does not show the person's surface, (B,), float64, image pixels.

    The truth there is where the surface point lies behind what hides it: no picture says so, a prior may.

    Args:
        flow: (B, 2, h, w), (x, y), pixels of its own map; brought to the image's size first.
        true_flow: (B, 2, H, W), pixels of the image.
        hidden: (B, H, W) bool: on the person, and not seen in the source.

    Returns:
        (B,); NaN where nothing is hidden.
    """
    sizes = require_shape("true flow", true_flow, "B 2 H W")
    require_shape("hidden", hidden, "B H W", sizes=sizes)
    error = endpoint_error(upsample_flow(flow, (sizes["H"], sizes["W"])).double(), true_flow.double())
    return masked_mean(error, hidden)


def affine_residual(flow: Tensor, window: int) -> Tensor:
    r"""Return how far a flow is from locally affine, (B,), float64, pixels of its own map; 0 is affine everywhere.

    .. math:: \sqrt{L_r / n^2}

    with L_r of Eq. 6 (the authors' direction): the root mean square, over pixels of all windows of side n, of the
    distance between the flow and its best affine fit in the window.

    Args:
        flow: (B, 2, H, W), (x, y), pixels of this map.
        window: side n.
    """
    losses = [affine_regularization(one[None].double(), window) for one in flow]
    return (torch.stack(losses) / window**2).sqrt()


def visibility_f1(mask: Tensor, visible: Tensor, person: Tensor, threshold: float = 0.5) -> Tensor:
    r"""Return per image the F1 of "the source shows this pixel", over the person's pixels, (B,), float64.

    .. math:: F_1 = \frac{2\,TP}{2\,TP + FP + FN}

    Args:
        mask: m in [0, 1], (B, 1, h, w), 1 takes the source's content (Eq. 10); bilinearly brought to the image's size.
        visible: (B, H, W) bool, truth.
        person: (B, H, W) bool, where it counts.
        threshold: m above it says visible.

    Returns:
        (B,); NaN where no pixel is visible and none is called so.
    """
    sizes = require_shape("visible", visible, "B H W")
    require_shape("person", person, "B H W", sizes=sizes)
    require_shape("mask", mask, "B 1 h w", sizes={"B": sizes["B"]})
    said = interpolate(mask, visible.shape[-2:], mode="bilinear", align_corners=False)[:, 0] > threshold
    hits = (said & visible & person).sum((1, 2)).double()
    wrong = ((said != visible) & person).sum((1, 2)).double()
    return 2 * hits / (2 * hits + wrong)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Return the mean per image, (B,), of values (B, H, W) where mask (B, H, W) is True; NaN where it nowhere is."""
    return torch.where(mask, values, 0).sum((1, 2)) / mask.sum((1, 2))
