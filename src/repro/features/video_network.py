"""The one interface of frozen networks that see clips: a vector per clip."""

from typing import ClassVar

from torch import Tensor
from torch.nn.functional import interpolate

from repro.checks import require_shape
from repro.features.network import FrozenNetwork


class VideoNetwork(FrozenNetwork):
    """A vector per clip of frames in [-1, 1]: ``net(frames)`` returns the mean of its last maps over time and place.

    A subclass declares the constants below and writes :meth:`maps`.
    """

    side: ClassVar[int]
    """Frames are brought to side x side pixels: what the network was trained on."""
    dimension: ClassVar[int]
    """Entries of a clip's vector."""
    shortest: ClassVar[int]
    """Frames that a clip must have at least."""

    def maps(self, video: Tensor) -> Tensor:
        """Return the last maps (B, D, t, h, w) of videos (B, 3, T, H, W)."""
        raise NotImplementedError

    def prepare(self, frames: Tensor) -> Tensor:
        """Return frames (B, T, 3, H, W) as the network takes them: (B, 3, T, side, side), resized bilinearly."""
        sizes = require_shape("frames", frames, "B T 3 H W")
        if sizes["T"] < self.shortest:
            raise ValueError(f"expected clips of at least {self.shortest} frames for {self.name}, got {sizes['T']}")
        if (sizes["H"], sizes["W"]) != (self.side, self.side):
            resized = interpolate(frames.flatten(0, 1), (self.side, self.side), mode="bilinear", align_corners=False)
            frames = resized.unflatten(0, (sizes["B"], sizes["T"]))
        return frames.transpose(1, 2)

    def forward(self, frames: Tensor) -> Tensor:
        """Return a vector per clip, (B, D).

        Convention: bilinear resizing with ``align_corners=False``, without a filter against aliasing, whatever the
        shape of the frames.

        Args:
            frames: (B, T, 3, H, W) in [-1, 1], T at least ``shortest``.

        Raises:
            ValueError: another shape, or too few frames.
        """
        return self.maps(self.prepare(frames)).mean((2, 3, 4))
