"""The detection score: how sure is a detector that a picture shows a person?"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from repro.checks import require_shape

Detector = Callable[[list[Tensor]], Sequence[Mapping[str, Tensor]]]
"""From images (3, H, W) in [0, 1] to one mapping each with ``labels`` (M,) and ``scores`` (M,), as torchvision's
detectors answer in eval mode."""

VOC_PERSON, COCO_PERSON = 15, 1
"""The label of "person" among PASCAL VOC's 20 classes (the papers' SSD-300) and in torchvision's COCO detectors."""


@torch.inference_mode()
def person_confidence(detect: Detector, images: Tensor, person: int, batch_size: int = 8) -> Tensor:
    """Return a detector's highest confidence in a person per image, (B,), float64; 0 where it finds none.

    Its mean over the set is the detection score (DS) of Def-GAN and Pose-Attn, who take SSD-300 trained on PASCAL VOC
    2007 and 2012. With another detector the number is another one: say which, and give the score of real pictures
    beside it.

    Args:
        detect: a detector, in eval mode.
        images: (B, 3, H, W) in [0, 1].
        person: the label of a person in its answers (``VOC_PERSON``, ``COCO_PERSON``).
        batch_size: images at a time.

    Raises:
        ValueError: other shapes, or an answer for another number of images.
    """
    require_shape("images", images, "B 3 H W")
    confidences = []
    for batch in images.split(batch_size):
        answers = detect(list(batch))
        if len(answers) != len(batch):
            raise ValueError(f"expected an answer for each of {len(batch)} images, the detector gave {len(answers)}")
        for answer in answers:
            scores = answer["scores"][answer["labels"] == person].double()
            confidences.append(scores.max().item() if len(scores) else 0.0)
    return torch.tensor(confidences, dtype=torch.float64)
