"""Garments: wider copies of the body's tubes, and the whole person put together."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from repro.data.studio.accessories import ACCESSORIES, SIDES, WAIST, Builder
from repro.data.studio.body import (
    OVER_EARS,
    TRUNK,
    Detail,
    arm_rows,
    body_pieces,
    figure,
    hair_pieces,
    leg_rows,
    trunk_rows,
)
from repro.data.studio.identity import Body, Garment, Identity
from repro.data.studio.mesh import PART, Mesh, Piece, assemble
from repro.data.studio.skeleton import BONE, Skeleton, build_skeleton, stature_map
from repro.data.studio.skinning import (
    arm_weights,
    leg_weights,
    skirt_weights,
    smoothstep,
    trunk_weights,
)
from repro.data.studio.tubes import Array, Indices, Modulation, Profile, tube

NECK_LINE, HIP = 0.848, 0.52
"""Canonical heights where tops begin and where long garments start to hang free."""


def build_person(identity: Identity, detail: str = "full") -> Mesh:
    """Return the mesh of a clothed person: body, hair and every garment of the outfit, put on in its order.

    Args:
        identity: whose body, hair and outfit.
        detail: "full" (about 30 thousand faces) or "low" (a quarter of that, for images up to 64 pixels).
    """
    body, skeleton, sampling = identity.body, build_skeleton(identity.body), Detail(detail)
    pieces = body_pieces(body, skeleton, sampling)
    if identity.hair.style in OVER_EARS:
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
        fold=_together(figure(body, profile), _pleats(garment, profile, body), drape(body, profile, garment)),
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
    if garment.style == "collar":
        pieces.append(_collar(body, skeleton, garment, detail))
    return pieces + (_sleeves(body, skeleton, garment, detail) if garment.sleeve > 0 else [])


def _collar(body: Body, skeleton: Skeleton, garment: Garment, detail: Detail) -> Piece:
    """A turned-down collar, open at the throat."""
    height, neck = body.height, float(stature_map(body, NECK_LINE))
    profile = Profile(trunk_rows(body))
    heights = neck + np.array([0.018, 0.014, 0.002, -0.011]) * height
    radii = profile.radii(profile.at_height(heights)) + np.array([0.006, 0.010, 0.016, 0.014])[:, None]
    radii[2:] += garment.fit * 0.5
    z = profile.centre(profile.at_height(heights))[:, 2]
    surface = tube(Profile(np.column_stack([0 * heights, heights, z, radii])), *detail(8, 48))
    centre = surface.vertices[surface.faces].mean(1)
    throat = (centre[:, 2] > 0) & (np.abs(centre[:, 0]) < 0.006 + 0.6 * (neck + 0.016 * height - centre[:, 1]))
    surface = replace(surface, faces=surface.faces[~throat])
    return Piece(surface, trunk_weights(skeleton, surface.vertices), "top", garment.kind, two_sided=True)


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
        rings, sectors = detail(max(10, int(40 * garment.sleeve)), 28)
        elbow = float(np.interp(_along(skeleton, side, skeleton.joints[[BONE[f"{side}_forearm"]]])[0],
                                _along(skeleton, side, profile.centre(s)), s))  # fmt: skip
        creases = crumpled(elbow, 0.075, 0.05, 0.04, garment.folds)
        if garment.sleeve > 0.9:
            creases = _together(creases, crumpled(end, 0.06, 0.035, 0.05, garment.folds + 1))
        surface = tube(profile, rings, sectors, end=end, fold=creases)
        weights = arm_weights(skeleton, side, surface.vertices)
        pieces.append(Piece(surface, weights, f"{side}_arm", garment.kind, zone=f"{side}_arm", two_sided=True))
    return pieces


def _pleats(garment: Garment, profile: Profile, body: Body) -> Modulation:
    top, hem = (float(stature_map(body, canonical)) for canonical in (0.6, garment.hem))

    def fold(phi: Array, s: Array, part: Array) -> Array:
        y = profile.centre(s)[..., 1]
        return 0.07 * bool(garment.pleats) * smoothstep(top, hem, y) * np.cos(garment.pleats * phi)

    return fold


def drape(body: Body, profile: Profile, garment: Garment) -> Modulation:
    """Return the folds of cloth that hangs: creases at the waist, soft waves that grow towards a free hem."""
    waist, hem = (float(stature_map(body, canonical)) for canonical in (0.62, garment.hem))
    free = 0.03 if garment.hem < 0.525 and not garment.pleats else 0.0

    def fold(phi: Array, s: Array, part: Array) -> Array:
        y, start = profile.centre(s)[..., 1], garment.folds
        waves = np.sin(5 * phi + start) + 0.6 * np.sin(9 * phi + 2 * start + 4 * y)
        slanted = np.sin(2 * np.pi * y / 0.07 + 2.5 * np.cos(phi - start)) * np.sin(phi) ** 2
        return free * smoothstep(waist + 0.05, hem, y) * waves + 0.02 * slanted * np.exp(-(((y - waist) / 0.09) ** 2))

    return fold


def crumpled(middle: float, reach: float, wave: float, depth: float, start: float) -> Modulation:
    """Return creases across a sleeve or a trouser leg around a joint or a hem.

    Args:
        middle, reach, wave: where along the tube, how far to both sides, from crease to crease; metres.
        depth: relative to the radius.
        start: phase, radians.
    """

    def fold(phi: Array, s: Array, part: Array) -> Array:
        across = np.sin(2 * np.pi * s / wave + start + 1.6 * np.sin(phi + start))
        return depth * across * np.exp(-(((s - middle) / reach) ** 2))

    return fold


def _together(*folds: Modulation) -> Modulation:
    return lambda phi, s, part: sum((fold(phi, s, part) for fold in folds), np.zeros(()))


def _skirt(body: Body, skeleton: Skeleton, garment: Garment, detail: Detail) -> list[Piece]:
    profile = Profile(hanging_rows(body, garment.fit, garment.hem, garment.flare))
    start, end = (float(profile.at_height(stature_map(body, canonical))) for canonical in (WAIST + 0.012, garment.hem))
    rings, sectors = detail(int(90 * (WAIST - garment.hem)) + 8, 64)
    waves = drape(body, profile, replace(garment, pleats=garment.pleats or int(garment.hem > 0.3)))
    folds = _together(figure(body, profile), _pleats(garment, profile, body), waves)
    surface = tube(profile, rings, sectors, start=start, end=end, fold=folds)
    weights = skirt_weights(skeleton, surface.vertices, float(stature_map(body, garment.hem)))
    return [Piece(surface, weights, "skirt", "skirt", zone="trunk", two_sided=True)]


def _trousers(body: Body, skeleton: Skeleton, garment: Garment, detail: Detail) -> list[Piece]:
    rows = trunk_rows(body)
    rows[:, 3:6] += garment.fit
    profile = Profile(rows)
    start = float(profile.at_height(stature_map(body, WAIST)))
    seat = tube(profile, *detail(18, 56), start=start, fold=figure(body, profile), caps=(0.0, 0.02))
    sides = np.where(seat.vertices[seat.faces, 0].mean(1) < 0, PART["right_leg"], PART["left_leg"])
    pieces = [Piece(seat, trunk_weights(skeleton, seat.vertices), sides, "trousers", zone="trunk", two_sided=True)]
    for side in SIDES:
        rows = leg_rows(body, skeleton, side)
        # The leg is cut straight: below the knee the cloth does not follow calf and ankle all the way in.
        rows[:, 3:6] += garment.fit
        knee = rows[:, 1] < stature_map(body, 0.3)
        rows[knee, 3:6] += 0.45 * np.maximum(0.0, rows[~knee, 3:6][-1] - rows[knee, 3:6])
        leg_profile = Profile(rows)
        crotch, joint, end = leg_profile.at_height(stature_map(body, np.array([0.47, 0.285, garment.hem])))
        folds = [
            crumpled(joint, 0.08, 0.06, 0.032, garment.folds),
            crumpled(crotch, 0.06, 0.05, 0.02, garment.folds + 2),
        ]
        if garment.hem < 0.2:
            folds.append(crumpled(end, 0.06, 0.045, 0.04, garment.folds + 1))
        if garment.style == "creased":
            folds.append(_ironed(crotch))
        rings = max(14, int(52 * (0.54 - garment.hem) / 0.49))
        leg = tube(leg_profile, *detail(rings, 32), end=float(end), fold=_together(*folds))
        weights = leg_weights(skeleton, side, leg.vertices)
        pieces.append(Piece(leg, weights, f"{side}_leg", "trousers", zone=f"{side}_leg", two_sided=True))
    return pieces


def _ironed(start: float) -> Modulation:
    """The sharp crease down the front and the back of pressed trousers."""

    def fold(phi: Array, s: Array, part: Array) -> Array:
        angle = np.minimum(np.abs(phi), np.pi - np.abs(phi))
        return 0.09 * np.exp(-angle / 0.16) * smoothstep(start, start + 0.12, s)

    return fold


BUILDERS: dict[str, Builder] = {
    "top": _top,
    "coat": _top,
    "dress": _top,
    "skirt": _skirt,
    "trousers": _trousers,
    **ACCESSORIES,
}
