"""``repro weights list`` and ``repro doctor``: every network that the program knows, its file or how to get it."""

import pytest
import torch

from repro import features, paths
from repro.cli import main
from repro.experiments.outside_weights import KNOWN
from repro.features import ledger


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("REPRO_WEIGHTS", str(tmp_path / "own"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    (tmp_path / "own").mkdir()
    return tmp_path / "own"


def listed(capsys):
    """What is listed: network -> label -> text (lines of one text joined), and all lines."""
    assert main(["weights", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    found, network, last = {}, "", ""
    for line in lines:
        if line.startswith(" " * 13):
            found[network][last] = f"{found[network][last]} {line.strip()}".strip()
        elif line.startswith("  "):
            last, _, text = line.strip().partition(":")
            found[network][last] = text.strip()
        elif ": " in line:
            network, _, state = line.partition(": ")
            found[network] = {"state": state}
    return found, lines


def test_all_that_ship_and_all_that_others_publish(folder, capsys):
    found, lines = listed(capsys)
    for path in paths.weights().glob("*.safetensors"):
        assert any(line.startswith(f"{path.name}  ") for line in lines)
    assert set(found) == {*KNOWN, "procnet", "videonet", "videonet_seed1"}
    assert found["procnet"]["path"] == str(paths.weights() / "procnet.safetensors")
    for name, one in KNOWN.items():
        own, file = found[name], one.file
        assert own["state"] == "missing"
        assert own["file"] == " or ".join(file.names)
        assert own["licence"] == file.licence
        assert own["source"] == file.source
        assert own.get("address", "") == file.url
        assert own["sha256"].startswith(f"{file.promised}..." if file.promised else "unknown")
        assert own["size"] == (f"{file.megabytes:g} MB" if file.megabytes else "unknown")
        assert own["to get it"].startswith(f"`repro weights {'fetch' if file.url else 'import FILE --as'} {name}`")
    assert found["authors-fashion"]["licence"].startswith("CC BY-NC 4.0")


def test_it_is_read_in_100_columns(folder, capsys):
    """But for paths and addresses, which nobody could copy from two lines."""
    _, lines = listed(capsys)
    for line in lines:
        assert len(line) <= 100 or line.strip().startswith(("/", "https://", "path:"))


def test_a_file_that_is_there_and_one_that_changed(folder, capsys):
    path = folder / "authors-fashion.pth"
    path.write_bytes(b"one" * 100_000)
    digest = ledger.enter(path)
    own = listed(capsys)[0]["authors-fashion"]
    assert (own["state"], own["path"], own["size"]) == ("there", str(path), "0.3 MB")
    assert own["sha256"] == f"unknown; yours was {digest[:8]}... when it came"
    assert own["licence"].startswith("CC BY-NC 4.0")
    assert "Global-Flow-Local-Attention" in own["source"]
    path.write_bytes(b"another")
    own = listed(capsys)[0]["authors-fashion"]
    assert own["state"] == "refused"
    assert "is not the file that was imported" in own["trouble"]


def test_listing_remembers_nothing(folder, capsys):
    (folder / "authors-fashion.pth").write_bytes(b"one")
    assert listed(capsys)[0]["authors-fashion"]["sha256"] == "unknown"
    assert not (folder / ledger.NAME).exists()


def test_the_doctor_names_all_and_falls_over_none(folder, capsys):
    torch.save(features.load("squeezenet1_1", "random:0").state_dict(), folder / "squeezenet1_1-b8a52dc0.pth")
    (folder / "rgb_imagenet.pt").write_bytes(b"one")
    assert main(["doctor"]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines.keys() >= KNOWN.keys()
    assert lines["alexnet"] == "needs file alexnet-owt-7be5be79.pth"
    assert lines["i3d"] == str(folder / "rgb_imagenet.pt")
    assert "wrong checksum: expected sha256 b8a52dc0" in lines["squeezenet1_1"]
