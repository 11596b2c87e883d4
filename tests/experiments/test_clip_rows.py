"""Table IV's rows: where they start, what skeletons drive them, clips made in one go."""

from unittest.mock import Mock

import pytest
import torch

from repro import data, experiments, paths, records
from repro.config import apply
from repro.data import exports
from repro.data.clip import Clip
from repro.experiments import Folders, clips, learns, request, resolve, run_row, run_table, table
from repro.experiments.weights import half, weights_hash
from repro.models import GFLA, MotionExtractionNetwork, SequentialGFLA
from repro.training.clip_batches import structures

ROWS = experiments.TABLES["IV"].rows
SHORT = {"model.width": 0.125, "batch": 2, "flow.steps": 1, "joint.steps": 1, "clip.steps": 2, "clip.frames": 12}
SHORT |= {"clip.batch": 1, "evaluation.clips": 1}


def random_clip(frames=9, index=0):
    draw = torch.Generator().manual_seed(index)
    joints = torch.rand(2, frames, 17, 2, generator=draw, dtype=torch.float64) * 64
    images = torch.rand(frames, 3, 64, 64, generator=draw)
    return Clip(images, joints[0], joints[1], images[0], joints[1, 0], index, 25.0, sigma=2.0)


class Clips:
    """A set of random clips."""

    name, split, size, sigma, hash = "fashion_video", "test", (64, 64), 2.0, "sha256:set"
    held_out = torch.tensor([False, True, False, True])

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return random_clip(index=index)


class TestRows:
    def test_the_papers_three_steps_and_what_each_adds(self):
        found = {row: resolve("IV", row, "laptop").config for row in ROWS}
        assert {row for row, one in found.items() if one.model.kind == "sequential"} == {
            "seq_animation",
            "ours_animation",
            "no_temporal_discriminator",
        }
        assert {row for row, one in found.items() if one.data.skeletons == "extracted"} == {
            "ours_animation",
            "no_temporal_discriminator",
        }
        assert {row for row, one in found.items() if not one.clip.temporal_adversarial} == {"no_temporal_discriminator"}
        assert [row for row in ROWS if not learns("IV", row)] == ["copy_source", "exact_flow"]

    def test_all_go_on_from_one_pair_network(self):
        starts = {row: resolve("IV", row, "laptop").config.model.start_from for row in ROWS if learns("IV", row)}
        assert starts.pop("pair_network") == ""
        assert set(starts.values()) == {"pair_network"}

    @pytest.mark.parametrize("profile", ["laptop", "gpu"])
    def test_naive_animation_sees_as_many_more_frames_as_the_sequential_rows(self, profile):
        naive, seq = (resolve("IV", row, profile).config for row in ("naive_animation", "seq_animation"))
        assert naive.joint.steps * naive.batch == seq.clip.steps * seq.clip.batch * 6

    def test_of_the_real_sets_only_iper_has_masks(self):
        masked = {
            name: resolve("IV", "seq_animation", "laptop", name)
            for name in ("fashion_video", "fashionvideo", "iper_real")
        }
        assert [one.config.losses.foreground_mask for one in masked.values()] == [True, False, True]

    def test_the_authors_weights_of_the_losses(self):
        clip = resolve("IV", "ours_animation", "paper").config.clip
        assert (clip.correctness, clip.regularization, clip.l1, clip.perceptual, clip.style) == (5, 0.0025, 5, 0.5, 500)
        assert (clip.adversarial, clip.temporal_adversarial, clip.batch, clip.frames) == (2, 2, 2, 30)


class TestAnimation:
    def test_a_pair_network_makes_every_frame_by_itself(self):
        network = GFLA.preset("fashion", 0.125, init_gain=1.0, seed=0, pose_channels=20).eval()
        clip = random_clip()
        made = clips.animate(network, clip, "noisy")
        pose = structures(clip, "noisy")[8:]
        alone = network(clip.source[None] * 2 - 1, clip.source_pose[None], pose).image[0]
        assert made.shape == clip.frames.shape
        torch.testing.assert_close(made[8], (alone + 1) / 2, rtol=0, atol=1e-5)

    def test_a_sequential_one_goes_on_from_its_own_frames(self):
        network = SequentialGFLA.preset(0.125, init_gain=1.0, seed=0).eval()
        clip = random_clip()
        made = clips.animate(network, clip, "clean")
        with torch.no_grad():
            whole = network(clip.source[None] * 2 - 1, clip.source_pose[None], clip.poses[None]).images[0]
        assert torch.equal(made, ((whole + 1) / 2).clamp(0, 1))
        assert not torch.equal(made, clips.animate(network, clip, "noisy"))

    def test_side_by_side_is_as_alone(self):
        network = SequentialGFLA.preset(0.125, init_gain=1.0, seed=0).eval()
        several = [random_clip(index=index) for index in range(3)]
        made = clips.animate_together(network, several, "noisy")
        alone = torch.stack([clips.animate(network, clip, "noisy") for clip in several])
        torch.testing.assert_close(made, alone, rtol=0, atol=1e-5)


