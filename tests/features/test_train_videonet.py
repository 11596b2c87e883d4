"""How videonet is made: disturbances by hand, changes by hand, folding exact, the file gives back what was measured."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from safetensors import safe_open

from repro import features
from repro.features.disturbances import frozen, in_other_order, jittered
from repro.features.train_videonet import (
    TREATMENTS,
    Films,
    Learner,
    batches,
    held_out_scores,
    plain_windows,
    train_videonet,
    window,
)
from repro.features.videonet import VideoNet, with_changes


@dataclass
class Squares:
    """A stand-in for the studio: a coloured square that slides to the right (kind 0) or down (kind 1)."""

    first: int
    hash: str = "sha256:squares"

    @property
    def kind(self):
        return torch.arange(6) % 2

    def whole(self, name):
        assert name == "images"
        images = np.full((6, 40, 3, 16, 16), 255, np.uint8)
        for clip in range(6):
            colour = np.random.default_rng(self.first + clip).integers(0, 200, (3, 1, 1))
            for frame in range(40):
                y, x = (2, frame // 4) if clip % 2 == 0 else (frame // 4, 2)
                images[clip, frame, :, y : y + 5, x : x + 5] = colour
        return images


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videonet")
    return folder, train_videonet(folder, [Squares(0)], [Squares(100)], steps=60, seed=0, command="make it")


class TestDisturbances:
    def test_pieces_stay_whole_and_never_in_their_own_order(self):
        frames = torch.arange(16)
        for seed in range(20):
            order = in_other_order(frames, 2, rng(seed))  # two pieces have one other order
            assert order.tolist() == [*range(8, 16), *range(8)]
            order = in_other_order(frames, 4, rng(seed)).view(4, 4)
            assert sorted(order[:, 0].tolist()) == [0, 4, 8, 12]
            assert bool((order.diff(dim=1) == 1).all())
            assert order[:, 0].tolist() != [0, 4, 8, 12]

    def test_a_jittered_frame_is_the_frame_moved(self):
        frames = torch.arange(6 * 3 * 8 * 9.0).view(6, 3, 8, 9)
        moved = jittered(frames, rng(), reach=1)
        inner = {
            (y, x)
            for own, source in zip(moved, frames)
            for y in (-1, 0, 1)
            for x in (-1, 0, 1)
            if torch.equal(own[:, 1:-1, 1:-1], source[:, 1 + y : 7 + y, 1 + x : 8 + x])
        }
        assert len(inner) > 2  # every frame by a move of its own
        assert torch.equal(jittered(frames, rng(), reach=0), frames)

    def test_a_frozen_clip_is_its_first_frame(self):
        assert frozen(torch.arange(4).view(4, 1)).flatten().tolist() == [0, 0, 0, 0]

    @pytest.mark.parametrize("pieces", [1, 3])
    def test_exception(self, pieces):
        with pytest.raises(ValueError, match="that divide 16 frames"):
            in_other_order(torch.arange(16), pieces, rng())


class TestWindow:
    def test_treatments(self):
        images = np.arange(40, dtype=np.uint8).reshape(40, 1, 1, 1).repeat(3, 1).repeat(8, 2).repeat(8, 3)
        steps = {name: window(images, name, rng(1))[:, 0, 0, 0].diff() for name in TREATMENTS}
        assert steps["none"].tolist() == [1] * 15
        assert steps["twice as fast"].tolist() == [2] * 15
        assert steps["jitter"].tolist() == [1] * 15  # these pictures are flat
        jumps = steps["pieces in another order"]
        assert 1 <= int((jumps != 1).sum()) <= 3

    def test_every_place_of_the_clip_is_seen(self):
        images = np.arange(33, dtype=np.uint8).reshape(33, 1, 1, 1)
        fast = {int(window(images, "twice as fast", generator)[0]) for generator in [rng()] for _ in range(40)}
        assert fast == {0, 1, 2}  # 31 frames from the first to the last

    def test_batches(self):
        films = Films.of([Squares(0), Squares(50)])
        batch = next(batches(films, 1, rng()))
        people, counts = batch.person.unique(return_counts=True)
        assert len(people) == len(batch.person) // 2
        assert set(counts.tolist()) == {2}
        assert batch.frames.shape == (len(batch.person), 16, 3, 16, 16)
        assert torch.equal(batch.kind, films.kind[batch.person])
        assert batch.frames.abs().max() <= 1


class TestNetwork:
    def test_changes_by_hand(self):
        video = torch.zeros(1, 3, 3, 2, 2)
        video[:, :, 1, 0, 0] = 1.0  # a quarter of the block for one frame
        found = with_changes(video)
        assert found.shape == (1, 6, 3, 1, 1)
        assert found[0, 0].flatten().tolist() == [0, 0.25, 0]
        assert found[0, 3].flatten().tolist() == [0, 1.0, -1.0]

    def test_folding_is_exact(self):
        learner = Learner(2, torch.Generator().manual_seed(0))
        frames = torch.rand(4, 16, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
        for norm in learner.norms:
            norm.momentum = 0.5
            torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
            torch.nn.init.uniform_(norm.bias, -0.5, 0.5)
        learner(frames)
        learner.eval()
        vector = learner.network()(frames)
        torch.testing.assert_close(learner.heads["kind"](vector), learner(frames)["kind"], atol=1e-4, rtol=1e-4)

    def test_other_sizes_are_brought_to_its_own(self):
        network = features.load_video("videonet", "random:0")
        frames = torch.rand(2, 16, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
        large = frames.repeat_interleave(2, -1).repeat_interleave(2, -2)
        torch.testing.assert_close(network(large), network(frames))
        assert network(frames[:, :, :, :40, :50]).shape == (2, VideoNet.dimension)
        assert torch.equal(network.train()(frames), network(frames))


class TestTraining:
    def test_file_gives_back_what_was_measured(self, trained):
        folder, record = trained
        assert json.loads((folder / "videonet.json").read_text()) == record
        network = features.load_video("videonet", folder / "videonet.safetensors")
        assert network.weights_hash == record["weights_hash"]
        with safe_open(folder / "videonet.safetensors", "pt") as file:
            assert {file.get_tensor(key).dtype for key in file.keys()} == {torch.float16}  # noqa: SIM118
        assert (folder / "videonet.safetensors").stat().st_size < 3e6

    def test_entries_have_unit_spread(self, trained):
        folder, _ = trained
        network = features.load_video("videonet", folder / "videonet.safetensors")
        vectors = torch.cat([network(plain_windows(clip)) for clip in Squares(0).whole("images")])
        spread = vectors.std(0)
        assert spread.max() == pytest.approx(1, abs=5e-3)

    def test_it_learns(self, trained):
        _, record = trained
        untrained = held_out_scores(
            Learner(2, torch.Generator().manual_seed(0)), Films.of([Squares(100)]), known=torch.tensor([0, 1])
        )
        assert record["held_out"]["treatment_accuracy"] > untrained["treatment_accuracy"] + 0.2

    def test_record_says_how(self, trained):
        _, record = trained
        assert record["data"] == {"train": ["sha256:squares"], "test": ["sha256:squares"], "clips": [6, 6]}
        assert (record["network"], record["steps"], record["seed"], record["command"]) == ("videonet", 60, 0, "make it")

    def test_same_seed_same_network(self, tmp_path):
        hashes = [
            train_videonet(tmp_path / str(i), [Squares(0)], [Squares(9)], steps=1, seed=seed)["weights_hash"]
            for i, seed in enumerate((0, 0, 1))
        ]
        assert hashes[0] == hashes[1] != hashes[2]
        assert (tmp_path / "2" / "videonet_seed1.safetensors").is_file()

    def test_other_seeds_have_no_name(self, tmp_path):
        with pytest.raises(ValueError, match="a seed out of 0, 1"):
            train_videonet(tmp_path, [Squares(0)], [Squares(1)], steps=1, seed=2)
