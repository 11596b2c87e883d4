"""The folder of a clip's frames: PNG files that are whole or absent, and the state that a killed run continues from."""

import io
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from PIL import Image
from torch import Tensor

from repro.data.images import read_image
from repro.records import write_whole
from repro.training import checkpoint

EVERY = 2.0
"""Seconds between two states: at most that much is generated again after a kill."""


class FrameFolder:
    """The frames of one clip; frames 0 ... ``done`` - 1 are there, and ``state`` is what the next is made from.

    Frames are written at once; the state, in full precision, every few seconds and last. A killed run generates the
    frames since its last state again, to the same bits.

    Args:
        folder: made if need be; held by one process (:func:`repro.training.host.only_process`).
        identity: what decides the frames, name -> hash or value.

    Attributes:
        folder: as given.
        done: frames that need not be made again.
        state: the last of them as the network returned it, (3, H, W) in [-1, 1]; None before the first.

    Raises:
        ValueError: the folder holds frames of something else, or lacks some; a damaged state.
    """

    def __init__(self, folder: Path, identity: Mapping[str, object]) -> None:
        self.folder, self._identity = folder, dict(identity)
        self.done, self.state = 0, None
        self._saved, self._time = 0, time.monotonic()
        found = checkpoint.load(folder)
        if found is None:
            return
        tensors, rest = found
        changed = [name for name, value in self._identity.items() if rest["identity"].get(name) != value]
        if changed:
            raise ValueError(
                f"{folder} holds {rest['done']} frames of another clip (changed: {', '.join(changed)}): repeat the "
                "command that made them, choose another --out, or remove the folder"
            )
        self.done = self._saved = int(rest["done"])
        self.state = tensors["image"]
        missing = [number for number in range(self.done) if not self.path(number).is_file()]
        if missing:
            names = self.path(missing[0]).name
            raise ValueError(f"{folder}: {len(missing)} frames are missing (first {names}): remove it to start anew")

    def path(self, number: int) -> Path:
        """Return the file of a frame."""
        return self.folder / f"{number:06d}.png"

    def add(self, picture: Tensor, state: Tensor) -> None:
        """Write the next frame.

        Args:
            picture: (3, H, W) uint8.
            state: the frame as the network returned it, (3, H, W).

        Raises:
            OSError: disk full or folder not writable; what was there stays.
        """
        content = io.BytesIO()
        Image.fromarray(picture.permute(1, 2, 0).contiguous().numpy()).save(content, format="PNG")
        write_whole(self.path(self.done), content.getvalue())
        self.done, self.state = self.done + 1, state
        if time.monotonic() - self._time > EVERY:
            self.save()

    def save(self) -> None:
        """Write the state, if there is a new one."""
        if self.state is not None and self.done > self._saved:
            checkpoint.save(self.folder, {"image": self.state}, {"identity": self._identity, "done": self.done})
            self._saved = self.done
        self._time = time.monotonic()

    def pictures(self, count: int) -> Iterator[Tensor]:
        """Return the first ``count`` frames, (3, H, W) uint8, each read when it is asked for."""
        for number in range(count):
            yield (read_image(self.path(number)) * 255).round().byte()


def to_bytes(image: Tensor) -> Tensor:
    """Return an image in [-1, 1] as uint8, rounded."""
    return ((image.clamp(-1, 1) + 1) * (255 / 2)).round().byte().cpu()
