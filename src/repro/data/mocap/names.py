"""Which joint of a capture drives which bone of the studio: by names that people use, and by who hangs on whom."""

import re
from collections.abc import Sequence

from repro.data.mocap.capture import Capture
from repro.data.problems import DataError, Problem

# Bone -> what it is called without its side, most telling first: "shoulder" is the upper arm only where nothing else
# is, "hand" comes before "wrist" because CMU's wrist is the lower half of the fore-arm.
NAMES = {
    "upper_arm": ("humerus", "upperarm", "uparm", "arm", "shoulder"),
    "forearm": ("radius", "forearm", "lowerarm", "lowarm", "elbow"),
    "hand": ("fingerbase", "hand", "wrist"),
    "thigh": ("femur", "upleg", "upperleg", "thigh", "hip"),
    "shin": ("tibia", "lowerleg", "lowleg", "leg", "shin", "calf", "knee"),
    "foot": ("foot", "ankle"),
}
SIDES = {"right": ("right", "r"), "left": ("left", "l")}
# What exporters write in front of every name: mixamorig:Hips, Bip01 Pelvis, CC_Base_Head.
_PREFIX = re.compile(r"^(.*:|bip\d*|ccbase|character\d*)")


def drivers(capture: Capture) -> dict[str, int]:
    """Return studio bone -> index of the joint that starts it in the capture.

    Limbs and head are found by name. Pelvis and chest are where the thighs and the upper arms meet; the spine is the
    middle of what lies between, the neck what lies between chest and head; both are left out where there is none.

    Raises:
        DataError: bones that no joint is named after; the message lists the joints.
    """
    plain = {_plain(name): index for index, name in reversed(list(enumerate(capture.names)))}
    found, missing = {}, []
    for bone, words in [("head", ["head"])] + [
        (f"{side}_{bone}", [form for name in names for short in letters for form in (short + name, name + short)])
        for side, letters in SIDES.items()
        for bone, names in NAMES.items()
    ]:
        index = next((plain[word] for word in words if word in plain), None)
        if index is None:
            missing.append(Problem("bone without a joint", "", bone, f"expected a joint named like {words[0]}"))
        else:
            found[bone] = index
    if missing:
        raise DataError(
            "the capture does not say where these bones are:",
            missing,
            f"Its joints: {', '.join(capture.names)}. Rename them in the file.",
        )
    up = {bone: _upwards(capture, index) for bone, index in found.items()}
    found["pelvis"] = next(joint for joint in up["right_thigh"] if joint in up["left_thigh"])
    found["chest"] = next(joint for joint in up["right_upper_arm"] if joint in up["left_upper_arm"])
    for bone, lower, upper in (("spine", "pelvis", "chest"), ("neck", "chest", "head")):
        path = _between(capture, found[lower], found[upper])
        if path:
            # The neck is the head's parent: captures split necks, not heads.
            found[bone] = path[len(path) // 2] if bone == "spine" else path[-1]
    return found


def leaves(capture: Capture, joint: int) -> list[int]:
    """Return the joints at which everything that hangs on a joint ends; itself where nothing does."""
    children = [index for index, parent in enumerate(capture.parents) if parent == joint]
    return [leaf for child in children for leaf in leaves(capture, child)] or [joint]


def _plain(name: str) -> str:
    return _PREFIX.sub("", re.sub(r"[^a-z0-9:]", "", name.lower()))


def _upwards(capture: Capture, joint: int) -> Sequence[int]:
    """The joint's ancestors, nearest first."""
    chain = []
    while (joint := capture.parents[joint]) >= 0:
        chain.append(joint)
    return chain


def _between(capture: Capture, lower: int, upper: int) -> list[int]:
    """The joints strictly between an ancestor and a joint, lowest first; empty where it is none."""
    chain = _upwards(capture, upper)
    return list(chain[: chain.index(lower)])[::-1] if lower in chain else []
