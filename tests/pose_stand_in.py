"""A stand-in for mediapipe, which only some environments have."""

import sys
from types import ModuleType, SimpleNamespace

NETWORK = "mediapipe.python.solutions.pose"


def absent(monkeypatch):
    """Let mediapipe be missing, also where it is installed and was used before."""
    monkeypatch.setitem(sys.modules, NETWORK, None)


def pretend(monkeypatch, answers):
    """Put a mediapipe into place whose landmarks are what ``answers`` yields, one picture after the other.

    Returns:
        A list that fills with what it was asked: its options, the shape of each picture, "closed".
    """
    answers, asked = iter(answers), []

    class Pose:
        def __init__(self, static_image_mode, model_complexity):
            asked.append((static_image_mode, model_complexity))

        def process(self, picture):
            asked.append(picture.shape)
            marks = next(answers)
            return SimpleNamespace(pose_landmarks=marks and SimpleNamespace(landmark=marks))

        def close(self):
            asked.append("closed")

    module = ModuleType(NETWORK)
    module.Pose = Pose
    monkeypatch.setitem(sys.modules, NETWORK, module)
    for name in ("mediapipe", "mediapipe.python", "mediapipe.python.solutions"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    return asked


def landmarks(step=40, **changes):
    """Return 33 landmarks; number i lies at (i + 1) / step of the width and height. ``_16={"y": 0.5}`` changes one."""
    found = [SimpleNamespace(x=(i + 1) / step, y=(i + 1) / step, visibility=0.9) for i in range(33)]
    for index, change in changes.items():
        vars(found[int(index[1:])]).update(change)
    return found
