"""Sequential, face and view networks: branches, recurrence, chunks, memory, gradients, and what the door refuses."""

import gc

import pytest
import torch

from repro.models import GFLA, FaceGFLA, SequentialGFLA, State, ViewFlowEstimator, ViewGFLA, parameter_count
from repro.models.sequential import TwoBranchAttention

CHANNELS = {SequentialGFLA: 20, FaceGFLA: 16}
BOTH = pytest.mark.parametrize("kind", [SequentialGFLA, FaceGFLA])


def small(kind=SequentialGFLA, **options):
    return kind.preset(0.0625, init_gain=1.0, seed=0, **options)


def clip(frames=2, channels=20, batch=1, size=(64, 64), dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)

    def draw(*shape):
        return torch.randn(*shape, *size, generator=generator, dtype=dtype)

    return draw(batch, 3), draw(batch, channels), draw(batch, frames, channels)


def codes(source=3, target=7, batch=1):
    both = torch.zeros(2, batch, 21, 1, 1)
    both[0, :, [source, 18]] = both[1, :, [target, 18]] = 1
    return both


class TestResult:
    def test_counts(self):
        with torch.device("meta"):
            counts = [
                parameter_count(kind({3: 3, 2: 5})) for kind in (SequentialGFLA, FaceGFLA, ViewGFLA, ViewFlowEstimator)
            ]
        assert counts == [23_510_195, 16_906_667, 14_341_323, 7_991_286]

    @BOTH
    def test_shapes(self, kind):
        out = small(kind)(*clip(2, CHANNELS[kind], batch=2, size=(64, 96)))
        assert out.images.shape == (2, 2, 3, 64, 96)
        assert len(out.flows) == len(out.masks) == 2
        for flows, masks in zip(out.flows, out.masks):
            for branch in ("previous", "reference"):
                assert [tuple(f.shape) for f in getattr(flows, branch)] == [(2, 2, 8, 12), (2, 2, 16, 24)]
                assert [tuple(m.shape) for m in getattr(masks, branch)] == [(2, 1, 8, 12), (2, 1, 16, 24)]
                assert all(((m > 0) & (m < 1)).all() for m in getattr(masks, branch))
        assert torch.equal(out.state.image, out.images[:, -1])

    def test_the_first_frame_has_the_source_picture_as_previous(self):
        model, (source, pose, poses) = small(), clip(1)
        assert torch.equal(model(source, pose, poses).images, model(source, pose, poses, State(source, pose)).images)

    def test_flows_of_the_pair_estimators(self):
        model, (source, pose, poses) = small(), clip(2)
        out = model(source, pose, poses)
        previous = model.flow_net_previous(out.images[:, 0], poses[:, 0], poses[:, 1])
        reference = model.flow_net_reference(source, pose, poses[:, 1])
        for name, expected in (("previous", previous), ("reference", reference)):
            assert all(torch.equal(a, b) for a, b in zip(getattr(out.flows[1], name), expected.flows, strict=True))
            assert all(torch.equal(a, b) for a, b in zip(getattr(out.masks[1], name), expected.masks, strict=True))

    def test_branches_are_summed(self):
        """Eq. 20 on one position with one tap: (1 - m) x + m a, twice; a kernel of one tap is 1."""
        attention = TwoBranchAttention(1, 1).double()
        x, a, b = (torch.full((1, 1, 1, 1), value, dtype=torch.float64) for value in (2.0, 10.0, -4.0))
        flow, half, quarter = torch.zeros(1, 2, 1, 1).double(), torch.full_like(x, 0.5), torch.full_like(x, 0.25)
        out = attention(x, (a, flow, half), (b, flow, quarter))
        assert out.item() == pytest.approx((0.5 * 2 + 0.5 * 10) + (0.75 * 2 + 0.25 * -4))
        assert attention(x, (a, flow, 0 * x), (b, flow, 0 * x)).item() == pytest.approx(2 * 2)  # nobody looks: doubled

    @BOTH
    def test_each_branch_looks_into_its_own_picture(self, kind):
        """With the masks of one branch at 0 its picture does not matter to the attention."""
        model, (source, pose, poses) = small(kind), clip(1, CHANNELS[kind])
        other = State(source.flip(3), pose)
        same = model(source, pose, poses, State(source, pose)).images
        assert not torch.equal(same, model(source, pose, poses, other).images)
        if kind is SequentialGFLA:
            for head in model.flow_net_previous.mask_head.values():
                torch.nn.init.zeros_(head.weight)
                torch.nn.init.constant_(head.bias, -200.0)
            same = model(source, pose, poses, State(source, pose)).images
            assert torch.equal(same, model(source, pose, poses, other).images)

    def test_samples_of_a_batch_do_not_meet(self):
        model, (source, pose, poses) = small().double(), clip(2, batch=2, dtype=torch.float64)
        together, alone = model(source, pose, poses), model(source[1:], pose[1:], poses[1:])
        torch.testing.assert_close(together.images[1:], alone.images, rtol=0, atol=1e-9)


