"""The Motion Extraction Network: its normalisations by hand, its window, its variants, its loss."""

import math

import pytest
import torch

from repro.losses import mpjpe
from repro.models import MotionExtractionNetwork, parameter_count
from repro.models.adaptive_normalisation import AdaptiveLayerNorm, LayerNorm, layer_norm, normalisation
from repro.models.motion_extraction import CONTEXT, RECEPTIVE_FIELD

F64 = torch.float64


def small(normalisation="adaptive", **options):
    return MotionExtractionNetwork.preset(0.125, normalisation, init_gain=1.0, seed=0, **options).eval()


def joints(length=104, batch=1, dtype=torch.float32):
    return torch.randn(batch, 34, length, generator=torch.Generator().manual_seed(1), dtype=F64).to(dtype)


class TestNormalisation:
    """f = [[1, 3], [5, 7]]: mean 4 and variance 5 over channels and time together."""

    f = torch.tensor([[[1.0, 3], [5, 7]]], dtype=F64)
    normal = torch.tensor([[[-3.0, -1], [1, 3]]], dtype=F64) / math.sqrt(5 + 1e-5)

    def adaptive(self, one_plus):
        """The statistics (2, -1) reach the hidden layer as (2, 0, 0...), so gamma = (2, 4), beta = (1, -6)."""
        norm = AdaptiveLayerNorm(2, 2, one_plus).double()
        with torch.no_grad():
            for parameter in norm.parameters():
                parameter.zero_()
            norm.shared[0].weight[:2] = torch.eye(2)
            norm.gamma.weight[:, :2] = torch.tensor([[1.0, 100], [2, 100]])  # the ReLU takes the 100s out
            norm.beta.weight[:, 0] = torch.tensor([0.0, -3])
            norm.beta.bias[0] = 1
        return norm(self.f, torch.tensor([[2.0, -1]], dtype=F64))

    def test_layer_norm_is_over_channels_and_time(self):
        torch.testing.assert_close(layer_norm(self.f), self.normal)

    @pytest.mark.parametrize(("one_plus", "gamma"), [(True, (3.0, 5.0)), (False, (2.0, 4.0))])
    def test_adaptive_by_hand(self, one_plus, gamma):
        """The code scales by 1 + gamma, Eq. 23 by gamma."""
        expected = self.normal * torch.tensor(gamma, dtype=F64)[:, None] + torch.tensor([[1.0], [-6]], dtype=F64)
        torch.testing.assert_close(self.adaptive(one_plus), expected)

    def test_affine_and_plain(self):
        norm = LayerNorm(2).double()
        norm.weight.data, norm.bias.data = torch.tensor([[2.0], [3]]).double(), torch.tensor([[0.5], [-1]]).double()
        expected = self.normal * norm.weight + norm.bias
        torch.testing.assert_close(norm(self.f), expected)
        torch.testing.assert_close(normalisation("layer", 2, 2)(self.f), self.normal)
        assert parameter_count(normalisation("layer", 2, 2)) == 0

    def test_layer_norm_forgets_place_and_size(self):
        torch.testing.assert_close(layer_norm(7 * self.f - 3), self.normal, rtol=1e-5, atol=0)


