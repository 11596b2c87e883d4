"""A checkpoint is whole, verified, and executes nothing; everything else ends in a message."""

import pytest
import torch
from safetensors.torch import save_file

from repro import records
from repro.training import checkpoint
from repro.training.checkpoint import NAME, CheckpointError, load, previous, save

TENSORS = {
    "a": torch.arange(6.0).reshape(2, 3),
    "scalar": torch.tensor(3.0),
    "empty": torch.empty(0, 4),
    "half": torch.ones(3, dtype=torch.bfloat16),
    "bytes": torch.arange(5, dtype=torch.uint8),
}


def test_everything_comes_back(tmp_path):
    assert load(tmp_path) is None
    save(tmp_path, TENSORS, {"step": 3, "list": [1.5, None, "x"]})
    tensors, rest = load(tmp_path)
    assert rest == {"step": 3, "list": [1.5, None, "x"]}
    assert set(tensors) == set(TENSORS)
    assert all(torch.equal(tensors[k], TENSORS[k]) and tensors[k].dtype == TENSORS[k].dtype for k in TENSORS)


def test_the_one_before_is_kept(tmp_path):
    save(tmp_path, TENSORS, {"step": 1})
    save(tmp_path, TENSORS, {"step": 2})
    assert load(tmp_path)[1] == {"step": 2}
    (tmp_path / NAME).unlink()  # as if killed between the two renames
    assert load(tmp_path)[1] == {"step": 1}


@pytest.mark.parametrize("damage", ["truncated", "one bit", "empty", "foreign text", "foreign safetensors"])
def test_a_damaged_or_foreign_file_names_itself_and_the_remedy(tmp_path, damage):
    save(tmp_path, TENSORS, {"step": 1})
    path = save(tmp_path, TENSORS, {"step": 2})
    content = bytearray(path.read_bytes())
    if damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "one bit":
        content[-1] ^= 1
        path.write_bytes(content)
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "foreign text":
        path.write_text("not a checkpoint, but long enough to be read as one")
    else:
        save_file(TENSORS, path)
    with pytest.raises(CheckpointError, match=r"checkpoint\.safetensors .*delete .*; the run then continues from"):
        load(tmp_path)
    path.unlink()
    assert load(tmp_path)[1] == {"step": 1}


def test_a_full_disk_keeps_the_last_checkpoint(tmp_path, monkeypatch):
    save(tmp_path, TENSORS, {"step": 1})

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(records.os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device; free space"):
        save(tmp_path, TENSORS, {"step": 2})
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    assert load(tmp_path)[1] == {"step": 1}


def test_a_write_that_cannot_be_read_back_replaces_nothing(tmp_path, monkeypatch):
    save(tmp_path, TENSORS, {"step": 1})
    monkeypatch.setattr(checkpoint, "write_whole", lambda path, content: path.write_bytes(content[:-1]))
    with pytest.raises(CheckpointError, match="damaged"):
        save(tmp_path, TENSORS, {"step": 2})
    assert load(tmp_path)[1] == {"step": 1}
    assert not previous(tmp_path / NAME).exists()
