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
    device = screens[0].device

    triangles = _triangles(screens, face_lists, side_lists, height, width, perspective)
    triangle, pixel_x, pixel_y, edges = _cover(triangles)
    barycentric, depth = _weights(edges, triangles.z[:, triangle], perspective)
    face, image = triangles.face[triangle], triangles.image[triangle]

    # One whole number per fragment, depth first, then face: the smallest at each pixel wins.
    key = (depth * _DEPTH_STEPS).round().to(torch.int64) * (1 << _FACE_BITS) + face
    pixel = (image * height + pixel_y) * width + pixel_x
    nothing = torch.iinfo(torch.int64).max
    nearest = torch.full((count * height * width,), nothing, dtype=torch.int64, device=device)
    nearest.scatter_reduce_(0, pixel, key, "amin")
    winner = (key == nearest[pixel]).nonzero().squeeze(1)

    result_face = torch.full((count * height * width,), -1, dtype=torch.int64, device=device)
    result_barycentric = torch.zeros(count * height * width, 3, dtype=torch.float64, device=device)
    result_depth = torch.full((count * height * width,), torch.inf, dtype=torch.float64, device=device)
    place = pixel[winner]
    result_face[place] = face[winner]
    result_barycentric[place] = torch.stack([weight[winner] for weight in barycentric], 1)
    result_depth[place] = depth[winner]
    shape = (count, height, width)
    return Fragments(result_face.view(shape), result_barycentric.view(*shape, 3), result_depth.view(shape))


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
    total = attribute[corners[:, 0]] * weights[:, :1]
    total = total + attribute[corners[:, 1]] * weights[:, 1:2]
    return total + attribute[corners[:, 2]] * weights[:, 2:]


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
    row; image and face (N,) tell where they come from.
    """

    x: Tensor
    y: Tensor
    z: Tensor
    area: Tensor
    box: Tensor
    image: Tensor
    face: Tensor


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
    x, y, z, area, box = (line[..., kept] for line in (x, y, z, area, box))
    return _Triangles(x, y, z, area, box, image[kept], face[kept])


def _cover(triangles: _Triangles) -> tuple[Tensor, Tensor, Tensor, list[Tensor]]:
    """One entry per triangle and pixel centre that it covers: triangle, column, row, and the three edge functions.

    Row by row: on a row every edge function is A j + K in the column j, so the covered columns are the whole numbers
    between quotients. Quotients of whole numbers below 2**45 by ones below 2**32 are never rounded across a whole
    number in float64: the spans are exact.
    """
    x, y, area = triangles.x, triangles.y, triangles.area
    sign = area.sign()
    first_column, last_column, first_row, last_row = triangles.box
    triangle, within = _expand((last_row - first_row + 1).to(torch.int64))
    row = first_row[triangle] + within
    centre_y = row * SUBPIXEL + SUBPIXEL // 2
    low, high = first_column[triangle], last_column[triangle]
    lines = []
    for start, end in ((1, 2), (2, 0), (0, 1)):
        # e(p) = (y_end - y_start)(p_x - x_start) - (x_end - x_start)(p_y - y_start), positive inside
        rise, run = (y[end] - y[start]) * sign, (x[end] - x[start]) * sign
        slope = (rise * SUBPIXEL)[triangle]
        constant = (rise * (SUBPIXEL // 2 - x[start]) + run * y[start])[triangle] - run[triangle] * centre_y
        crossing = -constant / slope
        low = torch.where(slope > 0, torch.maximum(low, crossing.ceil()), low)
        high = torch.where(slope < 0, torch.minimum(high, crossing.floor()), high)
        high = torch.where((slope == 0) & (constant < 0), -1.0, high)
        lines.append((slope, constant))
    span, within = _expand((high - low + 1).clamp_min(0).to(torch.int64))
    column = low[span] + within
    edges = [slope[span] * column + constant[span] for slope, constant in lines[:2]]
    triangle = triangle[span]
    edges.append(area.abs()[triangle] - edges[0] - edges[1])
    return triangle, column.to(torch.int64), row[span].to(torch.int64), edges


def _expand(counts: Tensor) -> tuple[Tensor, Tensor]:
    """For counts (N,): the number n repeated counts[n] times, and 0, 1, ... within each run; (sum of counts,) each."""
    number = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)
    within = torch.arange(len(number), device=counts.device) - (counts.cumsum(0) - counts)[number]
    return number, within


def _weights(edges: list[Tensor], z: Tensor, perspective: bool) -> tuple[list[Tensor], Tensor]:
    """Corner weights, three of (M,), and depth (M,) from z (3, M): affine on the screen is 1/z, unless orthographic."""
    if not perspective:
        total = edges[0] + edges[1] + edges[2]
        weights = [edge / total for edge in edges]
        return weights, weights[0] * z[0] + weights[1] * z[1] + weights[2] * z[2]
    over_z = [edge / z[corner] for corner, edge in enumerate(edges)]
    total = over_z[0] + over_z[1] + over_z[2]
    return [weight / total for weight in over_z], (edges[0] + edges[1] + edges[2]) / total
