"""The pose extra with the real package, on a photograph that comes with scikit-image; joints of it set by eye."""

import numpy as np
import pytest
from skimage.data import astronaut

from repro.data.joints import MISSING
from repro.data.pose_extra import PACKAGE, Detector

pytest.importorskip(PACKAGE)

HEIGHT = 1140  # pixels, seven and a half heads of 152
SWAP = [0, 1, 5, 6, 7, 2, 3, 4, 11, 12, 13, 8, 9, 10, 15, 14, 17, 16]


@pytest.fixture(scope="module")
def detect():
    with Detector() as detector:
        yield detector


@pytest.fixture(scope="module")
def joints(detect):
    return detect(astronaut())


@pytest.mark.parametrize(
    ("joint", "place", "within"),
    [(0, (127, 226), 0.01), (14, (101, 203), 0.01), (15, (103, 247), 0.01), (2, (260, 92), 0.05), (5, (258, 322), 0.05),
     (3, (438, 52), 0.05)],
    ids=["nose", "right eye", "left eye", "right shoulder", "left shoulder", "right elbow"],
)  # fmt: skip
def test_joints_lie_where_the_eye_sees_them(joints, joint, place, within):
    assert np.linalg.norm(joints[joint] - place) <= within * HEIGHT


def test_what_the_picture_does_not_show_is_missing(joints):
    """The picture ends above the hips; the left arm is behind the helmet."""
    assert (joints[[6, 7, 8, 9, 10, 11, 12, 13]] == MISSING).all()


def test_places_are_pixels_of_pictures_that_are_not_square(detect, joints):
    wall = np.full((512, 180, 3), 230, np.uint8)
    moved = detect(np.concatenate([wall, astronaut()], axis=1))
    face = [0, 14, 15, 16, 17]  # what lies under the space suit is guessed anew
    assert np.abs(moved - joints - (0, 180))[face].max() <= 0.01 * HEIGHT


def test_convention_right_is_the_persons_right(detect, joints):
    mirrored = detect(astronaut()[:, ::-1])[SWAP]
    both = (joints != MISSING).all(1) & (mirrored != MISSING).all(1)
    assert both[[0, 1, 2, 5, 14, 15]].all()
    mirrored[:, 1] = 511 - mirrored[:, 1]
    assert np.abs(mirrored - joints)[both].max() <= 0.02 * HEIGHT


def test_nobody_is_none(detect):
    assert detect(np.full((120, 90, 3), 200, np.uint8)) is None
