"""Cars: a body lofted along its length with real wheel wells, and a cabin."""

import numpy as np
from scipy.interpolate import PchipInterpolator

from repro.data.studio.car_paint import paint_car
from repro.data.studio.car_parts import PART, trim, wheels
from repro.data.studio.car_shape import Shape, random_shape
from repro.data.studio.finish import Model
from repro.data.studio.identity import Identity
from repro.data.studio.solids import Piece, bake, loft, outline
from repro.data.studio.tubes import Array


def build_car(identity: Identity, detail: str = "full") -> Model:
    """Return the car that an identity names; detail "low" has a quarter of the faces, for up to 64 pixels."""
    shape = random_shape(identity.rng("shape"))
    fine = detail == "full"
    pieces = [_body(shape, fine), _cabin(shape, fine), *wheels(shape, identity.rng("wheels"), fine)]
    pieces += trim(shape, identity.rng("trim"))
    return paint_car(bake(pieces), shape, identity)


def _body(shape: Shape, fine: bool) -> Piece:
    """The lower body: sections from tail to nose; over a wheel their lower edge follows the arch."""
    half, wheel = shape.length / 2, shape.wheel
    arch = wheel * 1.13
    stations: list[tuple[float, float]] = []  # z, height of the lower edge
    for axle in shape.axles:
        along = arch * np.cos(np.linspace(np.pi, 0, 15 if fine else 7))
        stations += [(axle + d, wheel + np.sqrt(max(arch**2 - d**2, 0.0))) for d in along]
        stations += [(axle + sign * (arch + 1e-3), shape.clearance) for sign in (-1, 1)]
    ends = half - 0.22 * (1 - np.cos(np.linspace(0, np.pi / 2, 7 if fine else 4)))
    plain = [*np.linspace(-half + 0.24, half - 0.24, 34 if fine else 13), *ends, *-ends]
    bed = _bed(shape)
    if bed:
        plain += [bed[0] - 1e-3, bed[0], bed[1], bed[1] + 1e-3]
    stations += [
        (z, shape.clearance + 0.10 * max(0.0, (abs(z) - half + 0.5) / 0.5) ** 2)
        for z in plain if min(abs(z - axle) for axle in shape.axles) > arch + 2e-3
    ]  # fmt: skip
    stations.sort()
    sections = np.stack([_section(shape, z, edge, bed, fine) for z, edge in stations])
    surface = loft(sections)
    centre = surface.vertices[surface.faces].mean(1)
    material = np.where(_underneath(shape, centre), "rubber", "paint")
    if bed:
        inside = (centre[:, 2] > bed[0] - 1e-3) & (centre[:, 2] < bed[1] + 1e-3) & (centre[:, 1] > shape.wheel)
        inside &= (centre[:, 1] < shape.deck(centre[:, 2]) - 0.02) & (np.abs(centre[:, 0]) < shape.width / 2 * 0.87)
        material = np.where(inside, "plastic", material)
    return Piece(surface, PART["body"], material.tolist())


def _section(shape: Shape, z: float, edge: float, bed: tuple[float, float] | None, fine: bool) -> Array:
    """One loop (C, 3) of the body at z: over the top to the left, down the side, and back underneath."""
    half = shape.length / 2
    # The ends are rounded: everything moves in by up to 9 cm over the last 22 cm.
    out = max(0.0, (abs(z) - (half - 0.22)) / 0.22)
    inset = 0.10 * (1 - np.sqrt(max(0.0, 1 - out**2.2)))
    width, top = float(shape.side(z)) - 1.3 * inset, float(shape.deck(z)) - inset
    edge = edge + 0.6 * inset
    crown, shoulder = 0.05 * (1 - 0.5 * out), 0.07
    dip = 0.42 if bed and bed[0] <= z <= bed[1] else 0.0
    level = PchipInterpolator([0, 0.12, 0.3, 0.55, 0.8, 1], [0.955, 0.985, 0.985, 1.0, 0.99, 0.945])
    full = max(top - shoulder - shape.clearance, 0.1)

    def wide(y: Array | float) -> Array:
        return width * level(np.clip((top - shoulder - np.asarray(y)) / full, 0, 1))

    rim = float(wide(top - shoulder))
    across = np.array([0.0, 0.25, 0.5, 0.7, 0.84, 0.88, 0.95] if fine else [0.0, 0.5, 0.84, 0.88])
    points = [(a * (rim - shoulder), top + crown * (1 - a**2) - dip * (a <= 0.84)) for a in across]
    turn = np.linspace(np.pi / 2, 0, 5 if fine else 3)
    points += [(rim - shoulder + shoulder * np.cos(a), top - shoulder + shoulder * np.sin(a)) for a in turn]
    side = np.linspace(top - shoulder, edge, 12 if fine else 5)[1:]
    points += list(zip(wide(side), side))
    # Only beside a wheel does the skin end above the floor.
    arched = out == 0 and edge > shape.clearance + 0.1
    inner, floor = max(width - 0.30, 0.2), shape.clearance if arched else edge
    points += [(inner, edge), (inner, floor), (0.0, floor)]
    right = np.array(points)
    loop = np.concatenate([right, right[-2:0:-1] * [-1, 1]])
    return np.column_stack([loop, np.full(len(loop), z)])


