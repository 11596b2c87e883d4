"""How close is equal, by dtype, in one place; and failures that show the worst element (torch's message does)."""

from collections.abc import Callable

import torch
from torch import Tensor

TOLERANCES = {  # dtype: (relative, absolute)
    torch.float64: (1e-10, 1e-10),
    torch.float32: (1.3e-6, 1e-5),
    torch.float16: (1e-3, 1e-3),
    torch.bfloat16: (1.6e-2, 1e-2),
}


def assert_close(actual: Tensor, expected: Tensor | float | list, name: str = "") -> None:
    """Compare within the tolerance of ``actual``'s dtype; NaN equals NaN. The message has worst element and index."""
    expected = torch.as_tensor(expected, dtype=actual.dtype)
    rtol, atol = TOLERANCES[actual.dtype]
    torch.testing.assert_close(
        actual, expected, rtol=rtol, atol=atol, equal_nan=True, msg=lambda message: f"{name}\n{message}"
    )


def assert_not_worse_than_plain(
    fast: Tensor, plain: Tensor, reference: Tensor, factor: float = 2.0, of: Callable[[Tensor], Tensor] = Tensor.mean
) -> None:
    """In low precision a fast path may err at most ``factor`` times as much as plain torch does (float64 reference).

    ``of`` makes one number of the errors of all elements: their mean, or their worst.
    """
    fast_error, plain_error = (of((x.double() - reference).abs()).item() for x in (fast, plain))
    assert fast_error <= factor * plain_error, f"{of.__name__} error {fast_error:.3g}, plain torch {plain_error:.3g}"
