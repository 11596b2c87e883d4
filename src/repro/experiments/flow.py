"""The task of the table "flow": the flow estimator alone, and how far from the exact flow it is while it learns."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from repro import models
from repro.config import Config
from repro.data.pair import Pair, stack_pairs
from repro.experiments import pairs
from repro.experiments.pairs import TestPairs
from repro.experiments.task import Scores, Task, scores_of
from repro.metrics import TRIVIAL, evaluate
from repro.metrics.flow import affine_residual, flow_scores, hidden_endpoint_error
from repro.models import GFLA, FlowOutput
from repro.training import Watch
from repro.training.host import make_fabric

WATCHED = 24  # of the fixed test pairs, in equal steps: enough to see half a pixel, cheap enough for every 20 steps
WINDOW = 5  # of the affine regulariser on the finest flow
ROWS = (
    "correctness", "bilinear_window", "no_normaliser", "no_regulariser", "strong_regulariser", "stiff_regulariser",
    "paper_direction", "warp_pictures", "warp_features", "render_bilinear", "render_attention", "copy_source",
)  # fmt: skip


def measure(config: Config, network: nn.Module | None, test_set: Any, device: str, label: str) -> Scores:
    """Return the flow's scores on the fixed test pairs, and on the subsets that are reported on their own.

    Beside those of :func:`repro.metrics.evaluate`: ``epe_hidden_px``, and ``affine_residual_px``, how far the flow is
    from locally affine in the windows of the regulariser, in pixels of the image.
    """
    chosen = TestPairs.of(test_set, config.evaluation.pairs)
    where = make_fabric(device, "32-true").device
    predict: Callable[[Pair], Any] = TRIVIAL[config.model.kind] if network is None else estimated(network)
    bent: dict[str, list[float]] = {"epe_hidden_px": [], "affine_residual_px": []}

    def seen(batch: Pair) -> FlowOutput:
        flows = predict(batch).flows
        hidden = hidden_endpoint_error(flows[-1].float(), batch.flow, batch.person & ~batch.visible)
        stride = batch.size[0] / flows[-1].shape[-2]
        bent["epe_hidden_px"] += hidden.tolist()
        bent["affine_residual_px"] += (stride * affine_residual(flows[-1].float(), WINDOW)).tolist()
        return FlowOutput(flows, [])  # masks are not trained where nothing is generated

    evaluation = evaluate(seen, chosen, networks=(), lpips=(), fid=False, device=where)
    more = pd.DataFrame(bent)
    evaluation = replace(
        evaluation,
        metrics=evaluation.metrics | {str(name): float(value) for name, value in more.mean().items()},
        defined=evaluation.defined | {str(name): int(count) for name, count in more.count().items()},
        per_pair=evaluation.per_pair.join(more),
    )
    return evaluation, scores_of(evaluation, chosen.subsets())


def watch(config: Config, test_set: Any, device: str) -> Watch:
    """Return what measures a generator's flow on some of the fixed test pairs: ``flow_scores``, means over pairs."""
    chosen = TestPairs.of(test_set, config.evaluation.pairs)
    batch = stack_pairs([chosen[place] for place in watched(len(chosen))]).to(make_fabric(device, "32-true").device)

    def scores(network: nn.Module) -> dict[str, float]:
        with torch.no_grad():
            flow = estimated(network)(batch).flows[-1].float()
            return {
                name: value.nanmean().item() for name, value in flow_scores(flow, batch.flow, batch.visible).items()
            }

    return scores


def watched(count: int) -> list[int]:
    """Return the places of the watched pairs in a list of ``count``: in equal steps; all of a short one."""
    places: list[int] = np.unique(np.linspace(0, count - 1, WATCHED).round().astype(int)).tolist()
    return places


def estimated(network: nn.Module) -> Callable[[Pair], FlowOutput]:
    """Return a function from batch to the flows of a generator's estimator."""
    if not isinstance(network, GFLA):
        raise TypeError(f"expected a GFLA, got {type(network).__name__}: this table is about its flow")
    return lambda batch: network.flow_net(batch.source * 2 - 1, batch.source_pose, batch.target_pose)


def flops(network: nn.Module, config: Config) -> int:
    """Return the floating-point operations of one estimate."""
    assert isinstance(network, GFLA)
    return models.flops(network.flow_net, (config.data.size,) * 2)


TASK = Task(
    name="flow",
    unit="pair",
    datasets=("fashion",),
    studio_only=frozenset({"copy_source"}),
    splits=pairs.splits,
    measure=measure,
    flops=flops,
    watch=watch,
    ships=False,
)