class TestNetwork:
    def test_counts(self):
        with torch.device("meta"):
            assert parameter_count(MotionExtractionNetwork()) == 1_834_786
            assert parameter_count(MotionExtractionNetwork(width=0.5)) == 622_882
            net = MotionExtractionNetwork()
            assert parameter_count(net.statistics) == 419_328
            assert sum(parameter_count(norm) for b in net.blocks for norm in (b.dilated_norm, b.mix_norm)) == 593_664
            # Without E and the heads; batch norm and affine layer norm own a scale and a shift per channel.
            rest = 1_834_786 - 419_328 - 593_664
            counts = [
                parameter_count(MotionExtractionNetwork(normalisation=kind)) for kind in ("batch", "layer", "affine")
            ]
            assert counts == [rest + 6 * 512, rest, rest + 6 * 512]
            # A channel per joint more at the entry and at E's entry.
            assert parameter_count(MotionExtractionNetwork(validity=True)) == 1_834_786 + 2 * 17 * 256 * 3

    @pytest.mark.parametrize("length", [81, 82, 104])
    def test_result_is_80_frames_shorter(self, length):
        assert (RECEPTIVE_FIELD, CONTEXT) == (81, 80)
        assert small()(joints(length, 2)).shape == (2, 34, length - 80)

    @pytest.mark.parametrize("kind", ["batch", "adaptive", "layer"])
    def test_receptive_field(self, kind):
        """Frame t of the result depends on input frames t ... t + 80; layer norm lets the whole window through."""
        x = joints(104, dtype=F64).requires_grad_()
        small(kind).double()(x)[..., 7].square().sum().backward()
        seen = (x.grad.abs().amax((0, 1)) > 0).nonzero().flatten().tolist()
        assert seen == (list(range(7, 88)) if kind == "batch" else list(range(104)))

    def test_the_same_frame_in_another_window(self):
        """The norms look at the window: a test has to use the length of training. Batch norm's numbers do not move."""
        x = joints(120, dtype=F64)

        def difference(net):
            return (net(x)[..., :24] - net(x[..., :104])).abs().max()

        assert difference(small("batch").double()) < 1e-12
        assert difference(small().double()) > 1e-3

    def test_samples_of_a_batch_do_not_meet(self):
        net, x = small().double().train(), joints(104, 3, F64)
        for layer in net.modules():
            if isinstance(layer, torch.nn.Dropout):
                layer.p = 0.0
        torch.testing.assert_close(net(x)[1:2], net(x[1:2]), rtol=0, atol=1e-12)

    def test_statistics_restore_what_layer_norm_removes(self):
        """Without adaptation everything behind the entry's norm (bias free) is blind to the size of the person."""
        x = joints(dtype=F64)
        for kind, blind in (("layer", True), ("affine", True), ("adaptive", False), ("adaptive-paper", False)):
            net = small(kind).double()
            assert ((net(x) - net(3 * x)).abs().max() < 1e-4) == blind, kind

    def test_paper_and_code_agree_where_gamma_is_one_more(self):
        code, paper = small().double(), small("adaptive-paper").double()
        paper.load_state_dict(code.state_dict())
        x = joints(dtype=F64)
        assert (code(x) - paper(x)).abs().max() > 1e-3
        for block in paper.blocks:
            for norm in (block.dilated_norm, block.mix_norm):
                norm.gamma.bias.data += 1
        torch.testing.assert_close(code(x), paper(x), rtol=0, atol=1e-12)

    def test_dropout_only_in_training(self):
        net, x = small(), joints()
        assert torch.equal(net(x), net(x))
        net.train()
        assert not torch.equal(net(x), net(x))

    def test_validity_is_seen_and_asked_for(self):
        net, x, valid = small(validity=True), joints(), torch.ones(1, 17, 104)
        missed = valid.clone()
        missed[0, 4, 50] = 0
        assert not torch.equal(net(x, valid), net(x, missed))
        assert torch.equal(net(x, missed), net(x, missed.bool()))
        with pytest.raises(ValueError, match=r"expected valid \(B, K, L\): this network has validity channels"):
            net(x)
        with pytest.raises(ValueError, match=r"expected valid \(B, 17, L\) with .*L=104.*got \(1, 17, 24\)"):
            net(x, valid[..., :24])
        with pytest.raises(ValueError, match="expected no valid"):
            small()(x, valid)

    def test_initial_weights(self):
        net = MotionExtractionNetwork.preset(0.25, seed=0)
        for name, layer in net.named_modules():
            if isinstance(layer, torch.nn.Conv1d | torch.nn.Linear):
                m = layer.weight.flatten(1)
                gram = m @ m.T if len(m) <= m.shape[1] else m.T @ m
                torch.testing.assert_close(gram, 0.02**2 * torch.eye(len(gram)), rtol=0, atol=1e-8, msg=name)
                assert layer.bias is None or not layer.bias.any(), name

    def test_everything_learns(self):
        for kind in ("adaptive", "adaptive-paper", "batch", "layer", "affine"):
            net = small(kind).train()
            net(joints(batch=2)).square().sum().backward()
            assert all(p.grad is not None and p.grad.any() for p in net.parameters()), kind

    @pytest.mark.parametrize(
        ("x", "error", "message"),
        [
            (torch.zeros(1, 17, 104), ValueError, r"expected joints \(B, 34, L\), got \(1, 17, 104\)"),
            (torch.zeros(34, 104), ValueError, r"got \(34, 104\)"),
            (torch.zeros(1, 34, 80), ValueError, "expected at least 81 frames, got 80: .* 40 more at both ends"),
            (torch.zeros(1, 34, 104, dtype=torch.int64), TypeError, "floating point, got torch.int64"),
        ],
    )
    def test_door(self, x, error, message):
        with pytest.raises(error, match=message):
            small()(x)

    def test_unknown_variant(self):
        with pytest.raises(ValueError, match="unknown normalisation 'group': choose one of adaptive, adaptive-paper,"):
            MotionExtractionNetwork(normalisation="group")


class TestLoss:
    """Two joints in one frame: errors (row, column) = (3, 4) and (0, 0)."""

    predicted = torch.tensor([3.0, 1, 4, 2]).view(1, 4, 1)
    target = torch.tensor([0.0, 1, 0, 2]).view(1, 4, 1)

    @pytest.mark.parametrize(("form", "expected"), [("squared", 25 / 4), ("absolute", 7 / 4), ("distance", 5 / 2)])
    def test_by_hand(self, form, expected):
        assert mpjpe(self.predicted, self.target, form).item() == pytest.approx(expected)

    def test_the_form_of_the_code_is_the_default(self):
        assert mpjpe(self.predicted, self.target) == mpjpe(self.predicted, self.target, "squared")

    @pytest.mark.parametrize("form", ["squared", "absolute", "distance"])
    def test_gradient_is_finite_where_the_error_is_zero(self, form):
        x = self.target.clone().requires_grad_()
        mpjpe(x, self.target, form).backward()
        assert not x.grad.any()

    def test_door(self):
        with pytest.raises(ValueError, match=r"expected target \(1, 4, 1\), got \(1, 4, 2\)"):
            mpjpe(self.predicted, torch.zeros(1, 4, 2))
        with pytest.raises(ValueError, match="unknown form 'l2'"):
            mpjpe(self.predicted, self.target, "l2")
        with pytest.raises(ValueError, match="a row and a column per joint"):
            mpjpe(torch.zeros(1, 3, 1), torch.zeros(1, 3, 1), "distance")
