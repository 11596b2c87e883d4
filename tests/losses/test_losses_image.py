"""Reconstruction, adversarial, perceptual, style and joint loss: Eq. 11-15 with numbers checked by hand."""

import math
from dataclasses import replace

import pytest
import torch
from tolerances import assert_close
from torch import Tensor
from torch.nn import functional as F

from repro.losses import (
    FLOW_STAGE,
    IMAGE_STAGE,
    LossWeights,
    PerceptualLoss,
    StyleLoss,
    adversarial,
    gram,
    joint_loss,
    l1,
)


class Pyramid:
    """A feature network small enough for the head: the image, and its 2 x 2 means. Counts how often it runs."""

    perceptual_taps = ("fine", "coarse")
    style_taps = ("fine",)

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, images: Tensor, *, taps) -> dict[str, Tensor]:
        self.runs += 1
        maps = {"fine": images, "coarse": F.avg_pool2d(images, 2)}
        return {tap: maps[tap] for tap in taps}


def _images(seed: int) -> Tensor:
    return torch.rand(2, 3, 4, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2 - 1


class TestL1:
    def test_equation_11(self):
        assert_close(l1(torch.tensor([[1.0, -2.0]]), torch.tensor([[0.0, 2.0]])), 2.5)

    def test_half_precision_is_computed_in_float32(self):
        a = torch.full((1000,), 0.1, dtype=torch.float16)
        assert_close(l1(a, torch.zeros_like(a)), a[0].float())

    def test_exception(self):
        with pytest.raises(ValueError, match=r"expected generated \(2, 3\), got \(2, 1\): the target's shape"):
            l1(torch.zeros(2, 1), torch.zeros(2, 3))


class TestAdversarial:
    def test_equation_12_log_form_by_hand(self):
        """Scores log 3 and -log 3 are probabilities 3/4 and 1/4."""
        real, fake = torch.tensor([math.log(3)]), torch.tensor([-math.log(3)])
        assert_close(adversarial.discriminator_loss(real, fake, "log"), -2 * math.log(3 / 4))
        assert_close(adversarial.generator_loss(fake, "log"), math.log(3 / 4))

    def test_equation_12_discriminator_ascends_what_the_generator_descends(self):
        real, fake = torch.randn(4, 1, 2, 2).double(), torch.randn(4, 1, 2, 2).double()
        equation = torch.sigmoid(real).log().mean() + (1 - torch.sigmoid(fake)).log().mean()
        assert_close(adversarial.discriminator_loss(real, fake, "log"), -equation)
        assert_close(adversarial.generator_loss(fake, "log"), (1 - torch.sigmoid(fake)).log().mean())

    def test_equation_12_least_squares_by_hand(self):
        real, fake = torch.tensor([1.0, 3.0]), torch.tensor([2.0, 0.0])
        assert_close(adversarial.discriminator_loss(real, fake), 0.5 * (2.0 + 2.0))
        assert_close(adversarial.generator_loss(fake), 1.0)
        assert adversarial.generator_loss(fake) == adversarial.generator_loss(fake, "lsgan")

    def test_log_form_stays_finite_where_a_sigmoid_saturates(self):
        scores = torch.tensor([1000.0], requires_grad=True)
        loss = adversarial.generator_loss(scores, "log")
        loss.backward()
        assert_close(loss.detach(), -1000.0)
        assert_close(scores.grad, [-1.0])

    def test_log_form_saturates_and_least_squares_does_not(self):
        """The discriminator is sure (score -10): slope -sigmoid(-10) against 2 (-10 - 1)."""
        scores = torch.tensor([-10.0], requires_grad=True)
        assert_close(
            torch.autograd.grad(adversarial.generator_loss(scores, "log"), scores)[0], [-1 / (1 + math.exp(10))]
        )
        assert_close(torch.autograd.grad(adversarial.generator_loss(scores), scores)[0], [-22.0])

    def test_exception(self):
        for loss in (adversarial.generator_loss, lambda s, m: adversarial.discriminator_loss(s, s, m)):
            with pytest.raises(ValueError, match="unknown mode 'hinge': choose one of lsgan, log"):
                loss(torch.zeros(1), "hinge")


class TestPerceptualLoss:
    def test_equation_13_sum_over_taps_of_mean_differences(self):
        generated, target = _images(1), _images(2)
        expected = (generated - target).abs().mean() + F.avg_pool2d(generated - target, 2).abs().mean()
        assert_close(PerceptualLoss(Pyramid())(generated, target), expected)

    def test_same_image_costs_nothing(self):
        assert PerceptualLoss(Pyramid())(_images(1), _images(1)) == 0

    def test_gradient_reaches_the_generated_image_only(self):
        generated, target = _images(1).requires_grad_(), _images(2).requires_grad_()
        PerceptualLoss(Pyramid())(generated, target).backward()
        assert generated.grad.abs().sum() > 0
        assert target.grad is None

    def test_one_pass_serves_both_losses(self):
        features = Pyramid()
        perceptual, style = PerceptualLoss(features), StyleLoss(features)
        generated, target = _images(1), _images(2)
        expected = perceptual(generated, target), style(generated, target)
        seen, given = (features(x, taps=("fine", "coarse")) for x in (generated, target))
        features.runs = 0
        assert_close(perceptual(seen, given), expected[0])
        assert_close(style(seen, given), expected[1])
        assert features.runs == 0
        assert_close(perceptual(generated, given), expected[0])
        assert features.runs == 1

    def test_exception_missing_tap(self):
        features = Pyramid()
        with pytest.raises(ValueError, match="expected target features of the taps fine, coarse; missing: coarse"):
            PerceptualLoss(features)(_images(1), features(_images(2), taps=("fine",)))


class TestStyleLoss:
    def test_equation_14_gram_matrix_by_hand(self):
        """F = [[1, 2], [3, 4]] (two channels, two pixels): F F^T = [[5, 11], [11, 25]], over C H W = 4."""
        features = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).view(1, 2, 1, 2)
        assert_close(gram(features), [[[1.25, 2.75], [2.75, 6.25]]])

    def test_equation_14_sum_over_taps_of_mean_differences(self):
        generated, target = _images(1), _images(2)
        grams = [torch.einsum("bcp,bdp->bcd", x.flatten(2), x.flatten(2)) / (3 * 4 * 6) for x in (generated, target)]
        assert_close(StyleLoss(Pyramid())(generated, target), (grams[0] - grams[1]).abs().mean())

    def test_order_of_the_pixels_does_not_count(self):
        image = _images(1)
        assert_close(StyleLoss(Pyramid())(image.flip(3).roll(1, 2), image), 0 * image.sum())

    def test_half_precision_does_not_overflow(self):
        features = torch.full((1, 2, 64, 64), 20.0, dtype=torch.float16)  # 4096 * 400 is beyond float16
        assert_close(gram(features), torch.full((1, 2, 2), 200.0))

    def test_gradcheck(self):
        generated, target = _images(1)[:1].requires_grad_(), _images(2)[:1]
        assert torch.autograd.gradcheck(lambda x: StyleLoss(Pyramid())(x, target), generated)

    def test_exception(self):
        with pytest.raises(ValueError, match=r"expected features \(B, C, H, W\), got \(2, 3, 4\)"):
            gram(torch.zeros(2, 3, 4))


