"""A person who can be moved: gestures and single joints change the pose, and the network's answer follows."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import ipywidgets as widgets
import torch
from IPython.display import HTML
from matplotlib.figure import Figure
from torch import Tensor

from repro.checks import require_choice
from repro.data.joints import JOINTS, MISSING, is_missing
from repro.data.own_photograph import Photograph
from repro.data.studio.people_set import FACE_JOINTS, detail
from repro.data.studio.pose import articulate, grounded
from repro.data.studio.render import View
from repro.experiments.generation import Generator, Reposing, generate
from repro.experiments.own_person import OwnPerson
from repro.models import Output
from repro.pages.panel import panel
from repro.pages.strip import slider_strip
from repro.pages.studio import Sitter

DPI = 60
"""Of a frame: drawn anew while a slider moves."""
Moves = Mapping[str, tuple[int, int]]
"""Joint -> (down, right), whole pixels."""


@dataclass(frozen=True)
class Gesture:
    """A movement with one number: degrees, and how much of them each anatomical angle takes."""

    low: int
    high: int
    start: int
    angles: Mapping[str, float]


GESTURES = {
    "raise left arm": Gesture(14, 150, 14, {"left_shoulder_abduct": 1}),
    "bend left elbow": Gesture(0, 140, 15, {"left_elbow": 1}),
    "raise right arm": Gesture(14, 150, 14, {"right_shoulder_abduct": 1}),
    "bend right elbow": Gesture(0, 140, 15, {"right_elbow": 1}),
    "step": Gesture(0, 60, 0, {"right_hip_flex": 1, "right_knee": 1.2, "left_hip_flex": -0.25}),
    "lean": Gesture(-15, 15, 0, {"sway": 1}),
    "turn": Gesture(-180, 180, 0, {"turn": 1}),
}


@dataclass(frozen=True)
class Stage:
    """A person of the studio before a camera that stands still, and the network that knows one photograph of them.

    Attributes:
        sitter: who.
        generator: the network.
    """

    sitter: Sitter
    generator: Generator

    @classmethod
    def of(cls, index: int, generator: Generator) -> "Stage":
        """Return the stage of held-out person ``index`` of the fashion set."""
        return cls(Sitter.invite("test", index, detail(generator.size)), generator)

    def photograph(self, gestures: Mapping[str, float]) -> View:
        """Return the studio's own picture of a pose: gesture -> degrees, those not named as at the start."""
        for name in gestures:
            require_choice("gesture", name, tuple(GESTURES))
        angles = {
            angle: factor * gestures.get(name, gesture.start)
            for name, gesture in GESTURES.items()
            for angle, factor in gesture.angles.items()
        }
        pose = grounded(self.sitter.mesh, articulate(angles))
        return self.sitter.photograph([pose], [self.sitter.camera()], self.generator.size)[0]

    def joints(self, gestures: Mapping[str, float]) -> Tensor:
        """Return the joints (18, 2) of a pose, (row, column), as the set has them: a hidden face is missing."""
        view = self.photograph(gestures)
        hidden = torch.zeros(len(JOINTS), dtype=torch.bool)
        hidden[list(FACE_JOINTS)] = ~view.visible[list(FACE_JOINTS)]
        return view.joints2d.masked_fill(hidden[:, None], MISSING)

    @cached_property
    def source(self) -> OwnPerson:
        """The photograph that the network knows: the person before any gesture, and their joints."""
        photograph = Photograph(self.photograph({}).image, self.generator.size, (0, 0, *self.generator.size))
        return OwnPerson(photograph, self.joints({}), [])

    def ask(self, joints: Tensor) -> tuple[Reposing, Output]:
        """Return the person asked for a pose (18, 2), and what the network answers."""
        scene = Reposing(self.source, joints, 1.0, [])
        return scene, generate(scene, self.generator)

    def show(self, joints: Tensor) -> Figure:
        """Return the answer as a figure: source, pose, result, flow, visibility, attention."""
        scene, output = self.ask(joints)
        return panel(scene, self.generator, output)


def moved(joints: Tensor, moves: Moves, size: tuple[int, int]) -> Tensor:
    """Return joints (18, 2) with some of them elsewhere, the others where they were.

    Args:
        joints: (row, column), -1 missing: a missing joint cannot be moved.
        moves: joint -> (down, right) in pixels; where that leads out of the picture, its edge.
        size: (H, W) of the picture.
    """
    places = joints.clone()
    missing = is_missing(joints)
    for name, by in moves.items():
        joint = JOINTS.index(require_choice("joint", name, JOINTS))
        if not missing[joint]:
            place = joints[joint] + torch.tensor(by, dtype=joints.dtype)
            places[joint] = place.clamp(joints.new_zeros(2), joints.new_tensor(size) - 1)
    return places


