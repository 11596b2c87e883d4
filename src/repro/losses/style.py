"""Style loss (paper Eq. 14): distance between the correlations of activation channels."""

import torch
from torch import Tensor

from repro.checks import require_shape
from repro.losses.precision import full_precision
from repro.losses.reconstruction import l1
from repro.losses.taps import FeatureNetwork, Seen, tap_pairs


@full_precision
def gram(features: Tensor) -> Tensor:
    r"""Return the Gram matrix of each image's channels, G of Eq. 14.

    .. math:: G = \frac{F F^T}{C H W}, \quad F \in R^{C \times HW}

    Args:
        features: activation maps, (B, C, H, W).

    Returns:
        (B, C, C), at least float32.

    Raises:
        ValueError: another number of axes.
    """
    sizes = require_shape("features", features, "B C H W")
    rows = features.flatten(2)
    return rows @ rows.mT / (sizes["C"] * sizes["H"] * sizes["W"])


class StyleLoss:
    r"""Style loss L_style of Eq. 14 through one feature network.

    .. math:: L_{style} = \sum_j \frac{1}{B C_j^2} \|G_j(x_t) - G_j(\hat x_t)\|_1

    Paper and code: the paper sums absolute differences; the authors' code, for which the weight 500 is meant, takes the
    mean at each of four VGG19 layers (relu2_2, relu3_4, relu4_4, relu5_2) and adds them.

    Attributes:
        taps: names of the layers j, from ``features.style_taps``.
    """

    def __init__(self, features: FeatureNetwork) -> None:
        self.features = features
        self.taps = tuple(features.style_taps)

    def __call__(self, generated: Seen, target: Seen) -> Tensor:
        """Return the loss, a scalar.

        Args:
            generated: images in [-1, 1], (B, 3, H, W), or their features by tap name.
            target: the same. Give features to share one pass between this and the perceptual loss.

        Raises:
            ValueError: features without one of the taps, or of different shapes.
        """
        pairs = tap_pairs(self.features, self.taps, generated, target)
        return torch.stack([l1(gram(ours), gram(theirs)) for ours, theirs in pairs]).sum()