class TestExtracted:
    def network(self):
        return MotionExtractionNetwork.preset(0.125, init_gain=1.0, seed=0).eval()

    def test_clean_skeletons_are_the_networks_and_nothing_else_changes(self):
        own = clips.Extracted(Clips(), self.network(), "zero", "abc")
        clip, plain = own[1], Clips()[1]
        assert clip.joints_clean.shape == (9, 17, 2)
        assert torch.equal(clip.joints_clean, clips.extract_motion(self.network(), plain.joints_noisy, 64))
        assert torch.equal(clip.joints_noisy, plain.joints_noisy)
        assert torch.equal(clip.frames, plain.frames)

    def test_the_set_is_named_by_the_clips_and_the_network(self):
        one, other = (clips.Extracted(Clips(), self.network(), "zero", name) for name in ("abc", "abd"))
        assert one.hash != other.hash != Clips.hash
        assert (one.name, one.split, len(list(one))) == ("fashion_video", "test", 4)
        assert torch.equal(one.held_out, Clips.held_out)
        assert not hasattr(one, "prepare")

    def test_without_a_trained_network_the_message_says_what_to_run(self, tmp_path, monkeypatch):
        monkeypatch.setenv("REPRO_ROOT", str(tmp_path))
        config = apply(resolve("IV", "ours_animation", "smoke").config, {"evaluation.clips": 1})
        with pytest.raises(FileNotFoundError, match=r"repro table motion --profile laptop --rows men_adaln --record"):
            clips.splits(config, request("IV", "smoke"))


def test_the_fixed_list_of_clips_and_its_held_out_part():
    assert clips.TestClips.of(Clips(), 9).subsets() == {"held_out": [1, 3]}
    few = clips.TestClips.of(Clips(), 2)
    assert len(few) == 2
    assert torch.equal(few[0].frames, Clips()[few.indices[0]].frames)


@pytest.fixture(scope="session")
def clips_cache():
    for split in ("train", "test"):
        data.load("fashion_video", split, size=64, scale="tiny").prepare(1)
    return paths.cache()


@pytest.fixture
def clip_house(clips_cache, furnish):
    return furnish(clips_cache, SHORT)


@pytest.mark.slow
class TestLine:
    def wish(self, house, **changes):
        return request("IV", "smoke", **({"device": "cpu", "out": house / "out"} | changes))

    def test_a_sequential_row_trains_what_it_goes_on_from_and_reuses_it(self, clip_house, capsys):
        one = self.wish(clip_house, seeds=1)
        seq = run_row(one, "seq_animation", 1)
        start = next(r for r in records.read("IV", "smoke", one.out / "records") if r.row == "pair_network")
        assert (seq.steps, start.steps, seq.n, start.seed) == (2, 2, 1, 1)
        assert seq.features["pair_network"] == start.weights_hash
        assert {"l1_person", "warping_error_residual", "flicker_residual"} < set(seq.metrics)
        assert seq.parameters > start.parameters
        assert seq.flops > start.flops
        capsys.readouterr()
        assert run_row(one, "seq_animation", 1) == seq
        assert capsys.readouterr().out.count("reused, recorded") == 2

        # The network that it started from may be missing: it is put together again from its checkpoint.
        (file,) = Folders(one.out).weights.glob("*pair_network*")
        file.unlink()
        again = run_row(one, "seq_animation", 1, reuse="nothing")
        assert (again.weights_hash, again.metrics) == (seq.weights_hash, seq.metrics)
        assert file.exists()

    def test_files_in_the_layout_of_fashionvideo_become_a_record(self, clip_house):
        sets = [data.load("fashion_video", split, size=64, scale="tiny") for split in ("train", "test")]
        exports.export(sets, clip_house / "files")
        one = run_row(self.wish(clip_house, dataset="fashionvideo", root=clip_house / "files"), "seq_animation")
        assert (one.dataset, one.n, one.steps) == ("fashionvideo", 1, 2)
        assert "l1" in one.metrics
        assert not any(name.startswith(("warping", "flicker")) for name in one.metrics)  # films have no ground truth
        assert any("No masks of the person" in note for note in one.notes)

    def test_rows_that_learn_nothing(self, clip_house):
        still, moved = run_table(self.wish(clip_house, rows="copy_source,exact_flow"))
        assert still.metrics["flicker_residual"] > moved.metrics["flicker_residual"]
        assert moved.metrics["l1_person_visible"] < still.metrics["l1_person_visible"]

    def test_skeletons_are_cleaned_by_the_recorded_network(self, clip_house):
        network = MotionExtractionNetwork.preset(0.25, init_gain=1.0, seed=0)
        config = resolve("motion", "men_adaln", "laptop").config
        tensors = half(network)
        values = dict.fromkeys(records.Record.__dataclass_fields__, "")
        values |= {"table": "motion", "row": "men_adaln", "dataset": "h36m", "profile": "laptop", "seed": 0}
        values |= {"config": experiments.run.to_mapping(config), "weights_hash": weights_hash(tensors), "schema": 1}
        record = records.Record(**values)
        records.append(record)
        experiments.weights.export(tensors, record, paths.weights())
        one = run_row(self.wish(clip_house), "ours_animation")
        sets = [data.load("fashion_video", split, 64, "tiny") for split in ("train", "test")]
        assert one.dataset_hash != experiments.run.data_hash(*sets)
        assert one.config["data"]["skeletons"] == "extracted"


def test_side_by_side_the_common_start_is_trained_before_the_rows_that_go_on_from_it(tmp_path, monkeypatch):
    started = []

    def command(words, **options):
        started.append((words[words.index("--rows") + 1], words[words.index("--seeds") + 1]))
        return Mock(returncode=0)

    monkeypatch.setattr(table.subprocess, "run", command)
    monkeypatch.setattr(table, "load_splits", lambda *_: ())
    monkeypatch.setattr(table, "run_row", Mock())
    one = request("IV", "smoke", rows="seq_animation,copy_source", seeds="0,1", out=tmp_path)
    run_table(one, jobs=2, say=lambda _: None)
    assert sorted(started[:2]) == [("pair_network", "0"), ("pair_network", "1")]
    assert sorted(started[2:]) == [("copy_source", "0"), ("seq_animation", "0"), ("seq_animation", "1")]
