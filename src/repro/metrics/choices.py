"""How far each choice of a protocol moves each score, while the generated pictures stay the same."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from repro.checks import require_shape
from repro.features import FeatureNetwork
from repro.metrics import quirks, ssim
from repro.metrics.frechet import frechet_distance
from repro.metrics.masks import RADIUS, masked, pose_mask
from repro.metrics.perceptual import unit_distance, unit_features
from repro.metrics.protocol import Distance, Observer, is_defgan, observed

CHUNK = 16


@dataclass(frozen=True)
class Pictures:
    """What is scored again and again.

    Attributes:
        generated: row -> (N, 3, H, W) in [0, 1].
        target: (N, 3, H, W) in [0, 1].
        large: the targets as they were taken, (N, 3, h, w) with larger sides.
        training: pictures of the training set, (M, 3, H, W), M at least N.
        joints: of the targets, (N, 18, 2).
    """

    generated: Mapping[str, Tensor]
    target: Tensor
    large: Tensor
    training: Tensor
    joints: Tensor

    def __post_init__(self) -> None:
        sizes = require_shape("target", self.target, "N 3 H W")
        for row, images in self.generated.items():
            require_shape(f"generated[{row!r}]", images, "N 3 H W", sizes=sizes)
        require_shape("large", self.large, "N 3 h w", sizes={"N": sizes["N"]})
        require_shape("joints", self.joints, "N 18 2", sizes={"N": sizes["N"]})
        many = require_shape("training", self.training, "M 3 H W", sizes={k: sizes[k] for k in "HW"})["M"]
        if many < sizes["N"]:
            raise ValueError(f"expected at least as many training pictures as pairs ({sizes['N']}), got {many}")

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) at which pictures are compared."""
        return self.target.shape[-2], self.target.shape[-1]

    @cached_property
    def mask(self) -> Tensor:
        """The mask of the joints, (N, H, W) bool; its 4 pixels are meant for pictures of 128 rows."""
        return pose_mask(self.joints, self.size, RADIUS * self.size[0] / 128)

    @property
    def white_columns(self) -> int:
        """White columns on each side that take the share which 40 take beside 176."""
        return round(quirks.WHITE_COLUMNS / 176 * self.size[1])


class Sight(NamedTuple):
    """A score of single pairs in two steps, so that a picture of many comparisons is looked at once.

    ``compare(describe(a), describe(b))`` is (B,); ``describe`` returns anything that belongs to the images. With a
    ``background``, both pictures have that grey off the person: mask-SSIM, mask-LPIPS.
    """

    describe: Callable[[Tensor], Any]
    compare: Callable[[Any, Any], Tensor]
    background: float | None = None


class Answer(NamedTuple):
    """A classifier for inception scores; with a ``background``, it sees that grey off the person: mask-IS."""

    look: Observer
    background: float | None = None


def through_network(network: FeatureNetwork) -> Sight:
    """Return the unweighted distance through a network, ``pd_...``."""
    return Sight(partial(unit_features, network), unit_distance)


def direct(distance: Distance) -> Sight:
    """Return a score that takes the images as they are: an SSIM, LPIPS."""
    return Sight(lambda images: images, distance)


Change = Callable[[Tensor, Pictures], Tensor]


def _as_png(images: Tensor, pictures: Pictures) -> Tensor:
    return quirks.eight_bits(images)


def _cut(images: Tensor, pictures: Pictures) -> Tensor:
    return quirks.eight_bits(images, truncate=True)


def _as_jpeg(images: Tensor, pictures: Pictures) -> Tensor:
    return quirks.jpeg(images)


def _as_the_authors(images: Tensor, pictures: Pictures) -> Tensor:
    return quirks.saved_by_authors(images)


def _pale(images: Tensor, pictures: Pictures) -> Tensor:
    return quirks.doubly_normalised(quirks.eight_bits(images))


def _person_on_grey(images: Tensor, pictures: Pictures) -> Tensor:
    return masked(quirks.eight_bits(images), pictures.mask, 0.5)


def _reduced(how: str, images: Tensor, pictures: Pictures) -> Tensor:
    return quirks.resized(pictures.large, pictures.size, how)


@dataclass(frozen=True)
class Choice:
    """One way to prepare generated pictures and targets.

    ``for_networks``: only for whole pictures seen through a network; an SSIM has no use for it, and what is scored
    under a mask has its own background.
    """

    words: str
    generated: Change = _as_png
    target: Change = _as_png
    for_networks: bool = False


BASE = Choice("PNG files; targets drawn at this size")
CHOICES: tuple[Choice, ...] = (
    BASE,
    Choice("generated: cut to 8 bits, not rounded", _cut),
    Choice("generated: cut, then JPEG (the authors)", _as_the_authors),
    Choice("generated and targets: JPEG", _as_the_authors, _as_jpeg),
    *(Choice(f"targets reduced: {how.replace('_', ', ')}", target=partial(_reduced, how)) for how in quirks.FILTERS),
    Choice("both doubly normalised (the authors' FID)", _pale, _pale, for_networks=True),
    Choice("both grey off the person (mask-LPIPS)", _person_on_grey, _person_on_grey, for_networks=True),
)


