"""From settings to networks: the generator of a row, its discriminators, its start, its frozen features."""

from typing import Any

from torch import nn

from repro import features
from repro.config import Config
from repro.features import FeatureNetwork
from repro.models import GFLA, ImageDiscriminator, MotionExtractionNetwork, SequentialGFLA, TemporalDiscriminator
from repro.models.ablations import Baseline, GlobalAttention
from repro.models.settings import POSE_CHANNELS, SKELETON_CHANNELS

STRUCTURE_CHANNELS = {"pairs": POSE_CHANNELS, "flow": POSE_CHANNELS, "clips": SKELETON_CHANNELS}
"""Channels of one pose, by task."""


def build_generator(config: Config, seed: int) -> nn.Module:
    """Return the initialised generator of a row; parts that two rows share start equal for equal seeds."""
    model = config.model
    common: dict[str, Any] = {"width": model.width, "init_gain": model.init_gain, "seed": seed}
    if model.kind == "baseline":
        return Baseline.preset(model.preset, **common)
    if model.kind == "global_attention":
        return GlobalAttention.preset(model.preset, **common)
    if model.kind == "motion_extraction":
        return MotionExtractionNetwork.preset(
            normalisation=model.normalisation, validity=model.validity, dropout=config.motion.dropout, **common
        )
    if model.kind == "sequential":
        return SequentialGFLA.preset(attention_mean=model.attention_mean, **common)
    return GFLA.preset(
        model.preset,
        attention_mean=model.attention_mean,
        sampling=model.sampling,
        pose_channels=STRUCTURE_CHANNELS[config.task],
        **common,
    )


def build_discriminators(config: Config, seed: int) -> dict[str, nn.Module]:
    """Return the initialised discriminators of the adversarial terms, by name."""
    found: dict[str, nn.Module] = {}
    width, clip = config.model.width, "clip" in config.stages
    if (config.clip if clip else config.joint).adversarial and config.task != "motion":
        found["discriminator"] = ImageDiscriminator.preset(config.model.preset, width=width, seed=seed)
    if clip and config.clip.temporal_adversarial:
        found["temporal_discriminator"] = TemporalDiscriminator.preset(width=width, seed=seed)
    return found


def build_features(config: Config) -> FeatureNetwork | None:
    """Return the frozen network that the losses look through; None where none does."""
    return None if config.losses.features == "none" else features.load(config.losses.features)


def start_from(generator: nn.Module, trained: nn.Module) -> None:
    """Take over the weights of another row's network; a sequential generator those of a pair network in both branches.

    Raises:
        RuntimeError: its shapes are others.
    """
    if isinstance(generator, SequentialGFLA) and isinstance(trained, GFLA):
        generator.start_from(trained)
    else:
        generator.load_state_dict(trained.state_dict())
