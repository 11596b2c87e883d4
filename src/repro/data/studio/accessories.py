"""Shoes, belts, hats and bags: what is worn besides cloth. Rigid but for the belt, the straps and the boots' shafts."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from repro.data.studio.body import Detail, head_frame, head_rows, leg_rows, trunk_rows
from repro.data.studio.identity import Body, Garment
from repro.data.studio.mesh import MATERIAL, PART, Piece
from repro.data.studio.skeleton import BONE, Skeleton, stature_map
from repro.data.studio.skinning import leg_weights, rigid_weights, trunk_weights
from repro.data.studio.tubes import Array, Profile, Surface, tube

SIDES = ("right", "left")
WAIST = 0.615
"""Canonical height where trousers, skirts and belts begin."""

# Rows in parts of the stature: along the foot, side, upper radius.
SHOE = np.array([
    [-0.046, 0.012, 0.018], [-0.034, 0.020, 0.036], [-0.008, 0.0225, 0.042], [0.020, 0.0225, 0.032],
    [0.050, 0.0250, 0.020], [0.080, 0.0270, 0.014], [0.105, 0.0220, 0.009], [0.118, 0.0120, 0.004],
])  # fmt: skip


def _shoe(body: Body, skeleton: Skeleton, garment: Garment, detail: Detail) -> list[Piece]:
    pieces = []
    height, sole = body.height, 0.017 * body.height
    for side in SIDES:
        ankle = skeleton.joints[BONE[f"{side}_foot"]]
        z = SHOE[:, 0] * height
        x = ankle[0] + np.sign(ankle[0]) * 0.12 * (z - ankle[2])  # toes point outwards a little
        rows = np.column_stack([
            x, 0 * z + sole, z, SHOE[:, 1:] * height, 0 * z + sole, np.full(len(z), 2.6)
        ])  # fmt: skip
        surface = tube(Profile(rows, front=(0, 1, 0)), *detail(24, 28), caps=(0.004 * height,) * 2)
        weights = rigid_weights(f"{side}_foot", surface.vertices)
        centre = surface.vertices[surface.faces].mean(1)
        sole_faces = centre[:, 1] < 0.0125 * height
        pieces.append(_split(Piece(surface, weights, "shoe", "shoe"), sole_faces, "shoe", "sole"))
        if garment.style == "pump":
            instep = (centre[:, 1] > 0.03 * height) | (
                (centre[:, 1] > 0.024 * height) & (np.abs(centre[:, 2] / height - 0.03) < 0.04)
            )
            pieces[-1] = _split(pieces[-1], instep, f"{side}_leg", "skin")
        if garment.style == "boot":
            profile = Profile(leg_rows(body, skeleton, side))
            span = [float(profile.at_height(stature_map(body, canonical))) for canonical in (0.13, 0.03)]
            shaft = tube(profile, *detail(12, 24), start=span[0], end=span[1], offset=0.007)
            pieces.append(Piece(shaft, leg_weights(skeleton, side, shaft.vertices), "shoe", "shoe", two_sided=True))
    return pieces


def _split(piece: Piece, where: Array, part: str, material: str) -> Piece:
    """Give the faces ``where`` another part and material."""
    parts = np.full(len(where), PART[piece.part]) if isinstance(piece.part, str) else piece.part
    materials = np.full(len(where), MATERIAL[piece.material]) if isinstance(piece.material, str) else piece.material
    return replace(
        piece, part=np.where(where, PART[part], parts), material=np.where(where, MATERIAL[material], materials)
    )


def _belt(body: Body, skeleton: Skeleton, garment: Garment, detail: Detail) -> list[Piece]:
    rows = trunk_rows(body)
    rows[:, 3:6] += 0.021
    profile = Profile(rows)
    start, end = (float(profile.at_height(stature_map(body, WAIST) + shift)) for shift in (0.015, -0.022))
    band = tube(profile, *detail(4, 56), start=start, end=end)
    return [Piece(band, trunk_weights(skeleton, band.vertices), "accessory", "belt", two_sided=True)]


def _hat(body: Body, skeleton: Skeleton, garment: Garment, detail: Detail) -> list[Piece]:
    chin, unit = head_frame(body, skeleton)
    middle, size = np.array([0.0, chin + 0.62 * unit, 0, 0, 0, 0]), 1.15  # the skull, larger about its middle
    profile = Profile(middle + size * (head_rows(body, skeleton) - middle))
    rings, sectors = detail(20, 48)
    edge = 0.72 if garment.style == "cap" else 0.66
    end = float(profile.at_height(chin + edge * unit))
    crown = tube(profile, rings, sectors, end=end, caps=(0.018 * size * unit, 0.0))
    pieces = [Piece(crown, rigid_weights("head", crown.vertices), "accessory", "hat", two_sided=True)]
    if garment.style == "cap":
        z = np.array([0.2, 0.45, 0.65, 0.8])
        thin = np.full(4, 0.02)
        rows = np.column_stack([0 * z, 0.755 - 0.08 * (z - 0.2), z, [0.42, 0.38, 0.28, 0.12], thin, thin]) * unit
        rows[:, 1] += chin
        visor = tube(Profile(rows, front=(0, 1, 0)), *detail(10, 20), caps=(0.01, 0.02))
        pieces.append(Piece(visor, rigid_weights("head", visor.vertices), "accessory", "hat"))
    return pieces


def _bag(body: Body, skeleton: Skeleton, garment: Garment, detail: Detail) -> list[Piece]:
    """A shoulder bag at the hip on a strap across the chest, or a backpack; both stay with the trunk."""
    sign = -1.0 if garment.side == "right" else 1.0
    rows = trunk_rows(body)
    rows[:, 3:6] += max(garment.fit, 0.012) + 0.012
    profile = Profile(rows)
    y = lambda part: float(stature_map(body, part))  # noqa: E731
    if garment.style == "backpack":
        behind = float(profile.radii(profile.at_height(y(0.72)))[2])
        heights = np.array([0.17, 0.16, 0.05, -0.2, -0.22])
        side, deep = np.array([0.10, 0.13, 0.15, 0.16, 0.14]), np.array([0.03, 0.05, 0.08, 0.1, 0.07])
        centres = np.column_stack([np.zeros(5), y(0.715) + heights, np.full(5, -behind - 0.055)])
        bone, ways = "chest", [(s * 0.07, s * 0.12, 0.81, 0.69) for s in (-1.0, 1.0)]
    else:
        hips = float(rows[-4:, 3].max())
        heights = np.array([0.13, 0.12, 0.0, -0.11, -0.12])
        side, deep = np.array([0.02, 0.03, 0.04, 0.04, 0.03]), np.array([0.1, 0.12, 0.14, 0.14, 0.13])
        centres = np.column_stack([np.full(5, sign * (hips + 0.055)), y(0.50) + heights, np.full(5, 0.03)])
        bone, ways = "pelvis", [(-sign * 0.06, sign * 0.9 * hips, 0.825, 0.58)]
    box = tube(
        Profile(np.column_stack([centres, side, deep, deep, np.full(5, 5.0)])), *detail(14, 24), caps=(0.005, 0.008)
    )
    pieces = [Piece(box, rigid_weights(bone, box.vertices), "accessory", "bag")]
    for start, end, top, bottom in ways:
        for face in (1.0, -1.0) if garment.style == "shoulder" else (1.0,):
            strap = _strap(profile, (start, y(top)), (end, y(bottom)), face, detail)
            pieces.append(Piece(strap, trunk_weights(skeleton, strap.vertices), "accessory", "bag", two_sided=True))
    return pieces


def _strap(
    profile: Profile, top: tuple[float, float], bottom: tuple[float, float], face: float, detail: Detail
) -> Surface:
    """A flat band that lies on the front (face 1) or the back (-1) of the trunk between two points (x, y)."""
    t = np.linspace(0, 1, 12)
    x, y = (top[k] + t * (bottom[k] - top[k]) for k in (0, 1))
    s = profile.at_height(y)
    radii, centre = profile.radii(s), profile.centre(s)
    depth = radii[:, 1] if face > 0 else radii[:, 2]
    z = centre[:, 2] + face * depth * np.sqrt(np.clip(1 - np.abs(x / radii[:, 0]) ** 2.3, 0.02, 1))
    thin, wide = np.full(12, 0.006), np.full(12, 0.017)
    return tube(Profile(np.column_stack([x, y, z, wide, thin, thin])), *detail(16, 8))


Builder = Callable[[Body, Skeleton, Garment, Detail], list[Piece]]
"""(body, its skeleton, what is worn, how finely sampled) -> its pieces."""
ACCESSORIES: dict[str, Builder] = {"shoe": _shoe, "belt": _belt, "hat": _hat, "bag": _bag}
