"""LocalAttention against materialised patches, and the conventions of its kernel net."""

import pytest
import torch
from naive_gfla import Naive, block_extract

from repro.models import BilinearSampling, LocalAttention


def setting(k, channels=3, size=(4, 6), batch=2):
    """Return a float64 layer with its names in the authors' layout, features, a flow (random, integer, far)."""
    torch.manual_seed(k)
    layer = LocalAttention(channels, k).double()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    state = {name.replace("kernel_net", "att.fully_connect_layer"): p for name, p in layer.named_parameters()}
    source, target = torch.randn(2, batch, channels, *size, dtype=torch.float64)
    flow = 3 * torch.randn(batch, 2, *size, dtype=torch.float64)
    flow[:, :, 0] = flow[:, :, 0].round()
    flow[:, :, 1] = 40 * flow[:, :, 1].sign()
    return layer, state, source, target, flow


@pytest.mark.parametrize("k", [1, 3, 5])
def test_equals_the_patches_in_value_and_gradient(k):
    layer, state, *inputs = setting(k)
    inputs = [x.requires_grad_() for x in inputs]
    leaves = [*inputs, *layer.parameters()]
    source, target, flow = inputs
    ours, naive = layer(source, target, flow), Naive(state).attention("att", source, target, flow, k)
    torch.testing.assert_close(ours, naive, rtol=0, atol=1e-10)
    weights = torch.linspace(-1, 1, ours.numel(), dtype=torch.float64).view_as(ours)
    # The layer's own parameters carry the naive path too: ``state`` holds the same tensors.
    for a, b in zip(
        torch.autograd.grad((ours * weights).sum(), leaves), torch.autograd.grad((naive * weights).sum(), leaves)
    ):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-10)


def test_coefficients_sum_to_one_and_rebuild_the_output():
    layer, _, source, target, flow = setting(3)
    kernel = layer.coefficients(source, target, flow)
    assert kernel.shape == (2, 9, 4, 6)
    torch.testing.assert_close(kernel.sum(1), torch.ones(2, 4, 6).double())
    patches = block_extract(source, flow, 3)
    weighted = torch.nn.functional.pixel_shuffle(kernel, 3) * patches
    torch.testing.assert_close(layer(source, target, flow), torch.nn.functional.avg_pool2d(weighted, 3))


def test_convention_mean_divides_by_k_squared():
    layer, _, source, target, flow = setting(5)
    pooled = layer(source, target, flow)
    layer.mean = False
    torch.testing.assert_close(layer(source, target, flow), 25 * pooled)


def test_convention_target_half_first():
    layer, _, source, target, flow = setting(3)
    with torch.no_grad():
        layer.kernel_net[0].weight[:, 3:] = 0  # deaf to the source half
    other = torch.randn_like(source)
    assert torch.equal(layer.coefficients(source, target, flow), layer.coefficients(other, target, flow))
    assert not torch.equal(layer.coefficients(source, target, flow), layer.coefficients(source, other, flow))


def test_constant_source_is_kept_by_the_convex_combination():
    layer = LocalAttention(4, 3, mean=False)
    source, target = torch.full((1, 4, 5, 5), 2.5), torch.randn(1, 4, 5, 5)
    torch.testing.assert_close(layer(source, target, torch.randn(1, 2, 5, 5)), source)


def test_bilinear_sampling_reads_where_the_flow_points():
    source = torch.arange(12.0).view(1, 1, 3, 4)
    flow = torch.zeros(1, 2, 3, 4)
    flow[0, 0] = 0.5  # x, to the right
    flow[0, 1, 0] = 1  # y, down, in the first row
    expected = torch.tensor([[4.5, 5.5, 6.5, 7], [4.5, 5.5, 6.5, 7], [8.5, 9.5, 10.5, 11]])
    torch.testing.assert_close(BilinearSampling()(source, torch.zeros_like(source), flow)[0, 0], expected)


@pytest.mark.parametrize("k", [0, 2, -3])
def test_even_windows_are_refused(k):
    with pytest.raises(ValueError, match=rf"expected an odd patch side k >= 1, got {k}"):
        LocalAttention(4, k)


def test_features_of_another_size_are_refused():
    layer = LocalAttention(4, 3)
    with pytest.raises(ValueError, match="expected"):
        layer(torch.zeros(1, 4, 8, 8), torch.zeros(1, 4, 4, 4), torch.zeros(1, 2, 8, 8))
    with pytest.raises(ValueError, match="expected"):
        layer(torch.zeros(1, 8, 8, 8), torch.zeros(1, 8, 8, 8), torch.zeros(1, 2, 8, 8))
