"""What is painted on a car: livery, windows with what is seen through them, lamps, grille, plates, door lines."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.random import Generator

from repro.data.studio.car_shape import Shape
from repro.data.studio.finish import Finish, Model, Panel, rectangle
from repro.data.studio.identity import Identity
from repro.data.studio.palette import Colour, garment_palette, oklch
from repro.data.studio.patterns import Tile, make_tile
from repro.data.studio.solids import Solid
from repro.data.studio.tubes import Array

LIVERIES = ("plain", "two_tone", "stripes", "band", "dots", "marble", "checks", "camouflage")
"""Names of the texture labels, in order."""
HELD_OUT = ("checks", "camouflage")
"""Liveries that no training car has."""
HELD_OUT_SHARE = 0.35
SHARES = {"plain": 5.0, "two_tone": 2.0, "stripes": 1.5, "band": 1.5, "dots": 0.7, "marble": 0.7}
WRAPS = ("dots", "marble", "camouflage")
LACQUERS = (  # share, lightness, chroma, hue
    (3, 0.83, 0.006, 90), (3, 0.70, 0.008, 250), (2, 0.50, 0.01, 250), (2, 0.27, 0.01, 260), (3, 0.52, 0.19, 27),
    (2, 0.47, 0.14, 258), (1, 0.66, 0.12, 240), (1, 0.52, 0.10, 150), (1, 0.84, 0.16, 92), (1, 0.70, 0.17, 52),
    (1, 0.80, 0.05, 85), (1, 0.42, 0.08, 40), (1, 0.62, 0.09, 195), (1, 0.40, 0.12, 10), (1, 0.74, 0.09, 130),
)  # fmt: skip


def paint_car(solid: Solid, shape: Shape, identity: Identity) -> Model:
    """Return the painted car."""
    rng = identity.rng("livery")
    if identity.split == "test" and rng.random() < HELD_OUT_SHARE:
        livery = str(rng.choice(HELD_OUT))
    else:
        shares = np.array(list(SHARES.values()))
        livery = str(rng.choice(list(SHARES), p=shares / shares.sum()))
    finishes = _finishes(identity, livery)
    panels = _livery(shape, livery, rng) + _lines(shape, identity.rng("lines"))
    panels += _windows(shape, identity.rng("windows")) + _face(shape, identity.rng("face"))
    panels += _rear(shape, identity.rng("rear"))
    return Model(solid, finishes, tuple(panels), livery, livery in HELD_OUT)


def _finishes(identity: Identity, livery: str) -> dict[str, Finish]:
    rng = identity.rng("colours")
    shares = np.array([row[0] for row in LACQUERS], float)
    _, lightness, chroma, hue = LACQUERS[int(rng.choice(len(LACQUERS), p=shares / shares.sum()))]
    lacquer = oklch(lightness + rng.normal(0, 0.02), chroma * rng.uniform(0.85, 1.1), hue + rng.normal(0, 6))
    light = lightness > 0.6
    accent = oklch(*((0.25, 0.01, 260) if light else (0.95, 0.005, 90)))
    if rng.random() < 0.4:
        accent = oklch(0.45 if light else 0.85, 0.16, float(rng.uniform(0, 360)))
    tile = None
    if livery in WRAPS:
        palette = garment_palette(
            identity.rng("wrap palette"), float(rng.uniform(0, 360)), ("vivid", "pastel", "light")
        )
        tile = make_tile(livery, identity.rng("wrap"), palette, 128)
        tile = replace(tile, metres=3.2 * tile.metres)  # cloth is patterned finer than a car
    white = np.ones(3, np.float32)
    paint = Finish(white if tile else lacquer, 0.5, 0.05, tile)
    dark_rim = rng.random() < 0.3
    rim = _grey(0.16 if dark_rim else rng.uniform(0.62, 0.8))
    checks = np.kron(np.array([[0, 1], [1, 0]]), np.ones((8, 8)))[..., None] * np.array([1, 1, 1, 0]) * 0.9 + [
        0.05,
        0.05,
        0.05,
        1,
    ]
    return {
        "paint": paint,
        "cabin": Finish(accent, 0.5, 0.05) if livery == "two_tone" else paint,
        "accent": Finish(accent, 0.5, 0.05),
        "checks": Finish(white, 0.4, 0.04, Tile(checks.astype(np.float32), 0.26)),
        "rubber": Finish(_grey(0.11), 0.05),
        "well": Finish(_grey(0.06)),
        "plastic": Finish(_grey(rng.uniform(0.13, 0.22)), 0.15, 0.01),
        "rim": Finish(rim, 0.5, 0.10),
        "chrome": Finish(_grey(0.38), 0.6, 0.3),
        "glass": Finish(np.array([0.055, 0.065, 0.07], np.float32) * rng.uniform(0.7, 1.6), 0.8, 0.14),
        "gasket": Finish(_grey(0.05), 0.3, 0.03),
        "seat": Finish(oklch(rng.uniform(0.20, 0.34), 0.025, float(rng.uniform(30, 100))), 0.5, 0.14),
        "seam": Finish(_grey(0.10)),
        "lamp": Finish(np.array([0.86, 0.89, 0.92], np.float32), 1.0, 0.15),
        "housing": Finish(_grey(0.20), 0.8, 0.12),
        "red": Finish(oklch(0.48, 0.21, 26), 0.8, 0.08),
        "amber": Finish(oklch(0.72, 0.17, 60), 0.8, 0.08),
        "plate": Finish(oklch(0.95, 0.01, 90) if rng.random() < 0.7 else oklch(0.88, 0.15, 95), 0.1),
        "ink": Finish(_grey(0.10)),
    }


def _grey(value: float) -> Colour:
    return np.full(3, value, np.float32)


def _sides(on: str, outline: Array, finish: str, radius: float = 0.0) -> list[Panel]:
    """The same panel on the left and on the right."""
    return [Panel(on, plane, outline, finish, radius) for plane in ("left", "right")]


def _twins(
    on: str, plane: str, outline: Array, finish: str, radius: float = 0.0, beyond: float = -np.inf
) -> list[Panel]:
    """A panel and its mirror image on the front, the back or the top."""
    return [Panel(on, plane, outline * [sign, 1], finish, radius, beyond) for sign in (-1.0, 1.0)]


def _disc(centre: tuple[float, float], radius: float) -> Array:
    angle = 2 * np.pi * np.arange(20) / 20
    return np.asarray(centre) + radius * np.stack([np.cos(angle), np.sin(angle)], 1)


# Livery and lines ----------------------------------------------------------------------------------------------------


def _livery(shape: Shape, livery: str, rng: Generator) -> list[Panel]:
    half = shape.length / 2
    if livery == "stripes":
        inner = rng.uniform(0.04, 0.1)
        outer = inner + rng.uniform(0.16, 0.26)
        strips = [(-outer, -inner), (inner, outer)] if rng.random() < 0.6 else [(-0.18, 0.18)]
        return [
            Panel(on, plane, rectangle(strip, (-9, 9)), "accent")
            for strip in strips for on in ("paint", "cabin") for plane in ("front", "back", "top")
        ]  # fmt: skip
    if livery == "band":
        low = shape.belt - rng.uniform(0.2, 0.42)
        return _sides("paint", rectangle((-half - 1, half + 1), (low, low + rng.uniform(0.07, 0.16))), "accent")
    if livery == "checks":
        low = 0.26 * round((shape.belt - 0.36) / 0.26)
        return _sides("paint", rectangle((-half - 1, half + 1), (low, low + 0.26)), "checks")
    return []


def _doors(shape: Shape) -> tuple[float, float, float]:
    """z of the front door's front edge, of the pillar between the doors, and of the rear door's rear edge."""
    front = shape.screen[0] - 0.16
    back = max(shape.axles[0] + 0.12, shape.rear[0] + 0.22)
    if shape.style == "coupe":
        return front, front - 1.22, front - 1.22
    return front, back + 0.53 * (front - back), back


def _lines(shape: Shape, rng: Generator) -> list[Panel]:
    """Door and bonnet seams, handles, fuel cap, cladding."""
    half, sill, gap = shape.length / 2, shape.clearance, 0.007
    front, pillar, back = _doors(shape)
    panels: list[Panel] = []
    if shape.style in ("suv", "pickup") or rng.random() < 0.15:
        panels += _sides("paint", rectangle((-half, half), (0, sill + rng.uniform(0.09, 0.16))), "plastic")
        for axle in shape.axles:
            panels += _sides("paint", _disc((axle, shape.wheel), shape.wheel * 1.13 + 0.06), "plastic")
    for z in {front, pillar, back}:
        panels += _sides("paint", rectangle((z - gap, z + gap), (sill + 0.1, shape.belt + 0.1)), "seam")
    panels += _sides("paint", rectangle((back, front), (sill + 0.1 - gap, sill + 0.1 + gap)), "seam")
    handle = "chrome" if rng.random() < 0.4 else "seam"
    for z in {pillar, back}:
        at = rectangle((z + 0.07, z + 0.24), (shape.belt - 0.17, shape.belt - 0.135))
        panels += _sides("paint", at, handle, 0.012)
    cap = (shape.axles[0] - 0.02, shape.belt - 0.16)
    panels.append(Panel("paint", "right" if rng.random() < 0.5 else "left", _disc(cap, 0.085), "seam"))
    panels.append(replace(panels[-1], outline=_disc(cap, 0.073), finish="paint"))
    wide, foot = shape.width / 2, shape.screen[0] + 0.05
    panels += _twins(
        "paint", "top", rectangle((wide * 0.78 - gap, wide * 0.78 + gap), (foot, half - 0.25)), "seam", beyond=0.4
    )
    panels.append(
        Panel("paint", "top", rectangle((-wide * 0.78, wide * 0.78), (foot - 0.06, foot - 0.02)), "gasket", 0.0, 0.4)
    )
    return panels


# Windows -------------------------------------------------------------------------------------------------------------


def _windows(shape: Shape, rng: Generator) -> list[Panel]:
    """Side windows, windscreen and rear window, each in a dark frame, with the seats behind them."""
    low, high = 0.11, 0.83
    front_post, rear_post = 0.16, rng.uniform(0.16, 0.26)
    _, pillar, back = _doors(shape)

    def on_side(t: float, z: float) -> tuple[float, float]:
        deck = float(shape.deck(z)) - 0.02
        return z, deck + t * (float(shape.roof(z)) - deck)

    def edge(ends: tuple[float, float], t: float) -> float:
        return ends[0] + t * (ends[1] - ends[0])

    cuts = [pillar]
    if shape.style in ("estate", "van", "suv") and back - 0.1 > edge(shape.rear, low) + rear_post + 0.3:
        cuts.append(back - 0.02)
    if shape.style == "pickup":
        cuts = [pillar] if pillar > edge(shape.rear, low) + 0.5 else []
    bounds = [None, *cuts, None]
    panels: list[Panel] = []
    panes: list[Array] = []
    for ahead, behind in pairwise(bounds):
        corners = []
        for t in (low, high):
            first = edge(shape.screen, t) - front_post if ahead is None else ahead - 0.045
            last = edge(shape.rear, t) + rear_post if behind is None else behind + 0.045
            corners.append((last, first))
        (last0, first0), (last1, first1) = corners
        last1, last0 = min(last1, first1 - 0.05), min(last0, first0 - 0.05)
        panes.append(np.array([on_side(low, last0), on_side(low, first0), on_side(high, first1), on_side(high, last1)]))
    for pane in panes:
        panels += _sides("cabin", _grown(pane, 0.028), "gasket", 0.05)
    for pane in panes:
        panels += _sides("cabin", pane, "glass", 0.03)
    rows = [pillar + 0.16] + ([] if shape.style in ("coupe", "pickup") else [pillar - 0.68])
    for pane, z in zip(panes, rows):
        bottom, top = pane[:2, 1].max() + 0.01, pane[2:, 1].min() - 0.05
        z = float(np.clip(z, pane[[0, 3], 0].max() + 0.05, pane[[1, 2], 0].min() - 0.18))
        slab = np.array([[z, bottom], [z + 0.17, bottom], [z + 0.10, top], [z - 0.03, top]])
        panels += _sides("cabin", slab, "seat", 0.05)

    for plane, ends, (t0, t1) in (("front", shape.screen, (0.06, 0.9)), ("back", shape.rear, (0.16, 0.86))):
        sign = 1.0 if plane == "front" else -1.0
        corners = []
        for t in (t0, t1):
            z = edge(ends, t)
            deck = float(shape.deck(np.clip(z, -shape.length / 2 + 0.15, None))) - 0.02
            corners.append((shape.cabin_half(t) - 0.11, deck + t * (float(shape.roof(z)) - deck)))
        (wide0, y0), (wide1, y1) = corners
        pane = np.array([[-wide0, y0], [wide0, y0], [wide1, y1], [-wide1, y1]])
        beyond = sign * ends[1] - 0.1
        panels.append(Panel("cabin", plane, _grown(pane, 0.03), "gasket", 0.06, beyond))
        panels.append(Panel("cabin", plane, pane, "glass", 0.05, beyond))
        rest = np.array(
            [[0.22, y0 + 0.02], [0.52, y0 + 0.02], [0.46, y0 + 0.55 * (y1 - y0)], [0.28, y0 + 0.55 * (y1 - y0)]]
        )
        panels += _twins("cabin", plane, rest, "seat", 0.05, beyond)
    return panels


def _grown(outline: Array, by: float) -> Array:
    """Return a convex quadrangle whose edges are moved out by ``by`` metres (about)."""
    middle = outline.mean(0)
    reach = np.abs(outline - middle).mean(0)
    return middle + (outline - middle) * (1 + by / reach)


# Front and back ------------------------------------------------------------------------------------------------------


def _face(shape: Shape, rng: Generator) -> list[Panel]:
    """Headlamps, grille with slats, air intake, plate."""
    half, wide, sill = shape.length / 2, shape.width / 2, shape.clearance
    at = half - 0.5
    top = shape.nose - 0.13
    panels: list[Panel] = []

    kind = str(rng.choice(["slim", "round", "tall", "slanted"]))
    inner, outer = wide * rng.uniform(0.5, 0.6), wide * 0.93
    height = {"slim": 0.085, "round": 0.19, "tall": 0.2, "slanted": 0.14}[kind]
    grille_low = top - rng.uniform(0.1, 0.3)
    span = inner - 0.03
    lower = span * rng.uniform(0.7, 1.0)
    panels.append(
        Panel(
            "paint",
            "front",
            np.array([[-lower, grille_low], [lower, grille_low], [span, top], [-span, top]]),
            "housing",
            0.03,
            at,
        )
    )
    slats = int(rng.integers(2, 6))
    if rng.random() < 0.6:
        for y in np.linspace(grille_low, top, slats + 2)[1:-1]:
            panels.append(
                Panel(
                    "paint",
                    "front",
                    rectangle((-lower * 0.95, lower * 0.95), (y - 0.007, y + 0.007)),
                    "chrome",
                    0.0,
                    at,
                )
            )
    elif rng.random() < 0.6:
        for x in np.linspace(0.06, lower * 0.9, 2 + slats):
            panels += _twins(
                "paint", "front", rectangle((x - 0.006, x + 0.006), (grille_low + 0.02, top - 0.02)), "chrome", 0.0, at
            )
    panels.append(Panel("paint", "front", _disc((0.0, (grille_low + top) / 2), 0.05), "chrome", 0.0, at))
    if kind == "round":
        centre = (wide * 0.72, top - height / 2)
        panels += _twins("paint", "front", _disc(centre, 0.125), "chrome", 0.0, at)
        panels += _twins("paint", "front", _disc(centre, 0.108), "lamp", 0.0, at)
    else:
        lift = {"slanted": 0.08, "slim": 0.03, "tall": 0.0}[kind]
        lens = np.array(
            [[inner, top - height], [outer, top - height + 0.3 * lift], [outer, top + lift], [inner, top - 0.3 * lift]]
        )
        panels += _twins("paint", "front", lens, "housing", 0.02, at)
        middle = lens.mean(0)
        panels += _twins("paint", "front", middle + (lens - middle) * [0.88, 0.74], "lamp", 0.015, at)
        panels += _twins(
            "paint", "front", _disc((float(middle[0]), float(middle[1])), 0.3 * height), "housing", 0.0, at
        )
        panels += _twins("paint", "front", _disc((float(middle[0]), float(middle[1])), 0.22 * height), "lamp", 0.0, at)

    intake = np.array(
        [[-wide * 0.72, sill + 0.1], [wide * 0.72, sill + 0.1], [wide * 0.6, sill + 0.22], [-wide * 0.6, sill + 0.22]]
    )
    panels.append(Panel("paint", "front", intake, "plastic", 0.03, at))
    if rng.random() < 0.6:
        panels += _twins("paint", "front", _disc((wide * 0.78, sill + 0.2), 0.05), "lamp", 0.0, at)
    return panels + _plate(rng, "front", sill + 0.24, at)


def _rear(shape: Shape, rng: Generator) -> list[Panel]:
    """Tail lamps, boot seam, bumper, plate."""
    half, wide, sill = shape.length / 2, shape.width / 2, shape.clearance
    at, top = half - 0.5, shape.tail - 0.1
    panels = [Panel("paint", "back", rectangle((-wide * 1.1, wide * 1.1), (0, sill + 0.14)), "plastic", 0.0, at)]
    gap = 0.007
    panels += _twins(
        "paint", "back", rectangle((wide * 0.72 - gap, wide * 0.72 + gap), (sill + 0.28, top + 0.1)), "seam", 0.0, at
    )
    panels.append(
        Panel(
            "paint",
            "back",
            rectangle((-wide * 0.72, wide * 0.72), (sill + 0.28 - gap, sill + 0.28 + gap)),
            "seam",
            0.0,
            at,
        )
    )
    kind = (
        str(rng.choice(["block", "tall", "bar"])) if shape.style not in ("van", "suv", "estate", "pickup") else "tall"
    )
    if kind == "bar":
        panels.append(Panel("paint", "back", rectangle((-wide, wide), (top - 0.13, top - 0.03)), "red", 0.02, at))
        panels += _twins(
            "paint", "back", rectangle((wide * 0.5, wide * 0.62), (top - 0.11, top - 0.05)), "lamp", 0.01, at
        )
    else:
        inner, low = (
            (wide * rng.uniform(0.55, 0.66), top - 0.17)
            if kind == "block"
            else (wide * rng.uniform(0.74, 0.8), top - 0.34)
        )
        lens = np.array([[inner, low], [wide * 1.02, low + 0.03], [wide * 1.02, top], [inner + 0.03, top]])
        panels += _twins("paint", "back", lens, "red", 0.03, at)
        share = low + 0.36 * (top - low)
        panels += _twins(
            "paint", "back", rectangle((inner + 0.03, wide * 0.97), (share, share + 0.05)), "amber", 0.01, at
        )
        panels += _twins(
            "paint", "back", rectangle((inner + 0.03, wide * 0.97), (share - 0.06, share - 0.01)), "lamp", 0.01, at
        )
    panels.append(Panel("paint", "back", _disc((0.0, top - 0.06), 0.04), "chrome", 0.0, at))
    return panels + _plate(rng, "back", top - 0.33 if rng.random() < 0.6 else sill + 0.2, at)


def _plate(rng: Generator, plane: str, y: float, beyond: float) -> list[Panel]:
    panels = [
        Panel("paint", plane, rectangle((-0.27, 0.27), (y - 0.012, y + 0.127)), "gasket", 0.015, beyond),
        Panel("paint", plane, rectangle((-0.26, 0.26), (y, y + 0.115)), "plate", 0.012, beyond),
    ]
    for place in range(7):
        x = -0.21 + 0.06 * place
        if rng.random() < 0.85:
            low = y + rng.choice([0.02, 0.045])
            panels.append(
                Panel(
                    "paint", plane, rectangle((x, x + rng.uniform(0.02, 0.042)), (low, y + 0.095)), "ink", 0.005, beyond
                )
            )
    return panels
