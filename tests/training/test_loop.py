"""Training: it learns, stops and goes on without a trace, and says what is wrong."""

import json
import multiprocessing
import os
import random
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import RandomPairs, tiny_config

from repro import features
from repro.config import ConfigError
from repro.training import checkpoint, loop, read_curve, train
from repro.training.checkpoint import CheckpointError
from repro.training.curves import NotFinite
from repro.training.networks import build_generator
from repro.training.stages import rate_factor

SPAWN = multiprocessing.get_context("forkserver")
SPAWN.set_forkserver_preload(["repro.training", "tiny"])


def run(folder: Path, config=None, dataset=None, **options):
    options = {"seed": 0, "device": "cpu", "checkpoint_every": 0.0} | options
    return train(config or tiny_config(), dataset or RandomPairs(), folder=folder, **options)


class Drawing(RandomPairs):
    """Pairs of a user who draws from the global generators."""

    def __getitem__(self, index):
        pair = super().__getitem__(index)
        drawn = torch.rand(()) + np.random.rand() + random.random()  # noqa: NPY002
        pair.source = pair.source * (0.7 + 0.1 * drawn)
        return pair


class Killing(Drawing):
    """Pairs whose ``when``-th reading kills the process, as a power cut would."""

    def __init__(self, when: int) -> None:
        super().__init__()
        self.left = when

    def __getitem__(self, index):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(index)


def seed_everything() -> None:
    import lightning.fabric  # noqa: F401 -- its first import draws from the global generators

    torch.set_num_threads(1)
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    random.seed(0)


