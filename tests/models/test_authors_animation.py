"""The authors' checkpoints of animation, faces, views and motion: exact keys, exact outputs against naive networks."""

from functools import cache

import pytest
import torch
from naive_animation import NaiveAnimation, table
from naive_gfla import fill

from repro.models import (
    FaceGFLA,
    ImageDiscriminator,
    MotionExtractionNetwork,
    SequentialGFLA,
    TemporalDiscriminator,
    ViewFlowEstimator,
    ViewGFLA,
    authors,
    parameter_count,
)

TASKS = {  # task: class, keys, parameters
    "dance": (SequentialGFLA, 326, 23_510_195),
    "face": (FaceGFLA, 236, 16_906_667),
    "shapenet": (ViewGFLA, 210, 14_341_323),
    "shapenet-flow": (ViewFlowEstimator, 100, 7_991_286),
    "keypoint": (MotionExtractionNetwork, 50, 1_834_786),
    "discriminator-temporal": (TemporalDiscriminator, 52, 1_032_961),
    "discriminator-face": (ImageDiscriminator, 52, 665_537),
}
CLOSE = {"rtol": 0, "atol": 1e-10}


@cache
def checkpoint(task):
    return fill(table(task))


def networks(task):
    """Return our network and the naive one with the same formula-filled weights, in float64."""
    state = {name: value.double() for name, value in checkpoint(task).items()}
    return authors.load(checkpoint(task), task).double(), NaiveAnimation(state)


def wave(*shape, phase=0.0):
    index = torch.arange(torch.Size(shape).numel(), dtype=torch.float64)
    return torch.sin(phase + 0.05 * index + 1e-6 * index**2).view(shape)


def same(ours, theirs):
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs):
        torch.testing.assert_close(a, b, **CLOSE)


class TestLayout:
    @pytest.mark.parametrize("task", TASKS)
    def test_round_trip_keeps_every_key_and_value(self, task):
        kind, keys, parameters = TASKS[task]
        assert len(checkpoint(task)) == keys
        module = authors.load(checkpoint(task), task)
        assert type(module) is kind
        assert not module.training
        assert parameter_count(module) == parameters
        exported = authors.state_dict(module)
        assert exported.keys() == checkpoint(task).keys()
        assert all(torch.equal(exported[name], value) for name, value in checkpoint(task).items())

    def test_parts_have_the_reference_counts(self):
        with torch.device("meta"):
            dance, face = authors.TASKS["dance"](), authors.TASKS["face"]()
        counts = [parameter_count(net) for net in (dance.source_previous, dance.target, dance.flow_net_reference)]
        assert counts == [1_434_758, 7_420_143, 6_610_268]
        assert [parameter_count(net) for net in (face.flow_net, face.target)] == [6_621_112, 7_416_039]

    def test_prefix_of_several_gpu_runs(self):
        prefixed = {f"module.{name}": value for name, value in checkpoint("face").items()}
        state = authors.state_dict(authors.load(prefixed, "face"))
        assert all(torch.equal(state[name], value) for name, value in checkpoint("face").items())

    def test_old_and_new_spectral_norm_in_space_and_time(self):
        state = checkpoint("discriminator-temporal")
        new = {"_orig": ".original", "_u": ".0._u", "_v": ".0._v"}
        renamed = {}
        for name, value in state.items():
            stem, _, kind = name.rpartition("weight")
            renamed[f"{stem}parametrizations.weight{new[kind]}" if stem else name] = value
        loaded = authors.state_dict(authors.load(renamed, "discriminator-temporal"))
        assert all(torch.equal(loaded[name], value) for name, value in state.items())

        without_v = {name: value for name, value in state.items() if not name.endswith("weight_v")}
        loaded = authors.state_dict(authors.load(without_v, "discriminator-temporal"))
        expected = state["block1.model.3.weight_orig"].reshape(64, -1).T @ state["block1.model.3.weight_u"]
        torch.testing.assert_close(loaded["block1.model.3.weight_v"], expected / expected.norm())

    def test_doubled_keys_of_both_flow_nets_must_agree(self):
        bad = dict(checkpoint("dance"))
        bad["flow_net_previous.jump1.conv1.bias"] = bad["flow_net_previous.jump1.conv1.bias"] + 1
        with pytest.raises(ValueError, match=r"1 contradictory \(flow_net_previous.jump1.model.2.bias differs"):
            authors.load(bad, "dance")

    def test_one_task_is_not_another(self):
        with pytest.raises(ValueError, match=r"4 misshapen \(block0\.model\.1\.weight_orig \(32, 6, 3, 3\) instead"):
            authors.load(checkpoint("discriminator-face"), "discriminator")
        with pytest.raises(ValueError, match="114 missing"):
            authors.load({n: v for n, v in checkpoint("dance").items() if "previous" not in n}, "dance")


