"""bilinear_warp and gaussian_warp: hand-computed numbers, a literal reference, limits, gradients."""

import math

import pytest
import torch
from bench import measure
from tolerances import TOLERANCES, assert_close, assert_not_worse_than_plain
from torch import Tensor
from torch.nn import functional as F

from repro.ops import bilinear_warp, extract_patches, gaussian_warp

WARPS = [bilinear_warp, gaussian_warp]
SIZES = [(1, 1), (1, 5), (2, 17), (5, 2), (17, 5)]


def _random(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def _grid_sample(source: Tensor, flow: Tensor) -> Tensor:
    """Plain torch's bilinear warp with border padding."""
    height, width = source.shape[-2:]
    x = (torch.arange(width).to(flow) + flow[:, 0]) * 2 / max(width - 1, 1) - 1
    y = (torch.arange(height).to(flow)[:, None] + flow[:, 1]) * 2 / max(height - 1, 1) - 1
    return F.grid_sample(source, torch.stack([x, y], dim=-1), padding_mode="border", align_corners=True)


def _gaussian_by_loops(source: Tensor, flow: Tensor, sigma: float) -> Tensor:
    """The quotient of sums over 16 taps, written as the reference page writes it (left taps, right taps, f = 0, 1)."""
    height, width = source.shape[-2:]
    out = torch.zeros(source.shape[0], source.shape[1], *flow.shape[-2:], dtype=source.dtype)
    for b in range(flow.shape[0]):
        for i in range(flow.shape[2]):
            for j in range(flow.shape[3]):
                x, y = j + flow[b, 0, i, j], i + flow[b, 1, i, j]
                taps = []
                for position in (x, y):
                    floor = math.floor(position.item())
                    fraction = position - floor
                    left = [(floor - f, f + fraction) for f in (0, 1)]
                    right = [(floor + f + 1, f + 1 - fraction) for f in (0, 1)]
                    taps.append(left + right)
                total, weight_sum = 0, 0
                for column, dx in taps[0]:
                    for row, dy in taps[1]:
                        weight = torch.exp(-(dx**2) / (2 * sigma**2)) * torch.exp(-(dy**2) / (2 * sigma**2))
                        pixel = source[b, :, min(max(row, 0), height - 1), min(max(column, 0), width - 1)]
                        total, weight_sum = total + weight * pixel, weight_sum + weight
                out[b, :, i, j] = total / weight_sum
    return out


@pytest.mark.parametrize("warp", WARPS)
class TestBothWarps:
    @pytest.mark.parametrize("batch", [0, 1, 3])
    @pytest.mark.parametrize("size", SIZES)
    def test_shapes(self, warp, batch, size):
        out = warp(_random(batch, 2, 4, 3), _random(batch, 2, *size))
        assert out.shape == (batch, 2, *size)
        assert out.dtype == torch.float64

    @pytest.mark.parametrize("dtype", TOLERANCES)
    def test_dtype_is_the_sources(self, warp, dtype):
        source = _random(1, 2, 4, 3, dtype=dtype).requires_grad_()
        flow = _random(1, 2, 4, 3, dtype=torch.float32).requires_grad_()
        out = warp(source, flow)
        out.sum().backward()
        assert (out.dtype, source.grad.dtype, flow.grad.dtype) == (dtype, dtype, torch.float32)

    def test_constant_map_stays_constant(self, warp):
        assert_close(warp(torch.full((1, 1, 5, 4), 3.0).double(), 4 * _random(1, 2, 5, 4)), torch.full((1, 1, 5, 4), 3))

    def test_linear_in_the_source(self, warp):
        a, b, flow = _random(1, 2, 5, 4, seed=1), _random(1, 2, 5, 4, seed=2), 3 * _random(1, 2, 5, 4, seed=3)
        assert_close(warp(2 * a - b, flow), 2 * warp(a, flow) - warp(b, flow))

    def test_moves_with_the_source_inside(self, warp):
        """Warping by w + (2, -1) is warping the moved map by w, away from the edge."""
        source, flow = _random(1, 1, 17, 17), torch.rand(1, 2, 17, 17).double()
        step = torch.tensor([2.0, -1.0]).view(1, 2, 1, 1)
        moved = source.roll((1, -2), (2, 3))
        assert_close(warp(source, flow + step)[..., 4:-5, 4:-5], warp(moved, flow)[..., 4:-5, 4:-5])

    @pytest.mark.parametrize("far", [50.0, 1e6, 1e30, math.inf])
    def test_far_outside_is_the_edge_pixel_without_flow_gradient(self, warp, far):
        source = torch.arange(6.0, dtype=torch.float64).view(1, 1, 2, 3)
        flow = torch.zeros(1, 2, 2, 3, dtype=torch.float64)
        flow[0, 0] = far
        flow[0, 1] = -far
        flow.requires_grad_()
        out = warp(source, flow)
        assert_close(out, torch.full_like(out, 2.0))  # the top right pixel
        out.sum().backward()
        assert_close(flow.grad, torch.zeros_like(flow))

    def test_nan_stays_where_it_is(self, warp):
        source, flow = _random(1, 2, 4, 5), _random(1, 2, 4, 5)
        flow[0, 0, 1, 2] = math.nan
        expected = warp(source, flow.nan_to_num())
        expected[..., 1, 2] = math.nan
        assert_close(warp(source, flow), expected)

    def test_gradcheck(self, warp):
        """At fractions between 0.2 and 0.8: away from the kinks; some positions are outside."""
        source = _random(2, 2, 3, 4).requires_grad_()
        whole = torch.tensor([-6, -1, 0, 1, 2, 7])[torch.arange(2 * 2 * 12) % 6].view(2, 2, 3, 4)
        flow = (whole + 0.2 + 0.6 * torch.rand(2, 2, 3, 4, generator=torch.Generator().manual_seed(1))).double()
        assert torch.autograd.gradcheck(warp, (source, flow.requires_grad_()))

    def test_same_bits_every_time(self, warp):
        source, flow = _random(2, 5, 7, 6, dtype=torch.float32).requires_grad_(), 3 * _random(2, 2, 7, 6).float()
        flow.requires_grad_()
        first = None
        for _ in range(100):
            out = warp(source, flow)
            bits = (out, *torch.autograd.grad(out.square().sum(), (source, flow)))
            first = first or bits
            assert all(torch.equal(x, y) for x, y in zip(first, bits))

    def test_exceptions(self, warp):
        source, flow = torch.zeros(1, 2, 3, 4), torch.zeros(1, 2, 3, 4)
        with pytest.raises(ValueError, match=r"expected flow \(B, 2, H, W\).*got \(1, 3, 3, 4\)"):
            warp(source, torch.zeros(1, 3, 3, 4))
        with pytest.raises(ValueError, match=r"expected flow \(B, 2, H, W\) with B=1, got \(2, 2, 3, 4\)"):
            warp(source, torch.zeros(2, 2, 3, 4))
        with pytest.raises(ValueError, match=r"expected source \(B, C, S, T\), got \(2, 3, 4\)"):
            warp(source[0], flow)
        with pytest.raises(TypeError, match=r"expected flow to be floating point, got torch.int64"):
            warp(source, flow.long())
        with pytest.raises(ValueError, match=r"at least one pixel, got \(1, 2, 0, 4\)"):
            warp(torch.zeros(1, 2, 0, 4), flow)


class TestBilinearWarp:
    def test_convention_flow_is_x_then_y_from_target_to_source(self):
        source = torch.tensor([[0.0, 1.0, 2.0], [10.0, 11.0, 12.0]]).view(1, 1, 2, 3)
        flow = torch.zeros(1, 2, 2, 3)
        flow[0, :, 0, 0] = torch.tensor([1.5, 0.0])  # between 1 and 2 in the upper row
        flow[0, :, 0, 1] = torch.tensor([0.0, 0.25])  # a quarter of the way from 1 down to 11
        flow[0, :, 1, 2] = torch.tensor([-0.5, -0.5])  # the middle of 1, 2, 11, 12
        flow[0, :, 1, 0] = torch.tensor([-0.5, 0.0])  # half outside: the edge pixel
        assert_close(bilinear_warp(source, flow), [[[[1.5, 3.5, 2.0], [10.0, 11.0, 6.5]]]])

    def test_convention_right_hand_derivative_at_integers(self):
        """[10, 20, 40] read at 0, 1, 2: slopes to the right are 10, 20, and 0 beyond the last pixel."""
        source = torch.tensor([10.0, 20.0, 40.0]).view(1, 1, 1, 3)
        flow = torch.zeros(1, 2, 1, 3, requires_grad=True)
        bilinear_warp(source, flow).sum().backward()
        assert_close(flow.grad, [[[[10.0, 20.0, 0.0]], [[0.0, 0.0, 0.0]]]])

    @pytest.mark.parametrize("size", SIZES)
    def test_values_of_plain_torch_and_of_the_oracle(self, size):
        source, flow = _random(2, 3, *size, seed=1), 3 * _random(2, 2, *size, seed=2)
        assert_close(bilinear_warp(source, flow), _grid_sample(source, flow))
        assert_close(bilinear_warp(source, flow), extract_patches(source, flow, 1))

    def test_integer_flow_moves_pixels(self):
        source = _random(1, 2, 5, 6)
        flow = torch.tensor([2.0, -1.0]).view(1, 2, 1, 1).expand(1, 2, 5, 6)
        assert torch.equal(bilinear_warp(source, flow)[..., 1:, :-2], source[..., :-1, 2:])

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
    def test_low_precision_not_worse_than_plain_torch(self, dtype):
        source, flow = _random(2, 8, 17, 13, seed=1).to(dtype), (3 * _random(2, 2, 17, 13, seed=2)).to(dtype)
        reference = bilinear_warp(source.double(), flow.double())
        assert_not_worse_than_plain(bilinear_warp(source, flow), _grid_sample(source, flow), reference)

    def test_half_precision_flow_keeps_its_fraction(self):
        """Half of a pixel at column 3000: float16 itself counts in steps of 2 there."""
        source = torch.arange(4096.0).view(1, 1, 1, -1)
        flow = torch.full((1, 2, 1, 4096), 0.5, dtype=torch.float16)
        assert bilinear_warp(source, flow)[0, 0, 0, 3000] == 3000.5


class TestGaussianWarp:
    def test_convention_by_hand(self):
        """[0, 0, 1, 0, 0, 0] from pixel 2: taps at distances 1, 0, 1, 2; the 1 weighs 1 / (1 + 2 e^-1/8 + e^-1/2)."""
        source = torch.tensor([0.0, 0.0, 1.0, 0.0, 0.0, 0.0]).view(1, 1, 1, 6)
        out = gaussian_warp(source, torch.zeros(1, 2, 1, 6))
        total = 1 + 2 * math.exp(-1 / 8) + math.exp(-1 / 2)
        weights = [math.exp(-1 / 2), math.exp(-1 / 8), 1.0, math.exp(-1 / 8)]  # pixel 2 seen from 0, 1, 2, 3
        assert_close(out, [[[[w / total for w in weights] + [0.0, 0.0]]]])

    @pytest.mark.parametrize("sigma", [0.7, 2.0])
    def test_values_and_gradients_of_the_literal_sum(self, sigma):
        source, flow = _random(2, 2, 4, 3, seed=1).requires_grad_(), (2 * _random(2, 2, 4, 3, seed=2)).requires_grad_()
        fast, literal = gaussian_warp(source, flow, sigma), _gaussian_by_loops(source, flow, sigma)
        assert_close(fast, literal)
        out_gradient = _random(2, 2, 4, 3, seed=3)
        for name, ours, theirs in zip(
            ("source", "flow"),
            torch.autograd.grad(fast, (source, flow), out_gradient),
            torch.autograd.grad(literal, (source, flow), out_gradient),
        ):
            assert_close(ours, theirs, name)

    def test_narrow_window_reads_the_nearest_pixel_and_wide_window_the_mean(self):
        source = _random(1, 1, 8, 8)
        flow = torch.full((1, 2, 8, 8), 0.3, dtype=torch.float64)
        assert_close(gaussian_warp(source, flow, sigma=1e-3), source)
        mean = F.avg_pool2d(F.pad(source, (1, 2, 1, 2), mode="replicate"), 4, stride=1)
        assert_close(gaussian_warp(source, flow, sigma=1e6), mean)

    def test_keeps_no_windows(self):
        """Two copies of the map at most, indexes and weights included, where the 4 x 4 windows would be 16."""
        source, flow = torch.randn(1, 64, 16, 16).requires_grad_(), torch.zeros(1, 2, 16, 16).requires_grad_()
        assert measure.kept_bytes(gaussian_warp, [source, flow]) < 2 * source.numel() * 4

    @pytest.mark.parametrize("sigma", [0.0, -1.0, math.nan])
    def test_exception_sigma(self, sigma):
        with pytest.raises(ValueError, match="expected sigma > 0 pixels"):
            gaussian_warp(torch.zeros(1, 1, 2, 2), torch.zeros(1, 2, 2, 2), sigma)
