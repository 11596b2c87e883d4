"""Perceptual loss (paper Eq. 13): distance between activation maps."""

import torch
from torch import Tensor

from repro.losses.reconstruction import l1
from repro.losses.taps import FeatureNetwork, Seen, tap_pairs


class PerceptualLoss:
    r"""Perceptual loss L_perc of Eq. 13 through one feature network.

    .. math:: L_{perc} = \sum_i \frac{1}{B C_i H_i W_i} \|\phi_i(x_t) - \phi_i(\hat x_t)\|_1

    Paper and code: the paper sums absolute differences; the authors' code, for which the weight 0.5 is meant, takes the
    mean at each of five VGG19 layers (relu1_1 ... relu5_1) and adds them. Their network sees images in [-1, 1] without
    ImageNet normalisation; what a network here does with its input is its own declared affair.

    Attributes:
        taps: names of the layers i, from ``features.perceptual_taps``.
    """

    def __init__(self, features: FeatureNetwork) -> None:
        self.features = features
        self.taps = tuple(features.perceptual_taps)

    def __call__(self, generated: Seen, target: Seen) -> Tensor:
        """Return the loss, a scalar.

        Args:
            generated: images in [-1, 1], (B, 3, H, W), or their features by tap name.
            target: the same. Give features to share one pass between this and the style loss.

        Raises:
            ValueError: features without one of the taps, or of different shapes.
        """
        pairs = tap_pairs(self.features, self.taps, generated, target)
        return torch.stack([l1(ours, theirs) for ours, theirs in pairs]).sum()
