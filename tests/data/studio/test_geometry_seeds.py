"""Random numbers belong to purposes: nothing that is drawn for one changes another."""

import numpy as np
import pytest

from repro.data.studio.identity import Identity
from repro.data.studio.seeds import child_generator


def test_convention_a_purpose_names_its_stream_on_every_machine():
    assert child_generator("identity", "fashion", "train", 0, "body").integers(0, 1000, 4).tolist() == [
        564, 583, 187, 203
    ]  # fmt: skip


def test_purposes_are_independent_and_words_are_not_numbers():
    streams = [child_generator(*words).integers(0, 2**62) for words in ((1,), ("1",), (1, 2), (12,), (2, 1), ("1", 2))]
    assert len(set(streams)) == len(streams)


def test_a_draw_for_one_purpose_changes_no_other():
    one, other = Identity("fashion", "train", 3), Identity("fashion", "train", 3)
    expected = (one.body, one.hair, one.outfit)
    other.rng("something new").normal(size=1000)
    assert (other.outfit, other.hair, other.body) == (expected[2], expected[1], expected[0])


def test_train_and_test_share_no_identity():
    bodies = {split: [Identity("fashion", split, index).body for index in range(50)] for split in ("train", "test")}
    assert not set(bodies["train"]) & set(bodies["test"])
    assert len(set(bodies["train"])) == 50


def test_global_random_state_is_neither_read_nor_written():
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first = child_generator("x").normal()
    np.random.seed(1)  # noqa: NPY002
    assert child_generator("x").normal() == first
    np.random.seed(0)  # noqa: NPY002
    child_generator("x").normal()
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


@pytest.mark.parametrize("purpose", [(), (1.5,), (True,), (None,)])
def test_exception_a_purpose_is_words_and_whole_numbers(purpose):
    with pytest.raises(TypeError, match="expected a purpose of words and whole numbers"):
        child_generator(*purpose)
