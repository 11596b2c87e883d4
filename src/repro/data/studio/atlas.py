"""All tiles of one person in one flat buffer with their mip chains: one bilinear lookup serves all materials."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.floating]


def mip_chain(picture: Array) -> list[Array]:
    """Return a picture and its halvings down to one pixel; every level has the same mean."""
    chain = [picture]
    while chain[-1].shape[0] > 1:
        p = chain[-1]
        chain.append(0.25 * (p[0::2, 0::2] + p[1::2, 0::2] + p[0::2, 1::2] + p[1::2, 1::2]))
    return chain


@dataclass(frozen=True)
class Atlas:
    """Square periodic tiles with mip chains.

    Attributes:
        rows: (R, C) float32: the pixels of all levels of all tiles.
        start: (T, L) int64: the first row of a tile's level; levels past the last repeat it.
        side: (T, L) int64: the level's side in pixels.
    """

    rows: Tensor
    start: Tensor
    side: Tensor

    @classmethod
    def build(cls, tiles: Sequence[Array]) -> "Atlas":
        """Return the atlas of tiles (S, S, C); S are powers of two and may differ."""
        chains = [mip_chain(np.ascontiguousarray(tile, np.float32)) for tile in tiles]
        depth = max(len(chain) for chain in chains)
        start, side, total = np.zeros((len(tiles), depth), np.int64), np.ones((len(tiles), depth), np.int64), 0
        for index, chain in enumerate(chains):
            for level in range(depth):
                if level < len(chain):
                    start[index, level], side[index, level] = total, chain[level].shape[0]
                    total += side[index, level] ** 2
                else:
                    start[index, level] = start[index, len(chain) - 1]
        channels = tiles[0].shape[-1]
        rows = np.concatenate([level.reshape(-1, channels) for chain in chains for level in chain])
        return cls(torch.from_numpy(rows), torch.from_numpy(start), torch.from_numpy(side))

    def to(self, device: torch.device) -> "Atlas":
        """Return the atlas on a device."""
        return Atlas(self.rows.to(device), self.start.to(device), self.side.to(device))

    def sample(self, tile: Tensor, footprint: Tensor, u: Tensor, v: Tensor) -> Tensor:
        """Return the colours (N, C) at u (right), v (down), in units of the tile, averaged over a footprint.

        Bilinear within a mip level, linear between the two levels whose pixels are next to the footprint in size.

        Convention: u, v in [0, 1) is the tile, all else its repetition; pixel i of a side S covers [i, i + 1) / S.

        Args:
            tile: (N,) tile numbers.
            footprint: (N,) width of what is averaged, in units of the tile.
            u, v: (N,).
        """
        last = self.side.shape[1] - 1
        level = torch.log2((footprint * self.side[tile, 0]).clamp(min=1)).clamp(max=last)
        finer = level.floor()
        number = finer.to(torch.int64)
        fine = self._lookup(tile, number, u, v)
        return torch.lerp(fine, self._lookup(tile, (number + 1).clamp(max=last), u, v), (level - finer)[:, None])

    def _lookup(self, tile: Tensor, level: Tensor, u: Tensor, v: Tensor) -> Tensor:
        side = self.side[tile, level]
        start = self.start[tile, level]
        scale = side.to(u.dtype)
        x, y = (u - u.floor()) * scale - 0.5, (v - v.floor()) * scale - 0.5
        left, top = x.floor(), y.floor()
        wx, wy = (x - left)[:, None], (y - top)[:, None]
        # Sides are powers of two: "and" wraps, also from -1 to the far end.
        mask = side - 1
        x0, y0 = left.to(torch.int64), top.to(torch.int64)
        x1, y1 = (x0 + 1) & mask, (y0 + 1) & mask
        x0, y0 = x0 & mask, y0 & mask
        upper, lower = start + y0 * side, start + y1 * side
        rows = self.rows
        above = torch.lerp(rows[upper + x0], rows[upper + x1], wx)
        below = torch.lerp(rows[lower + x0], rows[lower + x1], wx)
        return torch.lerp(above, below, wy)
