"""Periodic cloth tiles: twelve families of textile patterns, each a function of a generator and a palette.

A tile is a square RGBA picture that repeats without a seam. All families are written on the torus [0, 1)^2 with integer
frequencies, so that periodicity holds by construction. Alpha below one means lace: the skin shows through.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from repro.data.studio.palette import GarmentPalette

Array = NDArray[np.floating]

# Photographs in the scikit-image wheel with a free licence; read at run time, never copied into the project.
PHOTOGRAPHS = ("coffee.png", "chelsea.png", "rocket.jpg", "retina.jpg")


@dataclass(frozen=True)
class Tile:
    """A periodic picture, (S, S, 4) float32 in [0, 1], that covers ``metres`` x ``metres`` of cloth."""

    picture: Array
    metres: float


def make_tile(family: str, rng: Generator, palette: GarmentPalette, size: int = 256) -> Tile:
    """Return one tile of a family.

    Args:
        family: one of ``FAMILIES``.
        rng: decides layout and scale.
        palette: decides the colours.
        size: side in pixels.

    Raises:
        ValueError: unknown family, or a size that no mip chain can halve down to one pixel.
    """
    if family not in FAMILIES:
        raise ValueError(f"unknown texture family {family!r}: choose one of {', '.join(FAMILIES)}")
    if size < 32 or size & (size - 1):
        raise ValueError(f"expected a tile size that is a power of two, 32 or more, got {size}")
    colour, metres = FAMILIES[family](rng, palette, size)
    picture = np.ones((size, size, 4), np.float32)
    picture[..., : colour.shape[-1]] = colour
    picture[..., :3] *= 1 + 0.035 * _noise(rng, size, 1.0)[..., None]
    return Tile(np.clip(picture, 0, 1, out=picture), metres)


def noise_tile(seed: int, size: int, exponent: float) -> Array:
    """Return periodic noise (size, size) with power spectrum 1/f^exponent, mean 0, deviation 1."""
    spectrum = np.fft.rfft2(np.random.default_rng(seed).standard_normal((size, size)))
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]) * size
    frequency[0, 0] = np.inf
    field = np.fft.irfft2(spectrum * frequency ** (-exponent / 2), s=(size, size))
    return (field / field.std()).astype(np.float32)


@lru_cache(maxsize=32)
def _noise_bank(seed: int, size: int, exponent: float) -> Array:
    """One shared noise field: transforms cost more than the rest of a tile, so tiles take shifted copies of a few."""
    field = noise_tile(seed, size, exponent)
    field.setflags(write=False)
    return field


def _noise(rng: Generator, size: int, exponent: float) -> Array:
    field = _noise_bank(int(rng.integers(3)), size, exponent)
    return np.roll(field, tuple(rng.integers(size, size=2)), (0, 1))


def _grid(size: int) -> tuple[Array, Array]:
    """Return u (across) and v (down) at the pixel centres, broadcastable, in [0, 1)."""
    line = ((np.arange(size) + 0.5) / size).astype(np.float32)
    return line[None, :], line[:, None]


def _mix(weight: Array, a: Array, b: Array) -> Array:
    """Return a where the weight is 0 and b where it is 1."""
    return a + weight[..., None] * (b - a)


def _step(distance: Array, softness: float) -> Array:
    """Return 0 below and 1 above distance 0, with a linear edge of width ``softness`` against jagged borders."""
    return np.clip(distance / softness + 0.5, 0, 1)


def _bands(phase: Array, edges: NDArray[np.float64], colours: Array, softness: float) -> Array:
    """Return the colour of each phase in [0, 1) for bands that start at ``edges`` (first 0); softened, periodic."""
    result = np.broadcast_to(colours[0], (*phase.shape, 3))
    for start, colour in zip(edges[1:], colours[1:]):
        result = _mix(_step(phase - start, softness), result, colour)
    # The last band runs into the first one around phase 0.
    return _mix(_step(phase - 1 + softness / 2, softness), result, colours[0])


def _triangle(phase: Array) -> Array:
    """Return the periodic triangle wave, -1 at integers, 1 half-way."""
    return 1 - 4 * np.abs(phase % 1 - 0.5)


def plain(rng: Generator, palette: GarmentPalette, size: int) -> tuple[Array, float]:
    """Plain weave: one colour, fine threads, faint blotches."""
    u, v = _grid(size)
    threads = np.sin(2 * np.pi * 64 * u) * np.sin(2 * np.pi * 64 * v)
    light = 1 + 0.04 * threads + 0.03 * _noise(rng, size, 3.0)
    return palette.ground * light[..., None], 0.4


def stripes(rng: Generator, palette: GarmentPalette, size: int) -> tuple[Array, float]:
    """Stripes in two to four colours: across, along, or diagonal."""
    u, v = _grid(size)
    count = int(rng.integers(3, 8))
    across, down = [(0, 1), (0, 1), (1, 0), (1, 1), (1, -1)][int(rng.integers(5))]
    if across and down:
        count = max(2, count // 2)
    metres = count * rng.uniform(0.075, 0.125) * (1 if across * down == 0 else 1.4)
    phase = (count * (across * u + down * v)) % 1
    phase = np.broadcast_to(phase, (size, size))
    colours = palette.colours[: 2 + int(rng.integers(3))]
    share = rng.uniform(0.35, 0.6)
    rest = rng.uniform(0.5, 1.5, len(colours) - 1)
    edges = np.concatenate([[0], share + (1 - share) * np.concatenate([[0], np.cumsum(rest / rest.sum())[:-1]])])
    return _bands(phase, edges, colours, 1.5 * count / size), float(np.clip(metres, 0.3, 0.7))


def plaid(rng: Generator, palette: GarmentPalette, size: int) -> tuple[Array, float]:
    """Plaid: the same sett of coloured threads in warp and weft, woven as a twill."""
    u, v = _grid(size)
    count = int(rng.integers(2, 5))
    wide, thin = rng.uniform(0.35, 0.5), rng.uniform(0.06, 0.12)
    edges = np.array([0, wide, wide + thin, 0.5 + wide / 2, 0.5 + wide / 2 + thin, 1 - thin])
    figure, accent = palette.figure, palette.accent
    sett = np.stack([palette.ground, accent, figure, palette.ground * 0.3 + figure * 0.7, figure, accent])
    line = _bands((count * u[0]) % 1, edges, sett, 1.5 * count / size)
    twill = _step(_triangle((u + v) * (size // 8)), 1.0)
    return _mix(twill, line[None, :], line[:, None]), count * float(rng.uniform(0.15, 0.2))


def dots(rng: Generator, palette: GarmentPalette, size: int) -> tuple[Array, float]:
    """Dots on a staggered grid, in one or two colours, sometimes as rings."""
    u, v = _grid(size)
    rows = 2 * int(rng.integers(1, 4))
    x, y = u * rows, v * rows
    row = np.floor(y)
    x = x + 0.5 * (row % 2)
    column = np.floor(x)
    distance = np.hypot(x - column - 0.5, y - row - 0.5)
    radius, softness = rng.uniform(0.27, 0.38), 1.5 * rows / size
    inside = _step(radius - distance, softness)
    if rng.random() < 0.25:
        inside = inside * _step(distance - 0.5 * radius, softness)
    odd = ((column + row) % 2) * (rng.random() < 0.4)
    colour = _mix(odd.astype(np.float32), palette.figure, palette.accent)
    ground = np.broadcast_to(palette.ground, (size, size, 3))
    return ground + inside[..., None] * (colour - ground), rows * float(rng.uniform(0.095, 0.14))


def _scatter(rng: Generator, count: int, clearance: float) -> NDArray[np.float64]:
    """Return up to ``count`` points on the torus that keep a distance of ``clearance`` (dart throwing)."""
    points = np.empty((0, 2))
    for candidate in rng.random((count * 12, 2)):
        gap = np.abs(points - candidate)
        gap = np.minimum(gap, 1 - gap)
        if len(points) == 0 or np.hypot(*gap.T).min() > clearance:
            points = np.vstack([points, candidate])
        if len(points) == count:
            break
    return points


def _window(size: int, centre: NDArray[np.float64], radius: float) -> tuple[NDArray, NDArray, Array, Array]:
    """Return the wrapped rows and columns around a point, and the distance and angle of their pixels to it."""
    reach = int(np.ceil(radius * size)) + 1
    steps = np.arange(-reach, reach + 1)
    column, row = (np.floor(centre * size)).astype(int)
    dx = (column + steps + 0.5) / size - centre[0]
    dy = (row + steps + 0.5) / size - centre[1]
    distance = np.hypot(dx[None, :], dy[:, None]).astype(np.float32)
    angle = np.arctan2(dy[:, None], dx[None, :]).astype(np.float32)
    return (row + steps) % size, (column + steps) % size, distance, angle


def flowers(rng: Generator, palette: GarmentPalette, size: int) -> tuple[Array, float]:
    """Scattered flowers (polar roses with an eye) with leaves behind them."""
    count = int(rng.integers(5, 12))
    radius = rng.uniform(0.40, 0.50) / np.sqrt(count)
    points = _scatter(rng, 2 * count, 1.5 * radius)
    cloth = np.tile(palette.ground, (size, size, 1)).astype(np.float32)
    softness = 1.5 / size
    petals = int(rng.integers(4, 8))
    for point in points:
        scale, turn = radius * rng.uniform(0.8, 1.12), rng.uniform(0, 2 * np.pi)
        rows, columns, distance, angle = _window(size, point, 1.35 * scale)
        patch = cloth[np.ix_(rows, columns)]
        leaf = 1.25 * scale * np.abs(np.cos(1.5 * (angle - turn))) ** 3
        patch = _mix(_step(leaf - distance, softness), patch, palette.second_accent * 0.8)
        bloom = scale * (0.62 + 0.33 * np.cos(petals * (angle + turn)))
        colour = palette.figure if rng.random() < 0.65 else palette.accent
        shade = np.clip(0.82 + 0.25 * distance / scale, 0, 1)[..., None]
        inside = _step(bloom - distance, softness)[..., None]
        patch = patch + inside * (colour * shade - patch)
        eye = palette.accent if colour is palette.figure else palette.figure
        cloth[np.ix_(rows, columns)] = _mix(_step(0.24 * scale - distance, softness), patch, eye)
    return cloth, float(np.clip(0.11 * np.sqrt(count) / 0.45, 0.45, 0.75))


def camouflage(rng: Generator, palette: GarmentPalette, size: int) -> tuple[Array, float]:
    """Camouflage: thresholded 1/f noise in four colours."""
    cloth = np.broadcast_to(palette.ground, (size, size, 3))
    shades = [palette.accent, palette.figure, palette.ground * 0.55 + palette.figure * 0.45]
    for colour, share in zip(shades, (0.25, 0.45, 0.7)):
        cloth = _mix(_step(_noise(rng, size, 4.2) - share, 0.08), cloth, colour)
    return cloth, float(rng.uniform(0.45, 0.6))


def marble(rng: Generator, palette: GarmentPalette, size: int) -> tuple[Array, float]:
    """Marbled or batik cloth: warped veins, with light crackle lines in the batik kind."""
    u, v = _grid(size)
    warp = 0.26 * _noise(rng, size, 4.4)
    veins = 0.5 + 0.5 * np.sin(2 * np.pi * (2 * u + int(rng.integers(1, 4)) * v + 1.6 * warp))
    cloth = _mix(_step(veins - 0.5, 0.45), palette.ground, palette.figure)
    cloth = _mix(_step(np.abs(warp) * -1 + 0.05, 0.06), cloth, palette.accent)
    if rng.random() < 0.4:
        crackle = np.abs(_noise(rng, size, 3.4))
        cloth = _mix(0.8 * _step(0.05 - crackle, 0.08), cloth, np.array([0.97, 0.95, 0.9], np.float32))
    return cloth, float(rng.uniform(0.45, 0.65))


def denim(rng: Generator, palette: GarmentPalette, size: int) -> tuple[Array, float]:
    """Denim: diagonal twill of dyed warp and white weft, worn in blotches."""
    u, v = _grid(size)
    twill = 0.5 + 0.5 * np.sin(2 * np.pi * (size // 6) * (u + v))
    worn = 0.06 + 0.10 * _noise(rng, size, 3.0) + 0.06 * _noise(rng, size, 1.6)
    white = np.clip(0.3 * twill + worn, 0, 0.8).astype(np.float32)
    return _mix(white, palette.ground, np.array([0.88, 0.90, 0.92], np.float32)), 0.5


def knit(rng: Generator, palette: GarmentPalette, size: int) -> tuple[Array, float]:
    """Zig-zag knit: coloured chevron rows made of small V stitches."""
    u, v = _grid(size)
    count, teeth = int(rng.integers(2, 5)), int(rng.integers(3, 6))
    phase = (count * v + 0.22 * rng.uniform(0.8, 1.5) * _triangle(teeth * u)) % 1
    edges = np.array([0, 0.34, 0.52, 0.72])
    cloth = _bands(phase, edges, palette.colours, 1.5 * count / size)
    stitch = 0.5 + 0.5 * np.cos(2 * np.pi * (40 * v + 0.35 * _triangle(32 * u)))
    return cloth * (0.88 + 0.12 * stitch)[..., None], count * float(rng.uniform(0.14, 0.19))


def gradient(rng: Generator, palette: GarmentPalette, size: int) -> tuple[Array, float]:
    """Dip-dyed cloth: a smooth change between two or three colours down the garment."""
    u, v = _grid(size)
    lean = 0.04 * np.sin(2 * np.pi * u + rng.uniform(0, 6.28)) + 0.02 * _noise(rng, size, 3.0)
    wave = 0.5 - 0.5 * np.cos(2 * np.pi * (v + rng.random()) + lean)
    cloth = _mix(wave, palette.ground, palette.figure)
    return _mix((0.9 * np.sin(np.pi * wave) ** 3).astype(np.float32), cloth, palette.accent), 0.7


def lace(rng: Generator, palette: GarmentPalette, size: int) -> tuple[Array, float]:
    """Lace: a fine net and flower motifs; the holes have low alpha, so that the skin shows through."""
    u, v = _grid(size)
    cells, softness = 16, 1.5 * 16 / size
    net = np.minimum(np.abs(_triangle(cells * (u + v))), np.abs(_triangle(cells * (u - v))))
    alpha = 0.25 + 0.5 * _step(0.3 - net, 4 * softness)
    count = int(rng.integers(4, 8))
    radius, petals = 0.42 / np.sqrt(count), int(rng.integers(5, 9))
    for point in _scatter(rng, count, 1.9 * radius):
        turn = rng.uniform(0, 2 * np.pi)
        rows, columns, distance, angle = _window(size, point, radius)
        bloom = radius * (0.68 + 0.30 * np.cos(petals * (angle + turn)))
        hole = _step(np.abs(distance - 0.45 * bloom) - 0.07 * radius, 2 / size)
        motif = _step(bloom - distance, 2 / size) * (0.45 + 0.55 * hole)
        alpha[np.ix_(rows, columns)] = np.maximum(alpha[np.ix_(rows, columns)], motif)
    colour = palette.ground if palette.style != "dark" else palette.figure
    return np.dstack([np.broadcast_to(colour, (size, size, 3)), alpha]).astype(np.float32), 0.45


def photograph(rng: Generator, palette: GarmentPalette, size: int) -> tuple[Array, float]:
    """Photo print: a tinted crop of a free photograph, mirrored to be periodic; procedural where none is installed."""
    picture = _read_photograph(PHOTOGRAPHS[int(rng.integers(len(PHOTOGRAPHS)))], size)
    if picture is None:
        return marble(rng, palette, size)
    half = size // 2
    top, left = rng.integers(0, picture.shape[0] - half + 1), rng.integers(0, picture.shape[1] - half + 1)
    crop = picture[top : top + half, left : left + half]
    low, high = np.percentile(crop, (2, 98))
    crop = (
        np.clip((crop - low) / max(float(high - low), 1e-3), 0, 1) ** 0.7
    )  # brighter than the print: it will be shaded
    grey = crop @ np.array([0.299, 0.587, 0.114], np.float32)
    tinted = _mix(np.clip(1.25 * grey, 0, 1), palette.ground * 0.75, palette.figure)
    crop = 0.55 * crop + 0.45 * tinted
    mirrored = np.concatenate([crop, crop[:, ::-1]], 1)
    return np.concatenate([mirrored, mirrored[::-1]], 0), float(rng.uniform(0.5, 0.7))


@lru_cache(maxsize=16)
def _read_photograph(name: str, size: int) -> Array | None:
    """Return a photograph, 0.75 tile sizes on its short side (crops keep its content), or None where it is missing."""
    try:
        import skimage
    except ImportError:
        return None
    file = Path(skimage.__file__).parent / "data" / name
    if not file.exists():
        return None
    from PIL import Image

    with Image.open(file) as image:
        side = 3 * size // 4
        scale = side / min(image.size)
        small = image.convert("RGB").resize([max(side, round(n * scale)) for n in image.size], Image.Resampling.BOX)
    return np.asarray(small, np.float32) / 255


Family = Callable[[Generator, GarmentPalette, int], tuple[Array, float]]

FAMILIES: dict[str, Family] = {
    "plain": plain,
    "stripes": stripes,
    "plaid": plaid,
    "dots": dots,
    "flowers": flowers,
    "camouflage": camouflage,
    "marble": marble,
    "denim": denim,
    "knit": knit,
    "gradient": gradient,
    "lace": lace,
    "photograph": photograph,
}
