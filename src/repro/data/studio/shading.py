"""Light on the body: smooth normals, a shadow map, Lambert with a weak highlight; all of it multiplies the albedo."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from repro.data.studio.camera import Camera
from repro.data.studio.raster import rasterize

WRAP = 0.15
"""How far light reaches round a body: a photographer's lamp is large, and skin and cloth let some light through."""
_FAN = 8  # faces per vertex that shape its normal; grids have 6, only poles have more


@dataclass(frozen=True)
class Light:
    """One directional light and hemispheric ambient light.

    Attributes:
        direction: (3,) unit vector in world axes that points *to* the light.
        ambient: share of light that comes from everywhere, 0.4 to 0.7.
    """

    direction: tuple[float, float, float]
    ambient: float = 0.6

    def mirrored(self) -> "Light":
        """Return the light seen in a mirror (x -> -x)."""
        x, y, z = self.direction
        return Light((-x, y, z), self.ambient)


def studio_light(camera: Camera, yaw: float = -0.6, elevation: float = 0.7, ambient: float = 0.6) -> Light:
    """Return a light that stands ``yaw`` radians to the side of a camera (negative = left) and ``elevation`` above."""
    around = camera.yaw + yaw
    horizontal = np.cos(elevation)
    return Light(
        (float(horizontal * np.sin(around)), float(np.sin(elevation)), float(horizontal * np.cos(around))), ambient
    )


def random_light(rng: Generator, camera: Camera) -> Light:
    """Return a random photographer's light: within 60 degrees of the camera, 25 to 60 degrees high."""
    yaw, elevation = rng.uniform(-1.05, 1.05), np.deg2rad(rng.uniform(25, 60))
    return studio_light(camera, float(yaw), float(elevation), float(rng.uniform(0.58, 0.7)))


