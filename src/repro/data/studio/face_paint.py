"""The painted face: eyes, lids, brows, nose, lips, cheeks, beard as a function of the undeformed rest position.

Because a surface point keeps its rest position, the paint moves with the head. Lengths are parts of the head's height
(chin to crown), the unit in which the skull is modelled. Edges are as wide as a sample and keep the area of what they
bound, so that at 64 pixels eyes and lips neither vanish nor swell.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from repro.data.studio.palette import BodyColours

EYE_WIDTH, EYE_UP, EYE_DOWN = 0.072, 0.031, 0.023
"""Half the length of the opening between the lids, and how far the lids stand above and below the pupil."""
LIP_WIDTH = 0.115
"""Half the length of the mouth."""
Numbers = TypeVar("Numbers", Tensor, NDArray[np.float64])
WHITE, BLACK = (0.91, 0.89, 0.87), (0.07, 0.05, 0.05)


@dataclass(frozen=True)
class Face:
    """Where and how one face is painted.

    Attributes:
        unit: height of the head, metres.
        eye, nose, mouth: rest positions (3,) of the left eye (x > 0; the right eye is its mirror image), the tip of
            the nose, the middle of the mouth.
        colours: skin, lips, brows, iris.
        brow: thickness of the brows; lip: fullness of the lips; both lengths.
        blush, beard: strengths in [0, 1]; a weak beard is stubble.
        reach: how far to the side the beard grows: about 0.1 a goatee, 0.4 up to the ears.
        lash, rouge, crease: strengths in [0, 1] of lashes, colour of the lips, folds of the skin.
        shadow: strength in [0, 1] of painted light and shadow: 1 on a plain head, less where the relief is modelled.
    """

    unit: float
    eye: Tensor
    nose: Tensor
    mouth: Tensor
    colours: BodyColours
    brow: float = 0.018
    lip: float = 0.035
    blush: float = 0.2
    beard: float = 0.0
    reach: float = 0.4
    lash: float = 0.7
    rouge: float = 0.7
    crease: float = 0.4
    shadow: float = 1.0


def random_style(rng: Generator, bearded: bool) -> dict[str, float]:
    """Return the strengths of one person's face, keyword arguments of :class:`Face`."""
    style = {
        "brow": float(rng.uniform(0.013, 0.023)),
        "lip": float(rng.uniform(0.028, 0.045)),
        "blush": float(rng.uniform(0.05, 0.35)),
        "beard": float(rng.uniform(0.25, 0.9)) if bearded else 0.0,
    }
    goatee = rng.random() < 0.25
    style["reach"] = 0.11 if goatee else 0.42
    style["lash"] = float(rng.uniform(0.4, 0.6 if bearded else 0.85))
    style["rouge"] = float(rng.uniform(0.4, 0.6 if bearded else 0.85))
    style["crease"] = float(rng.uniform(0.1, 0.8))
    return style


def paint_face(rest: Tensor, skin: Tensor, face: Face, softness: float | Tensor) -> Tensor:
    """Return the albedo (N, 3) of head points.

    Args:
        rest: undeformed positions (N, 3), metres.
        skin: albedo before painting (N, 3).
        face: what to paint.
        softness: width of painted edges in metres, about one sample; scalar or (N,).

    Returns:
        (N, 3); points on the back of the head keep their skin.
    """
    canvas = _Canvas(rest, skin, face, softness)
    _skin(canvas, face)
    _nose(canvas, face)
    if face.beard:
        _beard(canvas, face)
    _mouth(canvas, face)
    _eyes(canvas, face)
    _brows(canvas, face)
    return canvas.paint


class _Canvas:
    """The points of a face in units of the head, and their colour so far.

    Attributes:
        side: (N,) distance from the middle, the same for both halves of the face; depth: (N,) to the front.
        eye_x, eye_y: (N,) from the eye's centre, outwards and up; nose_y, mouth_y: (N,) above the tip and the middle.
    """

    def __init__(self, rest: Tensor, skin: Tensor, face: Face, softness: float | Tensor) -> None:
        self.paint, self.shadow = skin, face.shadow
        self.soft = torch.as_tensor(softness, dtype=rest.dtype, device=rest.device) / face.unit
        self.front = (rest[:, 2] > 0.25 * float(face.eye[2])).to(rest.dtype)
        self.depth = rest[:, 2] / face.unit
        self.side, height = rest[:, 0].abs() / face.unit, rest[:, 1] / face.unit
        self.eye_x, self.eye_y = self.side - float(face.eye[0]) / face.unit, height - float(face.eye[1]) / face.unit
        self.nose_y, self.mouth_y = (height - float(point[1]) / face.unit for point in (face.nose, face.mouth))

    def over(self, coverage: Tensor, colour: object) -> None:
        """Lay a colour (3,) over the points with a coverage (N,)."""
        colour = torch.as_tensor(colour, dtype=self.paint.dtype, device=self.paint.device)
        self.paint = self.paint + (coverage * self.front)[:, None] * (colour - self.paint)

    def shade(self, strength: Tensor) -> None:
        """Darken (or, below zero, lighten) the skin by strengths (N,); its shadows are warmer than its lights."""
        warm = self.paint.new_tensor([0.8, 1.05, 1.1])
        self.paint = (self.paint * (1 - (self.shadow * strength * self.front)[:, None] * warm)).clamp(0, 1)

    def inside(self, depth: Tensor, feather: float = 0.0) -> Tensor:
        """Coverage from the signed depth inside a large shape, with an edge at least ``feather`` wide."""
        return (depth / (self.soft + feather) + 0.5).clamp(0, 1)

    def between(self, below: Tensor, above: Tensor, feather: float = 0.0) -> Tensor:
        """Coverage between two edges, from the signed depths inside each; however thin, its area is kept."""
        return (self.inside(below, feather) + self.inside(above, feather) - 1).clamp(min=0)

    def disc(self, x: Tensor, y: Tensor, radius: float) -> Tensor:
        """Coverage of a disc about the origin of x, y; the soft edge adds area, which is divided out."""
        reach = radius + self.soft / 2
        wide = radius**2 / (radius**2 + self.soft**2 / 12)
        narrow = 3 * radius**2 * self.soft / reach**3
        return self.inside(radius - torch.sqrt(x**2 + y**2)) * torch.where(self.soft < 2 * radius, wide, narrow)


