"""The proportions of a car: what its body, its windows and its lines are measured from."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from scipy.interpolate import PchipInterpolator

from repro.data.studio.tubes import Array

STYLES = ("hatchback", "saloon", "estate", "suv", "pickup", "coupe", "van")


@dataclass(frozen=True)
class Shape:
    """The proportions of a car, metres; z is measured from the middle of the car, forward.

    Attributes:
        style: of ``STYLES``.
        length, width, height: overall.
        clearance: of the sill above the ground.
        wheel: radius of the tyres.
        axles: z of the rear and the front axle.
        belt: height of the cabin's lower edge.
        nose, tail: heights of the bonnet's front edge and of the rear end.
        screen: z of the windscreen's foot and head.
        rear: z of the rear window's foot and head.
        tumble: how far the cabin's sides lean in.
    """

    style: str
    length: float
    width: float
    height: float
    clearance: float
    wheel: float
    axles: tuple[float, float]
    belt: float
    nose: float
    tail: float
    screen: tuple[float, float]
    rear: tuple[float, float]
    tumble: float

    def deck(self, z: Array | float) -> Array:
        """Return the height of the body without the cabin: boot, belt, bonnet."""
        half = self.length / 2
        knots = [
            (-half, self.tail - 0.03), (-half + 0.12, self.tail), (max(self.rear[0], -half + 0.2), self.belt),
            (self.screen[0], self.belt + 0.01), (half - 0.35, self.nose + 0.05), (half, self.nose - 0.05),
        ]  # fmt: skip
        places, heights = zip(*knots)
        return PchipInterpolator(places, heights)(np.asarray(z))

    def roof(self, z: Array | float) -> Array:
        """Return the height of the roof's edge: a shallow arc."""
        middle, half = (self.screen[1] + self.rear[1]) / 2 + 0.1, (self.screen[1] - self.rear[1]) / 2 + 0.2
        drop = 0.10 if self.style == "coupe" else 0.05
        return self.height - 0.06 - drop * ((np.asarray(z) - middle) / half) ** 2

    def side(self, z: Array | float) -> Array:
        """Return half the width at z: narrower towards the ends."""
        return self.width / 2 * (1 - 0.07 * np.abs(2 * np.asarray(z) / self.length) ** 3.5)

    def cabin_half(self, t: float) -> float:
        """Return half the cabin's width at the part t of the way from belt to roof; sides are slightly bowed."""
        return self.width / 2 * 0.935 - self.tumble * (t + 0.35 * t * t) / 1.35


def random_shape(rng: Generator) -> Shape:
    """Return random proportions: the style first, then everything in its range."""
    style = str(rng.choice(STYLES, p=(0.22, 0.2, 0.13, 0.18, 0.09, 0.1, 0.08)))
    length, height, width = {
        "hatchback": (3.95, 1.47, 1.74), "saloon": (4.65, 1.44, 1.82), "estate": (4.65, 1.48, 1.81),
        "suv": (4.50, 1.70, 1.88), "pickup": (5.05, 1.78, 1.88), "coupe": (4.40, 1.29, 1.85), "van": (4.55, 1.85, 1.86),
    }[style]  # fmt: skip
    length, height, width = (
        length * rng.uniform(0.94, 1.05),
        height * rng.uniform(0.97, 1.03),
        width * rng.uniform(0.97, 1.03),
    )
    tall = style in ("suv", "pickup")
    clearance = rng.uniform(0.26, 0.31) if tall else rng.uniform(0.17, 0.21)
    wheel = rng.uniform(0.36, 0.40) if tall else rng.uniform(0.305, 0.345)
    half = length / 2
    front = half - rng.uniform(0.78, 0.88) - (0.06 if tall else 0.0)
    back = -half + rng.uniform(0.68, 0.80) + {"saloon": 0.22, "estate": 0.2, "pickup": 0.28}.get(style, 0.0)
    belt = height * {"van": 0.56, "coupe": 0.655, "suv": 0.62, "pickup": 0.61}.get(style, rng.uniform(0.615, 0.645))
    nose = belt * (rng.uniform(0.86, 0.92) if tall else rng.uniform(0.74, 0.83))
    foot = front - rng.uniform(0.34, 0.46) + {"van": 0.42, "coupe": -0.18}.get(style, 0.0)
    rake = {"van": 0.62, "coupe": 0.80, "suv": 0.55, "pickup": 0.5}.get(style, rng.uniform(0.62, 0.76))
    rear_foot, rear_rake = {
        "hatchback": (-half + 0.13, rng.uniform(0.30, 0.5)), "estate": (-half + 0.13, rng.uniform(0.2, 0.36)),
        "suv": (-half + 0.14, rng.uniform(0.24, 0.42)), "van": (-half + 0.1, rng.uniform(0.1, 0.2)),
        "saloon": (-half + rng.uniform(0.5, 0.66), rng.uniform(0.62, 0.8)),
        "coupe": (-half + rng.uniform(0.36, 0.5), rng.uniform(0.85, 1.05)),
        "pickup": (-half + rng.uniform(1.55, 1.85), rng.uniform(0.06, 0.16)),
    }[style]  # fmt: skip
    tail = belt * (rng.uniform(0.97, 1.01) if style != "saloon" else rng.uniform(0.94, 1.0))
    return Shape(
        style, length, width, height, clearance, wheel, (back, front), belt, nose, tail,
        (foot, foot - rake), (rear_foot, rear_foot + rear_rake), float(rng.uniform(0.17, 0.23)),
    )  # fmt: skip
