"""Affine regularisation, Eq. 4-6, in the code's and in the paper's direction."""

import pytest
import torch
from tolerances import assert_close
from torch import Tensor

from repro.losses import affine_regularization

DIRECTIONS = ("code", "paper")


def _grid(height: int, width: int) -> Tensor:
    """Own coordinates (x, y), (2, H, W)."""
    return torch.stack(torch.meshgrid(torch.arange(width), torch.arange(height), indexing="xy")).double()


def _random_flow(*shape: int, seed: int = 0) -> Tensor:
    return 2 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _windows(flow: Tensor, n: int):
    """Target and source coordinates (2, n^2) of every valid window, absolute."""
    target = _grid(*flow.shape[2:])
    for image in flow:
        for i in range(flow.shape[2] - n + 1):
            for j in range(flow.shape[3] - n + 1):
                cut = (slice(None), slice(i, i + n), slice(j, j + n))
                yield target[cut].flatten(1), (target + image)[cut].flatten(1)


def _code_by_loops(flow: Tensor, n: int) -> Tensor:
    """||R c||^2 per window and axis with R built from absolute coordinates."""
    costs = []
    for target, source in _windows(flow, n):
        design = torch.stack([target[1], target[0], torch.ones(n * n).double()], dim=1)
        projector = design @ torch.linalg.inv(design.T @ design) @ design.T - torch.eye(n * n).double()
        costs.append((projector @ source.T).square().sum())
    return torch.stack(costs).mean()


def _paper_by_loops(flow: Tensor, n: int) -> Tensor:
    """Eq. 4-6 with homogeneous absolute coordinates and a plain inverse."""
    costs = []
    for target, source in _windows(flow, n):
        homogeneous = torch.cat([source, torch.ones(1, n * n).double()])
        affine = target @ homogeneous.T @ torch.linalg.inv(homogeneous @ homogeneous.T)  # Eq. 5
        costs.append((target - affine @ homogeneous).square().sum())  # Eq. 6
    return torch.stack(costs).mean()


