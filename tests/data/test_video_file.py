"""Videos in and out: what is written comes back, the file is whole or absent, damage is named."""

import contextlib
import errno
import io
import resource
from fractions import Fraction

import av
import numpy as np
import pytest
import torch
from PIL import Image

from repro.data import DataError
from repro.data.video_file import VideoFile, write_video


def pictures(count=7, height=32, width=48):
    """A bright bar walks over a coloured ground."""
    for number in range(count):
        picture = torch.full((3, height, width), 40, dtype=torch.uint8)
        picture[0] = 120
        picture[:, :, 4 * number : 4 * number + 8] = 220
        yield picture


@pytest.mark.parametrize(("name", "tolerance"), [("clip.gif", 0), ("clip.mp4", 12)])
def test_what_is_written_comes_back(tmp_path, name, tolerance):
    """GIF exactly: the pictures have two colours. H.264 within its loss, away from the edges of chroma."""
    write_video(tmp_path / "new" / name, pictures(), 12.5)
    video = VideoFile(tmp_path / "new" / name)
    assert video.fps == 12.5
    back = list(video)
    assert len(back) == 7
    for found, stated in zip(back, pictures()):
        grey = stated.permute(1, 2, 0).numpy().mean(-1)
        assert np.abs(found.mean(-1) - grey).mean() <= tolerance
    assert [path.name for path in (tmp_path / "new").iterdir()] == [name]


def test_other_endings_and_no_pictures_leave_nothing(tmp_path):
    with pytest.raises(ValueError, match=r"ends in \.mp4, \.gif, got 'clip.webp'"):
        write_video(tmp_path / "clip.webp", pictures(), 25)
    (tmp_path / "clip.mp4").write_bytes(b"the one before")

    def broken():
        yield next(pictures())
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        write_video(tmp_path / "clip.mp4", broken(), 25)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("clip.mp4", b"the one before")]


@contextlib.contextmanager
def full_disk(at):
    """No file may grow beyond ``at`` bytes: writing fails as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (at, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.gif"])
def test_what_stops_in_the_middle_leaves_nothing_half_written(tmp_path, name):
    noise = torch.randint(0, 256, (20, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    words = f"cannot write .*{name}: File too large; choose another folder"
    with full_disk(2000), pytest.raises(OSError, match=words):
        write_video(tmp_path / name, iter(noise), 25)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_named(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match=r"clip\.gif: No space left on device; free space or choose another folder"):
        write_video(tmp_path / "clip.gif", pictures(), 25)
    assert list(tmp_path.iterdir()) == []


class TestDamage:
    def test_no_file_no_bytes_no_video_no_pictures(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="no video"):
            VideoFile(tmp_path / "none.mp4")
        (tmp_path / "empty.mp4").touch()
        with pytest.raises(DataError, match="empty file"):
            VideoFile(tmp_path / "empty.mp4")
        (tmp_path / "text.mp4").write_text("no video")
        with pytest.raises(DataError, match=r"damaged video\n.*text\.mp4: Invalid data found") as damaged:
            VideoFile(tmp_path / "text.mp4")
        assert "Errno" not in str(damaged.value)
        with pytest.raises(IsADirectoryError, match=r"no video .*: it is a folder"):
            VideoFile(tmp_path)
        with av.open(str(tmp_path / "sound.mkv"), "w") as container:
            stream = container.add_stream("pcm_s16le", rate=8000)
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
            sound.sample_rate = 8000
            container.mux(stream.encode(sound))
        with pytest.raises(DataError, match="without a single picture"):
            VideoFile(tmp_path / "sound.mkv")

    def test_a_changing_size_is_named_by_its_frame(self, tmp_path):
        """Motion JPEG carries a size per frame."""
        with av.open(str(tmp_path / "two.avi"), "w") as container:
            stream = container.add_stream("mjpeg", rate=25)
            stream.width, stream.height, stream.pix_fmt = 48, 32, "yuvj420p"
            for number, width in enumerate((48, 48, 64)):
                jpeg = io.BytesIO()
                Image.new("RGB", (width, 32)).save(jpeg, format="JPEG")
                packet = av.Packet(jpeg.getvalue())
                packet.stream, packet.pts, packet.dts, packet.time_base = stream, number, number, Fraction(1, 25)
                container.mux(packet)
        with pytest.raises(DataError, match="frame 2 is 64x32, those before 48x32"):
            list(VideoFile(tmp_path / "two.avi"))
