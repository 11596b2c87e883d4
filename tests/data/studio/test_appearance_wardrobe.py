"""Colours and clothes of many people: known conversions, bright outfits, the held-out families."""

import numpy as np
import pytest

from repro.data.studio import wardrobe as clothes
from repro.data.studio.identity import Identity
from repro.data.studio.palette import LUMA, body_colours, garment_palette, oklch, outfit_hues
from repro.data.studio.wardrobe import HELD_OUT, TEXTURED, TEXTURES, Wardrobe


@pytest.fixture(scope="module")
def people():
    return {
        split: [Wardrobe.for_identity(Identity("fashion", split, index), tile_size=32) for index in range(40)]
        for split in ("train", "test")
    }


class TestOklch:
    @pytest.mark.parametrize(
        ("lightness", "chroma", "hue", "rgb"),
        [
            (0, 0, 0, (0, 0, 0)),
            (1, 0, 123, (1, 1, 1)),
            (0.62796, 0.25768, 29.234, (1, 0, 0)),
            (0.86644, 0.29483, 142.495, (0, 1, 0)),
            (0.45201, 0.31321, 264.052, (0, 0, 1)),
        ],
    )
    def test_known_colours(self, lightness, chroma, hue, rgb):
        np.testing.assert_allclose(oklch(lightness, chroma, hue), rgb, atol=2e-3)

    def test_an_impossible_chroma_becomes_the_largest_possible_one(self):
        np.testing.assert_allclose(oklch(0.86644, 0.6, 142.495), (0, 1, 0), atol=0.02)
        green = oklch(0.7, 0.9, 145)
        assert green[1] > 2 * max(green[0], green[2])


def test_figure_stands_out_from_ground():
    for seed in range(60):
        palette = garment_palette(np.random.default_rng(seed), 6.0 * seed)
        assert abs(palette.ground @ LUMA - palette.figure @ LUMA) > 0.12
        assert 0 <= palette.colours.min() <= palette.colours.max() <= 1


def test_skin_is_always_warm_and_varied():
    skins = np.stack([body_colours(np.random.default_rng(seed)).skin for seed in range(60)])
    assert (skins[:, 0] > skins[:, 1]).all()
    assert (skins[:, 1] > skins[:, 2]).all()
    assert np.ptp(skins @ LUMA) > 0.35


def test_hues_keep_their_number():
    assert outfit_hues(np.random.default_rng(0), 9).shape == (9,)


class TestWardrobe:
    def test_no_outfit_is_dark_from_top_to_toe(self, people):
        for wardrobe in people["train"] + people["test"]:
            main = [wardrobe.materials[kind] for kind in TEXTURED if kind in wardrobe.materials]
            assert max(look.palette.ground @ LUMA for look in main) > 0.42

    def test_training_people_never_wear_the_held_out_families(self, people):
        assert not any(wardrobe.wears_held_out for wardrobe in people["train"])
        share = np.mean([wardrobe.wears_held_out for wardrobe in people["test"]])
        assert 0.15 < share < 0.6

    def test_all_other_families_are_worn(self, people):
        worn = {look.family for wardrobe in people["train"] for look in wardrobe.materials.values()}
        assert worn >= set(TEXTURES) - set(HELD_OUT)

    def test_labels_name_the_family_of_each_garment(self, people):
        for index, wardrobe in enumerate(people["train"]):
            labels = wardrobe.texture_labels
            assert list(labels) == list(TEXTURED)
            for kind, number in labels.items():
                if number < 0:
                    assert kind not in wardrobe.materials, index
                else:
                    assert TEXTURES[number] == wardrobe.materials[kind].family

    def test_materials_follow_the_outfit(self):
        identity = Identity("fashion", "train", 3)
        worn = set(Wardrobe.for_identity(identity, 32).materials)
        assert worn == {"skin", "face", "hair", "sole"} | {piece.kind for piece in identity.outfit}

    def test_same_identity_same_clothes_others_differ(self):
        first, again = (Wardrobe.for_identity(Identity("fashion", "train", 7), 64) for _ in range(2))
        other = Wardrobe.for_identity(Identity("fashion", "test", 7), 64)
        for name, look in first.materials.items():
            assert np.array_equal(look.tile.picture, again.materials[name].tile.picture)
        assert not np.array_equal(first.body.skin, other.body.skin)

    def test_a_new_draw_for_one_purpose_leaves_the_others_alone(self, monkeypatch):
        """The shoe's trimmings draw more numbers: top and trousers stay what they were."""
        identity = Identity("fashion", "train", 3)
        before = Wardrobe.for_identity(identity, 32)
        original = clothes.trimmings

        def thirsty(who, piece, family, palette):
            who.rng("trimmings", piece.kind).random(100)
            return original(who, piece, family, palette)

        monkeypatch.setattr(clothes, "trimmings", thirsty)
        after = Wardrobe.for_identity(identity, 32)
        for name, look in before.materials.items():
            assert np.array_equal(look.tile.picture, after.materials[name].tile.picture)

    def test_twice_mirrored_is_the_same(self):
        wardrobe = Wardrobe.for_identity(Identity("fashion", "train", 0), 32)
        back = wardrobe.mirrored().mirrored()
        for name, look in wardrobe.materials.items():
            for decal, again in zip(look.decals, back.materials[name].decals, strict=True):
                assert np.array_equal(decal.right, again.right)
                assert np.array_equal(decal.centre, again.centre)

    def test_lace_tops_show_skin(self, people):
        found = [
            (wardrobe, wardrobe.materials["top"])
            for wardrobe in people["train"] + people["test"]
            if "top" in wardrobe.materials and wardrobe.materials["top"].family == "lace"
        ]
        assert found
        for wardrobe, look in found:
            assert np.array_equal(look.under, wardrobe.body.skin)
