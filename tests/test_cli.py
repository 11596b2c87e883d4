"""The command: help at once, one line for what a person got wrong, a run that survives a real kill."""

import json
import os
import signal
import subprocess
import sys
import time
from unittest.mock import Mock

import pandas as pd
import pytest
from safetensors.torch import save_file

from repro import features
from repro.cli import main

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def test_help_loads_no_library():
    code = "import sys; from repro.cli.main import parser; parser(); print({'torch', 'numpy', 'yaml'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("table II --profile smok", "unknown profile 'smok': did you mean 'smoke'"),
        ("table III --profile smoke", "unknown table 'III'"),
        ("table II --profile smoke --rows fool", "unknown row 'fool': did you mean 'full'"),
        ("table II --profile smoke --seeds a", "unknown seed 'a'"),
        ("table II --profile smoke --jobs 0", "expected at least one job"),
        ("table II --profile smoke --jobs 2 --reuse al", "unknown reuse 'al': did you mean 'all'"),
        ("train --row ful --out x", "unknown row 'ful': did you mean 'full'"),
        ("train --row bone_warp --out x", "learns nothing"),
        ("train --profile recorded --out x", "trains nothing"),
        ("train --seed 0,1 --out x", "trains one row with one seed"),
        ("train --row full,bi_sample --out x", "trains one row with one seed"),
        ("train --set data.size=80 --out x", "expected a multiple of 32 from 64"),
        ("train --set data.size=32 --out x", "expected a multiple of 32 from 64"),
        ("train --profile paper --out x --device cuda:99", "is not there"),
        ("train --profile paper --dataset market1501 --root . --out x", "can be read, checked and loaded"),
        ("train --set joint.step=3 --out x", "did you mean 'joint.steps'"),
        ("train --set joint.steps --out x", "expected --set KEY=VALUE"),
        ("evaluate nowhere", "expected the --out folder of repro train"),
        ("data prepare --dataset fasion", "unknown dataset 'fasion'"),
        ("data prepare --size 8", "at least 16 pixels"),
        ("data export x --size 64x64", "expected --size PIXELS or H,W, got '64x64'"),
        ("data check deepfashion --root nowhere", "nowhere"),
        ("data check deepfashon --root .", "unknown real data set 'deepfashon': did you mean 'deepfashion'"),
        ("data check human36m --root . --annotation-size 8,8", "human36m takes no annotation_size"),
    ],
)
def test_what_a_person_got_wrong_is_one_line(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments.split()) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", ["table II --profil smoke", "train --out x --pro smoke", "data list --traceb"])
def test_abbreviated_options_start_nothing(arguments, capsys):
    with pytest.raises(SystemExit) as refused:
        main(arguments.split())
    assert refused.value.code == 2
    assert "unrecognized arguments" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "cannot write a.png: no space left; free space"), "cannot write a.png: no space left; free space"),
        (PermissionError(13, "Permission denied", "/a/b"), "/a/b: Permission denied"),
        (FileNotFoundError("no photograph a.png"), "no photograph a.png"),
        (ValueError("expected 1, got 2"), "expected 1, got 2"),
    ],
)
def test_an_error_is_said_in_words_and_not_in_the_systems_numbers(error, said, capsys, monkeypatch):
    monkeypatch.setattr("repro.cli.data.show", Mock(side_effect=error))
    assert main(["data", "list"]) == 2
    assert capsys.readouterr().err == f"repro: {said}\n"


def test_doctor_and_lists_say_what_is_there(capsys):
    for command in ("doctor", "data list", "weights list", "table II"):
        assert main(command.split()) == 0
    said = capsys.readouterr().out
    assert "torch" in said
    assert "deepfashion" in said
    assert "vgg19" in said
    assert "pose extra" in said


