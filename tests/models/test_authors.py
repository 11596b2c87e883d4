"""The authors' checkpoint layout: exact keys, exact outputs, every spelling of spectral norm, and damaged files."""

import pickle

import pytest
import torch
from authors_layout import WINDOWS, table
from naive_gfla import Naive, fill
from safetensors.torch import save_file

from repro.models import GFLA, FlowEstimator, ImageDiscriminator, authors

TASKS = ("fashion", "market", "fashion-flow", "market-flow", "discriminator", "discriminator-market")


@pytest.fixture(scope="module")
def checkpoints():
    return {task: fill(table(task)) for task in TASKS}


def pair(size, batch=1):
    def wave(channels, phase):
        index = torch.arange(batch * channels * size[0] * size[1], dtype=torch.float64)
        return torch.sin(phase + 0.05 * index + 1e-6 * index**2).view(batch, channels, *size)

    return wave(3, 0.0), wave(18, 1.0), wave(18, 2.0)


def double(state):
    return {name: value.double() for name, value in state.items()}


class TestLayout:
    @pytest.mark.parametrize(("task", "count"), list(zip(TASKS, (204, 196, 90, 86, 52, 40))))
    def test_round_trip_keeps_every_key_and_value(self, checkpoints, task, count):
        checkpoint = checkpoints[task]
        assert len(checkpoint) == count
        module = authors.load(checkpoint, task)
        assert not module.training
        exported = authors.state_dict(module)
        assert exported.keys() == checkpoint.keys()
        for name, value in checkpoint.items():
            assert torch.equal(exported[name], value), name

    def test_modules_are_ours(self, checkpoints):
        kinds = (GFLA, GFLA, FlowEstimator, FlowEstimator, ImageDiscriminator, ImageDiscriminator)
        for task, kind in zip(TASKS, kinds):
            assert isinstance(authors.load(checkpoints[task], task), kind)

    @pytest.mark.parametrize("task", ["fashion", "discriminator"])
    def test_prefix_of_several_gpu_runs(self, checkpoints, task):
        prefixed = {f"module.{name}": value for name, value in checkpoints[task].items()}
        same(authors.load(prefixed, task), authors.load(checkpoints[task], task))

    def test_new_spectral_norm_keys(self, checkpoints):
        new = {"_orig": ".original", "_u": ".0._u", "_v": ".0._v"}
        renamed = {}
        for name, value in checkpoints["discriminator"].items():
            stem, _, kind = name.rpartition("weight")
            renamed[f"{stem}parametrizations.weight{new[kind]}" if stem else name] = value
        assert not renamed.keys() & {n for n in checkpoints["discriminator"] if "weight" in n}
        same(authors.load(renamed, "discriminator"), authors.load(checkpoints["discriminator"], "discriminator"))

    def test_missing_v_is_one_step_from_u(self, checkpoints):
        old = {n: v for n, v in checkpoints["discriminator-market"].items() if not n.endswith("weight_v")}
        state = authors.state_dict(authors.load(old, "discriminator-market"))
        weight, u = old["block0.model.3.weight_orig"], old["block0.model.3.weight_u"]
        expected = weight.reshape(32, -1).T @ u
        torch.testing.assert_close(state["block0.model.3.weight_v"], expected / expected.norm())


