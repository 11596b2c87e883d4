"""Clips: chunks of six with a detached state, the losses of the authors, memory that no clip's length changes."""

import multiprocessing
import os
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import torch
from tiny import RandomClips, tiny_clip_config, tiny_config

from repro import features
from repro.config import CHUNK
from repro.losses import affine_regularization, l1, sampling_correctness
from repro.models import SequentialGFLA
from repro.training import checkpoint, loop, read_curve, train
from repro.training.clip_batches import ClipBatches
from repro.training.clip_stage import ClipStage, branches
from repro.training.host import make_fabric
from repro.training.networks import build_discriminators, build_generator
from repro.training.state import Networks

SPAWN = multiprocessing.get_context("forkserver")
SPAWN.set_forkserver_preload(["repro.training", "tiny"])


def run(folder: Path, config=None, dataset=None, **options):
    options = {"seed": 0, "device": "cpu", "checkpoint_every": 0.0} | options
    return train(config or tiny_clip_config(), dataset or RandomClips(), folder=folder, **options)


def stage_of(config):
    networks = Networks(build_generator(config, 0), build_discriminators(config, 0))
    return ClipStage(make_fabric("cpu", "32-true"), networks, features.load(config.losses.features), config)


class Killing(RandomClips):
    """Clips whose ``when``-th reading kills the process, as a power cut would."""

    def __init__(self, when: int) -> None:
        super().__init__()
        self.left = when

    def __getitem__(self, index):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(index)


def train_until_killed(folder: Path, reading: int = 10**6, save: int = 10**6) -> None:
    """Train until the ``reading``-th clip is read or just before the checkpoint is written the ``save``-th time."""
    torch.set_num_threads(1)
    real, seen = checkpoint.save, 0

    def saving(*arguments):
        nonlocal seen
        seen += 1
        if seen == save:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments)

    checkpoint.save = saving
    run(folder, dataset=Killing(reading))


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """Return the checkpoint of a run that nothing disturbed; made when first asked for."""

    @cache
    def make():
        folder = tmp_path_factory.mktemp("whole")
        torch.set_num_threads(1)
        run(folder, checkpoint_every=1e9)
        return checkpoint.load(folder)[0]

    return make


# A clip is three chunks: five steps end in the middle of the second batch of clips; a batch reads two.
@pytest.mark.parametrize("kill", [{"save": 3}, {"reading": 3}], ids=str)
def test_killed_in_the_middle_of_a_clip_and_continued_equals_uninterrupted_bit_for_bit(tmp_path, uninterrupted, kill):
    theirs = uninterrupted()
    process = SPAWN.Process(target=train_until_killed, args=(tmp_path,), kwargs=kill)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert 0 < checkpoint.load(tmp_path)[1]["position"]["step"] < 5
    run(tmp_path)
    ours, rest = checkpoint.load(tmp_path)
    own = [name for name in theirs if not name.startswith("random/")]  # nothing here draws from the global generators
    assert {"stage/image", "stage/pose"} < set(own)
    assert [name for name in own if not torch.equal(ours[name], theirs[name])] == []
    assert rest["position"]["step"] == 5


def test_the_state_goes_on_within_a_clip_and_not_into_the_next():
    config = tiny_clip_config()
    stage, order = stage_of(config), ClipBatches(RandomClips(), config, 0, "clip")
    seen = []
    real = stage.generator
    stage.generator = lambda source, pose, poses, state: seen.append(state) or real(source, pose, poses, state)
    for step in range(4):
        stage.step(order[step])
        assert torch.equal(stage.state()["pose"], order[step].poses[:, -1])
        assert not stage.state()["image"].requires_grad
    assert [state is None for state in seen] == [True, False, False, True]


def test_the_losses_of_a_chunk_are_sums_over_its_frames_and_both_branches():
    """Term by term, frame by frame, as the authors' loop computes them."""
    config = tiny_clip_config()
    stage, batch = stage_of(config), ClipBatches(RandomClips(), config, 0, "clip")[1]
    network = features.load("procnet")
    twin = build_generator(config, 0)
    state = type(twin(batch.source, batch.source_pose, batch.poses).state)(batch.before, batch.poses[:, 0])
    stage.load_state(state._asdict())
    with torch.no_grad():
        out = twin(batch.source, batch.source_pose, batch.poses, state)
        wanted = dict.fromkeys(("l1", "perceptual", "style", "correctness", "regularization"), 0.0)
        for k in range(CHUNK):
            made, real = out.images[:, k], batch.frames[:, k]
            wanted["l1"] += l1(made, real)
            wanted["perceptual"] += stage.image_losses.perceptual(made, real)
            wanted["style"] += stage.image_losses.style(made, real)
            before = batch.frames[:, k - 1] if k else batch.before
            for flows, source in ((out.flows[k].previous, before), (out.flows[k].reference, batch.source)):
                for (layer, window), flow in zip(twin.attention_layers.items(), flows, strict=True):
                    tap = network.correctness_taps[layer]
                    looks = (network(one, taps=(tap,))[tap] for one in (source, real))
                    wanted["correctness"] += sampling_correctness(*looks, flow, mask=batch.person[:, k])
                    wanted["regularization"] += affine_regularization(flow, window)
    terms = stage.step(batch)
    for name, value in wanted.items():
        torch.testing.assert_close(terms[name], value, rtol=2e-4, atol=1e-6, msg=lambda text, n=name: f"{n}: {text}")


