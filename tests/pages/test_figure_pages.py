"""The figures' pages: which pairs they show, how much detail a picture has, what attention reads, what is hidden."""

import numpy as np
import pandas as pd
import pytest
import torch

from repro.pages import held_out
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
