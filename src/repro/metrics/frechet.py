"""Fréchet distance between two sets of pictures, seen through a named network."""

from pathlib import Path

import torch
from torch import Tensor

from repro.checks import require_choice, require_shape
from repro.features import FeatureNetwork, MissingWeights
from repro.features.weights import WeightsFile, content_hash, opened, read

INCEPTION = WeightsFile(
    "fid_torch_fidelity",
    ("weights-inception-2015-12-05-6726825d.pth", "pt_inception-2015-12-05-6726825d.pth"),
    "torch-fidelity's release of TensorFlow's Inception",
    "Apache-2.0",
    url="https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
)


def frechet_distance(first: Tensor, second: Tensor) -> float:
    r"""Return the squared Wasserstein-2 distance between Gaussians fitted to two sets of feature vectors.

    .. math:: d^2 = \lVert \mu_1 - \mu_2 \rVert^2
              + \operatorname{tr}\big(\Sigma_1 + \Sigma_2 - 2 (\Sigma_1 \Sigma_2)^{1/2}\big)

    Covariances are unbiased (divided by N - 1), everything is float64. The trace of the root is the sum of the roots
    of the eigenvalues of the symmetric matrix R Σ_2 R with R = Σ_1^{1/2}; eigenvalues below 0 are round-off and count
    as 0. So nothing is added to the diagonal (no jitter), also with fewer vectors than dimensions. With few samples the
    distance is biased upwards: compare only sets of equal size.

    Args:
        first: (N, D), N >= 2.
        second: (M, D), M >= 2.

    Raises:
        ValueError: fewer than two vectors, another dimension, or values that are not finite.
    """
    sizes = require_shape("first", first, "N D")
    require_shape("second", second, "M D", sizes={"D": sizes["D"]})
    for name, vectors in (("first", first), ("second", second)):
        if len(vectors) < 2 or not bool(vectors.isfinite().all()):
            raise ValueError(f"expected at least 2 finite vectors in {name}, got {tuple(vectors.shape)}")
    mean1, covariance1 = _gaussian(first)
    mean2, covariance2 = _gaussian(second)
    values, vectors = torch.linalg.eigh(covariance1)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.mT
    product = torch.linalg.eigvalsh(root @ covariance2 @ root)
    trace_of_root = product.clamp(min=0).sqrt().sum()
    distance = (mean1 - mean2).square().sum() + covariance1.trace() + covariance2.trace() - 2 * trace_of_root
    return max(float(distance), 0.0)


def _gaussian(vectors: Tensor) -> tuple[Tensor, Tensor]:
    vectors = vectors.double().cpu()
    return vectors.mean(0), torch.cov(vectors.mT).reshape(vectors.shape[1], vectors.shape[1])


def pooled_features(network: FeatureNetwork, images: Tensor) -> Tensor:
    """Return one vector per image: the network's deepest perceptual tap, averaged over positions, (B, C).

    Args:
        network: a frozen network.
        images: (B, 3, H, W) in [0, 1].
    """
    tap = network.perceptual_taps[-1]
    return network(images * 2 - 1, taps=(tap,))[tap].mean((2, 3))


class InceptionFeatures:
    """The 2048 pooled features of TensorFlow's Inception v3, by torch-fidelity; or its answers, for inception scores.

    Args:
        device: where it runs.
        path: the file; None looks it up by name.
        tap: ``"2048"``; ``"logits"``, the 1008 answers of the first implementation; ``"logits_unbiased"``, the same
            without the last layer's bias, which torch-fidelity takes.

    Raises:
        MissingWeights: the file is nowhere; ``.need`` is the text for a table.
        ValueError: the file holds something else, or is not the publisher's.
    """

    def __init__(self, device: torch.device | str = "cpu", path: Path | None = None, tap: str = "2048"):
        require_choice("tap", tap, ("2048", "logits", "logits_unbiased"))
        self.device = device
        with opened(INCEPTION, path) as file:
            read(file)  # named tensors and nothing else, or an error that names the file
            from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

            try:
                network = FeatureExtractorInceptionV3(
                    "inception-v3-compat", [tap], feature_extractor_weights_path=str(file)
                )
            except RuntimeError as error:  # torch's word for keys that do not fit
                raise ValueError(f"{file} does not hold this Inception: {error}") from error
        self.network = network.to(device)
        self.weights_hash = content_hash(self.network)

    def __call__(self, images: Tensor) -> Tensor:
        """Return (B, 2048), or (B, 1008) answers, for images (B, 3, H, W) in [0, 1].

        Images are rounded to 8 bits, as the scores are defined on files.
        """
        pixels = (images.clamp(0, 1) * 255).round().to(torch.uint8).to(self.device)
        return self.network(pixels)[0]


__all__ = ["INCEPTION", "InceptionFeatures", "MissingWeights", "frechet_distance", "pooled_features"]
