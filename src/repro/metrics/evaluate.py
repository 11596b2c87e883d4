"""All scores of one row on one list of pairs, and the table of single pairs behind them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import pandas as pd
import torch
from torch import Tensor, nn

from repro import features
from repro.data.pair import Pair, stack_pairs
from repro.features import FeatureNetwork, MissingWeights
from repro.metrics import image as image_metrics
from repro.metrics.flow import flow_scores, visibility_f1
from repro.metrics.frechet import InceptionFeatures, frechet_distance, pooled_features
from repro.metrics.perceptual import LPIPS

Predictor = Callable[[Pair], Any]
"""From a batch to something with .flows and .masks, and .image in [-1, 1] unless it only estimates flow."""


class Pairs(Protocol):
    """A list of pairs, or a data set of them."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Pair: ...


@dataclass(frozen=True)
class Evaluation:
    """The scores of one row.

    Attributes:
        metrics: name -> value. The name says the protocol.
        needs: name -> "needs file ..." for scores whose network is not on this machine.
        n: pairs evaluated.
        defined: name -> pairs in its mean (fewer than n where nothing of the person is visible); n for the others.
        per_pair: one line per pair: its index, identity and scores; for intervals over pairs.
        weights: name -> hash of the network that this score looked through.
    """

    metrics: dict[str, float]
    needs: dict[str, str]
    n: int
    defined: dict[str, int]
    per_pair: pd.DataFrame
    weights: dict[str, str]


