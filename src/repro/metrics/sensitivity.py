"""Does a video network see time? How far its Fréchet distance moves when real clips are disturbed."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from repro import features, records
from repro.data.clip import Clip
from repro.features.disturbances import frozen, in_other_order, jittered
from repro.features.video_network import VideoNetwork
from repro.metrics.frechet import frechet_distance
from repro.metrics.video import WINDOW, video_features, windows

BAR = 3.0
"""A shuffle must move the score by so many times the distance between real and real, or the network is blind."""
SHIPPED = ("videonet", "videonet_seed1")
SPLITS = 20
"""Random halves of the people over which distances are averaged."""


def _shuffled(frames: Tensor, rng: np.random.Generator) -> Tensor:
    return torch.cat([in_other_order(own, WINDOW, rng) for own in windows(frames)])


def _jittered(frames: Tensor, rng: np.random.Generator) -> Tensor:
    return jittered(frames, rng)


def _frozen(frames: Tensor, rng: np.random.Generator) -> Tensor:
    return torch.cat([frozen(own) for own in windows(frames)])


def _twice_as_fast(frames: Tensor, rng: np.random.Generator) -> Tensor:
    """As many windows as before: each begins where its own does, or early enough to have 32 frames."""
    last = len(frames) - 2 * WINDOW
    starts = range(0, len(frames) - WINDOW + 1, WINDOW)
    return torch.cat([frames[min(start, last) :][: 2 * WINDOW : 2] for start in starts])


DISTURBANCES: dict[str, Callable[[Tensor, np.random.Generator], Tensor]] = {
    "shuffle": _shuffled,
    "jitter": _jittered,
    "frozen": _frozen,
    "twice_as_fast": _twice_as_fast,
}
"""What is done to the frames (T, 3, H, W) of a clip, T a multiple of 16: frames of every window in random order, every
frame off by up to 2 pixels, the window's first frame all the time, every second frame."""


def record_sensitivity(
    out: Path,
    sets: Mapping[str, Sequence[Clip]],
    *,
    networks: Sequence[str | VideoNetwork] = SHIPPED,
    command: str = "",
) -> dict[str, Any]:
    """Measure every network on every set and on all together, write ``videonet_sensitivity.json`` and return it.

    The record's ``sees_time`` says whether a shuffle moves every network's score on every set by ``BAR`` floors.

    Args:
        out: folder of the record, written whole or not at all.
        sets: name -> clips, for example the test split of ``fashion_video``.
        networks: by name or loaded.
        command: what a reader types to do it again; goes into the record.
    """
    started, clock = records.now(), time.perf_counter()
    found: dict[str, Any] = {}
    for one in networks:
        network = features.load_video(one) if isinstance(one, str) else one
        vectors = {name: disturbed_vectors(network, clips) for name, clips in sets.items()}
        every = {name: [own for parts in vectors.values() for own in parts[name]] for name in ("real", *DISTURBANCES)}
        scores = {name: moved_scores(of_set) for name, of_set in {**vectors, "all": every}.items()}
        found[network.name] = {"weights_hash": network.weights_hash, **scores}
    moved = [found[one][name]["shuffle"]["moved"] for one in found for name in (*sets, "all")]
    record = {
        "networks": found,
        "bar": BAR,
        "sees_time": min(moved) >= BAR,
        "data": {name: getattr(clips, "hash", None) for name, clips in sets.items()},
        "seconds": round(time.perf_counter() - clock, 1),
        "started": started,
        "command": command,
        "versions": records.provenance()["versions"],
    }
    out.mkdir(parents=True, exist_ok=True)
    records.write_whole(out / "videonet_sensitivity.json", (json.dumps(record, indent=1) + "\n").encode())
    return record


def disturbed_vectors(network: VideoNetwork, clips: Sequence[Clip], seed: int = 0) -> dict[str, list[Tensor]]:
    """Return ``real`` and every disturbance -> per clip the vectors of its windows, (N, D).

    Args:
        network: in eval mode.
        clips: of one person each, each of at least 32 frames.
        seed: of what is random in the disturbances.

    Raises:
        ValueError: a clip that is too short.
    """
    rng = np.random.default_rng(seed)
    vectors: dict[str, list[Tensor]] = {name: [] for name in ("real", *DISTURBANCES)}
    for number in range(len(clips)):
        frames = windows(clips[number].frames).flatten(0, 1)
        if len(frames) < 2 * WINDOW:
            raise ValueError(f"expected clips of at least {2 * WINDOW} frames, got {len(clips[number])} in {number}")
        vectors["real"].append(video_features(network, frames))
        for name, disturb in DISTURBANCES.items():
            vectors[name].append(video_features(network, disturb(frames, rng)))
    return vectors


def moved_scores(vectors: Mapping[str, Sequence[Tensor]], seed: int = 0) -> dict[str, Any]:
    r"""Return how far each disturbance moves the Fréchet distance, in multiples of that between real and real.

    The people are split into halves A and B at random, twenty times. With :math:`d` the Fréchet distance of all windows
    of 16 frames, averaged over the splits, and c the disturbance,

    .. math:: \text{floor} = d(A, B), \qquad \text{moved} = \frac{d(A, c(B)) - d(A, B)}{d(A, B)}

    Both distances compare different people and equally many windows, so the floor holds all that people, clothes and
    small numbers do to the score.

    Args:
        vectors: as :func:`disturbed_vectors` gives them, of at least 4 clips.
        seed: of the splits.

    Returns:
        ``windows`` (in each half), ``floor``, and per disturbance ``score`` and ``moved``.

    Raises:
        ValueError: too few clips.
    """
    count = len(vectors["real"])
    if count < 4:
        raise ValueError(f"expected at least 4 clips, got {count}")
    rng = np.random.default_rng(seed)
    scores: dict[str, list[float]] = {name: [] for name in vectors}
    for _ in range(SPLITS):
        people = rng.permutation(count).tolist()
        half = torch.cat([vectors["real"][person] for person in people[::2]])
        for name, of_clips in vectors.items():
            scores[name].append(frechet_distance(half, torch.cat([of_clips[person] for person in people[1::2]])))
    means = {name: float(np.mean(values)) for name, values in scores.items()}
    floor = means.pop("real")
    moved = {name: {"score": round(one, 4), "moved": round((one - floor) / floor, 2)} for name, one in means.items()}
    return {"windows": len(torch.cat(list(vectors["real"]))) // 2, "floor": round(floor, 4), **moved}
