"""The forms of SSIM: constants by hand, single windows from the formula, other implementations where they exist."""

import math

import numpy as np
import pytest
import torch
from torchmetrics.functional.image import structural_similarity_index_measure

from repro.metrics.image import relative_error
from repro.metrics.ssim import ssim_gaussian, ssim_generated_range, ssim_uniform7, ssim_uniform51

FORMS = (ssim_gaussian, ssim_generated_range, ssim_uniform7, ssim_uniform51)


@pytest.fixture
def pair():
    """Two textured pictures, alike but not equal; the first spans far less than [0, 1]."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(2, 3, 8, 9, generator=generator, dtype=torch.float64)
    smooth = torch.nn.functional.interpolate(coarse, (53, 57), mode="bilinear")
    noise = 0.1 * torch.randn(2, 3, 53, 57, generator=generator, dtype=torch.float64)
    return 0.3 + 0.4 * smooth, (smooth + noise).clamp(0, 1)


def one_window(a, b, *, data_range, sample):
    """Return the index of one window whose pixels weigh the same, from its definition."""
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    ma, mb = a.mean(), b.mean()
    va, vb = a.var(ddof=int(sample)), b.var(ddof=int(sample))
    cov = ((a - ma) * (b - mb)).sum() / (a.size - int(sample))
    return (2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))


@pytest.mark.parametrize("form", FORMS)
class TestAll:
    def test_equal_pictures(self, form, pair):
        torch.testing.assert_close(form(pair[0], pair[0]), torch.ones(2, dtype=torch.float64))

    def test_one_number_per_picture(self, form, pair):
        together = form(*pair)
        alone = [form(pair[0][i : i + 1], pair[1][i : i + 1]).item() for i in range(2)]
        assert together.tolist() == alone

    def test_other_shapes(self, form, pair):
        with pytest.raises(ValueError, match="expected target"):
            form(pair[0], pair[1][..., 1:])


class TestOneWindow:
    """A picture as large as the window has one position, where scikit-image's mean is the formula itself."""

    @pytest.mark.parametrize(("form", "side"), [(ssim_uniform7, 7), (ssim_uniform51, 51)])
    def test_uniform(self, form, side, pair):
        a, b = (pictures[:1, :, :side, :side] for pictures in pair)
        expected = [one_window(x.numpy(), y.numpy(), data_range=1, sample=True) for x, y in zip(a[0], b[0])]
        assert form(a, b).item() == pytest.approx(np.mean(expected), rel=1e-9)


class TestRange:
    def test_torchmetrics_with_that_range(self, pair):
        for i in range(2):
            span = (pair[0][i].max() - pair[0][i].min()).item()
            _, maps = structural_similarity_index_measure(
                pair[0][i : i + 1], pair[1][i : i + 1], sigma=1.5, data_range=span, return_full_image=True
            )
            interior = maps[..., 5:-5, 5:-5].mean().item()
            assert ssim_generated_range(*pair)[i].item() == pytest.approx(interior, abs=1e-7)

    def test_full_range_is_the_ordinary_form(self, pair):
        stretched = (pair[0] - pair[0].amin((1, 2, 3), True)) / (
            pair[0].amax((1, 2, 3), True) - pair[0].amin((1, 2, 3), True)
        )
        torch.testing.assert_close(ssim_generated_range(stretched, pair[1]), ssim_gaussian(stretched, pair[1]))

    def test_pale_pictures_score_lower(self, pair):
        assert (ssim_generated_range(*pair) < ssim_gaussian(*pair)).all()

    def test_without_range_there_is_no_score(self, pair):
        flat = pair[0].clone()
        flat[0] = 0.5
        scores = ssim_generated_range(flat, pair[1])
        assert math.isnan(scores[0].item())
        assert scores[1].isfinite()


def test_flat_pictures_by_hand():
    """0.2 against 0.4: (2 * 0.08 + 0.0001) / (0.04 + 0.16 + 0.0001) = 0.80010 wherever the window."""
    a, b = torch.full((1, 3, 60, 60), 0.2), torch.full((1, 3, 60, 60), 0.4)
    for form in (ssim_gaussian, ssim_uniform7, ssim_uniform51):
        assert form(a.double(), b.double()).item() == pytest.approx(0.1601 / 0.2001, abs=1e-5)


def test_relative_error_by_hand():
    a, b = torch.zeros(1, 3, 2, 2), torch.full((1, 3, 2, 2), 0.5)
    a[0, 0, 0, 0] = 0.5
    # |a - b| sums to 11 * 0.5, a + b to 0.5 + 12 * 0.5.
    assert relative_error(a, b).item() == pytest.approx(5.5 / 6.5)
    assert math.isnan(relative_error(torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 2, 2)).item())