class TestJointLoss:
    def test_convention_weights_of_both_stages(self):
        assert LossWeights() == IMAGE_STAGE == LossWeights(5, 0.0025, 5, 2, 0.5, 500)
        assert LossWeights(20, 0.01, 0, 0, 0, 0) == FLOW_STAGE

    def test_equation_15(self):
        names = ("correctness", "regularization", "l1", "adversarial", "perceptual", "style")
        terms = {name: torch.tensor(value) for name, value in zip(names, (0.3, 8.0, 0.2, 1.0, 2.0, 0.01))}
        joint = joint_loss(terms)
        assert {name: round(term.item(), 6) for name, term in joint.weighted.items()} == {
            "correctness": 1.5,
            "regularization": 0.02,
            "l1": 1.0,
            "adversarial": 2.0,
            "perceptual": 1.0,
            "style": 5.0,
        }
        assert_close(joint.total, 10.52)

    def test_flow_stage_needs_its_two_terms_only(self):
        joint = joint_loss({"correctness": torch.tensor(0.1), "regularization": torch.tensor(2.0)}, FLOW_STAGE)
        assert list(joint.weighted) == ["correctness", "regularization"]
        assert_close(joint.total, 2.02)

    def test_gradient_is_the_weight_and_a_term_without_weight_has_none(self):
        """A regulariser that is not finite but has weight 0 (an ablation) must not spoil the total."""
        terms = {"correctness": torch.tensor(0.1, requires_grad=True), "regularization": torch.tensor(math.nan)}
        terms["regularization"].requires_grad_()
        joint = joint_loss(terms, replace(FLOW_STAGE, regularization=0))
        joint.total.backward()
        assert_close(terms["correctness"].grad, 20.0)
        assert terms["regularization"].grad is None
        assert joint.weighted["regularization"] == 0

    def test_exceptions(self):
        one = torch.tensor(1.0)
        with pytest.raises(ValueError, match="unknown loss terms gan: choose from correctness, regularization"):
            joint_loss({"gan": one})
        with pytest.raises(
            ValueError, match="missing loss terms regularization: compute them or set their weights to 0"
        ):
            joint_loss({"correctness": one}, FLOW_STAGE)
        with pytest.raises(ValueError, match="expected at least one loss term, got none"):
            joint_loss({}, LossWeights(0, 0, 0, 0, 0, 0))
