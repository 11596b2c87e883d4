"""What is read around the norms of the Motion Extraction Network: the windows, the features, the picture."""

import numpy as np
import pytest
import torch
from tolerances import assert_close

from repro import data
from repro.data.motion_windows import SCALES, from_channels
from repro.data.studio.skeleton import COCO_17
from repro.metrics.linear_probe import ProbeScore
from repro.metrics.motion import body_height
from repro.models import MotionExtractionNetwork
from repro.pages import motion_probe
from repro.pages.motion_probe import MIDDLE, POSTURE, QUANTITIES, features_at_norms, probe_windows


@pytest.fixture(scope="module")
def dataset():
    return data.load("h36m", "train", scale="tiny")


@pytest.fixture(scope="module")
def windows(dataset):
    return probe_windows(dataset, "hold", kinds=1, windows=3)


@pytest.fixture(scope="module")
def network() -> MotionExtractionNetwork:
    return MotionExtractionNetwork.preset(width=1 / 8, init_gain=1.0, seed=0).double().eval()


class TestWindows:
    def test_every_person_shows_another_kind_of_motion_to_all_cameras(self, dataset, windows):
        """Two people, two kinds: the first take of S1 and the second of S5, four cameras, three windows each."""
        assert windows.joints.shape == (2 * 4 * 3, 34, 104)
        assert windows.person.tolist() == [0] * 12 + [1] * 12
        assert windows.take.tolist() == [0] * 12 + [3] * 12
        both = probe_windows(dataset, "hold", kinds=2, windows=1)
        assert both.take.unique().tolist() == [0, 1, 2, 3]

    def test_the_truth_is_that_of_the_augmented_window(self, windows):
        """The detected hips lie around the true middle in the middle frame, a few hundredths of the height away."""
        seen = from_channels(windows.joints.double(), 1000)[:, MIDDLE]
        hips = seen[:, [COCO_17.index("left_hip"), COCO_17.index("right_hip")]].mean(1)
        true = torch.stack([windows.truth[name] for name in QUANTITIES[:2]], 1)
        height = windows.truth[QUANTITIES[2]]
        assert ((hips - true).norm(dim=1) / height).median() < 0.04
        assert true.std(0).min() > 10

    def test_heights_are_those_of_the_sequences_times_the_augmentation(self, dataset, windows):
        plain = body_height(dataset[0].clean)
        times = windows.truth[QUANTITIES[2]][:3] / plain
        assert times.min() > SCALES[0] - 0.1
        assert times.max() < SCALES[1] + 0.1
        assert times.std() > 0.02

    def test_posture_is_what_is_left_without_place_and_size(self, windows):
        posture = windows.posture.unflatten(1, (17, 2))
        height = posture[:, :, 0].amax(1) - posture[:, :, 0].amin(1)  # nose or eyes to ankles
        assert 0.6 < height.min() < height.max() < 1.1
        assert posture.mean((0, 1)).abs().max() < 0.3


class TestFeatures:
    def test_places(self, network, windows):
        features = features_at_norms(network, windows.joints[:2].double())
        assert list(features) == [
            "first norm, before", "first norm, layer norm",
            "first ADALN, before", "first ADALN, layer norm", "first ADALN, after",
            "last ADALN, before", "last ADALN, layer norm", "last ADALN, after",
        ]  # fmt: skip
        assert {tuple(one.shape) for one in features.values()} == {(2, 32)}

    def test_they_are_of_the_middle_frame(self, network, windows):
        joints = windows.joints[:2].double()
        by_hand = torch.einsum("ock,nck->no", network.entry.weight, joints[..., MIDDLE - 1 : MIDDLE + 2])
        assert_close(features_at_norms(network, joints)["first norm, before"], by_hand)

    def test_adaln_scales_and_shifts_what_layer_norm_leaves(self, network, windows):
        joints = windows.joints[:2].double()
        features, norm = features_at_norms(network, joints), network.blocks[0].dilated_norm
        hidden = norm.shared(network.statistics(joints))
        by_hand = features["first ADALN, layer norm"] * (1 + norm.gamma(hidden)) + norm.beta(hidden)
        assert_close(features["first ADALN, after"], by_hand)

    def test_the_first_norm_removes_the_size(self, network, windows):
        joints = windows.joints[:2].double()
        near, far = (features_at_norms(network, size * joints)["first norm, layer norm"] for size in (1.5, 1.0))
        assert (near - far).abs().max() < 1e-3  # the norm's constant is left
        assert (1.5 * joints - joints).abs().max() > 0.1

    def test_the_network_stays_as_it_was(self, network, windows):
        features_at_norms(network, windows.joints[:1].double())
        assert not any(module._forward_hooks for module in network.modules())


def test_the_picture_has_a_point_and_a_number_for_every_place():
    places = ("first norm, before", "first norm, layer norm", "first ADALN, after", POSTURE)
    draws = np.linspace(-0.1, 0.1, 101)
    scores = {name: {place: ProbeScore(k / 4, k / 4 + draws) for k, place in enumerate(places)} for name in QUANTITIES}
    figure = motion_probe.probe_figure(scores)
    assert [ax.get_title() for ax in figure.axes] == list(QUANTITIES)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == list(places)
    assert [text.get_text() for text in figure.axes[1].texts] == ["0.00", "0.25", "0.50", "0.75"]
    lines = [line.get_xdata() for line in figure.axes[2].lines if len(line.get_xdata()) == 2]
    assert lines[1] == pytest.approx([0.25 - 0.095, 0.25 + 0.095])
