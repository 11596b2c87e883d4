"""What perceptual and style loss share: images, or features computed before, become pairs of features."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor


class FeatureNetwork(Protocol):
    """A frozen network that returns features by tap name (``repro.features.load``)."""

    @property
    def perceptual_taps(self) -> Sequence[str]: ...

    @property
    def style_taps(self) -> Sequence[str]: ...

    def __call__(self, images: Tensor, *, taps: Sequence[str]) -> dict[str, Tensor]: ...


Seen = Tensor | Mapping[str, Tensor]  # images in [-1, 1], or their features by tap name


def tap_pairs(
    features: FeatureNetwork, taps: Sequence[str], generated: Seen, target: Seen
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield (generated, target) features for each tap. The network runs only on what is still an image.

    The target is given: no gradient goes there.
    """
    generated_taps = generated if isinstance(generated, Mapping) else features(generated, taps=taps)
    with torch.no_grad():
        target_taps = target if isinstance(target, Mapping) else features(target, taps=taps)
    for name, seen in (("generated", generated_taps), ("target", target_taps)):
        if missing := [tap for tap in taps if tap not in seen]:
            raise ValueError(f"expected {name} features of the taps {', '.join(taps)}; missing: {', '.join(missing)}")
    for tap in taps:
        yield generated_taps[tap], target_taps[tap].detach()
