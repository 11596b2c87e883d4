"""What a person's surfaces look like: for each material a tile, decals, bands and gloss, drawn from the identity."""

from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from repro.data.studio.atlas import Atlas
from repro.data.studio.decals import Decal
from repro.data.studio.face_paint import random_style
from repro.data.studio.identity import Identity
from repro.data.studio.palette import (
    BodyColours,
    Colour,
    GarmentPalette,
    body_colours,
    garment_palette,
    oklch,
    outfit_hues,
)
from repro.data.studio.patterns import FAMILIES, Tile, make_tile, noise_tile
from repro.data.studio.trimmings import trimmings

TEXTURES = tuple(FAMILIES)
"""Names of the texture labels, in order."""
HELD_OUT = ("camouflage", "knit")
"""Families that no training identity wears: the generalisation subset of the test split."""
HELD_OUT_SHARE = 0.35
TEXTURED = ("top", "coat", "dress", "trousers", "skirt")
"""The garments whose texture family is a label worth learning."""

# How often a garment is made of a family (relative).
SHARES: dict[str, dict[str, float]] = {
    "top": {
        "plain": 1.2, "stripes": 2, "plaid": 1.5, "dots": 1.2, "flowers": 1.2, "camouflage": 1, "marble": 1,
        "denim": 0.5, "knit": 1.2, "gradient": 1, "lace": 0.6, "photograph": 1.2,
    },
    "coat": {"plain": 2, "plaid": 1.5, "stripes": 0.5, "denim": 1, "camouflage": 1, "knit": 1, "flowers": 0.4},
    "dress": {
        "plain": 0.6, "stripes": 1.5, "plaid": 1, "dots": 1.5, "flowers": 2, "camouflage": 0.4, "marble": 1, "knit": 1,
        "gradient": 1.2, "lace": 0.8, "photograph": 0.8,
    },
    "trousers": {
        "plain": 1.5, "denim": 2.5, "stripes": 0.8, "plaid": 1, "camouflage": 1, "dots": 0.5, "flowers": 0.5,
        "marble": 0.6, "knit": 0.4, "gradient": 0.5,
    },
    "skirt": {
        "plain": 0.8, "denim": 1, "stripes": 1.2, "plaid": 1.8, "dots": 1.2, "flowers": 1.5, "marble": 0.8,
        "lace": 0.6, "gradient": 1, "knit": 0.8,
    },
    "shoe": {"plain": 1},
    "belt": {"plain": 1},
    "hat": {"plain": 2, "stripes": 1, "dots": 0.5},
    "bag": {"plain": 2, "plaid": 1, "flowers": 1, "dots": 1},
}  # fmt: skip
GLOSS = {"hair": 0.17, "shoe": 0.3, "belt": 0.3, "bag": 0.22, "face": 0.07, "skin": 0.06}
BUMP = {"top": 0.5, "coat": 0.45, "dress": 0.5, "trousers": 0.5, "skirt": 0.4}
"""Strength of the wrinkles of cloth: slope of the normal per deviation of the noise."""


@lru_cache(maxsize=1)
def wrinkle_tile(size: int = 128) -> NDArray[np.floating]:
    """Return the slopes of wrinkled cloth as a periodic tile (size, size, 4): du, dv, two unused channels.

    The height field has a 1/f^4 spectrum: with less weight on long waves cloth looks like crumpled paper.
    """
    height = noise_tile(7, size, 5.4)
    slopes = np.zeros((size, size, 4), np.float32)
    for channel, axis in ((0, 1), (1, 0)):
        slope = np.roll(height, -1, axis) - np.roll(height, 1, axis)
        slopes[..., channel] = slope / slope.std()
    slopes.setflags(write=False)
    return slopes


@dataclass(frozen=True)
class Material:
    """The look of one material.

    Attributes:
        tile: periodic picture addressed by (u, v) in metres.
        under: colour (3,) seen through the tile where its alpha is below one: skin, or a lining.
        family: texture family, "" for what is no cloth.
        palette: the garment's colours, None for what is no garment.
        decals: what is sewn or printed on, bottom first.
        band: width in metres of the bands along hems and cuffs, 0 = none; band_colour (3,).
        gloss: strength of the highlight; bump: strength of wrinkles.
    """

    tile: Tile
    under: Colour
    family: str = ""
    palette: GarmentPalette | None = None
    decals: tuple[Decal, ...] = ()
    band: float = 0.0
    band_colour: Colour = field(default_factory=lambda: np.ones(3, np.float32))
    gloss: float = 0.0
    bump: float = 0.0


