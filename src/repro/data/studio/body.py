"""The body: tables of shape for an average man and woman, blended and scaled to an identity, built from tubes."""

from dataclasses import dataclass

import numpy as np

from repro.checks import require_choice
from repro.data.studio.identity import Body, Hair
from repro.data.studio.mesh import Piece
from repro.data.studio.skeleton import BONE, CANONICAL, Skeleton, stature_map
from repro.data.studio.skinning import (
    arm_weights,
    hair_weights,
    leg_weights,
    rigid_weights,
    smoothstep,
    trunk_weights,
)
from repro.data.studio.tubes import Array, Modulation, Profile, Surface, tube

# Rows: canonical height, then side, front, back radius of the man and of the woman, in parts of the stature.
TRUNK = np.array([
    [0.905, 0.030, 0.032, 0.034, 0.026, 0.028, 0.030],
    [0.866, 0.034, 0.033, 0.038, 0.029, 0.029, 0.033],
    [0.850, 0.043, 0.036, 0.044, 0.036, 0.032, 0.038],
    [0.840, 0.064, 0.040, 0.049, 0.054, 0.036, 0.043],
    [0.830, 0.088, 0.046, 0.054, 0.078, 0.041, 0.048],
    [0.816, 0.105, 0.054, 0.058, 0.094, 0.048, 0.052],
    [0.795, 0.112, 0.062, 0.061, 0.100, 0.057, 0.055],
    [0.755, 0.104, 0.070, 0.061, 0.091, 0.070, 0.055],
    [0.715, 0.097, 0.071, 0.059, 0.084, 0.078, 0.053],
    [0.680, 0.092, 0.067, 0.056, 0.078, 0.062, 0.050],
    [0.630, 0.087, 0.062, 0.052, 0.075, 0.054, 0.047],
    [0.590, 0.090, 0.062, 0.057, 0.087, 0.057, 0.056],
    [0.545, 0.096, 0.061, 0.068, 0.101, 0.058, 0.073],
    [0.510, 0.098, 0.057, 0.070, 0.106, 0.054, 0.074],
    [0.480, 0.088, 0.050, 0.060, 0.097, 0.047, 0.062],
    [0.465, 0.060, 0.036, 0.042, 0.066, 0.034, 0.043],
])  # fmt: skip
LEG = np.array([
    [0.540, 0.030, 0.034, 0.034, 0.032, 0.034, 0.036],
    [0.505, 0.046, 0.049, 0.054, 0.050, 0.049, 0.058],
    [0.470, 0.047, 0.049, 0.052, 0.052, 0.050, 0.056],
    [0.420, 0.044, 0.047, 0.047, 0.048, 0.048, 0.050],
    [0.350, 0.037, 0.039, 0.038, 0.039, 0.040, 0.040],
    [0.300, 0.031, 0.033, 0.031, 0.031, 0.032, 0.031],
    [0.285, 0.030, 0.032, 0.030, 0.030, 0.031, 0.030],
    [0.255, 0.029, 0.029, 0.032, 0.028, 0.027, 0.032],
    [0.215, 0.031, 0.027, 0.038, 0.029, 0.025, 0.037],
    [0.150, 0.026, 0.024, 0.029, 0.024, 0.022, 0.027],
    [0.080, 0.0195, 0.020, 0.023, 0.018, 0.018, 0.021],
    [0.045, 0.0190, 0.021, 0.025, 0.017, 0.019, 0.022],
    [0.020, 0.0180, 0.021, 0.024, 0.016, 0.019, 0.021],
])  # fmt: skip
# Rows: parts of the stature along the arm from the shoulder, then the radius of man and woman.
ARM = np.array([
    [0.030, 0.0320, 0.0270],
    [0.060, 0.0310, 0.0260],
    [0.100, 0.0280, 0.0235],
    [0.150, 0.0235, 0.0200],
    [0.172, 0.0225, 0.0190],
    [0.205, 0.0240, 0.0200],
    [0.260, 0.0200, 0.0170],
    [0.305, 0.0155, 0.0135],
    [0.330, 0.0150, 0.0130],
])  # fmt: skip
# Rows: metres along the palm in parts of the stature, thickness, width towards the thumb, width away from it.
HAND = np.array([
    [-0.008, 0.0125, 0.0150, 0.0150],
    [0.012, 0.0125, 0.0200, 0.0190],
    [0.040, 0.0105, 0.0235, 0.0220],
    [0.054, 0.0085, 0.0235, 0.0220],
])  # fmt: skip
# Rows, parts of the stature: place across the hand towards the thumb, length, radius of index to little finger.
FINGERS = ((0.0175, 0.094, 0.0056), (0.0062, 0.100, 0.0058), (-0.0055, 0.095, 0.0055), (-0.0165, 0.082, 0.0048))
# Rows in units of the head's height from the chin: height, side, front, back radius.
HEAD = np.array([
    [0.985, 0.100, 0.120, 0.130],
    [0.955, 0.185, 0.210, 0.230],
    [0.900, 0.260, 0.295, 0.340],
    [0.800, 0.318, 0.375, 0.425],
    [0.680, 0.338, 0.405, 0.460],
    [0.560, 0.340, 0.405, 0.465],
    [0.470, 0.330, 0.395, 0.440],
    [0.380, 0.312, 0.385, 0.380],
    [0.280, 0.288, 0.380, 0.300],
    [0.180, 0.258, 0.378, 0.220],
    [0.080, 0.212, 0.372, 0.150],
    [0.020, 0.160, 0.355, 0.100],
    [-0.020, 0.090, 0.310, 0.040],
])  # fmt: skip
# Where hair lies below the widest part of the skull: height, side, front, back, exponent. Cut short it follows the
# nape, longer it hangs free.
NAPE = np.array([
    [0.400, 0.322, 0.380, 0.415, 2.0],
    [0.250, 0.305, 0.360, 0.365, 2.0],
    [0.080, 0.280, 0.330, 0.330, 2.0],
    [-0.100, 0.270, 0.330, 0.310, 2.0],
])  # fmt: skip
LOCKS = np.array([
    [0.400, 0.350, 0.380, 0.468, 2.1],
    [0.100, 0.362, 0.330, 0.462, 2.4],
    [-0.100, 0.375, 0.300, 0.462, 2.8],
    [-0.350, 0.420, 0.300, 0.530, 3.5],
    [-0.700, 0.460, 0.300, 0.580, 4.0],
    [-1.400, 0.440, 0.300, 0.590, 4.0],
])  # fmt: skip
# Hair lines: |angle| from the front in radians, then the height of the edge in head units for each style.
EDGE_ANGLES = (0.0, 0.5, 0.8, 1.1, 1.35, 1.6, 1.9, 2.3, 3.15)
EDGES = {
    "short": (0.80, 0.79, 0.70, 0.50, 0.45, 0.56, 0.38, 0.14, 0.08),
    "bob": (0.80, 0.78, 0.66, 0.32, 0.06, -0.02, -0.05, -0.08, -0.10),
    "long": (0.80, 0.78, 0.62, 0.22, -0.2, -0.32, -0.8, -1.15, -1.25),
    "bun": (0.82, 0.80, 0.72, 0.56, 0.52, 0.56, 0.36, 0.15, 0.08),
    "ponytail": (0.81, 0.79, 0.71, 0.55, 0.50, 0.56, 0.36, 0.15, 0.08),
    "fringe": (0.63, 0.64, 0.58, 0.26, 0.00, -0.12, -0.16, -0.20, -0.22),
    "receding": (0.86, 0.93, 0.82, 0.58, 0.47, 0.57, 0.38, 0.14, 0.08),
}
OVER_EARS = ("bob", "long", "fringe")
"""Styles whose hair hangs free over the ears."""


