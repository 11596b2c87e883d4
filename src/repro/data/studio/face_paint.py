"""The painted face: eyes, brows, nostrils, lips and cheeks as a function of the undeformed rest position.

Because a surface point keeps its rest position, the paint moves with the head. Lengths are parts of the head's height
(chin to crown), the unit in which the skull is modelled.
"""

from dataclasses import dataclass

import torch
from numpy.random import Generator
from torch import Tensor

from repro.data.studio.palette import BodyColours


@dataclass(frozen=True)
class Face:
    """Where and how one face is painted.

    Attributes:
        unit: height of the head, metres.
        eye, nose, mouth: rest positions (3,) of the left eye (x > 0; the right eye is its mirror image), the tip of
            the nose, the middle of the mouth.
        colours: skin, lips, brows, iris.
        brow: thickness of the brows; lip: fullness of the lips; blush, beard: strengths in [0, 1].
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


def random_style(rng: Generator, bearded: bool) -> dict[str, float]:
    """Return the strengths of one person's face: brow, lip, blush, beard."""
    return {
        "brow": float(rng.uniform(0.014, 0.026)),
        "lip": float(rng.uniform(0.028, 0.045)),
        "blush": float(rng.uniform(0.05, 0.35)),
        "beard": float(rng.uniform(0.35, 0.85)) if bearded else 0.0,
    }


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
    unit = face.unit
    soft = torch.as_tensor(softness, dtype=rest.dtype, device=rest.device) / unit
    colours = {
        name: torch.as_tensor(getattr(face.colours, name), dtype=rest.dtype, device=rest.device)
        for name in ("lips", "brows", "iris")
    }
    front = rest[:, 2] > 0.25 * float(face.eye[2])
    side = rest[:, 0].abs() / unit
    height = rest[:, 1] / unit

    def inside(depth: Tensor) -> Tensor:
        """Coverage of a shape from the signed depth inside it: an edge as wide as a sample."""
        return (depth / soft + 0.5).clamp(0, 1) * front

    def over(below: Tensor, coverage: Tensor, colour: Tensor) -> Tensor:
        return below + coverage[:, None] * (colour - below)

    eye_x, eye_y = float(face.eye[0]) / unit, float(face.eye[1]) / unit
    nose_y, mouth_y = float(face.nose[1]) / unit, float(face.mouth[1]) / unit
    dx, dy = side - eye_x, height - eye_y
    paint = skin

    if face.beard:
        # Cheeks and chin below a line that falls from the ears to the mouth; the lips are painted later.
        jaw = mouth_y + 0.075 + 5.4 * (side - 0.08).clamp(min=0) ** 2 - height
        paint = over(paint, face.beard * 0.8 * inside(jaw), colours["brows"] * 0.9)
    # Cheeks: a soft blush.
    cheek = torch.exp(-((side - 0.21) ** 2 + (height - nose_y - 0.01) ** 2) / 0.006) * front
    paint = over(paint, 0.6 * face.blush * cheek, colours["lips"])
    # Sockets and the sides of the nose lie in a slight shade.
    socket = torch.exp(-((dx / 0.085) ** 2) - ((dy - 0.02) / 0.05) ** 2) * front
    bridge = torch.exp(-(((side - 0.05) / 0.018) ** 2) - ((height - nose_y - 0.05) / 0.09) ** 2) * front
    paint = paint * (1 - 0.16 * socket - 0.08 * bridge)[:, None]

    # Eyes: an almond of white, iris, pupil, highlight, and the line of the upper lid.
    opening = 0.036 * (1 - (dx / 0.078) ** 2)
    almond = torch.minimum(opening - dy, opening * 0.8 + dy)
    white = torch.tensor([0.96, 0.95, 0.93], dtype=rest.dtype, device=rest.device)
    black = torch.tensor([0.08, 0.06, 0.06], dtype=rest.dtype, device=rest.device)
    paint = over(paint, inside(almond), white)
    radius = torch.sqrt(dx**2 + (dy - 0.003) ** 2)
    open_eye = inside(almond)
    paint = over(paint, open_eye * inside(0.036 - radius), colours["iris"])
    paint = over(paint, open_eye * inside(0.016 - radius), black)
    glint = torch.sqrt((dx - 0.012) ** 2 + (dy - 0.014) ** 2)
    paint = over(paint, 0.9 * open_eye * inside(0.008 - glint), white)
    lid = 0.012 - (dy - opening - 0.004).abs()
    paint = over(paint, 0.85 * inside(torch.minimum(lid, 0.088 - dx.abs())), black)

    # Brows: an arch that thins outwards.
    arch = 0.105 - 1.6 * (dx + 0.005) ** 2
    brow = face.brow * (1 - 3.5 * dx.clamp(min=0)) - (dy - arch).abs()
    paint = over(paint, 0.9 * inside(torch.minimum(brow, 0.105 - dx.abs())), colours["brows"])

    # Nostrils.
    nostril = 0.016 - torch.sqrt((side - 0.034) ** 2 + (1.5 * (height - nose_y + 0.045)) ** 2)
    paint = over(paint, 0.55 * inside(nostril), black)

    # Lips: the upper one with a cupid's bow, the lower one fuller, a dark line between.
    down = height - mouth_y
    taper = (1 - (side / 0.125) ** 2).clamp(min=0)
    upper = face.lip * taper * (0.8 - 0.25 * torch.cos(side * 45)) - down
    lower = face.lip * 1.25 * taper + down
    lips = torch.minimum(torch.minimum(upper, lower), 0.125 - side)
    paint = over(paint, 0.85 * inside(lips), colours["lips"])
    gap = torch.minimum(0.006 - (down + 0.008 * torch.cos(side * 20)).abs(), 0.115 - side)
    return over(paint, 0.6 * inside(gap), colours["lips"] * 0.45)
