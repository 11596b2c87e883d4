"""The Triton kernels without a GPU: their numbers in Triton's interpreter, their machine code by its compiler.

The interpreter must be asked for before Triton is imported, so this file runs itself once more in another process.
"""

import math
import os
import subprocess
import sys

import pytest
import torch
from tolerances import assert_close, assert_not_worse_than_plain
from torch import Tensor

from repro.ops import attention_fused, local_attention

pytest.importorskip("triton", reason="Triton has no build for this system")
from repro.ops import attention_kernels

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
FLOWS = {
    "random": lambda noise: 3 * noise,
    "zero": lambda noise: 0 * noise,
    "integer": lambda noise: (3 * noise).round(),
    "half": lambda noise: (3 * noise).round() + 0.5,
    "far": lambda noise: 100 * noise,
    "infinite": lambda noise: noise.sign() * math.inf,
}


def _arguments(k: int, batch: int, channels: int, size: tuple[int, int], flow: str = "random") -> list[Tensor]:
    """Return gradient, source (of another size), flow and coefficients."""
    generator = torch.Generator().manual_seed(k)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    return [
        draw(batch, channels, *size),
        draw(batch, channels, size[1], size[0]),
        FLOWS[flow](draw(batch, 2, *size)),
        draw(batch, k * k, *size).softmax(dim=1),
    ]


def _signature(kernel, k: int, dtype: str, width: int) -> tuple[dict[str, str], dict[str, object]]:
    """Return the types of a kernel's arguments, features and coefficients of ``dtype``, and its constants."""
    import triton.language as tl

    constants = {"K": k, "DTYPE": tl.float32, "DIVISOR": k * k, "BLOCK": 16, "WIDTH": width}
    constants |= {"CHUNKS": 2} if "CHUNKS" in kernel.arg_names else {}
    types = dict.fromkeys(kernel.arg_names, "i32") | dict.fromkeys(constants, "constexpr")
    types |= dict.fromkeys(("source", "gradient", "out"), f"*{dtype}")
    types |= dict.fromkeys(("flow", "coefficients", "of_source", "of_flow", "of_coefficients"), "*fp32")
    return {name: types[name] for name in kernel.arg_names}, constants


@pytest.mark.skipif(INTERPRETED, reason="another process")
class TestCompiled:
    def test_numbers_in_the_interpreter(self):
        """Runs the class below where TRITON_INTERPRET=1."""
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
        run = subprocess.run(
            command, env=os.environ | {"TRITON_INTERPRET": "1"}, capture_output=True, text=True, timeout=500
        )
        assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]

    @pytest.mark.parametrize(
        ("name", "architecture", "k", "dtype"),
        [
            ("_gather", 80, 3, "bf16"),
            ("_gather", 90, 3, "fp32"),
            ("_gather_backward", 80, 3, "bf16"),
            ("_gather_backward", 90, 5, "fp32"),
        ],
    )
    def test_machine_code_without_a_gpu(self, name, architecture, k, dtype):
        import triton
        from triton.backends.compiler import GPUTarget
        from triton.compiler import ASTSource

        kernel = getattr(attention_kernels, name)
        signature, constants = _signature(kernel, k, dtype, 128)
        source = ASTSource(fn=kernel, signature=signature, constexprs=constants)
        compiled = triton.compile(source, target=GPUTarget("cuda", architecture, 32))
        assert len(compiled.asm["cubin"]) > 1000
        assert f"sm_{architecture}" in compiled.asm["ptx"]

    def test_without_triton_one_sentence(self, monkeypatch):
        """torch's own operations take over on GPUs, and the reason is told once."""
        attention_fused.triton_kernels.cache_clear()
        monkeypatch.setitem(sys.modules, "repro.ops.attention_kernels", None)
        monkeypatch.delattr("repro.ops.attention_kernels")
        with pytest.warns(UserWarning, match="runs without its Triton kernels: .*install triton") as told:
            found = [attention_fused.triton_kernels() for _ in range(2)]
        assert found == [None, None]
        assert len(told) == 1
        monkeypatch.undo()
        attention_fused.triton_kernels.cache_clear()


