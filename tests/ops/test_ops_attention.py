"""Local attention without patches equals local attention with patches: Eq. 8 and 9, every gradient included."""

import math

import pytest
import torch
from bench import measure
from tolerances import TOLERANCES, assert_close, assert_not_worse_than_plain
from torch import Tensor
from torch.nn import functional as F

from repro.ops import attend, attention_coefficients, extract_patches, local_attention

NAMES = ("source", "target", "flow", "weight1", "bias1", "weight2", "bias2")
FLOWS = {
    "random": lambda noise: 3 * noise,
    "zero": lambda noise: 0 * noise,
    "integer": lambda noise: (3 * noise).round(),
    "half": lambda noise: (3 * noise).round() + 0.5,
    "far": lambda noise: 100 * noise,
}


def _oracle(source, target, flow, weight1, bias1, weight2, bias2, mean=True):
    """Eq. 8-9 as the paper writes them, on patches."""
    k = weight1.shape[-1]
    source_patches = extract_patches(source, flow, k)
    target_patches = extract_patches(target, torch.zeros_like(flow), k)
    hidden = F.conv2d(torch.cat([target_patches, source_patches], dim=1), weight1, bias1, stride=k)
    coefficients = F.conv2d(F.leaky_relu(hidden, 0.1), weight2, bias2).softmax(dim=1)
    pooled = F.avg_pool2d(F.pixel_shuffle(coefficients, k) * source_patches, k)
    return pooled if mean else pooled * k**2


def _arguments(k, batch, size, flow="random", channels=3, hidden=8, dtype=torch.float64, source_size=None):
    generator = torch.Generator().manual_seed(k)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    return [
        x.to(dtype)
        for x in (
            draw(batch, channels, *(source_size or size)),
            draw(batch, channels, *size),
            FLOWS[flow](draw(batch, 2, *size)),
            draw(hidden, 2 * channels, k, k) * 0.3,
            draw(hidden),
            draw(k * k, hidden, 1, 1) * 0.5,
            draw(k * k),
        )
    ]


