"""Colours of people and clothes, chosen in the perceptual space OKLCH and given as display RGB in [0, 1]."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Colour = NDArray[np.floating]

# Ranges of lightness and chroma of a garment's ground colour. Dark grounds are rare and always get a light figure,
# since at 64 pixels a dark pattern on dark cloth is lost.
STYLES = {
    "vivid": ((0.64, 0.78), (0.13, 0.21)),
    "pastel": ((0.80, 0.90), (0.05, 0.10)),
    "deep": ((0.40, 0.50), (0.08, 0.15)),
    "light": ((0.86, 0.94), (0.00, 0.025)),
    "dark": ((0.27, 0.34), (0.00, 0.04)),
}
DARK_STYLES = ("deep", "dark")

HAIR = {  # lightness, chroma, hue in degrees
    "black": (0.25, 0.012, 60),
    "dark brown": (0.33, 0.035, 50),
    "brown": (0.43, 0.06, 48),
    "auburn": (0.45, 0.10, 42),
    "dark blond": (0.58, 0.07, 62),
    "blond": (0.78, 0.08, 76),
    "grey": (0.68, 0.008, 80),
    "dyed": (0.55, 0.17, None),
}
HAIR_SHARES = (0.20, 0.20, 0.17, 0.10, 0.11, 0.11, 0.06, 0.05)

IRIS = {"brown": (0.40, 0.08, 55), "hazel": (0.52, 0.09, 85), "green": (0.55, 0.09, 145), "blue": (0.58, 0.10, 245)}


def oklch(lightness: float, chroma: float, hue: float) -> Colour:
    """Return the display RGB (3,) of an OKLCH colour; chroma shrinks until the colour is inside the display's gamut.

    Args:
        lightness: perceived lightness, 0 black to 1 white.
        chroma: distance from grey; 0.2 is vivid.
        hue: angle in degrees (about 30 red, 90 yellow, 145 green, 250 blue, 330 magenta).
    """
    linear = _linear_rgb(lightness, chroma, hue)
    if _outside(linear):
        within, beyond = 0.0, chroma
        for _ in range(12):
            middle = (within + beyond) / 2
            if _outside(_linear_rgb(lightness, middle, hue)):
                beyond = middle
            else:
                within = middle
        linear = _linear_rgb(lightness, within, hue)
    linear = linear.clip(0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055).astype(np.float32)


# OKLab (Ottosson 2020): a, b -> cube roots of the cone responses; cone responses -> linear sRGB.
_AB_TO_CONES = np.array([[0.3963377774, 0.2158037573], [-0.1055613458, -0.0638541728], [-0.0894841775, -1.2914855480]])
_CONES_TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


def _linear_rgb(lightness: float, chroma: float, hue: float) -> NDArray[np.float64]:
    angle = np.deg2rad(hue)
    a, b = chroma * np.cos(angle), chroma * np.sin(angle)
    cones = (lightness + (_AB_TO_CONES * (a, b)).sum(1)) ** 3
    return (_CONES_TO_RGB * cones).sum(1)


def _outside(linear: NDArray[np.float64]) -> bool:
    return bool(linear.min() < -1e-4 or linear.max() > 1 + 1e-4)


LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of red, green and blue in the brightness of a display colour (Rec. 601)."""


@dataclass(frozen=True)
class GarmentPalette:
    """The colours of one garment: ground, a contrasting figure, and two accents, each (3,)."""

    ground: Colour
    figure: Colour
    accent: Colour
    second_accent: Colour
    style: str

    @property
    def colours(self) -> Colour:
        """All four colours, (4, 3), ground first."""
        return np.stack([self.ground, self.figure, self.accent, self.second_accent])


def garment_palette(rng: Generator, hue: float, styles: tuple[str, ...] = tuple(STYLES)) -> GarmentPalette:
    """Return a palette around ``hue`` (degrees): ground in one of ``styles``, figure far from it in lightness."""
    shares = np.array([{"vivid": 4, "pastel": 2.5, "deep": 2, "light": 2, "dark": 1}[name] for name in styles], float)
    style = str(rng.choice(styles, p=shares / shares.sum()))
    (low, high), (least, most) = STYLES[style]
    lightness, chroma = rng.uniform(low, high), rng.uniform(least, most)
    # The figure goes to the other end of the lightness axis: white-ish on dark, dark or vivid on light.
    if lightness < 0.58:
        figure_lightness = rng.uniform(0.84, 0.96)
    elif lightness > 0.8:
        figure_lightness = rng.uniform(0.36, 0.58)
    else:
        figure_lightness = rng.uniform(0.90, 0.96) if rng.random() < 0.55 else rng.uniform(0.30, 0.40)
    turn = float(rng.choice([0, 30, -35, 120, 180, -120]))
    figure_chroma = 0.02 if figure_lightness > 0.9 else rng.uniform(0.08, 0.18)
    accent_hue = hue + float(rng.choice([150, 180, -150, 60, -60]))
    middle = 0.5 * (lightness + figure_lightness)
    return GarmentPalette(
        ground=oklch(lightness, chroma, hue),
        figure=oklch(figure_lightness, figure_chroma, hue + turn),
        accent=oklch(float(np.clip(middle + rng.uniform(-0.05, 0.1), 0.5, 0.8)), rng.uniform(0.12, 0.20), accent_hue),
        second_accent=oklch(rng.uniform(0.70, 0.88), rng.uniform(0.08, 0.16), hue + turn + 90),
        style=style,
    )


@dataclass(frozen=True)
class BodyColours:
    """Skin, lips, hair, brows and iris of one person, each (3,)."""

    skin: Colour
    lips: Colour
    hair: Colour
    brows: Colour
    iris: Colour


def body_colours(rng: Generator) -> BodyColours:
    """Return the body colours of one person: skin from light to deep, independent hair and iris."""
    tone = rng.uniform(0, 1)  # 0 deep, 1 light
    lightness, skin_hue = 0.49 + 0.39 * tone, rng.uniform(44, 60)
    skin = oklch(lightness, rng.uniform(0.07, 0.095) - 0.025 * tone, skin_hue)
    lips = oklch(lightness - rng.uniform(0.09, 0.17), rng.uniform(0.09, 0.15), rng.uniform(15, 32))
    names = list(HAIR)
    name = str(rng.choice(names, p=HAIR_SHARES))
    hair_lightness, hair_chroma, hair_hue = HAIR[name]
    hue = rng.uniform(0, 360) if hair_hue is None else hair_hue + rng.normal(0, 4)
    hair = oklch(hair_lightness + rng.normal(0, 0.02), hair_chroma, hue)
    brows = oklch(min(hair_lightness, 0.5) - 0.05, 0.04, 55)
    eye, chroma, iris_hue = IRIS[str(rng.choice(list(IRIS)))]
    return BodyColours(skin, lips, hair, brows, oklch(eye + rng.normal(0, 0.03), chroma, iris_hue))


def outfit_hues(rng: Generator, count: int) -> NDArray[np.float64]:
    """Return ``count`` hues (degrees) in one harmony: near to each other, opposite, or in thirds."""
    base = rng.uniform(0, 360)
    steps = {"near": (0, 30, -30), "opposite": (0, 180, 20), "thirds": (0, 120, -120)}
    chosen = steps[str(rng.choice(list(steps)))]
    return np.array([base + chosen[i % 3] + rng.normal(0, 8) for i in range(count)]) % 360
