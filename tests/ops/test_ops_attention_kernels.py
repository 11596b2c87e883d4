"""The Triton kernels without a GPU: their numbers in Triton's interpreter, their machine code by its compiler.

The interpreter must be asked for before Triton is imported, so this file runs itself once more in another process.
"""

import contextlib
import functools
import math
import os
import re
import subprocess
import sys

import pytest
import torch
from tolerances import assert_close, assert_not_worse_than_plain
from torch import Tensor

from repro.ops import attend, attention_fused, local_attention

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


LAYERS = {1: (128, 32), 3: (256, 32), 5: (128, 64)}  # of k: channels and side; the paper's at 3 and 5, batch 8


def _launched(name: str, k: int, dtype: str, channels: int, side: int, batch: int = 8) -> dict[str, dict]:
    """Return what Triton would compile when the kernel is launched: types, constants and multiples of 16."""
    import triton
    import triton.language as tl

    kernel, forward = getattr(attention_kernels, name), name == "_gather"
    block = attention_kernels.FORWARD_POSITIONS if forward else attention_kernels.BACKWARD_POSITIONS
    most = attention_kernels.FORWARD_CHANNELS if forward else attention_kernels.BACKWARD_CHANNELS
    width, count = min(most, triton.next_power_of_2(channels)), batch * side * side
    constants = {
        "K": k, "DTYPE": tl.float64 if dtype == "fp64" else tl.float32, "DIVISOR": k * k, "BLOCK": block,
        "INDEX": tl.int32 if count < 2**31 else tl.int64, "WIDTH": width, "CHUNKS": triton.cdiv(channels, width),
    }  # fmt: skip
    sizes = {
        "count": count, "channels": channels, "height": side, "width": side,
        "source_height": side, "source_width": side, "f0": 2 * side * side, "f1": side * side, "f2": side, "f3": 1,
        "c0": k * k * side * side, "c1": 1, "c2": k * k * side, "c3": k * k,
    }  # fmt: skip
    ones = {n: 1 for n, size in sizes.items() if size == 1}
    constants = {n: value for n, value in constants.items() if n in kernel.arg_names} | ones
    wide = "*fp64" if dtype == "fp64" else "*fp32"
    types = {n: "i64" if size >= 2**31 else "i32" for n, size in sizes.items()}
    types |= dict.fromkeys(constants, "constexpr") | dict.fromkeys(("source", "gradient", "out"), f"*{dtype}")
    types |= dict.fromkeys(("flow", "coefficients", "of_source", "of_flow", "of_coefficients"), wide)
    sixteens = {n for n, t in types.items() if t[0] == "*" or (n not in ones and sizes.get(n, 1) % 16 == 0)}
    return {
        "signature": {n: types[n] for n in kernel.arg_names},
        "constexprs": constants,
        "attrs": {(i,): [["tt.divisibility", 16]] for i, n in enumerate(kernel.arg_names) if n in sixteens},
    }


def _machine_code(name: str, architecture: int, launched: dict[str, dict]) -> tuple[str, int]:
    """Return assembly for an NVIDIA architecture, and how many bytes its registers spill to memory."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.backends.nvidia.compiler import get_ptxas
    from triton.compiler import ASTSource

    source = ASTSource(fn=getattr(attention_kernels, name), **launched)
    compiled = triton.compile(source, target=GPUTarget("cuda", architecture, 32))
    assert len(compiled.asm["cubin"]) > 1000
    ptx = compiled.asm["ptx"]
    command = [get_ptxas(architecture).path, "-v", f"--gpu-name={re.search(r'sm_[0-9a]+', ptx)[0]}"]
    command += ["-o", os.devnull, "/dev/stdin"]
    told = subprocess.run(command, input=ptx, capture_output=True, text=True, check=True).stderr
    return ptx, int(re.search(r"(\d+) bytes spill stores", told)[1])


@pytest.mark.skipif(INTERPRETED, reason="another process")
class TestCompiled:
    def test_numbers_in_the_interpreter(self):
        """Runs the class below where TRITON_INTERPRET=1."""
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
        run = subprocess.run(
            command, env=os.environ | {"TRITON_INTERPRET": "1"}, capture_output=True, text=True, timeout=500
        )
        assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]

    @pytest.mark.parametrize("dtype", ["fp32", "bf16", "fp16"])
    @pytest.mark.parametrize("k", LAYERS)
    @pytest.mark.parametrize("architecture", [80, 90])
    @pytest.mark.parametrize("name", ["_gather", "_gather_backward"])
    def test_machine_code_without_a_gpu(self, name, architecture, k, dtype):
        """As it is launched on the paper's layers: everything stays in registers, and no division of 64 bits."""
        if (name, k) == ("_gather_backward", 5) and (architecture, dtype) in ((80, "fp32"), (80, "bf16"), (90, "fp16")):
            pytest.skip("seven seconds each; every architecture and every dtype has another case")
        ptx, spilled = _machine_code(name, architecture, _launched(name, k, dtype, *LAYERS[k]))
        assert f"sm_{architecture}" in ptx
        assert spilled == 0
        assert re.findall(r"(?:div|rem)\.[su]64", ptx) == []

    @pytest.mark.parametrize("name", ["_gather", "_gather_backward"])
    @pytest.mark.parametrize(
        ("dtype", "channels", "side", "batch"),
        [("fp64", 5, 3, 2), ("fp32", 300, 3, 2), ("fp16", 1, 1, 1), ("fp32", 8, 2**15, 2)],
        ids=["float64", "more channels than a block", "one number", "2^31 positions"],
    )
    def test_machine_code_of_other_sizes(self, name, dtype, channels, side, batch):
        ptx, _ = _machine_code(name, 90, _launched(name, 1, dtype, channels, side, batch))
        assert "sm_90" in ptx

    def test_without_triton_one_sentence(self, monkeypatch):
        """torch's own operations take over on GPUs, and the reason is told once."""
        monkeypatch.setitem(sys.modules, "repro.ops.attention_kernels", None)
        monkeypatch.delattr("repro.ops.attention_kernels")
        assert "attention_kernels" in self._told_once(monkeypatch)

    @pytest.mark.skipif(torch.cuda.is_available(), reason="the first launch works here")
    def test_where_the_first_launch_fails_one_sentence(self, monkeypatch):
        """As without a C compiler: Triton is imported and the launch raises, here because there is no GPU."""
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        assert "\n" not in self._told_once(monkeypatch)

    def _told_once(self, monkeypatch) -> str:
        """Return the warning of two calls that find no kernels."""
        monkeypatch.setattr(
            attention_fused, "triton_kernels", functools.cache(attention_fused.triton_kernels.__wrapped__)
        )
        with pytest.warns(UserWarning, match="runs without its Triton kernels: .*; they need triton, a C comp") as told:
            found = [attention_fused.triton_kernels() for _ in range(2)]
        assert found == [None, None]
        assert len(told) == 1
        return str(told[0].message)


