"""The fast path as an operation of torch's library: registered rightly, frugal, differentiable once."""

import pytest
import torch
from bench import measure, rivals
from tolerances import assert_close
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from repro.ops import attend, attention_coefficients, local_attention

CPU = torch.device("cpu")


def _arguments(k: int, batch: int, size: tuple[int, int], channels: int, hidden: int, dtype=torch.float32) -> list:
    generator = torch.Generator().manual_seed(k)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()

    return [
        draw(batch, channels, *size),
        draw(batch, channels, *size),
        draw(batch, 2, *size),
        draw(hidden, 2 * channels, k, k),
        draw(hidden),
        draw(k * k, hidden, 1, 1),
        draw(k * k),
    ]


class TestFused:
    @pytest.mark.parametrize("batch", [0, 2])
    def test_operations_keep_torchs_rules(self, batch):
        source, target, flow, *weights = _arguments(3, batch, (4, 5), 3, 8)
        torch.library.opcheck(torch.ops.repro.attention_coefficients, (source, target, flow, *weights))
        coefficients = torch.rand(batch, 9, 4, 5).requires_grad_()
        torch.library.opcheck(torch.ops.repro.attend, (source, flow, coefficients, True))

    @pytest.mark.parametrize(("k", "channels"), [(3, 256), (5, 128)])
    def test_keeps_a_twentieth_of_the_patch_form(self, k, channels):
        """The paper's two layers at a quarter and less of their area, against the most frugal form with patches.

        Ours also keeps the convolved source with its margin, so that a smaller map is the harder case.
        """
        arguments = _arguments(k, 1, (16, 16), channels, 128)
        patches = measure.kept_bytes(rivals.patches_by_grid_sample, arguments)
        assert 20 * measure.kept_bytes(local_attention, arguments) <= patches

    def test_peak_memory_is_an_eighth_of_the_patch_form(self):
        """Forward + backward of the paper's coarse layer at its batch of 8; the fine layer has more patches to save."""
        arguments = _arguments(3, 8, (32, 32), 256, 128)
        patches = measure.peak_bytes(lambda: rivals.patches_by_grid_sample(*arguments).sum().backward(), CPU)
        for x in arguments:
            x.grad = None
        assert 8 * measure.peak_bytes(lambda: local_attention(*arguments).sum().backward(), CPU) <= patches

    def test_second_derivatives_only_by_the_reference(self):
        arguments = _arguments(3, 1, (2, 3), 2, 4, torch.float64)
        for impl, differentiable in (("reference", True), ("fused", False)):
            out = local_attention(*arguments, impl=impl)
            gradient = torch.autograd.grad(out.square().sum(), arguments, create_graph=True)
            if differentiable:
                torch.autograd.grad(sum(x.square().sum() for x in gradient), arguments)
            else:
                with pytest.raises(RuntimeError, match=r'first derivatives only: use impl="reference"'):
                    torch.autograd.grad(sum(x.square().sum() for x in gradient), arguments)

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
    def test_low_precision_gradients_not_worse_than_plain_torch(self, dtype):
        arguments = [x.detach() for x in _arguments(3, 2, (17, 13), 8, 64)]
        names = ("source", "target", "flow", "weight1", "bias1", "weight2", "bias2")
        exact = [x.to(dtype).double().requires_grad_() for x in arguments]
        rough = [x.to(dtype).requires_grad_() for x in arguments]

        def gradients(of: list[Tensor], impl: str) -> tuple[Tensor, ...]:
            out = local_attention(*of, impl=impl)
            weights = torch.linspace(-1, 1, out.numel(), dtype=torch.float64).view(out.shape)
            return torch.autograd.grad((out * weights.to(out.dtype)).sum(), of)

        truth = gradients(exact, "reference")
        for name, best, ours, plain in zip(names, truth, gradients(rough, "fused"), gradients(rough, "reference")):
            assert ours.dtype == dtype
            error, allowed = ((x.double() - best).abs().mean() for x in (ours, plain))
            assert error <= 2 * allowed, f"{name}: {error:.3g} against {allowed:.3g} of plain torch"

    def test_autocast_gradients_have_the_dtype_of_their_parameters(self):
        arguments = _arguments(3, 1, (4, 5), 3, 8)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            coefficients = attention_coefficients(*arguments)
            out = attend(arguments[0], arguments[2], coefficients)
        assert (coefficients.dtype, out.dtype) == (torch.float32, torch.float32)
        assert {x.dtype for x in torch.autograd.grad(out.sum(), arguments)} == {torch.float32}

    def test_frozen_arguments_get_no_gradient(self):
        source, target, flow, *weights = _arguments(3, 1, (4, 5), 3, 8)
        frozen = [x.detach() for x in weights]
        out = local_attention(source, target, flow, *frozen)
        out.sum().backward()
        assert all(x.grad is not None for x in (source, target, flow))
        assert all(x.grad is None for x in frozen)

    def test_channels_last_and_strided_arguments(self):
        """Layout is no matter: the same numbers from channels-last features and from a view of a larger flow."""
        source, target, flow, *weights = (x.detach() for x in _arguments(3, 2, (4, 5), 3, 8, torch.float64))
        strided = torch.stack([flow, flow], dim=-1)[..., 1]
        last = [x.contiguous(memory_format=torch.channels_last) for x in (source, target)]
        assert_close(local_attention(*last, strided, *weights), local_attention(source, target, flow, *weights))

    def test_unknown_implementations_and_mixed_dtypes_are_refused(self):
        arguments = _arguments(3, 1, (4, 5), 3, 8)
        with pytest.raises(ValueError, match="unknown impl 'cuda': choose one of auto, reference, fused"):
            local_attention(*arguments, impl="cuda")
        arguments[1] = arguments[1].half()
        with pytest.raises(TypeError, match=r"expected target of the source's torch.float32, got torch.float16"):
            local_attention(*arguments)

    def test_torchs_counter_sees_the_convolutions(self):
        """Hidden 8, 3 channels, k 3, 4 x 5: both halves at 2 x 27 x 8 a position, 6 x 7 with margin; then 8 x 9."""
        arguments = _arguments(3, 1, (4, 5), 3, 8)
        forward = 2 * 27 * 8 * (20 + 42) + 2 * 20 * 8 * 9
        with FlopCounterMode(display=False) as counter:
            out = local_attention(*arguments)
            assert counter.get_total_flops() == forward
            out.sum().backward()
        assert counter.get_total_flops() == 3 * forward
