"""Photographs of the user's own: upright, opaque, in a square, with joints that go along."""

import numpy as np
import pytest
import torch
from PIL import Image

from repro.data.images import DamagedImage
from repro.data.own_photograph import TooLarge, read_photograph, upright


def save(path, pixels, **options):
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path, **options)
    return path


def quarters(height, width):
    """Black but for a white lower right quarter."""
    pixels = np.zeros((height, width, 3))
    pixels[height // 2 :, width // 2 :] = 255
    return pixels


@pytest.mark.parametrize(
    ("shape", "window"), [((120, 80), (0, 11, 64, 42)), ((64, 64), (0, 0, 64, 64)), ((30, 600), (30, 0, 4, 64))]
)
def test_the_photograph_lies_in_the_middle_and_its_joints_with_it(tmp_path, shape, window):
    photograph = read_photograph(save(tmp_path / "a.png", quarters(*shape)), 64)
    assert (photograph.window, photograph.original) == (window, shape)
    assert photograph.image.shape == (3, 64, 64)
    top, left, height, width = window
    middle = photograph.place(torch.tensor([[shape[0] / 2, shape[1] / 2], [-1.0, 5.0], [0.0, 0.0]]))
    assert middle.tolist() == [[top + height / 2, left + width / 2], [-1, -1], [top, left]]
    part = photograph.cut(photograph.image)
    assert part.shape == (3, height, width)
    assert part[:, : height // 2 - 1, : width // 2 - 1].max() < 0.1
    # Around it the border pixels repeat.
    assert torch.equal(photograph.image[:, :, 0], photograph.image[:, :, left])
    assert torch.equal(photograph.image[:, 0], photograph.image[:, top])


def test_turned_grey_transparent_palette_and_cmyk(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it turned clockwise by 90 degrees
    turned, size = upright(save(tmp_path / "turned.jpg", quarters(40, 60), exif=exif, quality=95))
    assert (turned.size, size) == ((40, 60), (60, 40))
    assert np.asarray(turned)[45, 5].min() > 200  # lower right became lower left
    assert np.asarray(turned)[45, 35].max() < 50
    clear = np.zeros((8, 8, 4))
    clear[:4] = [10, 20, 30, 255]
    pixels = np.asarray(upright(save(tmp_path / "clear.png", clear))[0])
    assert (pixels[0, 0].tolist(), pixels[7, 7].tolist()) == ([10, 20, 30], [255, 255, 255])
    assert upright(save(tmp_path / "grey.png", np.full((8, 8), 77)))[0].getpixel((0, 0)) == (77, 77, 77)
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "cmyk.jpg")
    red, green, blue = upright(tmp_path / "cmyk.jpg")[0].getpixel((0, 0))
    assert red > 200 > 60 > max(green, blue)


def test_a_frame_of_another_shape_and_a_stretched_photograph(tmp_path):
    """120 x 80 pixels in 128 x 64: as wide as the frame; stretched by 1.5 it becomes a square of 64 x 64."""
    path = save(tmp_path / "a.png", quarters(120, 80))
    for stretch, window in ((1.0, (16, 0, 96, 64)), (1.5, (32, 0, 64, 64)), (0.75, (0, 0, 128, 64))):
        photograph = read_photograph(path, (128, 64), stretch)
        assert (photograph.image.shape, photograph.window) == ((3, 128, 64), window)
        top, left, height, width = window
        middle = photograph.place(torch.tensor([60.0, 40.0]))
        assert middle.tolist() == [top + height / 2, left + width / 2]


def test_sixteen_bits(tmp_path):
    Image.fromarray(np.full((8, 8), 77 * 256, np.uint16)).save(tmp_path / "deep.png")
    assert upright(tmp_path / "deep.png")[0].getpixel((0, 0)) == (77, 77, 77)


def test_a_hundred_megapixels(tmp_path):
    """A JPEG is decoded at a quarter of its size, its joints still count its own pixels; anything else is refused."""
    Image.new("L", (10_000, 10_000), 128).save(tmp_path / "large.jpg", quality=20)
    picture, size = upright(tmp_path / "large.jpg")
    assert (picture.size, size) == ((2500, 2500), (10_000, 10_000))
    photograph = read_photograph(tmp_path / "large.jpg", 64)
    assert photograph.place(torch.tensor([5000.0, 2500.0])).tolist() == [32, 16]
    Image.new("1", (10_000, 10_000)).save(tmp_path / "large.png")
    with pytest.raises(
        TooLarge, match=r"large\.png has 10000x10000 pixels, 100 megapixels of PNG: expected at most 40"
    ):
        upright(tmp_path / "large.png")
    Image.new("1", (20_000, 10_000)).save(tmp_path / "larger.png")
    with pytest.raises(TooLarge, match=r"larger\.png: .*: make it smaller"):
        upright(tmp_path / "larger.png")


def test_no_photograph(tmp_path):
    with pytest.raises(FileNotFoundError, match="no photograph"):
        upright(tmp_path / "none.jpg")
    path = save(tmp_path / "cut.jpg", quarters(40, 60))
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DamagedImage, match=r"cut\.jpg: damaged image"):
        read_photograph(path, 64)
