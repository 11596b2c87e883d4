"""What the motion page shows of the simulated detector: its errors, their statistics, and how hiding raises them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap
from torch import Tensor

from repro.data.studio.detector import JOINT_WEIGHTS, LEVELS, PAIRS
from repro.data.studio.h36m import CAMERAS, H36MSet
from repro.data.studio.skeleton import COCO_17

PUBLISHED_DETECTORS = {"HRNet": ("clean", 4.59, 1.01), "CPN": ("typical", 6.67, 2.91)}
"""Detector -> the level that stands for it, MPJPE (pixels), acceleration error (pixels per frame²): SmoothNet's public
table for Human3.6M (pictures of 1000 pixels, 50 frames per second)."""
PHOTOGRAPH_MISSES = {"shoulder": 0.05, "ankle": 0.05, "elbow": 0.10, "wrist": 0.10, "hip": 0.10, "knee": 0.10}
"""Share of misses per joint on single photographs of COCO, people well seen (PoseFix, after Ronchi and Perona); the
face has 0.02."""
PHOTOGRAPH_INVERSIONS = {"shoulder": 0.03, "elbow": 0.03, "wrist": 0.03, "hip": 0.06, "knee": 0.06, "ankle": 0.06}
"""Share of exchanges of left and right, from the same source."""
WHITE_RATIO = 6**0.5
"""Acceleration error over MPJPE of errors that are new in every frame: x(t-1) - 2 x(t) + x(t+1) has 1 + 4 + 1 = 6 times
the variance."""
GROSS = {"missed": "#D55E00", "burst": "#E69F00", "inverted": "#0072B2"}
"""Gross errors and their colours."""
LIMBS_FROM = int(PAIRS.min())
"""First joint that has a left and a right and is no part of the face."""


def draw_sticks(
    axes: Axes, joints: Tensor, limbs: Sequence[tuple[int, int]], *, colour: str = "#0072B2", width: float = 1.2
) -> None:
    """Draw a skeleton (J, 2) of (row, column) as sticks; limbs with a missing joint are left out."""
    there = (joints >= 0).all(-1)
    places = joints.flip(-1).numpy()
    sticks = [(places[a], places[b]) for a, b in limbs if there[a] and there[b]]
    axes.add_collection(LineCollection(sticks, colors=colour, linewidths=width, capstyle="round"))


def detector_errors(dataset: H36MSet, index: int, level: str) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Return what a simulated detector does to one sequence.

    Args:
        dataset: the set ``h36m``.
        index: of the sequence.
        level: of the detector.

    Returns:
        errors (T, 17, 2) pixels, nan where missed; the person's height (T,) pixels; the gross errors by name (T, 17).
    """
    take, camera = divmod(index, CAMERAS)
    arrays, found = dataset.arrays(take), dataset.sequence(index, level, amplitude=1.0)
    error = found.noisy - torch.tensor(arrays["coco"][camera])
    return error.where(found.valid[..., None], torch.nan), torch.tensor(arrays["height"][camera]), found.faults


def error_sizes(errors: Tensor) -> tuple[float, float]:
    """Return MPJPE (pixels) and acceleration error (pixels per frame²) of errors (..., T, J, 2) of found joints."""
    second = errors[..., 2:, :, :] - 2 * errors[..., 1:-1, :, :] + errors[..., :-2, :, :]
    return errors.norm(dim=-1).nanmean().item(), second.norm(dim=-1).nanmean().item()