class TestOutputs:
    """Formula-filled weights, in float64, at sizes that are not square."""

    @pytest.mark.parametrize(("task", "channels", "frames"), [("dance", 20, (2, 1)), ("face", 16, (1, 1))])
    def test_clip_in_chunks(self, task, channels, frames):
        model, naive = networks(task)
        source, source_pose = wave(1, 3, 64, 96), wave(1, channels, 64, 96, phase=1)
        poses = wave(1, sum(frames), channels, 64, 96, phase=2)
        with torch.no_grad():
            expected = naive.clip(source, source_pose, poses)
            state, out = None, []
            for chunk in poses.split(frames, dim=1):
                clip = model(source, source_pose, chunk, state)
                state = clip.state
                out += zip(clip.images.unbind(1), clip.flows, clip.masks, strict=True)
        assert len(out) == len(expected)
        for (image, flows, masks), (their_image, their_flows, their_masks) in zip(out, expected):
            same([image], [their_image])
            for ours, theirs in ((flows, their_flows), (masks, their_masks)):
                same([*ours.previous, *ours.reference], theirs[0::2] + theirs[1::2])
        assert max(flow.abs().max() for flow in expected[0][1]) > 3  # the test moves things
        assert expected[-1][0].std() > 0.1

    def test_view(self):
        model, naive = networks("shapenet")
        source, codes = wave(1, 3, 64, 96), torch.zeros(2, 1, 21, 1, 1, dtype=torch.float64)
        codes[0, 0, [3, 18]] = codes[1, 0, [11, 19]] = 1
        with torch.no_grad():
            out, (image, flows, masks) = model(source, *codes), naive.view(source, *codes)
            flow_net = authors.load(
                {n: v for n, v in checkpoint("shapenet").items() if n.startswith("flow_net.")}, "shapenet-flow"
            )
            alone = flow_net.double()(source, *codes)
        same([out.image, *out.flows, *out.masks], [image, *flows, *masks])
        assert all(torch.equal(a, b) for a, b in zip([*alone.flows, *alone.masks], [*out.flows, *out.masks]))

    def test_motion(self):
        model, naive = networks("keypoint")
        joints = wave(2, 34, 104, phase=0.4)
        with torch.no_grad():
            ours, theirs = model(joints), naive.keypoint(joints)
        same([ours], [theirs])
        assert theirs.shape == (2, 34, 24)
        assert theirs.std() > 0.1

    @pytest.mark.parametrize("training", [False, True])
    def test_temporal_discriminator(self, training):
        model, naive = networks("discriminator-temporal")
        model.train(training)
        clip = wave(2, 6, 3, 32, 48)
        for _ in range(2):  # the second pass sees the first one's u and v
            same([model(clip)], [naive.temporal(clip.transpose(1, 2), training)])
        state = authors.state_dict(model)
        same(list(state.values()), [naive.state[name] for name in state])

    def test_face_discriminator(self):
        model, naive = networks("discriminator-face")
        same([model(wave(1, 6, 64, 48))], [naive.discriminator(wave(1, 6, 64, 48), False)])
