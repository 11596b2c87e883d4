"""Training without patches is training with them: the same losses, step by step."""

import torch
from step import same_losses


def test_losses_of_some_steps_agree_with_the_patch_form():
    """float32, 64x64, width 1/16; ``benchmarks/step.py`` records 200 steps at width 1/8."""
    found = same_losses(torch.device("cpu"), steps=8, width=1 / 16)
    assert found["largest_difference"] < 1e-4
    assert found["last_loss"] < found["first_loss"]  # it does learn, so the steps are not empty