@dataclass(frozen=True)
class Wardrobe:
    """All materials of one person, and the colours and style of the face.

    Attributes:
        materials: by the mesh's material names; only what the person has.
        body: skin, lips, hair, brows, iris.
        face_style: keyword arguments of :class:`~repro.data.studio.face_paint.Face`.
        wrinkles: slopes of the cloth, see :func:`wrinkle_tile`.
    """

    materials: dict[str, Material]
    body: BodyColours
    face_style: dict[str, float]
    wrinkles: NDArray[np.floating] = field(default_factory=wrinkle_tile)

    @classmethod
    def for_identity(cls, identity: Identity, tile_size: int = 256) -> "Wardrobe":
        """Return the wardrobe of a person.

        Training identities never wear the families in ``HELD_OUT``; a share of the test identities does.

        Args:
            identity: whose outfit is dressed.
            tile_size: side of the cloth tiles in pixels (a power of two); 256 is enough up to 512-pixel images.
        """
        body = body_colours(identity.rng("body colours"))
        cloth = _choose_cloth(identity)
        materials = {
            "skin": Material(_tinted(body.skin, 1, 64, 2.5, 0.02), body.skin, gloss=GLOSS["skin"]),
            "face": Material(_tinted(body.skin, 2, 64, 2.5, 0.015), body.skin, gloss=GLOSS["face"]),
            "hair": Material(_hair(body.hair, 128), body.hair, gloss=GLOSS["hair"]),
        }
        for piece in identity.outfit:
            family, palette = cloth[piece.kind]
            rng = identity.rng("cloth", piece.kind)
            tile = make_tile(family, rng, palette, tile_size if piece.kind in TEXTURED else min(tile_size, 128))
            see_through = piece.kind in ("top", "dress") and family == "lace"
            materials[piece.kind] = Material(
                tile=tile,
                under=body.skin if see_through else palette.figure,
                family=family,
                palette=palette,
                gloss=GLOSS.get(piece.kind, 0.0),
                bump=BUMP.get(piece.kind, 0.0),
                **trimmings(identity, piece, family, palette),
            )
        if "shoe" in materials:
            rng = identity.rng("sole")
            colour = oklch(rng.uniform(0.85, 0.95), 0.01, 80) if rng.random() < 0.6 else oklch(0.35, 0.03, 60)
            materials["sole"] = Material(_tinted(colour, 1, 32, 1.0, 0.02), colour)
        return cls(materials, body, random_style(identity.rng("face"), bearded=_bearded(identity)))

    @property
    def texture_labels(self) -> dict[str, int]:
        """The number in ``TEXTURES`` of each garment of ``TEXTURED``; -1 where the person does not wear it."""
        worn = {name: self.materials[name].family for name in TEXTURED if name in self.materials}
        return {name: TEXTURES.index(worn[name]) if name in worn else -1 for name in TEXTURED}

    @property
    def wears_held_out(self) -> bool:
        """Whether a garment is of a family that no training identity wears."""
        return any(material.family in HELD_OUT for material in self.materials.values())

    @cached_property
    def atlas(self) -> Atlas:
        """All tiles: materials in order, then the decals in order of their materials, then the wrinkles."""
        tiles = [material.tile.picture for material in self.materials.values()]
        tiles += [decal.picture for material in self.materials.values() for decal in material.decals]
        return Atlas.build([*tiles, self.wrinkles])

    def mirrored(self) -> "Wardrobe":
        """Return the wardrobe seen in a mirror (x -> -x), for a mirrored mesh, whose texture coordinate u is -u."""
        flip = np.array([-1, 1, 1], np.float32)

        def mirror(decal: Decal) -> Decal:
            axes = {name: getattr(decal, name) * flip for name in ("centre", "right", "down", "facing")}
            return replace(decal, **axes)

        materials = {
            name: replace(
                material,
                tile=replace(material.tile, picture=material.tile.picture[:, ::-1]),
                decals=tuple(mirror(decal) for decal in material.decals),
            )
            for name, material in self.materials.items()
        }
        slopes = self.wrinkles[:, ::-1] * np.array([-1, 1, 1, 1], np.float32)
        return replace(self, materials=materials, wrinkles=slopes)


