"""The page on own photographs: files say what they were given, and a network that returns the source makes no error."""

import pytest
import torch
from torch import nn

from repro.experiments.generation import Generator
from repro.models import Output
from repro.pages.own_photograph import given_back, openpose_json, scene_of


class Copy(nn.Module):
    """Returns the source, as bright as it is told."""

    def __init__(self, brighter=0.0):
        super().__init__()
        self.brighter = brighter

    def forward(self, source, source_pose, target_pose):
        return Output(source + self.brighter, [], [], {})


def generator(network):
    return Generator(network, (64, 64), 2.0, 1.0, "copy")


JOINTS = torch.stack([torch.arange(18.0) * 3 + 2, torch.arange(18.0) * 2 + 9], 1).double()
JOINTS[5] = -1


def test_files_hold_the_picture_and_the_joints():
    image = torch.arange(3 * 64 * 64).reshape(3, 64, 64) % 256 / 255
    scene = scene_of(image, JOINTS, JOINTS + 1, generator(Copy()), fitting="none")
    torch.testing.assert_close(scene.person.photograph.image, image)
    torch.testing.assert_close(scene.person.joints, JOINTS)
    assert scene.target[4].tolist() == (JOINTS[4] + 1).tolist()


def test_a_missing_joint_has_no_score():
    values = openpose_json(JOINTS)["people"][0]["pose_keypoints_2d"]
    assert (values[12:15], values[15:18]) == ([17, 14, 1], [-1, -1, 0])


def test_what_is_given_back():
    """Half black, half white: one colour, the mean, is 127.5 wrong everywhere."""
    image = torch.zeros(3, 64, 64)
    image[:, :32] = 1
    grey = torch.full((3, 64, 64), 51 / 255)
    people = {"halves": [(image, JOINTS)], "grey": [(grey, JOINTS)] * 2}
    found = given_back(generator(Copy()), people)
    assert found.loc["halves"].tolist() == [0, 127.5, 1]
    assert found.loc["grey"].tolist() == pytest.approx([0, 0, 2], abs=1e-4)
    brighter = given_back(generator(Copy(20 / 127.5)), people)
    assert brighter.loc["grey", "result"] == pytest.approx(20, abs=0.5)
    assert brighter.loc["halves", "result"] == pytest.approx(10, abs=0.5)  # white stays white
