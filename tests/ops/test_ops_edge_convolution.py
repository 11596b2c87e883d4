"""Convolutions of edge-extended maps: the values and gradients of padding by repetition, from any layout."""

import pytest
import torch
from tolerances import assert_close
from torch.nn import functional as F

from repro.ops.edge_convolution import convolve, convolve_backward


def _drawn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape)), dtype=torch.float64)


class TestEdgeConvolution:
    def test_convention_by_hand(self):
        """Pixels 10, 20, 30 with margin 2 are 10 10 10 20 30 30 30; with taps (1, 2, 3): 60 90 140 170 180."""
        row, taps = torch.tensor([[10.0, 20, 30]]).view(1, 1, 1, 3), torch.zeros(1, 1, 3, 3)
        taps[0, 0, 1] = torch.tensor([1.0, 2, 3])
        assert convolve(row, 2, taps)[0, 0, 0].tolist() == [60, 90, 140, 170, 180]

    @pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
    @pytest.mark.parametrize(("size", "margin", "k"), [((1, 1), 2, 3), ((5, 2), 1, 3), ((4, 7), 4, 5), ((3, 2), 0, 1)])
    def test_values_and_gradients_of_padding(self, size, margin, k, layout):
        features, weight, bias = _drawn(2, 3, *size), _drawn(4, 3, k, k), _drawn(4)
        features = features.contiguous(memory_format=layout).requires_grad_()
        expected = F.conv2d(F.pad(features, (margin,) * 4, mode="replicate"), weight.requires_grad_(), bias)
        assert_close(convolve(features.detach(), margin, weight.detach(), bias), expected)
        received = _drawn(*expected.shape)
        ours = convolve_backward(received, features.detach(), margin, weight.detach())
        for mine, theirs in zip(ours, torch.autograd.grad(expected, (features, weight), received)):
            assert_close(mine, theirs)

    def test_results_are_channels_last(self):
        features, weight = _drawn(2, 3, 4, 5), _drawn(6, 3, 3, 3)
        out = convolve(features, 1, weight)
        of_features, _ = convolve_backward(out, features, 1, weight)
        assert all(x.is_contiguous(memory_format=torch.channels_last) for x in (out, of_features))
