"""Exact flow from a target picture to a source picture of the same surface, and what of it the source shows."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from repro.data.studio.raster import NEAR, SUBPIXEL, Fragments, face_map, facing, snap, weighted_corners
from repro.data.studio.shot import Shot, shoot

OVERSAMPLING = 2
"""The source's depth buffer is this much finer than the image: a coarser one hides much of what is visible."""
TOLERANCE = 0.006
"""Metres: a point this little behind the surface that the source sees counts as seen."""
STRETCH = 4.0
"""Surface that is this many times larger in the target than in the source is stretched, not seen."""


@dataclass(frozen=True)
class SourceBuffer:
    """What a source sees at twice its image's resolution: made once, used for all its targets and sizes.

    Entry (i, j) looks through the image's point x = (j + 1) / 2, y = (i + 1) / 2: the centres of the image's pixels,
    and of the cells of its feature maps, are among them, so that no pixel hides from itself at a silhouette.

    Attributes:
        shot: the source.
        face: (2H, 2W) int64, -1 = background.
        screen: (V, 3) float64: x, y in sub-pixels of that buffer, z in metres.
    """

    shot: Shot
    face: Tensor
    screen: Tensor


def source_buffer(shot: Shot) -> SourceBuffer:
    """Return the buffer of one source shot."""
    return source_buffers([shot])[0]


def source_buffers(shots: Sequence[Shot], device: torch.device | str = "cpu") -> list[SourceBuffer]:
    """Return the buffers of several shots of one size, rasterised together on a device, where they stay."""
    height, width = (OVERSAMPLING * size for size in _common_size(shots))
    shift = torch.tensor([0.5, 0.5, 0.0], dtype=torch.float64)
    screens = [(shot.screen((height, width)) - shift).to(device) for shot in shots]
    faces, two_sided = [shot.faces.to(device) for shot in shots], [shot.two_sided.to(device) for shot in shots]
    seen = face_map(screens, faces, height, width, two_sided=two_sided)
    return [SourceBuffer(shot, face, snap(screen)) for shot, face, screen in zip(shots, seen, screens)]


