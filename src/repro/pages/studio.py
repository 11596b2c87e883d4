"""What the studio page shows: people by number, surfaces in false colours, and how exact a flow is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from torch import Tensor
from torch.nn import functional

from repro.data.studio.backdrop import Backdrop
from repro.data.studio.camera import Camera, fashion_camera
from repro.data.studio.garments import build_person
from repro.data.studio.identity import Identity
from repro.data.studio.mesh import Mesh
from repro.data.studio.palette import garment_palette
from repro.data.studio.patterns import make_tile
from repro.data.studio.pose import random_pose
from repro.data.studio.raster import facing, interpolate, rasterize, snap
from repro.data.studio.render import View, render
from repro.data.studio.seeds import child_generator
from repro.data.studio.shading import random_light
from repro.data.studio.shot import Shot, shoot
from repro.data.studio.skeleton import Pose
from repro.data.studio.tubes import Array
from repro.data.studio.wardrobe import Wardrobe
from repro.ops import bilinear_warp

SIZE = (256, 176)
"""Height and width of the page's pictures: the frame of DeepFashion."""
REASONS = ("seen", "outside the picture", "turned away", "behind something", "background")
"""What becomes of a target pixel in the source, by the numbers of :func:`fate`."""


@dataclass(frozen=True)
class Sitter:
    """A dressed person, ready to be photographed."""

    identity: Identity
    mesh: Mesh
    wardrobe: Wardrobe

    @classmethod
    def invite(cls, split: str, index: int, detail: str = "full") -> "Sitter":
        """Return a person of the ``fashion`` set."""
        return cls.of(Identity("fashion", split, index), detail)

    @classmethod
    def of(cls, identity: Identity, detail: str = "full") -> "Sitter":
        """Return a person, dressed."""
        return cls(identity, build_person(identity, detail), Wardrobe.for_identity(identity))

    def camera(self, yaw: float = 0.0, pitch: float = 0.05) -> Camera:
        """Return a camera that sees the whole person; yaw in radians, 0 = from the front, pi/2 = from their left."""
        stature = self.identity.body.height
        return Camera(yaw, pitch, distance=2.5 * stature, look_at=(0.0, 0.5 * stature, 0.0))

    def shot(self, pose: Pose, camera: Camera, size: tuple[int, int] = SIZE) -> Shot:
        """Return the geometry of one picture."""
        return Shot.take(self.mesh, pose, camera, size)

    def photograph(self, poses: Sequence[Pose], cameras: Sequence[Camera], size: tuple[int, int] = SIZE) -> list[View]:
        """Return one picture per pose and camera, under the plain light."""
        return render(self.mesh, self.wardrobe, poses, cameras, size)

    def sample(self, view: int, side: int = 256) -> View:
        """Return a picture with random pose, camera, light and wall, drawn as the ``fashion`` set draws them."""
        rng = self.identity.rng
        pose = random_pose(self.mesh, rng("pose", view))
        camera = fashion_camera(rng("camera", view), self.identity.body.height)
        light, wall = random_light(rng("light", view), camera), Backdrop.random(rng("backdrop", view))
        return render(self.mesh, self.wardrobe, [pose], [camera], (side, side), light=light, background=wall)[0]


def swatch(family: str, number: int, side: int = 128) -> Tensor:
    """Return (3, side, side): a piece of cloth of a texture family in random colours, over a middle grey.

    Args:
        family: one of ``patterns.FAMILIES``.
        number: which of the endlessly many.
        side: pixels, a power of two.
    """
    rng = child_generator("studio page", family, number)
    picture = make_tile(family, rng, garment_palette(rng, float(rng.uniform(0, 360))), side).picture
    colour, cover = picture[..., :3], picture[..., 3:]
    return torch.from_numpy(cover * colour + (1 - cover) * 0.5).permute(2, 0, 1)


def paint(shot: Shot, colours: Array, *, keep: Array | None = None) -> Tensor:
    """Return a picture (3, H, W) of a shot in false colours on white, lit from the camera.

    Args:
        shot: what is seen.
        colours: (V, 3) per vertex or (F, 3) per face, in [0, 1].
        keep: (F,) bool, the faces that are drawn; default all.
    """
    faces, sides = shot.faces, shot.two_sided
    if len(colours) not in (len(shot.vertices), len(faces)):
        raise ValueError(
            f"expected a colour for each of {len(shot.vertices)} vertices or {len(faces)} faces, got {len(colours)}"
        )
    by_face = len(colours) == len(faces)
    colour = torch.from_numpy(np.asarray(colours, dtype=np.float64))
    if keep is not None:
        chosen = torch.from_numpy(keep)
        faces, sides, colour = faces[chosen], sides[chosen], colour[chosen] if by_face else colour
    height, width = (2 * side for side in shot.size)  # four samples per pixel
    seen = rasterize([shot.screen((height, width))], faces, height, width, two_sided=sides)
    face = seen.face[0].clamp(min=0)
    painted = colour[face] if by_face else interpolate(colour, faces, seen)[0]
    a, b, c = torch.from_numpy(shot.vertices)[faces].unbind(1)
    normal = functional.normalize(torch.linalg.cross(b - a, c - a), dim=1)
    slant = (normal @ torch.from_numpy(shot.camera.axes[2])).abs()
    painted = torch.where(seen.face[0, ..., None] >= 0, painted * (0.4 + 0.6 * slant[face])[..., None], 1.0)
    return functional.avg_pool2d(painted.permute(2, 0, 1)[None], 2)[0].float()


