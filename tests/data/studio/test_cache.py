"""The cache of rendered people: lazy, whole or absent, rebuilt when damaged, shared by processes."""

import multiprocessing
import pickle

import numpy as np
import pytest

from repro.data.studio.cache import Cache

PEOPLE = 5


def draw(index):
    generator = np.random.default_rng(index)
    return {
        "images": generator.integers(0, 256, (2, 3, 4, 4), dtype=np.uint8),
        "joints": generator.random((2, 18, 2)),
    }


class Counted:
    def __init__(self):
        self.calls = []

    def __call__(self, index):
        self.calls.append(index)
        return draw(index)


def expected(name):
    return np.stack([draw(index)[name] for index in range(PEOPLE)])


def test_a_person_is_made_once_and_only_when_asked(tmp_path):
    make = Counted()
    cache = Cache(tmp_path / "set", PEOPLE, make)
    assert np.array_equal(cache.person(3)["images"], draw(3)["images"])
    assert make.calls == [3]
    assert cache.missing() == [0, 1, 2, 4]
    assert np.array_equal(Cache(tmp_path / "set", PEOPLE, make).person(3)["joints"], draw(3)["joints"])
    assert make.calls == [3]


def test_the_whole_is_the_stack_of_all_people_and_memory_mapped(tmp_path):
    make = Counted()
    cache = Cache(tmp_path / "set", PEOPLE, make)
    cache.person(2)
    whole = cache.whole()
    assert sorted(make.calls) == list(range(PEOPLE))
    assert isinstance(whole["images"], np.memmap)
    for name in ("images", "joints"):
        assert np.array_equal(whole[name], expected(name))
    assert sorted(path.name for path in (tmp_path / "set").iterdir()) == ["arrays.json", "images.npy", "joints.npy"]
    again = Cache(tmp_path / "set", PEOPLE, make)
    assert np.array_equal(again.person(4)["images"], draw(4)["images"])
    assert again.missing() == []
    assert len(make.calls) == PEOPLE


def test_the_last_person_completes_the_set(tmp_path):
    cache = Cache(tmp_path, PEOPLE, draw)
    for index in range(PEOPLE):
        cache.person(index)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["arrays.json", "images.npy", "joints.npy"]
    assert isinstance(cache.person(0)["images"], np.memmap)
    assert np.array_equal(cache.person(4)["joints"], draw(4)["joints"])


@pytest.mark.parametrize("keep", [0.5, 0.99, 0.0])
def test_a_truncated_array_is_said_and_made_again(tmp_path, keep):
    Cache(tmp_path, PEOPLE, draw).whole()
    file = tmp_path / "images.npy"
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * keep)])
    cache = Cache(tmp_path, PEOPLE, draw)
    with pytest.warns(UserWarning, match=r"images\.npy has .* rendered again"):
        whole = cache.whole()
    assert np.array_equal(whole["images"], expected("images"))


def test_a_missing_array_is_said_and_made_again(tmp_path):
    Cache(tmp_path, PEOPLE, draw).whole()
    (tmp_path / "joints.npy").unlink()
    with pytest.warns(UserWarning, match=r"joints\.npy.*rendered again"):
        assert np.array_equal(Cache(tmp_path, PEOPLE, draw).person(1)["joints"], draw(1)["joints"])


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty"])
def test_a_damaged_person_is_said_and_made_again(tmp_path, damage):
    Cache(tmp_path, PEOPLE, draw).person(1)
    file = tmp_path / "person-00001.npz"
    content = bytearray(file.read_bytes())
    if damage == "flipped":
        content[200] ^= 0xFF
    file.write_bytes({"truncated": content[: len(content) // 2], "empty": b""}.get(damage, content))
    with pytest.warns(UserWarning, match=r"person-00001\.npz.*rendered again"):
        assert np.array_equal(Cache(tmp_path, PEOPLE, draw).person(1)["images"], draw(1)["images"])


def fill(folder):
    cache = Cache(folder, 40, draw)
    whole = cache.whole()
    return int(whole["images"].astype(np.int64).sum())


def test_processes_at_once_agree(tmp_path):
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        sums = pool.map(fill, [tmp_path / "set"] * 3, chunksize=1)
    assert sums == [sum(int(draw(i)["images"].astype(np.int64).sum()) for i in range(40))] * 3
    assert sorted(path.name for path in (tmp_path / "set").iterdir()) == ["arrays.json", "images.npy", "joints.npy"]


def test_an_interrupted_write_leaves_nothing_behind(tmp_path):
    def fails(index):
        return {"images": draw(index)["images"], "joints": np.array([object()])}

    with pytest.raises(ValueError, match="Object arrays"):
        Cache(tmp_path, PEOPLE, fails).person(0)
    assert list(tmp_path.iterdir()) == []


def test_a_copy_for_a_worker_process_is_small(tmp_path):
    cache = Cache(tmp_path, PEOPLE, draw)
    cache.whole()
    assert len(pickle.dumps(cache)) < 1000
    assert np.array_equal(pickle.loads(pickle.dumps(cache)).person(2)["images"], draw(2)["images"])
