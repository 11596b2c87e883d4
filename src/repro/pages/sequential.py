"""Pictures of the sequential network's two branches: what the source and the frame before can give to each pixel."""

from collections.abc import Sequence

import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor

from repro.data.clip import Clip
from repro.models import SequentialGFLA
from repro.ops import bilinear_warp
from repro.pages.figures import flow_colours, image_grid
from repro.training.clip_batches import structures

# Who can fill a pixel of the person (Okabe and Ito's palette), darkest where nobody can.
FILLS = {
    "both": (0.00, 0.62, 0.45),
    "source only": (0.90, 0.62, 0.00),
    "previous only": (0.34, 0.71, 0.91),
    "neither": (0.25, 0.25, 0.25),
}
GREY = 0.5


def fills(clip: Clip) -> dict[str, Tensor]:
    """Return for every pixel of the person who shows it: name -> (T, H, W) bool; outside the person all are False.

    Args:
        clip: of the studio.
    """
    person, source, previous = clip.person, clip.visible_in_source, clip.visible_in_previous
    return {
        "both": person & source & previous,
        "source only": person & source & ~previous,
        "previous only": person & ~source & previous,
        "neither": person & ~source & ~previous,
    }


def shares(clip: Clip) -> pd.DataFrame:
    """Return the part of the person's pixels that the source, the frame before, or nobody shows: a line per frame."""
    person = clip.person.sum((1, 2))
    return pd.DataFrame({name: (own.sum((1, 2)) / person).numpy() for name, own in fills(clip).items()})


def fill_picture(clip: Clip) -> Tensor:
    """Return who can fill each pixel as colours (T, 3, H, W), white outside the person."""
    picture = torch.ones(len(clip), 3, *clip.size)
    for name, own in fills(clip).items():
        picture = torch.where(own[:, None], torch.tensor(FILLS[name])[:, None, None], picture)
    return picture


def from_source(clip: Clip) -> Tensor:
    """Return each frame as far as the source shows it, moved by the exact flow, (T, 3, H, W); grey elsewhere."""
    moved = bilinear_warp(clip.source.expand(len(clip), -1, -1, -1), clip.flow_to_source)
    return torch.where(clip.visible_in_source[:, None], moved, GREY)


def from_previous(clip: Clip) -> Tensor:
    """Return each frame as far as the *true* frame before shows it, (T, 3, H, W); grey elsewhere and in frame 0."""
    before = torch.cat([clip.frames[:1], clip.frames[:-1]])
    return torch.where(clip.visible_in_previous[:, None], bilinear_warp(before, clip.flow_to_previous), GREY)


def handed_on(clip: Clip) -> Tensor:
    """Return a clip whose first frame is true and every other one the frame made before it, moved by the exact flow.

    What the frame before does not show stays grey, and is handed on as grey.
    """
    made = [clip.frames[0]]
    for flow, visible in zip(clip.flow_to_previous[1:], clip.visible_in_previous[1:]):
        made.append(torch.where(visible, bilinear_warp(made[-1][None], flow[None])[0], GREY))
    return torch.stack(made)


def detail(frames: Tensor, person: Tensor) -> Tensor:
    """Return the mean difference between horizontal neighbours inside the person, (T,): what blur takes away."""
    both = person[:, :, 1:] & person[:, :, :-1]
    steps = frames.diff(dim=-1).abs().mean(1)
    return (steps * both).sum((1, 2)) / both.sum((1, 2))


def branches_figure(clip: Clip, numbers: Sequence[int]) -> Figure:
    """Return a figure with a line per frame: the frame, what each branch can give, and who fills which pixel."""
    pictures = {
        "frame": clip.frames,
        "from the source": from_source(clip),
        "from the frame before": from_previous(clip),
        "who fills it": fill_picture(clip),
    }
    rows = [{title: own[number] for title, own in pictures.items()} for number in numbers]
    return image_grid(rows, labels=[f"frame {number}" for number in numbers], height=1.6)


@torch.no_grad()
def masks_figure(network: SequentialGFLA, clip: Clip, skeletons: str, numbers: Sequence[int]) -> Figure:
    """Return what a trained network does: its frame, and at the finer scale flow and mask of both branches.

    Args:
        network: in eval mode.
        clip: one that it was not trained on.
        skeletons: what it was trained on ("noisy" or "clean").
        numbers: frames to show.
    """
    poses = structures(clip, skeletons)[: max(numbers) + 1]
    made = list(network.frames(clip.source[None] * 2 - 1, clip.source_pose[None], poses[:, None].unbind()))
    rows = []
    for number in numbers:
        frame = made[number]
        row = {"frame": clip.frames[number], "generated": (frame.image[0] + 1) / 2}
        for title, flows, masks in (
            ("source", frame.flows.reference, frame.masks.reference),
            ("previous", frame.flows.previous, frame.masks.previous),
        ):
            row |= {f"flow, {title}": flow_colours(flows[-1][0]), f"mask, {title}": masks[-1][0, 0]}
        rows.append(row)
    return image_grid(rows, labels=[f"frame {number}" for number in numbers])
