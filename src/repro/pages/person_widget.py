"""A person to turn, repose and re-dress: sliders in a live notebook, and strips that move without a kernel."""

import io
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import ipywidgets as widgets
import numpy as np
from IPython.display import HTML
from PIL import Image
from torch import Tensor

from repro.checks import require_choice
from repro.data.studio.identity import Identity
from repro.data.studio.pose import articulate, grounded
from repro.data.studio.skeleton import Pose
from repro.pages.figures import image_array, image_row
from repro.pages.strip import slider_strip
from repro.pages.studio import Sitter

SIZE = (128, 104)
"""Height and width of the picture: small enough to be drawn anew while a slider moves."""
OWN = ("body", "hair", "body colours", "face", "beard")
"""Purposes of random numbers that belong to the person; all others to the clothes."""
POSES: dict[str, dict[str, float]] = {
    "standing": {"right_shoulder_abduct": 14, "left_shoulder_abduct": 14, "right_elbow": 15, "left_elbow": 15},
    "hand on hip": {
        "right_shoulder_abduct": 14, "right_elbow": 10, "left_shoulder_abduct": 42, "left_shoulder_twist": 55,
        "left_elbow": 95, "left_wrist_flex": 10, "sway": 3, "neck_tilt": 4,
    },
    "waving": {
        "right_shoulder_abduct": 105, "right_shoulder_twist": -80, "right_elbow": 75, "left_shoulder_abduct": 14,
        "neck_tilt": 6,
    },
    "a step": {
        "right_hip_flex": 25, "right_knee": 30, "left_hip_flex": -8, "left_knee": 5, "left_shoulder_flex": 30,
        "left_elbow": 40, "right_shoulder_flex": -25, "right_elbow": 20, "right_shoulder_abduct": 14,
        "left_shoulder_abduct": 14,
    },
    "on one leg": {
        "left_hip_flex": 70, "left_knee": 95, "right_shoulder_abduct": 60, "left_shoulder_abduct": 60,
        "right_elbow": 20, "left_elbow": 20,
    },
    "hands forward": {
        "right_shoulder_flex": 80, "left_shoulder_flex": 80, "right_shoulder_abduct": 10, "left_shoulder_abduct": 10,
        "right_elbow": 20, "left_elbow": 20,
    },
}  # fmt: skip
"""Names of poses and their angles in degrees; the legs stay within what a skirt allows or show where it does not."""


@dataclass(frozen=True)
class Redressed(Identity):
    """A person of a set in the clothes that were drawn for the number ``clothes``: body, hair and face stay."""

    clothes: int = 0

    def rng(self, *purpose: str | int) -> np.random.Generator:
        """Return the generator of a purpose: the person's own, or that of whoever's clothes these are."""
        number = self.index if purpose[0] in OWN else self.clothes
        return Identity(self.dataset, self.split, number).rng(*purpose)


@lru_cache(16)
def dressed(index: int, clothes: int, detail: str = "low") -> Sitter:
    """Return training person ``index`` in clothes ``clothes``; their own are those of their own number."""
    return Sitter.of(Redressed("fashion", "train", index, clothes), detail)


def posed(sitter: Sitter, pose: str = "standing", arms: int = 0) -> Pose:
    """Return a pose of ``POSES`` on the ground, both arms raised to the side by at least ``arms`` degrees."""
    angles = dict(POSES[require_choice("pose", pose, tuple(POSES))])
    for name in ("right_shoulder_abduct", "left_shoulder_abduct"):
        angles[name] = max(angles.get(name, 0.0), float(arms))
    return grounded(sitter.mesh, articulate(angles))


def draw(
    index: int,
    azimuth: int = 30,
    pose: str = "standing",
    arms: int = 0,
    clothes: int | None = None,
    detail: str = "low",
) -> Tensor:
    """Return a picture (3, height, width) of a training person of the studio, as large as ``SIZE``.

    Args:
        index: who.
        azimuth: degrees from which they are seen, 0 = from the front, 90 = from their left.
        pose: one of ``POSES``.
        arms: degrees, both arms are raised to the side at least so far, 0 to 170.
        clothes: number of the clothes; None = their own.
        detail: of the mesh, "low" or "full".
    """
    sitter = dressed(index, index if clothes is None else clothes, detail)
    return sitter.photograph([posed(sitter, pose, arms)], [sitter.camera(np.deg2rad(azimuth))], SIZE)[0].image


def person_sliders(index: int, clothes: int = 20) -> widgets.Widget:
    """Return a picture of training person ``index`` with sliders: turn, pose, arms, clothes.

    It needs a live kernel; :func:`person_strips` is what a page shows without one.

    Args:
        index: who; also the clothes that they wear first.
        clothes: how many others' clothes there are to choose among, from number 0.
    """
    controls: dict[str, widgets.Widget] = {
        "azimuth": widgets.IntSlider(30, 0, 345, 15, description="turn, °"),
        "pose": widgets.Dropdown(options=list(POSES), description="pose"),
        "arms": widgets.IntSlider(0, 0, 150, 10, description="raise arms, °"),
        "clothes": widgets.IntSlider(index, 0, max(index, clothes), 1, description="clothes"),
    }
    picture = widgets.Image(format="png", width=2 * SIZE[1], height=2 * SIZE[0])

    def redraw(_change: object = None) -> None:
        picture.value = _png(draw(index, **{name: control.value for name, control in controls.items()}))

    for control in controls.values():
        control.observe(redraw, names="value")
    redraw()
    return widgets.HBox([picture, widgets.VBox(list(controls.values()))])


def person_strips(index: int, clothes: Iterable[int]) -> HTML:
    """Return three sliders that move without a kernel: the person turned, posed, and in other clothes.

    Args:
        index: who, a training person.
        clothes: numbers of the clothes in the third strip, after their own.
    """
    turns, others = range(0, 360, 30), [number for number in clothes if number != index]
    series = {
        "turned": [(f"from {azimuth} degrees", draw(index, azimuth, detail="full")) for azimuth in turns],
        "posed": [(pose, draw(index, pose=pose, detail="full")) for pose in POSES]
        + [("arms up", draw(index, arms=140, detail="full"))],
        "dressed": [("own clothes", draw(index, detail="full"))]
        + [(f"clothes {number}", draw(index, clothes=number, detail="full")) for number in others],
    }
    strips = [
        slider_strip(
            ((label, image_row({"": picture}, height=1.6)) for label, picture in pictures),
            alt=f"a procedural person, {what}",
            dpi=112,
        ).data
        for what, pictures in series.items()
    ]
    return HTML('<div style="display:flex;flex-wrap:wrap;gap:1.5rem">' + "".join(strips) + "</div>")


def _png(image: Tensor) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.round(255 * image_array(image)).astype(np.uint8)).save(buffer, format="png")
    return buffer.getvalue()