class TestChunks:
    @BOTH
    def test_chunks_of_six_equal_the_whole_clip_bit_for_bit(self, kind):
        model, (source, pose, poses) = small(kind).eval(), clip(8, CHANNELS[kind])
        with torch.no_grad():
            whole = model(source, pose, poses)
            first = model(source, pose, poses[:, :6])
            saved = State(*(value.clone() for value in first.state))  # as from a file
            rest = model(source, pose, poses[:, 6:], saved)
        assert torch.equal(whole.images, torch.cat([first.images, rest.images], dim=1))
        assert all(torch.equal(a, b) for a, b in zip(whole.state, rest.state))
        assert all(torch.equal(a, b) for a, b in zip(whole.flows[7].previous, rest.flows[1].previous))

    def test_frames_one_by_one_equal_the_clip(self):
        model, (source, pose, poses) = small().eval(), clip(2)
        with torch.no_grad():
            frames = [frame.image for frame in model.frames(source, pose, (p for p in poses.unbind(1)))]
            assert torch.equal(torch.stack(frames, 1), model(source, pose, poses).images)

    def test_training_and_evaluation_see_the_same(self):
        model, inputs = small(), clip(2)
        assert torch.equal(model.train()(*inputs).images, model.eval()(*inputs).images)

    @pytest.mark.parametrize("grad", [False, True])
    def test_memory_is_flat_in_evaluation_mode(self, grad):
        """Tensors alive while the clip runs: as many after nine frames as after four, even with gradients on."""
        model, (source, pose, poses) = small().eval(), clip(1)
        with torch.set_grad_enabled(grad):
            alive = []
            for number, _ in enumerate(model.frames(source, pose, (poses[:, 0] for _ in range(9)))):
                if number in (3, 8):
                    gc.collect()
                    alive.append(sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects()))
        assert alive[0] == alive[1]


class TestGradients:
    def gradient_of_the_first_pose(self, model, frames=2):
        source, pose, poses = clip(frames)
        first = poses[:, :1].clone().requires_grad_()
        out = model(source, pose, torch.cat([first, poses[:, 1:]], dim=1))
        return torch.autograd.grad(out.images[:, -1].sum(), first, allow_unused=True)[0]

    def test_runs_back_through_the_frames_of_a_chunk_in_training_only(self):
        assert self.gradient_of_the_first_pose(small().train()).any()
        stopped = self.gradient_of_the_first_pose(small().eval())
        assert stopped is None or not stopped.any()

    def test_state_is_detached(self):
        model, (source, pose, poses) = small().train(), clip(1)
        out = model(source, pose.requires_grad_(), poses.requires_grad_())
        assert out.images.requires_grad
        assert not any(value.requires_grad for value in out.state)

    @BOTH
    def test_everything_learns(self, kind):
        model = small(kind)
        model(*clip(2, CHANNELS[kind])).images.square().sum().backward()
        assert [name for name, p in model.named_parameters() if p.grad is None] == []

    def test_view_learns(self):
        model = small(ViewGFLA)
        model(clip()[0], *codes()).image.square().sum().backward()
        # The target net's encoder does not exist, so nothing is left without a gradient.
        assert [name for name, p in model.named_parameters() if p.grad is None] == []


class TestStart:
    def test_from_a_pair_network(self):
        """With both pictures equal, both branches then see what the pair network sees."""
        naive = small(GFLA_of_skeletons)
        model = SequentialGFLA.preset(0.0625, seed=5)
        model.start_from(naive)
        source, pose, poses = clip(1)
        flows, expected = model(source, pose, poses).flows[0], naive(source, pose, poses[:, 0]).flows
        for branch in flows:
            assert all(torch.equal(a, b) for a, b in zip(branch, expected, strict=True))
        assert torch.equal(model.attention(2).previous.kernel_net[0].weight, naive.attention(2).kernel_net[0].weight)
        assert torch.equal(model.attention(3).reference.kernel_net[2].bias, naive.attention(3).kernel_net[2].bias)
        assert torch.equal(model.target.output.model[2].weight, naive.target.output.model[2].weight)

    def test_first_frame_is_the_pair_networks(self):
        """Both branches look into the source and their sum must not be twice what the decoder knows.

        In float64 only the norms' epsilon tells doubled features: 1e-5 beside a variance of order 1.
        """
        naive = GFLA_of_skeletons.preset(0.0625, seed=3, init_gain=1.0).double()
        model = SequentialGFLA.preset(0.0625, seed=5).double()
        model.start_from(naive)
        source, pose, poses = (value.double() for value in clip(2))
        expected = naive(source, pose, poses[:, 0]).image
        torch.testing.assert_close(model(source, pose, poses).images[:, 0], expected, rtol=0, atol=1e-4)
        model.target.load_state_dict(naive.target.state_dict(), strict=False)  # the decoder as it was
        assert (model(source, pose, poses).images[:, 0] - expected).abs().max() > 1e-2

    def test_seed_decides_and_branches_differ(self):
        a, b, c = (SequentialGFLA.preset(0.0625, seed=s).state_dict() for s in (0, 0, 1))
        assert all(torch.equal(a[name], b[name]) for name in a)
        assert not torch.equal(a["target.output.model.2.weight"], c["target.output.model.2.weight"])
        weight = "encoder.1.model.2.weight"
        assert not torch.allclose(a[f"source_previous.{weight}"], a[f"source_reference.{weight}"])

    def test_view_flow_estimator_alone_starts_as_in_the_generator(self):
        alone, within = ViewFlowEstimator.preset(0.0625, seed=4), ViewGFLA.preset(0.0625, seed=4).flow_net
        assert all(torch.equal(a, b) for a, b in zip(alone.parameters(), within.parameters(), strict=True))


