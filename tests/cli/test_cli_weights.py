"""``repro weights list``: every network that the program knows, with its file or how to get it."""

import pytest

from repro import paths
from repro.cli import main
from repro.experiments.outside_weights import KNOWN
from repro.features import ledger


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("REPRO_WEIGHTS", str(tmp_path / "own"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    (tmp_path / "own").mkdir()
    return tmp_path / "own"


def said(capsys):
    assert main(["weights", "list"]) == 0
    return dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines() if ": " in line)


def test_all_that_ship_and_all_that_others_publish(folder, capsys):
    assert main(["weights", "list"]) == 0
    out = capsys.readouterr().out
    for path in paths.weights().glob("*.safetensors"):
        assert f"{path.name}  " in out
    lines = said(capsys)
    assert set(lines) == {*KNOWN, "procnet", "videonet", "videonet_seed1"}
    assert lines["procnet"] == str(paths.weights() / "procnet.safetensors")
    assert all(lines[name].startswith("missing (") for name in KNOWN)
    assert lines["alexnet"].endswith(": `repro weights fetch alexnet`, or `repro weights import FILE --as alexnet`")
    assert "MB; licence: " in lines["vgg19"]
    assert "CC BY-NC 4.0" in lines["authors-fashion"]
    assert lines["authors-fashion"].endswith(", then `repro weights import FILE --as authors-fashion`")


def test_a_file_that_is_there_and_one_that_changed(folder, capsys):
    path = folder / "authors-fashion.pth"
    path.write_bytes(b"one")
    ledger.enter(path)
    assert said(capsys)["authors-fashion"] == str(path)
    path.write_bytes(b"another")
    assert "is not the file that was imported: sha256 was" in said(capsys)["authors-fashion"]
