"""The protocols, each taken apart into steps that other packages or a few numbers by hand confirm."""

import warnings

import pytest
import torch
from skimage.metrics import structural_similarity
from torchmetrics.image.fid import FrechetInceptionDistance
from torchvision.models.detection import ssdlite320_mobilenet_v3_large

from repro import features
from repro.metrics import protocol, quirks
from repro.metrics.detection import COCO_PERSON, person_confidence
from repro.metrics.frechet import frechet_distance
from repro.metrics.masks import masked, pose_mask
from repro.metrics.perceptual import unit_distance, unit_features
from repro.metrics.ssim import ssim_generated_range


def draw(count, height=16, width=12, seed=0):
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def joints():
    """Three people of 18 joints in pictures of 40 x 30, some joints missing."""
    generator = torch.Generator().manual_seed(0)
    places = torch.rand(3, 18, 2, generator=generator, dtype=torch.float64) * torch.tensor([38.0, 28.0])
    places[:, ::4] = -1
    return places


class Means(torch.nn.Module):
    """A network small enough to see through: mean colour and mean square of each half of a picture."""

    def forward(self, images):
        halves = images.double().unflatten(-1, (2, -1))
        return torch.cat([halves.mean((2, 4)).flatten(1), halves.square().mean((2, 4)).flatten(1)], 1)


class TestFID:
    def test_gfla(self):
        """130 training pictures and 70 generated ones: 128 and 64 count; each is pale when the network sees it."""
        training, made = draw(130), draw(70, seed=1) ** 2
        theirs = FrechetInceptionDistance(feature=Means(), input_img_size=(3, 16, 12)).set_dtype(torch.float64)
        theirs.update(training[:128] * SPREAD + MEAN, real=True)
        theirs.update(made[:64] * SPREAD + MEAN, real=False)
        ours = protocol.fid_gfla((image for image in made), (image for image in training), Means())
        assert ours == pytest.approx(theirs.compute().item(), rel=1e-5)
        assert ours != pytest.approx(frechet_distance(Means()(training), Means()(made)), rel=0.1)

    def test_scagan(self):
        made, target = draw(9, 256, 176), draw(9, 256, 176, seed=1) ** 2
        theirs = FrechetInceptionDistance(feature=Means(), input_img_size=(3, 256, 256)).set_dtype(torch.float64)
        for pictures, real in ((target, True), (made, False)):
            square = torch.ones(9, 3, 256, 256)
            square[..., 40:216] = pictures
            theirs.update(square, real=real)
        assert protocol.fid_scagan(made, target, Means()) == pytest.approx(theirs.compute().item(), rel=1e-4)

    def test_batches_do_not_matter_to_what_is_seen(self):
        images = draw(10)
        for batch in (1, 3, 10, 64):
            torch.testing.assert_close(protocol.observed(Means(), images, batch), Means()(images))

    def test_nothing_to_see(self):
        with pytest.raises(ValueError, match="expected pictures, got none"):
            protocol.observed(Means(), iter(()))


MEAN, SPREAD = (torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))


def mean_difference(a, b):
    return (a - b).abs().mean((1, 2, 3))


class TestLPIPS:
    def test_gfla_is_the_mean_of_batch_means(self):
        made, target = draw(150), draw(150, seed=1)
        batches = [mean_difference(made[i : i + 64], target[i : i + 64]).mean() for i in (0, 64)]
        expected = torch.stack(batches).mean().item()  # 22 pairs are left out
        assert protocol.lpips_gfla(made, target, mean_difference) == pytest.approx(expected)

    def test_mask_lpips_multiplies_in_the_networks_range(self, joints):
        made, target = draw(66, 40, 30), draw(66, 40, 30, seed=1)
        people = joints[torch.arange(66) % 3]
        mask = pose_mask(people, (40, 30))[:, None]

        def in_their_range(a, b):
            return mean_difference(a * 2 - 1, b * 2 - 1)

        expected = mean_difference((made * 2 - 1) * mask, (target * 2 - 1) * mask)[:64].mean().item()
        assert protocol.mask_lpips_gfla(made, target, people, in_their_range) == pytest.approx(expected)

    def test_white_columns_dilute_by_their_share(self):
        made, target = draw(5, 256, 176), draw(5, 256, 176, seed=1)
        expected = mean_difference(made, target).mean().item() * 176 / 256
        assert protocol.lpips_scagan(made, target, mean_difference) == pytest.approx(expected)

    def test_lists_of_different_length(self):
        with pytest.raises(ValueError, match="expected target"):
            protocol.lpips_gfla(draw(64), draw(65), mean_difference)

    def test_unit_distance_is_the_packages_without_its_weights(self):
        import lpips

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = lpips.LPIPS(net="squeeze", pnet_rand=True, lpips=False, verbose=False).eval()
        ours = features.SqueezeNet()
        for part in theirs.net.children():
            for index, layer in part.named_children():
                ours.features[int(index)].load_state_dict(layer.state_dict())
        taps = ("conv1", "fire3", "fire5", "fire6", "fire7", "fire8", "fire9")
        first, second = draw(2, 64, 48), draw(2, 64, 48, seed=1)
        with torch.no_grad():
            expected = theirs(first, second, normalize=True).flatten()
            seen = [unit_features(ours, images, taps) for images in (first, second)]
        torch.testing.assert_close(unit_distance(*seen), expected, atol=1e-5, rtol=1e-4)
        assert unit_distance(seen[0], seen[0]).max() == 0


