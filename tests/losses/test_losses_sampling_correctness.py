"""Sampling correctness, Eq. 2-3: the equation written out, the limits, where gradients flow."""

import math

import pytest
import torch
from bench import measure
from tolerances import assert_close
from torch import Tensor
from torch.nn import functional as F

from repro.losses import sampling_correctness
from repro.ops import bilinear_warp, gaussian_warp

EXACT = "bilinear_exact"


def _features(seed: int, *shape: int) -> Tensor:
    """Positive, as after a ReLU."""
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _flow(seed: int, *shape: int) -> Tensor:
    return 2 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _written_out(source: Tensor, target: Tensor, warped: Tensor) -> Tensor:
    """exp(-mu / mu_max) - 1/e per position, (B, H, W), with the full matrix of similarities."""
    unit_source = source / (source.norm(dim=1, keepdim=True) + 1e-8)
    unit_target = target / (target.norm(dim=1, keepdim=True) + 1e-8)
    best = torch.einsum("bchw,bcst->bhwst", unit_target, unit_source).flatten(3).max(dim=-1).values
    cosine = (warped * target).sum(dim=1) / (warped.norm(dim=1) * target.norm(dim=1)).clamp(min=1e-8)
    return torch.exp(-cosine / (best + 1e-8)) - math.exp(-1)


