"""Other people's networks: recognised, tried, copied, remembered; a later change is refused."""

import dataclasses
import errno
import json
import os
import re

import pytest
import torch
from safetensors.torch import load_file, save_file

from repro import features, paths
from repro.cli import main
from repro.experiments import outside_weights as outside
from repro.features import VGG19, SqueezeNet, ledger
from repro.features.weights import WrongChecksum
from repro.metrics.frechet import InceptionFeatures
from repro.metrics.inception import TorchvisionInception
from repro.metrics.perceptual import LPIPS
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


class TestPutThereByHand:
    """No publisher's checksum is known: what the user put there is remembered once it was found to fit."""

    @pytest.fixture
    def own(self, squeezenet, folder):
        folder.mkdir()
        return squeezenet(1).rename(folder / "squeezenet1_1.safetensors")

    @pytest.mark.parametrize("use", [lambda: features.load("squeezenet1_1"), lambda: list(outside.check())])
    def test_the_first_use_remembers_and_a_later_change_is_refused(self, own, squeezenet, folder, use):
        use()
        assert ledger.read(folder) == {own.name: ledger.sha256(own)}
        own.write_bytes(squeezenet(2).read_bytes())
        with pytest.raises(ledger.ChangedFile, match=rf"expected sha256 .*, got .* import {own} --replace"):
            features.load("squeezenet1_1")
        assert [one.state for one in outside.check(("squeezenet1_1",))] == ["changed"]
        outside.import_file(own, replace=True)  # as the message says
        features.load("squeezenet1_1")

    def test_the_authors_are_remembered_too(self, folder):
        network = ImageDiscriminator.preset("market", seed=0)
        folder.mkdir()
        torch.save(authors.state_dict(network), path := folder / "authors-discriminator-market.pth")
        outside.load_authors("discriminator-market")
        assert ledger.read(folder) == {path.name: ledger.sha256(path)}
        torch.save(authors.state_dict(ImageDiscriminator.preset("market", seed=1)), path)
        with pytest.raises(ledger.ChangedFile):
            outside.load_authors("discriminator-market")

    def test_a_damaged_file_may_be_replaced_by_a_whole_one(self, own, squeezenet, folder):
        whole = own.read_bytes()
        own.write_bytes(whole[:-1])
        assert [one.state for one in outside.check(("squeezenet1_1",))] == ["damaged"]
        assert ledger.read(folder) == {}
        own.write_bytes(whole)
        features.load("squeezenet1_1")

    def test_an_untouched_file_is_hashed_once_and_by_a_check_again(self, own, monkeypatch):
        features.load("squeezenet1_1")
        hashed = []
        sha256 = ledger.sha256
        monkeypatch.setattr(ledger, "sha256", lambda path: hashed.append(path) or sha256(path))
        features.load("squeezenet1_1")
        assert hashed == []
        assert [one.state for one in outside.check(("squeezenet1_1",))] == ["there"]
        assert hashed == [own]
        os.utime(own)
        features.load("squeezenet1_1")
        assert hashed == [own, own]
        features.load("squeezenet1_1")
        assert hashed == [own, own]

    def test_the_check_sees_a_change_that_size_and_time_do_not_show(self, own):
        features.load("squeezenet1_1")
        times = own.stat()
        content = bytearray(own.read_bytes())
        content[-1] ^= 1
        own.write_bytes(content)
        os.utime(own, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert [one.state for one in outside.check(("squeezenet1_1",))] == ["changed"]

    def test_in_torchs_folder_it_is_remembered_in_the_users(self, own, folder, tmp_path):
        (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
        moved = own.rename(tmp_path / "hub" / "checkpoints" / own.name)
        features.load("squeezenet1_1")
        assert list(moved.parent.iterdir()) == [moved]
        assert ledger.read(folder) == {str(moved): ledger.sha256(moved)}

    def test_lists_of_checksums_alone_are_understood(self, own, folder, squeezenet):
        (folder / ledger.NAME).write_text(json.dumps({own.name: ledger.sha256(own)}))
        features.load("squeezenet1_1")
        own.write_bytes(squeezenet(2).read_bytes())
        with pytest.raises(ledger.ChangedFile):
            features.load("squeezenet1_1")

    def test_where_nothing_can_be_written_it_is_used_all_the_same(self, own, monkeypatch):
        def refuse(path, content):
            raise OSError(errno.EROFS, "Read-only file system")

        monkeypatch.setattr(ledger.records, "write_whole", refuse)
        with pytest.warns(UserWarning, match="is not remembered: .*Read-only file system"):
            features.load("squeezenet1_1")


class TestWrongChecksum:
    """A file under the publisher's name that is another file: refused wherever it is met."""

    @pytest.fixture(params=["vgg19", "squeezenet1_1", "alexnet", "inception", "inception_torchvision"])
    def wrong(self, request, folder):
        folder.mkdir()
        path = folder / outside.KNOWN[request.param].file.names[0]
        torch.save({"features.0.weight": torch.zeros(1)}, path)
        return request.param, path

    LOADERS = {  # noqa: RUF012
        "vgg19": VGG19.load,
        "squeezenet1_1": SqueezeNet.load,
        "alexnet": lambda path=None: LPIPS("alex", path=path),
        "inception": lambda path=None: InceptionFeatures(path=path),
        "inception_torchvision": lambda path=None: TorchvisionInception(path=path),
    }

    def test_everywhere(self, wrong, folder, capsys):
        name, path = wrong
        promised, digest = outside.KNOWN[name].file.promised, ledger.sha256(path)[:8]
        words = rf"wrong checksum: expected sha256 {promised}\.\.\., got {digest}\.\.\.: .*publisher"
        load = self.LOADERS[name]
        for way in (load, lambda: load(path), lambda: outside.fetch(name), lambda: outside.import_file(path)):
            with pytest.raises(WrongChecksum, match=words):
                way()
        assert [one.state for one in outside.check((name,))] == ["wrong"]
        for action in ("check", "fetch"):
            assert main(["weights", action, name]) == 2
            said = capsys.readouterr()
            assert re.search(words, said.out + said.err)
        assert not (folder / ledger.NAME).exists()

    def test_pytorch_fids_name_promises_the_same(self, folder):
        folder.mkdir()
        path = folder / "pt_inception-2015-12-05-6726825d.pth"
        torch.save({}, path)
        assert [one.state for one in outside.check(("inception",))] == ["wrong"]

    def test_a_file_of_that_digest_passes(self, squeezenet, monkeypatch):
        """With the digits that it does have: the door opens, and closes when the file changes."""
        given = squeezenet(1, "net.pth")
        name = f"squeezenet1_1-{ledger.sha256(given)[:8]}.pth"
        file = dataclasses.replace(features.SqueezeNet.file, names=(name,))
        monkeypatch.setattr(features.SqueezeNet, "file", file)
        path = paths.user_weights() / name
        path.parent.mkdir()
        given.rename(path)
        assert features.load("squeezenet1_1").weights_file == name
        path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(WrongChecksum):
            features.load("squeezenet1_1")


def test_another_file_takes_its_place_only_when_told(squeezenet, folder):
    outside.import_file(squeezenet(1))
    other = squeezenet(2, "mine.safetensors")
    with pytest.raises(ValueError, match=r"is another file already .* --replace if that is meant"):
        outside.import_file(other, "squeezenet1_1")
    other = squeezenet(2, "mine.pth")
    with pytest.raises(WrongChecksum, match=r"mine\.pth: .* your own goes under .*: squeezenet1_1\.safetensors"):
        outside.import_file(other, "squeezenet1_1")  # would get the publisher's name
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
    with pytest.raises(FileNotFoundError, match="no file"):
        outside.import_file(tmp_path / "none.pth")
    with pytest.raises(IsADirectoryError, match=f"no file {tmp_path}: it is a folder"):
        outside.import_file(tmp_path)


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
    path.write_bytes(squeezenet(2).read_bytes())
    with pytest.raises(ledger.ChangedFile):  # a second call compares what is there
        outside.fetch("squeezenet1_1")


def test_what_is_fetched_must_fit(tmp_path, folder, monkeypatch):
    wrong = tmp_path / "wrong.safetensors"
    save_file({"a": torch.zeros(1)}, wrong)
    file = dataclasses.replace(features.SqueezeNet.file, names=(wrong.name,), url=wrong.as_uri())
    monkeypatch.setitem(outside.KNOWN, "squeezenet1_1", dataclasses.replace(outside.KNOWN["squeezenet1_1"], file=file))
    with pytest.raises(ValueError, match="does not fit SqueezeNet"):
        outside.fetch("squeezenet1_1")
    assert list(folder.iterdir()) == []


def test_what_no_program_can_fetch_is_explained(folder, capsys):
    with pytest.raises(ValueError, match=r"get it from .*Global-Flow-Local-Attention.* import FILE --as authors-dance"):
        outside.fetch("authors-dance")
    assert main(["weights", "fetch", "authors-dance"]) == 2
    said = capsys.readouterr()
    assert said.out == ""  # nothing that looks like a start
    assert said.err.startswith("repro: authors-dance must be brought by hand")
    assert f"put it there as {folder / 'authors-dance.pth'}" in said.err


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
    (folder / ledger.NAME).write_text('{"a": 1}')
    with pytest.raises(ValueError, match="expected file names with their checksums"):
        features.load("squeezenet1_1")
    (folder / ledger.NAME).write_text("{")
    with pytest.raises(ValueError, match=r"checksums\.json is damaged .* delete it and import the files again"):
        features.load("squeezenet1_1")
