"""What a choice moves: against the scores computed one by one, and where nothing may move."""

import pytest
import torch

from repro.metrics import choices, protocol, quirks
from repro.metrics.choices import (
    CHOICES,
    Answer,
    Choice,
    Pictures,
    Sight,
    direct,
    moved,
    moved_by_counting,
    moved_by_form,
)
from repro.metrics.frechet import frechet_distance
from repro.metrics.ssim import ssim_gaussian, ssim_uniform51

SIDE = 54


def draw(count, side=SIDE, seed=0):
    coarse = torch.rand(count, 3, 9, 9, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, (side, side), mode="bilinear")


def see(images):
    """Return mean colour and mean square, (B, 6)."""
    return torch.cat([images.double().mean((2, 3)), images.double().square().mean((2, 3))], 1)


def value(frame, words, row="row"):
    found = frame[(frame["choice"] == words) & (frame["row"] == row)]["value"]
    assert len(found) == 1
    return found.item()


@pytest.fixture(scope="module")
def pictures():
    """66 pairs in which every target stands twice, one more than two batches of the reader's 16."""
    joints = torch.rand(66, 18, 2, generator=torch.Generator().manual_seed(5), dtype=torch.float64) * (SIDE - 1)
    return Pictures(
        generated={"row": draw(66, seed=1), "other": draw(66, seed=2)},
        target=draw(33).repeat_interleave(2, 0),
        large=draw(33, 2 * SIDE).repeat_interleave(2, 0),
        training=draw(70, seed=3),
        joints=joints,
    )


class TestMoved:
    def test_every_score_of_every_row_under_every_choice(self, pictures):
        frame = moved(pictures, {"fd": see}, {"ssim_any": direct(_mean_difference), "pd": direct(_mean_difference)})
        assert len(frame) == 2 * (2 * len(CHOICES) + sum(not choice.for_networks for choice in CHOICES))
        assert not frame.duplicated(["choice", "score", "row"]).any()

    def test_the_base_is_the_score_of_8_bit_pictures(self, pictures):
        frame = moved(pictures, {"fd": see}, {}, CHOICES[:1])
        real, made = (quirks.eight_bits(own) for own in (pictures.target, pictures.generated["row"]))
        assert value(frame, CHOICES[0].words) == pytest.approx(frechet_distance(see(real), see(made)), rel=1e-6)

    def test_each_picture_is_described_once_and_pairs_stay_together(self, pictures):
        described = []

        def describe(images):
            described.append(len(images))
            return images

        twice = (Choice("a"), Choice("b", generated=choices._cut))
        frame = moved(pictures, {}, {"pd": Sight(describe, _mean_difference)}, twice)
        assert sum(described) == 66 * (2 * 2 + 1)  # two rows, two kinds of files; one kind of target
        cut = quirks.eight_bits(pictures.generated["other"], truncate=True)
        expected = _mean_difference(cut, quirks.eight_bits(pictures.target)).mean().item()
        assert value(frame, "b", "other") == pytest.approx(expected)

    def test_what_is_done_to_both_moves_equal_pictures_nowhere(self, pictures):
        same = Pictures({"row": pictures.target}, pictures.target, pictures.large, pictures.training, pictures.joints)
        both = [choice for choice in CHOICES if choice.generated is choice.target]
        assert len(both) == 3
        frame = moved(same, {"fd": see}, {"pd": direct(_mean_difference)}, both)
        assert frame["value"].abs().max() < 1e-9

    def test_filters_change_the_targets_alone(self, pictures):
        bicubic = next(choice for choice in CHOICES if "bicubic" in choice.words)
        frame = moved(pictures, {"fd": see}, {}, [bicubic])
        real = quirks.resized(pictures.large, (SIDE, SIDE), "bicubic")
        made = quirks.eight_bits(pictures.generated["row"])
        assert value(frame, bicubic.words) == pytest.approx(frechet_distance(see(real), see(made)), rel=1e-6)

    def test_two_normalisations_shrink_distances_of_colours_by_the_spread_squared(self, pictures):
        """0.229 is the spread of red: what is left of 1 is 0.05."""
        pale = next(choice for choice in CHOICES if "normalised" in choice.words)
        frame = moved(pictures, {"fd": lambda images: see(images)[:, :1]}, {}, [CHOICES[0], pale])
        assert value(frame, pale.words) == pytest.approx(0.229**2 * value(frame, CHOICES[0].words), rel=1e-4)


