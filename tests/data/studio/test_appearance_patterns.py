"""Cloth tiles: periodic, of the right kind, seen at all sizes; the atlas looks up what was put in."""

import numpy as np
import pytest
import torch

from repro.data.studio.atlas import Atlas, mip_chain
from repro.data.studio.palette import garment_palette
from repro.data.studio.patterns import FAMILIES, make_tile


def tile_of(family, seed=0, size=128):
    rng = np.random.default_rng(seed)
    return make_tile(family, rng, garment_palette(rng, 40.0), size)


def row_steps(picture):
    """Mean change from each row to the next, the last one being the change across the seam."""
    return np.abs(np.roll(picture, -1, axis=0) - picture).mean((1, 2))


@pytest.mark.parametrize("family", FAMILIES)
class TestFamilies:
    def test_shape_and_range(self, family):
        tile = tile_of(family)
        assert tile.picture.shape == (128, 128, 4)
        assert tile.picture.dtype == np.float32
        assert 0 <= tile.picture.min() <= tile.picture.max() <= 1
        assert 0.25 <= tile.metres <= 0.9

    @pytest.mark.parametrize("seed", range(3))
    def test_no_seam(self, family, seed):
        picture = tile_of(family, seed).picture
        for axis in (0, 1):
            steps = row_steps(np.swapaxes(picture, 0, axis))
            assert steps[-1] <= 1.05 * steps[:-1].max()

    def test_same_generator_same_tile(self, family):
        assert np.array_equal(tile_of(family, 5).picture, tile_of(family, 5).picture)
        assert not np.array_equal(tile_of(family, 5).picture, tile_of(family, 6).picture)

    def test_only_lace_is_transparent(self, family):
        alpha = tile_of(family).picture[..., 3]
        if family == "lace":
            assert ((alpha > 0.05) & (alpha < 0.95)).mean() > 0.3
            assert alpha.max() > 0.95
        else:
            assert (alpha == 1).all()

    def test_pattern_is_seen_at_64_pixels(self, family):
        """At about 30 mm per pixel the pattern keeps contrast: full body at 64 pixels."""
        tiles = [tile_of(family, seed, 256) for seed in range(6)]
        contrast = []
        for tile in tiles:
            level = round(np.log2(0.03 / (tile.metres / 256)))
            small = mip_chain(tile.picture)[level]
            contrast.append(small[..., :3].std((0, 1)).max() + small[..., 3].std())
        plain = family in ("plain", "denim", "photograph")  # photographs may be calm
        assert np.median(contrast) > (0.002 if plain else 0.04)


# Mean red, green, blue and the deviation of one tile of each family, 0 to 255.
GOLDEN = {
    "plain": (252.5, 119.7, 67.4, 78.1),
    "stripes": (242.0, 146.0, 144.5, 64.4),
    "plaid": (242.4, 157.2, 146.3, 65.3),
    "dots": (244.7, 137.9, 115.1, 72.0),
    "flowers": (229.4, 149.8, 119.1, 64.2),
    "camouflage": (242.7, 156.4, 142.9, 63.0),
    "marble": (241.6, 170.2, 160.3, 58.8),
    "denim": (244.2, 139.7, 101.4, 63.2),
    "knit": (227.5, 154.7, 123.6, 61.4),
    "gradient": (241.3, 162.3, 160.8, 54.4),
    "lace": (248.8, 115.0, 64.8, 77.8),
    "photograph": (227.9, 151.6, 134.0, 47.9),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_tiles_are_what_they_were(family):
    """Coarse statistics within 1/255 (other processors may round differently): raise GENERATOR_VERSION with them."""
    picture = 255 * tile_of(family, 11).picture[::2, ::2, :3]
    np.testing.assert_allclose([*picture.mean((0, 1)), picture.std()], GOLDEN[family], atol=1)


def test_the_seam_test_sees_a_seam():
    picture = tile_of("gradient").picture[:90]
    assert row_steps(picture)[-1] > 1.05 * row_steps(picture)[:-1].max()


def test_unknown_family_and_odd_size_are_refused():
    rng = np.random.default_rng(0)
    palette = garment_palette(rng, 0.0)
    with pytest.raises(ValueError, match="unknown texture family 'tweed': choose one of plain, stripes"):
        make_tile("tweed", rng, palette)
    with pytest.raises(ValueError, match="power of two"):
        make_tile("plain", rng, palette, size=100)


def test_photograph_without_scikit_image_is_procedural(monkeypatch):
    from repro.data.studio import patterns

    monkeypatch.setattr(patterns, "_read_photograph", lambda name, size: None)
    assert tile_of("photograph").picture.std() > 0.02


class TestAtlas:
    def test_every_mip_level_has_the_same_mean(self):
        chain = mip_chain(tile_of("flowers").picture)
        assert [level.shape[0] for level in chain] == [128, 64, 32, 16, 8, 4, 2, 1]
        for level in chain:
            np.testing.assert_allclose(level.mean((0, 1)), chain[0].mean((0, 1)), atol=1e-5)

    def test_pixel_centres_give_pixels(self):
        pictures = [np.random.default_rng(side).random((side, side, 3), np.float32) for side in (8, 32)]
        atlas = Atlas.build(pictures)
        for number, picture in enumerate(pictures):
            side = len(picture)
            row, column = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
            tile = torch.full((side * side,), number)
            u, v = (column.reshape(-1) + 0.5) / side, (row.reshape(-1) + 0.5) / side
            got = atlas.sample(tile, torch.full((side * side,), 1 / side), u - 3, v + 5)
            np.testing.assert_allclose(got.view(side, side, 3).numpy(), picture, atol=1e-4)

    def test_convention_between_pixels_and_around_the_edge(self):
        """Side 2, pixels 0 and 1: half-way between them, and half-way around the edge, both give 0.5."""
        picture = np.zeros((2, 2, 1), np.float32)
        picture[:, 1] = 1
        u = torch.tensor([0.25, 0.5, 0.75, 0.0, 1.0])
        got = Atlas.build([picture]).sample(torch.zeros(5, dtype=torch.int64), torch.full((5,), 0.5), u, u * 0)
        np.testing.assert_allclose(got[:, 0], [0, 0.5, 1, 0.5, 0.5], atol=1e-6)

    def test_a_footprint_of_the_whole_tile_gives_its_mean(self):
        picture = tile_of("plaid", size=64).picture
        atlas = Atlas.build([picture, np.zeros((128, 128, 4), np.float32)])
        got = atlas.sample(torch.tensor([0, 0]), torch.tensor([1.0, 40.0]), torch.rand(2), torch.rand(2))
        np.testing.assert_allclose(got, np.tile(picture.mean((0, 1)), (2, 1)), atol=1e-4)

    def test_a_footprint_between_levels_is_their_mixture(self):
        picture = np.zeros((4, 4, 1), np.float32)
        picture[0, 0] = 1
        atlas, centre = Atlas.build([picture]), torch.tensor([0.125])
        at = {f: atlas.sample(torch.tensor([0]), torch.tensor([f]), centre, centre).item() for f in (0.25, 0.5)}
        assert at[0.25] == 1
        assert at[0.5] == pytest.approx(0.25 * 0.75**2)
        between = atlas.sample(torch.tensor([0]), torch.tensor([0.25 * 2**0.5]), centre, centre).item()
        assert between == pytest.approx((at[0.25] + at[0.5]) / 2, abs=1e-6)
