"""Single photographs: any size, with the joints of the csv beside them."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from repro.data import astronaut, heatmaps, is_missing, read_photographs
from repro.data.annotations import HEADER
from repro.data.images import DamagedImage


@pytest.fixture
def folder(tmp_path):
    rows = [HEADER]
    for name, (height, width) in {"tall.png": (100, 50), "wide.jpg": (60, 240)}.items():
        pixels = np.full((height, width, 3), 200, np.uint8)
        pixels[height // 2 :, width // 2 :] = 30
        Image.fromarray(pixels).save(tmp_path / name)
        y, x = [height // 2] * 17 + [-1], [width // 2] * 17 + [-1]
        rows.append(f"{name}: {json.dumps(y)}: {json.dumps(x)}")
    (tmp_path / "people.csv").write_text("\n".join(rows))
    return tmp_path


def test_images_are_resized_and_joints_go_with_them(folder):
    names, images, joints = read_photographs(folder / "people.csv", size=(64, 64))
    assert names == ["tall.png", "wide.jpg"]
    assert images.shape == (2, 3, 64, 64)
    # The corner of the dark quarter is the middle of both pictures, whatever their shape.
    assert joints[:, :17].eq(32).all()
    assert joints[:, 17].eq(-1).all()
    assert images[:, :, :30, :30].min() > 0.7
    assert images[:, :, 34:, 34:].max() < 0.2


def test_a_missing_or_damaged_photograph_is_named(folder):
    (folder / "wide.jpg").write_bytes((folder / "wide.jpg").read_bytes()[:100])
    with pytest.raises(DamagedImage, match=r"wide\.jpg"):
        read_photographs(folder / "people.csv")
    (folder / "tall.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"tall\.png"):
        read_photographs(folder / "people.csv")


def test_grey_and_transparent_images_become_rgb(folder):
    for mode in ("L", "RGBA", "P"):
        with Image.open(folder / "tall.png") as image:
            image.convert(mode).save(folder / "tall.png")
        assert read_photographs(folder / "people.csv", size=(32, 32))[1].shape == (2, 3, 32, 32)


def test_the_photograph_of_the_pages():
    image, joints = astronaut()
    assert image.shape == (3, 512, 512)
    assert is_missing(joints).sum() == 8
    assert heatmaps(joints, (512, 512)).amax((1, 2)).eq(torch.where(is_missing(joints), 0.0, 1.0)).all()