def train_until_killed(folder: Path, reading: int = 10**6, rename: int = 10**6) -> None:
    """Train in this process until the ``reading``-th pair is read or a checkpoint is renamed the ``rename``-th time."""
    seed_everything()
    real, seen = os.replace, 0

    def replace(source, target):
        nonlocal seen
        seen += "checkpoint" in str(target)
        if seen == rename:
            os.kill(os.getpid(), signal.SIGKILL)
        real(source, target)

    os.replace = replace
    run(folder, dataset=Killing(reading))


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The checkpoint of a run that nothing disturbed; made when first asked for."""
    made = {}

    def make():
        if not made:
            folder = tmp_path_factory.mktemp("whole")
            seed_everything()
            run(folder, dataset=Drawing(), checkpoint_every=1e9)
            made["tensors"], made["rest"] = checkpoint.load(folder)
        return made

    return make


# A step reads 2 pairs; 4 flow steps, then 6 joint steps. A checkpoint renames up to three times.
@pytest.mark.parametrize(
    "kill", [{"reading": 1}, {"reading": 6}, {"reading": 9}, {"reading": 16}, {"rename": 4}, {"rename": 17}], ids=str
)
def test_killed_and_continued_equals_uninterrupted_bit_for_bit(tmp_path, uninterrupted, kill):
    whole = uninterrupted()
    process = SPAWN.Process(target=train_until_killed, args=(tmp_path,), kwargs=kill)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    seed_everything()
    run(tmp_path, dataset=Drawing())
    tensors, rest = checkpoint.load(tmp_path)
    assert tensors.keys() == whole["tensors"].keys()
    different = [name for name in tensors if not torch.equal(tensors[name], whole["tensors"][name])]
    assert different == []
    assert rest["optimizers"] == whole["rest"]["optimizers"]
    assert rest["random"] == whole["rest"]["random"]
    assert rest["pending"] == whole["rest"]["pending"]
    assert rest["position"]["step"] == 6


def test_a_finished_run_is_not_trained_again(tmp_path, monkeypatch):
    first = run(tmp_path)
    monkeypatch.setattr(loop.Run, "step", lambda *_: pytest.fail("trained again"))
    again = run(tmp_path)
    assert again.seconds == first.seconds
    assert again.steps == 10
    ours, theirs = first.generator.state_dict(), again.generator.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_request_to_stop_saves_first(tmp_path):
    class Stopping(RandomPairs):
        def __getitem__(self, index):
            os.kill(os.getpid(), signal.SIGTERM)
            return super().__getitem__(index)

    before = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the pair's second signal must not end the tests
    try:
        with pytest.raises(loop.Interrupted, match="stopped at flow step 1: run again"):
            run(tmp_path, dataset=Stopping(), checkpoint_every=1e9)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert checkpoint.load(tmp_path)[1]["position"]["step"] == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"config": tiny_config(batch=3)}, r"config\.batch: checkpoint 2, now 3"),
        ({"seed": 1}, "seed: checkpoint 0, now 1"),
        ({"dataset_hash": "x"}, "dataset: checkpoint , now x"),
    ],
)
def test_the_checkpoint_of_another_run_is_refused_with_what_differs(tmp_path, change, message):
    short = tiny_config(stages=["joint"], joint__steps=1)
    run(tmp_path, config=short)
    if "config" in change:
        change = {"config": tiny_config(stages=["joint"], joint__steps=1, batch=3)}
    with pytest.raises(CheckpointError, match=message):
        run(tmp_path, **({"config": short} | change))


def test_a_run_at_constant_rate_may_be_made_longer(tmp_path):
    constant = {"stages": ["joint"], "optimizer__decay_from": 1.0}
    run(tmp_path, config=tiny_config(**constant, joint__steps=1))
    assert run(tmp_path, config=tiny_config(**constant, joint__steps=2)).steps == 2
    assert checkpoint.load(tmp_path)[1]["position"]["step"] == 2


def test_a_loss_that_is_no_number_names_step_and_term_and_keeps_the_checkpoint(tmp_path, monkeypatch):
    config = tiny_config(stages=["joint"], joint__steps=4)
    real = loop.JointStage.step

    def poisoned(self, batch):
        terms = real(self, batch)
        self.count = getattr(self, "count", 0) + 1
        return terms | {"style": terms["style"] * float("nan")} if self.count == 3 else terms

    monkeypatch.setattr(loop.JointStage, "step", poisoned)
    with pytest.raises(NotFinite, match="stage 'joint', step 3: the loss term 'style' is nan"):
        run(tmp_path, config=config)
    tensors, rest = checkpoint.load(tmp_path)
    assert rest["position"]["step"] == 2
    assert all(bool(tensor.isfinite().all()) for tensor in tensors.values() if tensor.is_floating_point())


def test_weights_that_are_no_numbers_are_never_saved(tmp_path, monkeypatch):
    real = loop.JointStage.step

    def poisoned(self, batch):
        self.count = getattr(self, "count", 0) + 1
        if self.count == 2:  # a NaN gradient beside a finite loss leaves this behind
            next(self.generator.parameters()).data.view(-1)[0] = float("nan")
            return {"total": torch.tensor(1.0)}
        return real(self, batch)

    monkeypatch.setattr(loop.JointStage, "step", poisoned)
    with pytest.raises(NotFinite, match=r"stage 'joint', step 2: generator/\S+ holds NaN or infinity"):
        run(tmp_path, config=tiny_config(stages=["joint"], joint__steps=3))
    assert checkpoint.load(tmp_path)[1]["position"]["step"] == 1


def test_a_resized_tap_is_noted_once_also_after_a_restart(tmp_path, monkeypatch):
    config = tiny_config(flow__steps=2, joint__steps=2)
    assert run(tmp_path / "fits", config=config).notes == []
    real = features.FeatureNetwork.forward
    monkeypatch.setattr(  # as SqueezeNet's: one row and column short
        features.FeatureNetwork,
        "forward",
        lambda self, images, taps: {tap: seen[..., 1:, 1:] for tap, seen in real(self, images, taps).items()},
    )
    first = run(tmp_path / "short", config=config).notes
    taps = features.load("procnet").correctness_taps
    assert first == [
        f"Correctness: procnet's {taps[layer]} was resized from {size - 1}x{size - 1} to the flow's {size}x{size}."
        for layer, size in ((3, 8), (2, 16))
    ]
    assert run(tmp_path / "short", config=config).notes == first


def test_what_a_killed_write_left_is_swept_at_the_next_start(tmp_path):
    from repro.training.host import only_process

    for name in (".checkpoint.new.abc123.tmp", "curve.jsonl"):
        (tmp_path / name).write_text("")
    with only_process(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == ["curve.jsonl"]


def test_two_processes_do_not_train_in_one_folder(tmp_path):
    from repro.training.host import only_process

    with only_process(tmp_path), pytest.raises(BlockingIOError, match="another process trains in"):
        run(tmp_path)


@pytest.mark.parametrize("kind", ["baseline", "global_attention"])
def test_rows_without_flow_train_in_one_stage(tmp_path, kind):
    settings = {"model__kind": kind, "stages": ["joint"], "joint__steps": 1}
    with pytest.raises(ConfigError, match="has no flow: set correctness and regularization to 0"):
        run(tmp_path, config=tiny_config(**settings))
    run(tmp_path, config=tiny_config(**settings, joint__correctness=0, joint__regularization=0))


def test_rows_share_their_initial_weights():
    full = build_generator(tiny_config(), 5).state_dict()
    bilinear = build_generator(tiny_config(model__sampling="bilinear"), 5).state_dict()
    shared = [name for name in bilinear if name in full]
    assert len(shared) == len(bilinear)
    assert all(torch.equal(full[name], bilinear[name]) for name in shared)
    other = build_generator(tiny_config(), 6).state_dict()
    assert any(not torch.equal(full[name], other[name]) for name in full)


def test_the_losses_fall_and_the_curve_says_so(tmp_path):
    config = tiny_config(flow__steps=40, joint__steps=40, optimizer__decay_from=1.0)
    run(tmp_path, config=config, dataset=RandomPairs(2), checkpoint_every=1e9)
    curve = read_curve(tmp_path)
    assert list(curve.stage) == ["flow", "flow", "joint", "joint"]
    assert list(curve.step) == [20, 40, 20, 40]
    joint = curve[curve.stage == "joint"]
    assert joint.l1.iloc[1] < 0.8 * joint.l1.iloc[0]
    flow = curve[curve.stage == "flow"]
    assert flow.correctness.iloc[1] < flow.correctness.iloc[0]
    assert {
        "total",
        "correctness",
        "regularization",
        "l1",
        "adversarial",
        "perceptual",
        "style",
        "discriminator",
    } < set(curve)


def test_the_resolved_settings_are_saved_with_the_run(tmp_path):
    run(tmp_path, config=tiny_config(stages=["joint"], joint__steps=1))
    saved = json.loads((tmp_path / "config.json").read_text())
    assert saved["config"]["model"]["width"] == 0.125
    assert saved["seed"] == 0


def test_rate_is_constant_then_falls_to_zero():
    assert [rate_factor(step, 8, 0.5) for step in range(8)] == [1, 1, 1, 1, 1, 0.75, 0.5, 0.25]
    assert {rate_factor(step, 8, 1.0) for step in range(8)} == {1.0}


def test_an_unknown_device_is_refused(tmp_path):
    with pytest.raises(ValueError, match="unknown device 'gpu': choose auto, cpu, cuda"):
        run(tmp_path, device="gpu")


def test_mixed_precision_is_an_option(tmp_path):
    run(tmp_path, config=tiny_config(precision="bf16-mixed", flow__steps=1, joint__steps=1), checkpoint_every=1e9)
    tensors, _ = checkpoint.load(tmp_path)
    assert {tensor.dtype for name, tensor in tensors.items() if name.startswith("generator/")} == {torch.float32}
    assert read_curve(tmp_path).total.notna().all()


def test_the_loss_scale_of_float16_continues(tmp_path):
    from lightning.fabric import Fabric
    from lightning.fabric.plugins.precision import MixedPrecision

    scales = []
    for _ in range(2):
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16)
        fabric = Fabric(accelerator="cpu", plugins=MixedPrecision("16-mixed", "cpu", scaler))
        one = loop.Run(fabric, tiny_config(stages=["joint"]), 0, tmp_path, "")
        one.enter("joint")
        scales.append(scaler.get_scale())
        scaler.load_state_dict(scaler.state_dict() | {"scale": 1024.0})
        one.save()
    assert scales == [2.0**16, 1024.0]