class TestOutputs:
    """Formula-filled weights at sizes that are not square, in float64, against the naive networks."""

    @pytest.mark.parametrize(("task", "size"), [("fashion", (64, 96)), ("market", (128, 64))])
    def test_generator(self, checkpoints, task, size):
        model = authors.load(checkpoints[task], task).double()
        inputs = pair(size)
        with torch.no_grad():
            out = model(*inputs)
            image, flows, masks = Naive(double(checkpoints[task])).generator(*inputs, WINDOWS[task])
        close = {"rtol": 0, "atol": 1e-10}
        torch.testing.assert_close(out.image, image, **close)
        assert len(out.flows) == len(flows) == len(WINDOWS[task])
        for ours, theirs in zip([*out.flows, *out.masks], [*flows, *masks]):
            torch.testing.assert_close(ours, theirs, **close)
        assert max(flow.abs().max() for flow in flows) > 3  # the test moves things
        assert image.std() > 0.1

    @pytest.mark.parametrize("task", ["fashion", "market"])
    def test_flow_pretraining_net_is_the_generators(self, checkpoints, task):
        state = {n: v for n, v in checkpoints[task].items() if n.startswith("flow_net.")}
        flow_net, model = authors.load(state, f"{task}-flow"), authors.load(checkpoints[task], task)
        inputs = [x.float() for x in pair((64, 64))]
        with torch.no_grad():
            for ours, theirs in zip(flow_net(*inputs), model(*inputs)[1:3]):
                assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))

    @pytest.mark.parametrize("task", ["discriminator", "discriminator-market"])
    @pytest.mark.parametrize("training", [False, True])
    def test_discriminator(self, checkpoints, task, training):
        model = authors.load(checkpoints[task], task).double().train(training)
        naive = Naive(double(checkpoints[task]))
        image = pair((64, 48))[0]
        for _ in range(2):  # the second pass sees the first one's u and v
            torch.testing.assert_close(model(image), naive.discriminator(image, training), rtol=0, atol=1e-12)
        state = authors.state_dict(model)
        for name in state:
            torch.testing.assert_close(state[name], naive.state[name], rtol=0, atol=1e-12)

    @pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-6), (torch.float32, 5e-5)])
    def test_golden_numbers(self, checkpoints, dtype, tolerance):
        """Numbers of the naive float64 path, rounded to six digits: they change only if the networks do."""

        def run(task, *inputs):
            with torch.no_grad():
                return authors.load(checkpoints[task], task).to(dtype)(*(x.to(dtype) for x in inputs))

        fashion, market = run("fashion", *pair((64, 96))), run("market", *pair((128, 64)))
        scores = run("discriminator", pair((64, 48))[0])
        ours = [summary(x) for x in (fashion.image, fashion.flows[0], fashion.masks[1], market.image, scores)]
        torch.testing.assert_close(torch.tensor(ours), torch.tensor(GOLDEN), rtol=0, atol=tolerance)


class TestRefusals:
    def test_unknown_task_names_the_known_ones(self):
        with pytest.raises(ValueError, match=r"unknown task 'dancing': choose one of fashion, market, .*discriminator"):
            authors.load({}, "dancing")

    def test_one_error_lists_unknown_missing_and_misshapen_keys(self, checkpoints):
        bad = dict(checkpoints["fashion"])
        bad["target.extra.weight"] = bad.pop("target.outconv.conv1.weight")
        bad["source.block0.model.2.weight"] = torch.zeros(16, 3, 4, 4)
        with pytest.raises(ValueError) as error:
            authors.load(bad, "fashion")
        message = str(error.value)
        assert "1 unknown (target.extra.weight)" in message
        assert "1 missing (target.outconv.conv1.weight)" in message
        assert "1 misshapen (source.block0.model.2.weight (16, 3, 4, 4) instead of (64, 3, 4, 4))" in message

    def test_long_lists_are_counted(self, checkpoints):
        with pytest.raises(ValueError, match=r"204 missing \(.*, \.\.\.\)") as error:
            authors.load(checkpoints["discriminator"], "fashion")
        assert "52 unknown" in str(error.value)
        assert len(str(error.value)) < 1500

    @pytest.mark.parametrize("key", ["state_dict", "model"])
    def test_a_nested_checkpoint_says_what_to_pass(self, checkpoints, key):
        with pytest.raises(ValueError, match=rf"under '{key}': pass checkpoint\['{key}'\]"):
            authors.load({key: checkpoints["discriminator"], "epoch": 3}, "discriminator")

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_weights_that_are_no_numbers_are_named(self, checkpoints, value):
        bad = dict(checkpoints["discriminator"])
        bad["conv.bias"] = torch.full((1,), value)
        with pytest.raises(ValueError, match=r"1 not finite \(conv\.bias\)"):
            authors.load(bad, "discriminator")

    def test_market_is_not_fashion(self, checkpoints):
        with pytest.raises(ValueError, match=r"8 missing .*3 misshapen"):
            authors.load(checkpoints["market"], "fashion")

    def test_doubled_keys_must_agree(self, checkpoints):
        bad = dict(checkpoints["fashion-flow"])
        bad["flow_net.jump1.conv1.bias"] = bad["flow_net.jump1.conv1.bias"] + 1
        with pytest.raises(ValueError, match=r"1 contradictory \(flow_net.jump1.model.2.bias differs from its copy"):
            authors.load(bad, "fashion-flow")

    @pytest.mark.parametrize("value", [3.0, torch.zeros(2, dtype=torch.int64)])
    def test_values_that_are_no_floating_tensors(self, checkpoints, value):
        with pytest.raises(ValueError, match=r"1 misshapen \(flow_net.output1.bias (float|\(2,\) torch.int64) instead"):
            authors.load({**checkpoints["fashion-flow"], "flow_net.output1.bias": value}, "fashion-flow")


