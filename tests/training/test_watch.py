"""What watches a training sees it and leaves it as it is."""

import torch

from repro.training import read_curve, train


def test_every_line_of_the_curve_holds_what_was_measured_and_the_weights_are_those_of_a_run_without(
    config, dataset, tmp_path
):
    seen = []

    def watch(generator):
        seen.append(generator.flow_net.flow_head["2"].bias.detach().clone())
        return {"bias": seen[-1][0].item()}

    watched = train(config, dataset, seed=0, folder=tmp_path / "watched", device="cpu", watch=watch)
    alone = train(config, dataset, seed=0, folder=tmp_path / "alone", device="cpu")
    for name, tensor in alone.generator.state_dict().items():
        assert torch.equal(tensor, watched.generator.state_dict()[name]), name
    curve = read_curve(tmp_path / "watched")
    assert curve[["stage", "step"]].to_numpy().tolist() == [["flow", 4], ["joint", 6]]  # each stage's last step
    assert len(seen) == 2
    assert torch.equal(seen[1], watched.generator.flow_net.flow_head["2"].bias)
    assert not torch.equal(seen[0], seen[1])
    torch.testing.assert_close(torch.tensor(curve["bias"].tolist()), torch.stack(seen)[:, 0], rtol=1e-4, atol=0)
    assert "bias" not in read_curve(tmp_path / "alone")


def test_a_finished_run_is_not_measured_again(config, dataset, tmp_path):
    def watch(generator):
        asked.append(generator)
        return {"asked": float(len(asked))}

    asked = []
    for _ in range(2):
        train(config, dataset, seed=0, folder=tmp_path, device="cpu", watch=watch)
    assert len(asked) == 2
    assert read_curve(tmp_path)["asked"].tolist() == [1.0, 2.0]