class TestLocalAttention:
    @pytest.mark.parametrize("flow", FLOWS)
    @pytest.mark.parametrize("size", [(1, 1), (2, 5), (17, 2), (5, 17)])
    @pytest.mark.parametrize("k", [1, 3, 5])
    def test_values_and_all_gradients_of_the_oracle(self, k, size, flow):
        arguments = [x.requires_grad_() for x in _arguments(k, 2, size, flow)]
        fast, oracle = local_attention(*arguments), _oracle(*arguments)
        assert_close(fast, oracle, "value")
        out_gradient = torch.randn(fast.shape, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
        for name, ours, theirs in zip(
            NAMES,
            torch.autograd.grad(fast, arguments, out_gradient),
            torch.autograd.grad(oracle, arguments, out_gradient),
        ):
            assert_close(ours, theirs, f"gradient of {name}")

    def test_source_of_another_size(self):
        arguments = [x.requires_grad_() for x in _arguments(3, 1, (4, 5), source_size=(7, 2))]
        assert_close(local_attention(*arguments), _oracle(*arguments))

    def test_mean_divides_by_the_patch_size(self):
        arguments = _arguments(5, 1, (4, 3))
        assert_close(local_attention(*arguments), local_attention(*arguments, mean=False) / 25)

    @pytest.mark.parametrize("batch", [0, 1])
    def test_small_batches(self, batch):
        arguments = [x.requires_grad_() for x in _arguments(3, batch, (4, 5))]
        out = local_attention(*arguments)
        out.sum().backward()
        assert out.shape == (batch, 3, 4, 5)
        assert_close(out, _oracle(*arguments))

    def test_gradcheck(self):
        arguments = _arguments(3, 1, (2, 3), channels=2, hidden=4)
        fraction = 0.2 + 0.6 * torch.rand(arguments[2].shape, generator=torch.Generator().manual_seed(0))
        arguments[2] = arguments[2].round() + fraction.double()
        assert torch.autograd.gradcheck(local_attention, [x.requires_grad_() for x in arguments])

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
    def test_low_precision_not_worse_than_plain_torch(self, dtype):
        arguments = _arguments(3, 2, (17, 13), channels=16, dtype=dtype)
        reference = _oracle(*[x.double() for x in arguments])
        out = local_attention(*arguments)
        assert out.dtype == dtype
        assert_not_worse_than_plain(out, _oracle(*arguments), reference)

    def test_half_precision_flow_keeps_its_fraction(self):
        """0.37 at column 150: the positions of bfloat16 count in whole pixels there."""
        arguments = _arguments(3, 1, (1, 160), dtype=torch.float32)
        arguments[2] = torch.full((1, 2, 1, 160), 0.37).bfloat16()
        exact = list(arguments)
        exact[2] = arguments[2].float()
        assert torch.equal(local_attention(*arguments), local_attention(*exact))

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
    def test_autocast(self, dtype):
        """The kernel net gets its arguments in autocast's dtype, bit for bit; pooling keeps the features' own.

        The worst error is at most twice that of the form on patches under the same autocast.
        """
        arguments = _arguments(3, 2, (17, 13), dtype=torch.float32)
        source, target, flow, *weights = arguments
        with torch.autocast("cpu", dtype=dtype):
            out, plain = local_attention(*arguments), _oracle(*arguments)
        low = [x.to(dtype) for x in (source, target, *weights)]
        coefficients = attention_coefficients(*low[:2], flow, *low[2:])
        assert out.dtype == torch.float32
        assert torch.equal(out, attend(source, flow, coefficients))
        assert_not_worse_than_plain(out, plain, _oracle(*[x.double() for x in arguments]), of=Tensor.max)

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
    def test_compiles_to_one_graph_under_autocast(self, dtype):
        arguments = [x.requires_grad_() for x in _arguments(3, 2, (4, 5), dtype=torch.float32)]
        with torch.autocast("cpu", dtype=dtype):
            compiled = torch.compile(local_attention, backend="aot_eager", fullgraph=True)(*arguments)
            eager = local_attention(*arguments)
        assert torch.equal(compiled, eager)
        gradients = (torch.autograd.grad(out.square().sum(), arguments) for out in (compiled, eager))
        for name, ours, theirs in zip(NAMES, *gradients):
            assert torch.equal(ours, theirs), name

    def test_nan_in_the_flow_stays_where_it_is(self):
        arguments = _arguments(3, 1, (4, 5))
        expected = local_attention(*arguments)
        arguments[2][0, 1, 2, 3] = math.nan
        expected[..., 2, 3] = math.nan
        assert_close(local_attention(*arguments), expected)

    @pytest.mark.parametrize("far", [1e30, -math.inf])
    def test_infinitely_far_is_finite(self, far):
        arguments = _arguments(3, 1, (4, 5))
        arguments[2] = torch.full_like(arguments[2], far)
        near = list(arguments)
        near[2] = arguments[2].clamp(-100, 100)
        assert_close(local_attention(*arguments), _oracle(*near))

    def test_same_bits_every_time(self):
        arguments = [x.requires_grad_() for x in _arguments(3, 2, (6, 5), dtype=torch.float32)]
        first = None
        for _ in range(100):
            out = local_attention(*arguments)
            bits = (out, *torch.autograd.grad(out.square().sum(), arguments))
            first = first or bits
            assert all(torch.equal(x, y) for x, y in zip(first, bits))

    def test_compiles_to_one_graph_with_its_gradients(self):
        """Traced without a compiler of machine code: no graph break, the same bits."""
        arguments = [x.requires_grad_() for x in _arguments(3, 2, (4, 5), dtype=torch.float32)]
        compiled = torch.compile(local_attention, backend="aot_eager", fullgraph=True)(*arguments)
        eager = local_attention(*arguments)
        assert_close(compiled, eager)
        for name, ours, theirs in zip(
            NAMES,
            torch.autograd.grad(compiled.square().sum(), arguments),
            torch.autograd.grad(eager.square().sum(), arguments),
        ):
            assert_close(ours, theirs, name)

    def test_keeps_no_patches(self):
        """What the backward pass keeps is below one of the four patch tensors that the plain way keeps."""
        arguments = [
            x.requires_grad_() for x in _arguments(5, 1, (16, 16), channels=64, hidden=128, dtype=torch.float32)
        ]
        one_patch_tensor = 25 * 64 * 16 * 16 * 4
        assert measure.kept_bytes(local_attention, arguments) < one_patch_tensor

    def test_even_side_is_refused(self):
        with pytest.raises(ValueError, match=r"expected an odd patch side k .*got k = 2"):
            local_attention(*_arguments(2, 1, (4, 5)))


class TestAttentionCoefficients:
    def test_equation_8_sums_to_one_and_matches_the_oracle(self):
        source, target, flow, weight1, bias1, weight2, bias2 = _arguments(3, 2, (5, 4))
        coefficients = attention_coefficients(source, target, flow, weight1, bias1, weight2, bias2)
        assert coefficients.shape == (2, 9, 5, 4)
        assert_close(coefficients.sum(dim=1), torch.ones(2, 5, 4))

    def test_convention_target_half_first(self):
        """A kernel net that looks only at its first half does not see the source; at its second, not the target."""
        source, target, flow, weight1, bias1, weight2, bias2 = _arguments(3, 1, (5, 4))
        first, second = weight1.clone(), weight1.clone()
        first[:, 3:], second[:, :3] = 0, 0
        rest = (bias1, weight2, bias2)
        assert torch.equal(
            attention_coefficients(source, target, flow, first, *rest),
            attention_coefficients(2 * source, target, flow, first, *rest),
        )
        assert torch.equal(
            attention_coefficients(source, target, flow, second, *rest),
            attention_coefficients(source, 2 * target, flow, second, *rest),
        )

    def test_convention_by_hand(self):
        """Constant maps t = 1, s = 5: hidden = 2 t - s + 1 = -2, LeakyReLU -0.2; only the centre one sees it."""
        one = torch.ones(1, 1, 1, 1, dtype=torch.float64)
        weight1 = torch.tensor([2.0, -1.0]).double().view(1, 2, 1, 1).expand(1, 2, 3, 3) / 9
        weight2 = torch.tensor([0.0] * 4 + [1.0] + [0.0] * 4).double().view(9, 1, 1, 1)
        out = attention_coefficients(
            5 * one, one, torch.zeros(1, 2, 1, 1).double(), weight1, one.view(1), weight2, torch.zeros(9).double()
        )
        centre = math.exp(-0.2) / (8 + math.exp(-0.2))
        assert_close(out[0, 4, 0, 0], centre)
        assert_close(out[0, 0, 0, 0], (1 - centre) / 8)

    def test_exceptions(self):
        source, target, flow, weight1, bias1, weight2, bias2 = _arguments(3, 1, (5, 4))
        with pytest.raises(ValueError, match=r"expected target \(B, C, H, W\) with .*got \(1, 3, 4, 4\)"):
            attention_coefficients(source, target[..., 1:, :], flow, weight1, bias1, weight2, bias2)
        with pytest.raises(ValueError, match=r"expected weight1 \(M, 6, k, k\).*got \(8, 5, 3, 3\): target half first"):
            attention_coefficients(source, target, flow, weight1[:, 1:], bias1, weight2, bias2)
        with pytest.raises(ValueError, match=r"expected weight1 \(M, D, k, k\).*got \(8, 6, 3, 2\)"):
            attention_coefficients(source, target, flow, weight1[..., 1:], bias1, weight2, bias2)
        with pytest.raises(ValueError, match=r"expected weight2 \(9, M, 1, 1\) with M=8, got \(8, 8, 1, 1\)"):
            attention_coefficients(source, target, flow, weight1, bias1, weight2[1:], bias2)
        with pytest.raises(ValueError, match=r"expected bias2 \(9\), got \(8,\)"):
            attention_coefficients(source, target, flow, weight1, bias1, weight2, bias2[1:])


class TestAttend:
    def test_equation_9_uniform_coefficients_are_a_box_mean(self):
        """Equal coefficients 1/9 over 0 ... 8 (3 x 3) at the centre: the mean 4, and 4/9 with the paper's pooling."""
        source = torch.arange(9.0).view(1, 1, 3, 3)
        coefficients = torch.full((1, 9, 3, 3), 1 / 9)
        flow = torch.zeros(1, 2, 3, 3)
        assert_close(attend(source, flow, coefficients, mean=False)[0, 0, 1, 1], 4.0)
        assert_close(attend(source, flow, coefficients)[0, 0, 1, 1], 4 / 9)

    def test_convention_row_major_patch(self):
        """All weight on coefficient 5 = row 1, column 2: the pixel to the right of where the flow points."""
        source = torch.arange(20.0).view(1, 1, 4, 5)
        coefficients = torch.zeros(1, 9, 4, 5)
        coefficients[:, 5] = 1
        flow = torch.tensor([0.0, 1.0]).view(1, 2, 1, 1).expand(1, 2, 4, 5)
        assert (
            attend(source, flow, coefficients, mean=False)[0, 0, 1, 1] == 12
        )  # own (1, 1), flow one down, patch one right: (2, 2)

    @pytest.mark.parametrize("dtype", TOLERANCES)
    def test_dtype_is_the_sources(self, dtype):
        source, _, flow, *_ = _arguments(3, 1, (4, 5))
        assert attend(source.to(dtype), flow, torch.rand(1, 9, 4, 5)).dtype == dtype

    def test_exceptions(self):
        source, flow = torch.zeros(1, 2, 3, 4), torch.zeros(1, 2, 3, 4)
        with pytest.raises(ValueError, match="got 8, which is no square"):
            attend(source, flow, torch.zeros(1, 8, 3, 4))
        with pytest.raises(ValueError, match=r"expected an odd patch side k .*got k = 4"):
            attend(source, flow, torch.zeros(1, 16, 3, 4))
        with pytest.raises(ValueError, match=r"expected coefficients \(B, N, H, W\) with .*got \(1, 9, 4, 4\)"):
            attend(source, flow, torch.zeros(1, 9, 4, 4))