@dataclass(frozen=True)
class Detail:
    """How finely tubes are sampled: ``full``, or ``low`` with about a quarter of the faces for images of 64 pixels."""

    name: str

    def __post_init__(self) -> None:
        require_choice("detail", self.name, ("full", "low"))

    def __call__(self, rings: int, sectors: int) -> tuple[int, int]:
        """Return rings and (even) sectors at this detail, given those at full detail."""
        return (rings, sectors) if self.name == "full" else (max(2, (rings + 1) // 2), max(6, sectors // 4 * 2))


def blend(table: Array, femininity: float) -> Array:
    """Return rows (height, radii...) between those of the man (left half) and of the woman (right half)."""
    radii = (table.shape[1] - 1) // 2
    return np.column_stack(
        [table[:, 0], (1 - femininity) * table[:, 1 : 1 + radii] + femininity * table[:, 1 + radii :]]
    )


def trunk_rows(body: Body) -> Array:
    """Return control rows (N, 7) of neck and trunk down to the crotch, metres."""
    rows = blend(TRUNK, body.femininity)
    y, radii = rows[:, 0], rows[:, 1:] * body.height * body.girth
    radii[:, 0] *= 1 + (body.shoulder - 1) * smoothstep(0.65, 0.8, y) + (body.hip - 1) * smoothstep(0.65, 0.55, y)
    radii[:, 1] += body.belly * np.exp(-(((y - 0.61) / 0.05) ** 2))
    neck = smoothstep(0.83, 0.86, y)[:, None]  # girth widens a neck less than a waist
    radii *= (1 - neck) + neck * body.girth**-0.5
    power = 2.0 + 0.5 * smoothstep(0.84, 0.78, y)
    z = -0.004 * body.height * smoothstep(0.8, 0.85, y)
    return np.column_stack([0 * y, stature_map(body, y), z, radii, power])


def leg_rows(body: Body, skeleton: Skeleton, side: str) -> Array:
    """Return control rows (N, 6) of a leg from inside the pelvis to inside the shoe, metres."""
    rows = blend(LEG, body.femininity)
    y = stature_map(body, rows[:, 0])
    joints = skeleton.joints[[BONE[f"{side}_{bone}"] for bone in ("foot", "shin", "thigh")]]
    x, z = (np.interp(y, joints[:, 1], joints[:, axis]) for axis in (0, 2))
    return np.column_stack([x, y, z, rows[:, 1:] * body.height * body.girth])


def arm_rows(body: Body, skeleton: Skeleton, side: str) -> Array:
    """Return control rows (N, 6) of an arm; the first lies inside the trunk, so that the shoulder is not puffed."""
    shoulder, direction = skeleton.joints[BONE[f"{side}_upper_arm"]], skeleton.arm_direction(side)
    inward = np.array([-np.sign(direction[0]), 0.0, 0.0])
    radius = ((1 - body.femininity) * ARM[:, 1] + body.femininity * ARM[:, 2]) * body.height * body.girth
    centres = shoulder + ARM[:, :1] * body.height * body.arm * direction
    start = shoulder + inward * 0.04 * body.height - [0, 0.006 * body.height, 0]
    middle = shoulder + inward * 0.006 * body.height - [0, 0.002 * body.height, 0]
    centres = np.concatenate([[start, middle], centres])
    radius = np.concatenate([[0.8 * radius[0], 0.93 * radius[0]], radius])
    return np.column_stack([centres, radius, radius, radius])


def head_rows(body: Body, skeleton: Skeleton) -> Array:
    """Return control rows (N, 6) of the skull from crown to chin, metres."""
    chin, unit = head_frame(body, skeleton)
    zero = np.zeros(len(HEAD))
    return np.column_stack([zero, chin + HEAD[:, 0] * unit, zero, HEAD[:, 1:] * unit])


def figure(body: Body, profile: Profile) -> Modulation:
    """Return what makes the trunk more than a tube: chest, spine, shoulder blades, buttocks; also seen through cloth.

    Args:
        body: whose trunk.
        profile: the tube that is shaped; the skin's, or that of cloth over it.
    """
    woman, height = body.femininity, body.height

    def fold(phi: Array, s: Array, part: Array) -> Array:
        y = profile.centre(s)[..., 1]

        def bump(canonical: float, width: float, angle: float, spread: float) -> Array:
            along = (y - stature_map(body, canonical)) / (width * height)
            return np.exp(-(along**2) - ((np.abs(phi) - angle) / spread) ** 2)

        chest = woman * (0.09 * bump(0.72, 0.024, 0.52, 0.34) - 0.05 * bump(0.722, 0.035, 0.0, 0.2))
        chest += (1 - woman) * (0.035 * bump(0.742, 0.024, 0.5, 0.4) - 0.02 * bump(0.735, 0.04, 0.0, 0.14))
        back = 0.05 * bump(0.755, 0.028, np.pi - 0.6, 0.32) - 0.05 * bump(0.68, 0.08, np.pi, 0.22)
        seat = 0.06 * bump(0.515, 0.03, np.pi - 0.5, 0.36) - 0.07 * bump(0.5, 0.035, np.pi, 0.16)
        return chest + back + seat

    return fold


def head_frame(body: Body, skeleton: Skeleton) -> tuple[float, float]:
    """Return the height of the chin and the height of the head, metres: the unit of all tables of the head."""
    return float(skeleton.points["chin"][1][1]), (1 - CANONICAL["chin"]) * body.head * body.height


def body_pieces(body: Body, skeleton: Skeleton, detail: Detail) -> list[Piece]:
    """Return the bare body: trunk, head, and per side arm, hand, leg, ear."""
    height = body.height
    chin, unit = head_frame(body, skeleton)
    profile = Profile(trunk_rows(body))
    trunk = tube(profile, *detail(56, 56), fold=figure(body, profile), caps=(0.0, 0.012 * height))
    pieces = [
        Piece(trunk, trunk_weights(skeleton, trunk.vertices), "trunk", "skin", zone="trunk"),
        _head(body, skeleton, detail),
    ]
    for side in ("right", "left"):
        arm = tube(Profile(arm_rows(body, skeleton, side)), *detail(36, 24))
        for surface in (arm, *hand_surfaces(body, skeleton, side, detail)):
            weights = arm_weights(skeleton, side, surface.vertices)
            pieces.append(Piece(surface, weights, f"{side}_arm", "skin", zone=f"{side}_arm"))
        leg = tube(Profile(leg_rows(body, skeleton, side)), *detail(44, 28))
        weights = leg_weights(skeleton, side, leg.vertices)
        pieces.append(Piece(leg, weights, f"{side}_leg", "skin", zone=f"{side}_leg"))
        x = -0.325 if side == "right" else 0.325
        rows = [(x, 0.57, -0.06, 0.02, 0.05, 0.06), (x * 1.07, 0.5, -0.05, 0.035, 0.08, 0.1),
                (x * 1.03, 0.41, -0.03, 0.03, 0.05, 0.06), (x, 0.36, -0.01, 0.02, 0.03, 0.03)]  # fmt: skip
        ear = tube(Profile(np.array(rows) * unit + [0, chin, 0, 0, 0, 0]), *detail(9, 16), caps=(0.02 * unit,) * 2)
        pieces.append(Piece(ear, rigid_weights("head", ear.vertices), "head", "skin", zone="ear"))
    return pieces


def _head(body: Body, skeleton: Skeleton, detail: Detail) -> Piece:
    chin, unit = head_frame(body, skeleton)
    profile = Profile(head_rows(body, skeleton))

    def face(phi: Array, s: Array, part: Array) -> Array:
        y = (profile.centre(s)[..., 1] - chin) / unit
        bump = lambda height, width, angle, spread: (  # noqa: E731
            np.exp(-(((y - height) / width) ** 2) - ((np.abs(phi) - angle) / spread) ** 2)
        )
        nose = np.interp(y, [0.28, 0.35, 0.56], [0.0, 1.0, 0.0]) * np.exp(-((phi / 0.15) ** 2))
        return (
            0.35 * nose + 0.03 * bump(0.6, 0.05, 0.3, 0.3) - 0.05 * bump(0.5, 0.05, 0.37, 0.16)
            + 0.04 * bump(0.2, 0.04, 0.0, 0.22) + 0.04 * bump(0.05, 0.05, 0.0, 0.25)
        )  # fmt: skip

    surface = tube(profile, *detail(60, 64), fold=face, caps=(0.015 * unit, 0.02 * unit))
    return Piece(surface, rigid_weights("head", surface.vertices), "head", "face")


def hand_surfaces(body: Body, skeleton: Skeleton, side: str, detail: Detail) -> list[Surface]:
    """Return palm, thumb and four fingers, slightly curled towards the body."""
    wrist, direction = skeleton.joints[BONE[f"{side}_hand"]], skeleton.arm_direction(side)
    size = body.height * body.arm
    palmward = np.cross(direction, [0.0, 0.0, 1.0]) * np.sign(direction[0])

    def finger(along: list[float], thumbward: list[float], curl: list[float], radius: list[float]) -> Surface:
        centres = np.outer(along, direction) + np.outer(curl, palmward) + np.outer(thumbward, [0.0, 0.0, 1.0])
        rows = np.column_stack([wrist + centres * size, *[np.array(radius) * size] * 3])
        return tube(Profile(rows), *detail(6, 8), caps=(0.0, 0.8 * radius[-1] * size))

    palm = np.column_stack([wrist + HAND[:, :1] * size * direction, HAND[:, 1:] * size])
    surfaces = [
        tube(Profile(palm), *detail(12, 20), caps=(0.0, 0.005 * size)),
        finger([0.005, 0.025, 0.045, 0.06], [0.008, 0.022, 0.031, 0.035], [0, 0.001, 0.002, 0.004],
               [0.009, 0.0085, 0.0075, 0.006]),
    ]  # fmt: skip
    for place, length, radius in FINGERS:
        reach = [0.042, 0.068, 0.5 * (0.068 + length), length]
        surfaces.append(
            finger(reach, [place, 1.1 * place, 1.1 * place, 1.05 * place], [0, 0.002, 0.007, 0.015],
                   [radius, radius, 0.92 * radius, 0.75 * radius])
        )  # fmt: skip
    return surfaces


def hair_pieces(body: Body, skeleton: Skeleton, hair: Hair, detail: Detail, clearance: float) -> list[Piece]:
    """Return the hair: a cap draped over the skull down to the style's hair line, and a bun or a pony tail.

    Args:
        body, skeleton, hair, detail: whose hair, and how finely sampled.
        clearance: metres between the back and long hair: what is worn there.
    """
    chin, unit = head_frame(body, skeleton)
    hangs = hair.style in OVER_EARS
    skull = HEAD[HEAD[:, 0] > (0.5 if hangs else 0.45)]
    table = np.concatenate([np.column_stack([skull, np.full(len(skull), 2.0)]), LOCKS if hangs else NAPE])
    y, zero, radii = chin + table[:, 0] * unit, np.zeros(len(table)), table[:, 1:4] * unit
    y += hair.thickness * smoothstep(0.5, 0.95, table[:, 0])  # as thick on the crown as at the sides
    if hair.style == "long":
        radii[:, 2] = np.where(table[:, 0] < -0.2, np.maximum(radii[:, 2], _behind(body, y, clearance)), radii[:, 2])
    profile = Profile(np.column_stack([zero, y, zero, radii, table[:, 4]]))
    rings, sectors = detail(48 if hair.style == "long" else 36, 64)
    phi = np.linspace(-np.pi, np.pi, sectors + 1)
    shifted = np.abs((phi - 0.12 * hair.parting + np.pi) % (2 * np.pi) - np.pi)
    edge = profile.at_height(chin + unit * np.interp(shifted, EDGE_ANGLES, EDGES[hair.style]))

    def body_of_hair(phi: Array, s: Array, part: Array) -> Array:
        waves = 0.01 * np.sin(11 * phi + 3 * np.sin(9 * part)) * part + 0.008 * np.sin(27 * phi + 2 * part) * part
        parted = -0.4 * hair.parting**2 * np.exp(-(((phi - 0.35 * hair.parting) / 0.1) ** 2)) * (1 - part) ** 0.5
        return hair.thickness / (0.4 * unit) * (1 - part**5) * (1 + parted) + waves

    surface = tube(profile, rings, sectors, end=edge, offset=0.004, fold=body_of_hair, caps=(0.018 * unit, 0))
    pieces = [Piece(surface, hair_weights(skeleton, surface.vertices), "hair", "hair", two_sided=True)]
    if hair.style == "bun":
        y, r = np.array([0.93, 0.86, 0.74, 0.62, 0.55]), np.array([0.08, 0.15, 0.19, 0.15, 0.08])
        rows = np.column_stack([0 * y, chin + y * unit, 0 * y - 0.5 * unit, r * unit, r * unit, r * unit])
        bun = tube(Profile(rows), *detail(12, 20), caps=(0.03 * unit,) * 2)
        pieces.append(Piece(bun, rigid_weights("head", bun.vertices), "hair", "hair"))
    if hair.style == "ponytail":
        y = np.array([0.84, 0.8, 0.65, 0.35, 0.0, -0.45, -0.8])
        z = -np.array([0.42, 0.52, 0.62, 0.64, 0.6, 0.6, 0.6]) * unit
        z[4:] = np.minimum(z[4:], -_behind(body, chin + y[4:] * unit, clearance) - 0.05 * unit)
        r = np.array([0.07, 0.06, 0.12, 0.15, 0.14, 0.11, 0.04]) * unit
        tail = tube(Profile(np.column_stack([0 * y, chin + y * unit, z, 1.1 * r, r, r])), *detail(18, 20),
                    caps=(0.02 * unit,) * 2)  # fmt: skip
        pieces.append(Piece(tail, hair_weights(skeleton, tail.vertices), "hair", "hair"))
    return pieces


def _behind(body: Body, y: Array, clearance: float) -> Array:
    """Return how far (N,) behind the body's axis free hair hangs at heights y, metres."""
    trunk = trunk_rows(body)
    return np.interp(-y, -trunk[:, 1], trunk[:, 5]) + clearance + 0.01
