"""Garments: wider copies of the body's tubes, and the whole person put together."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from repro.data.studio.body import (
    TRUNK,
    Detail,
    arm_rows,
    body_pieces,
    hair_pieces,
    head_frame,
    head_rows,
    leg_rows,
    trunk_rows,
)
from repro.data.studio.identity import Body, Garment, Identity
from repro.data.studio.mesh import MATERIAL, PART, Mesh, Piece, assemble
from repro.data.studio.skeleton import BONE, Skeleton, build_skeleton, stature_map
from repro.data.studio.skinning import (
    arm_weights,
    leg_weights,
    rigid_weights,
    skirt_weights,
    smoothstep,
    trunk_weights,
)
from repro.data.studio.tubes import Array, Indices, Modulation, Profile, Surface, tube

SIDES = ("right", "left")
NECK_LINE, WAIST, HIP = 0.848, 0.615, 0.52
"""Canonical heights where tops begin, trousers and skirts begin, and long garments start to hang free."""


def build_person(identity: Identity, detail: str = "full") -> Mesh:
    """Return the mesh of a clothed person: body, hair and every garment of the outfit, put on in its order.

    Args:
        identity: whose body, hair and outfit.
        detail: "full" (about 30 thousand faces) or "low" (a quarter of that, for images up to 64 pixels).
    """
    body, skeleton, sampling = identity.body, build_skeleton(identity.body), Detail(detail)
    pieces = body_pieces(body, skeleton, sampling)
    if identity.hair.style in ("bob", "long"):  # hair lies over the ears
        pieces = [piece for piece in pieces if piece.zone != "ear"]
    for garment in identity.outfit:
        covered = _coverage(body, skeleton, garment)
        pieces = [_without(piece, covered[piece.zone]) if piece.zone in covered else piece for piece in pieces]
        pieces += BUILDERS[garment.kind](body, skeleton, garment, sampling)
    hair, clearance = identity.hair, max(garment.fit for garment in identity.outfit)
    if identity.garment("hat"):
        hair = replace(hair, thickness=0.005)  # pressed flat
    return assemble([*pieces, *hair_pieces(body, skeleton, hair, sampling, clearance)], skeleton)


Covered = Callable[[Array], NDArray[np.bool_]]
"""Rest points (V, 3) -> (V,) bool: under the garment with a few centimetres to spare."""


def _coverage(body: Body, skeleton: Skeleton, garment: Garment) -> dict[str, Covered]:
    """Zone -> what a garment hides of all that is worn or grown below it: it could only poke through."""
    y = lambda canonical: float(stature_map(body, canonical))  # noqa: E731
    covered: dict[str, Covered] = {}
    if garment.kind in ("top", "coat", "dress"):
        top, bottom = y(NECK_LINE) - garment.neck - 0.05, y(garment.hem) + 0.03
        covered["trunk"] = lambda p: (p[:, 1] < top) & (p[:, 1] > bottom)
        reach = _sleeve_end(body, skeleton, garment) - 0.03
        for side in SIDES:
            if garment.sleeve > 0:
                covered[f"{side}_arm"] = _in_sleeve(skeleton, side, reach)
            covered[f"{side}_leg"] = lambda p: p[:, 1] > bottom + 0.02
    if garment.kind in ("trousers", "skirt"):
        low, waist = y(garment.hem) + 0.04, y(WAIST) - 0.03
        covered["trunk"] = lambda p: p[:, 1] < waist
        for side in SIDES:
            covered[f"{side}_leg"] = lambda p: p[:, 1] > low
    return covered


def _in_sleeve(skeleton: Skeleton, side: str, reach: float) -> Covered:
    return lambda points: _along(skeleton, side, points) < reach


def _without(piece: Piece, covered: Covered) -> Piece:
    keep = ~covered(piece.surface.vertices)[piece.surface.faces].all(1)
    by_face = {name: value[keep] for name in ("part", "material") if not isinstance(value := getattr(piece, name), str)}
    return replace(piece, surface=replace(piece.surface, faces=piece.surface.faces[keep]), **by_face)


def _along(skeleton: Skeleton, side: str, points: Array) -> Array:
    """Metres (V,) along the resting arm from the shoulder."""
    offset = points - skeleton.joints[BONE[f"{side}_upper_arm"]]
    return (offset * skeleton.arm_direction(side)).sum(1)


def _sleeve_end(body: Body, skeleton: Skeleton, garment: Garment) -> float:
    """Metres along the arm where the sleeve ends."""
    arm = skeleton.joints[BONE["left_hand"]] - skeleton.joints[BONE["left_upper_arm"]]
    return garment.sleeve * float(np.linalg.norm(arm))


def hanging_rows(body: Body, fit: float, hem: float, flare: float = 0.0, straight: float = 0.0) -> Array:
    """Return control rows (N, 7) of cloth that follows the trunk and hangs free below the hips.

    Args:
        fit: metres between skin and cloth.
        hem: canonical height of the lower edge.
        flare: how much wider the hem is than the hips, relative, for a hem at the knee.
        straight: 0 = follows the waist, 1 = falls straight from the widest place above.
    """
    rows, canonical = trunk_rows(body), TRUNK[:, 0]
    rows[:, 3:6] += fit * (0.35 + 0.65 * smoothstep(0.85, 0.79, TRUNK[:, :1]))  # cloth lies on the shoulders
    chest = canonical < 0.76
    widest = np.maximum.accumulate(rows[chest, 3:6], axis=0)
    rows[chest, 3:6] += straight * (widest - rows[chest, 3:6])
    above = canonical > max(hem, HIP - 0.005)
    kept, hips = rows[above], rows[np.abs(canonical - HIP).argmin()]
    if hem < HIP - 0.005:
        below = np.linspace(HIP - 0.02, hem - 0.005, 6)
        wider = (1 + flare * ((HIP - below) / 0.24))[:, None]
        hang = np.column_stack([
            0 * below, stature_map(body, below), 0 * below, hips[3:6] * wider * [1.04, 1.0, 1.0], 0 * below + 2.3
        ])  # fmt: skip
        return np.concatenate([kept, hang])
    return rows


def _neck_edge(body: Body, profile: Profile, garment: Garment, sectors: int) -> Array:
    phi = np.linspace(-np.pi, np.pi, sectors + 1)
    cut = garment.neck * np.clip(np.cos(phi), 0, 1) ** 3
    return profile.at_height(stature_map(body, NECK_LINE) - cut)


def _top(body: Body, skeleton: Skeleton, garment: Garment, detail: Detail) -> list[Piece]:
    """Tops, coats and dresses: one tube from neck line to hem, and two sleeves."""
    straight = 0.35 if garment.kind == "dress" else 0.75 if garment.kind == "coat" or garment.hem < 0.525 else 0.3
    profile = Profile(hanging_rows(body, garment.fit, garment.hem, garment.flare, straight))
    length = (0.85 - garment.hem) / 0.4
    rings, sectors = detail(int(44 * max(1.0, length)), 64)
    end = float(profile.at_height(stature_map(body, garment.hem)))
    surface = tube(
        profile, rings, sectors, start=_neck_edge(body, profile, garment, sectors), end=end,
        fold=_pleats(garment, profile, body),
    )  # fmt: skip
    hem = float(stature_map(body, garment.hem))
    weights = (
        skirt_weights(skeleton, surface.vertices, hem)
        if garment.hem < HIP
        else trunk_weights(skeleton, surface.vertices)
    )
    part: str | Indices = "top"
    if garment.kind == "dress":
        below = surface.vertices[surface.faces, 1].mean(1) < stature_map(body, WAIST)
        part = np.where(below, PART["skirt"], PART["top"])
    pieces = [Piece(surface, weights, part, garment.kind, zone="trunk", two_sided=True)]
    return pieces + (_sleeves(body, skeleton, garment, detail) if garment.sleeve > 0 else [])


def _sleeves(body: Body, skeleton: Skeleton, garment: Garment, detail: Detail) -> list[Piece]:
    pieces = []
    reach = _sleeve_end(body, skeleton, garment)
    for side in SIDES:
        rows = arm_rows(body, skeleton, side)
        along = _along(skeleton, side, rows[:, :3])
        # Cloth stands off further where the arm is thin: sleeves taper less than arms.
        loose = min(garment.fit, 0.022) * (0.5 + 0.5 * smoothstep(-0.02, 0.08, along)) + 0.012 * smoothstep(
            0.1, 0.45, along
        )
        profile = Profile(np.column_stack([rows[:, :3], rows[:, 3:6] + loose[:, None]]))
        s = np.linspace(0, profile.length, 513)
        end = float(np.interp(reach, _along(skeleton, side, profile.centre(s)), s))
        rings, sectors = detail(max(10, int(36 * garment.sleeve)), 28)
        surface = tube(profile, rings, sectors, end=end)
        weights = arm_weights(skeleton, side, surface.vertices)
        pieces.append(Piece(surface, weights, f"{side}_arm", garment.kind, zone=f"{side}_arm", two_sided=True))
    return pieces


def _pleats(garment: Garment, profile: Profile, body: Body) -> Modulation | None:
    if garment.pleats == 0:
        return None
    top, hem = (float(stature_map(body, canonical)) for canonical in (0.6, garment.hem))

    def fold(phi: Array, s: Array, part: Array) -> Array:
        y = profile.centre(s)[..., 1]
        return 0.07 * smoothstep(top, hem, y) * np.cos(garment.pleats * phi)

    return fold


def _skirt(body: Body, skeleton: Skeleton, garment: Garment, detail: Detail) -> list[Piece]:
    profile = Profile(hanging_rows(body, garment.fit, garment.hem, garment.flare))
    start, end = (float(profile.at_height(stature_map(body, canonical))) for canonical in (WAIST + 0.012, garment.hem))
    rings, sectors = detail(int(90 * (WAIST - garment.hem)) + 8, 64)
    surface = tube(profile, rings, sectors, start=start, end=end, fold=_pleats(garment, profile, body))
    weights = skirt_weights(skeleton, surface.vertices, float(stature_map(body, garment.hem)))
    return [Piece(surface, weights, "skirt", "skirt", zone="trunk", two_sided=True)]


def _trousers(body: Body, skeleton: Skeleton, garment: Garment, detail: Detail) -> list[Piece]:
    rows = trunk_rows(body)
    rows[:, 3:6] += garment.fit
    profile = Profile(rows)
    seat = tube(profile, *detail(18, 56), start=float(profile.at_height(stature_map(body, WAIST))), caps=(0.0, 0.02))
    sides = np.where(seat.vertices[seat.faces, 0].mean(1) < 0, PART["right_leg"], PART["left_leg"])
    pieces = [Piece(seat, trunk_weights(skeleton, seat.vertices), sides, "trousers", zone="trunk", two_sided=True)]
    for side in SIDES:
        rows = leg_rows(body, skeleton, side)
        # The leg is cut straight: below the knee the cloth does not follow calf and ankle all the way in.
        rows[:, 3:6] += garment.fit
        knee = rows[:, 1] < stature_map(body, 0.3)
        rows[knee, 3:6] += 0.45 * np.maximum(0.0, rows[~knee, 3:6][-1] - rows[knee, 3:6])
        leg_profile = Profile(rows)
        end = float(leg_profile.at_height(stature_map(body, garment.hem)))
        leg = tube(leg_profile, *detail(max(14, int(44 * (0.54 - garment.hem) / 0.49)), 32), end=end)
        weights = leg_weights(skeleton, side, leg.vertices)
        pieces.append(Piece(leg, weights, f"{side}_leg", "trousers", zone=f"{side}_leg", two_sided=True))
    return pieces


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
        sole_faces = centre[:, 1] < 0.009 * height
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
    """A hand bag that hangs in line with the arm, or a shoulder bag at the hip."""
    sign = -1.0 if garment.side == "right" else 1.0
    if garment.style == "hand":
        hand, along = skeleton.joints[BONE[f"{garment.side}_hand"]], skeleton.arm_direction(garment.side)
        t, bone = np.array([0.09, 0.13, 0.16, 0.34, 0.36])[:, None], f"{garment.side}_hand"
        centres = hand + t * along
        radii = np.array(
            [[0.012, 0.03, 0.03], [0.015, 0.05, 0.05], [0.05, 0.14, 0.14], [0.06, 0.17, 0.17], [0.05, 0.16, 0.16]]
        )
    else:
        hips = trunk_rows(body)[-4:, 3].max()
        y, bone = float(stature_map(body, 0.54)), "pelvis"
        heights = np.array([0.13, 0.12, 0.0, -0.11, -0.12])
        centres = np.column_stack([np.full(5, sign * (hips + 0.075)), y + heights, np.full(5, 0.03)])
        radii = np.array(
            [[0.03, 0.1, 0.1], [0.04, 0.12, 0.12], [0.05, 0.14, 0.14], [0.05, 0.14, 0.14], [0.04, 0.13, 0.13]]
        )
    rows = np.column_stack([centres, radii, np.full(5, 5.0)])
    surface: Surface = tube(Profile(rows), *detail(14, 24), caps=(0.005, 0.008))
    return [Piece(surface, rigid_weights(bone, surface.vertices), "accessory", "bag")]


BUILDERS: dict[str, Callable[[Body, Skeleton, Garment, Detail], list[Piece]]] = {
    "top": _top, "coat": _top, "dress": _top, "skirt": _skirt, "trousers": _trousers, "shoe": _shoe, "belt": _belt,
    "hat": _hat, "bag": _bag,
}  # fmt: skip
