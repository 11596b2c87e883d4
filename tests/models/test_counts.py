"""Parameter counts, the paper's and those measured on the authors' code: the cheapest proof of every layer's size."""

import pytest
import torch

from repro.models import GFLA, FlowEstimator, ImageDiscriminator, LocalAttention, flops, parameter_count


def test_fashion_generator_and_its_parts():
    model = GFLA.preset("fashion")
    assert parameter_count(model) == 14_047_395  # the paper's 14.04M, truncated
    assert parameter_count(model.source) == 1_434_758
    assert parameter_count(model.target) == 6_004_425
    assert parameter_count(model.flow_net) == 6_608_212


def test_market_generator():
    assert parameter_count(GFLA.preset("market")) == 12_926_471


@pytest.mark.parametrize(("task", "count"), [("fashion", 6_608_212), ("market", 6_604_753)])
def test_flow_estimator(task, count):
    assert parameter_count(FlowEstimator.preset(task)) == count


@pytest.mark.parametrize(("task", "count"), [("fashion", 664_577), ("market", 238_209)])
def test_discriminator(task, count):
    assert parameter_count(ImageDiscriminator.preset(task)) == count


def test_local_attention_owns_four_parameters():
    shapes = [tuple(p.shape) for p in LocalAttention(24, 5).parameters()]
    assert shapes == [(128, 48, 5, 5), (128,), (25, 128, 1, 1), (25,)]


def test_width_leaves_inputs_outputs_windows_and_kernel_net_alone():
    narrow, wide = GFLA.preset("fashion", width=0.25), GFLA.preset("fashion")
    fixed = {3, 39, 18, 2, 1, 9, 25, 128}
    for (name, thin), (_, thick) in zip(narrow.named_parameters(), wide.named_parameters()):
        for a, b in zip(thin.shape[:2], thick.shape[:2]):
            assert 4 * a == b or (a == b and a in fixed), name


def test_shared_parameters_count_once():
    layer = torch.nn.Linear(3, 2)
    assert parameter_count(torch.nn.Sequential(layer, layer)) == 8


def test_flops_of_one_convolution_by_hand():
    class Convolution(torch.nn.Conv2d):
        def forward(self, image, source_pose, target_pose):
            return super().forward(image)

    # 2 operations x 5 x 3 x 3 x 3 weights x 64 x 96 positions
    assert flops(Convolution(3, 5, 3, padding=1), (64, 96)) == 2 * 5 * 27 * 64 * 96
