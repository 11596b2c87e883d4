"""Pinhole cameras: where a point of the world appears, and the views that a fashion photographer takes."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Camera:
    r"""A pinhole camera that circles a point: column = W/2 + f H X / Z, row = H/2 - f H Y / Z.

    Attributes:
        yaw: radians about +y; 0 = in front of the person, +pi/2 = at their left side (+x), pi = behind.
        pitch: radians, positive = the camera stands higher and looks down.
        roll: radians, positive turns the picture counter-clockwise.
        distance: metres from the point looked at.
        look_at: that point, metres.
        focal: focal length in units of the image height.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    distance: float = 4.0
    look_at: tuple[float, float, float] = (0.0, 0.9, 0.0)
    focal: float = 2.1

    @property
    def axes(self) -> Array:
        """Rows: the directions of image right, image up and away from the camera, (3, 3), in world axes."""
        sin_yaw, cos_yaw, sin_pitch, cos_pitch = (
            np.sin(self.yaw), np.cos(self.yaw), np.sin(self.pitch), np.cos(self.pitch),
        )  # fmt: skip
        right = np.array([cos_yaw, 0.0, -sin_yaw])
        up = np.array([-sin_pitch * sin_yaw, cos_pitch, -sin_pitch * cos_yaw])
        away = -np.array([cos_pitch * sin_yaw, sin_pitch, cos_pitch * cos_yaw])
        cosine, sine = np.cos(self.roll), np.sin(self.roll)
        return np.stack([cosine * right - sine * up, sine * right + cosine * up, away])

    @property
    def position(self) -> Array:
        """Where the camera stands, (3,) metres."""
        return np.asarray(self.look_at) - self.distance * self.axes[2]

    def project(self, points: Array, size: tuple[int, int]) -> Array:
        """Return screen points (..., 3): continuous x, y in pixels (centres at half integers), depth Z in metres.

        Args:
            points: (..., 3) world points, metres.
            size: (height, width) of the image.
        """
        height, width = size
        offset = points - np.asarray(self.look_at)
        x, y, z = (axis[0] * offset[..., 0] + axis[1] * offset[..., 1] + axis[2] * offset[..., 2] for axis in self.axes)
        z = z + self.distance
        scale = self.focal * height / np.where(np.abs(z) < 1e-9, 1e-9, z)
        return np.stack([width / 2 + x * scale, height / 2 - y * scale, z], -1)

    def rays(self, size: tuple[int, int], finer: int = 1) -> Array:
        """Return the directions (finer H, finer W, 3) of what each pixel's samples see, one metre along the axis.

        Args:
            size: (H, W) of the image.
            finer: samples per pixel along each side.
        """
        height, width = size
        y = ((np.arange(finer * height) + 0.5) / (finer * height) - 0.5)[:, None, None]
        x = ((np.arange(finer * width) + 0.5) / finer - width / 2)[None, :, None] / height
        right, up, away = self.axes
        return away + x / self.focal * right - y / self.focal * up

    def mirrored(self) -> "Camera":
        """Return the camera seen in a mirror (x -> -x)."""
        x, y, z = self.look_at
        return replace(self, yaw=-self.yaw, roll=-self.roll, look_at=(-x, y, z))


UPPER_BODY_SHARE = 0.35
BACK_SHARE = 0.18
"""Views from behind (within 60 degrees of straight behind); the data set promises at least 15 percent."""


def fashion_camera(rng: np.random.Generator, stature: float, centre: tuple[float, float] = (0.0, 0.0)) -> Camera:
    """Return a random camera of the ``fashion`` set.

    65 % see the full body (focal length 2.1), 35 % the upper body (3.7), from about 4 m; yaw is biased to the front,
    18 % come from behind; pitch 0 to 5 degrees.

    Args:
        rng: generator of the purpose.
        stature: metres from the ground to the crown.
        centre: x and z of the person's middle on the ground, metres.
    """
    upper, behind = rng.random() < UPPER_BODY_SHARE, rng.random() < BACK_SHARE
    yaw = np.pi + rng.normal(0, 0.35) if behind else np.clip(rng.normal(0, 0.5), -1.7, 1.7)
    height = stature * (rng.uniform(0.70, 0.76) if upper else rng.uniform(0.49, 0.52))
    distance = 4.0 * max(1.0, stature / 1.75) * rng.uniform(0.97, 1.05)
    shift = rng.uniform(-0.04, 0.04)
    return Camera(
        yaw=float((yaw + np.pi) % (2 * np.pi) - np.pi),
        pitch=float(np.deg2rad(rng.uniform(0, 5))),
        distance=float(distance),
        look_at=(centre[0] + float(shift), float(height), centre[1]),
        focal=3.7 if upper else 2.1,
    )
