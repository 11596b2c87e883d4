"""GFLA: results, options, what is refused at the door, and where gradients go."""

import copy
import pickle

import pytest
import torch

from repro.models import GFLA, FlowEstimator


def pair(batch=1, size=(64, 96), dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    return tuple(torch.randn(batch, c, *size, generator=generator, dtype=dtype) for c in (3, 18, 18))


def small(task="fashion", **options):
    return GFLA.preset(task, 0.125, init_gain=1.0, seed=0, **options)


class TestResult:
    @pytest.mark.parametrize("size", [(64, 96), (128, 64), (64, 64)])
    def test_fashion_shapes_coarse_to_fine(self, size):
        out = small()(*pair(2, size))
        coarse, fine = [tuple(s // 2**layer for s in size) for layer in (3, 2)]
        assert out.image.shape == (2, 3, *size)
        assert [tuple(f.shape) for f in out.flows] == [(2, 2, *coarse), (2, 2, *fine)]
        assert [tuple(m.shape) for m in out.masks] == [(2, 1, *coarse), (2, 1, *fine)]
        assert all(((m > 0) & (m < 1)).all() for m in out.masks)

    def test_market_shapes(self):
        out = small("market")(*pair(2, (128, 64)))
        assert [tuple(f.shape) for f in out.flows] == [(2, 2, 32, 16)]

    def test_attention_layers_say_the_windows_in_the_order_of_the_flows(self):
        assert list(small().attention_layers.items()) == [(3, 3), (2, 5)]
        assert list(small("market").attention_layers.items()) == [(2, 3)]
        assert FlowEstimator.preset("fashion", 0.125).attention_layers == {3: 3, 2: 5}

    def test_any_subset_of_the_decoders_layers(self):
        model = GFLA({1: 5, 2: 3}, 0.125)
        assert [tuple(f.shape[2:]) for f in model(*pair()).flows] == [(16, 24), (32, 48)]
        with pytest.raises(
            ValueError, match="expected attention layers among 1, 2, 3 with an odd window each, got layer 4"
        ):
            GFLA({4: 3})

    def test_samples_of_a_batch_do_not_meet(self):
        model, inputs = small().double(), pair(3, dtype=torch.float64)
        together, alone = model(*inputs), model(*(x[1:2] for x in inputs))
        torch.testing.assert_close(together.image[1:2], alone.image, rtol=0, atol=1e-10)

    def test_attention_inputs_are_what_the_attention_got(self):
        model = small()
        out = model(*pair())
        source, target, flow = out.attention_inputs[2]
        assert flow is out.flows[1]
        assert source.shape == target.shape == (1, 16, 16, 24)
        kernel = model.attention(2).coefficients(*out.attention_inputs[2])
        torch.testing.assert_close(kernel.sum(1), torch.ones(1, 16, 24))

    def test_mask_zero_leaves_the_source_out(self):
        model = small()
        for head in model.flow_net.mask_head.values():
            torch.nn.init.zeros_(head.weight)
            torch.nn.init.constant_(head.bias, -200.0)
        image, source_pose, target_pose = pair()
        one, two = model(image, source_pose, target_pose), model(image.flip(3), source_pose, target_pose)
        assert torch.equal(one.image, two.image)

    def test_mean_option_reaches_every_attention(self):
        assert all(not small(attention_mean=False).attention(layer).mean for layer in (3, 2))
        assert all(small().attention(layer).mean for layer in (3, 2))

    @pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
    def test_copies_are_equal(self, copied):
        model = small()
        assert torch.equal(copied(model)(*pair()).image, model(*pair()).image)


class TestPrecision:
    def test_flows_stay_exact_under_autocast(self):
        """A flow rounded to bfloat16 would move in quarters of pixels; features may lose digits."""
        model = small()
        with torch.autocast("cpu", torch.bfloat16):
            out = model(*pair())
        assert [x.dtype for x in (*out.flows, *out.masks)] == [torch.float32] * 4
        exact = model(*pair())
        assert (out.image.float() - exact.image).abs().mean() < 0.02
        out.image.float().sum().backward()
        assert all(p.grad.isfinite().all() for p in model.parameters())


class TestInitialisation:
    def test_orthogonal_weights_and_zero_biases(self):
        model = GFLA.preset("fashion", 0.25)
        for name, layer in model.named_modules():
            if isinstance(layer, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
                matrix = layer.weight.flatten(1)
                small_side = matrix @ matrix.T if len(matrix) <= matrix.shape[1] else matrix.T @ matrix
                torch.testing.assert_close(
                    small_side, 0.02**2 * torch.eye(len(small_side)), rtol=0, atol=1e-8, msg=name
                )
                assert not layer.bias.any(), name
            if isinstance(layer, torch.nn.InstanceNorm2d):
                assert (layer.weight == 1).all(), name
                assert not layer.bias.any(), name

    def test_seed_decides(self):
        def weights(**options):
            return torch.nn.utils.parameters_to_vector(GFLA.preset("market", 0.125, **options).parameters())

        assert torch.equal(weights(seed=1), weights(seed=1))
        assert not torch.equal(weights(seed=1), weights(seed=2))
        torch.manual_seed(7)
        first, second = weights(), weights()
        torch.manual_seed(7)
        assert torch.equal(first, weights())
        assert not torch.equal(first, second)

    def test_no_two_layers_start_alike(self):
        model = small()
        a, b = (net.encoder[1].model[2].weight for net in (model.source, model.target))
        assert a.shape == b.shape
        assert not torch.allclose(a, b)

    def test_flow_estimator_alone_starts_as_in_the_generator(self):
        alone, within = FlowEstimator.preset("fashion", 0.125, seed=4), GFLA.preset("fashion", 0.125, seed=4).flow_net
        for (name, a), b in zip(alone.named_parameters(), within.parameters(), strict=True):
            assert torch.equal(a, b), name


class TestDoor:
    @pytest.mark.parametrize("build", [GFLA.preset, FlowEstimator.preset])
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({0: (1, 4, 64, 64)}, r"expected source \(B, 3, H, W\), got \(1, 4, 64, 64\)"),
            ({0: (3, 64, 64)}, r"expected source \(B, 3, H, W\), got \(3, 64, 64\)"),
            ({1: (1, 17, 64, 64)}, r"expected source_pose \(B, 18, H, W\) with .*got \(1, 17, 64, 64\)"),
            ({2: (2, 18, 64, 64)}, r"expected target_pose \(B, 18, H, W\) with B=1.*got \(2, 18, 64, 64\)"),
            ({2: (1, 18, 64, 96)}, r"expected target_pose .*W=64.*got \(1, 18, 64, 96\)"),
        ],
    )
    def test_shapes(self, build, change, message):
        inputs = [torch.zeros(change.get(i, (1, c, 64, 64))) for i, c in enumerate((3, 18, 18))]
        with pytest.raises(ValueError, match=message):
            build("market", 0.125)(*inputs)

    @pytest.mark.parametrize("size", [(64, 80), (176, 256), (32, 64), (32, 32)])
    def test_sides(self, size):
        with pytest.raises(ValueError, match=rf"multiples of 32 and at least 64, got {size[0]}x{size[1]}"):
            small("market")(*pair(size=size))

    def test_bytes_are_refused(self):
        image, *poses = pair()
        with pytest.raises(TypeError, match=r"expected source to be floating point, got torch.uint8"):
            small("market")(image.to(torch.uint8), *poses)

    def test_options(self):
        with pytest.raises(ValueError, match="unknown sampling 'nearest': choose one of attention, bilinear"):
            GFLA.preset("fashion", sampling="nearest")
        with pytest.raises(ValueError, match="unknown preset 'face'"):
            GFLA.preset("face")
        with pytest.raises(ValueError, match="expected width > 0"):
            GFLA.preset("fashion", width=0)


class TestGradients:
    def test_everything_learns_in_stage_two_except_what_the_authors_leave_out(self):
        model = small("market")
        model(*pair()).image.sum().backward()
        unused = {name.split(".model")[0] for name, p in model.named_parameters() if p.grad is None}
        assert unused == {"source.encoder.2"}  # Market: the authors' source.encoder1 exists but is not read

        model = small()
        model(*pair()).image.sum().backward()
        assert all(p.grad is not None for p in model.parameters())

    def test_mask_heads_get_no_gradient_from_flow_losses(self):
        net = FlowEstimator.preset("fashion", 0.125, init_gain=1.0, seed=0)
        sum(flow.square().mean() for flow in net(*pair()).flows).backward()
        unused = {name.split(".")[0] for name, p in net.named_parameters() if p.grad is None}
        assert unused == {"mask_head"}

    def test_biases_before_an_instance_norm_have_no_effect(self):
        model = small().double()
        model(*pair(dtype=torch.float64)).image.square().sum().backward()
        grads = {name: p.grad.abs().max() for name, p in model.named_parameters()}
        before_norm = [
            name for name in grads if name.endswith("model.2.bias") and "jump" not in name and "output" not in name
        ]
        assert len(before_norm) == 11 + 6 + 3  # one per encoder block, renderer and flow decoder block
        for name in before_norm:
            assert grads[name] < 1e-10 * grads[name.replace("bias", "weight")], name