def test_evaluate_names_the_data_and_refuses_other_than_the_runs(tmp_path, capsys, monkeypatch):
    from repro.cli import experiments as commands
    from repro.config import to_mapping
    from repro.experiments import pairs, request, resolve, run
    from repro.training import build_generator, checkpoint

    config = resolve("II", "full", "smoke", changes={"model.width": 0.125}).config
    tensors = {f"generator/{name}": one for name, one in build_generator(config, 0).state_dict().items()}
    own = run.data_hash(*run.load_splits(config, request("II", "smoke")))
    for folder, dataset in (("own", own), ("other", "of other data")):
        identity = {"config": to_mapping(config), "dataset": dataset}
        checkpoint.save(tmp_path / folder, tensors, {"identity": identity, "position": {"stage": "joint", "step": 40}})
    monkeypatch.setattr(commands.training.host, "make_fabric", Mock(return_value=Mock(device="cpu")))  # slow import
    scores = Mock(n=24, metrics={"l1": 0.5}, needs={}, per_pair=pd.DataFrame({"l1": [0.5] * 24}))
    monkeypatch.setattr(pairs, "evaluate", Mock(return_value=scores))
    monkeypatch.setattr(pairs, "make_fabric", Mock(return_value=Mock(device="cpu")))
    assert main(["evaluate", str(tmp_path / "own"), "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    assert json.loads(said) == {"dataset": "fashion", "stage": "joint", "step": 40, "n": 24, "l1": 0.5}
    assert main(["evaluate", str(tmp_path / "other"), "--device", "cpu"]) == 2
    assert "fashion as it is read here is not what the run was trained on" in capsys.readouterr().err
    assert main(["evaluate", str(tmp_path / "other"), "--device", "cpu", "--other-data"]) == 0


@pytest.mark.slow
def test_a_killed_run_repeats_its_command_and_ends_as_if_nothing_had_happened(tmp_path):
    weights = tmp_path / "weights"
    weights.mkdir()
    save_file(features.load("procnet", weights="random:1").state_dict(), weights / "procnet.safetensors")
    environment = ENVIRONMENT | {"REPRO_WEIGHTS": str(weights)}
    settings = ["batch=2", "model.width=0.125", "flow.steps=30", "joint.steps=2"]
    command = [sys.executable, "-m", "repro", "train", "--checkpoint-every", "0", "--device", "cpu"]
    command += [word for setting in settings for word in ("--set", setting)]

    def run(folder):
        done = subprocess.run([*command, "--out", folder], env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == str(folder / "checkpoint.safetensors")
        return (folder / "checkpoint.safetensors").read_bytes()

    killed = tmp_path / "killed"
    process = subprocess.Popen([*command, "--out", killed], env=environment, stderr=subprocess.DEVNULL)
    while not (killed / "checkpoint.safetensors").exists() and process.poll() is None:
        time.sleep(0.01)
    time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL

    from repro.training import checkpoint

    assert 0 < checkpoint.load(killed)[1]["position"]["step"] < 30
    run(killed)
    run(tmp_path / "whole")
    (ours, _), (theirs, _) = checkpoint.load(killed), checkpoint.load(tmp_path / "whole")
    different = [name for name in theirs if not (ours[name] == theirs[name]).all() and not name.startswith("random/")]
    assert different == []


def test_what_a_gpu_machine_lacks_is_not_imported():
    """A training run may use these packages and no others (all that a GPU machine promises; PIL comes with skimage)."""
    allowed = "torch torchvision numpy scipy skimage PIL pandas yaml tqdm matplotlib lightning torchmetrics safetensors"
    code = f"""
import importlib.util, sys
from importlib.metadata import packages_distributions
allowed = set({allowed.split()!r})
distributions = packages_distributions()
# What an allowed package needs itself is there with it; only imports that start in repro are judged.
class Refuse:
    def find_spec(self, name, path=None, target=None):
        top = name.partition('.')[0]
        if top in allowed or top == 'repro' or top in sys.stdlib_module_names or top not in distributions:
            return None
        frame = sys._getframe(1)
        while frame and frame.f_globals.get('__name__', '').startswith(('importlib', '_frozen')):
            frame = frame.f_back
        if frame and frame.f_globals.get('__name__', '').partition('.')[0] == 'repro':
            raise ImportError(f'{{name}} is not on a GPU machine')
        return None
sys.meta_path.insert(0, Refuse())
import repro.config, repro.records, repro.training, repro.models, repro.metrics, repro.experiments
from repro.training.host import make_fabric
make_fabric('cpu', '32-true')
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr[-2000:]
