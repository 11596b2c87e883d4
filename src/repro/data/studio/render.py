"""Pictures of one person: rasterise, look up cloth, paint, shade, and average four samples per pixel."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from repro.data.studio.atlas import Atlas
from repro.data.studio.backdrop import Backdrop
from repro.data.studio.camera import Camera
from repro.data.studio.face_paint import Face, paint_face
from repro.data.studio.mesh import PARTS, Mesh
from repro.data.studio.raster import Fragments, rasterize, weighted_corners
from repro.data.studio.shading import (
    Light,
    ShadowMaps,
    bend,
    dot,
    face_normals,
    normal_fans,
    shade,
    studio_light,
    unit,
    vertex_normals,
)
from repro.data.studio.shot import Shot, joints_visible
from repro.data.studio.skeleton import OPENPOSE_18, Pose
from repro.data.studio.wardrobe import Wardrobe

SUPERSAMPLING = 2
TOGETHER = 8 * 64 * 64
"""Pixels of the views that are rendered in one batch on a processor."""
CLOTH_FOOTPRINT = 1.4
"""Pixels over which cloth is averaged. At 1 the stripes that pass alias: warped by the exact flow, pictures of one person
differ by 0.0215 instead of 0.0173 (measured at 256 x 256)."""
SMOOTH = 0.03
"""Metres: samples of one pixel that are deeper or nearer than this see another surface."""
WRINKLE_METRES = 0.55
"""Side of the wrinkle tile on the cloth."""
INSIDE = 0.62
"""Brightness of the inner side of cloth."""


@dataclass(frozen=True)
class View:
    """One picture of a person, with everything that is known about it.

    Attributes:
        image: (3, H, W) float32 in [0, 1].
        albedo: (3, H, W) the same without light and shadow.
        alpha: (H, W) share of each pixel that the person covers.
        part: (H, W) int8, index into ``mesh.PARTS`` at the pixel's centre, -1 background.
        depth: (H, W) float32, metres along the camera's axis at the centre, inf background.
        joints2d: (18, 2) float64, (row, column), pixel centres at integers, -1 outside the image.
        joints3d: (18, 3) float64, world metres.
        visible: (18,) bool: inside the image and not hidden behind another part of the body.
        pose, camera: what was photographed from where.
    """

    image: Tensor
    albedo: Tensor
    alpha: Tensor
    part: Tensor
    depth: Tensor
    joints2d: Tensor
    joints3d: Tensor
    visible: Tensor
    pose: Pose
    camera: Camera


def render(
    mesh: Mesh,
    wardrobe: Wardrobe,
    poses: Sequence[Pose],
    cameras: Sequence[Camera],
    size: tuple[int, int] = (256, 256),
    *,
    light: Light | Sequence[Light] | None = None,
    background: Backdrop | Sequence[Backdrop] | None = None,
    device: torch.device | str = "cpu",
) -> list[View]:
    """Return one view per pose and camera, all of one person, computed together.

    Colour and alpha are averages of 2 x 2 samples; parts, depth and joints belong to the pixel's centre and are never
    filtered. The result does not depend on the number of threads or on how views are batched.

    Args:
        mesh, wardrobe: who, and in what clothes.
        poses, cameras: equally many.
        size: (H, W).
        light: one, or one per view; None = a light up on the left of each camera.
        background: one, or one per view; None = the plain backdrop.
        device: where to compute; the views come back on the CPU.

    Raises:
        ValueError: not as many cameras (lights, backgrounds) as poses, or a size below 8 pixels.
    """
    count = len(poses)
    lights = [studio_light(camera) for camera in cameras] if light is None else _per_view(light, count, "lights")
    backdrops = _per_view(background or Backdrop(), count, "backgrounds")
    if len(cameras) != count or count == 0:
        raise ValueError(f"expected a camera for each pose, at least one, got {count} poses and {len(cameras)} cameras")
    height, width = size
    if min(size) < 8:
        raise ValueError(f"expected a size of at least 8 x 8 pixels, got {height} x {width}")

    subject = _Subject(mesh, wardrobe, torch.device(device))
    # As many views together as stay in the processor's cache; the result is the same.
    together = count if subject.faces.is_cuda else max(1, TOGETHER // (height * width))
    views: list[View] = []
    for first in range(0, count, together):
        some = slice(first, first + together)
        views += _render(subject, mesh, poses[some], cameras[some], size, lights[some], backdrops[some])
    return views


def _render(
    subject: "_Subject",
    mesh: Mesh,
    poses: Sequence[Pose],
    cameras: Sequence[Camera],
    size: tuple[int, int],
    lights: list[Light],
    backdrops: list[Backdrop],
) -> list[View]:
    """Return the views of one batch."""
    count, device = len(poses), subject.faces.device
    height, width = size
    shots = [Shot.take(mesh, pose, camera, size) for pose, camera in zip(poses, cameras)]
    vertices = torch.from_numpy(np.stack([shot.vertices for shot in shots])).to(device)
    on_screen = torch.stack([shot.screen() for shot in shots]).to(device)
    finer = on_screen * on_screen.new_tensor([SUPERSAMPLING, SUPERSAMPLING, 1])
    rows, columns = SUPERSAMPLING * height, SUPERSAMPLING * width
    centres = rasterize(on_screen, subject.faces, height, width, two_sided=subject.two_sided)
    samples = rasterize(finer, subject.faces, rows, columns, two_sided=subject.two_sided)

    pixels = _colours(subject, vertices, centres, samples, lights, cameras, size)
    pixels = pixels.view(count, height, width, -1).permute(0, 3, 1, 2).contiguous().cpu()

    part = torch.where(centres.face >= 0, subject.part[centres.face.clamp(min=0)], -1).to(torch.int8).cpu()
    depth = centres.depth.float().cpu()
    views = []
    for index, shot in enumerate(shots):
        empty, uncovered = backdrops[index].paint(shot.camera, _feet(shot), size), 1 - pixels[index, 6:7]
        plain = torch.tensor(backdrops[index].colour)[:, None, None]
        views.append(
            View(
                image=(pixels[index, :3] + uncovered * empty).clamp(0, 1),
                albedo=(pixels[index, 3:6] + uncovered * plain).clamp(0, 1),
                alpha=pixels[index, 6],
                part=part[index],
                depth=depth[index],
                joints2d=torch.from_numpy(shot.joints()),
                joints3d=torch.from_numpy(mesh.skeleton.posed_joints(shot.pose)),
                visible=torch.from_numpy(joints_visible(shot, depth[index], OPENPOSE_18)),
                pose=shot.pose,
                camera=shot.camera,
            )
        )
    return views


class _Subject:
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


def _colours(
    subject: _Subject,
    vertices: Tensor,
    centres: Fragments,
    samples: Fragments,
    lights: list[Light],
    cameras: Sequence[Camera],
    size: tuple[int, int],
) -> Tensor:
    """Return (B * H * W, 7): shaded colour, albedo, coverage of every pixel, the first six times the coverage.

    Where a pixel's four samples see what its centre sees (same part and material, no step in depth), the centre is
    shaded alone: cloth is averaged over the pixel already, and four nearly equal colours need not be computed.
    """
    height, width = size
    kinds = subject.kind[centres.face].view(-1, height, width)  # face -1 finds the last entry: nothing
    four = _blocks(subject.kind[samples.face], size)
    step = (_blocks(samples.depth, size) - centres.depth[..., None]).abs()
    plain = ((four == kinds[..., None]) & (step < SMOOTH)).all(-1) & (kinds >= 0)
    mixed = (four >= 0).any(-1) & ~plain

    plain, mixed = (pixels.view(-1).nonzero().squeeze(1) for pixels in (plain, mixed))
    several = _blocks(samples.face, size).view(-1, 4)[mixed].view(-1)
    covered = (several >= 0).nonzero().squeeze(1)
    weights = _blocks(samples.barycentric, size).reshape(-1, 4, 3)[mixed].view(-1, 3)[covered]
    colours = _shade(
        subject,
        vertices,
        torch.cat([plain, mixed[covered // 4]]) // (height * width),
        torch.cat([centres.face.view(-1)[plain], several[covered]]),
        torch.cat([centres.barycentric.view(-1, 3)[plain], weights]).float(),
        lights,
        cameras,
        size,
    )
    samples_of_mixed = colours.new_zeros(len(several), 7)
    samples_of_mixed[covered] = colours[len(plain) :]
    a, b, c, d = samples_of_mixed.view(-1, 4, 7).unbind(1)
    pixels = colours.new_zeros(kinds.numel(), 7)
    pixels[plain] = colours[: len(plain)]
    pixels[mixed] = (a + b + c + d) / 4
    return pixels


def _blocks(values: Tensor, size: tuple[int, int]) -> Tensor:
    """Return (B, H, W, 4) or (B, H, W, 4, C): the 2 x 2 samples (B, 2H, 2W) or (B, 2H, 2W, C) of each pixel."""
    height, width = size
    split = values.view(len(values), height, 2, width, 2, *values.shape[3:]).transpose(2, 3)
    return split.reshape(len(values), height, width, 4, *values.shape[3:])


def _shade(
    subject: _Subject,
    vertices: Tensor,
    image: Tensor,
    face: Tensor,
    weights: Tensor,
    lights: list[Light],
    cameras: Sequence[Camera],
    size: tuple[int, int],
) -> Tensor:
    """Return (N, 7): shaded colour, albedo and 1 of surface points, given by image, face and weights (N, 3)."""
    count, vertex_count = vertices.shape[:2]
    device = vertices.device
    corners = subject.faces[face]

    # Metres per pixel at the distance looked at.
    spacing = torch.tensor([camera.distance / (camera.focal * size[0]) for camera in cameras], device=device)
    cloth = weighted_corners(subject.cloth, corners, weights)
    material = subject.material[face]
    albedo = _albedo(subject, cloth, material, image, spacing)

    world = vertices.float()
    across = face_normals(world, subject.faces)
    smooth = vertex_normals(across, subject.fans)
    both = torch.cat([world, smooth], -1).view(count * vertex_count, 6)
    position, normal = weighted_corners(both, corners + (image * vertex_count)[:, None], weights).split(3, 1)
    eye = torch.tensor(np.stack([camera.position for camera in cameras]), dtype=torch.float32, device=device)
    to_eye = unit(eye[image] - position)
    inside = dot(across[image, face], to_eye) < 0
    normal = unit(torch.where(inside[:, None], -normal, normal))
    normal = _wrinkled(subject, normal, cloth, material, image, spacing)

    maps = ShadowMaps.render(vertices, subject.faces, subject.two_sided, lights, int(1.2 * max(size)))
    direction = torch.tensor([light.direction for light in lights], dtype=torch.float32, device=device)
    ambient = torch.tensor([light.ambient for light in lights], dtype=torch.float32, device=device)
    lit = maps.lit(image, position, normal)
    factor = shade(normal, to_eye, lit, subject.gloss[material], direction[image], ambient[image])
    factor = torch.where(inside, INSIDE * factor, factor)
    return torch.cat([(albedo * factor[:, None]).clamp(0, 1), albedo, torch.ones_like(albedo[:, :1])], 1)


def _albedo(subject: _Subject, cloth: Tensor, material: Tensor, image: Tensor, spacing: Tensor) -> Tensor:
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


def _wrinkled(
    subject: _Subject, normal: Tensor, cloth: Tensor, material: Tensor, image: Tensor, spacing: Tensor
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
    """Return the way (V,) in metres from each vertex along its tube to the tube's open end; inf on closed tubes."""
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


def _feet(shot: Shot) -> np.ndarray:
    """Return the middles (2, 3) of the soles."""
    skeleton = shot.mesh.skeleton
    transforms = skeleton.transforms(shot.pose)
    place = {name: skeleton.posed_point(name, transforms) for name in skeleton.points}
    return np.stack([0.6 * place[f"{side}_ankle"] + 0.4 * place[f"{side}_toe"] for side in ("right", "left")])


def _per_view(given, count: int, what: str) -> list:
    several = list(given) if isinstance(given, Sequence) else [given] * count
    if len(several) != count:
        raise ValueError(f"expected one or {count} {what}, got {len(several)}")
    return several