def draw_wireframe(axes: Axes, points: Array, faces: Array, camera: Camera, *, linewidth: float = 0.5) -> None:
    """Draw the triangles (F, 3) of points (V, 3) as a camera sees them: front faces filled white, edges dark."""
    screen = camera.project(points, SIZE)
    corners = screen[faces]
    front = facing(torch.from_numpy(corners)).numpy() > 0
    order = np.argsort(-corners[front][..., 2].mean(1))
    axes.add_collection(
        PolyCollection(corners[front][order][..., :2], facecolor="white", edgecolor="#0072B2", linewidth=linewidth)
    )
    axes.set(aspect="equal", xticks=[], yticks=[])
    axes.autoscale_view()
    axes.invert_yaxis()


def rest_positions(shot: Shot, height: int, width: int) -> Tensor:
    """Return (3, H, W) float64: where on the resting person the point lies that each pixel centre sees, metres."""
    rest = torch.from_numpy(shot.mesh.rest_vertices)
    return interpolate(rest, shot.faces, shoot([shot], height, width))[0].permute(2, 0, 1)


def parts(shot: Shot, height: int, width: int) -> Tensor:
    """Return (H, W) int64: the part that each pixel centre sees, -1 background."""
    face = shoot([shot], height, width).face[0]
    return torch.where(face >= 0, torch.from_numpy(shot.mesh.part)[face.clamp(min=0)], -1)


def rest_residual(source: Shot, target: Shot, flow: Tensor) -> Tensor:
    """Return (H, W) metres, measured on the resting person, between what the target shows and what the flow reads.

    Args:
        source, target: shots of one mesh.
        flow: (2, H, W), target to source, pixels of this map.
    """
    height, width = flow.shape[-2:]
    there = bilinear_warp(rest_positions(source, height, width)[None], flow.double()[None])[0]
    return (there - rest_positions(target, height, width)).norm(dim=0)


def inside_part(source: Shot, target: Shot, flow: Tensor) -> Tensor:
    """Return (H, W) bool: all four source pixels that the flow reads show the part that the target pixel shows."""
    height, width = flow.shape[-2:]
    there, here = parts(source, height, width), parts(target, height, width)
    column = (torch.arange(width) + flow[0]).floor().long()
    row = (torch.arange(height)[:, None] + flow[1]).floor().long()
    same = here >= 0
    for down in (0, 1):
        for right in (0, 1):
            same &= there[(row + down).clamp(0, height - 1), (column + right).clamp(0, width - 1)] == here
    return same


def read_nearest(picture: Tensor, flow: Tensor) -> Tensor:
    """Return (C, h, w): the pixel of a full-size picture in which the flow of each cell of a smaller map ends.

    Convention: cell j has its centre at j + 1/2 in units of its own side, whatever the size of the map.

    Args:
        picture: (C, H, W), the source.
        flow: (2, h, w), target to source, pixels of this map; outside = nearest edge pixel.
    """
    (height, width), (rows, columns) = picture.shape[-2:], flow.shape[-2:]
    x = (torch.arange(columns) + 0.5 + flow[0]) * (width / columns)
    y = (torch.arange(rows)[:, None] + 0.5 + flow[1]) * (height / rows)
    return picture[:, y.floor().long().clamp(0, height - 1), x.floor().long().clamp(0, width - 1)]


def miss(source: Shot, target: Shot, flow: Tensor) -> Tensor:
    """Return (h, w) metres between the point that a cell's centre shows and the point that its flow ends on.

    Measured on the resting person, to the nearest pixel of the full-size source; inf where the flow ends beside the
    person.

    Args:
        source, target: shots of one mesh.
        flow: (2, h, w), pixels of this map, which may be smaller than the images.
    """
    off = (read_nearest(rest_positions(source, *source.size), flow) - rest_positions(target, *flow.shape[-2:])).norm(
        dim=0
    )
    return off.masked_fill(read_nearest(parts(source, *source.size)[None], flow)[0] < 0, torch.inf)


def mixed_cells(target: Shot, stride: int) -> Tensor:
    """Return (h, w) bool: the cells of ``stride`` x ``stride`` pixels that hold more than one part (or background)."""
    height, width = target.size
    part = parts(target, height, width).reshape(height // stride, stride, width // stride, stride)
    return part.amax((1, 3)) != part.amin((1, 3))


def averaged_flow(flow: Tensor, where: Tensor, stride: int) -> Tensor:
    """Return the mean flow of each cell over the pixels ``where``, in pixels of the small map; 0 where there are none.

    This is what the studio does not do: it is here to show what goes wrong.

    Args:
        flow: (2, H, W) in pixels; H and W multiples of ``stride``.
        where: (H, W) bool.
        stride: side of a cell in pixels.
    """
    weight = functional.avg_pool2d(where[None].to(flow.dtype), stride)
    return functional.avg_pool2d(flow * where, stride) / weight.clamp(min=1e-9) / stride


def fate(source: Shot, target: Shot, flow: Tensor, visible: Tensor) -> Tensor:
    """Return (H, W) int64, index into ``REASONS``: seen in the source, or why not.

    Args:
        source, target: shots of one mesh.
        flow: (2, H, W) exact flow; visible: (H, W) bool that came with it.
    """
    height, width = visible.shape
    face = shoot([target], height, width).face[0]
    corners = target.faces[face.clamp(min=0)]
    x = torch.arange(width) + 0.5 + flow[0]
    y = torch.arange(height)[:, None] + 0.5 + flow[1]
    outside = (x < 0) | (x >= width) | (y < 0) | (y >= height)
    turned = facing(snap(source.screen((height, width)))[corners]) * facing(
        snap(target.screen((height, width)))[corners]
    )
    result = torch.full((height, width), REASONS.index("behind something"))
    result[turned <= 0] = REASONS.index("turned away")
    result[outside] = REASONS.index("outside the picture")
    result[visible] = REASONS.index("seen")
    result[face < 0] = REASONS.index("background")
    return result
