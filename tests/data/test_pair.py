"""A pair computes what it is asked for, and a batch is the stack of its pairs."""

from dataclasses import dataclass, replace

import pytest
import torch

from repro.data.joints import heatmaps
from repro.data.pair import Pair, stack_pairs


@dataclass
class Shift:
    """A ground truth that is a constant shift and counts how often it is asked."""

    amount: float
    calls: int = 0

    def correspondence(self, height, width):
        self.calls += 1
        flow = torch.full((2, height, width), self.amount * width / 8)
        return flow, torch.ones(height, width, dtype=torch.bool), torch.ones(height, width, dtype=torch.bool)

    def albedo(self):
        return torch.zeros(3, 8, 8), torch.ones(3, 8, 8)

    def parts(self):
        return torch.zeros(8, 8, dtype=torch.int8), torch.ones(8, 8, dtype=torch.int8)


def pair(identity=0, truth=None, size=8, sigma=2.0):
    generator = torch.Generator().manual_seed(identity)
    return Pair(
        source=torch.rand(3, size, size, generator=generator),
        target=torch.rand(3, size, size, generator=generator),
        source_joints=torch.rand(18, 2, generator=generator).double() * size,
        target_joints=torch.rand(18, 2, generator=generator).double() * size,
        identity=identity,
        sigma=sigma,
        truth=truth,
    )


def test_poses_are_the_joints_heat_maps():
    one = pair()
    assert torch.equal(one.target_pose, heatmaps(one.target_joints, (8, 8), 2.0))
    assert torch.equal(one.source_pose, heatmaps(one.source_joints, (8, 8), 2.0))


def test_ground_truth_is_computed_once_and_only_when_asked():
    truth = Shift(3.0)
    one = pair(truth=truth)
    assert one.target_pose.shape == (18, 8, 8)
    assert truth.calls == 0
    assert one.flow.mean() == 3.0
    assert bool(one.visible.all())
    assert bool(one.person.all())
    assert truth.calls == 1
    flow, visible = one.flow_at(4, 4)
    assert flow.shape == (2, 4, 4)
    assert visible.shape == (4, 4)
    assert flow.mean() == 1.5


def test_a_batch_is_the_stack_of_its_pairs():
    pairs = [pair(i, Shift(float(i))) for i in range(3)]
    batch = stack_pairs(pairs)
    for name in ("source", "target", "source_joints", "target_joints", "source_pose", "target_pose", "flow", "visible"):
        assert torch.equal(getattr(batch, name), torch.stack([getattr(one, name) for one in pairs])), name
    for name in ("person", "source_albedo", "target_albedo", "source_parts", "target_parts"):
        assert torch.equal(getattr(batch, name), torch.stack([getattr(one, name) for one in pairs])), name
    assert batch.identity.tolist() == [0, 1, 2]
    flow, visible = batch.flow_at(4, 2)
    assert flow.shape == (3, 2, 4, 2)
    assert visible.shape == (3, 4, 2)
    assert batch.person_at(4, 2).shape == (3, 4, 2)


def test_photographs_say_that_they_know_no_flow():
    with pytest.raises(ValueError, match="no ground truth"):
        _ = pair().flow
    with pytest.raises(ValueError, match="no ground truth"):
        stack_pairs([pair(0), pair(1, Shift(1.0))]).flow_at(4, 4)


def test_pairs_of_two_sizes_do_not_stack():
    with pytest.raises(ValueError, match="8x8"):
        stack_pairs([pair(size=8), pair(size=16)])
    with pytest.raises(ValueError, match="at least one"):
        stack_pairs([])


def test_codes_of_things_are_stacked_and_moved():
    codes = torch.eye(21)
    things = [replace(pair(i), source_code=codes[i], target_code=codes[i + 1]) for i in range(3)]
    batch = stack_pairs(things)
    assert torch.equal(batch.source_code, codes[:3])
    assert torch.equal(batch.target_code, codes[1:4])
    assert batch.to("meta").target_code.is_meta
    assert stack_pairs([pair(0)]).source_code is None
    with pytest.raises(ValueError, match="got 1 with codes and 1 with joints"):
        stack_pairs([pair(0), things[1]])