class TestSSIM:
    def test_defgan_in_the_words_of_scikit_image(self):
        made, target = draw(3, 40, 30) * 0.6, draw(3, 40, 30, seed=1)
        expected = [
            structural_similarity(
                *((x.permute(1, 2, 0) * 255).double().numpy() for x in (a, b)),
                channel_axis=-1,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
                data_range=((a.max() - a.min()) * 255).item(),
            )
            for a, b in zip(made, target)
        ]
        assert protocol.ssim_defgan(made, target) == pytest.approx(sum(expected) / 3, rel=1e-6)

    def test_white_columns_raise_it(self):
        made, target = draw(2, 64, 44), draw(2, 64, 44, seed=1)
        plain, padded = protocol.ssim_defgan(made, target), protocol.ssim_patn(made, target, 20)
        # The windows of 74 columns lie inside: 20 see white alone and are 1, 34 are those of the plain picture.
        assert (20 + 34 * plain) / 74 < padded < (40 + 34 * plain) / 74
        assert protocol.ssim_patn(target, target, 20) == pytest.approx(1)

    def test_mask_ssim_of_a_small_person_is_high(self, joints):
        """Two pictures that have nothing in common agree wherever nobody is."""
        made, target = draw(3, 40, 30), draw(3, 40, 30, seed=1)
        mask = pose_mask(joints, (40, 30))
        expected = ssim_generated_range(made * mask[:, None], target * mask[:, None]).mean().item()
        assert protocol.mask_ssim_defgan(made, target, joints) == pytest.approx(expected)
        one_joint = torch.full_like(joints, -1)
        one_joint[:, 0] = 20
        assert protocol.mask_ssim_defgan(made, target, one_joint) > 0.75 > 0.1 > protocol.ssim_defgan(made, target)


class TestIS:
    def test_what_the_classifier_is_shown(self, joints):
        made = draw(3, 40, 30)
        shown = []

        def answer(images):
            shown.append(images)
            return torch.eye(20).repeat(1, 5)[:, :9] + images.mean()

        generator_of_20 = made[torch.arange(20) % 3]
        plain = protocol.is_defgan((image for image in generator_of_20), answer)
        protocol.is_patn(generator_of_20, answer)
        protocol.mask_is_defgan(generator_of_20, joints[torch.arange(20) % 3], answer)
        assert plain[0] > 1
        torch.testing.assert_close(shown[0], generator_of_20)
        torch.testing.assert_close(shown[1], quirks.with_white_columns(generator_of_20))
        mask = pose_mask(joints, (40, 30))[torch.arange(20) % 3]
        torch.testing.assert_close(shown[2], masked(generator_of_20, mask, 0.0))


class TestDetection:
    def test_highest_confidence_in_a_person_or_none(self):
        answers = iter(
            [
                {"labels": torch.tensor([15, 7, 15]), "scores": torch.tensor([0.3, 0.99, 0.7])},
                {"labels": torch.tensor([7]), "scores": torch.tensor([0.9])},
                {"labels": torch.tensor([], dtype=torch.long), "scores": torch.tensor([])},
            ]
        )
        score = protocol.ds_defgan(draw(3), lambda images: [next(answers) for _ in images])
        assert score == pytest.approx(0.7 / 3)

    def test_a_detector_of_torchvision(self):
        detector = ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=2).eval()
        images = draw(3, 40, 30)
        confidence = person_confidence(detector, images, COCO_PERSON, batch_size=2)
        with torch.no_grad():
            answer = detector([images[2]])[0]
        assert confidence.shape == (3,)
        assert confidence[2].item() == pytest.approx(answer["scores"].max().item(), rel=1e-5)

    def test_padding_is_shown_to_it(self):
        widths = []

        def detect(images):
            widths.extend(image.shape[-1] for image in images)
            return [{"labels": torch.tensor([15]), "scores": torch.tensor([0.5])}] * len(images)

        assert protocol.ds_patn(draw(2, 256, 176), detect) == 0.5
        assert widths == [256, 256]

    def test_an_answer_is_missing(self):
        with pytest.raises(ValueError, match="answer for each of 2 images, the detector gave 1"):
            person_confidence(lambda images: [{}], draw(2), 15)


def test_every_protocol_says_who_does_what():
    for one in protocol.PROTOCOLS:
        assert one.compute is getattr(protocol, one.compute.__name__)
        assert one.compute.__doc__
        assert one.used_by
    public = {name for name in vars(protocol) if name.startswith(("fid_", "lpips_", "mask_", "ssim_", "is_", "ds_"))}
    listed = {one.compute.__name__ for one in protocol.PROTOCOLS}
    assert {name for name in public if getattr(protocol, name).__module__ == protocol.__name__} == listed