class Controls:
    """Sliders for the gestures and for any single joint, a reset, and the picture that follows them.

    It needs a live kernel; :func:`strips` is what a page shows without one.

    Attributes:
        gestures: name -> slider.
        joint: which joint the two sliders of ``shift`` (down, right) move; each joint keeps its own.
        reset: back to the start.
        picture: WebP of :meth:`Stage.show`.
        box: all of them, to display.
    """

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.moves: dict[str, tuple[int, int]] = {}
        self.gestures = {name: _slider(f"{name}, °", one.low, one.high, one.start) for name, one in GESTURES.items()}
        reach = stage.generator.size[0] // 2
        self.joint = widgets.Dropdown(options=JOINTS, value="left_wrist", description="joint")
        self.shift = [_slider(f"{name}, px", -reach, reach, 0) for name in ("down", "right")]
        self.reset = widgets.Button(description="reset")
        self.picture = widgets.Image(format="webp")
        self._silent = False
        for slider in self.gestures.values():
            slider.observe(self._redraw, names="value")
        for slider in self.shift:
            slider.observe(self._shifted, names="value")
        self.joint.observe(self._chosen, names="value")
        self.reset.on_click(self._restart)
        self._redraw()
        column = widgets.VBox([*self.gestures.values(), self.joint, *self.shift, self.reset])
        self.box = widgets.HBox([self.picture, column])

    @property
    def joints(self) -> Tensor:
        """The pose (18, 2) that is asked for."""
        angles = {name: slider.value for name, slider in self.gestures.items()}
        return moved(self.stage.joints(angles), self.moves, self.stage.generator.size)

    def _redraw(self, _change: object = None) -> None:
        if not self._silent:
            stream = io.BytesIO()
            self.stage.show(self.joints).savefig(stream, format="webp", dpi=DPI, facecolor="white")
            self.picture.value = stream.getvalue()

    def _shifted(self, _change: object) -> None:
        if not self._silent:
            self.moves[self.joint.value] = (self.shift[0].value, self.shift[1].value)
            self._redraw()

    def _chosen(self, _change: object) -> None:
        """Another joint: the two sliders say where it is, and nothing moves."""
        self._silently(dict(zip(self.shift, self.moves.get(self.joint.value, (0, 0)))))

    def _restart(self, _button: object) -> None:
        self.moves.clear()
        start = {slider: GESTURES[name].start for name, slider in self.gestures.items()}
        self._silently(start | dict.fromkeys(self.shift, 0))
        self._redraw()

    def _silently(self, values: Mapping[widgets.Widget, int]) -> None:
        self._silent = True
        for slider, value in values.items():
            slider.value = value
        self._silent = False


def strips(stage: Stage, gestures: Mapping[str, Sequence[int]], moves: Mapping[str, Sequence[tuple[int, int]]]) -> HTML:
    """Return sliders that move without a kernel, each over one gesture or one joint alone.

    Args:
        stage: who, and the network.
        gestures: gesture -> degrees of its frames.
        moves: joint -> (down, right) of its frames.
    """
    start = stage.joints({})
    series = {
        name: [(f"{name}: {value}°", stage.joints({name: value})) for value in values]
        for name, values in gestures.items()
    } | {
        joint: [
            (f"{joint.replace('_', ' ')}: {_way(by)}", place)
            for by in values
            for place in [moved(start, {joint: by}, stage.generator.size)]
        ]
        for joint, values in moves.items()
    }
    parts = [
        slider_strip(
            ((label, stage.show(joints)) for label, joints in frames),
            alt=f"pose and answer, {name}",
            start=len(frames) // 2,
            dpi=DPI,
        )
        for name, frames in series.items()
    ]
    return HTML('<div style="display:grid;gap:1.5rem">' + "".join(part.data for part in parts) + "</div>")


def _way(by: tuple[int, int]) -> str:
    """A move in words."""
    (down, right), parts = by, []
    if down:
        parts.append(f"{abs(down)} px {'down' if down > 0 else 'up'}")
    if right:
        parts.append(f"{abs(right)} px {'right' if right > 0 else 'left'}")
    return ", ".join(parts) or "where it was"


def _slider(description: str, low: int, high: int, start: int) -> widgets.IntSlider:
    return widgets.IntSlider(start, low, high, 1, description=description, style={"description_width": "9em"})
