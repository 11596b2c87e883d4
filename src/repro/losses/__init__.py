"""Losses, one file per equation group (paper Eq. 2-6 and 11-15)."""

from repro.losses import adversarial
from repro.losses.affine_regularization import affine_regularization
from repro.losses.joint import FLOW_STAGE, IMAGE_STAGE, JointLoss, LossWeights, joint_loss
from repro.losses.mpjpe import mpjpe
from repro.losses.perceptual import PerceptualLoss
from repro.losses.reconstruction import l1, warped_l1
from repro.losses.sampling_correctness import sampling_correctness
from repro.losses.style import StyleLoss, gram

__all__ = [
    "FLOW_STAGE",
    "IMAGE_STAGE",
    "JointLoss",
    "LossWeights",
    "PerceptualLoss",
    "StyleLoss",
    "adversarial",
    "affine_regularization",
    "gram",
    "joint_loss",
    "l1",
    "mpjpe",
    "sampling_correctness",
    "warped_l1",
]