def correspondence(
    source: SourceBuffer | Shot, target: Shot, height: int, width: int, seen: Fragments | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    r"""Return where each target pixel's surface point lies in the source, and whether the source shows it.

    A target pixel sees face f at barycentrics b; the same material point in the source is

    .. math:: P_s = \sum_i b_i V^s_{f_i}, \qquad w = (x_s, y_s) - (x_t, y_t) .

    It is visible iff (a) it lies inside the source image, (b) the source pixel there shows face q, and q = f or
    :math:`z_s < z_q + 6` mm with :math:`z_q` the depth of the plane of q at exactly that point, (c) f turns the same
    side to both cameras, and (d) its area grows less than fourfold from source to target.

    Convention: flow is target -> source, channel 0 = x, 1 = y, in pixels of the (height, width) map, evaluated at the
    centres of its cells, never averaged.

    Args:
        source: the buffer of the source, or its shot.
        target: a shot of the same mesh.
        height, width: of the map: the image's size, or that of a feature map of the same shape.
        seen: what the target sees at this size, if rasterised already (by :func:`shoot`, one shot).

    Returns:
        flow (2, height, width) float32, 0 off the person; visible and person, (height, width) bool.
    """
    buffer = source if isinstance(source, SourceBuffer) else source_buffer(source)
    flow, visible, person = correspondences([buffer], [target], height, width, seen)
    return flow[0], visible[0], person[0]


def correspondences(
    sources: Sequence[SourceBuffer], targets: Sequence[Shot], height: int, width: int, seen: Fragments | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return flow (B, 2, height, width), visible and person (B, height, width) of B pairs (see `correspondence`).

    Obstacles hide in both shots: their pixels are not the person's, and what they hide in the source is not visible.
    The work is done, and its result stays, where the buffers are; every device gives the same visibility.
    """
    if len(sources) != len(targets) or not sources:
        raise ValueError(f"expected as many sources as targets, got {len(sources)} and {len(targets)}")
    _common_size([buffer.shot for buffer in sources])
    device = sources[0].face.device
    if seen is None:
        seen = shoot(targets, height, width, device)
    if seen.face.shape != (len(targets), height, width):
        raise ValueError(f"expected what {len(targets)} targets see at {(height, width)}, got {tuple(seen.face.shape)}")
    flow = torch.zeros(len(targets), height * width, 2, dtype=torch.float64, device=device)
    visible = torch.zeros(len(targets), height * width, dtype=torch.bool, device=device)
    person = torch.zeros(len(targets), height, width, dtype=torch.bool, device=device)
    for index, (buffer, target) in enumerate(zip(sources, targets)):
        if target.mesh is not buffer.shot.mesh and target.own_faces != buffer.shot.own_faces:
            raise ValueError("expected source and target shots of one mesh: flow exists only on a common surface")
        face = seen.face[index].view(-1)
        person[index] = (seen.face[index] >= 0) & (seen.face[index] < target.own_faces)
        pixel = person[index].view(-1).nonzero().squeeze(1)
        flow[index, pixel], visible[index, pixel] = _match(
            buffer, target, height, width, pixel, face[pixel], seen.barycentric[index].view(-1, 3)[pixel]
        )
    flow = flow.view(-1, height, width, 2).movedim(-1, 1).to(torch.float32)
    return flow.contiguous(), visible.view(-1, height, width), person


def _match(
    buffer: SourceBuffer, target: Shot, height: int, width: int, pixel: Tensor, face: Tensor, barycentric: Tensor
) -> tuple[Tensor, Tensor]:
    """Flow (N, 2) and visibility (N,) of the target pixels that see a face."""
    shot, device = buffer.shot, buffer.face.device
    faces = shot.faces.to(device)
    corners = faces[face]
    point = weighted_corners(torch.from_numpy(shot.vertices).to(device), corners, barycentric)
    # On the host: its projection is the one that every device must agree with.
    projected = torch.from_numpy(shot.camera.project(point.cpu().numpy(), (height, width))).to(device)
    x, y, z = projected.unbind(1)
    row = pixel // width
    flow = torch.stack([x - (pixel - row * width + 0.5), y - (row + 0.5)], 1)

    # (a) inside the source image, in front of its camera
    visible = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (z > NEAR)

    # (b) the surface that the source sees there: the plane of the face of the nearest entry, at exactly this point
    buffer_height, buffer_width = buffer.face.shape
    bx, by = x * (buffer_width / width) - 0.5, y * (buffer_height / height) - 0.5
    column = bx.floor().clamp(0, buffer_width - 1).to(torch.int64)
    line = by.floor().clamp(0, buffer_height - 1).to(torch.int64)
    front = buffer.face[line, column]
    visible &= (front >= 0) & (front < shot.own_faces)  # not past the outline, not on an obstacle
    plane = _plane_depth(buffer.screen[faces[front.clamp_min(0)]], bx * SUBPIXEL, by * SUBPIXEL)
    visible &= (front == face) | (z < plane + TOLERANCE)

    # (c) the same side of the face in both, (d) not stretched
    own = buffer.screen[corners]
    there = snap(target.screen((height, width)).to(device))[corners]
    visible &= facing(own) * facing(there) > 0
    visible &= _area(target, corners) < STRETCH * _area(shot, corners)
    return flow, visible


def _plane_depth(corners: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Depth (N,) of the planes of triangles (N, 3, 3) at screen points: 1/z is affine; weights clamped to [-1, 2]."""
    px, py = corners[..., 0] - x[:, None], corners[..., 1] - y[:, None]
    e0 = px[:, 1] * py[:, 2] - py[:, 1] * px[:, 2]
    e1 = px[:, 2] * py[:, 0] - py[:, 2] * px[:, 0]
    e2 = px[:, 0] * py[:, 1] - py[:, 0] * px[:, 1]
    total = e0 + e1 + e2
    b0, b1 = (e0 / total).clamp(-1, 2), (e1 / total).clamp(-1, 2)
    b2 = (1 - b0 - b1).clamp(-1, 2)
    return 1 / (b0 / corners[:, 0, 2] + b1 / corners[:, 1, 2] + b2 / corners[:, 2, 2])


def _area(shot: Shot, corners: Tensor) -> Tensor:
    """Areas (N,) of posed triangles, square metres (times two)."""
    vertices = torch.from_numpy(shot.vertices).to(corners.device)
    a, b, c = (vertices.index_select(0, corners[:, k]) for k in range(3))
    u, v = b - a, c - a
    cx = u[:, 1] * v[:, 2] - u[:, 2] * v[:, 1]
    cy = u[:, 2] * v[:, 0] - u[:, 0] * v[:, 2]
    cz = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
    return (cx * cx + cy * cy + cz * cz).sqrt()


def _common_size(shots: Sequence[Shot]) -> tuple[int, int]:
    sizes = {shot.size for shot in shots}
    if len(sizes) != 1:
        raise ValueError(f"expected shots of one size, got {sorted(sizes)}")
    return sizes.pop()
