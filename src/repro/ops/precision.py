"""Convolutions at the precision of their numbers: no TF32, which keeps 10 bits of a float32's fraction."""

import contextlib
from collections.abc import Iterator

import torch
from torch.backends import cudnn


@contextlib.contextmanager
def without_tf32(device: torch.device) -> Iterator[None]:
    """Compute the convolutions of this block in true float32; only GPUs have another mode, a CPU is left alone."""
    if device.type != "cuda":
        yield
        return
    kept = {name: getattr(cudnn, name) for name in ("enabled", "benchmark", "benchmark_limit", "deterministic")}
    with cudnn.flags(**kept, allow_tf32=False):
        yield
