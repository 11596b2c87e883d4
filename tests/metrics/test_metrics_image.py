"""Image scores against scikit-image, torchmetrics and hand-made cases."""

import math

import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio
from torchmetrics.functional.image import structural_similarity_index_measure

from repro.metrics.image import l1, psnr, ssim_skimage_gaussian


@pytest.fixture
def pair():
    """Two smooth pictures with awkward sizes, alike but not equal."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(2, 3, 5, 7, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, (37, 51), mode="bicubic").clamp(0, 1)
    return smooth, (smooth + 0.1 * torch.randn(2, 3, 37, 51, generator=generator)).clamp(0, 1)


class TestL1:
    def test_by_hand(self):
        a = torch.zeros(1, 3, 2, 2)
        b = torch.zeros(1, 3, 2, 2)
        b[0, 0, 0, 0] = 0.6  # one of 12 values
        b[0, :, 1, 1] = 1.0
        person = torch.tensor([[[True, True], [False, False]]])
        assert l1(a, b).item() == pytest.approx(3.6 / 12)
        assert l1(a, b, person).item() == pytest.approx(0.6 / 6)

    def test_empty_mask_is_nan(self):
        image = torch.zeros(1, 3, 4, 4)
        assert math.isnan(l1(image, image, torch.zeros(1, 4, 4, dtype=torch.bool)).item())

    def test_refuses_other_shapes(self):
        with pytest.raises(ValueError, match="expected target"):
            l1(torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 5, 4))


class TestPSNR:
    def test_by_hand(self):
        # Difference 0.1 everywhere: MSE 0.01, 20 dB.
        assert psnr(torch.zeros(1, 3, 4, 4), torch.full((1, 3, 4, 4), 0.1)).item() == pytest.approx(20, abs=1e-5)
        assert psnr(torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)).item() == math.inf

    def test_agrees_with_scikit_image(self, pair):
        for score, a, b in zip(psnr(*pair), *pair):
            assert score.item() == pytest.approx(peak_signal_noise_ratio(b.numpy(), a.numpy(), data_range=1), abs=1e-4)


class TestSSIM:
    def test_equal_images(self, pair):
        whole, person = ssim_skimage_gaussian(pair[0], pair[0], torch.ones(2, 37, 51, dtype=torch.bool))
        torch.testing.assert_close(whole, torch.ones(2, dtype=torch.float64))
        torch.testing.assert_close(person, torch.ones(2, dtype=torch.float64))

    def test_agrees_with_torchmetrics(self, pair):
        # The same sigma, window, constants and covariances in another implementation, which keeps the border of 5
        # pixels in its mean and extends images differently there: compare the interior of its map.
        _, maps = structural_similarity_index_measure(
            pair[0].double(), pair[1].double(), sigma=1.5, data_range=1.0, return_full_image=True
        )
        interior = maps[..., 5:-5, 5:-5]
        torch.testing.assert_close(ssim_skimage_gaussian(*pair)[0], interior.mean((1, 2, 3)), atol=1e-7, rtol=0)
        where = torch.zeros(2, 37, 51, dtype=torch.bool)
        where[:, 10:20, 12:30] = True
        masked = maps[..., 10:20, 12:30].mean((1, 2, 3))
        torch.testing.assert_close(ssim_skimage_gaussian(*pair, where)[1], masked, atol=1e-7, rtol=0)

    def test_mask_looks_only_at_its_pixels(self, pair):
        a, b = pair[0].clone(), pair[0].clone()
        b[:, :, :, 30:] = 0  # the windows of columns below 25 do not reach it
        left = torch.zeros(2, 37, 51, dtype=torch.bool)
        left[:, :, :25] = True
        torch.testing.assert_close(ssim_skimage_gaussian(a, b, left)[1], torch.ones(2, dtype=torch.float64))
        assert ssim_skimage_gaussian(a, b, ~left)[1].max() < 0.5
