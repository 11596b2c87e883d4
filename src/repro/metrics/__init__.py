"""Image, flow and video metrics; every name says its protocol."""

from repro.metrics.evaluate import Evaluation, evaluate
from repro.metrics.evaluate_clips import evaluate_clips
from repro.metrics.trivial import TRIVIAL

__all__ = ["TRIVIAL", "Evaluation", "evaluate", "evaluate_clips"]