def test_the_flows_of_a_chunk_keep_the_order_of_clips_and_frames():
    config = tiny_clip_config()
    batch = ClipBatches(RandomClips(), config, 0, "clip")[0]
    with torch.no_grad():
        out = build_generator(config, 0)(batch.source, batch.source_pose, batch.poses)
    previous, reference = branches(out.flows)
    assert torch.equal(previous[1][1 * CHUNK + 4], out.flows[4].previous[1][1])
    assert torch.equal(reference[0][0 * CHUNK + 2], out.flows[2].reference[0][0])


def test_without_a_temporal_discriminator_there_is_none(tmp_path):
    config = tiny_clip_config(clip__temporal_adversarial=0, clip__steps=1)
    run(tmp_path, config)
    tensors, _ = checkpoint.load(tmp_path)
    assert not any("temporal" in name for name in tensors)
    assert "temporal_adversarial" not in read_curve(tmp_path)


def test_both_discriminators_and_both_flow_estimators_learn(tmp_path):
    config = tiny_clip_config(clip__steps=2)
    run(tmp_path, config)
    tensors, _ = checkpoint.load(tmp_path)
    parts = (
        "generator/flow_net_previous.",
        "generator/flow_net_reference.",
        "discriminator/",
        "temporal_discriminator/",
    )
    networks = {"generator": build_generator(config, 0)} | build_discriminators(config, 0)
    for part in parts:
        name, _, below = part.partition("/")
        before = {key: value for key, value in networks[name].state_dict().items() if key.startswith(below)}
        moved = [not torch.equal(tensors[f"{name}/{key}"], value) for key, value in before.items()]
        assert sum(moved) > len(moved) / 2, part


def test_a_sequential_network_starts_from_a_pair_network_in_both_branches(tmp_path):
    pair = run(tmp_path / "pair", tiny_clip_config(stages=["joint"], model__kind="gfla", joint__steps=1)).generator
    config = tiny_clip_config(clip__steps=1, optimizer__lr=1e-12)
    made = run(tmp_path / "clip", config, start=pair).generator
    assert isinstance(made, SequentialGFLA)
    for branch in ("previous", "reference"):
        own = made.get_submodule(f"flow_net_{branch}").state_dict()
        assert all(torch.allclose(own[name], one, atol=1e-9) for name, one in pair.flow_net.state_dict().items())
    with pytest.raises(checkpoint.CheckpointError, match=r"start: checkpoint .*, now None"):
        run(tmp_path / "clip", config)


def test_the_losses_fall(tmp_path):
    steady = {"data__augmentation": False, "clip__frames": 6, "clip__batch": 1, "optimizer__decay_from": 1.0}
    run(tmp_path, tiny_clip_config(clip__steps=24, **steady), RandomClips(1, 6), checkpoint_every=1e9)
    curve = read_curve(tmp_path)
    assert curve.l1.iloc[1] < 0.9 * curve.l1.iloc[0]
    assert {"discriminator", "temporal_discriminator", "temporal_adversarial"} < set(curve)


PEAK = """
import sys, torch
sys.path.insert(0, {tests!r})
from pathlib import Path
from tiny import RandomClips, tiny_clip_config
from repro.training import train
from repro.training.host import peak_memory_mib
chunks = int(sys.argv[1])
config = tiny_clip_config(clip__frames=6 * chunks, clip__steps=8, clip__batch=1)
train(config, RandomClips(2, 54), seed=0, folder=Path(sys.argv[2]), device="cpu")
print(peak_memory_mib(torch.device("cpu")))
"""


def test_memory_does_not_depend_on_the_clips_length(tmp_path):
    """Peak of a whole process over eight steps: four clips of two chunks, or one of eight."""
    peaks = []
    for chunks in (2, 8):
        code = PEAK.format(tests=str(Path(__file__).parent))
        command = [sys.executable, "-c", code, str(chunks), str(tmp_path / str(chunks))]
        peaks.append(float(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    assert abs(peaks[1] / peaks[0] - 1) < 0.05, peaks


def test_a_pair_configuration_has_no_temporal_discriminator():
    assert set(build_discriminators(tiny_config(), 0)) == {"discriminator"}
    assert set(build_discriminators(tiny_clip_config(), 0)) == {"discriminator", "temporal_discriminator"}
    assert loop.STAGES.keys() >= {"flow", "joint", "clip"}