class TestSamplingCorrectness:
    @pytest.mark.parametrize("size", [(1, 1), (5, 2), (4, 17)])
    @pytest.mark.parametrize(("sampling", "warp"), [("gaussian", gaussian_warp), (EXACT, bilinear_warp)])
    def test_equations_2_and_3(self, sampling, warp, size):
        source, target = _features(1, 2, 3, *size), _features(2, 2, 3, *size)
        flow = _flow(3, 2, 2, *size).requires_grad_()
        ours = sampling_correctness(source, target, flow, sampling=sampling)
        theirs = _written_out(source, target, warp(source, flow)).mean()
        assert_close(ours, theirs)
        assert_close(torch.autograd.grad(ours, flow)[0], torch.autograd.grad(theirs, flow)[0])

    def test_convention_by_hand(self):
        """Source (1,0) (0,1), target twice (1,0), flow 0: cosines 1 and 0, best match 1 for both: (1/e + 1)/2 - 1/e."""
        source = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).view(1, 2, 1, 2)
        target = torch.tensor([[1.0, 1.0], [0.0, 0.0]]).view(1, 2, 1, 2)
        loss = sampling_correctness(source, target, torch.zeros(1, 2, 1, 2), sampling=EXACT)
        assert_close(loss, (1 - math.exp(-1)) / 2)

    def test_convention_flow_points_from_target_to_source(self):
        """The target is the source moved two to the right: reading two to the left finds everything."""
        source = _features(1, 1, 4, 5, 8).float()
        target = source.roll(2, 3)
        target[..., :2] = source[..., :1]  # what the edge shows
        flow = torch.tensor([-2.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, 5, 8)
        assert_close(sampling_correctness(source, target, flow, sampling=EXACT), 0.0)
        assert sampling_correctness(source, target, -flow, sampling=EXACT) > 1e-3

    def test_an_exact_match_costs_nothing_and_any_other_flow_more(self):
        features = _features(1, 1, 8, 6, 6).float()
        zero = torch.zeros(1, 2, 6, 6)
        assert_close(sampling_correctness(features, features, zero, sampling=EXACT), 0.0)
        assert sampling_correctness(features, features, _flow(2, 1, 2, 6, 6).float(), sampling=EXACT) > 1e-3

    def test_constant_features_cost_nothing_under_any_flow(self):
        features = torch.ones(1, 3, 4, 5)
        for sampling in ("gaussian", EXACT):
            assert_close(sampling_correctness(features, features, _flow(1, 1, 2, 4, 5).float(), sampling=sampling), 0.0)

    def test_length_of_the_features_does_not_count(self):
        source, target, flow = _features(1, 1, 3, 4, 5), _features(2, 1, 3, 4, 5), _flow(3, 1, 2, 4, 5)
        scaled = sampling_correctness(1e3 * source, 1e-2 * target, flow)
        torch.testing.assert_close(scaled, sampling_correctness(source, target, flow), rtol=1e-5, atol=1e-6)

    def test_authors_bilinear_grid_shrinks_displacements(self):
        """Flow 2 on 5 columns reads 2 * 4/5 = 1.6 pixels away, and zeros outside (mu = 0 there)."""
        source, target = _features(1, 1, 3, 5, 5), _features(2, 1, 3, 5, 5)
        flow = torch.zeros(1, 2, 5, 5, dtype=torch.float64)
        flow[:, 0] = 2
        warped = bilinear_warp(F.pad(source, (2, 2, 2, 2)), 0.8 * flow + 2)
        ours = sampling_correctness(source, target, flow, sampling="bilinear")
        assert_close(ours, _written_out(source, target, warped).mean())

    def test_bilinear_modes_agree_at_zero_flow(self):
        source, target, zero = _features(1, 1, 3, 5, 1), _features(2, 1, 3, 5, 1), torch.zeros(1, 2, 5, 1).double()
        losses = [sampling_correctness(source, target, zero, sampling=s) for s in ("bilinear", EXACT)]
        assert_close(losses[0], losses[1])

    @pytest.mark.parametrize("mask_size", [(4, 6), (8, 12), (2, 3), (7, 5)])
    def test_mask_of_any_size(self, mask_size):
        source, target, flow = _features(1, 2, 3, 4, 6), _features(2, 2, 3, 4, 6), _flow(3, 2, 2, 4, 6)
        mask = _features(4, 2, 1, *mask_size) > 0.4
        per_position = _written_out(source, target, gaussian_warp(source, flow))
        # Nearest: position i of h looks at floor(i * rows / h) of the mask.
        rows = (torch.arange(4) * mask_size[0]) // 4
        columns = (torch.arange(6) * mask_size[1]) // 6
        weights = mask[:, 0][:, rows][:, :, columns].double()
        expected = (weights * per_position).sum() / (weights.sum() + 1e-8)
        assert_close(sampling_correctness(source, target, flow, mask=mask), expected)

    def test_mask_of_ones_is_no_mask_and_of_zeros_is_zero(self):
        source, target, flow = _features(1, 1, 3, 4, 6), _features(2, 1, 3, 4, 6), _flow(3, 1, 2, 4, 6)
        ones = sampling_correctness(source, target, flow, mask=torch.ones(1, 1, 2, 2))
        torch.testing.assert_close(ones, sampling_correctness(source, target, flow), rtol=1e-8, atol=0)
        assert sampling_correctness(source, target, flow, mask=torch.zeros(1, 1, 2, 2)) == 0

    def test_coarser_flow_is_repeated_without_rescaling(self):
        source, target, flow = _features(1, 1, 3, 4, 6), _features(2, 1, 3, 4, 6), _flow(3, 1, 2, 2, 3)
        repeated = flow.repeat_interleave(2, 2).repeat_interleave(2, 3)
        assert_close(sampling_correctness(source, target, flow), sampling_correctness(source, target, repeated))

    def test_gradient_flows_into_the_flow_and_the_warp_only(self):
        """mu_max is a constant: with it held, the written-out loss has the same gradients."""
        source, target = _features(1, 1, 3, 4, 5).requires_grad_(), _features(2, 1, 3, 4, 5).requires_grad_()
        flow = _flow(3, 1, 2, 4, 5).requires_grad_()
        unit = [x.detach() / (x.detach().norm(dim=1, keepdim=True) + 1e-8) for x in (target, source)]
        best = torch.einsum("bchw,bcst->bhwst", *unit).flatten(3).max(dim=-1).values
        cosine = F.cosine_similarity(gaussian_warp(source, flow), target, dim=1)
        expected = torch.autograd.grad(torch.exp(-cosine / (best + 1e-8)).mean(), (source, target, flow))
        ours = torch.autograd.grad(sampling_correctness(source, target, flow), (source, target, flow))
        for name, a, b in zip(("source", "target", "flow"), ours, expected):
            assert_close(a, b, name)

    def test_gradcheck(self):
        source, target = _features(1, 1, 3, 3, 4), _features(2, 1, 3, 3, 4)
        flow = (_flow(3, 1, 2, 3, 4).round() + 0.3).requires_grad_()
        for sampling in ("gaussian", EXACT):
            assert torch.autograd.gradcheck(
                lambda f, s=sampling: sampling_correctness(source, target, f, sampling=s), flow
            )

    def test_dead_features_have_no_nan(self):
        """All channels 0 after a ReLU, in either image: a finite loss and a finite gradient."""
        source, target = _features(1, 1, 3, 4, 5), _features(2, 1, 3, 4, 5)
        source[..., :2, :] = 0
        target[..., 2] = 0
        flow = _flow(3, 1, 2, 4, 5).requires_grad_()
        loss = sampling_correctness(source, target, flow)
        loss.backward()
        assert loss.isfinite()
        assert flow.grad.isfinite().all()

    def test_half_precision_is_computed_in_float32_also_under_autocast(self):
        source, target, flow = _features(1, 1, 3, 4, 5), _features(2, 1, 3, 4, 5), _flow(3, 1, 2, 4, 5)
        half = [x.bfloat16() for x in (source, target, flow)]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = sampling_correctness(*half)
        assert_close(loss, sampling_correctness(*[x.float() for x in half]))
        assert loss.dtype == torch.float32

    def test_stores_no_matrix_of_all_pairs_of_positions(self):
        """64 x 64 positions: the matrix of Eq. 3 alone would be 64 MiB."""
        source, target = torch.rand(2, 1, 4, 64, 64, generator=torch.Generator().manual_seed(0))
        flow = torch.zeros(1, 2, 64, 64, requires_grad=True)
        peak = measure.peak_bytes(lambda: sampling_correctness(source, target, flow).backward(), torch.device("cpu"))
        assert peak < 2**25

    def test_exceptions(self):
        features, flow = torch.rand(2, 3, 4, 5), torch.zeros(2, 2, 4, 5)
        with pytest.raises(ValueError, match="unknown sampling 'nearest': choose one of gaussian, bilinear"):
            sampling_correctness(features, features, flow, sampling="nearest")
        with pytest.raises(ValueError, match=r"expected target_features \(B, C, H, W\) with .*got \(2, 3, 4, 4\)"):
            sampling_correctness(features, features[..., 1:], flow)
        with pytest.raises(ValueError, match=r"expected flow \(B, 2, H, W\) with B=2, got \(1, 2, 4, 5\)"):
            sampling_correctness(features, features, flow[:1])
        with pytest.raises(ValueError, match=r"expected mask \(B, 1, H, W\) with B=2, got \(2, 4, 5\)"):
            sampling_correctness(features, features, flow, mask=torch.ones(2, 4, 5))
