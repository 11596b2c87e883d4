"""The figures' pages: which pairs they show, how much detail a picture has, what attention reads, what is hidden."""

import numpy as np
import pandas as pd
import pytest
import torch

from repro.pages import attention_heat, held_out, occlusion
from repro.pages.example import example_network
from repro.pages.reading import region_weights
from repro.pages.variants import detail


def frame(whole, visible, hidden):
    return pd.DataFrame({"l1_person": [whole], "l1_person_visible": [visible], "l1_person_hidden": [hidden]})


class TestHeldOut:
    def test_the_hidden_share_is_solved_from_the_record(self, monkeypatch):
        """A quarter hidden: 0.75 x 0.1 + 0.25 x 0.3 = 0.15. A row whose parts are equally wrong says nothing."""
        rows = {"full": frame(0.15, 0.1, 0.3), "same": frame(0.2, 0.2, 0.2), "other": frame(0.25, 0.3, 0.1)}
        monkeypatch.setattr(held_out, "recorded", lambda: [type("R", (), {"row": row}) for row in rows])
        monkeypatch.setattr(held_out, "scores", rows.__getitem__)
        assert held_out.hidden_shares().tolist() == pytest.approx([0.25])

    def test_recorded_shares_and_movements_are_those_of_the_studio(self):
        pair = held_out.pairs()[3]
        share = 1 - float(pair.visible.sum() / pair.person.sum())
        assert held_out.hidden_shares()[3] == pytest.approx(share, abs=2e-3)
        assert held_out.movement()[3] == pytest.approx(float(pair.flow.norm(dim=0)[pair.visible].mean()), rel=1e-4)
        assert held_out.hidden_shares().between(0, 1).all()

    def test_equal_steps_from_the_smallest_to_the_largest(self):
        values = pd.Series([5.0, 1.0, np.nan, 3.0, 2.0, 4.0], index=[10, 11, 12, 13, 14, 15])
        assert held_out.spaced(values, 3) == [11, 13, 10]
        assert held_out.spaced(values, 5) == [11, 14, 13, 15, 10]


class TestDetail:
    TARGET = torch.tensor([[0.0, 1.0], [0.0, 1.0]]).expand(3, 2, 2)
    ALL = torch.ones(2, 2, dtype=torch.bool)

    def test_the_target_itself(self):
        assert detail(self.TARGET, self.TARGET, self.ALL) == pytest.approx((1, 1))

    def test_brightness_is_no_detail_and_half_the_contrast_is_half(self):
        assert detail(0.3 + self.TARGET / 2, self.TARGET, self.ALL) == pytest.approx((0.5, 1))

    def test_stripes_across_agree_with_nothing(self):
        assert detail(self.TARGET.mT, self.TARGET, self.ALL) == pytest.approx((1, 0))

    def test_steps_over_the_border_do_not_count(self):
        """Only the left column: it has no step to the right, and none downwards."""
        left = torch.tensor([[True, False], [True, False]])
        speckled = self.TARGET.clone()
        speckled[:, 1, 0] = 0.5
        assert detail(speckled, speckled, left) == pytest.approx((1, 1))
        assert not np.isfinite(detail(speckled, self.TARGET, left)[0])


@pytest.fixture(scope="module")
def seen():
    """A pair of which half is hidden, and what every row with attention makes of it."""
    pair = held_out.pairs()[3]
    return pair, {row: held_out.answer(row, pair) for row in attention_heat.ROWS}


class TestAttentionHeat:
    @pytest.mark.parametrize("row", attention_heat.ROWS)
    def test_every_position_reads_with_a_total_of_one(self, seen, row):
        weights = attention_heat.reading(row, seen[1][row])
        assert weights.shape == (256, 16, 16)
        torch.testing.assert_close(weights.sum((1, 2)), torch.ones(256), atol=1e-5, rtol=0)
        assert float(weights.min()) >= 0

    def test_the_heat_of_local_attention_is_what_its_gradient_says(self, seen):
        """Two ways to the same weights: reading one-hot sources, and the gradient of what was read."""
        marked = slice(3, 6), slice(7, 10)
        positions = torch.zeros(16, 16)
        positions[marked] = 1
        network, output = example_network("full")[0], seen[1]["full"]
        found = attention_heat.heat(attention_heat.reading("full", output), marked)
        torch.testing.assert_close(found, region_weights(network, output, 2, positions), atol=1e-5, rtol=1e-4)
        assert float(found.sum()) == pytest.approx(9, abs=1e-4)

    @pytest.mark.parametrize("row", ["bi_sample", "global_attn"])
    def test_the_reading_gives_what_the_network_reads(self, seen, row):
        """The weights times the source's features are what the attention returns."""
        output = seen[1][row]
        attention, (source, target, *flow) = example_network(row)[0].attention(2), output.attention_inputs[2]
        weights = attention_heat.reading(row, output)
        if flow:
            read = torch.einsum("nhw,chw->cn", weights, source[0]).unflatten(1, (16, 16))
            torch.testing.assert_close(read, attention(source, target, *flow)[0], atol=1e-4, rtol=1e-4)
        else:
            read = torch.einsum("nhw,chw->cn", weights, attention.value(source)[0]).unflatten(1, (16, 16))
            torch.testing.assert_close(
                target[0] + attention.gamma * read, attention(source, target)[0], atol=1e-4, rtol=1e-4
            )

    def test_a_flow_between_four_positions_reads_all_four(self):
        flow = torch.zeros(1, 2, 4, 4)
        flow[0, :, 1, 1] = torch.tensor([1.25, 0.5])  # x, y
        read = attention_heat.flow_reading(flow)[5]
        expected = torch.zeros(4, 4)
        expected[1, 2:], expected[2, 2:] = torch.tensor([0.375, 0.125]), torch.tensor([0.375, 0.125])
        torch.testing.assert_close(read, expected)

    def test_outside_of_the_picture_the_edge_is_read(self):
        read = attention_heat.flow_reading(torch.full((1, 2, 4, 4), 9.0))
        assert (read[:, 3, 3] == 1).all()

    def test_the_region_is_where_most_is_visible(self):
        visible = torch.zeros(16, 16, dtype=torch.bool)
        visible[4:9, 6:11] = True
        visible[0, 0] = True
        assert attention_heat.region(visible) == (slice(5, 8), slice(7, 10))

    def test_aim_by_hand(self):
        """Two positions look where they should, one of them half; the third looks four to the right of its place."""
        where = torch.tensor([[True, True, True, False, False, False, False, False]])
        weights = torch.zeros(8, 1, 8, dtype=torch.float64)
        weights[0, 0, 0], weights[1, 0, 1], weights[2, 0, 6] = 1, 0.5, 1
        weights[1, 0, 5] = 0.5
        wide, off, near = attention_heat.aim(weights, torch.zeros(2, 1, 8), where)
        assert (wide, off, near) == pytest.approx(((1 + 2 + 1) / 3, (0 + 2 + 4) / 3, (1 + 0.5 + 0) / 3))

    def test_the_exact_flow_aims_exactly(self, seen):
        """Where it stays in the picture; beyond the border the edge is read."""
        weights, visible = attention_heat.true_reading(seen[0])
        wide, off, near = attention_heat.aim(weights, seen[0].flow_at(16, 16)[0], visible)
        assert wide <= 4
        assert (off, near) == pytest.approx((0, 1), abs=0.05)


