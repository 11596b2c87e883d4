"""What protocols do to pictures: values by hand, and the files that other programs write."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import Normalize
from torchvision.transforms.functional import InterpolationMode
from torchvision.transforms.functional import resize as torchvision_resize

from repro.metrics import quirks


@pytest.fixture
def pictures():
    """Two smooth pictures of an awkward size, in 8 bits."""
    coarse = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    return quirks.eight_bits(torch.nn.functional.interpolate(coarse, (34, 47), mode="bicubic").clamp(0, 1))


class TestEightBits:
    def test_by_hand(self):
        values = torch.tensor([0.0, 0.999, 1.0, -0.5, 1.5, 100.6 / 255])
        rounded, cut = (quirks.eight_bits(values, truncate=truncate) * 255 for truncate in (False, True))
        torch.testing.assert_close(rounded, torch.tensor([0.0, 255, 255, 0, 255, 101]))
        torch.testing.assert_close(cut, torch.tensor([0.0, 254, 255, 0, 255, 100]))

    def test_truncation_darkens_by_half_a_level_on_average(self):
        values = torch.rand(100_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        assert ((values - quirks.eight_bits(values, truncate=True)) * 255).mean().item() == pytest.approx(0.5, abs=0.01)
        assert ((values - quirks.eight_bits(values)) * 255).mean().item() == pytest.approx(0, abs=0.01)


class TestJPEG:
    @pytest.mark.parametrize("options", [{}, {"quality": 30}, {"quality": 95, "thin_colours": False}])
    def test_equals_a_file_that_pillow_writes(self, pictures, options):
        pillow = {"quality": options.get("quality")} if options else {}  # {}: everything at Pillow's defaults
        if "thin_colours" in options:
            pillow["subsampling"] = "4:4:4"
        for ours, picture in zip(quirks.jpeg(pictures, **options), pictures):
            file = io.BytesIO()
            Image.fromarray((picture * 255).round().byte().permute(1, 2, 0).numpy()).save(file, "JPEG", **pillow)
            theirs = torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1) / 255
            torch.testing.assert_close(ours, theirs)

    def test_grey_survives_and_thin_colour_lines_do_not(self):
        grey = torch.full((1, 3, 16, 16), 100 / 255)
        assert torch.equal(quirks.jpeg(grey), grey)
        red_lines = torch.zeros(1, 3, 16, 16)
        red_lines[:, 0, :, ::2] = 1
        thin, full = (quirks.jpeg(red_lines, 95, thin_colours=thin) for thin in (True, False))
        assert (thin - red_lines).abs().mean() > 3 * (full - red_lines).abs().mean()

    def test_authors_truncate_before_they_write(self, pictures):
        nearly = pictures + 0.9 / 255  # rounding would make the next level of it
        expected = quirks.jpeg((pictures * 255).round().clamp(max=254) / 255)
        torch.testing.assert_close(quirks.saved_by_authors(nearly.clamp(max=254.9 / 255)), expected)

    def test_refuses_other_qualities(self, pictures):
        with pytest.raises(ValueError, match="quality from 1 to 95, got 0"):
            quirks.jpeg(pictures, 0)


class TestResized:
    @pytest.mark.parametrize("how", quirks.FILTERS)
    def test_flat_stays_flat(self, how):
        flat = torch.full((1, 3, 40, 30), 51 / 255)
        torch.testing.assert_close(quirks.resized(flat, (16, 16), how), torch.full((1, 3, 16, 16), 51 / 255))

    def test_box_is_the_mean_of_blocks(self):
        picture = torch.zeros(1, 3, 4, 4)
        picture[..., 0, 0] = 1.0  # a quarter of its 2 x 2 block: 63.75, rounded
        small = quirks.resized(picture, (2, 2), "box")
        assert (small[0, 0] * 255).round().tolist() == [[64, 0], [0, 0]]

    def test_plain_bilinear_skips_what_lies_between(self):
        """Eight to two: a new pixel lies between pixels 1 and 2 (5 and 6) of each axis, and reads only them."""
        picture = torch.zeros(1, 3, 8, 8)
        picture[..., 0, 0] = picture[..., 3, 3] = 1.0
        assert quirks.resized(picture, (2, 2), "bilinear_plain").max() == 0
        assert quirks.resized(picture, (2, 2), "bilinear").max() > 0

    @pytest.mark.parametrize("how", ["bilinear", "bicubic", "lanczos", "nearest"])
    def test_pillow_through_torchvision(self, pictures, how):
        mode = InterpolationMode(how)
        for ours, picture in zip(quirks.resized(pictures, (13, 20), how), pictures):
            pillow = Image.fromarray((picture * 255).round().byte().permute(1, 2, 0).numpy())
            theirs = torch.from_numpy(np.array(torchvision_resize(pillow, [13, 20], mode))).permute(2, 0, 1) / 255
            torch.testing.assert_close(ours, theirs)

    @pytest.mark.parametrize(("how", "antialias"), [("bilinear", True), ("bicubic", True), ("bilinear_plain", False)])
    def test_torch_on_tensors(self, pictures, how, antialias):
        pictures = quirks.eight_bits(0.25 + pictures / 2)  # nothing to clip: Pillow does so after each axis
        theirs = torch.nn.functional.interpolate(
            pictures, (13, 20), mode=how.removesuffix("_plain"), align_corners=False, antialias=antialias
        )
        # Pillow computes in integers and rounds after each axis: a level apart at most.
        torch.testing.assert_close(quirks.resized(pictures, (13, 20), how), theirs, atol=1.01 / 255, rtol=0)

    def test_unknown_filter_lists_the_others(self, pictures):
        with pytest.raises(ValueError, match="unknown filter 'area': choose one of bilinear, bicubic"):
            quirks.resized(pictures, (8, 8), "area")


def test_white_columns_are_31_per_cent_of_a_square():
    padded = quirks.with_white_columns(torch.zeros(1, 3, 256, 176))
    assert padded.shape == (1, 3, 256, 256)
    assert padded.mean().item() == pytest.approx(80 / 256)
    assert padded[..., 40:-40].max() == 0


class TestDoublyNormalised:
    def test_the_numbers_of_the_authors_script(self, pictures):
        """On [0, 1] images they compute x 0.458 - 0.030, x 0.448 - 0.088, x 0.45 - 0.188: what we show, as [-1, 1]."""
        scale, shift = (torch.tensor(v).view(3, 1, 1) for v in ((0.458, 0.448, 0.45), (-0.030, -0.088, -0.188)))
        torch.testing.assert_close(quirks.doubly_normalised(pictures) * 2 - 1, pictures * scale + shift)

    def test_it_undoes_imagenets_normalisation(self, pictures):
        normalised = Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])(pictures)
        torch.testing.assert_close(quirks.doubly_normalised(normalised), pictures)


class TestWholeBatches:
    @pytest.mark.parametrize(("count", "kept"), [(8570, 8512), (12000, 11968), (64, 64), (127, 64)])
    def test_of_the_test_splits(self, count, kept):
        assert torch.equal(quirks.whole_batches(torch.arange(count)), torch.arange(kept))

    def test_none_at_all(self):
        with pytest.raises(ValueError, match="at least 64 pictures, a whole batch of this protocol, got 63"):
            quirks.whole_batches(torch.zeros(63, 2))