def _bell(x: Tensor, y: Tensor, width: float, height: float) -> Tensor:
    """A soft spot: 1 in its middle, 0.37 at its width and height."""
    return torch.exp(-((x / width) ** 2) - (y / height) ** 2)


def _skin(canvas: _Canvas, face: Face) -> None:
    """Cheeks, the hollows around the eyes, the folds beside the mouth, the dent above the chin."""
    side, eye_x, eye_y, nose_y, mouth_y = canvas.side, canvas.eye_x, canvas.eye_y, canvas.nose_y, canvas.mouth_y
    canvas.over(0.55 * face.blush * _bell(side - 0.21, nose_y - 0.01, 0.085, 0.07), face.colours.lips)
    canvas.over(0.35 * face.blush * _bell(side, nose_y - 0.01, 0.05, 0.045), face.colours.lips)
    canvas.shade(0.20 * _bell(eye_x + 0.035, eye_y - 0.035, 0.055, 0.035))  # the inner corner under the brow
    canvas.shade(0.10 * _bell(eye_x, eye_y, 0.11, 0.06))
    canvas.shade((0.04 + 0.10 * face.crease) * _bell(eye_x + 0.01, eye_y + 0.052, 0.065, 0.018))
    canvas.shade(-0.05 * _bell(side, eye_y - 0.2, 0.16, 0.09))
    canvas.shade(-0.06 * _bell(eye_x - 0.03, eye_y + 0.1, 0.06, 0.04))  # cheekbones
    # From the wings of the nose to the corners of the mouth.
    fold = side - (0.085 + 0.35 * (0.13 - mouth_y).clamp(0, 0.17))
    canvas.shade(0.22 * face.crease * _bell(fold, mouth_y - 0.06, 0.016, 0.065))
    canvas.shade(0.12 * _bell(side, mouth_y + 0.075, 0.07, 0.018))
    canvas.shade(-0.05 * _bell(side, mouth_y + 0.125, 0.06, 0.03))


def _nose(canvas: _Canvas, face: Face) -> None:
    """The lit ridge, shaded flanks, wings and nostrils."""
    side, up = canvas.side, canvas.nose_y
    canvas.shade(-0.08 * _bell(side, up - 0.07, 0.016, 0.09))
    canvas.shade(0.13 * _bell(side - 0.048, up - 0.055, 0.018, 0.08))
    canvas.shade(-0.07 * _bell(side, up, 0.02, 0.018))  # the tip
    wing = torch.sqrt((side - 0.045) ** 2 + (1.1 * (up + 0.022)) ** 2) - 0.032
    canvas.shade(0.24 * _bell(wing, (side - 0.085).clamp(max=0), 0.008, 0.03) * canvas.inside(side - 0.05, 0.02))
    canvas.shade(0.20 * _bell(side, up + 0.062, 0.055, 0.012))  # the shadow below
    nostril = canvas.disc(0.75 * (side - 0.033), 1.4 * (up + 0.046), 0.014)
    canvas.over(0.55 * nostril, BLACK)
    canvas.shade(0.07 * _bell(side, up + 0.1, 0.012, 0.03))  # the groove above the lip


def lip_line(side: Numbers) -> Numbers:
    """Return where the lips meet, above the middle of the mouth: the middle of the upper lip hangs, the corners rise.

    Args:
        side: distance from the middle; beyond the corners the line stays level.
    """
    return 0.004 * (side / LIP_WIDTH).clip(0, 1) - 0.006 * 2.0 ** -((side / 0.025) ** 2)


def lids(x: Numbers) -> tuple[Numbers, Numbers]:
    """Return the edges of the upper and lower lid above the eye's centre, ``x`` being the distance outwards from it.

    The highest point of the upper lid lies towards the nose, the lowest of the other outwards; the corner tilts up.
    """
    t = x / EYE_WIDTH
    arch = (1 - t * t).clip(0, 1)
    return EYE_UP * arch * (1 - 0.18 * t) + 0.006 * t, -EYE_DOWN * arch * (1 + 0.2 * t) + 0.006 * t


