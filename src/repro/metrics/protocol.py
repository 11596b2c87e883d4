"""The scores of the literature on posed people, each a function named by who computes it how.

``generated`` are pictures as they were read back from the files that were scored: the authors' are made so by
:func:`repro.metrics.quirks.saved_by_authors`, those of the others were PNG or 8-bit arrays
(:func:`repro.metrics.quirks.eight_bits`). Networks are looked up by file name where none is given; a missing file is a
:class:`~repro.features.MissingWeights` that names it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from repro.checks import require_shape
from repro.metrics import quirks
from repro.metrics.detection import VOC_PERSON, Detector, person_confidence
from repro.metrics.frechet import InceptionFeatures, frechet_distance
from repro.metrics.inception import TorchvisionInception
from repro.metrics.inception_score import inception_score
from repro.metrics.masks import masked, pose_mask
from repro.metrics.perceptual import LPIPS
from repro.metrics.ssim import ssim_generated_range, ssim_uniform7, ssim_uniform51

Observer = Callable[[Tensor], Tensor]
"""From images (B, 3, H, W) in [0, 1] to one vector each, (B, D)."""
Distance = Callable[[Tensor, Tensor], Tensor]
"""From two lists of images (B, 3, H, W) in [0, 1] to one number per pair, (B,)."""


def observed(observe: Observer, images: Iterable[Tensor], batch: int = quirks.AUTHORS_BATCH) -> Tensor:
    """Return what a network sees in images (3, H, W) each, (N, D), on the CPU; a generator of files will do."""
    rest = iter(images)
    seen = [observe(torch.stack(some)).cpu() for some in iter(lambda: list(islice(rest, batch)), [])]
    if not seen:
        raise ValueError("expected pictures, got none")
    return torch.cat(seen)


def fid_gfla(generated: Iterable[Tensor], training: Iterable[Tensor], observe: Observer | None = None) -> float:
    """Return the authors' FID: all generated pictures against the whole training set, both doubly normalised.

    torchvision's Inception, batches of 64 without the incomplete last one. The authors add 1e-6 to the diagonals where
    the matrix root is not finite; :func:`~repro.metrics.frechet.frechet_distance` never needs that.

    Args:
        generated: (3, H, W) in [0, 1] each, read back from the authors' JPEG files.
        training: the pictures of the training set at the size of the generated ones: reduced by a bicubic filter and
            saved as JPEG, by what the authors wrote to users (``quirks.jpeg(quirks.resized(large, size, "bicubic"))``).
        observe: None = :class:`~repro.metrics.inception.TorchvisionInception`.
    """
    look = observe or TorchvisionInception()
    real, made = (
        quirks.whole_batches(observed(lambda images: look(quirks.doubly_normalised(images)), pictures))
        for pictures in (training, generated)
    )
    return frechet_distance(real, made)


def fid_scagan(generated: Tensor, target: Tensor, observe: Observer | None = None) -> float:
    """Return SCA-GAN's FID: padded pictures against the padded targets, which stand in it once per pair.

    Which Inception they took is not known; TensorFlow's is what the field means by FID.

    Args:
        generated, target: (N, 3, 256, 176) in [0, 1].
        observe: None = TensorFlow's Inception of 2015, by torch-fidelity.
    """
    look = observe or InceptionFeatures()
    made, real = (observed(look, quirks.with_white_columns(images)) for images in (generated, target))
    return frechet_distance(real, made)


def lpips_gfla(generated: Tensor, target: Tensor, distance: Distance | None = None) -> float:
    """Return the authors' LPIPS: mean over whole batches of 64 pairs.

    Args:
        generated, target: (N, 3, H, W) in [0, 1], N at least 64.
        distance: None = LPIPS 0.1 through AlexNet.
    """
    return float(quirks.whole_batches(_distances(distance, generated, target)).mean())


def mask_lpips_gfla(
    generated: Tensor, target: Tensor, target_joints: Tensor, distance: Distance | None = None
) -> float:
    """Return the authors' mask-LPIPS (Market-1501): both pictures grey outside of the person, then as LPIPS.

    Args:
        generated, target: (N, 3, H, W) in [0, 1], N at least 64.
        target_joints: (N, 18, 2), (row, column) in pixels, -1 missing.
        distance: as for :func:`lpips_gfla`.
    """
    mask = pose_mask(target_joints, (target.shape[-2], target.shape[-1]))
    return lpips_gfla(masked(generated, mask, 0.5), masked(target, mask, 0.5), distance)


def lpips_scagan(generated: Tensor, target: Tensor, distance: Distance | None = None) -> float:
    """Return SCA-GAN's LPIPS: padded pictures, all pairs. Arguments as for :func:`lpips_gfla`, 176 pixels wide."""
    made, real = (quirks.with_white_columns(images) for images in (generated, target))
    return float(_distances(distance, made, real).mean())


