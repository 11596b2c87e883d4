"""extract_patches, the oracle: against loops and against numbers that fit on a page."""

import math

import pytest
import torch
from tolerances import assert_close
from torch import Tensor

from repro.ops import extract_patches


def _by_loops(source: Tensor, flow: Tensor, k: int) -> Tensor:
    """Every output pixel on its own, with its four corners clamped on their own."""
    batch, channels, height, width = source.shape
    out = torch.zeros(batch, channels, k * flow.shape[2], k * flow.shape[3], dtype=source.dtype)
    for b in range(batch):
        for row in range(out.shape[2]):
            for column in range(out.shape[3]):
                i, j = row // k, column // k
                y = i + flow[b, 1, i, j].item() + row % k - k // 2
                x = j + flow[b, 0, i, j].item() + column % k - k // 2
                for yy, wy in ((math.floor(y), 1 - y % 1), (math.floor(y) + 1, y % 1)):
                    for xx, wx in ((math.floor(x), 1 - x % 1), (math.floor(x) + 1, x % 1)):
                        pixel = source[b, :, min(max(yy, 0), height - 1), min(max(xx, 0), width - 1)]
                        out[b, :, row, column] += wy * wx * pixel
    return out


class TestExtractPatches:
    @pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
    @pytest.mark.parametrize(("source_size", "flow_size"), [((5, 2), (5, 2)), ((1, 1), (2, 3)), ((4, 7), (3, 1))])
    def test_values(self, k, source_size, flow_size):
        generator = torch.Generator().manual_seed(k)
        source = torch.randn(2, 2, *source_size, generator=generator, dtype=torch.float64)
        flow = 3 * torch.randn(2, 2, *flow_size, generator=generator, dtype=torch.float64)
        assert_close(extract_patches(source, flow, k), _by_loops(source, flow, k))

    def test_convention_zero_flow_lays_out_neighbourhoods(self):
        """The 3 x 3 patch of the pixel 5 of 1 ... 6 (2 rows): rows above, itself, the edge repeated below."""
        source = torch.arange(1.0, 7.0).view(1, 1, 2, 3)
        patches = extract_patches(source, torch.zeros(1, 2, 2, 3), 3)
        assert patches.shape == (1, 1, 6, 9)
        assert_close(patches[0, 0, 3:6, 3:6], [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [4.0, 5.0, 6.0]])

    def test_convention_even_side_reaches_up_and_left(self):
        source = torch.arange(16.0).view(1, 1, 4, 4)
        patches = extract_patches(source, torch.zeros(1, 2, 4, 4), 2)
        assert_close(patches[0, 0, 4:6, 4:6], [[5.0, 6.0], [9.0, 10.0]])  # pixel (2, 2) = 10 and offsets -1, 0

    def test_convention_right_hand_derivative_at_integers(self):
        """[10, 20, 40], k = 3: at position 1 the patch reads 10, 20, 40, with slopes 10, 20, 0 to their right."""
        source = torch.tensor([10.0, 20.0, 40.0]).view(1, 1, 1, 3)
        flow = torch.zeros(1, 2, 1, 3, requires_grad=True)
        extract_patches(source, flow, 3).sum().backward()
        # Three rows of each patch are the same pixel row; outside on the left the slope is 0.
        assert_close(flow.grad[0, 0, 0], [3 * 30.0, 3 * 30.0, 3 * 20.0])

    def test_source_gradient_is_the_same_for_every_image_of_a_batch(self):
        """The authors' CUDA backward doubles the target patches' gradient for half of a batch and drops the rest."""
        source = torch.ones(4, 1, 3, 3, requires_grad=True)
        patches = extract_patches(source, torch.zeros(4, 2, 3, 3), 3)
        torch.cat([patches, patches], dim=1)[:, :1].sum().backward()
        assert all(torch.equal(source.grad[0], source.grad[b]) for b in range(4))
        assert source.grad.sum() == 4 * 81

    def test_gradcheck(self):
        generator = torch.Generator().manual_seed(0)
        source = torch.randn(1, 2, 3, 4, generator=generator, dtype=torch.float64, requires_grad=True)
        flow = torch.randint(-3, 4, (1, 2, 2, 3), generator=generator) + 0.2 + 0.6 * torch.rand(1, 2, 2, 3)
        flow = flow.double().requires_grad_()
        assert torch.autograd.gradcheck(lambda s, f: extract_patches(s, f, 3), (source, flow))

    def test_nan_and_far_flow(self):
        source = torch.arange(6.0).view(1, 1, 2, 3)
        flow = torch.zeros(1, 2, 2, 3)
        flow[0, 0, 0, 0] = math.nan
        flow[0, :, 1, 2] = 1e30
        patches = extract_patches(source, flow, 3)
        assert patches[0, 0, :3, :3].isnan().all()
        assert (patches[0, 0, 3:, 6:] == 5).all()
        assert patches.isnan().sum() == 9

    def test_empty_batch(self):
        assert extract_patches(torch.zeros(0, 2, 3, 4), torch.zeros(0, 2, 3, 4), 3).shape == (0, 2, 9, 12)

    def test_exceptions(self):
        source, flow = torch.zeros(1, 2, 3, 4), torch.zeros(1, 2, 3, 4)
        with pytest.raises(ValueError, match="expected patch side k >= 1, got 0"):
            extract_patches(source, flow, 0)
        with pytest.raises(ValueError, match=r"expected flow \(B, 2, H, W\).*got \(2, 3, 4\)"):
            extract_patches(source, flow[0], 3)
