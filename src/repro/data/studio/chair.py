"""Chairs: seat, legs, back, arms and cushions of wood, metal, plastic and cloth."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from repro.data.studio.finish import Finish, Model
from repro.data.studio.identity import Identity
from repro.data.studio.palette import Colour, garment_palette, oklch
from repro.data.studio.patterns import FAMILIES, Tile, make_tile, noise_tile
from repro.data.studio.solids import Piece, bake, bent, box, loft, outline, placed, swept, tilted, turned
from repro.data.studio.tubes import Array, Surface

PARTS = ("seat", "back", "leg", "arm", "cushion")
PART = {name: index for index, name in enumerate(PARTS)}
FABRICS = tuple(family for family in FAMILIES if family != "lace")
"""Names of the texture labels, in order."""
HELD_OUT = ("camouflage", "knit")
"""Cloths that no training chair has."""
HELD_OUT_SHARE = 0.35
LEGS = ("four", "splayed", "sled", "cantilever", "star", "pedestal")
BACKS = ("panel", "slats", "rungs", "shell", "cushion", "cross")


@dataclass(frozen=True)
class Frame:
    """What a chair is made of, metres.

    Attributes:
        legs, back: of ``LEGS`` and ``BACKS``.
        width, depth: of the seat.
        seat: height of the seat's upper side, without cushion.
        thick: thickness of the seat.
        top: height of the back.
        lean: degrees by which the back leans.
        arms: whether it has arms.
        cushion: thickness of the seat cushion, 0 = none.
        bar: thickness of legs and rails.
        round: whether legs are round.
    """

    legs: str
    back: str
    width: float
    depth: float
    seat: float
    thick: float
    top: float
    lean: float
    arms: bool
    cushion: float
    bar: float
    round: bool

    @property
    def section(self) -> Array:
        """The section (N, 2) of legs and rails."""
        return outline(self.bar, self.bar, self.bar / 2 if self.round else 0.15 * self.bar, 3)


def random_frame(rng: Generator) -> Frame:
    """Return a random chair."""
    legs = str(rng.choice(LEGS, p=(0.3, 0.2, 0.13, 0.12, 0.15, 0.1)))
    back = str(rng.choice(BACKS, p=(0.22, 0.2, 0.15, 0.15, 0.16, 0.12)))
    if (
        legs in ("sled", "cantilever", "star", "pedestal")
        and back in ("rungs", "cross", "slats")
        and rng.random() < 0.7
    ):
        back = str(rng.choice(["panel", "shell", "cushion"]))
    metal = legs in ("sled", "cantilever", "star", "pedestal")
    low = rng.random() < 0.18  # easy chairs
    width = rng.uniform(0.56, 0.68) if low else rng.uniform(0.40, 0.52)
    seat = rng.uniform(0.36, 0.40) if low else rng.uniform(0.43, 0.48)
    cushion = 0.0
    if back == "cushion" or low:
        cushion = rng.uniform(0.07, 0.14)
    elif rng.random() < 0.55:
        cushion = rng.uniform(0.03, 0.07)
    return Frame(
        legs=legs,
        back=back,
        width=width,
        depth=width * rng.uniform(0.92, 1.08),
        seat=seat,
        thick=rng.uniform(0.03, 0.06),
        top=seat + rng.uniform(0.34, 0.6),
        lean=rng.uniform(4, 14) + (6 if low else 0),
        arms=bool(rng.random() < (0.75 if low else 0.33)),
        cushion=cushion,
        bar=rng.uniform(0.022, 0.032) if metal else rng.uniform(0.032, 0.05),
        round=bool(metal or rng.random() < 0.4),
    )  # fmt: skip


def build_chair(identity: Identity, detail: str = "full") -> Model:
    """Return the chair that an identity names; at all levels of detail the same, for it has few faces."""
    frame, rng = random_frame(identity.rng("frame")), identity.rng("details")
    pieces = [*_seat(frame, rng), *_legs(frame, rng), *_back(frame, rng)]
    if frame.arms:
        pieces += _arms(frame, rng)
    finishes, fabric = _finishes(identity, frame)
    return Model(bake(pieces), finishes, (), fabric, fabric in HELD_OUT)


def _bar(
    frame: Frame, path: Array, front: tuple[float, float, float] = (1.0, 0.0, 0.0), taper: Array | float = 1.0
) -> Surface:
    return swept(np.asarray(path, dtype=np.float64), frame.section, front, taper)


def _both(surface: Surface) -> list[Surface]:
    return [surface, placed(surface, (0, 0, 0), mirror=True)]


# Seat and legs -------------------------------------------------------------------------------------------------------


def _seat(frame: Frame, rng: Generator) -> list[Piece]:
    size = (frame.width, frame.thick, frame.depth)
    corner = frame.width * rng.uniform(0.03, 0.12)
    if frame.back == "shell" and frame.legs in ("star", "pedestal"):  # no legs or posts at the corners
        corner = frame.width * rng.uniform(0.2, 0.48)
    plate = _slab(size, corner, 0.3 * frame.thick)
    pieces = [Piece(placed(plate, (0, frame.seat - frame.thick / 2, 0)), PART["seat"], "seat", grain=2)]
    if frame.cushion:
        inner = (frame.width - 0.02, frame.cushion, frame.depth - 0.02)
        pad = _slab(inner, max(corner, 0.04), 0.45 * frame.cushion, puff=0.25 * frame.cushion)
        pieces.append(Piece(placed(pad, (0, frame.seat + frame.cushion / 2, 0)), PART["cushion"], "cloth", grain=2))
    elif frame.legs in ("four", "splayed"):
        for z in (-1, 1):
            apron = box(
                (frame.width - 0.08, 0.05, 0.02),
                (0, frame.seat - frame.thick - 0.025, z * (frame.depth / 2 - 0.05)),
                0.004,
            )
            pieces.append(Piece(apron, PART["seat"], "frame", grain=0))
    return pieces


def _slab(size: tuple[float, float, float], corner: float, radius: float, puff: float = 0.0) -> Surface:
    """A flat thing about the origin with round corners seen from above and round edges."""
    width, height, depth = size
    angle = np.linspace(0, np.pi / 2, 4)
    below = [(radius * (1 - np.cos(a)) - height / 2, radius * (1 - np.sin(a))) for a in angle]
    levels = [(y, inset, 0.0) for y, inset in below] + [(-y, inset, 0.0) for y, inset in below[::-1]]
    if puff:
        levels += [(height / 2, inset * min(width, depth), puff) for inset in (0.08, 0.2, 0.34, 0.46)]
    rings = []
    for y, inset, rise in levels:
        flat = outline(width - 2 * inset, depth - 2 * inset, max(corner - inset, 0.01), 5)
        lift = rise * (1 - np.abs(2 * flat[:, 0] / width) ** 2.5) * (1 - np.abs(2 * flat[:, 1] / depth) ** 2.5)
        rings.append(np.stack([flat[:, 0], y + lift, flat[:, 1]], 1))
    return loft(np.stack(rings))


def _legs(frame: Frame, rng: Generator) -> list[Piece]:
    surfaces = {
        "four": _four, "splayed": _four, "sled": _sled, "cantilever": _cantilever, "star": _star, "pedestal": _pedestal,
    }[frame.legs](frame, rng)  # fmt: skip
    return [Piece(surface, PART["leg"], kind) for surface, kind in surfaces]


def _four(frame: Frame, rng: Generator) -> list[tuple[Surface, str]]:
    splay = rng.uniform(0.06, 0.11) if frame.legs == "splayed" else rng.uniform(0.0, 0.015)
    x, z, under = frame.width / 2 - frame.bar * 0.7 - 0.01, frame.depth / 2 - frame.bar * 0.7 - 0.01, frame.seat - 0.004
    taper = np.linspace(1.0, rng.uniform(0.55, 1.0), 5)
    surfaces: list[tuple[Surface, str]] = []
    for end in (-1.0, 1.0):
        inner = 0.5 * splay
        head, foot = (
            np.array([x - inner, under - 0.005, end * (z - inner)]),
            np.array([x + splay - inner, 0, end * (z + splay - inner)]),
        )
        leg = _bar(frame, head + np.linspace(0, 1, 5)[:, None] * (foot - head), taper=taper)
        surfaces += [(one, "frame") for one in _both(leg)]
    if rng.random() < 0.45:
        height, reach = rng.uniform(0.12, 0.25), x + splay * 0.2
        rail = replace(frame, bar=0.6 * frame.bar)
        side = _bar(rail, np.array([[reach, height, -z], [reach, height, z]]))
        surfaces += [(one, "frame") for one in _both(side)]
        surfaces.append((_bar(rail, np.array([[-reach, height, 0], [reach, height, 0]]), (0, 0, 1)), "frame"))
    return surfaces


def _sled(frame: Frame, rng: Generator) -> list[tuple[Surface, str]]:
    x, z, half, under = (
        frame.width / 2 - 0.03,
        frame.depth / 2 - 0.03,
        frame.bar / 2,
        frame.seat - frame.thick - frame.bar / 2,
    )
    path = bent([(x, under, z - 0.02), (x, half, z + 0.02), (x, half, -z - 0.04), (x, under, -z + 0.02)], 0.06)
    rail = _bar(frame, np.array([[-x, under, z - 0.06], [x, under, z - 0.06]]), (0, 1, 0))
    back = placed(rail, (0, 0, -2 * z + 0.12))
    return [(one, "metal") for one in (*_both(_bar(frame, path)), rail, back)]


def _cantilever(frame: Frame, rng: Generator) -> list[tuple[Surface, str]]:
    x, z, half, under = frame.width / 2 - 0.02, frame.depth / 2, frame.bar / 2, frame.seat - frame.thick - frame.bar / 2
    path = bent(
        [(x, under, -z + 0.04), (x, under, z + 0.03), (x, half, z + 0.05), (x, half, -z + 0.02), (0, half, -z + 0.02)],
        0.08,
        5,
    )
    cross = _bar(frame, np.array([[-x, under, -z + 0.06], [x, under, -z + 0.06]]), (0, 1, 0))
    return [(one, "metal") for one in (*_both(_bar(frame, path, (0.35, 1.0, 0.2))), cross)]


def _star(frame: Frame, rng: Generator) -> list[tuple[Surface, str]]:
    reach, under = rng.uniform(0.28, 0.33), frame.seat - frame.thick
    post = turned(
        [(0.028, 0.10), (0.028, 0.26), (0.018, 0.27), (0.018, under - 0.05), (0.07, under - 0.04), (0.07, under)],
        (0, 0, 0),
        1,
        16,
    )
    hub = turned([(0.045, 0.075), (0.05, 0.10), (0.03, 0.135)], (0, 0, 0), 1, 16)
    surfaces = [(post, "metal"), (hub, "metal")]
    count, castors = 5, rng.random() < 0.7
    end = 0.07 if castors else 0.0105  # of the arm's middle above the ground
    for angle in 360 * np.arange(count) / count + 90:
        arm = swept(
            np.array([[0.0, 0.10, 0.0], [0.0, end, reach]]),
            outline(0.04, 0.028, 0.008, 2),
            taper=np.array([1.15, 0.75]),
        )
        surfaces.append((tilted(arm, angle, 1, (0, 0, 0)), "metal"))
        if castors:
            for x in (-0.016, 0.016):
                wheel = turned([(0.026, -0.009), (0.026, 0.009)], (x, 0.026, reach), 0, 12)
                surfaces.append((tilted(wheel, angle, 1, (0, 0, 0)), "rubber"))
    return surfaces


def _pedestal(frame: Frame, rng: Generator) -> list[tuple[Surface, str]]:
    reach, under = rng.uniform(0.2, 0.26), frame.seat - frame.thick
    profile = [
        (reach, 0.0),
        (reach, 0.012),
        (0.6 * reach, 0.03),
        (0.05, 0.07),
        (0.03, 0.14),
        (0.03, under - 0.08),
        (0.09, under),
    ]
    return [(turned(profile, (0, 0, 0), 1, 24), "metal")]


# Back and arms -------------------------------------------------------------------------------------------------------


def _back(frame: Frame, rng: Generator) -> list[Piece]:
    """The back, built upright behind the seat and then leant."""
    x, z, top = frame.width / 2 - frame.bar * 0.6, -frame.depth / 2 + frame.bar * 0.6, frame.top
    foot = frame.seat + frame.cushion
    metal = frame.legs in ("sled", "cantilever", "star", "pedestal")
    post = "metal" if metal else "frame"
    pieces: list[Piece] = []

    def add(surface: Surface, kind: str, part: str = "back", grain: int = 1) -> None:
        pieces.append(Piece(tilted(surface, -frame.lean, 0, (0, frame.seat, z)), PART[part], kind, grain))

    if frame.back == "shell":
        sides = np.linspace(-1, 1, 17)
        wide, thick, curl = frame.width / 2, 0.014, rng.uniform(0.05, 0.11)
        rows = []
        for t in np.linspace(0, 1, 9):
            half = wide * (1 - 0.25 * t**3)
            y = frame.seat - 0.02 + t * (top - frame.seat + 0.02) - 0.04 * t * sides**2
            depth = z - 0.01 + curl * sides**2 + 0.05 * (1 - t) ** 3
            front = np.stack([half * sides, y, depth + thick], 1)
            rows.append(np.concatenate([front, front[::-1] - [0, 0, 2 * thick]]))
        add(loft(np.stack(rows)), "seat")
        return pieces
    if frame.back == "cushion":
        height = top - frame.seat
        pad = _slab((frame.width - 0.01, max(frame.cushion, 0.06), height), 0.06, 0.45 * max(frame.cushion, 0.06), 0.02)
        pad = tilted(pad, 90, 0, (0, 0, 0))
        add(placed(pad, (0, frame.seat + height / 2, z + max(frame.cushion, 0.06) / 2)), "cloth", "cushion")
        add(
            box((frame.width - 0.04, height - 0.06, 0.018), (0, frame.seat + height / 2 - 0.01, z - 0.012), 0.006),
            "frame",
        )
        return pieces

    for side in _both(_bar(frame, np.array([[x, frame.seat - 0.03, z], [x, (frame.seat + top) / 2, z], [x, top, z]]))):
        add(side, post)
    if frame.back == "panel":
        low = foot + rng.uniform(0.04, 0.4 * (top - foot))
        kind = "cloth" if frame.cushion and rng.random() < 0.6 else "seat"
        add(box((2 * x + 0.4 * frame.bar, top - low, 0.03), (0, (top + low) / 2, z + 0.012), 0.012), kind, grain=0)
    elif frame.back == "slats":
        count, broad = int(rng.integers(3, 8)), rng.uniform(0.3, 0.6)
        pitch = 2 * x / (count + 1)
        for height in (top - 0.03, foot + 0.05):
            add(box((2 * x, 0.06, 0.022), (0, height, z), 0.006), "frame", grain=0)
        for place in np.arange(1, count + 1) * pitch - x:
            add(box((broad * pitch, top - foot - 0.08, 0.012), (place, (top + foot) / 2 + 0.01, z), 0.004), "frame")
    elif frame.back == "rungs":
        count = int(rng.integers(2, 6))
        tall = min(0.08, 0.6 * (top - foot) / count)
        for height in np.linspace(foot + 0.6 * tall + 0.04, top - 0.5 * tall, count):
            t = np.linspace(-1, 1, 9)[:, None]
            path = np.concatenate([x * t, np.full_like(t, height), z - 0.035 * (1 - t**2)], 1)
            add(swept(path, outline(tall, 0.016, 0.006, 2), (0, 1, 0)), "frame", grain=0)
    else:  # cross
        add(box((2 * x, 0.06, 0.024), (0, top - 0.03, z), 0.006), "frame", grain=0)
        add(box((2 * x, 0.05, 0.022), (0, foot + 0.06, z), 0.006), "frame", grain=0)
        for side in _both(
            _bar(replace(frame, bar=0.7 * frame.bar), np.array([[-x, foot + 0.07, z], [x, top - 0.05, z]]), (0, 0, 1))
        ):
            add(side, "frame")
    return pieces


def _arms(frame: Frame, rng: Generator) -> list[Piece]:
    height, x = frame.seat + frame.cushion * 0.5 + rng.uniform(0.18, 0.23), frame.width / 2 + frame.bar * 0.2
    front, back = frame.depth / 2 - rng.uniform(0.04, 0.12), -frame.depth / 2
    metal = frame.legs in ("sled", "cantilever", "star", "pedestal")
    lean = np.tan(np.deg2rad(frame.lean)) * (height - frame.seat)
    path = bent(
        [
            (x - 0.01, frame.seat - 0.5 * frame.thick, front),
            (x + 0.02, height, front + 0.01),
            (x, height, back + 0.03 - lean),
        ],
        0.05,
    )
    pieces = [
        Piece(one, PART["arm"], "metal" if metal else "frame") for one in _both(_bar(frame, path, (1.0, 0.0, 0.0)))
    ]
    rest = box(
        (0.055, 0.024, 0.8 * (front - back)), (x + 0.01, height + 0.4 * frame.bar, (front + back) / 2 + 0.03), 0.011
    )
    soft = "cloth" if frame.cushion > 0.07 else "rubber" if metal else "frame"
    return pieces + [Piece(one, PART["arm"], soft, grain=2) for one in _both(rest)]


# Finishes ------------------------------------------------------------------------------------------------------------


def _finishes(identity: Identity, frame: Frame) -> tuple[dict[str, Finish], str]:
    rng = identity.rng("colours")
    names = list(FABRICS)
    if identity.split == "test" and rng.random() < HELD_OUT_SHARE:
        fabric = str(rng.choice(HELD_OUT))
    else:
        fabric = str(rng.choice([name for name in names if name not in HELD_OUT]))
    palette = garment_palette(identity.rng("cloth palette"), float(rng.uniform(0, 360)))
    tile = make_tile(fabric, identity.rng("cloth"), palette, 128)
    white = np.ones(3, np.float32)
    wood = _wood(identity.rng("wood"))
    painted = oklch(rng.uniform(0.3, 0.85), rng.uniform(0.0, 0.14), float(rng.uniform(0, 360)))
    metal = Finish(np.full(3, rng.choice([0.14, 0.6, 0.78]), np.float32), 0.6, 0.16)
    body = Finish(painted, 0.25, 0.02) if rng.random() < 0.3 else Finish(white, 0.18, 0.01, wood)
    shells = {
        "plastic": Finish(
            oklch(rng.uniform(0.45, 0.9), rng.uniform(0.02, 0.17), float(rng.uniform(0, 360))), 0.35, 0.03
        ),
        "wood": Finish(white, 0.2, 0.015, wood),
        "cloth": Finish(white, 0.02, 0.0, tile),
    }
    used = (0.45, 0.25, 0.3) if frame.back == "shell" else (0.15, 0.6, 0.25)
    seat = shells[str(rng.choice(list(shells), p=used))]
    # A chair without cushion shows its texture on the seat: otherwise the label would name what nobody sees.
    if not frame.cushion and frame.back != "cushion":
        seat = shells["cloth"]
    return {
        "frame": body,
        "seat": seat,
        "cloth": shells["cloth"],
        "metal": metal,
        "rubber": Finish(np.full(3, 0.10, np.float32), 0.1),
    }, fabric


def _wood(rng: Generator) -> Tile:
    """Planks with the grain along v: stretched noise between a light and a dark tone."""
    kinds = ((0.72, 0.08, 75), (0.60, 0.09, 62), (0.45, 0.08, 50), (0.33, 0.05, 45), (0.82, 0.05, 85))
    lightness, chroma, hue = kinds[int(rng.integers(len(kinds)))]
    light: Colour = oklch(lightness, chroma, hue + rng.normal(0, 4))
    dark: Colour = oklch(lightness - 0.13, chroma, hue - 5)
    size = 128
    field = noise_tile(int(rng.integers(2**31)), size, 2.6)
    # Rings across, nearly straight along: the noise is read at a fraction of v.
    rows = (np.arange(size) * 0)[:, None] + (np.arange(size) // 8)[:, None]
    warp = field[rows % size, np.arange(size)[None]]
    u = (np.arange(size)[None] + 0.5) / size
    rings = 0.5 + 0.5 * np.sin(
        2 * np.pi * (5 * u + 0.25 * warp + 0.08 * np.sin(2 * np.pi * np.arange(size) / size)[:, None])
    )
    fibre = noise_tile(int(rng.integers(2**31)), size, 1.0)[:, None, :].mean(1)
    share = np.clip(0.65 * rings + 0.12 * fibre + 0.1, 0, 1)[..., None]
    picture = np.concatenate([light + share * (dark - light), np.ones((size, size, 1))], -1)
    return Tile(picture.astype(np.float32), 0.35)