def normal_fans(faces: NDArray[np.int64], weld: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the fixed vertex -> face table (V, 8): the faces whose normals a vertex averages, F where there is none.

    A table instead of adding faces into vertices: the sum has one order, whatever the number of threads.

    Args:
        faces: (F, 3).
        weld: (V,) first vertex at the same place; welded vertices share their normal.
    """
    corner = weld[faces].reshape(-1)
    order = np.argsort(corner, kind="stable")
    count = np.bincount(corner, minlength=len(weld))
    first = np.cumsum(count) - count
    # A pole has a whole ring of faces: take eight that are evenly spread.
    step = np.arange(_FAN)
    pick = np.where(count[:, None] > _FAN, step * count[:, None] // _FAN, step)
    there = pick < count[:, None]
    fans = order[np.minimum(first[:, None] + pick, len(order) - 1)] // 3
    return np.where(there, fans, len(faces))[weld]


def face_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """Return outward normals (B, F, 3) of triangles, as long as twice their area; vertices (B, V, 3)."""
    a, b, c = (vertices[:, faces[:, corner]] for corner in range(3))
    return torch.linalg.cross(b - a, c - a)


def vertex_normals(normals: Tensor, fans: Tensor) -> Tensor:
    """Return smooth unit normals (B, V, 3): face normals (B, F, 3) averaged over fans (V, 8), weighted by area."""
    padded = torch.cat([normals, torch.zeros_like(normals[:, :1])], 1)
    total = padded[:, fans[:, 0]]
    for k in range(1, fans.shape[1]):
        total = total + padded[:, fans[:, k]]
    return unit(total)


def unit(vectors: Tensor) -> Tensor:
    """Return vectors (..., 3) scaled to length one; zero stays zero."""
    x, y, z = vectors.unbind(-1)
    return vectors / torch.sqrt(x * x + y * y + z * z).clamp(min=1e-12)[..., None]


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Return the scalar products (...,) of vectors (..., 3), summed in one fixed order."""
    return a[..., 0] * b[..., 0] + a[..., 1] * b[..., 1] + a[..., 2] * b[..., 2]


def bend(normal: Tensor, slopes: Tensor, strength: Tensor) -> Tensor:
    """Return normals (N, 3) bent by slopes (N, 2) across and along the cloth: wrinkles without geometry."""
    up = normal.new_tensor([0.0, 1.0, 0.0])
    across = unit(torch.linalg.cross(up.expand_as(normal), normal))
    along = torch.linalg.cross(normal, across)
    bent = normal - strength[:, None] * (slopes[:, :1] * across + slopes[:, 1:2] * along)
    return unit(bent)


@dataclass(frozen=True)
class ShadowMaps:
    """What each light sees of its person, from far away.

    Attributes:
        depth: (B, S, S) float32 metres along the light's way, inf where nothing is.
        axes: (B, 3, 3) rows right, down, away; origin: (B, 3) the map's corner; texel: (B,) metres.
    """

    depth: Tensor
    axes: Tensor
    origin: Tensor
    texel: Tensor

    @classmethod
    def render(cls, vertices: Tensor, faces: Tensor, two_sided: Tensor, lights: list[Light], side: int) -> "ShadowMaps":
        """Return the maps of B persons in B lights.

        Args:
            vertices: (B, V, 3) float64 posed.
            faces, two_sided: (F, 3), (F,).
            lights: B lights.
            side: of the square maps in pixels.
        """
        axes = torch.from_numpy(np.stack([_light_axes(light) for light in lights])).to(vertices.device)
        x, y, z = vertices[..., None, :].unbind(-1)
        seen = axes[:, None, :, 0] * x + axes[:, None, :, 1] * y + axes[:, None, :, 2] * z  # (B, V, 3)
        low, high = seen.amin(1), seen.amax(1)
        texel = (high - low)[:, :2].amax(1) / (side - 2)
        origin = low - texel[:, None]
        screen = seen - origin[:, None]
        screen = torch.cat([screen[..., :2] / texel[:, None, None], screen[..., 2:]], -1)
        depth = rasterize(screen, faces, side, side, two_sided=two_sided, perspective=False).depth
        return cls(depth.float(), axes.float(), origin.float(), texel.float())

    def lit(self, image: Tensor, position: Tensor, normal: Tensor) -> Tensor:
        """Return the lit share (N,) of points: the mean of 3 x 3 depth comparisons.

        Args:
            image: (N,) which map.
            position, normal: (N, 3) world, float32.
        """
        side, texel = self.depth.shape[-1], self.texel[image]
        # Look a little above the surface, or the map's coarse pixels would shadow the surface they show.
        lifted = position + (1.2 * texel)[:, None] * normal
        axes, origin = self.axes[image], self.origin[image]
        x, y, z = (dot(axes[:, k], lifted) - origin[:, k] for k in range(3))
        column, row = (x / texel).floor().to(torch.int64), (y / texel).floor().to(torch.int64)
        z = z - 0.006 - 0.5 * texel
        flat, base = self.depth.view(-1), image * side * side
        total = torch.zeros_like(z)
        for dy in (-1, 0, 1):
            line = base + (row + dy).clamp(0, side - 1) * side
            for dx in (-1, 0, 1):
                total += (flat[line + (column + dx).clamp(0, side - 1)] >= z).to(z.dtype)
        return total / 9


def shade(
    normal: Tensor, to_eye: Tensor, lit: Tensor | float, gloss: Tensor, direction: Tensor, ambient: Tensor
) -> Tensor:
    r"""Return the factor (N,) that multiplies the albedo.

    .. math::

        s = \big(a\,(0.85 + 0.15\,n_y) + (1.2 - a)\,v\,\tfrac{(n \cdot l + 0.15)_+}{1.15}\big)\,
            \big(1 + 4 g\,v\,(n \cdot h)_+^{24}\big)

    Args:
        normal, to_eye, direction: unit vectors (N, 3): n, to the viewer, l to the light.
        lit: v, lit share (N,).
        gloss: g, strength of the highlight (N,).
        ambient: a, (N,).
    """
    lambert = ((dot(normal, direction) + WRAP) / (1 + WRAP)).clamp(min=0) * lit
    half = unit(to_eye + direction)
    square = dot(normal, half).clamp(min=0) ** 2
    fourth = square * square
    eighth = fourth * fourth
    highlight = eighth * eighth * eighth * lit  # (n.h)^24 by products: the same bits everywhere
    return (ambient * (0.85 + 0.15 * normal[:, 1]) + (1.2 - ambient) * lambert) * (1 + 4 * gloss * highlight)


def _light_axes(light: Light) -> NDArray[np.float64]:
    """Rows: right, down and away of an observer who stands at the light."""
    away = -np.asarray(light.direction, dtype=np.float64)
    away /= np.sqrt((away * away).sum())
    helper = np.array([0.0, 1.0, 0.0]) if abs(away[1]) < 0.95 else np.array([0.0, 0.0, 1.0])
    right = np.cross(away, helper)
    right /= np.sqrt((right * right).sum())
    return np.stack([right, np.cross(away, right), away])