def _beard(canvas: _Canvas, face: Face) -> None:
    """Hair below a line that falls from the ears to the mouth, thin at its borders; the lips are painted later."""
    side, mouth_y = canvas.side, canvas.mouth_y
    line = 0.080 + 4.6 * (side - 0.1).clamp(min=0) ** 2 - mouth_y
    cheek = canvas.inside(line, 0.035) * canvas.inside(face.reach - side, 0.05)
    cheek = cheek * canvas.inside(canvas.depth - 0.16, 0.08)  # it ends before the ears
    bare = _bell(side - 0.05, mouth_y + 0.06, 0.03, 0.02)  # beside the tuft under the lower lip
    colour = torch.as_tensor(face.colours.brows, dtype=side.dtype, device=side.device)
    canvas.over(0.85 * face.beard * cheek * (1 - 0.5 * bare), colour * 0.95)


def _mouth(canvas: _Canvas, face: Face) -> None:
    """The upper lip with a cupid's bow, the fuller lower one with its light, the dark line between them."""
    side, up = canvas.side, canvas.mouth_y
    lips = torch.as_tensor(face.colours.lips, dtype=side.dtype, device=side.device)
    t = (side / LIP_WIDTH).clamp(max=1)
    taper = (1 - t * t) * (1 - 0.25 * t)
    bow = 1 - 0.28 * torch.exp(-((side / 0.018) ** 2)) - 0.15 * t
    up = up - lip_line(side)
    upper = canvas.between(face.lip * taper * bow - up, up, 0.006)
    lower = canvas.between(-up, up + face.lip * 1.2 * taper, 0.008)
    canvas.shade(0.16 * _bell(side, up + 1.35 * face.lip, 0.06, 0.012))
    canvas.over((0.5 + 0.45 * face.rouge) * upper, lips * 0.88)
    canvas.over((0.5 + 0.45 * face.rouge) * lower, lips)
    canvas.shade(-0.10 * _bell(side, up + 0.6 * face.lip, 0.035, 0.008))
    thick = 0.0045 * (1 - t**4)
    canvas.over(0.75 * canvas.between(thick - up, thick + up), lips * 0.38)
    canvas.shade(0.2 * _bell(side - LIP_WIDTH, up + 0.004, 0.012, 0.012))


def _eyes(canvas: _Canvas, face: Face) -> None:
    """The white in the shadow of the lid, iris with its dark rim, pupil, glint; lashes and the fold of the lid."""
    x, y = canvas.eye_x, canvas.eye_y
    t = x / EYE_WIDTH
    upper, lower = lids(x)
    opening = canvas.between(upper - y, y - lower)
    iris = torch.as_tensor(face.colours.iris, dtype=x.dtype, device=x.device)

    near = canvas.inside(1.06 * EYE_WIDTH - x.abs())
    canvas.shade(0.10 * near * canvas.between(upper + 0.022 - y, y - upper, 0.01))  # the upper lid
    canvas.over(opening, WHITE)
    canvas.over(opening * (0.08 + 0.2 * t * t), (0.5, 0.42, 0.42))  # round: darker towards the corners
    canvas.over(opening * canvas.disc(x, y - 0.003, 0.033), iris * 0.55)
    canvas.over(opening * canvas.disc(x, y - 0.003, 0.029), iris)
    canvas.over(opening * canvas.disc(x, y - 0.003, 0.013), BLACK)
    canvas.shade(opening * 0.25 * canvas.inside(y - upper + 0.012, 0.012))
    canvas.over(0.8 * canvas.disc(x - 0.009, y - 0.014, 0.006), (1.0, 1.0, 1.0))

    lash = 0.003 + 0.006 * face.lash * (0.6 + 0.4 * t)
    canvas.over((0.55 + 0.4 * face.lash) * near * canvas.between(upper + lash - y, y - upper + 0.003), BLACK)
    canvas.shade(0.35 * near * canvas.between(lower + 0.002 - y, y - lower + 0.004))
    fold = y - (upper * 1.15 + 0.017)
    canvas.shade((0.18 + 0.14 * face.crease) * near * canvas.between(0.004 - fold, fold + 0.004, 0.004))


def _brows(canvas: _Canvas, face: Face) -> None:
    """An arch that rises to two thirds of its way and thins outwards; soft, as hair is."""
    x, y = canvas.eye_x, canvas.eye_y
    t = (x + 0.085) / 0.19  # 0 at the nose, 1 at the temple
    arch = 0.078 + 0.030 * torch.sin(2.3 * t.clamp(0, 1)) - 0.012 * t
    half = face.brow * (1 - 0.65 * t.clamp(0, 1) ** 2)
    length = canvas.inside(torch.minimum(t, 1 - t) * 0.19, 0.02)
    canvas.over(0.8 * length * canvas.between(half - (y - arch), half + (y - arch), 0.009), face.colours.brows)
