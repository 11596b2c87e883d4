"""ASF/AMC files, as the CMU database has them: one file with the skeleton, one with the angles of each frame."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from repro.data.mocap.capture import Capture, product, turned
from repro.data.mocap.text import Reader
from repro.data.studio.tubes import Array

DOFS = ("tx", "ty", "tz", "rx", "ry", "rz")


@dataclass
class _Bone:
    """A bone of the ASF file; the root is one without a length."""

    name: str
    dofs: list[str] = field(default_factory=list)
    vector: Array = field(default_factory=lambda: np.zeros(3))
    """From the bone's start to its end at rest."""
    axes: Array = field(default_factory=lambda: np.eye(3))
    """The bone's own axes, in which its angles turn."""
    parent: str = ""


@dataclass
class _Skeleton:
    bones: dict[str, _Bone]
    position: list[float]
    radians: float
    """What one unit of an angle is."""


def read_asf_amc(asf: str | Path, amc: str | Path, fps: float = 120.0) -> Capture:
    r"""Return the capture of a skeleton and its motion.

    .. math:: R_{world} = R_{parent}\, C\, M\, C^{-1}

    with the bone's axes C and the turn M about them, the angle named first applied first. Limits of the angles are
    checked in form and not applied: recorded motion passes them.

    Args:
        asf: the skeleton.
        amc: the motion.
        fps: frames per second, which the files do not say; CMU records 120 except where its index says otherwise.

    Raises:
        FileNotFoundError: no such file.
        DataError: anything that is wrong in them, with the line: an unknown section, bone or degree of freedom, a wrong
            count of values, something that is no number, a frame that lacks a bone, an end in the middle of a frame.
    """
    skeleton = _read_asf(Reader(asf, comment="#"))
    values = _read_amc(Reader(amc, comment="#"), skeleton)
    bones = list(skeleton.bones.values())
    number = {bone.name: index for index, bone in enumerate(bones)}
    last = [bone for bone in bones if not any(other.parent == bone.name for other in bones)]
    names = [bone.name for bone in bones] + [f"{bone.name}_end" for bone in last]
    parents = [number.get(bone.parent, -1) for bone in bones] + [number[bone.name] for bone in last]
    vectors = [bones[parent].vector if parent >= 0 else np.array(skeleton.position) for parent in parents]
    offsets = np.stack(vectors)
    frames = len(values["root"])
    rotations = np.broadcast_to(np.eye(3), (frames, len(names), 3, 3)).copy()
    steps = np.broadcast_to(offsets, (frames, len(names), 3)).copy()
    for index, bone in enumerate(bones):
        own = values[bone.name]
        turns = [place for place, dof in enumerate(bone.dofs) if dof[0] == "r"][::-1]
        turn = turned([bone.dofs[place][1] for place in turns], own[:, turns] * skeleton.radians)
        rotations[:, index] = product(product(bone.axes, turn), bone.axes.T)
        for place, dof in enumerate(bone.dofs):
            if dof[0] == "t":
                steps[:, index, "xyz".index(dof[1])] += own[:, place]
    return Capture(tuple(names), tuple(parents), offsets, rotations, steps, float(fps))


def _read_asf(reader: Reader) -> _Skeleton:
    """Read the skeleton; bones stand in an order in which parents come first."""
    skeleton = _Skeleton({}, [0.0, 0.0, 0.0], np.pi / 180)
    hierarchy = False
    while reader.left:
        words = reader.line("a section")
        match words[0].lower():
            case ":version" | ":name":
                pass
            case ":documentation":
                while reader.left and not reader.peek().startswith(":"):
                    reader.line("documentation")
            case ":units":
                _units(reader, skeleton)
            case ":root":
                _root(reader, skeleton)
            case ":bonedata":
                _bones(reader, skeleton)
            case ":hierarchy":
                _hierarchy(reader, skeleton)
                hierarchy = True
            case ":skin":  # surfaces, which say nothing about the motion
                break
            case _:
                reader.fail("unknown section", f"{words[0]!r}: expected :units, :root, :bonedata or :hierarchy")
    if "root" not in skeleton.bones or not hierarchy:
        reader.fail("truncated file", "expected the sections :root, :bonedata and :hierarchy")
    ordered = ["root"]
    for name in ordered:
        ordered += [bone.name for bone in skeleton.bones.values() if bone.parent == name]
    if lost := sorted(set(skeleton.bones) - set(ordered)):
        reader.fail("bone outside the hierarchy", ", ".join(lost))
    skeleton.bones = {name: skeleton.bones[name] for name in ordered}
    return skeleton


