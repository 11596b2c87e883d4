"""From settings to networks: the generator of a row, its discriminator, the frozen features of its losses."""

from typing import Any

from torch import nn

from repro.config import Config, ModelConfig
from repro.models import GFLA, ImageDiscriminator
from repro.models.ablations import Baseline, GlobalAttention


def build_generator(model: ModelConfig, seed: int) -> nn.Module:
    """Return the initialised generator of a row; parts that two rows share start equal for equal seeds."""
    common: dict[str, Any] = {"width": model.width, "init_gain": model.init_gain, "seed": seed}
    if model.kind == "baseline":
        return Baseline.preset(model.preset, **common)
    if model.kind == "global_attention":
        return GlobalAttention.preset(model.preset, **common)
    return GFLA.preset(model.preset, attention_mean=model.attention_mean, sampling=model.sampling, **common)


def build_discriminator(config: Config, seed: int) -> nn.Module | None:
    """Return the initialised discriminator, None where the joint stage has no adversarial term."""
    if not config.joint.adversarial:
        return None
    return ImageDiscriminator.preset(config.model.preset, width=config.model.width, seed=seed)
