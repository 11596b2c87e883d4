"""A small capture of our own as a BVH file."""


def t_pose_file(path, frames, up="y"):
    """A capture in a T pose whose every channel but those given is zero; frames: joint -> (z, x, y) degrees, per frame.

    With up="z" the file's axes are x right, y forward, z up instead of x left, y up, z forward.
    """
    offsets = {
        "Hips": (None, (0, 0, 0)), "Spine": ("Hips", (0, 5, 0)), "Neck": ("Spine", (0, 15, 0)),
        "Head": ("Neck", (0, 3, 0)),
    }  # fmt: skip
    for side, sign in (("Left", 1), ("Right", -1)):
        offsets |= {
            f"{side}Arm": ("Spine", (7 * sign, 13, 0)), f"{side}ForeArm": (f"{side}Arm", (11 * sign, 0, 0)),
            f"{side}Hand": (f"{side}ForeArm", (10 * sign, 0, 0)), f"{side}UpLeg": ("Hips", (4 * sign, -3, 0)),
            f"{side}Leg": (f"{side}UpLeg", (0, -16, 0)), f"{side}Foot": (f"{side}Leg", (0, -17, 0)),
        }  # fmt: skip
    tips = {"Head": (0, 8, 0), "LeftHand": (7, 0, 0), "RightHand": (-7, 0, 0)}
    tips |= {"LeftFoot": (0, -2, 8), "RightFoot": (0, -2, 8)}
    place = (lambda v: v) if up == "y" else (lambda v: (-v[0], v[2], v[1]))
    lines, order = ["HIERARCHY"], []

    def write(name):
        order.append(name)
        parent, offset = offsets[name]
        lines.extend([f"{'JOINT' if parent else 'ROOT'} {name} {{", "OFFSET {} {} {}".format(*place(offset))])
        lines.append(f"CHANNELS {3 if parent else 6} {'' if parent else 'Xposition Yposition Zposition '}"
                     "Zrotation Xrotation Yrotation")  # fmt: skip
        for child, (its, _) in offsets.items():
            if its == name:
                write(child)
        if name in tips:
            lines.append("End Site {{ OFFSET {} {} {} }}".format(*place(tips[name])))
        lines.append("}")

    write("Hips")
    lines += ["MOTION", f"Frames: {len(frames)}", "Frame Time: .04"]
    for turns in frames:
        values = [value for name in order for value in turns.get(name, (0, 0, 0))]
        lines.append(" ".join(map(str, [*place((0, 39, 0)), *values])))
    path.write_text("\n".join(lines))
    return path
