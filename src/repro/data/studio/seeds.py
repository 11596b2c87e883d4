"""Random numbers of the studio: one independent numpy generator per purpose, named by words instead of counted."""

import hashlib

import numpy as np

GENERATOR_VERSION = 2
"""Part of every cache key and checkpoint: raise it whenever the same identity would look or move differently."""


def child_generator(*purpose: str | int) -> np.random.Generator:
    """Return the generator that belongs to a purpose, for example ``("fashion", "train", 7, "body")``.

    The seed is a SHA-256 of the words, so two purposes never share a stream and a new purpose, or one more draw for an
    old one, leaves all others as they were. Nothing global is read or written.

    Args:
        purpose: words and whole numbers; ``1`` and ``"1"`` are different purposes.

    Returns:
        ``Generator(PCG64(SeedSequence(...)))``, the same on every machine.
    """
    if not purpose or not all(isinstance(word, str | int) and not isinstance(word, bool) for word in purpose):
        raise TypeError(f"expected a purpose of words and whole numbers, got {purpose!r}")
    digest = hashlib.sha256(repr(tuple(purpose)).encode()).digest()
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(np.frombuffer(digest, "<u4").tolist())))
