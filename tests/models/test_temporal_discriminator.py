"""The temporal discriminator and the differences that the video discriminator of faces looks at."""

import math

import pytest
import torch

from repro.models import ImageDiscriminator, TemporalDiscriminator, frame_differences, parameter_count
from repro.models.spectral_norm import SpectralNormConv3d


def small():
    return TemporalDiscriminator.preset(0.25, seed=0)


def clips(batch=2, size=(32, 48)):
    return torch.randn(batch, 6, 3, *size, generator=torch.Generator().manual_seed(1))


class TestTemporalDiscriminator:
    def test_counts(self):
        with torch.device("meta"):
            assert parameter_count(TemporalDiscriminator()) == 1_032_961
            assert parameter_count(ImageDiscriminator(channels_in=6)) == 665_537

    def test_score_map_has_a_sixteenth_of_the_sides(self):
        assert small()(clips()).shape == (2, 1, 2, 3)
        assert small()(clips(1, (50, 37))).shape == (1, 1, 3, 2)

    def test_every_frame_counts_and_so_does_their_order(self):
        net, clip = small().eval().double(), clips(1).double()
        clip.requires_grad_()
        scores = net(clip)
        scores.square().sum().backward()
        assert (clip.grad.flatten(2).abs().amax(2) > 0).all()
        assert (net(clip.flip(1)) - scores).abs().max() > 1e-3

    def test_a_frozen_clip_has_no_order(self):
        frozen = clips(1)[:, :1].expand(-1, 6, -1, -1, -1)
        net = small().eval()
        assert torch.equal(net(frozen), net(frozen.flip(1)))

    def test_training_advances_the_power_iteration_and_evaluation_does_not(self):
        net = small()
        before = net.state_dict()["clip_encoder.1.model.3.weight_u"].clone()
        net.eval()(clips())
        assert torch.equal(before, net.state_dict()["clip_encoder.1.model.3.weight_u"])
        net.train()(clips())
        assert not torch.equal(before, net.state_dict()["clip_encoder.1.model.3.weight_u"])

    def test_spectral_norm_in_space_and_time_converges_to_the_largest_singular_value(self):
        conv = SpectralNormConv3d(2, 4, (3, 2, 2))
        for _ in range(200):
            conv(torch.zeros(1, 2, 3, 2, 2))
        sigma = torch.linalg.matrix_norm(conv.weight.flatten(1), 2)
        torch.testing.assert_close(conv.weight_u @ conv.weight.flatten(1) @ conv.weight_v, sigma, rtol=1e-4, atol=0)

    def test_initial_weights(self):
        net = small()
        for name, layer in net.named_modules():
            if isinstance(layer, SpectralNormConv3d):
                assert layer.weight.abs().max() <= 1 / math.sqrt(layer.weight[0].numel()), name
                assert not layer.bias.any(), name
        other = TemporalDiscriminator.preset(0.25, seed=1)
        assert torch.equal(net.score[1].weight, small().score[1].weight)
        assert not torch.equal(net.score[1].weight, other.score[1].weight)

    @pytest.mark.parametrize(
        ("clip", "error", "message"),
        [
            (torch.zeros(1, 5, 3, 32, 32), ValueError, r"expected clip \(B, 6, 3, H, W\), got \(1, 5, 3, 32, 32\)"),
            (torch.zeros(1, 3, 6, 32, 32), ValueError, r"clip\.transpose\(1, 2\) for channels before frames"),
            (torch.zeros(1, 6, 3, 8, 32), ValueError, "expected sides of at least 16, got 8x32"),
            (torch.zeros(1, 6, 3, 32, 32, dtype=torch.uint8), TypeError, "expected clip to be floating point"),
        ],
    )
    def test_door(self, clip, error, message):
        with pytest.raises(error, match=message):
            small()(clip)


class TestFrameDifferences:
    def test_each_frame_minus_the_next(self):
        clip = torch.tensor([5.0, 3.0, 10.0]).view(1, 3, 1, 1, 1).expand(1, 3, 3, 2, 2)
        out = frame_differences(clip)
        assert out.shape == (1, 6, 2, 2)
        assert out[0, :, 0, 0].tolist() == [2, 2, 2, -7, -7, -7]

    def test_goes_into_a_discriminator_of_six_channels(self):
        net = ImageDiscriminator.preset("fashion", 0.25, seed=0, channels_in=6)
        assert net(frame_differences(clips(1, (32, 32))[:, :3])).shape == (1, 1, 2, 2)
        with pytest.raises(ValueError, match=r"expected image \(B, 6, H, W\)"):
            net(torch.zeros(1, 3, 32, 32))

    def test_door(self):
        with pytest.raises(ValueError, match=r"expected clip \(B, 3, 3, H, W\), got \(1, 6, 3, 4, 4\)"):
            frame_differences(torch.zeros(1, 6, 3, 4, 4))