def _underneath(shape: Shape, centre: Array) -> Array:
    """Which faces line the wheel wells or the floor: further in than the side's skin, and not the top."""
    x, y, z = centre.T
    inside = np.abs(x) < shape.side(z) * 0.93
    low = y < shape.clearance + 0.04
    well = np.min([np.hypot(z - axle, y - shape.wheel) for axle in shape.axles], 0) < shape.wheel * 1.16
    return (inside & well & (np.abs(z) < shape.length / 2 - 0.05)) | (
        low & (np.abs(z) < shape.length / 2 - 0.3) & inside
    )


def _bed(shape: Shape) -> tuple[float, float] | None:
    """The open bed of a pick-up, from z to z."""
    return (-shape.length / 2 + 0.14, shape.rear[0] - 0.08) if shape.style == "pickup" else None


def _cabin(shape: Shape, fine: bool) -> Piece:
    """The greenhouse: rings from the belt up to the roof's edge, then over the roof to its middle."""
    levels = [*np.linspace(0, 0.9, 7 if fine else 4), 0.96, 1.0]
    rings = [_ring(shape, t, fine) for t in levels]
    top = rings[-1]
    middle = np.array([0.0, 0.0, (shape.screen[1] + shape.rear[1]) / 2])
    for share, rise in ((0.965, 0.022), (0.9, 0.036), (0.7, 0.05), (0.4, 0.058), (0.12, 0.06)):
        ring = middle + (top - middle) * [share, 1, share]
        ring[:, 1] = shape.roof(ring[:, 2]) + rise
        rings.append(ring)
    return Piece(loft(np.stack(rings)), PART["cabin"], "cabin")


def _ring(shape: Shape, t: float, fine: bool) -> Array:
    """The cabin's outline (N, 3) at the part t of the way from belt to roof."""
    front, back = (
        shape.screen[0] + t * (shape.screen[1] - shape.screen[0]),
        shape.rear[0] + t * (shape.rear[1] - shape.rear[0]),
    )
    half = shape.cabin_half(t)
    steps, parts = (3, 6) if fine else (2, 3)
    flat = outline(2 * half, front - back, 0.10 + 0.03 * t, steps)
    # The straight edges, between the corners' arcs, get points too, so that bowed glass is smooth.
    flat = np.concatenate([
        np.linspace(a, b, parts, endpoint=False) if index % (steps + 1) == steps else a[None]
        for index, (a, b) in enumerate(zip(flat, np.roll(flat, -1, 0)))
    ])  # fmt: skip
    z = (front + back) / 2 + flat[:, 1]
    bow = 0.10 * (1 - (flat[:, 0] / half) ** 2)
    z = z + np.where(flat[:, 1] > 0, bow, -0.6 * bow) * np.abs(2 * flat[:, 1] / (front - back)) ** 6
    low, high = shape.deck(np.clip(z, -shape.length / 2 + 0.15, None)) - 0.02, shape.roof(z)
    return np.stack([flat[:, 0], low + t * (high - low), z], 1)
