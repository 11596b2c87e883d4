"""Joints from pictures, by the optional pose extra: mediapipe, which brings its network in its wheel."""

from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from repro.data.joints import MISSING
from repro.data.pose_files import Array

LANDMARKS = ((0, 0), (11, 12), (12, 12), (14, 14), (16, 16), (11, 11), (13, 13), (15, 15), (24, 24), (26, 26), (28, 28),
             (23, 23), (25, 25), (27, 27), (5, 5), (2, 2), (8, 8), (7, 7))  # fmt: skip
"""The 18 joints of OpenPose: each in the middle of two of mediapipe's 33 landmarks, which differ for the neck alone."""
VISIBLE = 0.5
"""A landmark of smaller visibility is a guess."""
PACKAGE = "mediapipe"
INSTALL = "`make env POSE=1` adds it"
NEEDED = (
    "joints from a picture or a video need the pose extra, which is not installed (mediapipe 0.10.21, the last release "
    f"that brings its network): {INSTALL}; or give the joints as a file (--source-pose, --pose, --motion: .json)"
)


class MissingExtra(ValueError):
    """The pose extra is not installed; the message says what to do."""


def installed() -> str | None:
    """Return the version of the pose extra's package, None where there is none."""
    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return None


class Detector:
    """Finds the joints of the person in pictures; one for all frames of a video, which it follows.

    Args:
        video: the pictures follow each other in time.

    Raises:
        MissingExtra: mediapipe is not installed, or in a version without the network.
    """

    def __init__(self, video: bool = False) -> None:
        try:
            from mediapipe.python.solutions.pose import Pose
        except ImportError as error:
            raise MissingExtra(NEEDED) from error
        self._pose: Any = Pose(static_image_mode=not video, model_complexity=1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._pose.close()

    def __call__(self, picture: NDArray[np.uint8]) -> Array | None:
        """Return the joints (18, 2) of OpenPose in a picture (H, W, 3), (row, column), -1 missing; None: nobody.

        Convention: the detector's coordinates count from the picture's edge, ours from the first pixel's centre.
        """
        landmarks = self._pose.process(np.ascontiguousarray(picture)).pose_landmarks
        if landmarks is None:
            return None
        height, width = picture.shape[:2]
        places = np.array([(one.y * height - 0.5, one.x * width - 0.5) for one in landmarks.landmark])
        seen = np.array([one.visibility for one in landmarks.landmark]) >= VISIBLE
        seen &= ((places >= -0.5) & (places < np.array([height, width]) - 0.5)).all(1)
        pairs = np.array(LANDMARKS)
        return np.where(seen[pairs].all(1)[:, None], places[pairs].mean(1), MISSING)


def found_in(pictures: Iterable[NDArray[np.uint8]]) -> Iterator[Array | None]:
    """Return the joints of each frame of a video as they are found, one picture at a time."""
    with Detector(video=True) as detect:
        yield from map(detect, pictures)
