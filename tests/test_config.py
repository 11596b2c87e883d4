"""Settings: what the defaults are, what a file may say, what is refused."""

import json

import pytest

from repro.config import Config, ConfigError, apply, digest, flatten, from_mapping, read_settings, to_mapping


def test_the_defaults_are_the_authors_recipe():
    config = Config()
    assert (config.optimizer.lr, config.optimizer.discriminator_ratio) == (1e-4, 0.1)
    assert (config.optimizer.beta1, config.optimizer.beta2) == (0.0, 0.999)
    assert (config.flow.correctness, config.flow.regularization) == (20, 0.01)
    joint = config.joint
    assert (joint.correctness, joint.regularization, joint.l1) == (5, 0.0025, 5)
    assert (joint.adversarial, joint.perceptual, joint.style) == (2, 0.5, 500)
    assert (config.batch, config.data.size, config.data.heatmap_sigma) == (8, 256, 6.0)


def test_a_file_inherits_from_its_base_and_overrides_it(tmp_path):
    (tmp_path / "full.yaml").write_text("model: {width: 0.5, sampling: attention}\nbatch: 4\n")
    (tmp_path / "bi.yaml").write_text("base: full\nmodel: {sampling: bilinear}\noptimizer: {lr: 1e-3}\n")
    config = apply(Config(), read_settings(tmp_path / "bi.yaml"))
    assert (config.model.sampling, config.model.width, config.batch) == ("bilinear", 0.5, 4)
    assert config.optimizer.lr == 1e-3  # YAML reads 1e-3 as text


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model.widht": 1.0}, "did you mean 'model.width'"),
        ({"modl": 1.0}, "did you mean 'model."),
        ({"model.sampling": "bilinar"}, "choose one of attention, bilinear"),
        ({"joint.steps": "many"}, "joint.steps: expected int, got 'many'"),
        ({"joint.steps": 1.5}, "joint.steps: expected int"),
        ({"data.flips": 1}, "data.flips: expected bool"),
        ({"model.width": 0.0}, "above 0"),
        ({"model.width": float("nan")}, "above 0"),
        ({"joint.l1": -1.0}, "at least 0"),
        ({"optimizer.decay_from": 1.5}, r"\[0, 1\]"),
        ({"stages": "joint"}, "expected a list"),
        ({"stages": ["join"]}, "choose one of flow, joint"),
    ],
)
def test_bad_settings_are_refused_with_what_to_do(settings, message):
    with pytest.raises(ConfigError, match=message):
        apply(Config(), settings)


@pytest.mark.parametrize("content", ["- a\n- b\n", "a: [1\n"])
def test_a_file_that_is_no_mapping_is_named(tmp_path, content):
    (tmp_path / "row.yaml").write_text(content)
    with pytest.raises(ConfigError, match=r"row\.yaml"):
        read_settings(tmp_path / "row.yaml")


def test_a_missing_base_is_named(tmp_path):
    (tmp_path / "row.yaml").write_text("base: gone\n")
    with pytest.raises(ConfigError, match=r"gone\.yaml"):
        read_settings(tmp_path / "row.yaml")


@pytest.mark.parametrize("bases", [{"a": "a"}, {"a": "b", "b": "a"}])
def test_a_base_that_leads_back_is_named(tmp_path, bases):
    for name, base in bases.items():
        (tmp_path / f"{name}.yaml").write_text(f"base: {base}\n")
    with pytest.raises(ConfigError, match=r"circle: a\.yaml -> .*a\.yaml"):
        read_settings(tmp_path / "a.yaml")


@pytest.mark.parametrize("stages", [["joint", "flow"], ["flow", "flow"]])
def test_stages_in_another_order_are_refused(stages):
    with pytest.raises(ConfigError, match="expected flow, joint or both in this order"):
        apply(Config(), {"stages": stages})
    assert apply(Config(), {"stages": []}).stages == ()


def test_digest_follows_the_settings_and_nothing_else():
    assert digest(Config()) == digest(apply(Config(), {"batch": 8, "model.width": 1}))
    changed = [digest(apply(Config(), {key: value})) for key, value in {"batch": 7, "model.width": 0.25}.items()]
    assert len({digest(Config()), *changed}) == 3


def test_round_trip_through_json():
    config = apply(Config(), {"stages": ["joint"], "joint.steps": 3})
    again = from_mapping(json.loads(json.dumps(to_mapping(config))))
    assert again == config
    assert flatten(config)["joint.steps"] == 3
