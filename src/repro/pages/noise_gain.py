"""Does cleaning skeletons pay more when the detector is worse? Two recorded rows of Table IV over its level of noise.

Seq-Animation is given what the detector finds, Ours-Animation what the Motion Extraction Network makes of the same.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor

from repro.config import from_mapping
from repro.data.clip import Clip
from repro.data.joints import is_missing
from repro.data.studio.clips import NOISE, PeopleClips, inside_or_missing, pixels_per_metre, projected_joints
from repro.data.studio.detector import detect
from repro.data.studio.shot import joints_visible, shoot
from repro.data.studio.skeleton import COCO_17
from repro.experiments import Request
from repro.experiments.clips import TestClips, animate_together, extractor, splits
from repro.metrics.comparison import Interval, paired_t_interval
from repro.metrics.evaluate_clips import coherence
from repro.models import SequentialGFLA
from repro.pages.figures import METHOD_COLOURS
from repro.pages.kept import kept_network
from repro.pages.tables import METRICS
from repro.records import Record
from repro.training.motion_inference import extract_motion

SEQ, OURS = "seq_animation", "ours_animation"
LABELS = {SEQ: "Seq-Animation", OURS: "Ours-Animation"}
GAIN = "ours − seq"
SCORES = ("warping_error_person_residual", "flicker_residual")
AMPLITUDES = (0.0, 1.0, 2.0, 3.0)
"""Factors on all lengths of the detector's error; 1 is what the rows were trained with."""
CLIPS = 10
FRAMES = 20
"""Of each clip, from its beginning: the page has half a minute, and clips differ more than the parts of one."""
_TOGETHER = 8
# What a row makes of A clips side by side: their frames, (A, T, 3, H, W) in [0, 1].
Animate = Callable[[Sequence[Clip]], Tensor]


def detections(dataset: PeopleClips, index: int, amplitudes: Sequence[float]) -> Tensor:
    """Return the joints that the set's detector finds in a clip with errors so many times as large, (A, T, 17, 2).

    Only lengths grow: the same joints are missed, and the same pairs exchanged, at every amplitude. Amplitude 1 gives
    the set's own ``joints_noisy`` bit for bit, amplitude 0 the true places up to the grid of the detector's heat map.

    Args:
        dataset: of the studio.
        index: of the clip.
        amplitudes: factors on all lengths of the error.

    Returns:
        float64, COCO's 17 joints as (row, column) in pixels, -1 missing.
    """
    shots = dataset.film(index).shots
    camera = shots[0].camera
    some = [shots[first : first + _TOGETHER] for first in range(0, len(shots), _TOGETHER)]
    depth = torch.cat([shoot(own, *dataset.size).depth.float() for own in some])  # single precision as a view's
    hidden = ~np.stack([joints_visible(shot, own, COCO_17) for shot, own in zip(shots, depth)])
    true = np.stack([projected_joints(shot, "coco17") for shot in shots])
    height = dataset.person(index).body.height * pixels_per_metre(camera, dataset.size)
    found = [
        detect(true, height, dataset.rng(index, "detector"), NOISE, hidden, factor).joints for factor in amplitudes
    ]
    return torch.tensor(np.stack([inside_or_missing(joints, dataset.size) for joints in found]))


def recorded_rows(found: Sequence[Record], wanted: Request) -> tuple[dict[str, Animate], TestClips]:
    """Return what both rows, seed 0, make of clips side by side, and the clips that they were measured on.

    Args:
        found: records of one profile and data set.
        wanted: where the networks lie; those that are not there are those that ship.

    Raises:
        LookupError: a row is not recorded, or the clips are not of people of the studio.
        FileNotFoundError: a network is neither there nor ships.
    """
    first = {record.row: record for record in found if record.seed == 0}
    if missing := [label for row, label in LABELS.items() if row not in first]:
        raise LookupError(f"{', '.join(missing)}: no record of seed 0, whose networks are compared here")
    rows: dict[str, Animate] = {}
    for row in LABELS:
        network, config = kept_network(first[row], wanted.out), from_mapping(first[row].config)
        assert isinstance(network, SequentialGFLA)
        rows[row] = partial(animate_together, network, skeletons=config.data.skeletons)
    config = from_mapping(first[SEQ].config)
    _, test_set = splits(config, wanted)
    if not isinstance(test_set, PeopleClips):
        raise LookupError(f"the noise of {wanted.dataset!r} is what it is: only the studio's detector has a level")
    return rows, TestClips.of(test_set, config.evaluation.clips)


