"""Losses are computed in at least float32, whatever precision the networks run in."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import torch
from torch import Tensor

Arguments = ParamSpec("Arguments")


def full_precision(loss: Callable[Arguments, Tensor]) -> Callable[Arguments, Tensor]:
    """Return the loss with autocast off and half-precision tensors widened to float32.

    Gram matrices overflow float16, coordinates lose their fraction, and 1e-8 beside a norm vanishes.
    """

    @wraps(loss)
    def widened(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Tensor:
        devices = {value.device.type for value in (*args, *kwargs.values()) if isinstance(value, Tensor)}
        with torch.autocast(devices.pop() if devices else "cpu", enabled=False):
            return loss(*map(_widen, args), **{name: _widen(value) for name, value in kwargs.items()})  # type: ignore[arg-type]

    return widened


def _widen(value: object) -> object:
    if isinstance(value, Tensor) and value.dtype in (torch.float16, torch.bfloat16):
        return value.float()
    return value
