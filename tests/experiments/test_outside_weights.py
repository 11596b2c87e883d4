"""Other people's networks: recognised, tried, copied, remembered; a later change is refused."""

import dataclasses

import pytest
import torch
from safetensors.torch import load_file, save_file

from repro import features, paths
from repro.experiments import outside_weights as outside
from repro.features import ledger
from repro.models import ImageDiscriminator, authors


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    """The user's own, empty folder."""
    monkeypatch.setenv("REPRO_WEIGHTS", str(tmp_path / "own"))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return tmp_path / "own"


@pytest.fixture
def squeezenet(tmp_path):
    """Return a function that writes a SqueezeNet with random numbers."""

    def write(seed=1, name="squeezenet1_1.safetensors"):
        path = tmp_path / f"given{seed}" / name
        path.parent.mkdir(exist_ok=True)
        tensors = features.load("squeezenet1_1", weights=f"random:{seed}").state_dict()
        torch.save(tensors, path) if path.suffix == ".pth" else save_file(tensors, path)
        return path

    return write


def test_an_imported_file_is_found_and_remembered(squeezenet, folder):
    given = squeezenet()
    name, path, digest = outside.import_file(given)
    assert (name, path) == ("squeezenet1_1", folder / "squeezenet1_1.safetensors")
    assert ledger.read(folder) == {path.name: digest}
    assert features.load("squeezenet1_1").weights_file == path.name
    assert outside.import_file(given)[2] == digest  # once more is no change
    assert sorted(one.name for one in folder.iterdir()) == ["checksums.json", path.name]


def test_a_later_change_is_refused(squeezenet):
    _, path, _ = outside.import_file(squeezenet(1))
    path.write_bytes(squeezenet(2).read_bytes())
    with pytest.raises(ledger.ChangedFile, match="is not the file that was imported"):
        features.load("squeezenet1_1")
    assert [one.state for one in outside.check(("squeezenet1_1",))] == ["changed"]


def test_another_file_takes_its_place_only_when_told(squeezenet, folder):
    outside.import_file(squeezenet(1))
    other = squeezenet(2, "mine.pth")
    with pytest.raises(ValueError, match=r"is another file already .* --replace if that is meant"):
        outside.import_file(other, "squeezenet1_1")
    with pytest.raises(ValueError, match="not the publisher's file"):
        outside.import_file(other.rename(other.with_name("squeezenet1_1-b8a52dc0.pth")))
    other = squeezenet(3, "squeezenet1_1_fp16.safetensors")
    _, path, digest = outside.import_file(other, replace=True)
    assert [one.name for one in folder.glob("*.safetensors")] == [path.name]
    assert ledger.read(folder)[path.name] == digest


def test_a_file_that_nobody_knows_needs_a_name(squeezenet, tmp_path):
    with pytest.raises(ValueError, match=r"cannot tell .* add --as with one of vgg19, squeezenet1_1"):
        outside.import_file(squeezenet(1, "net.safetensors"))
    with pytest.raises(ValueError, match="choose one of vgg19"):
        outside.import_file(squeezenet(1, "net.safetensors"), "resnet")
    with pytest.raises(ValueError, match="no file"):
        outside.import_file(tmp_path / "none.pth")


def test_the_authors_checkpoints_are_tried_on_their_task(tmp_path, folder):
    network = ImageDiscriminator.preset("market", seed=0)
    given = tmp_path / "latest_net_D.pth"
    torch.save(authors.state_dict(network), given)
    with pytest.raises(ValueError, match="discriminator-temporal"):
        outside.import_file(given, "authors-discriminator-temporal")
    assert not folder.exists()
    _, path, _ = outside.import_file(given, "authors-discriminator-market")
    assert path.name == "authors-discriminator-market.pth"
    loaded = authors.load(path, "discriminator-market")
    images = torch.rand(1, 3, 128, 64)
    torch.testing.assert_close(loaded(images), network.eval()(images))


def test_fetching_checks_and_remembers(squeezenet, folder, monkeypatch):
    given = squeezenet()
    file = dataclasses.replace(features.SqueezeNet.file, names=(given.name,), url=given.as_uri())
    monkeypatch.setitem(outside.KNOWN, "squeezenet1_1", dataclasses.replace(outside.KNOWN["squeezenet1_1"], file=file))
    path = outside.fetch("squeezenet1_1")
    assert load_file(path).keys() == load_file(given).keys()
    assert ledger.read(folder) == {path.name: ledger.sha256(given)}


def test_what_is_fetched_must_fit(tmp_path, folder, monkeypatch):
    wrong = tmp_path / "wrong.safetensors"
    save_file({"a": torch.zeros(1)}, wrong)
    file = dataclasses.replace(features.SqueezeNet.file, names=(wrong.name,), url=wrong.as_uri())
    monkeypatch.setitem(outside.KNOWN, "squeezenet1_1", dataclasses.replace(outside.KNOWN["squeezenet1_1"], file=file))
    with pytest.raises(ValueError, match="does not fit SqueezeNet"):
        outside.fetch("squeezenet1_1")
    assert list(folder.iterdir()) == []


def test_what_no_program_can_fetch_is_explained():
    with pytest.raises(ValueError, match=r"get it from .*Global-Flow-Local-Attention.* import FILE --as authors-dance"):
        outside.fetch("authors-dance")


def test_checking_everything_names_what_ships_and_what_is_missing():
    found = {one.name: one for one in outside.check()}
    assert {one.state for one in found.values()} <= {"ships", "missing"}
    assert {path.name for path in paths.weights().glob("table_*.safetensors")} <= found.keys()
    assert "repro weights fetch" in found["vgg19"].words
    assert set(outside.KNOWN) <= found.keys()


def test_publishers_digits_are_those_of_the_names():
    promised = {name: known.file.promised for name, known in outside.KNOWN.items() if known.file.promised}
    assert promised == {
        "vgg19": "dcbb9e9d",
        "squeezenet1_1": "b8a52dc0",
        "alexnet": "7be5be79",
        "inception": "6726825d",
        "inception_torchvision": "0cc3c7bd",
    }
    for name, known in outside.KNOWN.items():
        assert not known.file.url or known.file.url.endswith(known.file.names[0]), name
        assert known.file.licence, name


def test_a_damaged_list_of_checksums_is_named(squeezenet, folder):
    outside.import_file(squeezenet())
    (folder / ledger.NAME).write_text("{")
    with pytest.raises(ValueError, match=r"checksums\.json is damaged .* delete it and import the files again"):
        features.load("squeezenet1_1")