class TestAffineRegularization:
    @pytest.mark.parametrize("n", [2, 3, 5])
    @pytest.mark.parametrize(("direction", "literal"), [("code", _code_by_loops), ("paper", _paper_by_loops)])
    def test_equations_4_to_6(self, direction, literal, n):
        flow = _random_flow(2, 2, 6, 7).requires_grad_()
        ours, theirs = affine_regularization(flow, n, direction=direction), literal(flow, n)
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=0)
        gradients = [torch.autograd.grad(loss, flow)[0] for loss in (ours, theirs)]
        torch.testing.assert_close(*gradients, rtol=1e-6, atol=1e-8)

    @pytest.mark.parametrize("direction", DIRECTIONS)
    @pytest.mark.parametrize("n", [2, 3, 5])
    @pytest.mark.parametrize("size", [(5, 5), (5, 17)])
    def test_an_affine_flow_costs_nothing(self, direction, n, size):
        x, y = _grid(*size)
        flow = torch.stack([0.3 * x - 0.2 * y + 50, 0.1 * x + 0.4 * y - 30])[None]
        assert_close(affine_regularization(flow, n, direction=direction), 0.0 * x.sum())
        in_float32 = affine_regularization(flow.float(), n, direction=direction)
        assert 0 <= in_float32 < 1e-8

    def test_convention_by_hand_one_bent_pixel(self):
        """A 3 x 3 flow that is 1 in x at its centre: of the 1, the fit takes the mean 1/9; 8/9 are left."""
        flow = torch.zeros(1, 2, 3, 3)
        flow[0, 0, 1, 1] = 1
        assert_close(affine_regularization(flow, 3), 8 / 9)

    def test_convention_by_hand_corner_pixel_in_y(self):
        """At a corner the fit takes 1/9 + 1/6 + 1/6 (mean, row and column slope): 1 - 4/9 = 5/9 are left."""
        flow = torch.zeros(1, 2, 3, 3)
        flow[0, 1, 0, 0] = 1
        assert_close(affine_regularization(flow, 3), 5 / 9)

    def test_convention_x_and_y_add_windows_and_batch_average(self):
        bent = torch.zeros(1, 2, 3, 3)
        bent[0, :, 1, 1] = 1
        assert_close(affine_regularization(bent, 3), 16 / 9)  # x + y
        assert_close(affine_regularization(torch.cat([bent, torch.zeros_like(bent)]), 3), 8 / 9)  # mean over the batch
        wide = torch.zeros(1, 2, 3, 6)
        wide[..., :3] = bent
        # Four windows see the bent pixel at the centre, at the left edge's middle (1 - 1/9 - 1/6 left), or not at all.
        assert_close(affine_regularization(wide, 3), 2 * (8 / 9 + 13 / 18) / 4)

    def test_quadratic_in_the_flow_and_blind_to_affine_parts(self):
        flow, affine = _random_flow(1, 2, 6, 7), 0.5 * _grid(6, 7)[None] - 3
        assert_close(affine_regularization(3 * flow, 3), 9 * affine_regularization(flow, 3))
        assert_close(affine_regularization(flow + affine, 3), affine_regularization(flow, 3))

    def test_paper_direction_does_not_see_an_affine_change_of_the_source(self):
        """T is regressed on S: any invertible affine map of the source coordinates leaves the residual."""
        flow, grid = _random_flow(1, 2, 6, 7), _grid(6, 7)
        source = grid + flow[0]
        mapped = torch.einsum("ij,jhw->ihw", torch.tensor([[2.0, 0.3], [-0.4, 0.7]]).double(), source) + 11
        expected = affine_regularization(flow, 3, direction="paper")
        assert_close(affine_regularization((mapped - grid)[None], 3, direction="paper"), expected)

    @pytest.mark.parametrize(("kept", "cost"), [((), 12.0), ((0,), 6.0)])
    def test_paper_direction_with_collapsed_windows(self, kept, cost):
        """All points in one place explain nothing: 2 axes x (3 x (1 + 0 + 1)) = 12. On a horizontal line, x only: 6."""
        flow = -_grid(5, 6)[None]
        for axis in kept:
            flow[:, axis] = 0
        flow.requires_grad_()
        loss = affine_regularization(flow, 3, direction="paper")
        loss.backward()
        assert_close(loss.detach(), cost)
        assert flow.grad.isfinite().all()

    @pytest.mark.parametrize("direction", DIRECTIONS)
    def test_gradcheck(self, direction):
        flow = _random_flow(1, 2, 4, 5).requires_grad_()
        assert torch.autograd.gradcheck(lambda f: affine_regularization(f, 3, direction=direction), flow)

    @pytest.mark.parametrize("direction", DIRECTIONS)
    def test_half_precision_is_computed_in_float32_also_under_autocast(self, direction):
        flow = (30 + _random_flow(1, 2, 6, 7)).bfloat16()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = affine_regularization(flow, 3, direction=direction)
        assert loss.dtype == torch.float32
        assert_close(loss, affine_regularization(flow.float(), 3, direction=direction))

    def test_exceptions(self):
        flow = torch.zeros(1, 2, 4, 8)
        with pytest.raises(ValueError, match="unknown direction 'forward': choose one of code, paper"):
            affine_regularization(flow, 3, direction="forward")
        with pytest.raises(ValueError, match=r"expected a window of side >= 2 .* got 1"):
            affine_regularization(flow, 1)
        with pytest.raises(ValueError, match="expected a flow of at least 5x5 pixels, got 4x8: use a smaller window"):
            affine_regularization(flow, 5)
        with pytest.raises(ValueError, match=r"expected flow \(B, 2, H, W\), got \(1, 1, 4, 8\)"):
            affine_regularization(flow[:, :1], 3)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_flow_of_whole_numbers_is_refused(direction):
    with pytest.raises(TypeError, match=r"floating-point numbers, got torch\.int64: convert it with flow\.float"):
        affine_regularization(torch.zeros(1, 2, 5, 5, dtype=torch.int64), 3, direction=direction)


def test_on_gpus_the_residuals_are_no_tf32():
    from repro.ops.precision import without_tf32

    cudnn = torch.backends.cudnn
    before = (cudnn.allow_tf32, cudnn.enabled, cudnn.benchmark)
    with without_tf32(torch.device("cuda")):
        assert not cudnn.allow_tf32
        assert (cudnn.enabled, cudnn.benchmark) == before[1:]
    assert (cudnn.allow_tf32, cudnn.enabled, cudnn.benchmark) == before
