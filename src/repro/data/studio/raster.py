"""The rasteriser: which triangle each pixel centre sees, decided by exact integers and hence the same everywhere."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

SUBPIXEL = 256
"""Screen coordinates are rounded to this part of a pixel."""
NEAR = 1e-3
"""Triangles with a vertex nearer than this (metres) are dropped; cameras never enter a body."""

_LIMIT = 2.0**22  # in sub-pixels: keeps every product of two differences below 2**53, where float64 is exact
_DEPTH_STEPS = 2.0**18  # depth is compared in steps of 1 / 2**18 metres
_FACE_BITS = 24
_FACE_MASK = (1 << _FACE_BITS) - 1
_NOTHING = torch.iinfo(torch.int64).max
_BLOCK = 8192  # triangles at a time on a processor: what they cover stays in its cache


@dataclass(frozen=True)
class Fragments:
    """What the pixel centres of B images see.

    Attributes:
        face: (B, H, W) int64, index into that image's faces, -1 where nothing is seen.
        barycentric: (B, H, W, 3) float64, perspective-correct weights of the face's corners; 0 where nothing is seen.
        depth: (B, H, W) float64, distance along the camera's axis; inf where nothing is seen.
    """

    face: Tensor
    barycentric: Tensor
    depth: Tensor


def rasterize(
    screen: Tensor | Sequence[Tensor],
    faces: Tensor | Sequence[Tensor],
    height: int,
    width: int,
    *,
    two_sided: Tensor | Sequence[Tensor] | None = None,
    perspective: bool = True,
) -> Fragments:
    r"""Return which face every pixel centre sees, where on the face, and how far away.

    A centre p is covered where the three edge functions have the sign of the face's area,

    .. math:: e_i(p) = (v_{i+1} - p) \times (v_{i+2} - p), \qquad b_i = e_i / \sum_j e_j .

    Vertices lie on a 1/256 pixel grid, so all e are whole numbers that float64 holds exactly: coverage depends on
    neither device, threads nor batch. Of the faces that cover a centre the nearest wins, of equally near ones the
    first; the minimum of whole numbers does not depend on the order either.

    Convention: continuous coordinates, the centre of pixel (row i, column j) is at x = j + 0.5, y = i + 0.5; y points
    down. A face whose corners run counter-clockwise for the viewer is a front face.

    Args:
        screen: (B, V, 3) or a list of B tensors (V_b, 3), float64: x, y in pixels, z in metres.
        faces: (F, 3) int64 shared by all images, or a list of B tensors.
        height, width: of the images, in pixels.
        two_sided: (F,) bool or a list of those: back faces of the others are left out. None = keep all.
        perspective: interpolate with 1/z; False for orthographic cameras (shadow maps), where z may have any sign.
    """
    count, triangles = _door(screen, faces, two_sided, height, width, perspective)
    nearest = _nearest(triangles, count, height, width, perspective)
    pixel = (nearest != _NOTHING).nonzero().squeeze(1)
    face = torch.full_like(nearest, -1)
    barycentric = torch.zeros(len(nearest), 3, dtype=torch.float64, device=nearest.device)
    depth = torch.full((len(nearest),), torch.inf, dtype=torch.float64, device=nearest.device)

    # The triangle of a pixel's face: triangles are sorted by image, then by face.
    face[pixel] = nearest[pixel] & _FACE_MASK
    order = triangles.image << _FACE_BITS | triangles.face
    triangle = torch.searchsorted(order, (pixel // (height * width)) << _FACE_BITS | face[pixel])
    barycentric[pixel], depth[pixel] = _weights(triangles, triangle, pixel, height, width, perspective)
    shape = (count, height, width)
    return Fragments(face.view(shape), barycentric.view(*shape, 3), depth.view(shape))


def face_map(
    screen: Tensor | Sequence[Tensor],
    faces: Tensor | Sequence[Tensor],
    height: int,
    width: int,
    *,
    two_sided: Tensor | Sequence[Tensor] | None = None,
) -> Tensor:
    """Return only which face every pixel centre sees, (B, H, W) int64, -1 = none; arguments as :func:`rasterize`."""
    count, triangles = _door(screen, faces, two_sided, height, width, True)
    nearest = _nearest(triangles, count, height, width, True)
    face = (nearest & _FACE_MASK).masked_fill_(nearest == _NOTHING, -1)
    return face.view(count, height, width)


def interpolate(attribute: Tensor | Sequence[Tensor], faces: Tensor | Sequence[Tensor], fragments: Fragments) -> Tensor:
    r"""Return a vertex attribute at what each pixel sees, :math:`\sum_i b_i a_{f_i}`; 0 where nothing is seen.

    Args:
        attribute: (V, C), shared by all images, or (B, V, C) or a list of B tensors (V_b, C).
        faces: as given to :func:`rasterize`.
        fragments: its result for B images.

    Returns:
        (B, H, W, C), dtype of ``attribute``.
    """
    count, height, width = fragments.face.shape
    attributes: list[Tensor] = (
        [attribute] * count if isinstance(attribute, Tensor) and attribute.ndim == 2 else list(attribute)
    )
    face_lists = [faces] * count if isinstance(faces, Tensor) else list(faces)
    if not (count == len(attributes) == len(face_lists)):
        raise ValueError(f"expected {count} attributes and face lists, got {len(attributes)} and {len(face_lists)}")
    result = attributes[0].new_zeros(count, height * width, attributes[0].shape[1])
    for index in range(count):
        seen = (fragments.face[index].view(-1) >= 0).nonzero().squeeze(1)
        corners = face_lists[index][fragments.face[index].view(-1)[seen]]
        weights = fragments.barycentric[index].view(-1, 3)[seen].to(result.dtype)
        result[index, seen] = weighted_corners(attributes[index], corners, weights)
    return result.view(count, height, width, -1)


def weighted_corners(attribute: Tensor, corners: Tensor, weights: Tensor) -> Tensor:
    """Return (N, C): attribute (V, C) at corners (N, 3), weighted by (N, 3); summed in one fixed order."""
    total = _pick(attribute, corners[:, 0]) * weights[:, :1]
    total = total + _pick(attribute, corners[:, 1]) * weights[:, 1:2]
    return total + _pick(attribute, corners[:, 2]) * weights[:, 2:]


def snap(screen: Tensor) -> Tensor:
    """Return screen points with x and y in whole sub-pixels (1/256 pixel), z as it was."""
    xy = (screen[..., :2] * SUBPIXEL).round().clamp(-_LIMIT, _LIMIT)
    return torch.cat([xy, screen[..., 2:]], -1)


def facing(corners: Tensor) -> Tensor:
    """Return twice the signed area (...,) of triangles (..., 3, 2 or 3); positive = the viewer sees the front."""
    first, second = corners[..., 1, :2] - corners[..., 0, :2], corners[..., 2, :2] - corners[..., 0, :2]
    return first[..., 1] * second[..., 0] - first[..., 0] * second[..., 1]


@dataclass(frozen=True)
class _Triangles:
    """The N triangles whose box holds a pixel centre; corners in the order that makes every area positive.

    x, y (sub-pixels) and z are (3, N); area (N,) is twice the area; box (4, N) first and last column, first and last
    row; image and face (N,) tell where they come from: sorted by image, then by face.
    """

    x: Tensor
    y: Tensor
    z: Tensor
    area: Tensor
    box: Tensor
    image: Tensor
    face: Tensor

    def blocks(self) -> "list[_Triangles]":
        size = _BLOCK if self.x.device.type == "cpu" else max(1, self.x.shape[1])
        lines = (line.split(size, -1) for line in (self.x, self.y, self.z, self.area, self.box, self.image, self.face))
        return [_Triangles(*block) for block in zip(*lines)]


def _door(
    screen: Tensor | Sequence[Tensor],
    faces: Tensor | Sequence[Tensor],
    two_sided: Tensor | Sequence[Tensor] | None,
    height: int,
    width: int,
    perspective: bool,
) -> tuple[int, _Triangles]:
    """Check the arguments of the public functions and return the number of images and the triangles of all."""
    screens = list(screen)
    count = len(screens)
    face_lists = [faces] * count if isinstance(faces, Tensor) else list(faces)
    side_lists: list[Tensor | None] = (
        [two_sided] * count if two_sided is None or isinstance(two_sided, Tensor) else list(two_sided)
    )
    if not (count == len(face_lists) == len(side_lists)) or count == 0:
        raise ValueError(f"expected faces for each of {count} images, got {len(face_lists)} and {len(side_lists)}")
    for points in screens:
        if points.ndim != 2 or points.shape[1] != 3 or points.dtype != torch.float64:
            raise ValueError(f"expected screen points (V, 3) in float64, got {tuple(points.shape)} in {points.dtype}")
    if max(len(list_) for list_ in face_lists) >= 1 << _FACE_BITS:
        raise ValueError(f"expected fewer than 2**{_FACE_BITS} faces in an image: split the mesh")
    return count, _triangles(screens, face_lists, side_lists, height, width, perspective)


def _triangles(
    screens: list[Tensor],
    face_lists: list[Tensor],
    side_lists: list[Tensor | None],
    height: int,
    width: int,
    perspective: bool,
) -> _Triangles:
    device = screens[0].device
    points = snap(torch.cat(screens)).t().contiguous()
    starts = [0]
    for screen in screens:
        starts.append(starts[-1] + len(screen))
    corners = torch.cat([faces.t() + start for faces, start in zip(face_lists, starts)], 1)
    face = torch.cat([torch.arange(len(faces), device=device) for faces in face_lists])
    image = torch.cat([torch.full((len(faces),), index, device=device) for index, faces in enumerate(face_lists)])
    two_sided = torch.cat(
        [
            torch.ones(len(faces), dtype=torch.bool, device=device) if sides is None else sides
            for faces, sides in zip(face_lists, side_lists)
        ]
    )
    x, y, z = (line.index_select(0, corners.reshape(-1)).view(3, -1) for line in points)
    area = (y[1] - y[0]) * (x[2] - x[0]) - (x[1] - x[0]) * (y[2] - y[0])

    # First and last centres within the triangle's box: dividing by 256 is exact.
    half, pixel = SUBPIXEL // 2, 1 / SUBPIXEL
    box = torch.stack([
        ((x.amin(0) - half) * pixel).ceil().clamp_min(0), ((x.amax(0) - half) * pixel).floor().clamp_max(width - 1),
        ((y.amin(0) - half) * pixel).ceil().clamp_min(0), ((y.amax(0) - half) * pixel).floor().clamp_max(height - 1),
    ])  # fmt: skip
    keep = ((area > 0) | (two_sided & (area < 0))) & (box[0] <= box[1]) & (box[2] <= box[3])
    if perspective:
        keep &= z.amin(0) > NEAR
    kept = keep.nonzero().squeeze(1)
    x, y, z, box = (torch.stack([_pick(row, kept) for row in line]) for line in (x, y, z, box))
    return _Triangles(x, y, z, _pick(area, kept), box, _pick(image, kept), _pick(face, kept))


def _cover(triangles: _Triangles) -> tuple[Tensor, Tensor, Tensor, list[Tensor]]:
    """One entry per triangle and pixel centre that it covers: triangle, column, row, and two edge functions.

    Row by row: on a row every edge function is A j + K in the column j, so the covered columns are the whole numbers
    between quotients. Quotients of whole numbers below 2**45 by ones below 2**32 are never rounded across a whole
    number in float64: the spans are exact. The third edge function is the area less the other two.
    """
    x, y, sign = triangles.x, triangles.y, triangles.area.sign()
    first_column, last_column, first_row, last_row = triangles.box
    triangle, within = _expand((last_row - first_row + 1).to(torch.int64))
    row = _pick(first_row, triangle) + within
    low, high = _pick(first_column, triangle), _pick(last_column, triangle)
    lines = []
    for start, end in ((1, 2), (2, 0), (0, 1)):
        # e(p) = (y_end - y_start)(p_x - x_start) - (x_end - x_start)(p_y - y_start), positive inside
        rise, run = (y[end] - y[start]) * sign, (x[end] - x[start]) * sign
        at_origin = rise * (SUBPIXEL // 2 - x[start]) - run * (SUBPIXEL // 2 - y[start])
        slope = _pick(rise * SUBPIXEL, triangle)
        constant = _pick(at_origin, triangle) - _pick(run * SUBPIXEL, triangle) * row
        crossing = -constant / slope
        low = torch.where(slope > 0, torch.maximum(low, crossing.ceil()), low)
        high = torch.where(slope < 0, torch.minimum(high, crossing.floor()), high)
        high = high.masked_fill((slope == 0) & (constant < 0), -1)
        lines.append((slope, constant))
    span, within = _expand((high - low + 1).clamp_min(0).to(torch.int64))
    column = _pick(low, span) + within
    edges = [_pick(slope, span) * column + _pick(constant, span) for slope, constant in lines[:2]]
    return _pick(triangle, span), column.to(torch.int64), _pick(row.to(torch.int64), span), edges


def _nearest(triangles: _Triangles, count: int, height: int, width: int, perspective: bool) -> Tensor:
    """The smallest key at every pixel (count * height * width,): depth first, then face, as one whole number."""
    nearest = torch.full((count * height * width,), _NOTHING, dtype=torch.int64, device=triangles.x.device)
    for block in triangles.blocks():
        triangle, column, row, edges = _cover(block)
        # Affine on the screen is 1/z, not z, unless the camera is orthographic: sum_i e_i w_i, with e_2 from the area.
        w0, w1, w2 = 1 / block.z if perspective else block.z
        area = block.area.abs()
        value = edges[0] * _pick(w0 - w2, triangle) + edges[1] * _pick(w1 - w2, triangle) + _pick(w2 * area, triangle)
        depth = _pick(area, triangle) / value if perspective else value / _pick(area, triangle)
        key = (depth * _DEPTH_STEPS).round().to(torch.int64) * (1 << _FACE_BITS) + _pick(block.face, triangle)
        line = _pick(block.image, triangle) * height + row
        nearest.scatter_reduce_(0, line * width + column, key, "amin")
    return nearest


def _weights(
    triangles: _Triangles, triangle: Tensor, pixel: Tensor, height: int, width: int, perspective: bool
) -> tuple[Tensor, Tensor]:
    """Corner weights (M, 3) of triangles at the centres of the pixels that see them, and the depth there (M,)."""
    within = pixel % (height * width)
    row = within // width
    px = ((within - row * width) * SUBPIXEL + SUBPIXEL // 2).to(torch.float64)
    py = (row * SUBPIXEL + SUBPIXEL // 2).to(torch.float64)
    x, y, z = triangles.x[:, triangle] - px, triangles.y[:, triangle] - py, triangles.z[:, triangle]
    edges = [x[end] * y[start] - x[start] * y[end] for start, end in ((1, 2), (2, 0), (0, 1))]
    parts = [edge / z[corner] for corner, edge in enumerate(edges)] if perspective else edges
    total = parts[0] + parts[1] + parts[2]
    weights = [part / total for part in parts]
    depth = weights[0] * z[0] + weights[1] * z[1] + weights[2] * z[2]
    return torch.stack(weights, 1), depth


def _expand(counts: Tensor) -> tuple[Tensor, Tensor]:
    """For counts (N,): the number n repeated counts[n] times, and 0, 1, ... within each run; (sum of counts,) each."""
    number = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)
    within = torch.arange(len(number), device=counts.device) - _pick(counts.cumsum(0) - counts, number)
    return number, within


def _pick(values: Tensor, index: Tensor) -> Tensor:
    """values[index] for (N, ...) and (M,); four times as fast on a processor."""
    return values.index_select(0, index)