class GFLA_of_skeletons:
    """The network that animates frame by frame: a pair network with the skeletons of clips."""

    @staticmethod
    def preset(*args, **options):
        return GFLA.preset("fashion", *args, pose_channels=20, **options)


class TestView:
    def test_shapes_and_codes(self):
        model, picture = small(ViewGFLA), clip(batch=2, size=(64, 96))[0]
        out = model(picture, *codes(batch=2))
        assert out.image.shape == (2, 3, 64, 96)
        assert [tuple(f.shape) for f in out.flows] == [(2, 2, 8, 12), (2, 2, 16, 24)]
        assert not torch.equal(out.image, model(picture, *codes(target=8, batch=2)).image)

    def test_flow_knows_only_the_difference_of_the_codes(self):
        """Elevation equal, same azimuths: the difference is 0 whatever the view, and so the flow is the same."""
        net, picture = small(ViewFlowEstimator), clip()[0]
        a, b = net(picture, *codes(3, 3)), net(picture, *codes(9, 9))
        assert all(torch.equal(x, y) for x, y in zip(a.flows, b.flows))
        assert not torch.equal(a.flows[0], net(picture, *codes(3, 4)).flows[0])

    @pytest.mark.parametrize("build", [ViewGFLA, ViewFlowEstimator])
    def test_door(self, build):
        model, picture, (source, target) = small(build), clip()[0], codes()
        with pytest.raises(ValueError, match=r"expected target_code \(B, 21, 1, 1\).*code\[\.\.\., None, None\]"):
            model(picture, source, target[..., 0, 0])
        with pytest.raises(ValueError, match=r"expected source_code .*with B=1, got \(2, 21, 1, 1\)"):
            model(picture, codes(batch=2)[0], target)
        with pytest.raises(TypeError, match="expected source_code to be floating point"):
            model(picture, source.long(), target)
        with pytest.raises(ValueError, match="multiples of 32 and at least 64, got 64x80"):
            model(torch.zeros(1, 3, 64, 80), source, target)


class TestDoor:
    @BOTH
    @pytest.mark.parametrize(
        ("place", "shape", "message"),
        [
            (0, (3, 64, 64), r"expected source \(B, 3, H, W\), got \(3, 64, 64\)"),
            (1, (1, 18, 64, 64), r"expected source_pose \(B, (20|16), H, W\) .*got \(1, 18, 64, 64\)"),
            (2, (1, 20, 64, 64), r"expected target_poses \(B, T, (20|16), H, W\)"),
            (2, (2, 1, 0, 64, 64), r"expected target_poses"),
            (2, (1, 0, 0, 64, 64), r"expected target_poses .*with at least one frame"),
        ],
    )
    def test_shapes(self, kind, place, shape, message):
        channels = CHANNELS[kind]
        inputs = list(clip(1, channels))
        if len(shape) == 5:  # 0 stands for the channels of this network
            shape = (*shape[:2], channels, *shape[3:])
        inputs[place] = torch.zeros(shape)
        with pytest.raises(ValueError, match=message):
            small(kind)(*inputs)

    def test_state_of_another_clip(self):
        model, (source, pose, poses) = small(), clip(1)
        wrong = State(torch.zeros(1, 3, 64, 96), torch.zeros(1, 20, 64, 96))
        with pytest.raises(ValueError, match="pass the state that this clip's last call returned"):
            model(source, pose, poses, wrong)
        with pytest.raises(ValueError, match="multiples of 32"):
            model(*(x[..., :48] for x in (source, pose, poses)))

    def test_a_pose_of_another_size_is_named_when_its_frame_comes(self):
        model, (source, pose, poses) = small().eval(), clip(1)
        frames = model.frames(source, pose, iter([poses[:, 0], torch.zeros(1, 20, 96, 64)]))
        next(frames)
        with pytest.raises(ValueError, match=r"expected target_pose .*got \(1, 20, 96, 64\)"):
            next(frames)

    def test_bytes_are_refused(self):
        source, pose, poses = clip(1)
        with pytest.raises(TypeError, match=r"expected source to be floating point, got torch\.uint8"):
            small()(source.to(torch.uint8), pose, poses)
