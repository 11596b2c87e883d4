"""How procnet is made: losses by hand, folding exact, the file gives back what was measured."""

import json
import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from safetensors import safe_open

from repro import features
from repro.data.studio.mesh import PART, PARTS
from repro.features.train_procnet import (
    Learner,
    batches,
    held_out_scores,
    identity_loss,
    part_loss,
    part_shares,
    train_procnet,
)


@dataclass
class Blocks:
    """A stand-in for the studio: each person is a coloured block with a head on it; left and right arms beside it."""

    first: int
    people: int = 6
    views: int = 3
    hash: str = "sha256:blocks"

    def __post_init__(self):
        rng = np.random.default_rng(self.first)
        count = self.people * self.views
        self.images = np.full((count, 3, 32, 32), 255, np.uint8)
        self.parts = np.full((count, 32, 32), -1, np.int8)
        self.identity = torch.arange(self.people).repeat_interleave(self.views) + self.first
        self.texture = torch.stack((self.identity % 2, torch.full((count,), -1)), dim=1)
        for i in range(count):
            colour = np.random.default_rng(int(self.identity[i])).integers(0, 200, 3)
            top, left = rng.integers(4, 12, 2)
            boxes = {
                "top": (6, 14, 4, 12),
                "head": (0, 6, 6, 10),
                "right_arm": (6, 14, 0, 4),
                "left_arm": (6, 14, 12, 16),
            }
            for part, (a, b, c, d) in boxes.items():
                place = np.s_[top + a : top + b, left + c : left + d]
                self.parts[i][place] = PART[part]
                self.images[i][(slice(None), *place)] = colour[:, None, None] if part == "top" else 30 * PART[part]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("procnet")
    return folder, train_procnet(folder, Blocks(0), Blocks(100), steps=150, seed=0, command="make it")


class TestLosses:
    def test_part_shares_by_hand(self):
        labels = torch.zeros(1, 4, 4, dtype=torch.long)
        labels[0, :2, 0] = 3
        shares = part_shares(labels, (2, 2))
        assert shares.shape == (1, 1 + len(PARTS), 2, 2)
        assert shares[0, 3].tolist() == [[0.5, 0], [0, 0]]
        torch.testing.assert_close(shares.sum(1), torch.ones(1, 2, 2))

    def test_part_loss_of_a_uniform_guess(self):
        labels = torch.randint(0, 1 + len(PARTS), (2, 8, 8), generator=torch.Generator().manual_seed(0))
        loss = part_loss({"stage3": torch.zeros(2, 1 + len(PARTS), 4, 4)}, labels)
        assert loss.item() == pytest.approx(math.log(1 + len(PARTS)), abs=1e-5)

    def test_identity_loss_by_hand(self):
        # Two people, two views each; own views agree (cosine 1), others are at right angles (cosine 0), tau 0.1.
        vectors = torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1]])
        expected = -math.log(math.exp(10) / (math.exp(10) + 2))
        assert identity_loss(vectors, torch.tensor([5, 5, 8, 8])).item() == pytest.approx(expected, rel=1e-3)


class TestBatches:
    def test_two_views_of_each_person_in_range(self):
        batch = next(batches(Blocks(0), 1, np.random.default_rng(0)))
        people, counts = batch.identity.unique(return_counts=True)
        assert len(people) == 6
        assert counts.tolist() == [2] * 6
        assert batch.images.shape == (12, 3, 32, 32)
        assert batch.images.abs().max() <= 1
        assert batch.parts.min() >= 0
        assert batch.parts.max() <= len(PARTS)

    def test_mirrored_people_keep_their_right_arm_on_the_right_side_of_the_label(self):
        """In these pictures the right arm is left of the left one; after a flip the labels change sides with them."""
        for batch in batches(Blocks(0), 5, np.random.default_rng(1)):
            for parts in batch.parts:
                right, left = ((parts == 1 + PART[name]).nonzero()[:, 1].float() for name in ("right_arm", "left_arm"))
                if len(right) and len(left):
                    assert right.mean() < left.mean()

    def test_pictures_and_parts_stay_together(self):
        """The head is the only thing of its brightness."""
        head = 30 * PART["head"] / 127.5 - 1
        for batch in batches(Blocks(0), 3, np.random.default_rng(2)):
            mask = batch.parts == 1 + PART["head"]
            inner = -torch.nn.functional.max_pool2d(-mask.float()[:, None], 3, 1, 1)[:, 0] > 0
            assert (batch.images.movedim(1, -1)[inner] - head).abs().max() < 0.31  # gain and offset at most 0.1 each


def test_folding_is_exact():
    """Normalisation with learnt statistics, folded into the convolutions, gives the same maps."""
    learner = Learner(3, 2, torch.Generator().manual_seed(0))
    images = torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1
    for norm in learner.norms:
        norm.momentum = 0.5
        torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
        torch.nn.init.uniform_(norm.bias, -0.5, 0.5)
    for _ in range(3):
        learner(images)
    learner.eval()
    maps = learner.folded()(images, taps=("stage3", "stage5"))
    parts, *_ = learner(images)
    for stage in maps:
        torch.testing.assert_close(learner.parts[stage](maps[stage]), parts[stage], atol=1e-4, rtol=1e-4)


class TestTraining:
    def test_file_gives_back_what_was_measured(self, trained):
        folder, record = trained
        assert json.loads((folder / "procnet.json").read_text()) == record
        net = features.load("procnet", folder / "procnet.safetensors")
        assert net.weights_hash == record["weights_hash"]
        with safe_open(folder / "procnet.safetensors", "pt") as file:
            assert {file.get_tensor(key).dtype for key in file.keys()} == {torch.float16}  # noqa: SIM118
        assert (folder / "procnet.safetensors").stat().st_size < 3e6

    def test_taps_have_unit_mean(self, trained):
        folder, _ = trained
        net = features.load("procnet", folder / "procnet.safetensors")
        images = torch.from_numpy(Blocks(0).images).float() / 127.5 - 1
        for tap, x in net(images, taps=tuple(net.taps)).items():
            assert x.abs().mean().item() == pytest.approx(1, abs=2e-3), tap

    def test_it_learns(self, trained):
        _, record = trained
        untrained = held_out_scores(
            Learner(2, 2, torch.Generator().manual_seed(0)), Blocks(100), known=torch.tensor([0, 1])
        )
        assert record["held_out"]["part_iou"] > untrained["part_iou"] + 0.2
        assert record["final_losses"]["identity"] < 2.4  # log 11: a guess among the others of a batch

    def test_record_says_how(self, trained):
        _, record = trained
        assert record["data"] == {"train": "sha256:blocks", "test": "sha256:blocks", "views": [18, 18]}
        assert (record["steps"], record["seed"], record["command"]) == (150, 0, "make it")
        assert "torch" in record["versions"]

    def test_same_seed_same_network(self, tmp_path):
        hashes = [
            train_procnet(tmp_path / str(i), Blocks(0), Blocks(100), steps=2, seed=seed)["weights_hash"]
            for i, seed in enumerate((3, 3, 4))
        ]
        assert hashes[0] == hashes[1] != hashes[2]

    def test_refuses_people_in_both_sets(self, tmp_path):
        with pytest.raises(ValueError, match="no person in both sets, got 6 shared"):
            train_procnet(tmp_path, Blocks(0), Blocks(0), steps=1)
