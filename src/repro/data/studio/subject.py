"""A person as tensors, and the colour and wrinkles of any point of their surface."""

from functools import cached_property

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from repro.data.studio.atlas import Atlas
from repro.data.studio.face_paint import Face, paint_face
from repro.data.studio.mesh import PARTS, Mesh
from repro.data.studio.shading import bend, dot, normal_fans
from repro.data.studio.wardrobe import Wardrobe

CLOTH_FOOTPRINT = 1.4
"""Pixels over which cloth is averaged. At 1 the stripes that pass alias: warped by the exact flow, pictures of one
person differ by 0.0215 instead of 0.0173 (measured at 256 x 256)."""
WRINKLE_METRES = 0.55
"""Side of the wrinkle tile on the cloth."""


class Subject:
    """A person's mesh and wardrobe as tensors, with the tables that shading needs."""

    def __init__(self, mesh: Mesh, wardrobe: Wardrobe, device: torch.device) -> None:
        self.wardrobe = wardrobe
        self.names = list(wardrobe.materials)
        self.looks = list(wardrobe.materials.values())
        worn = set(np.unique(mesh.material))
        number = np.full(len(mesh.material_names), -1)
        for index, name in enumerate(mesh.material_names):
            if name in wardrobe.materials:
                number[index] = self.names.index(name)
            elif index in worn:
                raise ValueError(f"the mesh has material {name!r}, the wardrobe only {', '.join(self.names)}")

        def tensor(values: object, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.as_tensor(np.asarray(values), dtype=dtype).to(device)

        self.faces = tensor(mesh.faces, torch.int64)
        self.two_sided = tensor(mesh.two_sided, torch.bool)
        self.part = tensor(mesh.part, torch.int64)
        self.fans = tensor(normal_fans(mesh.faces, mesh.weld), torch.int64)
        self.material = tensor(number[mesh.material], torch.int64)
        # Part and material of each face in one number; one entry more, -1, for where no face is.
        self.kind = tensor(np.append(number[mesh.material] * len(PARTS) + mesh.part, -1), torch.int64)
        # Per vertex: texture coordinates, rest position, distance to the hem; all in metres.
        self.cloth = tensor(np.column_stack([mesh.uv, mesh.rest_vertices, _distance_to_hem(mesh)]))

        self.atlas: Atlas = wardrobe.atlas.to(device)
        self.metres = tensor([look.tile.metres for look in self.looks])
        self.under = tensor(np.stack([look.under for look in self.looks]))
        self.band = tensor([look.band for look in self.looks])
        self.band_colour = tensor(np.stack([look.band_colour for look in self.looks]))
        self.gloss = tensor([look.gloss for look in self.looks])
        self.bump = tensor([look.bump for look in self.looks])
        points = mesh.skeleton.points
        eye, nose, mouth = (tensor(points[name][1]) for name in ("left_eye", "nose", "mouth"))
        unit_length = float(points["crown"][1][1] - points["chin"][1][1])
        self.face = Face(unit_length, eye.abs(), nose, mouth, wardrobe.body, **wardrobe.face_style)

    @cached_property
    def decals(self) -> list[tuple[int, list[tuple[int, dict[str, Tensor]]]]]:
        """For each material that has decals: its number, and (tile number, axes as tensors) of each decal."""
        found, tile = [], len(self.looks)
        for index, look in enumerate(self.looks):
            own = []
            for decal in look.decals:
                axes = {name: torch.from_numpy(getattr(decal, name)).to(self.faces.device)
                        for name in ("centre", "right", "down", "facing")}  # fmt: skip
                own.append((tile, axes))
                tile += 1
            if own:
                found.append((index, own))
        return found


def albedo(subject: Subject, cloth: Tensor, material: Tensor, image: Tensor, spacing: Tensor) -> Tensor:
    """Return the unshaded colours (N, 3) of samples with texture coordinates, rest position and hem distance (N, 6)."""
    atlas = subject.atlas
    u, v, hem = cloth[:, 0], cloth[:, 1], cloth[:, 5]
    rest = cloth[:, 2:5]
    metres = subject.metres[material]
    texel = atlas.sample(material, CLOTH_FOOTPRINT * spacing[image] / metres, u / metres, v / metres)
    colour = torch.lerp(subject.under[material], texel[:, :3], texel[:, 3:])

    coverage = ((subject.band[material] - hem) / spacing[image] + 0.5).clamp(0, 1)
    coverage = torch.where(subject.band[material] > 0, coverage, 0)
    colour = torch.lerp(colour, subject.band_colour[material], coverage[:, None])

    # Decals and face paint touch only the points of their material: painting all of them would be the main cost. They
    # are kept sharper than cloth: single figures do not alias.
    spacing = spacing / 2
    for owner, decals in subject.decals:
        own = (material == owner).nonzero().squeeze(1)
        for tile, axes in decals:
            offset = rest[own] - axes["centre"]
            x, y = dot(offset, axes["right"]) + 0.5, dot(offset, axes["down"]) + 0.5
            hit = (x > 0) & (x < 1) & (y > 0) & (y < 1) & (dot(offset, axes["facing"]) > 0)
            on = hit.nonzero().squeeze(1)
            if len(on) == 0:
                continue
            place, x, y = own[on], x[on], y[on]
            number = torch.full_like(place, tile)
            finer = torch.sqrt(dot(axes["right"], axes["right"]) * dot(axes["down"], axes["down"])).sqrt()
            texel = atlas.sample(number, spacing[image[place]] * finer, x, y)
            colour[place] = torch.lerp(colour[place], texel[:, :3], texel[:, 3:])
    if "face" in subject.names:
        own = (material == subject.names.index("face")).nonzero().squeeze(1)
        colour[own] = paint_face(rest[own], colour[own], subject.face, spacing[image[own]])
    return colour


def wrinkled(
    subject: Subject, normal: Tensor, cloth: Tensor, material: Tensor, image: Tensor, spacing: Tensor
) -> Tensor:
    """Return the normals (N, 3), bent by wrinkles where the material has some."""
    normal = normal.clone()
    own = (subject.bump[material] > 0).nonzero().squeeze(1)
    tile = torch.full_like(own, len(subject.atlas.side) - 1)
    u, v = cloth[own, 0] / WRINKLE_METRES, cloth[own, 1] / WRINKLE_METRES
    slopes = subject.atlas.sample(tile, spacing[image[own]] / WRINKLE_METRES, u, v)
    normal[own] = bend(normal[own], slopes[:, :2], 0.22 * subject.bump[material[own]])
    return normal


def _distance_to_hem(mesh: Mesh) -> np.ndarray:
    """Return the way (V,) in metres from each vertex along its tube to the open end; a kilometre on closed tubes."""
    start = mesh.faces.reshape(-1)
    end = np.roll(mesh.faces, -1, axis=1).reshape(-1)
    total = len(mesh.uv)
    graph = coo_array((np.ones(len(start), np.int8), (start, end)), shape=(total, total))
    count, piece = connected_components(graph, directed=False)
    last = np.full(count, -np.inf)
    np.maximum.at(last, piece, mesh.uv[:, 1])
    distance = last[piece] - mesh.uv[:, 1]
    # A tube that ends in a pole is closed there: all vertices of its last ring are one point.
    rim = np.flatnonzero(distance < 1e-6)
    points = np.unique(np.stack([piece[rim], mesh.weld[rim]], 1), axis=0)
    open_end = np.bincount(points[:, 0], minlength=count) > 1
    return np.where(open_end[piece], distance, 1e3)
