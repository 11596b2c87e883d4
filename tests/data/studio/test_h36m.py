"""The set h36m: geometry of the cameras, exact projections, noise by level, splits."""

import pickle

import numpy as np
import pytest
import torch

from repro.data import load
from repro.data.studio.h36m import AMPLITUDES, CAMERAS, PROGRAMMES, SUBJECTS, H36MSet, camera_rig, centred
from repro.data.studio.identity import Body, Identity
from repro.data.studio.kinematics import clip_transforms
from repro.data.studio.motion import HELD_OUT_KIND
from repro.data.studio.skeleton import COCO_17, HUMAN36M_17, Pose, build_skeleton


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REPRO_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def train():
    return load("h36m", "train", scale="tiny")


@pytest.fixture(scope="module")
def test():
    return load("h36m", "test", scale="tiny")


def distance(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a - b).norm(dim=-1)


class TestSequences:
    def test_a_sequence_holds_what_the_reference_promises(self, train):
        sequence = train[0]
        frames = PROGRAMMES["tiny"].frames
        assert frames >= 24 + 80
        assert sequence.clean.shape == sequence.noisy.shape == (frames, 17, 2)
        assert sequence.clean.dtype == sequence.noisy.dtype == torch.float64
        assert sequence.fps == 50
        assert sequence.size == (1000, 1000)
        assert (sequence.subject, sequence.camera) == ("S1", 0)
        assert sequence.action.endswith(" 1")
        assert train._cache.missing() == [1, 2, 3]

    def test_scales_are_those_of_the_reference(self):
        default = PROGRAMMES["default"]
        assert default.subjects == {"train": 7, "test": 2}
        assert len(set(default.kinds("train"))) == 8
        assert default.takes == 2
        assert default.frames >= 400
        assert H36MSet("train").count == 7 * 8 * 2
        assert len(H36MSet("train")) == 4 * 7 * 8 * 2

    def test_order_of_sequences(self, train):
        first, last = train[0], train[len(train) - 1]
        assert [train.subject[i] for i in (0, 8)] == ["S1", "S5"]
        assert len(train) == CAMERAS * 2 * 2
        assert (last.subject, last.camera) == ("S5", 3)
        assert last.action == train.action[-1] != first.action
        assert train.identity.tolist() == [0] * 8 + [1] * 8

    def test_the_splits_share_no_subject_and_the_test_shows_one_more_kind(self, train, test):
        assert set(SUBJECTS["test"]) == {"S9", "S11"}
        assert not set(train.subject) & set(test.subject)
        assert not set(train.identity.tolist()) & set(test.identity.tolist())
        assert not train.held_out.any()
        assert test.held_out.sum() == CAMERAS * 2
        assert {action for action, held in zip(test.action, test.held_out) if held} == {f"{HELD_OUT_KIND} 1"}
        assert set(train.action) < set(test.action)
        assert train.hash != test.hash

    def test_a_worker_receives_the_same_set(self, train):
        copy = pickle.loads(pickle.dumps(train))
        assert copy.hash == train.hash
        assert torch.equal(copy[1].noisy, train[1].noisy)

    def test_drawn_anew_bit_for_bit(self, train):
        again = H36MSet("train", None, "tiny").draw(1)
        for name, array in train.arrays(1).items():
            np.testing.assert_array_equal(array, again[name], err_msg=name)


class TestCameras:
    def test_four_about_90_degrees_apart_at_4_to_5_metres(self):
        for index in range(5):
            places = np.stack([camera.position for camera in camera_rig(Identity("h36m", "train", index))])
            around = np.linalg.norm(places[:, [0, 2]], axis=1)
            assert ((around > 4) & (around < 5)).all()
            angles = np.rad2deg(np.diff(np.unwrap(np.arctan2(places[:, 0], places[:, 2]))))
            assert (abs(angles - 90) < 15).all()

    def test_clean_joints_are_the_projected_ones(self, test):
        index = 6
        joints, sequence = test.joints3d(index), test[index]
        camera = test.cameras(index)[sequence.camera]
        axes = torch.tensor(camera.axes)
        right, up, away = ((joints - torch.tensor(camera.position)) @ axes.T).unbind(-1)
        column = 500 + camera.focal * 1000 * right / away - 0.5
        row = 500 - camera.focal * 1000 * up / away - 0.5
        assert distance(sequence.clean, torch.stack([row, column], -1)).max() < 1e-9

    def test_bones_keep_their_length(self, test):
        joints = test.joints3d(0)
        for a, b in ((1, 2), (2, 3), (11, 12), (12, 13), (8, 11)):
            length = distance(joints[:, a], joints[:, b])
            assert length.max() - length.min() < 1e-9
        assert 1.4 < float((joints[:, :, 1].amax(1) - joints[:, :, 1].amin(1)).median()) < 2.0

    def test_people_are_seen_whole_and_about_440_pixels_high(self, train, test):
        for dataset in (train, test):
            clean = torch.stack([sequence.clean for sequence in dataset])
            inside = ((clean >= 0) & (clean < 1000)).all(-1)
            assert inside.double().mean() > 0.99
            height = (clean[..., 0].amax(-1) - clean[..., 0].amin(-1)).median()
            assert 330 < float(height) < 500

    def test_centred_turns_about_the_vertical_and_centres_the_path(self):
        skeleton = build_skeleton(Body(0.3, 1.75))
        poses = [Pose(root=np.array([x, 0.0, 1.0])) for x in (0.0, 1.0, 3.0)]
        moved = centred(clip_transforms(skeleton, poses), np.pi / 2)
        # +x became -z: the path from 0 to 3 along x runs from 1.5 to -1.5 along z.
        np.testing.assert_allclose(
            moved[:, 0, :, 3] - moved[1, 0, :, 3], [[0, 0, 1], [0, 0, 0], [0, 0, -2]], atol=1e-12
        )
        np.testing.assert_allclose(moved[0, 0, [0, 2], 3] + moved[2, 0, [0, 2], 3], 0, atol=1e-12)