class TestUnderAMask:
    def test_grey_off_the_person_is_the_choice_of_that_name(self, pictures):
        sight = direct(_mean_difference)
        frame = moved(pictures, {}, {"pd": sight, "mask_pd": sight._replace(background=0.5)})
        whole, under = (frame[frame["score"] == name] for name in ("pd", "mask_pd"))
        assert value(under, CHOICES[0].words) == pytest.approx(value(whole, CHOICES[-1].words))
        assert value(under, CHOICES[0].words) < value(whole, CHOICES[0].words)
        assert not set(under["choice"]) & {choice.words for choice in CHOICES if choice.for_networks}

    def test_black_off_the_person_by_hand(self, pictures):
        sight = Sight(lambda images: images, ssim_gaussian, background=0.0)
        frame = moved(pictures, {}, {"mask_ssim": sight}, CHOICES[:2])
        real, made = (quirks.eight_bits(own) for own in (pictures.target, pictures.generated["other"]))
        black = [images * pictures.mask[:, None] for images in (made, real)]
        assert value(frame, CHOICES[0].words, "other") == pytest.approx(ssim_gaussian(*black).mean().item())


class TestInceptionScores:
    def test_of_generated_pictures_alone(self, pictures):
        def look(images):
            return 40 * images.mean((2, 3))

        frame = moved(pictures, {}, {}, answers={"is": Answer(look), "mask_is": Answer(look, 0.0)})
        changing = [choice for choice in CHOICES if choice.generated is not CHOICES[0].generated]
        asked = [CHOICES[0].words, *(choice.words for choice in changing if not choice.for_networks)]
        assert frame["choice"].unique().tolist() == asked
        assert len(asked) == 4
        assert len(frame) == 2 * 2 * 4
        made = quirks.eight_bits(pictures.generated["row"])
        for name, images in (("is", made), ("mask_is", made * pictures.mask[:, None])):
            expected = protocol.is_defgan(images, look)[0]
            assert value(frame[frame["score"] == name], CHOICES[0].words) == pytest.approx(expected)
            assert expected > 1.001


class TestCounting:
    def test_by_hand(self, pictures):
        frame = moved_by_counting(pictures, {"fd": see})
        real, made, training = (
            see(quirks.eight_bits(own)) for own in (pictures.target, pictures.generated["row"], pictures.training)
        )
        expected = {
            "the targets, once per pair": (real, made),
            "each target once": (real[::2], made),
            "training pictures, as many": (training[:66], made),
            "training pictures, 70": (training, made),
            "targets; last incomplete batch of 64 dropped": (real[:64], made[:64]),
            "targets; every second pair": (real[::2], made[::2]),
        }
        for words, sets in expected.items():
            assert value(frame, words) == pytest.approx(frechet_distance(*sets), rel=1e-6), words
        assert len(frame) == 2 * len(expected)


def test_forms_are_those_of_the_functions(pictures):
    frame = moved_by_form(pictures)
    real, made = (quirks.eight_bits(own) for own in (pictures.target, pictures.generated["row"]))
    assert value(frame, "uniform 51 x 51 (GFLA's script)") == pytest.approx(ssim_uniform51(made, real).mean().item())
    padded = protocol.ssim_patn(made, real, columns=12)  # 40 / 176 of 54
    assert value(frame, "the same, white columns (Pose-Attn)") == pytest.approx(padded)
    assert len(frame) == 12


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"training": draw(65)}, "at least as many training pictures as pairs .66., got 65"),
        ({"large": draw(2)}, "expected large"),
        ({"generated": {"row": draw(66, 20)}}, r"expected generated\['row'\]"),
        ({"joints": torch.zeros(66, 17, 2)}, "expected joints"),
    ],
)
def test_pictures_that_do_not_belong_together(pictures, change, words):
    given = {name: getattr(pictures, name) for name in ("generated", "target", "large", "training", "joints")}
    with pytest.raises(ValueError, match=words):
        Pictures(**given | change)


def _mean_difference(a, b):
    return (a - b).abs().mean((1, 2, 3))
