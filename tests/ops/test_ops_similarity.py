"""max_cosine_similarity: equal to the full matrix, without keeping it."""

import pytest
import torch
from tolerances import assert_close
from torch import Tensor

from repro.ops import max_cosine_similarity, similarity


def _from_full_matrix(a: Tensor, b: Tensor) -> Tensor:
    unit_a = a / (a.norm(dim=1, keepdim=True) + 1e-8)
    unit_b = b / (b.norm(dim=1, keepdim=True) + 1e-8)
    return torch.einsum("bchw,bcst->bhwst", unit_a, unit_b).flatten(3).max(dim=-1).values


def _features(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class TestMaxCosineSimilarity:
    def test_convention_by_hand(self):
        """Positions of a: along (1, 0) and (1, 1). b offers (0, 2) and (3, 4): cosines 0 and 0.6; 0.707 and 0.990."""
        a = torch.tensor([[1.0, 1.0], [0.0, 1.0]]).view(1, 2, 1, 2)
        b = torch.tensor([[0.0, 3.0], [2.0, 4.0]]).view(1, 2, 2, 1)
        assert_close(max_cosine_similarity(a, b), [[[0.6, 7 / 50**0.5]]])

    @pytest.mark.parametrize("block", [1, 20, 2**22])
    @pytest.mark.parametrize(("a_size", "b_size"), [((5, 2), (5, 2)), ((1, 1), (2, 17)), ((17, 2), (1, 1))])
    def test_values_in_blocks_of_any_size(self, monkeypatch, block, a_size, b_size):
        monkeypatch.setattr(similarity, "BLOCK_ELEMENTS", block)
        a, b = _features(1, 2, 3, *a_size), _features(2, 2, 3, *b_size)
        assert_close(max_cosine_similarity(a, b), _from_full_matrix(a, b))

    def test_gradients(self, monkeypatch):
        monkeypatch.setattr(similarity, "BLOCK_ELEMENTS", 20)
        a, b = _features(1, 2, 3, 4, 2).requires_grad_(), _features(2, 2, 3, 5, 1).requires_grad_()
        ours = torch.autograd.grad(max_cosine_similarity(a, b).square().sum(), (a, b))
        theirs = torch.autograd.grad(_from_full_matrix(a, b).square().sum(), (a, b))
        assert_close(ours[0], theirs[0])
        assert_close(ours[1], theirs[1])

    def test_keeps_no_matrix_of_all_pairs(self, monkeypatch):
        monkeypatch.setattr(similarity, "BLOCK_ELEMENTS", 1024)
        a, b = _features(1, 1, 2, 16, 16).requires_grad_(), _features(2, 1, 2, 16, 16).requires_grad_()
        largest = 0

        def remember(tensor: Tensor) -> Tensor:
            nonlocal largest
            largest = max(largest, tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(remember, lambda tensor: tensor):
            max_cosine_similarity(a, b)
        assert largest <= 2 * 256  # a feature map; the matrix would have 65,536 elements

    def test_a_position_matches_itself_and_length_does_not_count(self):
        a = _features(1, 1, 8, 5, 5).float()
        assert_close(max_cosine_similarity(a, 7 * a), torch.ones(1, 5, 5))

    def test_zero_features_are_similar_to_nothing(self):
        a = _features(1, 1, 3, 2, 2)
        assert_close(max_cosine_similarity(torch.zeros_like(a), a), torch.zeros(1, 2, 2))

    def test_half_precision_is_computed_in_float32(self):
        """1e-8 is 0 in float16: a zero vector would divide 0 by 0. And 300^2 overflows it."""
        a = torch.tensor([0.0, 300.0]).half().view(1, 1, 1, 2)
        assert_close(max_cosine_similarity(a, a), torch.tensor([[[0.0, 1.0]]]))

    def test_empty_batch(self):
        assert max_cosine_similarity(torch.zeros(0, 3, 4, 5), torch.zeros(0, 3, 2, 2)).shape == (0, 4, 5)

    def test_exceptions(self):
        with pytest.raises(ValueError, match=r"expected b \(B, C, S, T\) with B=1, C=3, got \(1, 4, 2, 2\)"):
            max_cosine_similarity(torch.zeros(1, 3, 2, 2), torch.zeros(1, 4, 2, 2))
        with pytest.raises(ValueError, match="at least one position"):
            max_cosine_similarity(torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 0, 2))

    def test_autocast_does_not_round_the_products(self):
        a, b = _features(1, 2, 9, 4, 3).float(), _features(2, 2, 9, 3, 5).float()
        exact = max_cosine_similarity(a, b)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(max_cosine_similarity(a, b), exact)
