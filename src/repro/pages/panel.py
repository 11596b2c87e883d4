"""One picture of what a network did with a photograph: source, pose, result, flow, visibility, attention."""

from collections.abc import Callable

import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from repro.data.joints import heatmaps
from repro.experiments.generation import Generator, Reposing
from repro.models import GFLA, LocalAttention, Output
from repro.pages.figures import draw_flow, draw_skeleton, pose_picture, show_image
from repro.pages.reading import region_weights

ARROWS = 16
"""Along the height of a picture."""
COLUMNS = 3
SIDE = 2.8
"""Inches of the longer side of one picture."""
COLOUR = "#D55E00"


def panel(scene: Reposing, generator: Generator, output: Output) -> Figure:
    """Return a figure with everything that led to a picture, cut to what the photograph fills.

    Flow and visibility are those of the finest attention layer. An arrow starts at a target position whose visibility
    is above one half and ends where the source is read for it. The attention's heat is the sum of the kernels of all
    target positions, each times its visibility and the strongest heat map of the pose, so that it shows what is read
    for the joints. What a network does not have is left out.

    Args:
        scene: the photograph and the pose.
        generator: the network.
        output: what it made of them (:func:`repro.experiments.generation.generate`).
    """
    source, made = scene.person.photograph.image, (output.image[0] + 1) / 2
    pose = pose_picture(heatmaps(scene.target, scene.size, generator.sigma))

    def show_source(axes: Axes) -> None:
        show_image(axes, source, "source and its joints")
        draw_skeleton(axes, scene.person.joints)

    def show_pose(axes: Axes) -> None:
        show_image(axes, pose, "pose that is asked for")
        draw_skeleton(axes, scene.target, colour=COLOUR)

    pictures: list[Callable[[Axes], None]] = [show_source, show_pose, lambda axes: show_image(axes, made, "result")]
    if output.flows:
        visible = _enlarged(output.masks[-1], scene.size)[0]
        flow = _enlarged(output.flows[-1], scene.size) * (scene.size[0] / output.flows[-1].shape[-2])

        def show_flow(axes: Axes) -> None:
            show_image(axes, 0.4 * made + 0.6, "flow: what is read where")
            draw_flow(axes, flow, where=visible > 0.5, step=scene.size[0] // ARROWS, colour=COLOUR)

        pictures += [show_flow, lambda axes: show_image(axes, visible, "visibility: white is read")]
    if isinstance(generator.network, GFLA) and _attends(generator.network):
        layer, mask = min(output.attention_inputs), output.masks[-1]
        counts = mask[0, 0] * F.adaptive_avg_pool2d(pose[None], (mask.shape[-2], mask.shape[-1]))[0]
        heat = _enlarged(region_weights(generator.network, output, layer, counts)[None, None], scene.size)[0]

        def show_attention(axes: Axes) -> None:
            show_image(axes, source.mean(0), "attention: what the joints read")
            axes.imshow(heat.numpy(), cmap="magma", alpha=0.7)

        pictures.append(show_attention)
    return _drawn(pictures, scene)


def _attends(network: GFLA) -> bool:
    return all(isinstance(network.attention(layer), LocalAttention) for layer in network.attention_layers)


def _drawn(pictures: list[Callable[[Axes], None]], scene: Reposing) -> Figure:
    """The figure, three pictures to a line, cut and as wide as they should be."""
    top, left, height, width = scene.person.photograph.window
    lines = -(-len(pictures) // COLUMNS)
    factor = SIDE / max(height, width / scene.stretch)
    shape = COLUMNS * (factor * width / scene.stretch + 0.15), lines * (factor * height + 0.35)
    figure = Figure(figsize=shape, layout="constrained")
    for axes, show in zip(figure.subplots(lines, COLUMNS, squeeze=False).flat, pictures):
        show(axes)
        axes.set(xlim=(left - 0.5, left + width - 0.5), ylim=(top + height - 0.5, top - 0.5), aspect=scene.stretch)
    for axes in figure.axes[len(pictures) :]:
        axes.remove()
    return figure


def _enlarged(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """A layer's map (1, C, h, w) on the picture's grid, (C, H, W), each position a square."""
    return F.interpolate(maps, size, mode="nearest")[0]
