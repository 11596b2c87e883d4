"""Image, pose and flow metrics; every name says its protocol."""

from repro.metrics.evaluate import Evaluation, evaluate
from repro.metrics.trivial import TRIVIAL

__all__ = ["TRIVIAL", "Evaluation", "evaluate"]
