"""The flow losses against the forms that store what theirs avoids: all pairs of positions, all windows.

    python benchmarks/loss.py                        relu3_1 and relu4_1 of a 256x256 image, one CPU thread
    python benchmarks/loss.py --device cuda          batch 8
    python benchmarks/loss.py --tiny --out DIR       a rehearsal in seconds; the record goes elsewhere

Writes data/records/benchmarks/loss.DEVICE.json. About a minute on one core.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from bench import measure
from torch import Tensor

from repro.losses import affine_regularization, sampling_correctness

SCALES = {"relu4_1, 32x32x512": (32, 512, 3), "relu3_1, 64x64x256": (64, 256, 5)}  # side, channels, affine window
SIGMA = 2.0


def main(argv: list[str] | None = None) -> dict[str, Any]:
    options = measure.options(
        argv, "Measure the flow losses against their plain forms.", cpu_batch=1, rounds=5, tiny="small maps"
    )
    device = measure.chosen(options)
    batch = options.batch or (8 if device.type == "cuda" else 1)
    record: dict[str, Any] = {
        "command": measure.command("loss", argv),
        "what": "forward + backward to the flow; plain: the matrix of all pairs, all 4 x 4 or n x n windows stored",
        "batch": batch,
        "scales": [],
    }
    scales = {"8x8x4": (8, 4, 3)} if options.tiny else SCALES
    for name, (side, channels, window) in scales.items():
        generator = torch.Generator().manual_seed(0)
        features = torch.rand(2, batch, channels, side, side, generator=generator).to(device)
        flow = (3 * torch.randn(batch, 2, side, side, generator=generator)).to(device).requires_grad_()
        for loss, (ours, plain) in both_ways(features, flow, window).items():
            print(f"{name}: {loss}")
            difference = abs(ours().item() - plain().item())
            works = {way: gradient(of, flow) for way, of in (("ours", ours), ("plain", plain))}
            measured = measure.compared(works, "plain", device, options.rounds)
            record["scales"].append({"scale": name, "loss": loss, "difference": difference} | measured)
    print("record:", measure.write("loss", device, record, options.out))
    return record


def both_ways(features: Tensor, flow: Tensor, window: int) -> dict[str, tuple[Callable[[], Tensor], ...]]:
    """Return every loss as the package computes it, and in its plain form."""
    return {
        "sampling correctness": (
            lambda: sampling_correctness(*features, flow),
            lambda: correctness_on_matrix(*features, flow),
        ),
        "affine regularisation": (
            lambda: affine_regularization(flow, window),
            lambda: affine_on_windows(flow, window),
        ),
    }


def gradient(loss: Callable[[], Tensor], flow: Tensor) -> Callable[[], tuple[Tensor, ...]]:
    return lambda: torch.autograd.grad(loss(), flow)


def correctness_on_matrix(source: Tensor, target: Tensor, flow: Tensor) -> Tensor:
    """Return Eq. 2-3 with all similarities in one matrix and the 4 x 4 Gaussian windows as sixteen weighted reads."""
    with torch.no_grad():
        rows_s, rows_t = (x.flatten(2) / (x.flatten(2).norm(dim=1, keepdim=True) + 1e-8) for x in (source, target))
        best = (rows_t.transpose(1, 2) @ rows_s).max(dim=2).values.view(flow[:, 0].shape)
    height, width = flow.shape[2:]
    x = flow[:, 0] + torch.arange(width).to(flow)
    y = flow[:, 1] + torch.arange(height).to(flow)[:, None]
    total, weights = torch.zeros_like(target), torch.zeros_like(x)
    image = torch.arange(len(source), device=source.device).view(-1, 1, 1)
    for a in range(-1, 3):
        for b in range(-1, 3):
            row, column = y.detach().floor() + a, x.detach().floor() + b
            weight = torch.exp(-((row - y).square() + (column - x).square()) / (2 * SIGMA**2))
            read = source[image, :, row.long().clamp(0, height - 1), column.long().clamp(0, width - 1)]
            total, weights = total + weight[:, None] * read.permute(0, 3, 1, 2), weights + weight
    similarity = F.cosine_similarity(total / weights[:, None], target, dim=1, eps=1e-8)
    return (torch.exp(-similarity / (best + 1e-8)) - math.exp(-1)).mean()


def affine_on_windows(flow: Tensor, window: int) -> Tensor:
    """Return Eq. 4-6 as the authors compute it: every window of the flow unfolded, then the projector."""
    axis = torch.arange(window).to(flow) - (window - 1) / 2
    design = torch.stack([axis.repeat_interleave(window), axis.repeat(window), torch.ones(window**2).to(flow)], dim=1)
    projector = design @ torch.linalg.inv(design.T @ design) @ design.T - torch.eye(window**2).to(flow)
    windows = F.unfold(flow, window).unflatten(1, (2, window**2))
    return (projector @ windows).square().sum(dim=2).mean() * 2


if __name__ == "__main__":
    main()