def ssim_defgan(generated: Tensor, target: Tensor) -> float:
    """Return Def-GAN's SSIM: Gaussian window, the range of the generated picture as range of the data.

    Args:
        generated, target: (N, 3, H, W) in [0, 1].
    """
    return float(ssim_generated_range(generated, target).mean())


def ssim_patn(generated: Tensor, target: Tensor, columns: int = quirks.WHITE_COLUMNS) -> float:
    """Return Pose-Attn's SSIM on DeepFashion, SCA-GAN's too: as Def-GAN's, on pictures padded with white columns.

    Args:
        generated, target: (N, 3, 256, 176) in [0, 1].
        columns: on each side; at 40, 31 per cent of every picture is equal before anything is generated.
    """
    return ssim_defgan(*(quirks.with_white_columns(images, columns) for images in (generated, target)))


def ssim_intrflow(generated: Tensor, target: Tensor) -> float:
    """Return Intr-Flow's SSIM: scikit-image's default, a mean over 7 x 7. Arguments as for :func:`ssim_defgan`."""
    return float(ssim_uniform7(generated, target).mean())


def ssim_gfla_uniform51(generated: Tensor, target: Tensor) -> float:
    """Return the first SSIM of the authors' script (its second is Def-GAN's). Arguments as for :func:`ssim_defgan`."""
    return float(ssim_uniform51(generated, target).mean())


def mask_ssim_defgan(generated: Tensor, target: Tensor, target_joints: Tensor) -> float:
    """Return Def-GAN's mask-SSIM: both pictures black outside of the person, then as SSIM over the whole picture.

    The black surroundings agree perfectly and count: a small person scores higher than a large one.

    Args:
        generated, target: (N, 3, H, W) in [0, 1].
        target_joints: (N, 18, 2), (row, column) in pixels, -1 missing.
    """
    mask = pose_mask(target_joints, (target.shape[-2], target.shape[-1]))
    return ssim_defgan(masked(generated, mask, 0.0), masked(target, mask, 0.0))


def is_defgan(generated: Iterable[Tensor], answer: Observer | None = None) -> tuple[float, float]:
    """Return Def-GAN's inception score and its spread: ten parts in the order of the files.

    Args:
        generated: (3, H, W) in [0, 1] each.
        answer: None = the 1008 answers of TensorFlow's Inception of 2015.
    """
    return inception_score(observed(answer or InceptionFeatures(tap="logits"), generated))


def is_patn(generated: Tensor, answer: Observer | None = None) -> tuple[float, float]:
    """Return Pose-Attn's inception score on DeepFashion: as Def-GAN's, on padded pictures (N, 3, 256, 176)."""
    return is_defgan(quirks.with_white_columns(generated), answer)


def mask_is_defgan(generated: Tensor, target_joints: Tensor, answer: Observer | None = None) -> tuple[float, float]:
    """Return Def-GAN's mask-IS: black outside of the person, then as IS. Arguments as for the functions above."""
    mask = pose_mask(target_joints, (generated.shape[-2], generated.shape[-1]))
    return is_defgan(masked(generated, mask, 0.0), answer)