class TestNoise:
    def test_missing_joints_are_minus_one_and_not_valid(self, train):
        sequence = train.sequence(0, "hard")
        assert torch.equal(sequence.valid, (sequence.noisy != -1).all(-1))
        assert torch.equal(~sequence.valid, sequence.faults["missed"])
        assert not sequence.valid.all()

    def test_the_skeletons_agree_where_they_share_joints(self, test):
        sequence = test.sequence(0, "clean", amplitude=0.0)
        plain = sequence.valid & ~sequence.faults["inverted"]
        for name in ("left_shoulder", "right_wrist", "left_knee"):
            noisy, clean = sequence.noisy[:, COCO_17.index(name)], sequence.clean[:, HUMAN36M_17.index(name)]
            assert distance(noisy, clean)[plain[:, COCO_17.index(name)]].max() < 1  # the grid of the heat map

    def test_levels(self, test):
        def mpjpe(level: str) -> float:
            errors = []
            for index in range(len(test)):
                sequence = test.sequence(index, level)
                true = torch.tensor(test.arrays(index // CAMERAS)["coco"][sequence.camera])
                errors.append(distance(sequence.noisy, true)[sequence.valid])
            return float(torch.cat(errors).mean())

        clean, typical, hard = (mpjpe(level) for level in ("clean", "typical", "hard"))
        assert clean < typical < hard
        assert typical == pytest.approx(6.2, rel=0.15)  # specified at 450 pixels, here 24 sequences of 150 frames

    def test_training_sequences_have_amplitudes_of_their_own(self, train, test):
        def spread(dataset, index: int) -> float:
            """Jitter relative to that of amplitude 1."""
            own, unit = dataset.sequence(index), dataset.sequence(index, amplitude=1.0)
            calm = own.valid & ~own.faults["inverted"] & ~own.faults["burst"]
            both = calm[1:] & calm[:-1]
            true = torch.tensor(dataset.arrays(index // CAMERAS)["coco"][own.camera])
            size = lambda sequence: (sequence.noisy - true).diff(dim=0)[both].norm(dim=-1).mean()  # noqa: E731
            return float(size(own) / size(unit))

        assert all(spread(test, index) == 1 for index in range(4))
        factors = [spread(train, index) for index in range(8)]
        assert max(factors) > 1.2
        assert min(factors) < 0.85
        assert all(AMPLITUDES[0] * 0.95 < factor < AMPLITUDES[1] * 1.05 for factor in factors)

    def test_another_draw_is_other_noise_on_the_same_motion(self, train):
        one, other = train.sequence(0), train.sequence(0, draw=1)
        assert torch.equal(one.clean, other.clean)
        assert not torch.equal(one.noisy, other.noisy)
        assert torch.equal(one.noisy, train[0].noisy)

    def test_hidden_joints_are_missed_more_often(self, test):
        counts = torch.zeros(2, 2)
        for index in range(len(test)):
            hidden = torch.tensor(test.arrays(index // CAMERAS)["hidden"][index % CAMERAS])
            for draw in range(4):
                missed = test.sequence(index, "hard", draw=draw).faults["missed"]
                for row, where in enumerate((hidden, ~hidden)):
                    counts[row] += torch.tensor([missed[where].sum(), where.sum()])
        share = counts[:, 0] / counts[:, 1]
        assert 2 < float(share[0] / share[1]) < 4

    def test_refusals(self, train):
        with pytest.raises(ValueError, match="unknown noise level"):
            train.sequence(0, "none")
        for ask in (train.__getitem__, train.sequence, train.joints3d, train.cameras):
            with pytest.raises(IndexError, match="16"):
                ask(16)
        assert torch.equal(train.sequence(-1).clean, train[15].clean)