def _units(reader: Reader, skeleton: _Skeleton) -> None:
    while reader.left and not reader.peek().startswith(":"):
        words = reader.line("a unit")
        if words[0].lower() == "angle":
            kind = " ".join(words[1:]).lower()
            if kind not in ("deg", "degree", "degrees", "rad", "radian", "radians"):
                reader.fail("unknown unit", f"expected angle deg or rad, got {kind!r}")
            skeleton.radians = np.pi / 180 if kind.startswith("deg") else 1.0
        elif words[0].lower() in ("mass", "length"):
            reader.numbers(words[1:], 1, f"values of {words[0]}")
        else:
            reader.fail("unknown unit", f"expected mass, length or angle, got {words[0]!r}")


def _root(reader: Reader, skeleton: _Skeleton) -> None:
    root = _Bone("root")
    axis, orientation = "XYZ", [0.0, 0.0, 0.0]
    while reader.left and not reader.peek().startswith(":"):
        words = reader.line("the root")
        match words[0].lower():
            case "order":
                root.dofs = _dofs(reader, words[1:])
            case "axis":
                axis = _axis(reader, words[1:])
            case "position":
                skeleton.position = reader.numbers(words[1:], 3, "values of the root's position")
            case "orientation":
                orientation = reader.numbers(words[1:], 3, "values of the root's orientation")
            case _:
                reader.fail("unknown word", f"expected order, axis, position or orientation, got {words[0]!r}")
    root.axes = _own_axes(axis, orientation, skeleton.radians)
    skeleton.bones["root"] = root


def _bones(reader: Reader, skeleton: _Skeleton) -> None:
    while reader.peek() == "begin":
        reader.line("begin")
        bone, direction, length, limits = _Bone(""), np.zeros(3), 0.0, 0
        while (words := reader.line("the end of a bone"))[0] != "end":
            match words[0].lower():
                case "id" | "bodymass" | "cofmass":
                    reader.numbers(words[1:], 1, f"values of {words[0]}")
                case "name":
                    bone.name = words[-1]
                    if len(words) != 2 or bone.name in skeleton.bones:
                        reader.fail("bone named twice or not at all", " ".join(words))
                case "direction":
                    direction = np.array(reader.numbers(words[1:], 3, f"values in the direction of {bone.name}"))
                case "length":
                    (length,) = reader.numbers(words[1:], 1, f"values in the length of {bone.name}")
                case "axis":
                    angles = reader.numbers(words[1:4], 3, f"angles in the axis of {bone.name}")
                    bone.axes = _own_axes(_axis(reader, words[4:]), angles, skeleton.radians)
                case "dof":
                    bone.dofs = _dofs(reader, words[1:])
                case "limits":
                    limits += _limit(reader, words[1:])
                case word if word.startswith("("):
                    limits += _limit(reader, words)
                case _:
                    reader.fail("unknown word", f"in bone {bone.name!r}: {words[0]!r}")
        if not bone.name or length < 0:
            reader.fail("bone without a name or with a negative length", f"{bone.name!r}, length {length:g}")
        if limits not in (0, len(bone.dofs)):
            reader.fail("wrong number of limits", f"{bone.name}: expected {len(bone.dofs)}, got {limits}")
        # Directions are given with few digits: made one long, so that the length alone decides.
        norm = float(np.linalg.norm(direction))
        if norm == 0:
            reader.fail("bone without a direction", bone.name)
        bone.vector = direction / norm * length
        skeleton.bones[bone.name] = bone