class TestOcclusion:
    @pytest.fixture
    def recorded(self, monkeypatch):
        """Six pairs of three persons, hidden by 10 to 60 percent; the score falls as more is hidden, but for one."""
        scores = pd.DataFrame({"identity": [1, 1, 2, 2, 3, 3], "l1_person": [6.0, 5, 4, 3, 2, 7], "other": range(6)})
        shares = pd.Series([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
        monkeypatch.setattr(held_out, "scores", lambda row: scores)
        monkeypatch.setattr(held_out, "hidden_shares", lambda: shares)
        return scores

    def test_group_means_by_hand(self, recorded):
        found = occlusion.groups("full")
        assert found.index.tolist() == ["0% to 20%", "20% to 40%", "40% to 60%"]
        assert found["L1 on the person"].tolist() == [5.5, 3.5, 4.5]
        assert found["pairs"].tolist() == [2, 2, 2]

    def test_rank_correlation(self, recorded):
        """Ranks 5 4 3 2 1 6 against 1 ... 6: rho = 1 - 6 x 40 / (6 x 35) = -1/7."""
        found = occlusion.rank_correlation("l1_person", repeats=50)
        assert (found.mean, found.n) == (pytest.approx(-1 / 7), 6)
        assert found.low < found.mean < found.high
        assert found == occlusion.rank_correlation("l1_person", repeats=50)
        rising = occlusion.rank_correlation("other", repeats=50)
        assert (rising.mean, rising.low, rising.high) == pytest.approx((1, 1, 1))

    def test_persons_are_drawn_whole(self, recorded):
        """Both pairs of each person lie on a rising line; only between persons does it fall."""
        recorded["l1_person"] = [5.0, 6, 3, 4, 1, 2]
        found = occlusion.rank_correlation("l1_person", repeats=200)
        assert found.high == 1  # one person drawn three times

    def test_what_is_hidden_is_painted_and_nothing_else(self, seen):
        pair = seen[0]
        hidden = pair.person & ~pair.visible
        picture = occlusion.hidden_part(pair)
        assert (picture[:, hidden] == occlusion.COLOUR[:, 0]).all()
        torch.testing.assert_close(picture[:, ~hidden], 0.4 * pair.target[:, ~hidden] + 0.6)

    def test_the_source_along_a_flow_of_one_position_is_four_pixels_off(self, seen):
        pair, output = seen[0], seen[1]["full"]
        flow = torch.zeros_like(output.flows[-1])
        same = occlusion.followed(pair, output._replace(flows=[flow]))
        assert torch.equal(same, pair.source)
        flow[:, 0] = 1
        moved = occlusion.followed(pair, output._replace(flows=[flow]))
        torch.testing.assert_close(moved[:, :, :60], pair.source[:, :, 4:])

    def test_errors_and_masks_are_those_of_their_part(self, seen, monkeypatch):
        """A network that returns the target where it is shown, and white elsewhere; its mask is 1 on the person."""
        pair, output = seen[0], seen[1]["full"]
        image = torch.where(pair.visible, 2 * pair.target - 1, 1.0)[None]
        mask = pair.person_at(16, 16).float()[None, None]
        flows = [torch.zeros_like(output.flows[-1])]
        monkeypatch.setattr(
            held_out, "answer", lambda row, pair: output._replace(image=image, flows=flows, masks=[mask])
        )
        line = occlusion.result_and_warp([3]).iloc[0]
        hidden = pair.person & ~pair.visible
        assert line["shown", "result"] == pytest.approx(0, abs=1e-6)
        assert line["hidden", "result"] == pytest.approx(float((1 - pair.target)[:, hidden].mean()), rel=1e-5)
        assert line["shown", "along the flow"] == pytest.approx(
            float((pair.source - pair.target).abs()[:, pair.visible].mean()), rel=1e-5
        )
        assert occlusion.mask_means([3]).to_dict() == {"shown": 1, "hidden": 1, "wall": 0}
