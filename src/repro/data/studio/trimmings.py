"""Which decals and bands a garment gets, and where on the body they belong."""

from typing import Any

import numpy as np
from numpy.random import Generator

from repro.data.studio import decals as sewn
from repro.data.studio.decals import Decal
from repro.data.studio.identity import Garment, Identity
from repro.data.studio.palette import LUMA, Colour, GarmentPalette, oklch
from repro.data.studio.skeleton import build_skeleton, stature_map


def trimmings(identity: Identity, piece: Garment, family: str, palette: GarmentPalette) -> dict[str, Any]:
    """Return the keyword arguments of ``wardrobe.Material`` for what is sewn on a garment: decals and bands."""
    rng = identity.rng("trimmings", piece.kind)
    height = lambda part: float(stature_map(identity.body, part))  # noqa: E731
    skeleton = build_skeleton(identity.body)
    stature, figure = identity.body.height, palette.figure
    seam = palette.ground * 0.55
    calm = family in ("plain", "denim", "gradient", "lace", "stripes")
    found: list[Decal] = []

    def text(label: str, y: float, widest: float, tallest: float, side: str) -> Decal:
        # On cloth of several colours only light glyphs with a dark rim stay legible.
        dark, light = palette.colours[np.argsort(palette.colours @ LUMA)[[0, -1]]]
        busy = family in ("stripes", "gradient")
        rim = palette.accent if rng.random() < 0.4 else None
        picture, aspect = sewn.printed(label, light if busy else figure, dark * 0.5 if busy else rim)
        width = min(widest, tallest * aspect) * stature / 1.75
        return sewn.place(picture, (0, y, 0), width, width / aspect, side)

    def number() -> str:
        return str(rng.integers(1, 100))

    if piece.kind == "top":
        if calm and rng.random() < 0.65:
            label, tallest = (number(), 0.24) if rng.random() < 0.35 else (sewn.random_text(rng), 0.2)
            found.append(text(label, height(0.735), 0.27, tallest, "front"))
        elif rng.random() < 0.4 or piece.style == "collar":
            found.append(_placket(rng, palette, height(0.60), height(0.79)))
            if rng.random() < 0.6:
                found.append(_pocket(palette, seam, (0.07, height(0.735)), 0.10))
        if calm and rng.random() < 0.5:
            found.append(
                text(sewn.random_text(rng) if rng.random() < 0.5 else number(), height(0.73), 0.27, 0.22, "back")
            )
    if piece.kind == "dress" and rng.random() < 0.35:
        found.append(_placket(rng, palette, height(0.62), height(0.78)))
    if piece.kind == "coat":
        found.append(_placket(rng, palette, height(piece.hem + 0.03), height(0.76)))
        found += [_pocket(palette, seam, (sign * 0.11, height(0.56)), 0.12) for sign in (-1, 1)]
    if piece.kind == "trousers":
        found.append(sewn.place(sewn.fly(seam), (0, height(0.565), 0), 0.05, 0.16))
        for side in ("left", "right") if rng.random() < 0.7 else ():
            x = float(skeleton.points[f"{side}_hip"][1][0])
            found.append(_pocket(palette, seam, (x, height(0.515)), 0.12, side="back"))
    if piece.kind == "belt":
        metal = oklch(0.82, 0.09, 85) if rng.random() < 0.5 else oklch(0.85, 0.01, 250)
        found.append(sewn.place(sewn.buckle(metal, palette.ground), (0, height(0.6), 0), 0.065, 0.055))
    if piece.kind == "shoe" and piece.style != "pump":
        for side in ("left", "right"):
            ankle = skeleton.points[f"{side}_ankle"][1]
            centre = (float(ankle[0]), 0.02 * stature, 0.045 * stature)
            found.append(sewn.place(sewn.laces(figure), centre, 0.055, 0.10, "top"))
    if piece.kind == "hat" and rng.random() < 0.6:
        found.append(text(sewn.random_text(rng)[:2], height(0.975), 0.07, 0.05, "front"))

    banded = {"top": 0.5, "dress": 0.5, "skirt": 0.4, "trousers": 0.2, "coat": 0.4}.get(piece.kind, 0.0)
    band = float(rng.uniform(0.02, 0.045)) if rng.random() < banded else 0.0
    colour = palette.accent if rng.random() < 0.5 else palette.figure
    return {"decals": tuple(found), "band": band, "band_colour": colour}


def _placket(rng: Generator, palette: GarmentPalette, low: float, high: float) -> Decal:
    length = high - low
    picture = sewn.placket(max(2, round(length / 0.075)), palette.figure, palette.ground * 0.5)
    return sewn.place(picture, (0, (low + high) / 2, 0), length / 8, length)


def _pocket(palette: GarmentPalette, seam: Colour, at: tuple[float, float], width: float, side: str = "front") -> Decal:
    return sewn.place(sewn.pocket(palette.ground * 0.9, seam), (*at, 0), width, width * 1.1, side)
