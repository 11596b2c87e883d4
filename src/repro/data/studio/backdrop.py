"""The plain, near-white background of a fashion photograph, with a soft contact shadow under the feet."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from repro.data.studio.camera import Camera


@dataclass(frozen=True)
class Backdrop:
    """A paper wall and floor without an edge.

    Attributes:
        colour: (3,) in [0, 1].
        falloff: how much darker the corners are than the middle.
        contact: depth of the contact shadow, 0 = none.
    """

    colour: tuple[float, float, float] = (0.94, 0.94, 0.945)
    falloff: float = 0.06
    contact: float = 0.35

    @classmethod
    def random(cls, rng: Generator) -> "Backdrop":
        """Return a near-white backdrop with a faint tint."""
        grey, tint = rng.uniform(0.88, 0.97), rng.normal(0, 0.008, 3)
        red, green, blue = (float(np.clip(grey + shift, 0.8, 1.0)) for shift in tint)
        return cls((red, green, blue), float(rng.uniform(0.02, 0.1)), float(rng.uniform(0.2, 0.45)))

    def paint(self, camera: Camera, feet: NDArray[np.float64], size: tuple[int, int]) -> Tensor:
        """Return the empty studio (3, H, W), shadowed under feet (N, 3) in world metres."""
        height, width = size
        y = (np.arange(height) + 0.5)[:, None] / height - 0.5
        x = (np.arange(width) + 0.5)[None, :] / height - 0.5 * width / height
        light = 1 - self.falloff * (x**2 + y**2) / 0.5
        if self.contact:
            right, up, away = camera.axes
            # The ray of each pixel, and where it meets the ground y = 0.
            ray = away + (x / camera.focal)[..., None] * right - (y / camera.focal)[..., None] * up
            eye = camera.position
            down = np.minimum(ray[..., 1], -1e-3)
            ground = eye - (eye[1] / down)[..., None] * ray
            for foot in feet:
                distance = (ground[..., 0] - foot[0]) ** 2 + (ground[..., 2] - foot[2]) ** 2
                lifted = np.exp(-max(float(foot[1]) - 0.09, 0.0) / 0.08)
                shadow = self.contact * lifted * np.exp(-distance / (2 * 0.11**2))
                light = light * (1 - np.where(ray[..., 1] < -1e-3, shadow, 0))
        picture = np.asarray(self.colour)[:, None, None] * light
        return torch.from_numpy(picture.clip(0, 1).astype(np.float32))
