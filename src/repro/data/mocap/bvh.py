"""BVH files: a hierarchy of joints with channels in any order, then one line of numbers per frame."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from repro.data.mocap.capture import Capture, turned
from repro.data.mocap.text import Reader
from repro.data.studio.motion import Motion
from repro.data.studio.skeleton import BONES, PARENT, Skeleton
from repro.data.studio.tubes import Array

CHANNELS = tuple(f"{axis}{kind}" for kind in ("position", "rotation") for axis in "XYZ")


@dataclass
class _Joint:
    name: str
    parent: int
    offset: list[float]
    channels: list[str]


def read_bvh(path: str | Path) -> Capture:
    """Return the capture of a BVH file.

    Convention: a joint's rotation is the product of its rotation channels in the order in which the file names them;
    position channels replace the offset. Angles are degrees.

    Raises:
        FileNotFoundError: no such file.
        DataError: anything that is wrong in it, with the line: an unknown word or channel, a joint named twice, a wrong
            count of values, something that is no number, fewer or more frames than announced.
    """
    reader = Reader(path)
    joints = _hierarchy(reader)
    values, fps = _motion(reader, sum(len(joint.channels) for joint in joints))
    count = len(joints)
    offsets = np.array([joint.offset for joint in joints])
    rotations = np.broadcast_to(np.eye(3), (len(values), count, 3, 3)).copy()
    steps = np.broadcast_to(offsets, (len(values), count, 3)).copy()
    column = 0
    for index, joint in enumerate(joints):
        own = values[:, column : column + len(joint.channels)]
        column += len(joint.channels)
        turns = [place for place, channel in enumerate(joint.channels) if channel.endswith("rotation")]
        rotations[:, index] = turned([joint.channels[place][0].lower() for place in turns], np.deg2rad(own[:, turns]))
        for place, channel in enumerate(joint.channels):
            if channel.endswith("position"):
                steps[:, index, "XYZ".index(channel[0])] = own[:, place]
    names = tuple(joint.name for joint in joints)
    return Capture(names, tuple(joint.parent for joint in joints), offsets, rotations, steps, fps)


def _hierarchy(reader: Reader) -> list[_Joint]:
    """Read up to the word MOTION."""
    if (word := reader.word("HIERARCHY")).upper() != "HIERARCHY":
        reader.fail("unknown word", f"expected HIERARCHY, got {word!r}")
    joints: list[_Joint] = []
    open_joints: list[int] = []
    while True:
        word = reader.word("ROOT, JOINT, End Site, OFFSET, CHANNELS, } or MOTION")
        inside = open_joints[-1] if open_joints else -1
        match word.upper():
            case "ROOT" | "JOINT" | "END":
                if (word.upper() == "ROOT") != (not open_joints) or (joints and not open_joints):
                    reader.fail("misplaced joint", f"{word}: expected one ROOT, and every JOINT and End Site inside it")
                name = reader.word("the name of a joint")
                name = f"{joints[inside].name}_end" if word.upper() == "END" else name
                if any(joint.name == name for joint in joints):
                    reader.fail("joint named twice", name)
                if (brace := reader.word("{")) != "{":
                    reader.fail("unknown word", f"expected {{ after {name}, got {brace!r}")
                joints.append(_Joint(name, inside, [], []))
                open_joints.append(len(joints) - 1)
            case "OFFSET" if open_joints:
                words = [reader.word("3 numbers of an offset") for _ in range(3)]
                joints[inside].offset = reader.numbers(words, 3, f"values in the offset of {joints[inside].name}")
            case "CHANNELS" if open_joints:
                joints[inside].channels = _channels(reader, joints[inside].name)
            case "}" if open_joints:
                if not joints[inside].offset:
                    reader.fail("joint without an offset", joints[inside].name)
                open_joints.pop()
            case "MOTION" if joints and not open_joints:
                return joints
            case "MOTION" if joints:
                reader.fail("unclosed joint", f"expected }} of {joints[inside].name}, got MOTION")
            case _:
                reader.fail("unknown word", f"{word!r}: expected ROOT, JOINT, End Site, OFFSET, CHANNELS, }} or MOTION")


def _channels(reader: Reader, name: str) -> list[str]:
    (count,) = reader.numbers([reader.word("a count of channels")], 1, f"channels of {name}")
    channels = []
    for _ in range(int(count)):
        word = reader.word(f"{int(count)} channels of {name}")
        channel = word[:1].upper() + word[1:].lower()
        if channel not in CHANNELS:
            reader.fail("unknown channel", f"{name}: expected {int(count)} of {', '.join(CHANNELS)}, got {word!r}")
        if channel in channels:
            reader.fail("channel named twice", f"{name}: {channel}")
        channels.append(channel)
    return channels


def _motion(reader: Reader, channels: int) -> tuple[Array, float]:
    """Return the values (T, channels) and the frames per second."""
    frames = _setting(reader, "Frames:")
    seconds = _setting(reader, "Frame Time:")
    # Above 0 does not suffice: frames so short that their rate is infinite are refused too.
    if frames < 1 or frames != int(frames) or seconds <= 0 or not math.isfinite(1 / seconds):
        reader.fail("impossible length", f"{frames:g} frames of {seconds:g} seconds: expected at least 1, above 0")
    values: list[list[float]] = []
    while reader.left and len(values) < frames:
        values.append(reader.numbers(reader.line("a frame"), channels, f"values in frame {len(values) + 1}"))
    if len(values) < frames:
        reader.fail("truncated file", f"expected {int(frames)} frames, got {len(values)}")
    if reader.left:
        reader.line("nothing")
        reader.fail("too many frames", f"expected {int(frames)} and then the end of the file")
    fps = 1 / seconds
    # Seconds are written with few digits: .0083333 means 120 frames per second.
    return np.array(values), float(round(fps)) if abs(fps - round(fps)) < 1e-4 * fps else fps


def _setting(reader: Reader, name: str) -> float:
    """Read the line ``name value``."""
    line = " ".join(reader.line(name))
    if not line.lower().startswith(name.lower()):
        reader.fail("unknown word", f"expected '{name} NUMBER', got {line[:40]!r}")
    (value,) = reader.numbers(line[len(name) :].split(), 1, f"values of '{name}'")
    return value


def write_bvh(motion: Motion, skeleton: Skeleton, path: str | Path) -> Path:
    """Write a motion of the studio as a BVH file, metres and degrees, for other programs, and return its path.

    Convention: +y up, the person at rest faces +z in the studio's A pose; rotation channels Z, X, Y.
    """
    children = [[bone for bone, parent in enumerate(PARENT) if parent == index] for index in range(len(BONES))]
    lines, order = ["HIERARCHY"], []

    def write(bone: int, depth: int) -> None:
        pad, parent = "  " * depth, PARENT[bone]
        offset = skeleton.joints[bone] - (skeleton.joints[parent] if parent >= 0 else 0.0)
        order.append(bone)
        lines.extend(
            [f"{pad}{'JOINT' if depth else 'ROOT'} {_name(bone)}", f"{pad}{{", f"{pad}  OFFSET {_row(offset)}"]
        )
        position = "" if depth else "Xposition Yposition Zposition "
        lines.append(f"{pad}  CHANNELS {3 if depth else 6} {position}Zrotation Xrotation Yrotation")
        for child in children[bone]:
            write(child, depth + 1)
        if not children[bone]:
            tip = next(point for name, point in _TIPS.items() if BONES[bone].endswith(name))
            side = BONES[bone].partition("_")[0] + "_" if tip != "crown" else ""
            end = skeleton.points[side + tip][1] - skeleton.joints[bone]
            lines.extend([f"{pad}  End Site", f"{pad}  {{", f"{pad}    OFFSET {_row(end)}", f"{pad}  }}"])
        lines.append(f"{pad}}}")

    write(0, 0)
    lines += ["MOTION", f"Frames: {len(motion.poses)}", f"Frame Time: {1 / motion.fps:.9f}"]
    for pose in motion.poses:
        turns = Rotation.from_rotvec(pose.rotations[order]).as_euler("ZXY", degrees=True)
        lines.append(_row(np.concatenate([skeleton.joints[0] + pose.root, turns.ravel()])))
    path = Path(path)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


_BVH_NAMES = {
    "pelvis": "Hips", "spine": "Spine", "chest": "Chest", "neck": "Neck", "head": "Head", "upper_arm": "Arm",
    "forearm": "ForeArm", "hand": "Hand", "thigh": "UpLeg", "shin": "Leg", "foot": "Foot",
}  # fmt: skip
# Where the last bones end.
_TIPS = {"head": "crown", "hand": "fingertip", "foot": "toe"}


def _name(bone: int) -> str:
    side, _, rest = BONES[bone].partition("_")
    return side.title() + _BVH_NAMES[rest] if rest else _BVH_NAMES[side]


def _row(values: Array) -> str:
    return " ".join(f"{value:.6f}" for value in values)
