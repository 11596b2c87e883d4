"""Video files in and out, one frame at a time."""

import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from repro.checks import require_file, require_writable
from repro.data.problems import DataError, Problem
from repro.records import unwritten

ENDINGS = (".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".gif")
Picture = NDArray[np.uint8]


class VideoFile:
    """The frames of a video, decoded one by one each time it is iterated.

    Attributes:
        path: the file.
        fps: frames per second.

    Raises:
        FileNotFoundError, IsADirectoryError: no such file.
        DataError: no video, or a video without frames; while iterating: a frame that cannot be decoded or that has
            another size than the first, by its number.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        require_file(self.path, "video")
        if not self.path.stat().st_size:
            raise self._refusal("empty file", "0 bytes")
        try:
            with av.open(str(self.path)) as container:
                stream = next(iter(container.streams.video), None)
                rate = (stream.average_rate or stream.guessed_rate) if stream else None
                empty = stream is not None and next(container.decode(stream), None) is None
        except (av.FFmpegError, EOFError) as error:
            raise self._refusal("damaged video", _reason(error)) from error
        if stream is None or empty:
            raise self._refusal("no frames", "a file without a single picture")
        self.fps = float(rate) if rate else 25.0

    def __iter__(self) -> Iterator[Picture]:
        size, number = None, 0
        with av.open(str(self.path)) as container:
            frames = container.decode(video=0)
            while True:
                try:
                    frame = next(frames, None)
                except (av.FFmpegError, EOFError) as error:
                    detail = f"frame {number} cannot be decoded ({_reason(error)})"
                    raise self._refusal("damaged frame", detail) from error
                if frame is None:
                    return
                size = size or (frame.width, frame.height)
                if (frame.width, frame.height) != size:
                    detail = f"frame {number} is {frame.width}x{frame.height}, those before {size[0]}x{size[1]}"
                    raise self._refusal("changing frame size", detail)
                yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
                number += 1

    def _refusal(self, kind: str, detail: str) -> DataError:
        problem = Problem(kind, f"file {self.path.name}", self.path.name, detail)
        return DataError(f"{self.path}: no usable video:", [problem], "Convert it again, or cut off what is damaged.")


def _reason(error: Exception) -> str:
    """What FFmpeg says in words, without its numbers; the end of a file comes without a word."""
    return getattr(error, "strerror", None) or str(error) or "it ends too early"


def write_video(path: Path, pictures: Iterator[Tensor], fps: float) -> None:
    """Write pictures (3, H, W), uint8, H and W even, as an MP4 (H.264) or GIF: the whole file or none.

    One picture is held at a time. Each frame of a GIF has its own 256 colours.

    Args:
        path: its ending decides the format; a file of that name is replaced once the new one is whole.
        pictures: at least one, all of one size.
        fps: frames per second.

    Raises:
        OSError: disk full or folder not writable; nothing half-written remains.
    """
    codec, pixel_format, options, frame_of = FORMATS[require_writable(path, FORMATS).suffix.lower()]
    part = path.with_name(f".{path.stem}.part{path.suffix.lower()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(part), "w") as container:
            stream = container.add_stream(codec, rate=Fraction(fps).limit_denominator(1001), options=options)
            assert isinstance(stream, av.VideoStream)
            for number, picture in enumerate(pictures):
                pixels = picture.permute(1, 2, 0).contiguous().numpy()
                if number == 0:
                    (stream.height, stream.width), stream.pix_fmt = pixels.shape[:2], pixel_format
                container.mux(stream.encode(frame_of(pixels)))
            container.mux(stream.encode())
        with part.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        raise unwritten(path, error) from error
    finally:
        part.unlink(missing_ok=True)


def _coloured(pixels: Picture) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(pixels, format="rgb24")


def _indexed(pixels: Picture) -> av.VideoFrame:
    """A picture in 256 colours of its own."""
    image = Image.fromarray(pixels).quantize(256)
    palette = np.full((256, 4), 255, np.uint8)
    colours = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
    palette[: len(colours), 1:] = colours  # alpha first
    return av.VideoFrame.from_ndarray((np.asarray(image), palette), format="pal8")  # type: ignore[arg-type]


FORMATS: dict[str, tuple[str, str, dict[str, str], Callable[[Picture], av.VideoFrame]]] = {
    # Constant quality 18 is called visually lossless.
    ".mp4": ("libx264", "yuv420p", {"crf": "18"}, _coloured),
    ".gif": ("gif", "pal8", {}, _indexed),
}
"""What can be written: ending -> codec, pixel format, options, how a picture becomes a frame."""
