"""Stages, the loop, checkpoints and curves."""

from repro.training.checkpoint import CheckpointError
from repro.training.curves import NotFinite, read_curve
from repro.training.loop import Interrupted, Trained, Watch, train
from repro.training.networks import build_discriminators, build_features, build_generator

__all__ = [
    "CheckpointError",
    "Interrupted",
    "NotFinite",
    "Trained",
    "Watch",
    "build_discriminators",
    "build_features",
    "build_generator",
    "read_curve",
    "train",
]
