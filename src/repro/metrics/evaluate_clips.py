"""All scores of one row on whole clips: every frame as a picture, the clip as a clip, and the table of single clips."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Protocol

import pandas as pd
import torch
from torch import Tensor

from repro import features
from repro.data.clip import Clip
from repro.data.pair import Pair
from repro.features import FeatureNetwork, MissingWeights
from repro.features.video_network import VideoNetwork
from repro.metrics.evaluate import Evaluation, evaluate
from repro.metrics.temporal import temporal_scores
from repro.metrics.trivial import Prediction
from repro.metrics.video import WINDOW, aed, frechet_name, video_features, video_scores

Generate = Callable[[Clip], Tensor]
"""From a clip to its frames made anew from its source and its skeletons, (T, 3, H, W) in [0, 1]."""


class Clips(Protocol):
    """A list of clips, or a data set of them."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Clip: ...


def evaluate_clips(
    generate: Generate,
    clips: Clips,
    *,
    video_networks: Sequence[str | VideoNetwork] = ("videonet", "videonet_seed1", "i3d"),
    networks: Sequence[str | FeatureNetwork] = ("procnet", "squeezenet1_1"),
    lpips: Sequence[str] = ("squeeze", "alex"),
    fid: bool = True,
    batch_size: int = 8,
    device: torch.device | str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Return every score that a row, the clips and the files on this machine allow; long clips count whole.

    =========================== ======================================================================================
    every frame as a picture    what :func:`~repro.metrics.evaluate` says of an image against its target; a clip's
                                score is the mean over its frames, Fréchet distances compare the sets of all frames
    with the studio's flow      ``warping_error_*``, ``warping_error_person_*``, ``flicker_*``
                                (:func:`~repro.metrics.temporal.temporal_scores`)
    with the network's file     of windows of 16 frames, ``fd_videonet``, ``fd_videonet_pc{p}``, ``aed_ms_videonet``,
                                ``aed_l2_videonet``, ``aed_sq_videonet``; the same of ``videonet_seed1``; with the
                                user's I3D ``fid_video_i3d``, ``aed_ms_i3d``, ...
    =========================== ======================================================================================

    The result's ``per_pair`` has a line per clip ("pair" is the clip's number); ``n`` counts clips. Memory holds two
    clips, whatever their number.

    Args:
        generate: called once per clip, in order.
        clips: data set or list of single clips.
        video_networks: by name or loaded.
        networks, lpips, fid, batch_size: as for ``evaluate``.
        device: where clips are put and networks run.
        progress: called with (clips done, clips in all).

    Raises:
        ValueError: no clips, or frames that are misshapen, not finite or outside [0, 1] (the message names the clip).
    """
    if len(clips) == 0:
        raise ValueError("expected clips to evaluate on, got an empty list")
    needs: dict[str, str] = {}
    looking = _video_networks(video_networks, device, needs)
    frames = _Frames(clips, device)
    vectors: dict[str, list[tuple[Tensor, Tensor]]] = {name: [] for name in looking}
    temporal: list[dict[str, float]] = []

    def generated() -> Iterator[Tensor]:
        for number in range(len(clips)):
            clip = frames.clip(number)
            made = _checked(generate(clip), clip, number).to(clip.source)
            scores = coherence(made, clip)
            for name, network in looking.items():
                pair = video_features(network, made), video_features(network, clip.frames)
                vectors[name].append((pair[0].cpu(), pair[1].cpu()))
                scores |= {f"aed_{kind}_{name}": own.mean().item() for kind, own in aed(*pair).items()}
            temporal.append(scores)
            yield from made
            if progress:
                progress(number + 1, len(clips))

    stream = generated()

    def predict(batch: Pair) -> Prediction:  # evaluate asks for the frames in order, once
        return Prediction(torch.stack(list(islice(stream, len(batch.target)))) * 2 - 1, [], [])

    pictures = evaluate(predict, frames, networks=networks, lpips=lpips, fid=fid, batch_size=batch_size, device=device)
    next(stream, None)  # past the last frame: the last clip is done
    lines = pictures.per_pair.assign(pair=[number for number, _ in frames.places])
    per_clip = lines.groupby("pair", as_index=False).mean().astype({"identity": int})
    per_clip = pd.concat([per_clip, pd.DataFrame(temporal)], axis=1)
    means = per_clip.drop(columns=["pair", "identity"])
    sets = {name: value for name, value in pictures.metrics.items() if name not in means}
    metrics = {str(name): float(value) for name, value in means.mean().items()} | sets
    defined = {str(name): int(count) for name, count in means.count().items()} | dict.fromkeys(sets, len(clips))
    weights = dict(pictures.weights)
    for name, pairs in vectors.items():
        made, real = (torch.cat(vectors_of) for vectors_of in zip(*pairs))
        if len(real) < 2:
            needs[frechet_name(name)] = f"needs 2 windows of {WINDOW} frames, got {len(real)}"
            continue
        scores = video_scores(name, made, real)
        metrics |= scores
        defined |= dict.fromkeys(scores, len(clips))
        weights |= dict.fromkeys(scores, looking[name].weights_hash)
    return Evaluation(metrics, pictures.needs | needs, len(clips), defined, per_clip, weights)


def coherence(made: Tensor, clip: Clip) -> dict[str, float]:
    """Return the scores of a generated clip along the exact flow, see :func:`~repro.metrics.temporal.temporal_scores`.

    Args:
        made: what was generated for the clip, (T, 3, H, W) in [0, 1].
        clip: with the studio's truth; of a real one nothing is known and there are no scores.
    """
    if clip.truth is None:
        return {}
    return temporal_scores(
        made,
        clip.frames,
        to_previous=(clip.flow_to_previous, clip.visible_in_previous),
        to_source=(clip.flow_to_source, clip.visible_in_source),
        person=clip.person,
    )


@dataclass(frozen=True)
class _FrameTruth:
    """What the studio knows of one frame of a clip against the clip's source."""

    clip: Clip
    frame: int

    def correspondence(self, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
        clip, frame = self.clip, self.frame
        return clip.flow_to_source[frame], clip.visible_in_source[frame], clip.person[frame]


class _Frames:
    """The frames of all clips as pairs of source and target; a clip is read when its first frame is asked for."""

    def __init__(self, clips: Clips, device: torch.device | str) -> None:
        self.places = [(number, frame) for number in range(len(clips)) for frame in range(len(clips[number]))]
        self.clip = lru_cache(2)(lambda number: clips[number].to(device))  # a batch may reach into the next clip

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> Pair:
        number, frame = self.places[index]
        clip = self.clip(number)
        truth = None if clip.truth is None else _FrameTruth(clip, frame)
        nowhere = clip.source_joints[:0]  # skeletons are the generator's business
        return Pair(clip.source, clip.frames[frame], nowhere, nowhere, clip.identity, clip.sigma, truth)  # type: ignore[arg-type]


def _checked(made: Tensor, clip: Clip, number: int) -> Tensor:
    """Return what was generated for a clip, or refuse it."""
    if tuple(made.shape) != tuple(clip.frames.shape):
        raise ValueError(f"expected frames {tuple(clip.frames.shape)} for clip {number}, got {tuple(made.shape)}")
    low, high = made.min().item(), made.max().item()
    if not (low >= -1e-3 and high <= 1 + 1e-3):
        raise ValueError(f"expected finite frames in [0, 1] for clip {number}, got {low:.3g} to {high:.3g}")
    return made.float().clamp(0, 1)


def _video_networks(
    networks: Sequence[str | VideoNetwork], device: torch.device | str, needs: dict[str, str]
) -> dict[str, VideoNetwork]:
    """Return name -> network; what is missing goes into ``needs``."""
    found: dict[str, VideoNetwork] = {}
    for network in networks:
        name = network if isinstance(network, str) else network.name
        try:
            found[name] = (features.load_video(network) if isinstance(network, str) else network).to(device)
        except MissingWeights as missing:
            needs[frechet_name(name)] = missing.need
    return found