def _hierarchy(reader: Reader, skeleton: _Skeleton) -> None:
    if reader.line("begin")[0] != "begin":
        reader.fail("unknown word", f"expected begin, got {reader.words[0]!r}")
    while (words := reader.line("the end of the hierarchy"))[0] != "end":
        for name in words:
            if name not in skeleton.bones:
                reader.fail("unknown bone", f"{name!r} has no begin ... end in :bonedata")
        for name in words[1:]:
            if name == "root" or skeleton.bones[name].parent:
                reader.fail("bone with two parents", name)
            skeleton.bones[name].parent = words[0]


def _read_amc(reader: Reader, skeleton: _Skeleton) -> dict[str, Array]:
    """Return bone -> values (T, dofs)."""
    counts = {bone.name: len(bone.dofs) for bone in skeleton.bones.values()}
    moving = {name for name, count in counts.items() if count}
    while reader.peek().startswith(":"):
        words = reader.line("a setting")
        if words[0].lower() in (":degrees", ":radians"):
            skeleton.radians = np.pi / 180 if words[0].lower() == ":degrees" else 1.0
    frames: list[dict[str, list[float]]] = []
    while reader.left:
        words = reader.line("the number of a frame")
        if words != [str(len(frames) + 1)]:
            reader.fail("wrong frame number", f"expected {len(frames) + 1}, got {' '.join(words)[:40]!r}")
        frame: dict[str, list[float]] = {}
        while len(frame) < len(moving):
            missing = ", ".join(sorted(moving - set(frame))[:3])
            words = reader.line(f"the bones of frame {len(frames) + 1} that are still missing: {missing}")
            name = words[0]
            if name.isdigit():
                reader.fail("frame that lacks a bone", f"frame {len(frames) + 1}: {missing}")
            if name not in counts:
                reader.fail("unknown bone", f"{name!r} is not in the skeleton")
            if name in frame:
                reader.fail("bone twice in a frame", f"frame {len(frames) + 1}: {name}")
            frame[name] = reader.numbers(words[1:], counts[name], f"values of {name} in frame {len(frames) + 1}")
        frames.append(frame)
    if not frames:
        reader.fail("truncated file", "expected at least one frame")
    return {name: np.array([frame.get(name, []) for frame in frames]) for name in counts}


def _dofs(reader: Reader, words: list[str]) -> list[str]:
    names = [word.lower() for word in words]
    if len(set(names)) != len(names) or any(name not in DOFS for name in names):
        reader.fail("unknown degree of freedom", f"expected each of {', '.join(DOFS)} at most once, got {words}")
    return names


def _axis(reader: Reader, words: list[str]) -> str:
    if len(words) != 1 or sorted(words[0].upper()) != ["X", "Y", "Z"]:
        reader.fail("unknown order of axes", f"expected X, Y and Z in some order, got {' '.join(words)!r}")
    return words[0].lower()


def _limit(reader: Reader, words: list[str]) -> int:
    """Check ``(low high)`` and return 1."""
    text = " ".join(words)
    if not (text.startswith("(") and text.endswith(")")):
        reader.fail("damaged limits", f"expected (LOW HIGH), got {text!r}")
    # Without a limit the file says inf, which is no finite number.
    reader.numbers([word if "inf" not in word else "0" for word in text[1:-1].split()], 2, "limits")
    return 1


def _own_axes(axis: str, angles: list[float], radians: float) -> Array:
    """The bone's axes as a matrix: turned about the axis named first, then the second, then the third."""
    return turned(axis[::-1].lower(), np.array(angles[::-1]) * radians)