def noise_table(dataset: H36MSet, indices: Sequence[int]) -> pd.DataFrame:
    """Return one line per level of the detector, under it the published detector that it stands for; photographs last.

    Args:
        dataset: the set ``h36m``.
        indices: the sequences that are looked at.
    """
    lines: dict[str, dict[str, float]] = {}
    for level in LEVELS:
        errors, _, faults = zip(*(detector_errors(dataset, index, level) for index in indices))
        mpjpe, acceleration = error_sizes(torch.stack(errors))
        shares = {name: 100 * torch.stack([own[name] for own in faults]).float() for name in GROSS}
        lines[level] = {
            "MPJPE, px": mpjpe,
            "acceleration error, px/frame²": acceleration,
            "ratio": acceleration / mpjpe,
            "missed, % of joints": shares["missed"].mean().item(),
            "left/right exchanged, % of limb joints": shares["inverted"][:, :, LIMBS_FROM:].mean().item(),
            "in a burst, % of joints": shares["burst"].mean().item(),
        }
        for name, (stands_for, *figures) in PUBLISHED_DETECTORS.items():
            if stands_for == level:
                lines[f"{name}, published"] = dict(zip(lines[level], (*figures, figures[1] / figures[0])))
    names = [name.rpartition("_")[2] for name in COCO_17]
    missed = float(np.mean([PHOTOGRAPH_MISSES.get(name, 0.02) for name in names]))
    exchanged = float(np.mean([PHOTOGRAPH_INVERSIONS[name] for name in names[LIMBS_FROM:]]))
    columns = list(lines["clean"])
    lines["single photographs, published"] = {columns[3]: 100 * missed, columns[4]: 100 * exchanged}
    return pd.DataFrame.from_dict(lines, orient="index", columns=columns)


def coupling(dataset: H36MSet, indices: Sequence[int], level: str, draws: int) -> pd.DataFrame:
    """Return how often gross errors begin at hidden and at seen joints, in 10,000 frames of an average joint.

    Wrists and ankles fail more often than a face whether they are seen or not; so each joint's frames count as many
    times as its weight says.

    Args:
        dataset: the set ``h36m``.
        indices: the sequences that are looked at.
        level: of the detector.
        draws: how often each sequence is detected anew.
    """
    began = {name: np.zeros(2) for name in ("missed", "burst")}
    frames = np.zeros(2)
    for index in indices:
        take, camera = divmod(index, CAMERAS)
        hidden = np.asarray(dataset.arrays(take)["hidden"][camera])
        for draw in range(draws):
            faults = dataset.sequence(index, level, amplitude=1.0, draw=draw).faults
            for state, where in enumerate((hidden, ~hidden)):
                frames[state] += (where * JOINT_WEIGHTS).sum()
                for name, counts in began.items():
                    on = faults[name].numpy()
                    counts[state] += (on & ~np.roll(on, 1, axis=0) & where)[1:].sum()
    lines = {name: 1e4 * counts / frames for name, counts in began.items()}
    table = pd.DataFrame.from_dict(lines, orient="index", columns=["hidden", "seen"])
    return table.assign(ratio=table["hidden"] / table["seen"])


def draw_faults(axes: Axes, hidden: Tensor, faults: dict[str, Tensor], fps: float) -> None:
    """Draw joints (rows) over time: grey where the body hides a joint, in colour where the detector fails.

    Args:
        axes: where.
        hidden: (T, 17) bool.
        faults: name of ``GROSS`` -> (T, 17) bool.
        fps: frames per second.
    """
    state = hidden.long()
    for number, name in enumerate(GROSS, start=2):
        state = state.masked_fill(faults[name], number)
    colours = ListedColormap(["white", "#CCCCCC", *GROSS.values()])
    axes.imshow(
        state.T, cmap=colours, vmin=0, vmax=len(GROSS) + 1, aspect="auto", interpolation="nearest",
        extent=(0, len(state) / fps, len(COCO_17) - 0.5, -0.5),
    )  # fmt: skip
    for name, colour in {"hidden": "#CCCCCC", **GROSS}.items():
        axes.plot([], [], "s", color=colour, label=name)
    axes.set(yticks=range(len(COCO_17)), xlabel="seconds")
    axes.set_yticklabels([name.replace("_", " ") for name in COCO_17], fontsize=6)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=7, frameon=False)