class TestFiles:
    def test_pth_and_safetensors(self, checkpoints, tmp_path):
        checkpoint, task = checkpoints["discriminator-market"], "discriminator-market"
        torch.save(checkpoint, tmp_path / "net.pth")
        save_file({name: value.clone() for name, value in checkpoint.items()}, tmp_path / "net.safetensors")
        torch.save(checkpoint, tmp_path / "old.pth", _use_new_zipfile_serialization=False)  # as torch 1.0 wrote them
        for name in ("net.pth", "net.safetensors", "old.pth"):
            same(authors.load(tmp_path / name, task), authors.load(checkpoint, task))

    def test_missing_file(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"no checkpoint .*latest_net_G\.pth"):
            authors.load(tmp_path / "latest_net_G.pth", "fashion")

    def test_other_kinds_of_file(self, tmp_path):
        (tmp_path / "net.onnx").write_bytes(b"x")
        with pytest.raises(ValueError, match=r"expected a \.pth or \.safetensors file"):
            authors.load(tmp_path / "net.onnx", "fashion")

    @pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
    @pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.999])
    def test_truncated(self, checkpoints, tmp_path, suffix, share):
        path = tmp_path / f"net{suffix}"
        checkpoint = {name: value.clone() for name, value in checkpoints["discriminator-market"].items()}
        (torch.save if suffix == ".pth" else save_file)(checkpoint, path)
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
        with pytest.raises(ValueError, match=rf"cannot read .*net\{suffix}"):
            authors.load(path, "discriminator-market")

    @pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
    def test_empty(self, tmp_path, suffix):
        path = tmp_path / f"net{suffix}"
        path.touch()
        with pytest.raises(ValueError, match=rf"net\{suffix}: the file is empty \(0 bytes\)"):
            authors.load(path, "dance")

    def test_a_folder(self, tmp_path):
        with pytest.raises(IsADirectoryError, match=f"no checkpoint {tmp_path}: it is a folder"):
            authors.load(tmp_path, "dance")

    def test_code_in_a_file_is_not_executed(self, tmp_path):
        class Bomb:
            def __reduce__(self):
                return (open, (str(tmp_path / "executed"), "w"))

        (tmp_path / "net.pth").write_bytes(pickle.dumps({"conv.bias": Bomb()}, protocol=2))
        torch.save({"conv.bias": Bomb()}, tmp_path / "zip.pth")
        for name in ("net.pth", "zip.pth"):
            with pytest.raises(ValueError, match="never executed"):
                authors.load(tmp_path / name, "discriminator")
        assert not (tmp_path / "executed").exists()

    def test_file_with_something_else(self, tmp_path):
        torch.save([torch.zeros(1)], tmp_path / "net.pth")
        with pytest.raises(ValueError, match="to hold a state dictionary, got list"):
            authors.load(tmp_path / "net.pth", "fashion")


def same(a, b):
    a, b = a.state_dict(), b.state_dict()
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


def summary(x):
    """Return mean, spread, and two single numbers."""
    return [x.mean().item(), x.std().item(), x[0, 0, 1, 2].item(), x[0, -1, -1, -1].item()]


GOLDEN = [
    [-0.0271, 0.394671, 0.171794, 0.303933],  # fashion, image
    [-0.502057, 2.209879, -0.066975, 0.493378],  # fashion, flow at layer 3
    [0.577946, 0.156767, 0.518153, 0.464712],  # fashion, mask at layer 2
    [0.049954, 0.416937, 0.295039, -0.347669],  # market, image
    [0.511225, 0.149667, 0.563324, 0.685977],  # discriminator, scores
]
