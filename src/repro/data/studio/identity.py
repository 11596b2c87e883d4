"""Who stands in the studio: an identity's body, hair and garments, drawn from its name alone."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from repro.data.studio.seeds import child_generator


@dataclass(frozen=True)
class Body:
    """Proportions; factors are relative to an average body of the same sex.

    Attributes:
        femininity: 0 = average man, 1 = average woman; the tables of shape are blended by it.
        height: stature in metres.
        girth, shoulder, hip, leg, arm, head: factors.
        belly: metres added to the front of the waist.
    """

    femininity: float
    height: float
    girth: float = 1.0
    shoulder: float = 1.0
    hip: float = 1.0
    leg: float = 1.0
    arm: float = 1.0
    head: float = 1.0
    belly: float = 0.0


@dataclass(frozen=True)
class Garment:
    """One piece of the outfit. Heights and lengths are parts, so that they fit every body.

    Attributes:
        kind: one of ``GARMENTS``; the mesh's material of the same name belongs to it.
        hem: canonical height (part of the stature) of the lower edge.
        sleeve: covered part of the arm, 0 = sleeveless, 1 = to the wrist.
        neck: how deep the neck line is cut at the front, metres.
        fit: metres between skin and cloth.
        flare: how much wider the hem is than the hips (skirts, dresses, coats), relative.
        pleats: number of folds around (skirts, dresses).
        style: "sneaker" "boot" "pump" (shoe), "cap" "beanie" (hat), "shoulder" "backpack" (bag), "creased" (trousers),
            "collar" (top), else "".
        side: "left" or "right" (bag), else "".
        folds: phase of the folds of the cloth, radians.
    """

    kind: str
    hem: float = 0.0
    sleeve: float = 0.0
    neck: float = 0.0
    fit: float = 0.012
    flare: float = 0.0
    pleats: int = 0
    style: str = ""
    side: str = ""
    folds: float = 0.0


GARMENTS = ("top", "coat", "dress", "trousers", "skirt", "shoe", "belt", "hat", "bag")
HAIR_STYLES = ("short", "bob", "long", "bun", "ponytail", "fringe", "receding")


@dataclass(frozen=True)
class Hair:
    """A hair cut: style of ``HAIR_STYLES``, thickness in metres, side of the parting (-1 right, 0 none, 1 left)."""

    style: str
    thickness: float
    parting: int


@dataclass(frozen=True)
class Identity:
    """One person of one data set: everything about them follows from these three words.

    Attributes:
        dataset: name of the procedural set, for example "fashion".
        split: "train" or "test": the two never share a seed.
        index: number of the person in the split.
    """

    dataset: str
    split: str
    index: int

    def rng(self, *purpose: str | int) -> np.random.Generator:
        """Return this person's generator for a purpose, for example ``rng("pose", view)``."""
        return child_generator("identity", self.dataset, self.split, self.index, *purpose)

    @cached_property
    def body(self) -> Body:
        """The person's proportions: sex-typical, +-10 % height, +-12 % girth."""
        rng = self.rng("body")
        woman = rng.random() < 0.55
        femininity = float(np.clip((0.92 if woman else 0.08) + rng.normal(0, 0.08), 0, 1))
        factor = lambda spread: float(1 + np.clip(rng.normal(0, spread / 2), -spread, spread))  # noqa: E731
        return Body(
            femininity=femininity,
            height=(1.655 if woman else 1.775) * factor(0.10),
            girth=factor(0.12),
            shoulder=factor(0.06),
            hip=factor(0.06),
            leg=factor(0.035),
            arm=factor(0.04),
            head=factor(0.06),
            belly=float(max(0.0, rng.normal(-0.01, 0.02))),
        )

    @cached_property
    def hair(self) -> Hair:
        """The person's hair cut."""
        rng = self.rng("hair")
        woman, man = (0.1, 0.18, 0.3, 0.12, 0.16, 0.14, 0.0), (0.64, 0.06, 0.05, 0.04, 0.04, 0.03, 0.14)
        weights = woman if self.body.femininity > 0.5 else man
        return Hair(
            style=str(rng.choice(HAIR_STYLES, p=weights)),
            thickness=float(rng.uniform(0.006, 0.022)),
            parting=int(rng.integers(-1, 2)),
        )

    @cached_property
    def outfit(self) -> tuple[Garment, ...]:
        """The person's garments, inner ones first."""
        rng = self.rng("outfit")
        woman = self.body.femininity > 0.5
        sleeve = float(
            rng.choice([0.0, 0.28, 0.5, 0.97], p=(0.2, 0.35, 0.15, 0.3) if woman else (0.08, 0.47, 0.1, 0.35))
        )
        neck = float(rng.choice([0.01, 0.05, 0.1], p=(0.5, 0.3, 0.2)))
        lower = str(
            rng.choice(
                ["trousers", "shorts", "skirt", "dress"], p=(0.4, 0.12, 0.2, 0.28) if woman else (0.8, 0.2, 0, 0)
            )
        )
        hems = (rng.uniform(0.33, 0.4), rng.uniform(0.24, 0.3), rng.uniform(0.08, 0.16))
        skirt_shape: dict[str, Any] = {
            "hem": float(rng.choice(hems, p=(0.5, 0.3, 0.2))),
            "flare": float(rng.uniform(0.0, 0.55)),
            "pleats": int(rng.choice([0, 7, 11, 16])),
        }
        tucked = lower == "skirt" or rng.random() < 0.3
        top_hem, looseness = float(rng.uniform(0.46, 0.52)), float(rng.uniform(0.0, 0.012))
        leg_hem = float(rng.uniform(0.29, 0.4)) if lower == "shorts" else float(rng.choice([0.05, 0.11], p=(0.8, 0.2)))
        # Later pieces lie over earlier ones, and at least 8 mm further out.
        if lower == "dress":
            pieces = [Garment("dress", sleeve=sleeve, neck=neck, **skirt_shape)]
        elif lower == "skirt":
            pieces = [
                Garment("top", hem=0.53, sleeve=sleeve, neck=neck, fit=0.009),
                Garment("skirt", fit=0.017, **skirt_shape),
            ]
        else:
            trousers = Garment("trousers", hem=leg_hem, fit=(0.017 if tucked else 0.01) + 0.6 * looseness)
            hem, fit = (0.53, 0.009) if tucked else (top_hem, 0.02 + looseness)
            pieces = [trousers, Garment("top", hem=hem, sleeve=sleeve, neck=neck, fit=fit)]
            pieces = pieces[::-1] if tucked else pieces
        flared = any(piece.flare > 0.25 for piece in pieces)
        if rng.random() < 0.2 and not flared:
            hem, flare = float(rng.choice([0.47, 0.36, 0.26])), float(rng.uniform(0, 0.15)) + 0.25 * (lower == "skirt")
            pieces.append(Garment("coat", hem=hem, sleeve=0.97, neck=0.14, fit=0.042, flare=flare))
        styles = ("sneaker", "boot", "pump") if woman else ("sneaker", "boot", "sneaker")
        pieces.append(Garment("shoe", style=str(rng.choice(styles, p=(0.45, 0.25, 0.3)))))
        if tucked and rng.random() < 0.5:
            pieces.append(Garment("belt"))
        if rng.random() < 0.1:
            pieces.append(Garment("hat", style=str(rng.choice(["cap", "beanie"]))))
        if rng.random() < 0.15:
            style, side = str(rng.choice(["shoulder", "backpack"])), str(rng.choice(["left", "right"]))
            pieces.append(Garment("bag", fit=max(piece.fit for piece in pieces), style=style, side=side))
        return tuple(self._cut(piece) for piece in pieces)

    def _cut(self, piece: Garment) -> Garment:
        """Return a garment with its folds, and perhaps with a collar or ironed creases."""
        rng = self.rng("cut", piece.kind)
        folds, fancy = float(rng.uniform(0, 2 * np.pi)), rng.random() < 0.4
        style = piece.style
        if fancy and piece.kind == "trousers" and piece.hem < 0.2:
            style = "creased"
        if fancy and piece.kind == "top" and piece.neck < 0.02 and piece.sleeve > 0:
            style = "collar"
        return replace(piece, folds=folds, style=style)

    def garment(self, kind: str) -> Garment | None:
        """Return the garment of a kind, or None if the person does not wear one."""
        return next((piece for piece in self.outfit if piece.kind == kind), None)
