"""Where a network's local attention reads the source: heat maps over the source image, one target pixel at a time."""

import matplotlib.pyplot as plt
import torch
from IPython.display import HTML
from matplotlib.figure import Figure
from torch import Tensor

from repro.data.joints import JOINTS
from repro.models import GFLA
from repro.models.gfla import Output
from repro.pages.figures import show_image
from repro.pages.reading import reading_weights
from repro.pages.strip import slider_strip


@torch.no_grad()
def look(model: GFLA, source: Tensor, source_pose: Tensor, target_pose: Tensor) -> Output:
    """Return the model's output for one picture.

    Args:
        model: a network with flow and local attention, in eval mode.
        source: (3, H, W) in [0, 1].
        source_pose, target_pose: heat maps, (18, H, W).
    """
    return model(2 * source[None] - 1, source_pose[None], target_pose[None])


def reading_figure(model: GFLA, output: Output, source: Tensor, layer: int, row: int, column: int) -> Figure:
    """Return a figure: the generated picture with one position marked, and what is read for it in the source."""
    weights = reading_weights(model, output, layer, row, column)
    stride = source.shape[-1] / weights.shape[-1]
    figure, axes = plt.subplots(1, 3, figsize=(7.5, 2.7))
    show_image(axes[0], (output.image[0] + 1) / 2, "generated")
    axes[0].plot((column + 0.5) * stride - 0.5, (row + 0.5) * stride - 0.5, "s", mfc="none", mec="#D55E00", ms=9)
    mask = output.masks[list(output.attention_inputs).index(layer)][0, 0, row, column].item()
    show_image(axes[1], source, "source, and where it is read")
    extent = (-0.5, source.shape[-1] - 0.5, source.shape[-2] - 0.5, -0.5)
    axes[1].imshow(weights, extent=extent, cmap="magma", alpha=0.6)
    axes[2].imshow(weights, cmap="magma", vmin=0)
    axes[2].set(xticks=[], yticks=[])
    axes[2].set_title(f"weights (sum 1), mask m = {mask:.2f}", fontsize=9)
    figure.tight_layout(pad=0.4)
    return figure


def reading_strip(
    model: GFLA, source: Tensor, source_pose: Tensor, target_pose: Tensor, target_joints: Tensor, *, layer: int = 2
) -> HTML:
    """Return a slider over the target's joints that shows what the attention reads at each of them.

    Args:
        model: a network with flow and local attention, in eval mode.
        source: (3, H, W) in [0, 1].
        source_pose, target_pose: heat maps, (18, H, W).
        target_joints: (18, 2), (row, column) in pixels of the image, -1 missing: the positions of the slider.
        layer: attention layer.
    """
    output = look(model, source, source_pose, target_pose)
    height, width = output.attention_inputs[layer][0].shape[-2:]
    scale = torch.tensor([height / source.shape[-2], width / source.shape[-1]], dtype=torch.float64)
    frames = []
    for name, joint in zip(JOINTS, target_joints.double()):
        row, column = (joint * scale).floor().long().tolist()
        if (joint >= 0).all() and row < height and column < width:
            frames.append((name.replace("_", " "), reading_figure(model, output, source, layer, row, column)))
    return slider_strip(frames, alt="where the attention reads the source, for one joint of the target", dpi=60)
