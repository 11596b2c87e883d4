"""The benchmark of realism: its counting, its parsing of heat maps, and what TensorFlow's padding and resizing mean."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from bench import openpose, photographs

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "realism.py"


@pytest.fixture(scope="module")
def realism():
    spec = importlib.util.spec_from_file_location("realism", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_affinity_is_the_mean_of_the_field_along_the_line():
    field = torch.zeros(2, 20, 30)
    field[0, 10] = 1.0  # along row 10 the field points right
    starts, ends = torch.tensor([[10.0, 5.0]]), torch.tensor([[10.0, 15.0], [10.0, 1.0], [19.0, 5.0]])
    right, left, down = openpose.affinity(field, starts, ends)[0].tolist()
    assert (right, left, down) == (pytest.approx(1.0), pytest.approx(-1.0), pytest.approx(0.0))


def test_the_limb_decides_between_two_peaks():
    """The right elbow is hotter at the wrong place, but the affinity field leads from the shoulder to the other."""
    heat, fields = torch.zeros(18, 40, 40), torch.zeros(38, 40, 40)
    heat[1, 5, 20] = heat[2, 5, 10] = 0.8
    heat[3, 25, 10], heat[3, 30, 35] = 0.5, 0.7
    fields[15, :, 8:13] = 1.0  # y channel of shoulder -> elbow: down along column 10
    joints = openpose.assembled(heat, fields)
    assert joints[3].tolist() == [25, 10]
    assert joints[2].tolist() == [5, 10]
    assert torch.isinf(joints[4]).all(), "no peak, no wrist"


def test_a_mirrored_picture_gives_the_other_side():
    maps = torch.zeros(1, 57, 8, 8)
    maps[0, 3, 2, 1] = 1.0  # right elbow at column 1
    maps[0, 19 + 14, 2, 1], maps[0, 19 + 15, 2, 1] = 0.6, 0.4  # right upper arm points right and down
    mirrored = openpose._mirrored(maps)
    assert mirrored[0, 6, 2, 6] == 1.0
    assert (mirrored[0, 19 + 22, 2, 6].item(), mirrored[0, 19 + 23, 2, 6].item()) == (
        pytest.approx(-0.6),
        pytest.approx(0.4),
    )
    assert torch.equal(openpose._mirrored(mirrored), maps)


def test_convention_tensorflow_padding_and_resizing():
    assert openpose._tensorflow_same(torch.ones(1, 1, 4, 4), 3, 2).tolist()[0][0][0] == [1, 1, 1, 1, 0]
    assert openpose._tensorflow_same(torch.ones(1, 1, 4, 4), 3, 1).shape == (1, 1, 6, 6)
    resized = openpose._tensorflow_resize(torch.tensor([[[[0.0, 1.0]]]]), torch.Size((1, 4)))
    assert resized.flatten().tolist() == [0.0, 0.5, 1.0, 1.0]


def test_every_joint_is_found_or_has_one_cause(realism):
    assert realism.cause(0.05, 0.01) == "found", "sides that lie together are not exchanged"
    assert realism.cause(float("inf"), float("inf")) == "nothing found"
    assert realism.cause(0.2, 0.03) == "the other side's"
    assert realism.cause(0.08, 0.2) == "near"
    assert realism.cause(0.2, 0.06) == "elsewhere"
    other = [realism.OPENPOSE_18[joint] for joint in realism.OTHER]
    assert (other[0], other[2], other[13]) == ("nose", "left_shoulder", "right_ankle")
    assert [realism.OTHER[joint] for joint in realism.OTHER] == list(range(18))


def test_joints_are_counted_by_cause(realism):
    """A body of 100 pixels: the right wrist 4 pixels away, the left found at the right, nothing for the right elbow."""
    joints = np.zeros((18, 2))
    joints[[3, 4, 7]] = [[50, 0], [50, 20], [50, 80]]
    found = joints.copy()
    found[3], found[4], found[7] = np.inf, (50, 24), (50, 22)
    visible = np.isin(np.arange(18), (0, 3, 4, 7))
    seen = realism.looks(found, joints, visible, 100.0, ("front",))
    assert [(look.cause, look.groups) for look in seen] == [
        ("nothing found", ("front", "elbow")),
        ("found", ("front", "wrist")),
        ("the other side's", ("front", "wrist")),
    ], "the nose is no joint of a limb"
    assert realism.summary(seen) == {
        "joints": 3, "found": 0.3333, "median_error": 0.58,
        "causes": {"found": 1, "the other side's": 1, "nothing found": 1, "near": 0, "elsewhere": 0},
    }  # fmt: skip


def test_what_blazepose_misses_is_infinitely_far(realism):
    answers = iter([None, np.array([[-1.0, -1.0]] + [[2.0, 3.0]] * 17)])
    shown = []
    estimate = realism.BlazePose(lambda picture: (shown.append((picture.shape, picture.max())), next(answers))[1])
    assert torch.isinf(estimate(torch.ones(3, 4, 6))).all()
    assert estimate(torch.ones(3, 4, 6))[:2].tolist() == [[torch.inf, torch.inf], [2, 3]]
    assert shown == [((4, 6, 3), 255)] * 2


def test_a_photograph_lies_in_the_middle_of_a_square():
    """4 x 8 pixels, halved: 2 of 8 rows above; the corner of the first pixel stays the corner."""
    picture = np.zeros((4, 8, 3), np.uint8)
    image, joints, height = photographs.in_square(picture, {"nose": [0, 0], "left_ankle": [3.5, 7.5]}, 6.0, 4)
    assert image.shape == (3, 4, 4)
    assert (image[0, 0].min() > 0.5, image[0, 1:3].max() < 0.5) == (True, True)
    assert (joints[0].tolist(), joints[13].tolist(), height) == ([0.75, -0.25], [2.5, 3.5], 3.0)
    assert (joints[1:13] == -1).all()


def test_another_photograph_of_the_name_is_refused(tmp_path):
    photographs.Image.new("RGB", (8, 8)).save(tmp_path / "yoga.png")
    found = photographs.photographs(tmp_path, 64)
    assert next(found)[0] == "astronaut.png"
    with pytest.raises(ValueError, match=r"yoga.png: expected \[547, 560\] pixels, got"):
        next(found)


def test_networks_that_are_needed_are_asked_for(realism, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["realism.py", "--pose", "openpose"])
    with pytest.raises(SystemExit):
        realism.parse()
    assert "--pose-network and --pose-graph" in capsys.readouterr().err
