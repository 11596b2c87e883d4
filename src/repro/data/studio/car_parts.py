"""What is put on a car's body: wheels with rims, mirrors, roof rails, spoilers, exhausts."""

import numpy as np
from numpy.random import Generator

from repro.data.studio.car_shape import Shape
from repro.data.studio.solids import Piece, box, placed, tilted, turned
from repro.data.studio.tubes import Surface

PARTS = ("body", "cabin", "wheel", "trim")
PART = {name: index for index, name in enumerate(PARTS)}


def wheels(shape: Shape, rng: Generator, fine: bool) -> list[Piece]:
    """Return four equal wheels: tyres, rims with spokes, and the dark behind them."""
    width = rng.uniform(0.19, 0.23)
    wheel = _wheel(shape.wheel, width, rng, fine)
    pieces = []
    for axle in shape.axles:
        for side in (1.0, -1.0):
            place = (side * (float(shape.side(axle)) * 0.985 - width / 2), shape.wheel, axle)
            pieces += [Piece(placed(surface, place, mirror=side < 0), PART["wheel"], kind) for surface, kind in wheel]
    return pieces


def _wheel(radius: float, width: float, rng: Generator, fine: bool) -> list[tuple[Surface, str]]:
    """A wheel about the origin that looks to +x."""
    sectors, edge = (32, 0.012) if fine else (14, 0.0)
    rim, face, wall = radius * rng.uniform(0.64, 0.74), width / 2 - 0.06, width / 2
    spokes = int(rng.choice([5, 6, 7, 8, 10]))
    broad = rng.uniform(0.25, 0.5) / spokes**0.7
    turns, broad = ((-8.0, 8.0), 0.62 * broad) if rng.random() < 0.3 else ((0.0,), broad)
    tyre = [
        (rim, -wall), (radius - 0.03, -wall), (radius - 0.006, 0.02 - wall), (radius, 0.0),
        (radius - 0.006, wall - 0.02), (radius - 0.03, wall), (rim, wall), (rim, face),
    ]  # fmt: skip
    dark = [(rim + 0.002, face - 0.03), (rim + 0.002, face - 0.01)]
    ring = [(rim - 0.022, face), (rim - 0.022, wall - 0.003), (rim + 0.004, wall + 0.001), (rim + 0.004, face)]
    hub = [(0.075, face - 0.025), (0.075, face + 0.035), (0.05, face + 0.045)]
    surfaces = [(turned(profile, (0, 0, 0), 0, sectors), kind)
                for profile, kind in ((tyre, "rubber"), (dark, "well"), (ring, "rim"), (hub, "rim"))]  # fmt: skip
    spoke = box((0.035, rim - 0.03, broad), (face + 0.01, rim / 2 + 0.01, 0), edge, steps=1)
    for angle in 90 + 360 * np.arange(spokes) / spokes:
        surfaces += [(tilted(spoke, angle + turn, 0, (0, 0, 0)), "rim") for turn in turns]
    return surfaces


def trim(shape: Shape, rng: Generator) -> list[Piece]:
    """Return mirrors, roof rails, spoiler, exhausts, as far as the car has them."""
    middle, length = (shape.screen[1] + shape.rear[1]) / 2, shape.screen[1] - shape.rear[1] + 0.1
    roof, tail = shape.cabin_half(1.0), -shape.length / 2
    found: list[tuple[Surface, str]] = []

    mirror, shell = shape.screen[0] - 0.30, "plastic" if rng.random() < 0.3 else "paint"
    x, y = float(shape.side(mirror)) * 0.97, shape.belt + 0.07
    pair = [
        (box((0.19, 0.13, 0.11), (x + 0.11, y, mirror), 0.045), shell),
        (box((0.15, 0.10, 0.008), (x + 0.115, y, mirror - 0.056), 0.004), "chrome"),
        (box((0.10, 0.03, 0.06), (x + 0.01, y - 0.05, mirror), 0.012), "plastic"),
    ]
    if shape.style in ("estate", "suv", "van") and rng.random() < 0.7:
        rail = "chrome" if rng.random() < 0.5 else "plastic"
        pair.append((box((0.035, 0.03, length), (roof - 0.09, float(shape.roof(middle)) + 0.075, middle), 0.012), rail))
        for foot in middle + length * np.array([-0.46, 0.0, 0.46]):
            pair.append((box((0.03, 0.08, 0.09), (roof - 0.09, float(shape.roof(foot)) + 0.045, foot), 0.01), rail))

    if shape.style in ("hatchback", "suv", "estate") and rng.random() < 0.6:
        edge = shape.rear[1]
        found.append(
            (box((2 * roof - 0.12, 0.03, 0.22), (0, float(shape.roof(edge)) + 0.035, edge - 0.09), 0.012), "cabin")
        )
    elif shape.style == "coupe" and rng.random() < 0.6:
        y = float(shape.deck(tail + 0.2)) + rng.uniform(0.12, 0.2)
        found.append((box((shape.width * 0.8, 0.025, 0.22), (0, y, tail + 0.17), 0.01), "paint"))
        pair.append((box((0.03, 0.24, 0.14), (shape.width * 0.28, y - 0.11, tail + 0.18), 0.01), "plastic"))
    pipe = [(0.036, -0.1), (0.036, 0.1), (0.028, 0.1), (0.028, 0.06)]
    exhaust = turned(pipe, (shape.width * 0.3, shape.clearance + 0.09, tail + 0.05), 2, 12)
    pipes = int(rng.integers(0, 3))
    if pipes == 2:
        pair.append((exhaust, "chrome"))
    elif pipes == 1:
        found.append((exhaust, "chrome"))
    found += pair + [(placed(surface, (0, 0, 0), mirror=True), kind) for surface, kind in pair]
    return [Piece(surface, PART["trim"], kind) for surface, kind in found]
