"""``repro generate`` from the command line: what it says, what it writes, and one line for what a person got wrong."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from repro.cli import main

PERSON = [
    (8, 24), (16, 24), (16, 18), (26, 15), (35, 14), (16, 30), (26, 33), (35, 34), (36, 21), (50, 21), (62, 21),
    (36, 27), (50, 27), (62, 27), (7, 23), (7, 25), (8, 21), (8, 27),
]  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (72, 48, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    for name, shift in (("photo", 0), ("pose", 6)):
        values = [value for y, x in PERSON for value in (x + shift, y, 1.0)]
        (tmp_path / f"{name}.json").write_text(json.dumps({"people": [{"pose_keypoints_2d": values}]}))
    return tmp_path


def run(folder, **changes):
    words = {"source": "photo.png", "pose": "pose.json", "out": "out.png", "source-pose": "photo.json"} | changes
    given = [[f"--{name}", str(folder / value) if "." in value else value] for name, value in words.items()]
    return main(["generate", *(word for pair in given for word in pair)])


def test_the_shipped_network_makes_a_picture_and_its_panel(folder, capsys):
    assert run(folder) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("network: table_2-full-fashion-laptop-seed0-")
    assert said[0].endswith(", pictures of 64x64 pixels")
    assert said[1:] == [
        "18 of 18 joints of the person in photo.png",
        "18 of 18 joints of the pose in pose.json",
        "fitted to the person: one pixel of the pose is 1 pixels of the photograph",
        str(folder / "out.png"),
        str(folder / "out.panel.png"),
    ]
    assert Image.open(folder / "out.png").size == (42, 64)
    first = (folder / "out.png").read_bytes()
    assert Image.open(folder / "out.panel.png").size[0] > 300
    assert run(folder, fit="none", size="96") == 0  # in the place of the first
    assert Image.open(folder / "out.png").size == (64, 96)
    assert (folder / "out.png").read_bytes() != first
    assert "the network was trained on 64x64 pixels" in capsys.readouterr().out


def test_no_notebook_library_is_needed():
    """IPython comes with the notebooks' dependencies, which a machine that only generates may lack."""
    code = "import sys; sys.modules['IPython'] = None; import repro.cli.generate"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"out": "out.gif"}, "expected a file that ends in .png, .jpg, .jpeg"),
        ({"out": "photo.png"}, "is read and would be overwritten"),
        ({"out": "photo.png/new/out.png"}, "photo.png is a file, no folder: choose another --out"),
        ({"out": "./"}, "is a folder: give a name in it"),
        ({"source": "./"}, "it is a folder, give a file in it"),
        ({"pose": "./."}, "it is a folder, give a file in it"),
        ({"size": "0"}, "a multiple of 32 from 64 on, got 0"),
        ({"source": "none.png"}, "no photograph"),
        ({"pose": "none.json"}, "no file"),
        ({"fit": "bodies"}, "unknown fit 'bodies': did you mean 'body'"),
        ({"layout": "body_25"}, "unknown joint layout 'body_25': did you mean 'body25'"),
        ({"task": "dance"}, "unknown task 'dance'"),
        ({"size": "80"}, "a multiple of 32 from 64 on, got 80"),
        ({"device": "gpu"}, "unknown device 'gpu'"),
        ({"weights": "photo.json"}, "cannot read"),
    ],
)
def test_what_a_person_got_wrong_is_one_line_and_no_file(folder, capsys, changes, message):
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert run(folder, **changes) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
