"""The order of the pairs follows from seed and step alone; mirroring moves image, joints and mask together."""

import pytest
import torch
from tiny import RandomPairs

from repro.training.batches import Batches, as_batch, loader


def batches(seed=0, stage="joint", flips=False, length=7):
    return Batches(RandomPairs(length), batch=2, seed=seed, stage=stage, sigma=2.0, flips=flips)


def test_an_epoch_shows_every_pair_at_most_once_and_drops_the_rest():
    one = batches()
    epochs = [[i for step in range(e * 3, e * 3 + 3) for i in one.indices(step)] for e in range(4)]
    assert all(len(set(epoch)) == 6 for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4


def test_the_order_has_no_memory():
    forward = [batches().indices(step) for step in range(12)]
    assert [batches().indices(step) for step in reversed(range(12))] == forward[::-1]


def test_seed_and_stage_decide_the_order():
    orders = {
        tuple(i for step in range(9) for i in batches(seed, stage).indices(step))
        for seed in (0, 1)
        for stage in ("flow", "joint")
    }
    assert len(orders) == 4


def test_about_half_of_the_pairs_are_mirrored():
    share = torch.cat([batches(flips=True).mirrored(step) for step in range(500)]).float().mean()
    assert 0.45 < share < 0.55
    assert not batches().mirrored(0).any()


def test_mirroring_moves_image_joints_and_mask_together():
    pair = RandomPairs()[3]
    plain = as_batch([pair], 2.0)
    mirrored = as_batch([pair], 2.0, torch.tensor([True]))
    assert torch.equal(mirrored.source, plain.source.flip(-1))
    assert torch.equal(mirrored.person, plain.person.flip(-1))
    # the right wrist's (4) peak is the mirror image of the left wrist's (7); whole pixels, so up to one column
    peak = lambda pose, joint: divmod(int(pose[0, joint].argmax()), 64)  # noqa: E731
    (row, column), (row_mirrored, column_mirrored) = peak(plain.target_pose, 7), peak(mirrored.target_pose, 4)
    assert row == row_mirrored
    assert abs((63 - column) - column_mirrored) <= 1
    assert not mirrored.target_pose[0, 6].any()  # joint 3 is missing: mirrored, it is joint 6


def test_images_are_minus_one_to_one():
    batch = as_batch([RandomPairs()[0]], 2.0)
    assert torch.equal(batch.target, RandomPairs()[0].target[None] * 2 - 1)
    assert batch.person.shape == (1, 1, 64, 64)
    assert int(batch.person.sum()) == 32 * 24


def test_photographs_have_no_mask():
    pair = RandomPairs()[0]
    pair.truth = None
    assert as_batch([pair], 2.0).person is None


def test_the_loader_starts_anywhere():
    whole = [batch.source for batch in loader(batches(flips=True), 0, 5)]
    part = [batch.source for batch in loader(batches(flips=True), 3, 5)]
    assert all(torch.equal(a, b) for a, b in zip(whole[3:], part, strict=True))


def test_too_few_pairs_for_one_batch():
    with pytest.raises(ValueError, match=r"at least 2 examples .* has 1"):
        batches(length=1)
