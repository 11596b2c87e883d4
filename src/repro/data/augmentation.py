"""Random affine augmentation of training pairs (Market-1501) and training clips, as the authors do it."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from repro.checks import require_choice
from repro.data.clip import Clip
from repro.data.joints import MISSING, is_missing
from repro.data.pair import Pair

GREY, WHITE, BLACK = 128, 255, 0
"""Bytes that fill what a moved picture leaves free: Market-1501's, FashionVideo's, iPER's."""


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
        pixels = (image * 255).round().to(torch.uint8).numpy()
        return torch.from_numpy(self.pixels(pixels, GREY)).float() / 255

    def pixels(self, pixels: NDArray[np.uint8], fill: int) -> NDArray[np.uint8]:
        """Return the moved planes (..., H, W) of bytes: nearest pixel, ``fill`` where nothing was."""
        (cx, cy), (cos, sin) = self._centre((pixels.shape[-2], pixels.shape[-1])), self._turn()
        # Pillow asks where each output pixel comes from: the inverse map.
        a, b = cos / self.scale, sin / self.scale
        x, y = cx + self.shift[0], cy + self.shift[1]
        inverse = (a, b, cx - a * x - b * y, -b, a, cy + b * x - a * y)
        planes = [
            Image.fromarray(plane).transform(
                plane.shape[::-1], Image.Transform.AFFINE, inverse, Image.Resampling.NEAREST, fillcolor=fill
            )
            for plane in pixels.reshape(-1, *pixels.shape[-2:])
        ]
        return np.stack([np.asarray(plane) for plane in planes]).reshape(pixels.shape)

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


@dataclass(frozen=True)
class ClipRecipe:
    """How far the clips of a set are moved; whatever is not named is drawn evenly from both sides of nothing.

    Attributes:
        angle: largest turn, degrees.
        shift: largest (x, y), pixels of a 256 x 256 picture.
        scale: smallest and largest factor.
        fill: byte that fills what is left free.
        own_reference: the source picture is moved by a draw of its own; False = as the frames.
    """

    angle: float
    shift: tuple[float, float]
    scale: tuple[float, float]
    fill: int
    own_reference: bool

    def draw(self, rng: np.random.Generator, size: tuple[int, int]) -> Affine:
        """Return a random affine map for pictures of ``size`` = (H, W)."""
        angle, scale = rng.uniform(-self.angle, self.angle), rng.uniform(*self.scale)
        x, y = (rng.uniform(-most, most) * side / 256 for most, side in zip(self.shift, size[::-1]))
        return Affine(float(angle), (float(x), float(y)), float(scale))


_FASHION_VIDEO = ClipRecipe(5.0, (20.0, 3.0), (0.98, 1.02), WHITE, own_reference=True)
_IPER = ClipRecipe(5.0, (0.0, 0.0), (1.0, 1.0), BLACK, own_reference=False)
CLIP_RECIPES = {"fashion_video": _FASHION_VIDEO, "fashionvideo": _FASHION_VIDEO, "iper": _IPER, "iper_real": _IPER}
"""The authors' recipes by the names of the sets, the studio's and the real ones."""


def augment_clip(clip: Clip, rng: np.random.Generator, name: str) -> Clip:
    """Return the clip moved by one draw for all its frames, masks and joints, its source as the set's recipe says.

    Convention: joints are truncated to whole pixels once they are moved, as in the authors' code, so that the heat maps
    of ``poses`` stand at whole pixels too. Pictures are taken from the nearest pixel; masks are filled with nobody.
    What reads the pictures of a long clip reads all: cut the window out first (:meth:`Clip.slice`).

    Args:
        clip: of skeletons, not a batch. A studio clip loses its exact flow, which would no longer fit.
        rng: generator of the purpose.
        name: of the set, a key of ``CLIP_RECIPES``.

    Raises:
        ValueError: an unknown set, a batch, or a clip of a face, which the authors do not move.
    """
    recipe = CLIP_RECIPES[require_choice("set of clips to augment", name, tuple(CLIP_RECIPES))]
    if clip.landmarks is not None or clip.joints_clean.ndim != 3:
        what = "a face" if clip.landmarks is not None else f"joints {tuple(clip.joints_clean.shape)}"
        raise ValueError(f"expected one clip with skeletons (T, 17, 2), got {what}: move clips before stacking them")
    frames = recipe.draw(rng, clip.size)
    source = recipe.draw(rng, clip.size) if recipe.own_reference else frames
    masks = None if clip.masks is None else frames.pixels(clip.masks.to(torch.uint8).numpy(), 0) > 0
    return replace(
        clip,
        footage=frames.pixels(_bytes(clip.frames), recipe.fill),
        foreground=masks,
        source=torch.from_numpy(source.pixels(_bytes(clip.source), recipe.fill)).float() / 255,
        joints_clean=_whole(frames.joints(clip.joints_clean, clip.size)),
        joints_noisy=_whole(frames.joints(clip.joints_noisy, clip.size)),
        source_joints=_whole(source.joints(clip.source_joints, clip.size)),
        truth=None,
    )


def _bytes(pictures: Tensor) -> NDArray[np.uint8]:
    return (pictures * 255).round().to(torch.uint8).numpy()


def _whole(joints: Tensor) -> Tensor:
    """Joints truncated to whole pixels; one that falls on -1 stays a hair beside it, which would mean missing."""
    whole = joints.trunc()
    beside = (whole == MISSING) & ~is_missing(joints)[..., None]
    return torch.where(beside, whole - 1e-6, whole)
