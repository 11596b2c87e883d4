"""Pictures of a thing on white: rasterise, paint, shade, mirror the sky, average four samples per pixel."""

from collections.abc import Sequence

import torch
from torch import Tensor

from repro.data.studio.camera import Camera
from repro.data.studio.finish import Model, Painter, reflection
from repro.data.studio.raster import rasterize, weighted_corners
from repro.data.studio.render import SUPERSAMPLING, View
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
    mirrors is added to the shaded albedo. The result does not depend on threads or batches: views are made one by one.

    Args:
        model: the thing.
        cameras, lights: equally many.
        size: (H, W).
        device: where to compute; the views come back on the CPU.
    """
    if len(cameras) != len(lights):
        raise ValueError(f"expected a light for each camera, got {len(lights)} lights and {len(cameras)} cameras")
    studio = _Studio(model, torch.device(device))
    return [studio.view(camera, light, size) for camera, light in zip(cameras, lights)]


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

    def view(self, camera: Camera, light: Light, size: tuple[int, int]) -> View:
        height, width = size
        on_screen = shot(self.model, camera, size).screen().to(self.device)[None]
        finer = on_screen * on_screen.new_tensor([SUPERSAMPLING, SUPERSAMPLING, 1])
        centres = rasterize(on_screen, self.faces, height, width, two_sided=self.two_sided)
        samples = rasterize(finer, self.faces, SUPERSAMPLING * height, SUPERSAMPLING * width, two_sided=self.two_sided)
        covered = (samples.face.view(-1) >= 0).nonzero().squeeze(1)
        face, weights = samples.face.view(-1)[covered], samples.barycentric.view(-1, 3)[covered].float()
        pixels = self.surface.new_zeros(samples.face.numel(), 7)
        pixels[covered] = self._colours(face, weights, camera, light, size)
        blocks = pixels.view(height, SUPERSAMPLING, width, SUPERSAMPLING, 7)
        mean = (blocks[:, 0, :, 0] + blocks[:, 0, :, 1] + blocks[:, 1, :, 0] + blocks[:, 1, :, 1]) / 4
        mean = mean.permute(2, 0, 1).contiguous().cpu()
        seen = centres.face[0]
        part = torch.where(seen >= 0, self.part[seen.clamp(min=0)], -1).to(torch.int8).cpu()
        empty = WHITE * (1 - mean[6:7])
        return View(
            image=(mean[:3] + empty).clamp(0, 1),
            albedo=(mean[3:6] + empty).clamp(0, 1),
            alpha=mean[6],
            part=part,
            depth=centres.depth[0].float().cpu(),
            joints2d=torch.empty(0, 2, dtype=torch.float64),
            joints3d=torch.empty(0, 3, dtype=torch.float64),
            visible=torch.empty(0, dtype=torch.bool),
            pose=Pose(),
            camera=camera,
        )

    def _colours(self, face: Tensor, weights: Tensor, camera: Camera, light: Light, size: tuple[int, int]) -> Tensor:
        """Return (N, 7): shaded colour, albedo and 1 of surface points, given by face and weights (N, 3)."""
        spacing = camera.distance / (camera.focal * size[0] * SUPERSAMPLING)
        rest, normal, uv = weighted_corners(self.surface, self.faces[face], weights).split([3, 3, 2], 1)
        normal = unit(normal)
        albedo, gloss, mirror = self.painter.look_at(self.material[face], rest, normal, uv, spacing).split([3, 1, 1], 1)
        gloss, mirror = gloss[:, 0], mirror[:, 0]
        eye = torch.tensor(camera.position, dtype=torch.float32, device=self.device)
        to_eye = unit(eye - rest)
        maps = ShadowMaps.render(self.vertices[None], self.faces, self.two_sided, [light], int(1.2 * max(size)))
        lit = maps.lit(torch.zeros_like(face), rest, normal)
        direction = torch.tensor(light.direction, dtype=torch.float32, device=self.device)[None]
        factor = shade(normal, to_eye, lit, gloss, direction, torch.full_like(gloss, light.ambient))
        colour = albedo * factor[:, None] + reflection(normal, to_eye, mirror)
        return torch.cat([colour.clamp(0, 1), albedo, torch.ones_like(albedo[:, :1])], 1)