def noise_scores(rows: Mapping[str, Animate], clips: TestClips) -> pd.DataFrame:
    """Return how steady the rows' clips are at every amplitude of the detector's noise.

    The first frames of the clips count. The source picture and its skeleton are those of the table at every amplitude;
    both rows start from the same detections, which the recorded Motion Extraction Network cleans as whole clips.

    Args:
        rows: row -> what it makes of the same clip at all amplitudes.
        clips: of people of the studio, as found (not cleaned).

    Returns:
        one line per clip, amplitude and row: those, ``noise_px`` (how far the joints are from where amplitude 0 finds
        them, mean over found ones), and :data:`SCORES`.

    Raises:
        FileNotFoundError: no Motion Extraction Network is recorded.
    """
    cleaner, missing, _ = extractor()
    lines: list[dict[str, float | str]] = []
    for number, index in enumerate(clips.indices[:CLIPS]):
        clip = clips.dataset[index]
        part = clip.slice(0, min(FRAMES, len(clip)))
        found = detections(clips.dataset, index, AMPLITUDES)  # type: ignore[arg-type]  # the caller's promise
        cleaned = [extract_motion(cleaner, joints, clip.size[1], missing=missing) for joints in found]
        given = [
            replace(part, joints_noisy=noisy[: len(part)], joints_clean=clean[: len(part)])
            for noisy, clean in zip(found, cleaned)
        ]
        there = ~is_missing(found).any(0)
        noise = [(joints - found[0]).norm(dim=-1)[there].mean().item() for joints in found]
        for row, animated in rows.items():
            for amplitude, distance, made in zip(AMPLITUDES, noise, animated(given)):
                scores = coherence(made, part)
                line = {"clip": number, "amplitude": amplitude, "row": row, "noise_px": distance}
                lines.append(line | {score: scores[score] for score in SCORES})
    return pd.DataFrame(lines)


def per_clip(scores: pd.DataFrame, score: str) -> pd.DataFrame:
    """Return a score with a line per clip; columns (row, amplitude), and their difference as a row :data:`GAIN`.

    The difference is paired: the same clip, the same detections. Below 0, cleaned skeletons make the steadier clip.

    Args:
        scores: as :func:`noise_scores` returns them.
        score: one of :data:`SCORES`.
    """
    wide = scores.pivot(index="clip", columns=["row", "amplitude"], values=score)
    return pd.concat({SEQ: wide[SEQ], OURS: wide[OURS], GAIN: wide[OURS] - wide[SEQ]}, axis=1)


def gains(scores: pd.DataFrame, score: str) -> dict[float, Interval]:
    """Return :data:`GAIN` at every amplitude, with its 95 % interval over clips."""
    return {float(amplitude): paired_t_interval(own) for amplitude, own in per_clip(scores, score)[GAIN].items()}


def growth(scores: pd.DataFrame, score: str) -> dict[str, Interval]:
    """Return by how much both rows and :data:`GAIN` change from the lowest amplitude to the highest, over clips."""
    wide = per_clip(scores, score)
    return {row: paired_t_interval(wide[row].iloc[:, -1] - wide[row].iloc[:, 0]) for row in (*LABELS, GAIN)}


def gain_table(scores: pd.DataFrame, score: str) -> pd.DataFrame:
    """Return a line per amplitude: both rows' means, their paired difference; the last line is what the noise changes.

    Args:
        scores: as :func:`noise_scores` returns them.
        score: one of :data:`SCORES`.
    """
    wide, digits = per_clip(scores, score), METRICS[score][2]
    noise = scores.groupby("amplitude")["noise_px"].mean()
    lines = {}
    for amplitude, gain in gains(scores, score).items():
        means = {label: f"{wide[row][amplitude].mean():.{digits}f}" for row, label in LABELS.items()}
        lines[f"{amplitude:g}"] = {"noise, px": f"{noise[amplitude]:.2f}"} | means | {f"{GAIN}, 95 %": str(gain)}
    low, *_, high = lines
    grown = growth(scores, score)
    changes = {label: f"{grown[row].mean:+.{digits}f}" for row, label in LABELS.items()}
    lines[f"{high} minus {low}"] = {"noise, px": ""} | changes | {f"{GAIN}, 95 %": str(grown[GAIN])}
    return pd.DataFrame.from_dict(lines, orient="index").rename_axis("amplitude")


def gain_figure(scores: pd.DataFrame) -> Figure:
    """Return :data:`GAIN` over the amplitude, a panel per score: thin lines are clips, bars 95 % intervals."""
    figure, axes = plt.subplots(1, len(SCORES), figsize=(8, 2.8), layout="constrained")
    for ax, score in zip(axes, SCORES):
        wide, found = per_clip(scores, score)[GAIN], gains(scores, score)
        ax.axhline(0, color="0.7", linewidth=0.8, zorder=0)
        ax.plot(wide.columns, wide.to_numpy().T, color="0.6", linewidth=0.7)
        means = [own.mean for own in found.values()]
        reach = [own.high - own.mean for own in found.values()]
        ax.errorbar(list(found), means, reach, color=METHOD_COLOURS[OURS], marker="o", markersize=4, capsize=3)
        ax.set_xticks(list(found))
        ax.set_title(METRICS[score][0], fontsize=9)
        ax.set_xlabel("amplitude of the detector's error")
    axes[0].set_ylabel(f"{GAIN}\n(below 0: ours is steadier)")
    return figure
