"""What a linear probe reads of place and size around the norms of the Motion Extraction Network, and its picture."""

from collections.abc import Mapping
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from repro import data
from repro.data.motion_windows import CONTEXT, LENGTH, augment_motion, from_channels, to_channels, window
from repro.data.studio.h36m import CAMERAS, H36MSet
from repro.data.studio.seeds import child_generator
from repro.data.studio.skeleton import HUMAN36M_17
from repro.metrics.linear_probe import ProbeScore, fit_probe, score_probe
from repro.metrics.motion import body_height
from repro.models import MotionExtractionNetwork
from repro.models.adaptive_normalisation import AdaptiveLayerNorm, layer_norm
from repro.training.motion_inference import without_gaps

MIDDLE = CONTEXT + LENGTH // 2
"""The frame of a window whose features are read; no layer moves it from the middle of its features."""
QUANTITIES = ("row of the hip", "column of the hip", "height of the person")
POSTURE = "posture alone"
COLOURS = {"before": "#000000", "layer norm": "#D55E00", "after": "#0072B2", POSTURE: "#999999"}
_HIP = HUMAN36M_17.index("hip")

# Quantity -> where the features are taken -> how well it is read there.
Scores = dict[str, dict[str, ProbeScore]]


@dataclass(frozen=True)
class ProbeWindows:
    """N windows as the network gets them, and what a probe is to read.

    Attributes:
        joints: (N, 34, 104), detected, normalised, augmented as in training.
        truth: one of :data:`QUANTITIES` -> (N,) pixels: the true middle of the hips in the middle frame, and the
            person's height over the window.
        posture: (N, 34), the detected joints of the middle frame, seen from the hip, in heights of the person: what is
            left of a window without place and size.
        person, take: (N,) numbers; a take is seen by four cameras.
    """

    joints: Tensor
    truth: Mapping[str, Tensor]
    posture: Tensor
    person: Tensor
    take: Tensor


def probe_windows(dataset: H36MSet, missing: str, kinds: int, windows: int) -> ProbeWindows:
    """Return windows of the first takes of a set's motions, all cameras, each with an augmentation of its own.

    Without the augmentation people would all be about as large; the network was trained with it.

    Args:
        dataset: of the studio.
        missing: what the network is fed where a joint is missing.
        kinds: of motion for each person, taken in turn, so that together they show as many as possible.
        windows: of each sequence, evenly spread over it.
    """
    actions = dataset.action
    offered = [action for action in dict.fromkeys(actions) if action.endswith(" 1")]
    people = dataset.identity - dataset.identity.min()
    width = dataset.size[1]
    joints, truth, posture, chosen = [], [], [], []
    for index, person in enumerate(people.tolist()):
        own = {offered[(kinds * person + turn) % len(offered)] for turn in range(kinds)}
        if actions[index] not in own:
            continue
        sequence, rng = dataset[index], child_generator("motion probe", dataset.split, index)
        found = without_gaps(sequence.noisy, missing, width)
        for start in np.linspace(0, len(sequence) - LENGTH, windows).astype(int).tolist():
            noisy, clean = (to_channels(window(part, start), width) for part in (found, sequence.clean))
            noisy, clean = augment_motion(noisy, clean, rng)
            true = from_channels(clean, width)
            hip, height = true[MIDDLE, _HIP], body_height(true)
            joints.append(noisy.float())
            truth.append(torch.tensor([*hip.tolist(), height], dtype=torch.float64))
            posture.append(((from_channels(noisy, width)[MIDDLE] - hip) / height).flatten())
            chosen.append(index)
    return ProbeWindows(
        joints=torch.stack(joints),
        truth=dict(zip(QUANTITIES, torch.stack(truth).T)),
        posture=torch.stack(posture),
        person=people[chosen],
        take=torch.tensor(chosen) // CAMERAS,
    )


@torch.no_grad()
def features_at_norms(network: MotionExtractionNetwork, joints: Tensor) -> dict[str, Tensor]:
    """Return the features of the middle frame, (N, C), around the first norm and around the first and the last ADALN.

    "before" is what the norm gets, "layer norm" the same under plain layer norm, without any scale and shift, and
    "after" what ADALN makes of it. The first norm of the network is no ADALN but a layer norm.

    Args:
        network: in eval mode, with ADALN.
        joints: (N, 34, L) as :class:`ProbeWindows` has them.
    """
    first, *_, last = (norm for norm in network.blocks.modules() if isinstance(norm, AdaptiveLayerNorm))
    features: dict[str, Tensor] = {}

    def middle(x: Tensor) -> Tensor:
        return x[..., x.shape[-1] // 2].clone()

    def watch(name: str, norm: nn.Module) -> torch.utils.hooks.RemovableHandle:
        def keep(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            features[f"{name}, before"] = middle(inputs[0])
            features[f"{name}, layer norm"] = middle(layer_norm(inputs[0]))
            if isinstance(norm, AdaptiveLayerNorm):
                features[f"{name}, after"] = middle(output)

        return norm.register_forward_hook(keep)

    hooks = [watch("first norm", network.entry_norm), watch("first ADALN", first), watch("last ADALN", last)]
    try:
        network(joints)
    finally:
        for hook in hooks:
            hook.remove()
    return features


def norm_probes(network: MotionExtractionNetwork, missing: str) -> Scores:
    """Return how well place and size are read around the norms: fitted on training people, scored on held-out ones.

    448 windows of seven people are fitted, two kinds of motion of each; 288 of two others are scored, nine kinds of
    motion of each. The ridge strength is chosen between the seven people, the intervals are over the takes of the two.
    :data:`POSTURE` is the control: what can be guessed from how a person stands.

    Args:
        network, missing: as :func:`repro.pages.motion_extraction.example_network` returns them.
    """
    train, test = (
        probe_windows(data.load("h36m", split), missing, kinds, windows)
        for split, kinds, windows in (("train", 2, 8), ("test", 9, 4))
    )
    fitted, held_out = (features_at_norms(network, part.joints) | {POSTURE: part.posture} for part in (train, test))
    scores: Scores = {}
    for quantity in QUANTITIES:
        for place, features in fitted.items():
            probe = fit_probe(features, train.truth[quantity], train.person)
            found = score_probe(probe(held_out[place]), test.truth[quantity], test.take)
            scores.setdefault(quantity, {})[place] = found
    return scores


def probe_figure(scores: Scores) -> Figure:
    """Return one panel per quantity: R² and its 95 % interval wherever features were taken.

    Args:
        scores: as :func:`norm_probes` returns them.
    """
    figure, axes = plt.subplots(1, len(scores), figsize=(3.1 * len(scores), 3.2), sharey=True, squeeze=False)
    for ax, (quantity, by_place) in zip(axes[0], scores.items()):
        for row, (place, score) in enumerate(by_place.items()):
            low, high = score.interval()
            colour = COLOURS[place.rpartition(", ")[2]]
            ax.plot([low, high], [row, row], color=colour, linewidth=1.5)
            ax.plot(score.r2, row, "o", color=colour, markersize=5)
            ax.text(1.1, row, f"{score.r2:.2f}".replace("-", "−"), color=colour, fontsize=8, va="center")
        ax.axvline(0, color="#BBBBBB", linewidth=0.8, zorder=0)
        ax.set(xlim=(-0.75, 1.6), xticks=(0, 0.5, 1), xlabel="R² on held-out people")
        ax.set_title(quantity, fontsize=9)
    axes[0][0].set_yticks(range(len(by_place)), list(by_place), fontsize=8)
    axes[0][0].invert_yaxis()
    figure.tight_layout()
    return figure
