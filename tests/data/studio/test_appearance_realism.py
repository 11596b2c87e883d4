"""The benchmark of realism: its parsing of heat maps, and what TensorFlow's padding and resizing mean."""

import importlib.util
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "realism.py"


@pytest.fixture(scope="module")
def realism():
    spec = importlib.util.spec_from_file_location("realism", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_affinity_is_the_mean_of_the_field_along_the_line(realism):
    field = torch.zeros(2, 20, 30)
    field[0, 10] = 1.0  # along row 10 the field points right
    starts, ends = torch.tensor([[10.0, 5.0]]), torch.tensor([[10.0, 15.0], [10.0, 1.0], [19.0, 5.0]])
    right, left, down = realism.affinity(field, starts, ends)[0].tolist()
    assert (right, left, down) == (pytest.approx(1.0), pytest.approx(-1.0), pytest.approx(0.0))


def test_the_limb_decides_between_two_peaks(realism):
    """The right elbow is hotter at the wrong place, but the affinity field leads from the shoulder to the other."""
    heat, fields = torch.zeros(18, 40, 40), torch.zeros(38, 40, 40)
    heat[1, 5, 20] = heat[2, 5, 10] = 0.8
    heat[3, 25, 10], heat[3, 30, 35] = 0.5, 0.7
    fields[15, :, 8:13] = 1.0  # y channel of shoulder -> elbow: down along column 10
    joints = realism.assembled(heat, fields)
    assert joints[3].tolist() == [25, 10]
    assert joints[2].tolist() == [5, 10]
    assert torch.isinf(joints[4]).all(), "no peak, no wrist"


def test_a_mirrored_picture_gives_the_other_side(realism):
    maps = torch.zeros(1, 57, 8, 8)
    maps[0, 3, 2, 1] = 1.0  # right elbow at column 1
    maps[0, 19 + 14, 2, 1], maps[0, 19 + 15, 2, 1] = 0.6, 0.4  # right upper arm points right and down
    mirrored = realism._mirrored(maps)
    assert mirrored[0, 6, 2, 6] == 1.0
    assert (mirrored[0, 19 + 22, 2, 6].item(), mirrored[0, 19 + 23, 2, 6].item()) == (
        pytest.approx(-0.6),
        pytest.approx(0.4),
    )
    assert torch.equal(realism._mirrored(mirrored), maps)


def test_convention_tensorflow_padding_and_resizing(realism):
    assert realism._tensorflow_same(torch.ones(1, 1, 4, 4), 3, 2).tolist()[0][0][0] == [1, 1, 1, 1, 0]
    assert realism._tensorflow_same(torch.ones(1, 1, 4, 4), 3, 1).shape == (1, 1, 6, 6)
    resized = realism._tensorflow_resize(torch.tensor([[[[0.0, 1.0]]]]), torch.Size((1, 4)))
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
