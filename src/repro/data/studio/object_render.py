"""Pictures of a thing on white: rasterise, paint, shade, mirror the sky, average four samples per pixel."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from repro.data.studio.camera import Camera
from repro.data.studio.finish import Model, Painter, reflection
from repro.data.studio.raster import rasterize, weighted_corners
from repro.data.studio.render import SUPERSAMPLING, TOGETHER, View
from repro.data.studio.shading import Light, ShadowMaps, shade, unit
from repro.data.studio.shot import Shot
from repro.data.studio.skeleton import Pose

WHITE = 1.0


def photograph(
    model: Model,
    cameras: Sequence[Camera],
    lights: Sequence[Light],
    size: tuple[int, int],
    device: torch.device | str = "cpu",
) -> list[View]:
    """Return one view per camera of a thing on white; joints are empty.

    Colour and alpha are averages of 2 x 2 samples; part and depth belong to the pixel's centre. What the surface
    mirrors is added to the shaded albedo. The result does not depend on threads or batches.

    Args:
        model: the thing.
        cameras, lights: equally many.
        size: (H, W).
        device: where to compute; the views come back on the CPU.
    """
    if len(cameras) != len(lights):
        raise ValueError(f"expected a light for each camera, got {len(lights)} lights and {len(cameras)} cameras")
    studio = _Studio(model, torch.device(device))
    # As many views together as stay in the processor's cache, all with the same metres per pixel.
    together = max(1, TOGETHER // (size[0] * size[1]))
    views: list[View] = []
    for spacing, some in groupby(zip(cameras, lights), lambda both: both[0].distance / (both[0].focal * size[0])):
        alike = list(some)
        for first in range(0, len(alike), together):
            views += studio.views(alike[first : first + together], size, spacing)
    return views


def shot(model: Model, camera: Camera, size: tuple[int, int]) -> Shot:
    """Return the geometry of a thing in front of a camera: it stands still, the camera circles it."""
    return Shot(model.solid, model.solid.rest_vertices, Pose(), camera, size)


class _Studio:
    """A model as tensors."""

    def __init__(self, model: Model, device: torch.device) -> None:
        solid = model.solid
        self.model, self.device = model, device
        self.painter = Painter(model, device)
        self.vertices = torch.from_numpy(solid.rest_vertices).to(device)
        self.faces = torch.from_numpy(solid.faces).to(device)
        self.two_sided = torch.from_numpy(solid.two_sided).to(device)
        self.part = torch.from_numpy(solid.part).to(device)
        self.material = torch.from_numpy(solid.material).to(device)
        surface = torch.cat([self.vertices, torch.from_numpy(solid.normals).to(device)], 1)
        self.surface = torch.cat([surface, torch.from_numpy(solid.uv).to(device)], 1).float()

    def views(self, photographed: list[tuple[Camera, Light]], size: tuple[int, int], spacing: float) -> list[View]:
        """Return the views of one batch."""
        height, width = size
        cameras, lights = [camera for camera, _ in photographed], [light for _, light in photographed]
        on_screen = torch.stack([shot(self.model, camera, size).screen() for camera in cameras]).to(self.device)
        finer = on_screen * on_screen.new_tensor([SUPERSAMPLING, SUPERSAMPLING, 1])
        rows, columns = SUPERSAMPLING * height, SUPERSAMPLING * width
        centres = rasterize(on_screen, self.faces, height, width, two_sided=self.two_sided)
        samples = rasterize(finer, self.faces, rows, columns, two_sided=self.two_sided)

        seen = samples.face.view(-1)
        covered = (seen >= 0).nonzero().squeeze(1)
        weights = samples.barycentric.view(-1, 3)[covered].float()
        pixels = self.surface.new_zeros(len(seen), 7)
        image = covered // (rows * columns)
        pixels[covered] = self._colours(image, seen[covered], weights, cameras, lights, size, spacing / SUPERSAMPLING)
        blocks = pixels.view(len(cameras), height, SUPERSAMPLING, width, SUPERSAMPLING, 7)
        mean = (blocks[:, :, 0, :, 0] + blocks[:, :, 0, :, 1] + blocks[:, :, 1, :, 0] + blocks[:, :, 1, :, 1]) / 4
        mean = mean.permute(0, 3, 1, 2).contiguous().cpu()
        empty = WHITE * (1 - mean[:, 6:7])
        images, albedos = (mean[:, :3] + empty).clamp(0, 1), (mean[:, 3:6] + empty).clamp(0, 1)
        part = torch.where(centres.face >= 0, self.part[centres.face.clamp(min=0)], -1).to(torch.int8).cpu()
        depth = centres.depth.float().cpu()
        return [
            View(
                image=images[index],
                albedo=albedos[index],
                alpha=mean[index, 6],
                part=part[index],
                depth=depth[index],
                joints2d=torch.empty(0, 2, dtype=torch.float64),
                joints3d=torch.empty(0, 3, dtype=torch.float64),
                visible=torch.empty(0, dtype=torch.bool),
                pose=Pose(),
                camera=camera,
            )
            for index, camera in enumerate(cameras)
        ]

    def _colours(
        self,
        image: Tensor,
        face: Tensor,
        weights: Tensor,
        cameras: list[Camera],
        lights: list[Light],
        size: tuple[int, int],
        spacing: float,
    ) -> Tensor:
        """Return (N, 7): shaded colour, albedo and 1 of surface points, given by image, face and weights (N, 3)."""
        rest, normal, uv = weighted_corners(self.surface, self.faces[face], weights).split([3, 3, 2], 1)
        normal = unit(normal)
        albedo, gloss, mirror = self.painter.look_at(self.material[face], rest, normal, uv, spacing).split([3, 1, 1], 1)
        gloss, mirror = gloss[:, 0], mirror[:, 0]

        def per_view(values: list) -> Tensor:
            return torch.tensor(np.array(values), dtype=torch.float32, device=self.device)[image]

        to_eye = unit(per_view([camera.position for camera in cameras]) - rest)
        standing = self.vertices.expand(len(cameras), -1, -1)
        maps = ShadowMaps.render(standing, self.faces, self.two_sided, lights, int(1.2 * max(size)))
        lit = maps.lit(image, rest, normal)
        direction, ambient = (
            per_view([light.direction for light in lights]),
            per_view([light.ambient for light in lights]),
        )
        factor = shade(normal, to_eye, lit, gloss, direction, ambient)
        colour = albedo * factor[:, None] + reflection(normal, to_eye, mirror)
        return torch.cat([colour.clamp(0, 1), albedo, torch.ones_like(albedo[:, :1])], 1)
