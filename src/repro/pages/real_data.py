"""What the page of the real data sets shows: their manifests, what a check says of a folder, and round trips."""

from collections.abc import Sequence
from contextlib import redirect_stderr
from html import escape
from io import StringIO
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import torch
from IPython.display import HTML
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from repro.data import Clip, MotionSequence, Pair, load, manifests
from repro.data.exports import export
from repro.data.joints import JOINTS, LIMBS
from repro.data.manifests import Audit, Expected
from repro.data.structures import STRUCTURE_LIMBS
from repro.data.studio.skeleton import COCO_17, HUMAN36M_17, Pose
from repro.pages.figures import show_image
from repro.pages.studio import SIZE, Sitter
from repro.pages.tables import show

COMPARED: dict[type, tuple[tuple[str, ...], tuple[str, ...]]] = {
    Pair: (("source", "target"), ("source_joints", "target_joints", "source_code", "target_code")),
    Clip: (("frames", "masks"), ("joints_clean", "joints_noisy", "landmarks")),
    MotionSequence: ((), ("clean", "noisy")),
}
"""Kind of example -> its pictures, and its joints, landmarks or codes."""
SKELETONS = {
    "openpose18": ("OpenPose, 18", JOINTS, LIMBS),
    "coco17": ("COCO, 17", COCO_17, STRUCTURE_LIMBS["coco17"]),
    "human36m17": ("Human3.6M, 17", HUMAN36M_17, STRUCTURE_LIMBS["human36m17"]),
}
"""Layout of joints -> title, names of the joints in their order, limbs."""
SIDE_COLOURS = {"right": "#D55E00", "left": "#0072B2", "": "#333333"}


def glance() -> pd.DataFrame:
    """Return one line per real set: what it is, its splits, and the studio's sets that stand in for it."""
    known = {name: manifests.manifest(name) for name in manifests.names()}
    lines = {
        name: {
            "what": one.title,
            "size": one.size,
            "train": one.splits.get("train", "-"),
            "test": one.splits.get("test", "-"),
            "stands in": ", ".join(one.imitated_by) or "-",
        }
        for name, one in known.items()
    }
    return pd.DataFrame.from_dict(lines, orient="index")


def card(name: str) -> HTML:
    """Return all that is known of a real set: paper, source, licence, steps to get it, files that are expected."""
    known = manifests.manifest(name)
    facts = {"paper": known.paper, "source": known.source, "licence": known.licence}
    if known.imitated_by:
        facts["stands in for it"] = ", ".join(known.imitated_by)
    facts["checksums"] = f"of {len(known.checksums)} files" if known.checksums else "none published that we know of"
    listed = "".join(f"<dt><b>{escape(key)}</b></dt><dd>{escape(text)}</dd>" for key, text in facts.items())
    steps = "".join(f"<li>{escape(step)}</li>" for step in known.steps)
    files = pd.DataFrame(
        [{"file": " or ".join(e.path), "what": e.what, "how many": _amount(e)} for e in known.files],
    )
    table = show(files, index=False).data
    return HTML(f"<p><b>{escape(known.title)}</b></p><dl>{listed}</dl><ol>{steps}</ol>{table}")


def _amount(entry: Expected) -> str:
    """How many there should be, in words: ``101,966 rows (unverified)``."""
    words = f"{entry.rows:,} rows" if entry.rows else f"{entry.count:,}" if entry.count else "at least one"
    return words + ", unverified" * (not entry.verified) + ", may be absent" * entry.optional


def said(audit: Audit) -> str:
    """Return what ``repro data check`` prints of a folder, the folder called DIR."""
    return str(audit).replace(str(audit.root), "DIR")


class First:
    """The first few examples of a data set, for writers that go through all of it."""

    def __init__(self, dataset: Any, count: int) -> None:
        self.dataset, self.count = dataset, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Any:
        if not 0 <= index < self.count:
            raise IndexError(f"expected an index from 0 to {self.count - 1}, got {index}")
        return self.dataset[index]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.dataset, name)


