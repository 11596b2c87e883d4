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

    corners, image, face = _candidate_faces(screens, face_lists, side_lists, height, width, perspective)
    fragment, pixel_x, pixel_y = _fragments(corners, height, width)
    edges = _edge_functions(corners, fragment, pixel_x, pixel_y)
    covered = ((edges[0] >= 0) & (edges[1] >= 0) & (edges[2] >= 0)).nonzero().squeeze(1)
    fragment, pixel_x, pixel_y = fragment[covered], pixel_x[covered], pixel_y[covered]
    barycentric, depth = _weights([edge[covered] for edge in edges], corners[fragment, :, 2], perspective)

    # One whole number per fragment, depth first, then face: the smallest at each pixel wins.
    key = (depth * _DEPTH_STEPS).round().to(torch.int64) * (1 << _FACE_BITS) + face[fragment]
    pixel = (image[fragment] * height + pixel_y) * width + pixel_x
    nothing = torch.iinfo(torch.int64).max
    nearest = torch.full((count * height * width,), nothing, dtype=torch.int64, device=device)
    nearest.scatter_reduce_(0, pixel, key, "amin")
    winner = (key == nearest[pixel]).nonzero().squeeze(1)

    result_face = torch.full((count * height * width,), -1, dtype=torch.int64, device=device)
    result_barycentric = torch.zeros(count * height * width, 3, dtype=torch.float64, device=device)
    result_depth = torch.full((count * height * width,), torch.inf, dtype=torch.float64, device=device)
    place = pixel[winner]
    result_face[place] = face[fragment[winner]]
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


def _candidate_faces(
    screens: list[Tensor],
    face_lists: list[Tensor],
    side_lists: list[Tensor | None],
    height: int,
    width: int,
    perspective: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Corners (N, 3, 3), image (N,) and face number (N,) of the faces whose box holds a pixel centre.

    Back faces come out with their corners in reverse order: here all areas are positive.
    """
    corners, images, numbers = [], [], []
    for index, (points, faces, two_sided) in enumerate(zip(screens, face_lists, side_lists)):
        own = snap(points)[faces]
        area = facing(own)
        keep = area != 0 if two_sided is None else (area > 0) | (two_sided & (area < 0))
        if perspective:
            keep &= own[..., 2].amin(1) > NEAR
        low, high = _pixel_box(own, height, width)
        keep &= (low <= high).all(1)
        number = keep.nonzero().squeeze(1)
        corners.append(own[number])
        images.append(torch.full_like(number, index))
        numbers.append(number)
    return torch.cat(corners), torch.cat(images), torch.cat(numbers)


def _pixel_box(corners: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """First and last column and row, each (N, 2) int64, whose centres lie in the triangles' boxes and in the image."""
    half = SUBPIXEL // 2
    last = torch.tensor([width - 1.0, height - 1.0], dtype=corners.dtype, device=corners.device)
    low = ((corners[..., :2].amin(1) - half) / SUBPIXEL).ceil().clamp_min(0)
    high = torch.minimum(((corners[..., :2].amax(1) - half) / SUBPIXEL).floor(), last)
    return low.to(torch.int64), high.to(torch.int64)


def _fragments(corners: Tensor, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """One entry per triangle and pixel of its box: triangle, column and row, each (M,) int64."""
    low, high = _pixel_box(corners, height, width)
    size = high - low + 1
    pixels = size[:, 0] * size[:, 1]
    triangle = torch.repeat_interleave(torch.arange(len(pixels), device=corners.device), pixels)
    within = torch.arange(len(triangle), device=corners.device) - (pixels.cumsum(0) - pixels)[triangle]
    columns = size[:, 0][triangle]
    row = within // columns
    return triangle, low[:, 0][triangle] + within - row * columns, low[:, 1][triangle] + row


def _edge_functions(corners: Tensor, triangle: Tensor, x: Tensor, y: Tensor) -> list[Tensor]:
    """The three edge functions (M,) at the pixel centres, positive inside whichever way the triangle faces."""
    sign = facing(corners).sign()
    half = SUBPIXEL // 2
    px = x.to(torch.float64) * SUBPIXEL + half
    py = y.to(torch.float64) * SUBPIXEL + half
    edges = []
    for start, end in ((1, 2), (2, 0), (0, 1)):
        # e(p) = a p_x + b p_y + c: the coefficients are made per triangle, three products instead of six per pixel.
        a = (corners[:, end, 1] - corners[:, start, 1]) * sign
        b = (corners[:, start, 0] - corners[:, end, 0]) * sign
        c = -(a * corners[:, start, 0] + b * corners[:, start, 1])
        edges.append(a[triangle] * px + b[triangle] * py + c[triangle])
    return edges


def _weights(edges: list[Tensor], z: Tensor, perspective: bool) -> tuple[list[Tensor], Tensor]:
    """Corner weights (three of (M,)) and depth (M,): affine on the screen is 1/z, not z, unless orthographic."""
    if not perspective:
        total = edges[0] + edges[1] + edges[2]
        weights = [edge / total for edge in edges]
        return weights, weights[0] * z[:, 0] + weights[1] * z[:, 1] + weights[2] * z[:, 2]
    over_z = [edge / z[:, corner] for corner, edge in enumerate(edges)]
    total = over_z[0] + over_z[1] + over_z[2]
    return [weight / total for weight in over_z], (edges[0] + edges[1] + edges[2]) / total
