"""Frozen networks: equal to torchvision's where the weights are the same, one interface, clear refusals."""

import re

import pytest
import torch
import torchvision
from safetensors.torch import save_file

from repro import paths
from repro.features import NETWORKS, MissingWeights, load, taps_on_grid
from repro.features.weights import read


@pytest.fixture
def images():
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.fixture
def no_files(tmp_path, monkeypatch):
    """Point all three folders at empty places."""
    monkeypatch.setattr(paths, "weights", lambda: tmp_path / "shipped")
    monkeypatch.setenv("REPRO_WEIGHTS", str(tmp_path / "mine"))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    for folder in ("shipped", "mine", "hub/checkpoints"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


@pytest.fixture(scope="module")
def torchvision_vgg(tmp_path_factory):
    """Torchvision's network (random weights, convolutions only) and the file its publisher's name would have."""
    torch.manual_seed(0)
    layers = torchvision.models.vgg19(weights=None).features
    path = tmp_path_factory.mktemp("vgg") / "vgg19.safetensors"
    save_file({f"features.{k}": v for k, v in layers.state_dict().items()}, path)
    return layers.eval(), path


class TestAgainstTorchvision:
    def test_vgg19_feeds_images_as_they_are(self, torchvision_vgg, images):
        layers, path = torchvision_vgg
        net = load("vgg19", path)
        ours = net(images, taps=("relu1_1", "relu2_2", "relu3_4", "relu4_1", "relu5_2"))
        # torchvision's documented positions of these ReLUs
        for tap, index in {"relu1_1": 1, "relu2_2": 8, "relu3_4": 17, "relu4_1": 20, "relu5_2": 31}.items():
            torch.testing.assert_close(ours[tap], layers[: index + 1](images))
        assert net.weights_file == "vgg19.safetensors"
        assert not net.normalises

    def test_squeezenet_normalises_inside(self, images, tmp_path):
        torch.manual_seed(0)
        theirs = torchvision.models.squeezenet1_1(weights=None).eval()
        torch.save(theirs.state_dict(), tmp_path / "squeezenet.pth")
        net = load("squeezenet1_1", tmp_path / "squeezenet.pth")
        normalised = torchvision.transforms.functional.normalize(
            (images + 1) / 2, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
        )
        for tap, index in net.layer_of_tap.items():
            torch.testing.assert_close(net(images, taps=(tap,))[tap], theirs.features[: index + 1](normalised))

    def test_counts(self):
        # VGG19's 16 convolutions hold 20,024,384 parameters, SqueezeNet 1.1 without its classifier 722,496.
        assert sum(p.numel() for p in load("vgg19", "random:0").parameters()) == 20_024_384
        assert sum(p.numel() for p in load("squeezenet1_1", "random:0").parameters()) == 722_496


@pytest.mark.parametrize("name", NETWORKS)
class TestInterface:
    def test_declared_taps_and_strides(self, name, images):
        net = load(name, "random:0")
        maps = net(images, taps=tuple(net.taps))
        assert list(maps) == list(net.taps)
        for tap, stride in net.taps.items():
            assert abs(maps[tap].shape[-1] - 64 / stride) <= 1, tap
        assert set(net.perceptual_taps) <= set(net.taps)
        assert set(net.style_taps) <= set(net.taps)
        for layer, tap in net.correctness_taps.items():
            assert net.taps[tap] == 2**layer

    def test_frozen_but_images_get_gradients(self, name, images):
        net = load(name, "random:0")
        assert not any(p.requires_grad for p in net.parameters())
        torch.nn.Sequential(net).train()
        assert not net.training
        images.requires_grad_()
        tap = net.perceptual_taps[1]
        net(images, taps=(tap,))[tap].sum().backward()
        assert images.grad.abs().sum() > 0

    def test_computes_only_as_deep_as_needed(self, name, images):
        net = load(name, "random:0")
        ran = []
        for index, layer in enumerate(net.features):
            layer.register_forward_hook(lambda *_, index=index: ran.append(index))
        tap = net.perceptual_taps[1]
        net(images, taps=(net.perceptual_taps[0], tap))
        assert ran == list(range(net.layer_of_tap[tap] + 1))

    def test_hash_follows_the_content(self, name, tmp_path):
        net = load(name, "random:3")
        save_file(net.state_dict(), tmp_path / "a.safetensors")
        torch.save(net.state_dict(), tmp_path / "a.pth")
        hashes = {load(name, tmp_path / f"a.{suffix}").weights_hash for suffix in ("pth", "safetensors")}
        assert hashes == {net.weights_hash}
        assert re.fullmatch("sha256:[0-9a-f]{64}", net.weights_hash)
        assert load(name, "random:4").weights_hash != net.weights_hash

    def test_random_activations_keep_their_size(self, name, images):
        net = load(name, "random:0")
        sizes = [x.abs().mean().item() for x in net(images, taps=tuple(net.taps)).values()]
        assert min(sizes) > 0.02
        assert max(sizes) < 50

    def test_refuses_what_it_cannot_take(self, name, images):
        net = load(name, "random:0")
        with pytest.raises(ValueError, match="expected taps of"):
            net(images, taps=("relu9_9",))
        with pytest.raises(ValueError, match="as a tuple"):
            net(images, taps=next(iter(net.taps)))
        with pytest.raises(ValueError, match=r"expected images \(B, 3, H, W\), got \(3, 64, 64\)"):
            net(images[0], taps=net.perceptual_taps)
        with pytest.raises(ValueError, match="at least 16 pixels"):
            net(images[..., :8, :8], taps=(list(net.taps)[-1],))


class TestFiles:
    def test_missing_file_says_what_where_and_licence(self, no_files):
        with pytest.raises(MissingWeights) as caught:
            load("vgg19")
        message = str(caught.value)
        for part in (
            "vgg19-dcbb9e9d.pth",
            "pytorch.org",
            "BSD-3-Clause",
            str(no_files / "mine"),
            "Nothing is downloaded",
        ):
            assert part in message
        assert caught.value.need == "needs file vgg19-dcbb9e9d.pth"

    @pytest.mark.parametrize("folder", ["shipped", "mine", "hub/checkpoints"])
    def test_found_by_name(self, no_files, folder):
        net = load("procnet", "random:1")
        save_file(net.state_dict(), no_files / folder / "procnet.safetensors")
        assert load("procnet").weights_hash == net.weights_hash

    def test_publishers_checksum_in_the_name(self, no_files):
        path = no_files / "mine" / "squeezenet1_1-b8a52dc0.pth"
        torch.save(load("squeezenet1_1", "random:0").state_dict(), path)
        for way in (None, path):
            with pytest.raises(
                ValueError, match=r"expected sha256 b8a52dc0\.\.\., got .*: it is not the publisher's file"
            ):
                load("squeezenet1_1", way)
        assert load("squeezenet1_1", path.rename(path.with_name("mine.pth"))).weights_file == "mine.pth"

    def test_half_precision_is_read_as_float32(self, tmp_path):
        net = load("procnet", "random:0")
        save_file({k: v.half() for k, v in net.state_dict().items()}, tmp_path / "half.safetensors")
        half = load("procnet", tmp_path / "half.safetensors")
        assert {t.dtype for t in half.state_dict().values()} == {torch.float32}

    def test_keys_that_do_not_fit_are_listed(self, tmp_path):
        state = load("procnet", "random:0").state_dict()
        state["features.0.weight"] = state["features.0.weight"][:, :1].contiguous()
        state["surplus"] = state.pop("features.0.bias")
        save_file(state, tmp_path / "wrong.safetensors")
        with pytest.raises(ValueError, match=r"3 keys.*missing features.0.bias; unknown surplus; features.0.weight is"):
            load("procnet", tmp_path / "wrong.safetensors")

    def test_damaged_files_are_named(self, tmp_path):
        for name in ("none.safetensors", "none.pth"):
            (tmp_path / name).touch()
            with pytest.raises(ValueError, match=rf"cannot read .*{name}: the file is empty \(0 bytes\)"):
                read(tmp_path / name)
        (tmp_path / "folder.pth").mkdir()
        with pytest.raises(IsADirectoryError, match=r"no weights .*folder\.pth: it is a folder"):
            load("procnet", tmp_path / "folder.pth")
        for name in ("cut.safetensors", "cut.pth"):
            (tmp_path / name).write_bytes(b"\x10\x00\x00")
            with pytest.raises(ValueError, match=f"cannot read .*{name}"):
                read(tmp_path / name)

    def test_nothing_is_executed_from_a_file(self, tmp_path):
        torch.save(torch.nn.Linear(1, 1), tmp_path / "module.pth")
        with pytest.raises(ValueError, match="cannot read"):
            read(tmp_path / "module.pth")

    def test_unknown_network(self):
        with pytest.raises(ValueError, match="choose one of vgg19, squeezenet1_1, procnet"):
            load("vgg16")


class TestTapsOnGrid:
    def test_says_whether_it_resized(self, images):
        net = load("squeezenet1_1", "random:0")
        maps = net(images, taps=("fire3",))
        assert maps["fire3"].shape[-2:] == (15, 15)
        resized, changed = taps_on_grid(maps, "fire3", (16, 16))
        assert changed
        assert resized.shape[-2:] == (16, 16)
        same, changed = taps_on_grid(maps, "fire3", (15, 15))
        assert not changed
        assert same is maps["fire3"]

    def test_convention_covers_the_same_image(self):
        row = torch.tensor([0.0, 1.0]).view(1, 1, 1, 2)
        resized, _ = taps_on_grid({"a": row}, "a", (1, 4))
        assert resized.flatten().tolist() == [0.0, 0.25, 0.75, 1.0]
