"""The mesh of a person: vertices with bone weights, faces with parts and materials, posed by linear blend skinning."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from repro.data.studio.skeleton import MIRROR, Pose, Skeleton
from repro.data.studio.tubes import Array, Indices, Surface, join

PARTS = (
    "trunk", "head", "hair", "right_arm", "left_arm", "right_leg", "left_leg", "shoe", "skirt", "top", "accessory",
)  # fmt: skip
PART = {name: index for index, name in enumerate(PARTS)}
PART_MIRROR = np.array([0, 1, 2, 4, 3, 6, 5, 7, 8, 9, 10])

MATERIALS = (
    "skin", "face", "hair", "top", "coat", "dress", "trousers", "skirt", "shoe", "sole", "belt", "hat", "bag",
)  # fmt: skip
MATERIAL = {name: index for index, name in enumerate(MATERIALS)}


@dataclass(frozen=True)
class Mesh:
    """A person at rest.

    Attributes:
        rest_vertices: (V, 3) float64, metres.
        faces: (F, 3) int64; corners run counter-clockwise seen from outside.
        uv: (V, 2) metres on the cloth: u to the wearer's left across the front, v downwards.
        weld: (V,) int64, the first vertex at the same place of the same surface (seams share normals through it).
        weights: (V, 17) float64, rows sum to 1.
        part: (F,) int64, index into ``PARTS``.
        material: (F,) int64, index into ``material_names``.
        two_sided: (F,) bool; the back faces of the others are never seen.
        skeleton: the rest skeleton.
    """

    rest_vertices: Array
    faces: Indices
    uv: Array
    weld: Indices
    weights: Array
    part: Indices
    material: Indices
    two_sided: NDArray[np.bool_]
    skeleton: Skeleton

    material_names = MATERIALS

    @cached_property
    def influences(self) -> tuple[Indices, Array]:
        """The bones that move each vertex and their weights, (V, n) each, n the largest number needed."""
        order = np.argsort(-self.weights, axis=1, kind="stable")
        count = int((self.weights > 0).sum(1).max())
        bones = order[:, :count]
        return bones, np.take_along_axis(self.weights, bones, 1)

    def mirrored(self) -> "Mesh":
        """Return the mesh seen in a mirror (x -> -x): bones and parts exchanged, winding kept outward."""
        flip = np.array([-1.0, 1.0, 1.0])
        swap = {"right": "left", "left": "right"}

        def other(name: str) -> str:
            side, _, rest = name.partition("_")
            return f"{swap[side]}_{rest}" if side in swap else name

        points = {
            other(name): (int(MIRROR[bone]), place * flip) for name, (bone, place) in self.skeleton.points.items()
        }
        return replace(
            self,
            rest_vertices=self.rest_vertices * flip,
            faces=self.faces[:, [0, 2, 1]],
            uv=self.uv * [-1.0, 1.0],
            weights=self.weights[:, MIRROR],
            part=PART_MIRROR[self.part],
            skeleton=Skeleton(self.skeleton.joints[MIRROR] * flip, points),
        )


@dataclass(frozen=True)
class Piece:
    """A surface on its way into a mesh: weights (V, 17), part and material by name (or per face), sidedness.

    ``zone`` says what a garment put on later may cover: "trunk", "right_arm", "right_leg", ... or "" for nothing.
    """

    surface: Surface
    weights: Array
    part: str | Indices
    material: str | Indices
    zone: str = ""
    two_sided: bool = False


def assemble(pieces: Sequence[Piece], skeleton: Skeleton) -> Mesh:
    """Return the mesh of several pieces; vertices that no face uses are left out."""

    def per_face(value: str | Indices, names: dict[str, int], piece: Piece) -> Indices:
        return np.full(len(piece.surface.faces), names[value]) if isinstance(value, str) else value

    whole = join([piece.surface for piece in pieces])
    weights = np.concatenate([piece.weights for piece in pieces])
    used = np.zeros(len(whole.vertices), dtype=bool)
    used[whole.faces] = True
    used[whole.weld[whole.faces]] = True
    number = np.cumsum(used) - 1
    return Mesh(
        rest_vertices=whole.vertices[used],
        faces=number[whole.faces],
        uv=whole.uv[used],
        weld=number[whole.weld[used]],
        weights=weights[used],
        part=np.concatenate([per_face(piece.part, PART, piece) for piece in pieces]),
        material=np.concatenate([per_face(piece.material, MATERIAL, piece) for piece in pieces]),
        two_sided=np.concatenate([np.full(len(piece.surface.faces), piece.two_sided) for piece in pieces]),
        skeleton=skeleton,
    )


def pose_vertices(mesh: Mesh, pose: Pose) -> Array:
    r"""Return the posed vertices (V, 3), metres, by linear blend skinning.

    .. math:: v' = \sum_b w_b \, G_b \, v

    Sums run in a fixed order without a linear algebra library, so the result does not depend on threads.
    """
    transforms = mesh.skeleton.transforms(pose).reshape(-1, 12)
    bones, weights = mesh.influences
    blended = weights[:, :1] * transforms[bones[:, 0]]
    for k in range(1, bones.shape[1]):
        # Few vertices hang on more than two bones: add the rest only where there is some.
        some = np.flatnonzero(weights[:, k])
        blended[some] += weights[some, k : k + 1] * transforms[bones[some, k]]
    matrix = blended.reshape(-1, 3, 4)
    v = mesh.rest_vertices
    return matrix[:, :, 0] * v[:, :1] + matrix[:, :, 1] * v[:, 1:2] + matrix[:, :, 2] * v[:, 2:] + matrix[:, :, 3]
