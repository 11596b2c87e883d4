"""torchvision's Inception v3, through which the authors' script computes its FID."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from repro.checks import require_shape
from repro.features.weights import WeightsFile, content_hash, fill, opened, read

TORCHVISION_INCEPTION = WeightsFile(
    "inception_torchvision",
    ("inception_v3_google-0cc3c7bd.pth", "inception_torchvision.safetensors"),
    "torchvision",
    "BSD-3-Clause (torchvision), trained on ImageNet",
    url="https://download.pytorch.org/models/inception_v3_google-0cc3c7bd.pth",
    megabytes=103.9,
)
SIDE = 299


class TorchvisionInception:
    """The 2048 pooled features of torchvision's Inception v3: another network than TensorFlow's of 2015, other FIDs.

    Args:
        device: where it runs.
        path: the file; None looks it up by name.

    Raises:
        MissingWeights: the file is nowhere; ``.need`` is the text for a table.
        ValueError: the file holds something else, or is not the publisher's.
    """

    def __init__(self, device: torch.device | str = "cpu", path: Path | None = None):
        with opened(TORCHVISION_INCEPTION, path) as file:
            from torchvision.models import inception_v3

            network = inception_v3(weights=None, init_weights=False, aux_logits=True, transform_input=False)
            fill(network, read(file), origin=str(file))
        network.fc = nn.Identity()
        self.device = device
        self.network = network.to(device).eval().requires_grad_(False)
        self.weights_hash = content_hash(self.network)

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        """Return (B, 2048) for images (B, 3, H, W) in [0, 1], resized (bilinear) to 299 x 299, seen as [-1, 1]."""
        require_shape("images", images, "B 3 H W")
        large = interpolate(images.to(self.device), (SIDE, SIDE), mode="bilinear", align_corners=False)
        return self.network(large * 2 - 1)