def moved(
    pictures: Pictures,
    observers: Mapping[str, Observer],
    sights: Mapping[str, Sight],
    choices: Sequence[Choice] = CHOICES,
    answers: Mapping[str, Answer] | None = None,
) -> pd.DataFrame:
    """Return every score of every row under every choice: columns choice, score, row, value.

    Args:
        pictures: what is scored.
        observers: name -> network, for Fréchet distances between the generated pictures and the targets.
        sights: name -> score of single pairs; its mean is the value. Names that begin with "ssim", and those under a
            mask, skip choices ``for_networks``.
        choices: what is varied.
        answers: name -> classifier, for inception scores of the generated pictures; choices that leave these as the
            first one does, and choices ``for_networks``, are skipped.
    """
    made = {(row, c.generated): c.generated(own, pictures) for c in choices for row, own in pictures.generated.items()}
    real = {choice.target: choice.target(pictures.target, pictures) for choice in choices}
    lines: list[dict[str, Any]] = []

    def note(choice: Choice, score: str, row: str, value: float) -> None:
        lines.append({"choice": choice.words, "score": score, "row": row, "value": value})

    for name, observe in observers.items():
        seen_made = {key: observed(observe, images, CHUNK) for key, images in made.items()}
        seen_real = {key: observed(observe, images, CHUNK) for key, images in real.items()}
        for choice in choices:
            for row in pictures.generated:
                note(choice, name, row, frechet_distance(seen_real[choice.target], seen_made[row, choice.generated]))
    for name, sight in sights.items():
        plain = name.startswith("ssim") or sight.background is not None
        asked = [choice for choice in choices if not (choice.for_networks and plain)]
        values: dict[tuple[str, Choice], list[Tensor]] = {(row, own): [] for row in pictures.generated for own in asked}
        for start in range(0, len(pictures.target), CHUNK):
            part = slice(start, start + CHUNK)
            mask = pictures.mask[part]
            described_made = {
                key: sight.describe(_on(sight.background, made[key][part], mask))
                for key in {(r, c.generated) for r, c in values}
            }
            described_real = {
                key: sight.describe(_on(sight.background, real[key][part], mask)) for key in {c.target for c in asked}
            }
            for (row, choice), of_chunks in values.items():
                of_chunks.append(
                    sight.compare(described_made[row, choice.generated], described_real[choice.target]).double().cpu()
                )
        for (row, choice), of_chunks in values.items():
            note(choice, name, row, float(torch.cat(of_chunks).mean()))
    for name, answer in (answers or {}).items():
        scores: dict[tuple[str, Change], float] = {}
        for choice in choices:
            if choice.for_networks or (choice is not choices[0] and choice.generated is choices[0].generated):
                continue
            for row in pictures.generated:
                key = (row, choice.generated)
                if key not in scores:
                    scores[key] = is_defgan(_on(answer.background, made[key], pictures.mask), answer.look)[0]
                note(choice, name, row, scores[key])
    return pd.DataFrame(lines)


def moved_by_counting(pictures: Pictures, observers: Mapping[str, Observer]) -> pd.DataFrame:
    """Return every Fréchet distance of every row by what is counted as real, and how many; columns as :func:`moved`.

    Args:
        pictures: what is scored, at least one whole batch of the authors.
        observers: name -> network.
    """
    lines = []
    for name, observe in observers.items():
        real, training = (
            observed(observe, quirks.eight_bits(own), CHUNK) for own in (pictures.target, pictures.training)
        )
        once = torch.from_numpy(_first_of_each(pictures.target))
        for row, images in pictures.generated.items():
            made = observed(observe, quirks.eight_bits(images), CHUNK)
            half = len(made) // 2
            values = {
                "the targets, once per pair": frechet_distance(real, made),
                "each target once": frechet_distance(real[once], made),
                "training pictures, as many": frechet_distance(training[: len(made)], made),
                f"training pictures, {len(training)}": frechet_distance(training, made),
                "targets; last incomplete batch of 64 dropped": frechet_distance(
                    quirks.whole_batches(real), quirks.whole_batches(made)
                ),
                "targets; every second pair": frechet_distance(real[::2][:half], made[::2][:half]),
            }
            lines += [{"choice": words, "score": name, "row": row, "value": value} for words, value in values.items()]
    return pd.DataFrame(lines)


def moved_by_form(pictures: Pictures) -> pd.DataFrame:
    """Return every row's SSIM in each form of the literature; columns as :func:`moved`."""
    real = quirks.eight_bits(pictures.target)
    lines = []
    for row, images in pictures.generated.items():
        made = quirks.eight_bits(images)
        padded = [quirks.with_white_columns(own, pictures.white_columns) for own in (made, real)]
        black = [masked(own, pictures.mask, 0.0) for own in (made, real)]
        values = {
            "Gaussian, range 1 (this project)": ssim.ssim_gaussian(made, real),
            "Gaussian, range of the generated (Def-GAN)": ssim.ssim_generated_range(made, real),
            "the same, white columns (Pose-Attn)": ssim.ssim_generated_range(padded[0], padded[1]),
            "the same, black off the person (mask-SSIM)": ssim.ssim_generated_range(black[0], black[1]),
            "uniform 7 x 7 (Intr-Flow)": ssim.ssim_uniform7(made, real),
            "uniform 51 x 51 (GFLA's script)": ssim.ssim_uniform51(made, real),
        }
        lines += [
            {"choice": words, "score": "ssim", "row": row, "value": float(own.mean())} for words, own in values.items()
        ]
    return pd.DataFrame(lines)


def _on(background: float | None, images: Tensor, mask: Tensor) -> Tensor:
    """Return the images with a background off the person, or as they are."""
    return images if background is None else masked(images, mask, background)


def _first_of_each(images: Tensor) -> np.ndarray:
    """Return the places of the first of each group of equal images, in order."""
    _, places = np.unique(images.flatten(1).cpu().numpy(), axis=0, return_index=True)
    return np.sort(places)
