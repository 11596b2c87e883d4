"""The image discriminator and its spectral normalisation, classic order."""

import copy
import math
import pickle
import warnings

import pytest
import torch

from repro.models import ImageDiscriminator
from repro.models.spectral_norm import SpectralNormConv2d


def by_hand():
    """W = diag(3, 1) as a 1x1 convolution, u = (1, 1) / sqrt 2, v = (1, 0)."""
    conv = SpectralNormConv2d(2, 2, 1).double()
    conv.weight.data = torch.tensor([[3.0, 0], [0, 1]]).double().view(2, 2, 1, 1)
    conv.bias.data.zero_()
    conv.weight_u.copy_(torch.tensor([1.0, 1]) / math.sqrt(2))
    conv.weight_v.copy_(torch.tensor([1.0, 0]))
    return conv


ONES = torch.ones(1, 2, 1, 1, dtype=torch.float64)


class TestSpectralNorm:
    def test_convention_v_first_then_u(self):
        """v = unit(W^T u) = (3, 1)/sqrt 10, u = unit(W v) = (9, 1)/sqrt 82, sigma = sqrt 8.2; u first would give 3."""
        conv = by_hand()
        out = conv(ONES).flatten()
        torch.testing.assert_close(conv.weight_v, torch.tensor([3.0, 1]).double() / math.sqrt(10))
        torch.testing.assert_close(conv.weight_u, torch.tensor([9.0, 1]).double() / math.sqrt(82))
        torch.testing.assert_close(out, torch.tensor([3.0, 1]).double() / math.sqrt(8.2))

    def test_evaluation_uses_the_stored_vectors_and_keeps_them(self):
        conv = by_hand().eval()
        before = copy.deepcopy(conv.state_dict())
        torch.testing.assert_close(conv(ONES).flatten(), torch.tensor([3.0, 1]).double() / (3 / math.sqrt(2)))
        assert all(torch.equal(before[name], value) for name, value in conv.state_dict().items())

    def test_u_and_v_are_constants_for_the_gradient(self):
        """With G the gradient of W / sigma, the gradient of W is (G - <G, W/sigma> u v^T) / sigma."""
        conv = by_hand()
        outer = torch.tensor([0.3, -0.8]).double()
        (conv(ONES).flatten() @ outer).backward()
        weight, u, v = conv.weight.detach().flatten(1), conv.weight_u, conv.weight_v
        sigma = u @ weight @ v
        g = outer[:, None] * torch.ones(1, 2).double()
        expected = (g - (g * weight / sigma).sum() * torch.outer(u, v)) / sigma
        torch.testing.assert_close(conv.weight.grad.flatten(1), expected)

    def test_equals_torchs_classic_implementation_over_several_passes(self):
        torch.manual_seed(0)
        ours = SpectralNormConv2d(3, 5, 4, stride=2, padding=1)
        theirs = torch.nn.Conv2d(3, 5, 4, stride=2, padding=1)
        theirs.load_state_dict({"weight": ours.weight, "bias": ours.bias})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = torch.nn.utils.spectral_norm(theirs)
        theirs.weight_u.copy_(ours.weight_u)
        x = torch.randn(2, 3, 9, 8)
        for training in (True, True, False, True):
            torch.testing.assert_close(ours.train(training)(x), theirs.train(training)(x))

    def test_converges_to_the_largest_singular_value(self):
        conv = SpectralNormConv2d(4, 6, 3)
        for _ in range(300):
            conv(torch.zeros(1, 4, 3, 3))
        sigma = torch.linalg.matrix_norm(conv.weight.flatten(1), 2)
        torch.testing.assert_close(conv.weight_u @ conv.weight.flatten(1) @ conv.weight_v, sigma, rtol=1e-4, atol=0)

    def test_two_passes_before_one_backward(self):
        """D(real) and D(fake) run before the loss goes back: the second pass must not spoil the first one's graph."""
        conv = by_hand()
        (conv(ONES).sum() + conv(2 * ONES).sum()).backward()
        assert conv.weight.grad.isfinite().all()


class TestImageDiscriminator:
    @pytest.mark.parametrize(("task", "stride"), [("fashion", 16), ("market", 8)])
    def test_score_map(self, task, stride):
        scores = ImageDiscriminator.preset(task, 0.25)(torch.randn(2, 3, 64, 96))
        assert scores.shape == (2, 1, 64 // stride, 96 // stride)

    def test_sides_need_not_be_multiples(self):
        assert ImageDiscriminator.preset("fashion", 0.25)(torch.randn(1, 3, 50, 37)).shape == (1, 1, 3, 2)

    def test_initial_weights_are_uniform_kaiming_with_zero_biases(self):
        net = ImageDiscriminator.preset("fashion", seed=0)
        for name, layer in net.named_modules():
            if isinstance(layer, SpectralNormConv2d):
                bound = 1 / math.sqrt(layer.weight[0].numel())  # a = sqrt 5
                assert layer.weight.abs().max() <= bound, name
                assert layer.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.15), name
                assert not layer.bias.any(), name
                assert layer.weight_u.norm().item() == pytest.approx(1)
                assert layer.weight_v.norm().item() == pytest.approx(1)

    def test_seed_decides(self):
        a, b, c = (ImageDiscriminator.preset("market", 0.25, seed=s).state_dict() for s in (0, 0, 1))
        assert all(torch.equal(a[name], b[name]) for name in a)
        assert not all(torch.equal(a[name], c[name]) for name in a if "weight" in name)

    @pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
    def test_copies_after_a_training_pass(self, copied):
        net, image = ImageDiscriminator.preset("fashion", 0.25, seed=0), torch.randn(1, 3, 64, 64)
        net(image).sum().backward()
        twin = copied(net)
        assert torch.equal(twin(image), net(image))  # both advance alike
        assert torch.equal(twin.state_dict()["score.1.weight_u"], net.state_dict()["score.1.weight_u"])

    def test_state_goes_into_another_network(self):
        one, two = (ImageDiscriminator.preset("fashion", 0.25, seed=s) for s in (0, 1))
        image = torch.randn(1, 3, 64, 64)
        one(image)
        two.load_state_dict(one.state_dict())
        assert torch.equal(two(image), one(image))

    @pytest.mark.parametrize(
        ("image", "error", "message"),
        [
            (torch.zeros(3, 64, 64), ValueError, r"expected image \(B, 3, H, W\), got \(3, 64, 64\)"),
            (torch.zeros(1, 6, 64, 64), ValueError, r"got \(1, 6, 64, 64\)"),
            (torch.zeros(1, 3, 8, 64), ValueError, "expected sides of at least 16, got 8x64"),
            (torch.zeros(1, 3, 64, 64, dtype=torch.uint8), TypeError, "floating point, got torch.uint8"),
        ],
    )
    def test_door(self, image, error, message):
        with pytest.raises(error, match=message):
            ImageDiscriminator.preset("fashion", 0.25)(image)

    def test_options(self):
        with pytest.raises(ValueError, match="expected 1 to 4 layers, got 5"):
            ImageDiscriminator(5)
        with pytest.raises(ValueError, match="unknown preset 'face'"):
            ImageDiscriminator.preset("face")
