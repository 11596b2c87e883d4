"""Pictures of motion extraction: one joint's track, before and after layer norm, and under more and more noise."""

from collections.abc import Mapping, Sequence
from functools import cache

import matplotlib.pyplot as plt
from IPython.display import HTML
from matplotlib.figure import Figure
from torch import Tensor

from repro import data, records
from repro.data.clip import MotionSequence
from repro.data.joints import is_missing
from repro.data.studio.h36m import H36MSet
from repro.experiments import load_recorded_model
from repro.experiments.motion import network_joints
from repro.metrics.motion import HUMAN36M_SHARED, SHARED, acceleration_errors, joint_errors
from repro.metrics.motion_filters import filter_sequence, shared_joints
from repro.models import MotionExtractionNetwork
from repro.pages.strip import slider_strip

COLOURS = {"true": "#000000", "detected": "#999999", "Gaussian": "#0072B2", "network": "#D55E00"}
AMPLITUDES = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)


@cache
def example_set() -> H36MSet:
    """Return the studio's smallest set of held-out motion sequences."""
    return data.load("h36m", "test", scale="tiny")


def example_sequence(amplitude: float = 1.0) -> MotionSequence:
    """Return the first held-out sequence, 150 frames, as a detector with so many times the usual errors sees it."""
    return example_set().sequence(0, amplitude=amplitude)


def example_network(row: str = "men_adaln") -> tuple[MotionExtractionNetwork, str]:
    """Return the recorded network of a row (profile laptop, seed 0), and what it is fed where a joint is missing.

    Raises:
        LookupError: nothing is recorded.
    """
    found = [one for one in records.read("motion", "laptop") if one.row == row and one.seed == 0]
    if not found:
        raise LookupError(f"no record of {row}: `repro table motion --profile laptop --rows {row}` makes it")
    network = load_recorded_model(found[0])
    assert isinstance(network, MotionExtractionNetwork)
    return network, found[0].config["motion"]["missing"]


def track_figure(panels: Mapping[str, Mapping[str, Tensor]], *, unit: str, label: str) -> Figure:
    """Return one panel per title with the tracks of one coordinate over the frames.

    Args:
        panels: title -> name of the track -> (T,).
        unit: of the vertical axis.
        label: what is drawn, on the vertical axis of the first panel.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(3.4 * len(panels), 2.7), squeeze=False)
    for ax, (title, tracks) in zip(axes[0], panels.items()):
        for number, (name, track) in enumerate(tracks.items()):
            # Thick below thin, so that tracks that coincide can all be seen.
            ax.plot(track, linewidth=4.5 - 4 * (number + 1) / len(tracks), label=name)
        ax.set_title(title, fontsize=9)
        ax.set_xlabel("frame")
    axes[0][0].set_ylabel(f"{label}, {unit}")
    axes[0][-1].legend(fontsize=7)
    figure.tight_layout()
    return figure


def cleaned_figure(
    sequence: MotionSequence, network: MotionExtractionNetwork, missing: str, joint: str, frames: Sequence[int]
) -> Figure:
    """Return one joint's row over some frames: true, detected, under the Gaussian filter, and from the network.

    Args:
        sequence: of the studio.
        network, missing: as :func:`example_network` returns them.
        joint: name of a shared joint.
        frames: to draw.
    """
    place, shown = SHARED.index(joint), list(frames)
    true = sequence.clean[:, list(HUMAN36M_SHARED)]
    found = shared_joints(sequence.noisy)
    tracks = {
        "detected": found.masked_fill(is_missing(found)[..., None], float("nan")),
        "Gaussian": filter_sequence("gaussian", sequence, shared_joints),
        "network": network_joints(network, sequence, missing),
        "true": true,
    }
    figure, ax = plt.subplots(figsize=(7.5, 2.9))
    for name, track in tracks.items():
        words = name
        if name in ("Gaussian", "network"):
            error, tremble = joint_errors(track, true).mean(), acceleration_errors(track, true).mean()
            words += f": {error:.1f} px, {tremble:.2f} px/frame²"
        ax.plot(shown, track[shown, place, 0], color=COLOURS[name], label=words, linewidth=1.3)
    ax.invert_yaxis()
    ax.set(xlabel="frame (50 a second)", ylabel=f"{joint.replace('_', ' ')}, row in px")
    ax.legend(fontsize=7, loc="upper right", title="mean over all joints and frames", title_fontsize=7)
    figure.tight_layout()
    return figure


def noise_strip(network: MotionExtractionNetwork, missing: str, joint: str = "left_wrist") -> HTML:
    """Return a slider over the detector's noise: one joint's track, true, detected and cleaned.

    Args:
        network, missing: as :func:`example_network` returns them.
        joint: name of a shared joint.
    """
    frames = [
        (
            f"{amplitude:g} times the errors of a typical detector",
            cleaned_figure(example_sequence(amplitude), network, missing, joint, range(60)),
        )
        for amplitude in AMPLITUDES
    ]
    return slider_strip(frames, alt=f"track of the {joint.replace('_', ' ')}, detected and cleaned", start=2, dpi=80)
