"""Checks at the door: say what was expected, what came, and what to do."""

from collections.abc import Mapping

from torch import Tensor


def require_shape(
    name: str, tensor: Tensor, shape: str, *, sizes: Mapping[str, int] | None = None, hint: str = ""
) -> dict[str, int]:
    """Check a tensor's shape against a pattern such as ``"B 2 H W"`` and return the sizes bound to its letters.

    Args:
        name: what the tensor is called in the message.
        tensor: the tensor to check.
        shape: one word per axis; a number must match exactly, a letter binds the size of its axis.
        sizes: letters that are bound already (the result of an earlier call); they must agree.
        hint: what the caller should do, added to the message.

    Returns:
        The bound letters, those of ``sizes`` included: pass it to the next check to tie tensors together.

    Raises:
        TypeError: ``tensor`` is no tensor.
        ValueError: the shape does not fit the pattern.
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"expected {name} to be a tensor of shape ({_commas(shape)}), got {type(tensor).__name__}")
    bound = dict(sizes or {})
    words = shape.split()
    fits = tensor.ndim == len(words)
    if fits:
        for word, size in zip(words, tensor.shape):
            wanted = int(word) if word.isdigit() else bound.setdefault(word, size)
            fits = fits and wanted == size
    if not fits:
        known = {k: v for k, v in (sizes or {}).items() if k in words}
        where = f" with {', '.join(f'{k}={v}' for k, v in known.items())}" if known else ""
        raise ValueError(
            f"expected {name} ({_commas(shape)}){where}, got {tuple(tensor.shape)}" + (f": {hint}" if hint else "")
        )
    return bound


def require_choice(name: str, value: str, choices: tuple[str, ...]) -> str:
    """Return ``value`` if it is one of ``choices``; otherwise a ValueError lists them."""
    if value not in choices:
        raise ValueError(f"unknown {name} {value!r}: choose one of {', '.join(choices)}")
    return value


def _commas(shape: str) -> str:
    return ", ".join(shape.split())
