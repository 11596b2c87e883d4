"""Random affine augmentation of Market-1501 training pairs, as the authors do it."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from repro.data.joints import MISSING, is_missing
from repro.data.pair import Pair

GREY = (128, 128, 128)


@dataclass(frozen=True)
class Affine:
    r"""A rotation by ``angle``, scaling and shift about the middle of the image.

    .. math:: x' = c_x + t_x + s (\cos a\,(x - c_x) - \sin a\,(y - c_y)), \qquad
              y' = c_y + t_y + s (\sin a\,(x - c_x) + \cos a\,(y - c_y)), \qquad
              c = (w/2 + 0.5,\; h/2 + 0.5)

    Attributes:
        angle: degrees; positive turns x towards y (clockwise on the screen).
        shift: (x, y) pixels.
        scale: factor.
    """

    angle: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    scale: float = 1.0

    def joints(self, joints: Tensor, size: tuple[int, int]) -> Tensor:
        """Return joints (..., 2) (row, column) of an image of ``size`` = (H, W) as they lie in the moved image."""
        (cx, cy), (cos, sin) = self._centre(size), self._turn()
        y, x = joints.double().unbind(-1)
        moved_x = cx + self.shift[0] + self.scale * (cos * (x - cx) - sin * (y - cy))
        moved_y = cy + self.shift[1] + self.scale * (sin * (x - cx) + cos * (y - cy))
        return torch.stack([moved_y, moved_x], -1).masked_fill(is_missing(joints)[..., None], MISSING)

    def image(self, image: Tensor) -> Tensor:
        """Return the moved image (3, H, W) in [0, 1]: nearest pixel, grey 128 where nothing was."""
        pixels = (image * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
        (cx, cy), (cos, sin) = self._centre((pixels.shape[0], pixels.shape[1])), self._turn()
        # Pillow asks where each output pixel comes from: the inverse map.
        a, b = cos / self.scale, sin / self.scale
        x, y = cx + self.shift[0], cy + self.shift[1]
        inverse = (a, b, cx - a * x - b * y, -b, a, cy + b * x - a * y)
        picture = Image.fromarray(pixels)
        moved = picture.transform(
            picture.size, Image.Transform.AFFINE, inverse, Image.Resampling.NEAREST, fillcolor=GREY
        )
        return torch.from_numpy(np.array(moved)).permute(2, 0, 1).float() / 255

    def _centre(self, size: tuple[int, int]) -> tuple[float, float]:
        # The authors' half pixel more than the middle; later torchvision versions use the middle.
        return size[1] / 2 + 0.5, size[0] / 2 + 0.5

    def _turn(self) -> tuple[float, float]:
        return float(np.cos(np.deg2rad(self.angle))), float(np.sin(np.deg2rad(self.angle)))


def random_market_affine(rng: np.random.Generator, is_target: bool) -> Affine:
    """Return the authors' draw: angle U(-5, 5) degrees, shifts U(-5, 5) pixels, scale U(0.95, 1.05).

    The target is moved less: a fifth of the drawn angle, half of the drawn shift, scale 1.
    """
    angle, scale = float(rng.uniform(-5, 5)), float(rng.uniform(0.95, 1.05))
    x, y = (float(shift) for shift in rng.uniform(-5, 5, 2))
    return Affine(angle / 5, (x / 2, y / 2)) if is_target else Affine(angle, (x, y), scale)


def augment_market(pair: Pair, rng: np.random.Generator) -> Pair:
    """Return the pair with source and target moved by independent draws (training only); joints move with the images.

    Raises:
        ValueError: a studio pair: its exact flow would no longer fit.
    """
    if pair.truth is not None:
        raise ValueError("augment_market moves images of real data sets; a studio pair would lose its exact flow")
    source, target = random_market_affine(rng, is_target=False), random_market_affine(rng, is_target=True)
    return replace(
        pair,
        source=source.image(pair.source),
        target=target.image(pair.target),
        source_joints=source.joints(pair.source_joints, pair.size),
        target_joints=target.joints(pair.target_joints, pair.size),
    )
