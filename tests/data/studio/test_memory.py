"""Preparing a set needs less than 2 GB, however many people it has."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from bench.memory import peak_of_preparing

from repro.data.studio.cache import Cache


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory of other processes is read from /proc")
def test_one_process_takes_half_of_it():
    """Libraries count, and are shared with the two workers of a large set, of which each adds what it holds itself."""
    assert peak_of_preparing("fashion", 64, "tiny", workers=1) < 1e9


def test_merging_holds_one_unit_at_a_time(tmp_path):
    """Sixty units of 2 MB: the pictures of all would be 120 MB."""
    cache = Cache(tmp_path, 60, lambda index: {"images": np.full((10, 3, 256, 256), index, np.uint8)})
    for index in range(60):
        cache.make(index)
    tracemalloc.start()
    whole = cache.whole()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert whole["images"].shape == (60, 10, 3, 256, 256)
    assert peak < 12e6
