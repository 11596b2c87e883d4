"""What the motion page shows and measures: clips of people, joint limits, feet that stand, cloth that swings."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import Tensor, cat, stack

from repro.data.studio.cloth import animate, hanging
from repro.data.studio.kinematics import clip_transforms
from repro.data.studio.mesh import Mesh, pose_vertices
from repro.data.studio.motion import Motion, clip_motion
from repro.data.studio.pose import LIMITS
from repro.data.studio.render import render
from repro.data.studio.seeds import child_generator
from repro.data.studio.skeleton import BONE, REST_ABDUCTION
from repro.pages.figures import show_image
from repro.pages.studio import Sitter

Array = NDArray[np.float64]

PLANTED = 0.01
"""Metres above the ground below which a point of a sole stands."""
SIDES = (("right", -1.0), ("left", 1.0))


def move(sitter: Sitter, kind: str, frames: int, fps: float = 25.0, take: int = 0) -> Motion:
    """Return a person's clip of a kind, for this page: another ``take``, another clip."""
    return clip_motion(
        kind, sitter.mesh, child_generator("motion page", kind, sitter.identity.index, take), frames, fps
    )


def performed(
    sitter: Sitter,
    moves: Motion,
    frames: Sequence[int] | None = None,
    yaw: float = 0.6,
    height: int = 160,
    springs: bool = True,
) -> Tensor:
    """Return pictures (N, 3, height, width) of a person who makes a motion, cloth and hair moving.

    Args:
        sitter: who.
        moves: how; cloth is simulated from its first frame.
        frames: which frames are drawn; default all.
        yaw: radians, the camera's; it follows the person.
        height: of the pictures in pixels.
        springs: whether skirts and hair swing, or hang on the bones.
    """
    chosen = range(len(moves.poses)) if frames is None else frames
    poses = [moves.poses[frame] for frame in chosen]
    look = sitter.camera(yaw)
    cameras = [replace(look, look_at=(float(p.root[0]), look.look_at[1], float(p.root[2]))) for p in poses]
    vertices = animate(sitter.mesh, moves) if springs else None
    own = None if vertices is None else [vertices[frame] for frame in chosen]
    size = (height, round(0.62 * height))
    return stack([v.image for v in render(sitter.mesh, sitter.wardrobe, poses, cameras, size, vertices=own)])


def slip(mesh: Mesh, motion: Motion) -> Array:
    """Return how far planted feet slide between frames, (T - 1,) centimetres.

    A point of a sole is planted between two frames if both find it less than a centimetre above the ground; the one
    that moves farthest along the ground counts, 0 where none is planted.
    """
    transforms = clip_transforms(mesh.skeleton, motion.poses)
    worst = np.zeros(len(motion.poses) - 1)
    for side, _ in SIDES:
        bone = BONE[f"{side}_foot"]
        sole = mesh.rest_vertices[mesh.weights[:, bone] > 0.99]
        points = np.einsum("tij,nj->tni", transforms[:, bone, :, :3], sole) + transforms[:, bone, None, :, 3]
        planted = (points[1:, :, 1] < PLANTED) & (points[:-1, :, 1] < PLANTED)
        slid = np.linalg.norm(np.diff(points[..., [0, 2]], axis=0), axis=-1)
        worst = np.maximum(worst, 100 * (slid * planted).max(1, initial=0.0))
    return worst


def angles_of(motion: Motion) -> dict[str, Array]:
    """Return the anatomical angles of a motion, degrees: name of ``pose.LIMITS`` -> (T,), or (2T,) of both sides.

    What :func:`~repro.data.studio.pose.bone_rotations` makes of angles, undone. The wrist is left out.
    """
    turns = np.stack([pose.rotations for pose in motion.poses])
    euler = lambda bone, axes: Rotation.from_rotvec(turns[:, BONE[bone]]).as_euler(axes, degrees=True).T  # noqa: E731
    found: dict[str, Array] = {}
    for bone, names, share, mirror in (
        ("pelvis", ("turn", "lean", "sway"), 1, -1), ("spine", ("spine_twist", "spine_bend", "spine_side"), 2, -1),
        ("neck", ("neck_yaw", "neck_nod", "neck_tilt"), 2, -1),
    ):  # fmt: skip
        y, x, z = euler(bone, "YXZ")
        found |= dict(zip(names, (share * y, share * x, mirror * share * z)))
    sides: dict[str, list[Array]] = {}
    for side, sign in SIDES:
        # The arm rests some degrees from the body; from there its turns are those of a leg.
        hang = Rotation.from_euler("z", sign * REST_ABDUCTION, degrees=True)
        arm = Rotation.from_rotvec(turns[:, BONE[f"{side}_upper_arm"]]) * hang
        for limb, rotation in (("shoulder", arm), ("hip", Rotation.from_rotvec(turns[:, BONE[f"{side}_thigh"]]))):
            ball = zip(("flex", "abduct", "twist"), _ball(limb, rotation, sign))
            for name, values in ball:
                sides.setdefault(f"{limb}_{name}", []).append(values)
        bent = np.rad2deg(np.linalg.norm(turns[:, BONE[f"{side}_forearm"]], axis=-1))
        sides.setdefault("elbow", []).append(bent)
        sides.setdefault("knee", []).append(np.rad2deg(turns[:, BONE[f"{side}_shin"], 0]))
        sides.setdefault("ankle", []).append(-euler(f"{side}_foot", "XZY")[0])
    return found | {name: np.concatenate(both) for name, both in sides.items()}


