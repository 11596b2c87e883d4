"""Glyphs keep their holes, read the right way round, and sit on the side they were placed on."""

import numpy as np
import pytest
from scipy.ndimage import label

from repro.data.studio import decals

WHITE, BLACK = np.ones(3, np.float32), np.zeros(3, np.float32)


def holes(coverage):
    """Background regions that the ink encloses."""
    regions, count = label(coverage < 0.5)
    outside = set(np.unique(np.concatenate([regions[0], regions[-1], regions[:, 0], regions[:, -1]])))
    return count - len(outside - {0})


class TestFillEvenOdd:
    def test_area_of_a_square_is_exact(self):
        square = np.array([[2, 3], [7, 3], [7, 8], [2, 8]], float)
        coverage = decals.fill_even_odd([square], 10)
        assert coverage.sum() == 25
        assert coverage[3:8, 2:7].all()

    def test_half_covered_pixels(self):
        coverage = decals.fill_even_odd([np.array([[0, 0], [2.5, 0], [2.5, 4], [0, 4]], float)], 4)
        np.testing.assert_allclose(coverage[0], [1, 1, 0.5, 0])

    @pytest.mark.parametrize("direction", [1, -1])
    def test_a_hole_is_open_whichever_way_it_is_drawn(self, direction):
        outer = np.array([[1, 1], [9, 1], [9, 9], [1, 9]], float)
        inner = np.array([[3, 3], [7, 3], [7, 7], [3, 7]], float)[::direction]
        coverage = decals.fill_even_odd([outer, inner], 10)
        assert coverage.sum() == 64 - 16
        assert coverage[5, 5] == 0

    def test_what_is_outside_is_cut_off(self):
        assert decals.fill_even_odd([np.array([[-5, -5], [20, -5], [20, 20], [-5, 20]], float)], 8).sum() == 64


class TestGlyphs:
    @pytest.mark.parametrize(("text", "count"), [("B", 2), ("8", 2), ("P", 1), ("R", 1), ("T", 0), ("B8", 4), ("%", 2)])
    def test_holes_are_open(self, text, count):
        assert holes(decals.glyphs(text)[0]) == count

    def test_letters_stand_upright_and_are_not_mirrored(self):
        """An L has its foot at the bottom and its stem on the left."""
        ink = decals.glyphs("L")[0] > 0.5
        rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
        assert ink[rows[-3]].sum() > 2 * ink[rows[2]].sum()
        assert ink[:, columns[2]].sum() > 2 * ink[:, columns[-3]].sum()

    def test_width_to_height(self):
        assert decals.glyphs("I")[1] < 0.5 < decals.glyphs("W")[1]
        assert decals.glyphs("WWWW")[1] > 3 * decals.glyphs("W")[1]

    @pytest.mark.parametrize("seed", range(20))
    def test_random_texts_can_be_drawn(self, seed):
        text = decals.random_text(np.random.default_rng(seed))
        assert 1 <= len(text) <= 4
        assert decals.glyphs(text)[0].max() == 1


@pytest.mark.parametrize(
    "picture",
    [
        decals.printed("B8", WHITE)[0],
        decals.printed("B8", WHITE, BLACK)[0],
        decals.pocket(WHITE, BLACK),
        decals.placket(5, WHITE, BLACK),
        decals.buckle(WHITE, BLACK),
        decals.laces(WHITE),
    ],
    ids=["text", "rimmed text", "pocket", "placket", "buckle", "laces"],
)
def test_pictures_have_ink_and_a_transparent_border(picture):
    assert picture.shape == (decals.SIDE, decals.SIDE, 4)
    assert picture.min() >= 0
    assert picture.max() <= 1
    assert 0.02 < picture[..., 3].mean() < 0.9
    border = np.concatenate([picture[:3].reshape(-1, 4), picture[-3:].reshape(-1, 4), picture[:, :3].reshape(-1, 4)])
    assert border[:, 3].max() == 0


class TestPlace:
    def test_convention_front(self):
        """Seen from the front (+z), the picture's right is +x, its top is +y."""
        decal = decals.place(decals.pocket(WHITE, BLACK), (0, 1.3, 0), 0.2, 0.1)
        corner = np.array([0.1, 1.35, 0.1], np.float32) - decal.centre
        assert corner @ decal.right == pytest.approx(0.5, abs=1e-5)
        assert corner @ decal.down == pytest.approx(-0.5, abs=1e-5)
        assert corner @ decal.facing > 0

    def test_convention_back(self):
        """Seen from behind, the picture's right is -x: a back text is not mirrored."""
        decal = decals.place(decals.pocket(WHITE, BLACK), (0, 1.3, 0), 0.2, 0.1, "back")
        corner = np.array([-0.1, 1.35, -0.1], np.float32) - decal.centre
        assert corner @ decal.right == pytest.approx(0.5, abs=1e-5)
        assert corner @ decal.facing > 0

    def test_unknown_side(self):
        with pytest.raises(ValueError, match="unknown side 'left': choose one of front, back, top"):
            decals.place(decals.pocket(WHITE, BLACK), (0, 0, 0), 1, 1, "left")