@pytest.mark.skipif(not INTERPRETED, reason="runs in Triton's interpreter, started by TestCompiled")
class TestInterpreted:
    @pytest.fixture
    def large_blocks(self, monkeypatch):
        """The interpreter runs one program after the other: with more positions in each it takes a quarter as long."""
        monkeypatch.setattr(attention_kernels, "FORWARD_POSITIONS", 64)
        monkeypatch.setattr(attention_kernels, "BACKWARD_POSITIONS", 64)

    @pytest.fixture
    def on_kernels(self, monkeypatch):
        """The operations take the kernels, as on a GPU."""
        monkeypatch.setattr(attention_fused, "kernels_for", lambda tensor: attention_kernels)

    @pytest.mark.parametrize("flow", FLOWS)
    @pytest.mark.parametrize(
        ("k", "channels", "size"), [(1, 3, (5, 2)), (3, 258, (1, 2)), (5, 2, (5, 3)), (3, 1, (1, 1))]
    )
    def test_equals_the_path_of_plain_torch(self, k, channels, size, flow, large_blocks):
        gradient, *arguments = _arguments(k, 2, channels, size, flow)
        assert_close(attention_kernels.gather(*arguments, True), attention_fused.gather(*arguments, True), "value")
        ours = attention_kernels.gather_backward(gradient, *arguments, True)
        plain = attention_fused.gather_backward(gradient, *arguments, True)
        for name, mine, expected in zip(("source", "flow", "coefficients"), ours, plain):
            assert mine.stride() == expected.stride()
            assert_close(mine, expected, f"gradient of the {name}")

    def test_equals_the_path_of_plain_torch_in_blocks_of_its_own(self):
        """As it is launched: 30 positions are no multiple of the kernels' 8 and 4."""
        gradient, *arguments = _arguments(3, 2, 5, (5, 3))
        assert_close(attention_kernels.gather(*arguments, True), attention_fused.gather(*arguments, True))
        ours = attention_kernels.gather_backward(gradient, *arguments, True)
        for mine, expected in zip(ours, attention_fused.gather_backward(gradient, *arguments, True)):
            assert_close(mine, expected)

    def test_positions_numbered_in_64_bits(self, monkeypatch, large_blocks):
        """What 2^31 positions and more take, here on a few: the same bits."""
        gradient, *arguments = _arguments(1, 2, 5, (5, 3))

        def both() -> list[Tensor]:
            return [
                attention_kernels.gather(*arguments, True),
                *attention_kernels.gather_backward(gradient, *arguments, True),
            ]

        narrow = both()
        monkeypatch.setattr(attention_kernels, "NARROW", 0)
        for wide, expected in zip(both(), narrow):
            assert torch.equal(wide, expected)

    def test_launched_on_the_gpu_of_the_source(self, monkeypatch, large_blocks):
        """An operation registered from Python finds whatever GPU is current, and Triton launches there."""
        gradient, source, flow, coefficients = _arguments(1, 1, 2, (2, 3))
        guarded = []
        monkeypatch.setattr(torch.cuda, "device_of", lambda tensor: guarded.append(tensor) or contextlib.nullcontext())
        attention_kernels.gather(source, flow, coefficients, True)
        attention_kernels.gather_backward(gradient, source, flow, coefficients, True)
        assert [x is source for x in guarded] == [True, True]

    @pytest.mark.parametrize("k", [3, 5])
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
    def test_low_precision_not_worse_than_plain_torch(self, dtype, k, large_blocks):
        """Not even the worst number errs more than twice as much as the worst of plain torch, of 126 positions."""
        gradient, source, flow, coefficients = _arguments(k, 2, 17, (7, 9))
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
            assert_not_worse_than_plain(mine, other, best, of=Tensor.max)

    def test_nan_spreads_into_the_window_that_it_reads_and_no_further(self, large_blocks):
        """Backward, with NaN along y at one position: NaN in the source's pixels of its window, whose rows are those
        of place 0, and in its own gradients; all others are those without the position."""
        gradient, source, flow, coefficients = _arguments(3, 2, 3, (5, 6))
        source, flow = source.mT.contiguous(), flow.clamp(-2, 2)
        flow[1, :, 2, 3] = torch.tensor([-0.5, math.nan])  # own column 3: floor 2, columns 1 to 4; rows 0 to 2
        without = gradient.clone()
        without[1, :, 2, 3] = 0
        finite = flow.nan_to_num(0)
        expected = attention_fused.gather_backward(without, source, finite, coefficients, True)
        expected[0][1, :, 0:3, 1:5] = math.nan
        expected[2][1, :, 2, 3] = math.nan
        for gather_backward in (attention_kernels.gather_backward, attention_fused.gather_backward):
            ours = gather_backward(gradient, source, flow, coefficients, True)
            assert ours[1][1, 0, 2, 3].isnan()  # by y, which is finite, the slope is that at place 0
            ours[1][1, :, 2, 3] = expected[1][1, :, 2, 3]
            for name, mine, best in zip(("source", "flow", "coefficients"), ours, expected):
                assert_close(mine, best, name)

    def test_deterministic_algorithms_avoid_the_atomics(self, monkeypatch, on_kernels, large_blocks):
        """Torch's switch: the forward kernel stays, whose sums have one order; backward takes torch's sorted sum."""
        monkeypatch.setattr(attention_kernels, "gather_backward", None)
        source, flow, coefficients = (x.float().requires_grad_() for x in _arguments(3, 2, 3, (4, 5))[1:])
        launched = []
        kernel = attention_kernels.gather
        monkeypatch.setattr(attention_kernels, "gather", lambda *given: launched.append(1) or kernel(*given))

        def both() -> tuple[Tensor, ...]:
            out = attend(source, flow, coefficients)
            return out.detach(), *torch.autograd.grad(out.square().sum(), (source, flow, coefficients))

        torch.use_deterministic_algorithms(True)
        try:
            first, *others = (both() for _ in range(5))
        finally:
            torch.use_deterministic_algorithms(False)
        assert len(launched) == 5
        assert all(torch.equal(x, y) for other in others for x, y in zip(first, other))

    def test_operation_keeps_torchs_rules(self, on_kernels, large_blocks):
        """What the kernels return has the shapes, types and layout that torch's compiler was told."""
        source, flow, coefficients = (x.float().requires_grad_() for x in _arguments(1, 1, 3, (4, 5))[1:])
        torch.library.opcheck(torch.ops.repro.attend, (source, flow, coefficients, True))

    @pytest.mark.parametrize("batch", [0, 2])
    def test_nan_stays_where_it_is_and_empty_batches_pass(self, batch, large_blocks):
        gradient, source, flow, coefficients = _arguments(3, batch, 3, (4, 5))
        flow[:1, 1, 2, 3] = math.nan
        out = attention_kernels.gather(source, flow, coefficients, False)
        assert_close(out, attention_fused.gather(source, flow, coefficients, False))
        assert int(out.isnan().sum()) == (3 if batch else 0)
        assert [x.shape[0] for x in attention_kernels.gather_backward(gradient, source, flow, coefficients, False)] == [
            batch
        ] * 3

    def test_whole_attention_with_strided_arguments(self, on_kernels, large_blocks):
        """Value and all gradients of Eq. 8-9 through the kernels equal those on patches."""
        generator = torch.Generator().manual_seed(0)
        shapes = ((2, 3, 4, 5), (2, 3, 4, 5), (2, 4, 5, 2), (8, 6, 3, 3), (8,), (9, 8, 1, 1), (9,))
        leaves = [torch.randn(s, generator=generator, dtype=torch.float64).requires_grad_() for s in shapes]
        arguments = [*leaves[:2], leaves[2].permute(0, 3, 1, 2), *leaves[3:]]
        expected = local_attention(*arguments, impl="reference")
        out = local_attention(*arguments)
        assert_close(out, expected)
        for mine, theirs in zip(
            torch.autograd.grad(out.square().sum(), leaves), torch.autograd.grad(expected.square().sum(), leaves)
        ):
            assert_close(mine, theirs)
