"""The table of motion extraction, end to end on files of the real layout; other ways of seeing studio sequences."""

import functools

import pytest
import torch

from repro import experiments, records
from repro.config import digest
from repro.data import MotionSequence, load
from repro.data.human36m import export_human36m
from repro.experiments import motion, resolve, rows, run, run_table
from repro.metrics.motion import COCO_SHARED, HUMAN36M_SHARED, evaluate_motion
from repro.metrics.motion_filters import FILTERS, filter_sequence, shared_joints

SHORT = {"model.width": 0.0625, "motion.batch": 2, "motion.steps": 2, "evaluation.pairs": 2}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """VideoPose3D's two files, two cameras of one action of a training and of a test subject."""
    draw = torch.Generator().manual_seed(0)

    def sequence(subject: str, camera: int) -> MotionSequence:
        clean, noisy = torch.rand(2, 40, 17, 2, generator=draw, dtype=torch.float64) * 500
        noisy[:, list(COCO_SHARED)] = clean[:, list(HUMAN36M_SHARED)]
        return MotionSequence(clean, noisy, torch.ones(40, 17, dtype=torch.bool), 50.0, subject, "walk 1", camera)

    folder = tmp_path_factory.mktemp("human36m")
    return export_human36m([sequence(subject, camera) for subject in ("S1", "S9") for camera in (0, 1)], folder)


def test_rows_of_the_real_layout_are_trained_scored_and_recorded(root, tmp_path, monkeypatch):
    monkeypatch.setenv("REPRO_ROOT", str(tmp_path))
    monkeypatch.setattr(run, "resolve", functools.partial(rows.resolve, changes=SHORT))
    wanted = experiments.request(
        "motion", "smoke", dataset="human36m", root=root, out=tmp_path / "runs", device="cpu",
        rows="men_adaln,men_validity,identity,identity_mapped",
    )  # fmt: skip
    adaln, validity, identity, mapped = run_table(wanted, say=lambda words: None)
    assert adaln.n == 2
    assert validity.parameters > adaln.parameters > 0 == identity.parameters
    assert adaln.flops > 0
    assert identity.metrics["mpjpe_px"] == pytest.approx(0, abs=1e-4)  # the files hold float32
    assert mapped.metrics["mpjpe_px"] == pytest.approx(0, abs=1e-3)
    assert adaln.metrics["mpjpe_px"] > 10
    assert not adaln.subsets  # noise levels and true input are the studio's
    assert records.read("motion", "smoke", tmp_path / "runs" / "records") == [adaln, validity, identity, mapped]


def test_rows_say_what_they_say():
    laptop = {row: resolve("motion", row, "laptop").config for row in motion.ROWS}
    assert {config.task for config in laptop.values()} == {"motion"}
    assert [row for row in motion.ROWS if resolve("motion", row, "laptop").learns] == list(motion.LEARNING)
    assert len({digest(config) for config in laptop.values()}) == len(motion.ROWS)
    normalisation = {row: laptop[row].model.normalisation for row in motion.LEARNING}
    assert normalisation == {
        "men_adaln": "adaptive", "men_adaln_paper": "adaptive-paper", "men_l1": "adaptive", "men_batch_norm": "batch",
        "men_layer_norm": "layer", "men_no_statistics": "affine", "men_validity": "adaptive",
    }  # fmt: skip
    assert [row for row in motion.LEARNING if laptop[row].model.validity] == ["men_validity"]
    assert [row for row in motion.LEARNING if laptop[row].motion.missing == "hold"] == ["men_validity"]
    assert {laptop[row].model.kind for row in motion.ROWS} == {"motion_extraction", *FILTERS}
    assert {row for row in motion.ROWS if laptop[row].motion.skeleton_map} == {f"{name}_mapped" for name in FILTERS}
    paper = resolve("motion", "men_adaln", "paper").config
    assert (paper.motion.batch, paper.motion.dropout, paper.optimizer.lr, paper.optimizer.beta1) == (32, 0.15, 1e-4, 0)
    assert paper.model.width == 1


class TestStudio:
    @pytest.fixture(scope="class")
    def dataset(self):
        return load("h36m", "test", scale="tiny")

    def test_the_ways_of_seeing_a_sequence(self, dataset):
        seen = {name: version(1) for name, version in motion.versions_of(dataset).items()}
        assert list(seen) == ["", "noise_clean", "noise_hard", "true_input"]
        for one in seen.values():
            assert torch.equal(one.clean, seen[""].clean)
            assert one.camera == 1
        errors = {
            name: evaluate_motion(lambda one: filter_sequence("identity", one, shared_joints), [one]).metrics
            for name, one in seen.items()
        }
        assert errors["true_input"]["mpjpe_px"] == pytest.approx(0, abs=1e-9)
        trembling = [errors[name]["acceleration_px_frame2"] for name in ("true_input", "noise_clean", "", "noise_hard")]
        assert trembling == sorted(trembling)
        assert trembling[1] > 0.1

    def test_smoothing_damages_what_is_true(self, dataset):
        one = motion.true_input(dataset, 0)
        scores = evaluate_motion(lambda seen: filter_sequence("gaussian", seen, shared_joints), [one]).metrics
        assert scores["mpjpe_px"] > 0.01  # this one moves slowly