@pytest.mark.skipif(not INTERPRETED, reason="runs in Triton's interpreter, started by TestCompiled")
class TestInterpreted:
    @pytest.mark.parametrize("flow", FLOWS)
    @pytest.mark.parametrize(
        ("k", "channels", "size"), [(1, 3, (5, 2)), (3, 130, (1, 2)), (5, 2, (7, 3)), (3, 1, (1, 1))]
    )
    def test_equals_the_path_of_plain_torch(self, k, channels, size, flow):
        gradient, *arguments = _arguments(k, 2, channels, size, flow)
        assert_close(attention_kernels.gather(*arguments, True), attention_fused.gather(*arguments, True), "value")
        ours = attention_kernels.gather_backward(gradient, *arguments, True)
        plain = attention_fused.gather_backward(gradient, *arguments, True)
        for name, mine, expected in zip(("source", "flow", "coefficients"), ours, plain):
            assert mine.stride() == expected.stride()
            assert_close(mine, expected, f"gradient of the {name}")

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
    def test_low_precision_not_worse_than_plain_torch(self, dtype):
        gradient, source, flow, coefficients = _arguments(3, 2, 17, (7, 5))
        rough = [gradient.to(dtype), source.to(dtype), flow.float(), coefficients.float()]
        exact = [x.double() for x in rough]
        ours, plain, truth = (
            [gather(*of[1:], True), *gather_backward(*of, True)]
            for of, gather, gather_backward in (
                (rough, attention_kernels.gather, attention_kernels.gather_backward),
                (rough, attention_fused.gather, attention_fused.gather_backward),
                (exact, attention_fused.gather, attention_fused.gather_backward),
            )
        )
        if dtype == torch.bfloat16:  # the interpreter cuts off where a GPU rounds to nearest
            wide = attention_fused.gather(rough[1].float(), *rough[2:], True)
            plain[0] = (wide.view(torch.int32) & ~0xFFFF).view(torch.float32).bfloat16()
        for mine, other, best, expected in zip(ours, plain, truth, (dtype, dtype, torch.float32, torch.float32)):
            assert mine.dtype == expected
            assert_not_worse_than_plain(mine, other, best)

    @pytest.mark.parametrize("batch", [0, 2])
    def test_nan_stays_where_it_is_and_empty_batches_pass(self, batch):
        gradient, source, flow, coefficients = _arguments(3, batch, 3, (4, 5))
        flow[:1, 1, 2, 3] = math.nan
        out = attention_kernels.gather(source, flow, coefficients, False)
        assert_close(out, attention_fused.gather(source, flow, coefficients, False))
        assert int(out.isnan().sum()) == (3 if batch else 0)
        assert [x.shape[0] for x in attention_kernels.gather_backward(gradient, source, flow, coefficients, False)] == [
            batch
        ] * 3

    def test_whole_attention_with_strided_arguments(self, monkeypatch):
        """Value and all gradients of Eq. 8-9 through the kernels equal those on patches."""
        generator = torch.Generator().manual_seed(0)
        shapes = ((2, 3, 4, 5), (2, 3, 4, 5), (2, 4, 5, 2), (8, 6, 3, 3), (8,), (9, 8, 1, 1), (9,))
        leaves = [torch.randn(s, generator=generator, dtype=torch.float64).requires_grad_() for s in shapes]
        arguments = [*leaves[:2], leaves[2].permute(0, 3, 1, 2), *leaves[3:]]
        expected = local_attention(*arguments, impl="reference")
        monkeypatch.setattr(attention_fused, "kernels_for", lambda tensor: attention_kernels)
        out = local_attention(*arguments)
        assert_close(out, expected)
        for mine, theirs in zip(
            torch.autograd.grad(out.square().sum(), leaves), torch.autograd.grad(expected.square().sum(), leaves)
        ):
            assert_close(mine, theirs)
