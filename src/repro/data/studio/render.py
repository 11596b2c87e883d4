"""Pictures of one person: rasterise, look up cloth, paint, shade, and average four samples per pixel."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from repro.data.studio.backdrop import Backdrop
from repro.data.studio.camera import Camera
from repro.data.studio.mesh import Mesh, pose_vertices
from repro.data.studio.raster import Fragments, rasterize, weighted_corners
from repro.data.studio.shading import (
    Light,
    ShadowMaps,
    dot,
    face_normals,
    shade,
    studio_light,
    unit,
    vertex_normals,
)
from repro.data.studio.shot import Shot, joints_visible
from repro.data.studio.skeleton import OPENPOSE_18, Pose
from repro.data.studio.subject import Subject, wrinkled
from repro.data.studio.subject import albedo as surface_albedo
from repro.data.studio.tubes import Array
from repro.data.studio.wardrobe import Wardrobe

SUPERSAMPLING = 2
TOGETHER = 8 * 64 * 64
"""Pixels of the views that are rendered in one batch on a processor."""
SMOOTH = 0.03
"""Metres: samples of one pixel that are deeper or nearer than this see another surface."""
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
    vertices: Sequence[Array] | None = None,
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
        vertices: (V, 3) posed vertices of each pose, for example with cloth that swings; None = skinning alone.
        light: one, or one per view; None = a light up on the left of each camera.
        background: one, or one per view; None = the plain backdrop.
        device: where to compute; the views come back on the CPU.

    Raises:
        ValueError: not as many cameras (vertices, lights, backgrounds) as poses, or a size below 8 pixels.
    """
    count = len(poses)
    lights = [studio_light(camera) for camera in cameras] if light is None else _per_view(light, count, "lights")
    backdrops = _per_view(background or Backdrop(), count, "backgrounds")
    if len(cameras) != count or count == 0:
        raise ValueError(f"expected a camera for each pose, at least one, got {count} poses and {len(cameras)} cameras")
    height, width = size
    if min(size) < 8:
        raise ValueError(f"expected a size of at least 8 x 8 pixels, got {height} x {width}")

    if vertices is None:
        vertices = [pose_vertices(mesh, pose) for pose in poses]
    posed = zip(_per_view(vertices, count, "lists of vertices"), poses, cameras)
    shots = [Shot(mesh, points, pose, camera, size) for points, pose, camera in posed]

    subject = Subject(mesh, wardrobe, torch.device(device))
    # As many views together as stay in the processor's cache; the result is the same.
    together = count if subject.faces.is_cuda else max(1, TOGETHER // (height * width))
    views: list[View] = []
    for first in range(0, count, together):
        some = slice(first, first + together)
        views += _render(subject, mesh, shots[some], size, lights[some], backdrops[some])
    return views


def _render(
    subject: Subject,
    mesh: Mesh,
    shots: Sequence[Shot],
    size: tuple[int, int],
    lights: list[Light],
    backdrops: list[Backdrop],
) -> list[View]:
    """Return the views of one batch."""
    count, device = len(shots), subject.faces.device
    height, width = size
    cameras = [shot.camera for shot in shots]
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
        empty, uncovered = backdrops[index].paint(shot.camera, feet(shot), size), 1 - pixels[index, 6:7]
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


def _colours(
    subject: Subject,
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
    subject: Subject,
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
    albedo = surface_albedo(subject, cloth, material, image, spacing)

    world = vertices.float()
    across = face_normals(world, subject.faces)
    smooth = vertex_normals(across, subject.fans)
    both = torch.cat([world, smooth], -1).view(count * vertex_count, 6)
    position, normal = weighted_corners(both, corners + (image * vertex_count)[:, None], weights).split(3, 1)
    eye = torch.tensor(np.stack([camera.position for camera in cameras]), dtype=torch.float32, device=device)
    to_eye = unit(eye[image] - position)
    inside = dot(across[image, face], to_eye) < 0
    normal = unit(torch.where(inside[:, None], -normal, normal))
    normal = wrinkled(subject, normal, cloth, material, image, spacing)

    maps = ShadowMaps.render(vertices, subject.faces, subject.two_sided, lights, int(1.2 * max(size)))
    direction = torch.tensor([light.direction for light in lights], dtype=torch.float32, device=device)
    ambient = torch.tensor([light.ambient for light in lights], dtype=torch.float32, device=device)
    lit = maps.lit(image, position, normal)
    factor = shade(normal, to_eye, lit, subject.gloss[material], direction[image], ambient[image])
    factor = torch.where(inside, INSIDE * factor, factor)
    return torch.cat([(albedo * factor[:, None]).clamp(0, 1), albedo, torch.ones_like(albedo[:, :1])], 1)


def feet(shot: Shot) -> np.ndarray:
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