def _bearded(identity: Identity) -> bool:
    return identity.body.femininity < 0.5 and identity.rng("beard").random() < 0.35


def _tinted(colour: Colour, seed: int, size: int, exponent: float, strength: float) -> Tile:
    """A colour with faint blotches."""
    picture = np.ones((size, size, 4), np.float32)
    picture[..., :3] = np.clip(colour * (1 + strength * noise_tile(seed, size, exponent)[..., None]), 0, 1)
    return Tile(picture, 0.2)


def _hair(colour: Colour, size: int) -> Tile:
    """Strands: noise that is drawn out along v."""
    along = noise_tile(3, size, 0.6)
    smooth = np.mean([np.roll(along, step, 0) for step in range(-size // 8, size // 8)], axis=0)
    strands = smooth / smooth.std()
    picture = np.ones((size, size, 4), np.float32)
    picture[..., :3] = np.clip(colour * (1 + 0.16 * strands[..., None]), 0, 1)
    return Tile(picture, 0.12)


def _choose_cloth(identity: Identity) -> dict[str, tuple[str, GarmentPalette]]:
    """Return texture family and palette of each garment; no outfit is dark from top to toe."""
    rng = identity.rng("families")
    main = [piece.kind for piece in identity.outfit if piece.kind in TEXTURED]
    held_out = identity.split == "test" and rng.random() < HELD_OUT_SHARE
    # The largest garments carry the pattern; on the held-out subset the first of them is of a held-out family.
    hues = dict(zip(sorted(SHARES), outfit_hues(identity.rng("hues"), len(SHARES))))
    chosen: dict[str, tuple[str, GarmentPalette]] = {}
    bright = False
    for position, kind in enumerate(main):
        shares = {name: share for name, share in SHARES[kind].items() if name not in HELD_OUT}
        if held_out and position == 0:
            shares = {name: share for name, share in SHARES[kind].items() if name in HELD_OUT}
        # Two plain garments make a dull person: after a plain one the next is patterned.
        if any(family in ("plain", "denim") for family, _ in chosen.values()):
            shares = {name: share for name, share in shares.items() if name not in ("plain", "denim")}
        family = _pick(rng, shares)
        last_chance = position == len(main) - 1 and not bright
        palette = _cloth_palette(identity, kind, family, hues[kind], allow_dark=not last_chance)
        bright |= palette.style in ("vivid", "pastel", "light")
        chosen[kind] = family, palette
    for piece in identity.outfit:
        if piece.kind not in chosen:
            family = _pick(rng, SHARES[piece.kind])
            chosen[piece.kind] = family, _cloth_palette(identity, piece.kind, family, hues[piece.kind], allow_dark=True)
    return chosen


def _pick(rng: Generator, shares: dict[str, float]) -> str:
    weights = np.array(list(shares.values()))
    return str(rng.choice(list(shares), p=weights / weights.sum()))


def _cloth_palette(identity: Identity, kind: str, family: str, hue: float, *, allow_dark: bool) -> GarmentPalette:
    rng = identity.rng("palette", kind)
    styles: tuple[str, ...] = (
        ("vivid", "pastel", "deep", "light", "dark") if allow_dark else ("vivid", "pastel", "light")
    )
    if kind in ("belt", "shoe", "bag") and rng.random() < 0.6:
        # Leather: browns, reds, black.
        return garment_palette(rng, float(rng.uniform(30, 75)), ("deep", "vivid", "dark"))
    if family == "denim":
        # Indigo in most cases; the ground must be dark enough to show the white weft.
        hue = float(rng.normal(255, 8)) if rng.random() < 0.7 else hue
        styles = ("deep",) if allow_dark else ("vivid",)
    if family in ("plain", "lace"):
        styles = tuple(style for style in styles if style != "dark")
    return garment_palette(rng, hue, styles)
