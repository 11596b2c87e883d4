"""I3D: the published counts, shapes and keys; padding by hand; always in eval mode."""

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from repro.features import load_video
from repro.features.i3d import I3D, Inception, SamePool, Unit, pad_same
from repro.features.weights import fill


@pytest.fixture(scope="module")
def outline():
    """The network without numbers: shapes cost nothing."""
    with torch.device("meta"):
        return I3D()


def video(frames, side):
    return torch.zeros(1, 3, frames, side, side, device="meta")


class TestFacts:
    def test_parameters(self, outline):
        assert sum(p.numel() for p in outline.parameters()) == 12_697_264

    @pytest.mark.parametrize(
        ("frames", "side", "pooled"),
        [(10, 224, (1, 1, 1)), (16, 224, (1, 1, 1)), (32, 224, (3, 1, 1)), (24, 256, (2, 2, 2))],
    )
    def test_pooled_shapes(self, outline, frames, side, pooled):
        assert outline.pooled(video(frames, side)).shape == (1, 1024, *pooled)

    @pytest.mark.parametrize(("frames", "side"), [(16, 128), (8, 224)])
    def test_too_small_for_the_pool(self, outline, frames, side):
        with pytest.raises(ValueError, match="resize to 224"):
            outline.pooled(video(frames, side))

    def test_endpoints(self, outline):
        found = {name: tuple(x.shape[1:]) for name, x in outline.walk(video(16, 224)).items()}
        assert found["Conv3d_1a_7x7"] == (64, 8, 112, 112)
        assert found["MaxPool3d_2a_3x3"] == (64, 8, 56, 56)
        assert found["Conv3d_2c_3x3"] == (192, 8, 56, 56)
        assert found["Mixed_3c"] == (480, 8, 28, 28)
        assert found["Mixed_4b"] == found["Mixed_4c"] == found["Mixed_4d"] == (512, 4, 14, 14)
        assert found["Mixed_4e"] == (528, 4, 14, 14)
        assert found["Mixed_4f"] == (832, 4, 14, 14)
        assert found["Mixed_5b"] == (832, 2, 7, 7)
        assert found["Mixed_5c"] == (1024, 2, 7, 7)
        assert list(found)[-1] == "Mixed_5c"
        assert outline.classes(video(16, 224)).shape == (1, 400)

    def test_keys_are_the_published_ones(self, outline):
        keys = outline.state_dict()
        assert len(keys) == 57 * 5 + 2  # 57 units of a weight and four of normalisation; the head
        own = {
            "Conv3d_1a_7x7.conv3d.weight",
            "Mixed_3b.b1b.bn.running_var",
            "Mixed_5c.b3b.bn.bias",
            "logits.conv3d.bias",
        }
        assert own <= set(keys)
        assert keys["Mixed_4e.b2b.conv3d.weight"].shape == (64, 32, 3, 3, 3)
        assert keys["logits.conv3d.weight"].shape == (400, 1024, 1, 1, 1)


class TestSamePadding:
    @pytest.mark.parametrize(
        ("size", "kernel", "stride", "front", "back"),
        [
            (16, 7, 2, 2, 3),
            (15, 7, 2, 3, 3),
            (4, 3, 2, 0, 1),
            (5, 3, 2, 1, 1),
            (7, 3, 1, 1, 1),
            (2, 2, 2, 0, 0),
            (3, 2, 2, 0, 1),
        ],
    )
    def test_by_hand(self, size, kernel, stride, front, back):
        x = torch.ones(1, 1, 1, 1, size)
        padded = pad_same(x, (1, 1, kernel), (1, 1, stride))[0, 0, 0, 0].tolist()
        assert padded == [0.0] * front + [1.0] * size + [0.0] * back

    def test_axes_are_padded_on_their_own(self):
        assert pad_same(torch.ones(1, 1, 2, 3, 4), (3, 5, 7), (1, 1, 1)).shape == (1, 1, 4, 7, 10)

    def test_a_convolution_counts_what_it_sees(self):
        """Ones through a kernel of ones over [1 1 1 1], stride 2: positions 0 and 2, padded behind."""
        unit = Unit(1, 1, 3, 2, plain=True)
        nn.init.ones_(unit.conv3d.weight)
        nn.init.zeros_(unit.conv3d.bias)
        x = torch.ones(1, 1, 1, 1, 4)
        assert unit(x).flatten().tolist() == [3.0, 2.0]

    def test_a_pool_looks_past_the_end(self):
        x = torch.tensor([1.0, 5, 2, 3]).view(1, 1, 1, 1, 4)
        assert SamePool((1, 1, 3), (1, 1, 2))(x).flatten().tolist() == [5.0, 3.0]