def ds_defgan(generated: Tensor, detect: Detector, person: int = VOC_PERSON) -> float:
    """Return Def-GAN's detection score: mean over pictures of the detector's highest confidence in a person.

    Args:
        generated: (N, 3, H, W) in [0, 1].
        detect: the literature's is SSD-300, trained on PASCAL VOC 2007 and 2012; there is no default.
        person: its label of a person.
    """
    return float(person_confidence(detect, generated, person).mean())


def ds_patn(generated: Tensor, detect: Detector, person: int = VOC_PERSON) -> float:
    """Return Pose-Attn's detection score on DeepFashion: as Def-GAN's, on padded pictures (N, 3, 256, 176)."""
    return ds_defgan(quirks.with_white_columns(generated), detect, person)


def _distances(distance: Distance | None, generated: Tensor, target: Tensor) -> Tensor:
    sizes = require_shape("generated", generated, "N 3 H W")
    require_shape("target", target, "N 3 H W", sizes=sizes)
    measure = distance or LPIPS("alex")
    batch = quirks.AUTHORS_BATCH
    return torch.cat([measure(a, b).double().cpu() for a, b in zip(generated.split(batch), target.split(batch))])


@dataclass(frozen=True)
class Protocol:
    """Who computes a score how.

    Attributes:
        score: its name in the papers.
        used_by: the methods whose papers report it so.
        looks_through: the network.
        against: what the generated pictures are compared with.
        pictures: what is done to them first.
        compute: the function.
    """

    score: str
    used_by: str
    looks_through: str
    against: str
    pictures: str
    compute: Callable[..., Any]


_VOC = "SSD-300 (PASCAL VOC)"
_TF = "TensorFlow's Inception (2015)"
_PADDED = "40 white columns on each side"

PROTOCOLS: tuple[Protocol, ...] = (
    Protocol(
        "FID",
        "GFLA",
        "torchvision's Inception v3",
        "the whole training set, reduced by a bicubic filter, JPEG",
        "JPEG, quality 75; normalised twice; incomplete last batch of 64 dropped",
        fid_gfla,
    ),
    Protocol("FID", "SCA-GAN", f"not said; here {_TF}", "the targets, once per pair", _PADDED, fid_scagan),
    Protocol(
        "LPIPS",
        "GFLA",
        "AlexNet, version 0.1",
        "its target",
        "JPEG, quality 75; incomplete last batch of 64 dropped",
        lpips_gfla,
    ),
    Protocol("LPIPS", "SCA-GAN", "AlexNet, version 0.1", "its target", _PADDED, lpips_scagan),
    Protocol(
        "mask-LPIPS",
        "GFLA",
        "AlexNet, version 0.1",
        "its target",
        "as LPIPS; mid-grey outside of the person",
        mask_lpips_gfla,
    ),
    Protocol(
        "SSIM",
        "Def-GAN, GFLA's script",
        "–",
        "its target",
        "Gaussian window; range of the generated picture",
        ssim_defgan,
    ),
    Protocol("SSIM", "Pose-Attn, SCA-GAN", "–", "its target", f"as above; {_PADDED}", ssim_patn),
    Protocol("SSIM", "Intr-Flow", "–", "its target", "mean over 7 x 7", ssim_intrflow),
    Protocol("SSIM", "GFLA's script", "–", "its target", "mean over 51 x 51", ssim_gfla_uniform51),
    Protocol(
        "mask-SSIM",
        "Def-GAN, Pose-Attn, Intr-Flow",
        "–",
        "its target",
        "as SSIM; black outside of the person",
        mask_ssim_defgan,
    ),
    Protocol("IS", "Def-GAN, Intr-Flow", _TF, "nothing", "ten parts in file order", is_defgan),
    Protocol("IS", "Pose-Attn, SCA-GAN", _TF, "nothing", f"as above; {_PADDED}", is_patn),
    Protocol(
        "mask-IS",
        "Def-GAN, Pose-Attn, Intr-Flow",
        _TF,
        "nothing",
        "as IS; black outside of the person",
        mask_is_defgan,
    ),
    Protocol("DS", "Def-GAN", _VOC, "nothing", "highest confidence in a person", ds_defgan),
    Protocol("DS", "Pose-Attn", _VOC, "nothing", f"as above; {_PADDED}", ds_patn),
)