def evaluate(
    model: nn.Module | Predictor,
    pairs: Pairs,
    *,
    networks: Sequence[str | FeatureNetwork] = ("procnet", "squeezenet1_1"),
    lpips: Sequence[str] = ("squeeze", "alex"),
    fid: bool = True,
    training_images: Iterable[Tensor] | None = None,
    batch_size: int = 8,
    device: torch.device | str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Return every score that the row, the data and the files on this machine allow.

    A score of a pair is computed on that pair alone, and the row's score is the mean over the pairs for which it is
    defined; Fréchet distances compare the set of generated images with the set of targets (a target stands in it once
    per pair), or with ``training_images``, as the paper's FID does: their names then end in ``_train_real``.

    ============================== ===================================================================================
    always                         ``l1``, ``psnr``, ``ssim_skimage_gaussian``: whole images in [0, 1]
    the studio's pairs             ``l1_person``, ``l1_person_visible``, ``l1_person_hidden``,
                                   ``ssim_skimage_gaussian_person``; with flow ``epe_visible_px``,
                                   ``within_1px_visible``, ``within_3px_visible``; with masks ``visibility_f1``
    with the network's file        ``lpips_squeeze``, ``lpips_alex``, ``fd_procnet``, ``fd_squeezenet``,
                                   ``fid_torch_fidelity``
    ============================== ===================================================================================

    Deterministic; independent of ``batch_size`` up to float32 round-off.

    Args:
        model: a network called with (source, source_pose, target_pose), images in [-1, 1]; or a function of a batch
            (:data:`repro.metrics.trivial.TRIVIAL`). A network is put into eval mode and back.
        pairs: data set or list of single pairs.
        networks: for Fréchet distances, by name or loaded.
        lpips: trunks.
        fid: True asks for Inception's file, too.
        training_images: (3, H, W) in [0, 1] each; the real set instead of the targets.
        batch_size: pairs at a time.
        device: where networks run.
        progress: called with (pairs done, pairs in all).

    Raises:
        ValueError: no pairs, or a prediction that is not finite (the message names the pair).
    """
    if len(pairs) == 0:
        raise ValueError("expected pairs to evaluate on, got an empty list")
    needs: dict[str, str] = {}
    observers = fd_observers(networks, fid, "_train_real" if training_images is not None else "", device, needs)
    distances = lpips_distances(lpips, device, needs)
    seen: dict[str, tuple[list[Tensor], list[Tensor]]] = {name: ([], []) for name in observers}
    lines: list[dict[str, Any]] = []
    with torch.inference_mode(), _predictor(model) as predict:
        for start in range(0, len(pairs), batch_size):
            indices = range(start, min(start + batch_size, len(pairs)))
            batch = stack_pairs([pairs[i] for i in indices]).to(device)
            scores, generated = _scores(predict(batch), batch, indices)
            if generated is not None:
                scores |= {name: distance(generated, batch.target) for name, distance in distances.items()}
                for name, observe in observers.items():
                    seen[name][0].append(observe(generated).cpu())
                    if training_images is None:
                        seen[name][1].append(observe(batch.target).cpu())
            columns = {"pair": list(indices), "identity": torch.as_tensor(batch.identity).tolist()}
            columns |= {name: values.double().cpu().tolist() for name, values in scores.items()}
            lines += [dict(zip(columns, line)) for line in zip(*columns.values(), strict=True)]
            if progress:
                progress(len(lines), len(pairs))
        for image in training_images or ():
            for name, observe in observers.items():
                seen[name][1].append(observe(image[None].to(device)).cpu())
    per_pair = pd.DataFrame(lines)
    means = per_pair.drop(columns=["pair", "identity"])
    metrics = {str(name): float(value) for name, value in means.mean().items()}
    defined = {str(name): int(count) for name, count in means.count().items()}
    for name, (fake, real) in seen.items():
        if fake:
            metrics[name] = frechet_distance(torch.cat(real), torch.cat(fake))
            defined[name] = len(per_pair)
    weights = {name: looked_through.weights_hash for name, looked_through in (observers | distances).items()}
    return Evaluation(metrics, needs, len(per_pair), defined, per_pair, weights)


def _scores(out: Any, batch: Pair, indices: range) -> tuple[dict[str, Tensor], Tensor | None]:
    """Return name -> score per pair of a batch, and the generated images in [0, 1] (None for flow alone)."""
    scores: dict[str, Tensor] = {}
    generated = getattr(out, "image", None)
    if generated is not None:
        _require_finite("image", generated, indices)
        generated = ((generated.float() + 1) / 2).clamp(0, 1)
        person = batch.person if batch.truth is not None else None
        scores["l1"] = image_metrics.l1(generated, batch.target)
        scores["psnr"] = image_metrics.psnr(generated, batch.target)
        whole, on_person = image_metrics.ssim_skimage_gaussian(generated, batch.target, person)
        scores["ssim_skimage_gaussian"] = whole
        if person is not None and on_person is not None:
            scores["l1_person"] = image_metrics.l1(generated, batch.target, person)
            scores["l1_person_visible"] = image_metrics.l1(generated, batch.target, person & batch.visible)
            scores["l1_person_hidden"] = image_metrics.l1(generated, batch.target, person & ~batch.visible)
            scores["ssim_skimage_gaussian_person"] = on_person
    if batch.truth is not None and out.flows:
        _require_finite("flow", out.flows[-1], indices)
        scores |= flow_scores(out.flows[-1].float(), batch.flow, batch.visible)
    if batch.truth is not None and out.masks:
        scores["visibility_f1"] = visibility_f1(out.masks[-1].float(), batch.visible, batch.person)
    return scores, generated


def _require_finite(name: str, values: Tensor, indices: range) -> None:
    broken = [i for i, value in zip(indices, values) if not bool(value.isfinite().all())]
    if broken:
        raise ValueError(
            f"the {name} predicted for pair {broken[0]} holds values that are not finite: check the weights"
        )


@contextmanager
def _predictor(model: nn.Module | Predictor) -> Iterator[Predictor]:
    """Yield a function from batch to prediction; a network is in eval mode meanwhile."""
    if not isinstance(model, nn.Module):
        yield model
        return
    was_training = model.training
    model.eval()
    try:
        yield lambda batch: model(batch.source * 2 - 1, batch.source_pose, batch.target_pose)
    finally:
        model.train(was_training)


class _Pooled:
    """Pooled features of one network, with its hash."""

    def __init__(self, network: FeatureNetwork):
        self.network, self.weights_hash = network, network.weights_hash

    def __call__(self, images: Tensor) -> Tensor:
        return pooled_features(self.network, images)


def fd_observers(
    networks: Sequence[str | FeatureNetwork], fid: bool, suffix: str, device: torch.device | str, needs: dict[str, str]
) -> dict[str, _Pooled | InceptionFeatures]:
    """Return metric name -> features for Fréchet distances; what is missing goes into ``needs``."""
    observers: dict[str, _Pooled | InceptionFeatures] = {}
    for network in networks:
        name = network if isinstance(network, str) else network.name
        metric = f"fd_{name.removesuffix('1_1')}{suffix}"  # fd_squeezenet
        try:
            loaded = features.load(network) if isinstance(network, str) else network
            observers[metric] = _Pooled(loaded.to(device))
        except MissingWeights as missing:
            needs[metric] = missing.need
    if fid:
        try:
            observers[f"fid_torch_fidelity{suffix}"] = InceptionFeatures(device)
        except MissingWeights as missing:
            needs[f"fid_torch_fidelity{suffix}"] = missing.need
    return observers


def lpips_distances(trunks: Sequence[str], device: torch.device | str, needs: dict[str, str]) -> dict[str, LPIPS]:
    """Return metric name -> distance; what is missing goes into ``needs``."""
    distances: dict[str, LPIPS] = {}
    for trunk in trunks:
        try:
            distance = LPIPS(trunk, device)
            distances[distance.name] = distance
        except MissingWeights as missing:
            needs[f"lpips_{trunk}"] = missing.need
    return distances