def test_normalisation_is_torch_s_in_eval_mode():
    theirs = nn.BatchNorm3d(4, eps=1e-3).eval()
    unit = Unit(3, 4, 1)
    generator = torch.Generator().manual_seed(0)
    for name, tensor in theirs.state_dict().items():
        if tensor.ndim:
            tensor.copy_(torch.rand(4, generator=generator) + 0.1)
            unit.bn.state_dict()[name].copy_(tensor)
    x = torch.randn(2, 3, 2, 3, 5, generator=generator)
    torch.testing.assert_close(unit(x), theirs(unit.conv3d(x)).relu())


def test_branches_stand_side_by_side():
    block = Inception(2, (1, 2, 3, 4, 5, 6))
    x = torch.rand(1, 2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    out = block(x)
    assert out.shape == (1, 1 + 3 + 5 + 6, 3, 4, 5)
    torch.testing.assert_close(out[:, :1], block.b0(x))
    torch.testing.assert_close(out[:, 1:4], block.b1b(block.b1a(x)))
    torch.testing.assert_close(out[:, 4:9], block.b2b(block.b2a(x)))
    pooled = nn.functional.max_pool3d(x, 3, stride=1, padding=1)  # x >= 0: a border of zeros never wins
    torch.testing.assert_close(out[:, 9:], block.b3b(pooled))


class TestLoading:
    @pytest.fixture(scope="class")
    def tensors(self):
        return I3D().state_dict()

    def test_published_file(self, tensors, tmp_path):
        save_file(tensors, tmp_path / "rgb_imagenet.safetensors")
        network = load_video("i3d", tmp_path / "rgb_imagenet.safetensors")
        assert torch.equal(network.Mixed_4c.b1b.conv3d.weight, tensors["Mixed_4c.b1b.conv3d.weight"])
        assert not network.training
        assert network.train().training is False  # also inside a model that is set to train
        clip = torch.rand(1, 3, 9, 33, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
        first, second = network.maps(clip), network.maps(clip)
        assert torch.equal(first, second)
        assert first.shape == (1, 1024, 2, 2, 1)
        assert not first.requires_grad

    def test_counters_of_newer_files_are_left_out(self, tensors):
        counters = {"Mixed_3b.b0.bn.num_batches_tracked": torch.tensor(7)}
        fill(I3D(), {**tensors, **counters}, origin="newer file")

    def test_keys_are_strict(self, tensors):
        with pytest.raises(ValueError, match=r"missing logits.conv3d.bias"):
            fill(I3D(), {key: x for key, x in tensors.items() if key != "logits.conv3d.bias"}, origin="file")
        with pytest.raises(ValueError, match=r"unknown Mixed_6a"):
            fill(I3D(), {**tensors, "Mixed_6a": torch.zeros(1)}, origin="file")

    def test_short_clips_are_refused(self):
        with torch.device("meta"):
            network = I3D()
        with pytest.raises(ValueError, match="at least 9 frames for i3d, got 8"):
            network(torch.zeros(1, 8, 3, 64, 64, device="meta"))
        assert network(torch.zeros(2, 16, 3, 100, 60, device="meta")).shape == (2, 1024)