def differences(ours: Sequence[Any], theirs: Sequence[Any]) -> tuple[float, float]:
    """Return how far examples differ at most: pictures (0 to 1), and joints, landmarks or codes (pixels).

    nan where the examples have no pictures.

    Raises:
        ValueError: not as many, or not of one shape.
    """
    if len(ours) != len(theirs):
        raise ValueError(f"expected as many examples, got {len(ours)} and {len(theirs)}")
    worst = [float("nan"), float("nan")]
    for index in range(len(ours)):
        mine, read = ours[index], theirs[index]
        for place, names in enumerate(COMPARED[type(mine)]):
            for name in names:
                one, other = getattr(mine, name), getattr(read, name)
                if one is None or other is None or one.numel() == 0:
                    continue
                if one.shape != other.shape:
                    raise ValueError(
                        f"{name} of example {index}: expected {tuple(one.shape)}, got {tuple(other.shape)}"
                    )
                far = (one.double() - other.double()).abs().max().item()
                worst[place] = max(far, worst[place]) if worst[place] == worst[place] else far
    return worst[0], worst[1]


def write(datasets: Sequence[Any], folder: Path) -> None:
    """Write splits of one studio set in the layout of the real one, pictures as PNG, without progress bars."""
    with redirect_stderr(StringIO()):
        export(datasets, folder, "png")


def round_trip(dataset: Any, layout: str, folder: Path) -> dict[str, Any]:
    """Return a line of the table of round trips: a test split of the studio written as a real set and read back.

    Args:
        dataset: of the studio, test split.
        layout: name of the real set.
        folder: where to write, empty.
    """
    write([dataset], folder)
    size = {} if layout == "human36m" else {"size": dataset.size}
    read = load(layout, "test", root=folder, **size)
    audit = manifests.audit(layout, folder)
    splits = audit.report.splits if audit.report else {}
    pictures, places = differences(dataset, read)
    return {
        "examples": len(read),
        "problems found": sum(len(found.problems) for split, found in splits.items() if split.endswith("test")),
        "pictures differ by": pictures,
        "joints, landmarks, codes differ by": places,
    }


def skeletons(sitter: Sitter, pose: Pose, yaw: float = 0.25) -> Figure:
    """Return one person with the three layouts of joints, each joint with its number.

    Args:
        sitter, pose: who, and how they stand.
        yaw: radians, the camera's.
    """
    shot = sitter.shot(pose, sitter.camera(yaw))
    picture = sitter.photograph([pose], [shot.camera])[0].image
    figure, axes = plt.subplots(1, len(SKELETONS), figsize=(3.1 * len(SKELETONS), 4.6))
    for ax, (layout, (title, names, limbs)) in zip(axes, SKELETONS.items()):
        show_image(ax, 0.35 * picture + 0.65, title)
        places = sitter.mesh.skeleton.posed_joints(pose, layout)
        screen = torch.from_numpy(shot.camera.project(places, SIZE)[:, :2] - 0.5)
        draw_numbered(ax, screen.flip(-1), names, limbs)
    figure.tight_layout(pad=0.4)
    return figure


def draw_numbered(axes: Axes, joints: Tensor, names: Sequence[str], limbs: Sequence[tuple[int, int]]) -> None:
    """Draw joints (J, 2) of (row, column) with their numbers: right orange, left blue, the middle dark."""
    rows, columns = joints.T.tolist()
    for a, b in limbs:
        axes.plot([columns[a], columns[b]], [rows[a], rows[b]], color="#999999", linewidth=1)
    for number, (name, row, column) in enumerate(zip(names, rows, columns)):
        side = name.partition("_")[0]
        colour = SIDE_COLOURS.get(side, SIDE_COLOURS[""])
        axes.plot(column, row, "o", color=colour, markersize=4)
        axes.annotate(str(number), (column, row), xytext=(3, 2), textcoords="offset points", fontsize=7, color=colour)


def joint_names() -> pd.DataFrame:
    """Return the names of the joints by number, one column per layout."""
    columns = {title: list(names) for title, names, _ in SKELETONS.values()}
    longest = max(len(names) for names in columns.values())
    return pd.DataFrame(
        {
            title: [one.replace("_", " ") for one in names] + ["-"] * (longest - len(names))
            for title, names in columns.items()
        }
    )