def _ball(limb: str, rotation: Rotation, sign: float) -> tuple[Array, Array, Array]:
    """Flexion, abduction and twist of a ball joint, degrees.

    An arm that is raised beyond the horizontal has two names, by the side or by the front: the one within the limits.
    """
    x, z, y = rotation.as_euler("XZY", degrees=True).T
    first = np.stack([-x, sign * z, -sign * y])
    wrap = lambda degrees: (degrees + 180) % 360 - 180  # noqa: E731
    second = np.stack([wrap(first[0] + 180), 180 - first[1], wrap(first[2] + 180)])
    limits = np.array([LIMITS[f"{limb}_{name}"] for name in ("flex", "abduct", "twist")])
    beyond = [
        (np.maximum(limits[:, :1] - one, 0) + np.maximum(one - limits[:, 1:], 0)).sum(0) for one in (first, second)
    ]
    flex, abduct, twist = np.where(beyond[1] < beyond[0], second, first)
    return flex, abduct, twist


def used_ranges(motions: Iterable[Motion]) -> dict[str, tuple[float, float]]:
    """Return the smallest and the largest value of each angle over several motions, degrees; the turn is left out."""
    found = [angles_of(motion) for motion in motions]
    names = [name for name in LIMITS if name in found[0] and name != "turn"]
    return {
        name: (min(float(own[name].min()) for own in found), max(float(own[name].max()) for own in found))
        for name in names
    }


def draw_limits(axes: Axes, used: Mapping[str, tuple[float, float]]) -> None:
    """Draw for each angle what a joint may do, grey, and what the clips do, blue; degrees."""
    for row, (name, (low, high)) in enumerate(used.items()):
        least, most = LIMITS[name]
        axes.barh(row, most - least, left=least, height=0.8, color="#DDDDDD")
        axes.barh(row, high - low, left=low, height=0.4, color="#0072B2")
    axes.axvline(0, color="#555555", linewidth=0.8)
    axes.set(yticks=range(len(used)), xlabel="degrees")
    axes.set_yticklabels([name.replace("_", " ") for name in used], fontsize=8)
    axes.invert_yaxis()


def swing(mesh: Mesh, motion: Motion) -> dict[str, Array]:
    """Return how far the free ends of what hangs are from where the bones alone would hold them, (T,) centimetres.

    Returns:
        "hem" and "hair", as far as the person has them.
    """
    bones = np.stack([pose_vertices(mesh, pose) for pose in motion.poses])
    lag = 100 * np.linalg.norm(animate(mesh, motion) - bones, axis=-1)
    found: dict[str, Array] = {}
    for cloth in hanging(mesh):
        name = {"pelvis": "hem", "chest": "hair"}[cloth.bone]
        free = cloth.vertices[cloth.share > 0.9 * cloth.share.max()]
        found[name] = np.maximum(found.get(name, 0.0), lag[:, free].mean(1))  # of two hems the one that swings more
    return found


def knee_bend(sitter: Sitter, motion: Motion) -> Array:
    """Return the bend of the left knee over time, (T,) degrees, from the places of hip, knee and ankle."""
    skeleton = sitter.mesh.skeleton
    turned = [skeleton.transforms(pose) for pose in motion.poses]
    hip, knee, ankle = (
        np.stack([skeleton.posed_point(f"left_{name}", one) for one in turned]) for name in ("hip", "knee", "ankle")
    )
    upper, lower = knee - hip, ankle - knee
    cosine = (upper * lower).sum(1) / np.linalg.norm(upper, axis=1) / np.linalg.norm(lower, axis=1)
    return np.rad2deg(np.arccos(cosine.clip(-1, 1)))


def gallery(strips: Mapping[str, Tensor], columns: int = 2, height: float = 0.62) -> Figure:
    """Return strips of frames with their names above them, in columns, row by row.

    Args:
        strips: name -> frames (N, 3, H, W) in [0, 1], of one size.
        columns: strips beside each other.
        height: inches of a frame.
    """
    rows = -(-len(strips) // columns)
    pictures = [cat(list(frames), -1) for frames in strips.values()]
    ratio = pictures[0].shape[-1] / pictures[0].shape[-2]
    figure, axes = plt.subplots(
        rows, columns, figsize=(columns * ratio * height + 0.1, rows * (height + 0.2)), squeeze=False
    )
    for ax in axes.flat:
        ax.axis("off")
    for ax, name, picture in zip(axes.flat, strips, pictures):
        show_image(ax, picture)
        ax.set_title(name.replace("_", " "), fontsize=8, loc="left", pad=2)
    figure.tight_layout(pad=0.2)
    return figure
