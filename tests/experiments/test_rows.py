"""Rows decide the mechanism, profiles decide size and budget, and every difference has a reason."""

import pytest

from repro import models
from repro.config import Config, ConfigError, flatten, read_settings
from repro.experiments import PROFILES, TABLES, deviations, resolve, rows
from repro.metrics import TRIVIAL
from repro.training import build_generator

ROWS = TABLES["II"]
LEARNING = [row for row in ROWS if row not in TRIVIAL]


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("profile", PROFILES)
def test_every_row_resolves_at_every_profile(row, profile):
    one = resolve("II", row, profile)
    assert one.learns == (row in LEARNING)
    assert one.title


def test_no_setting_belongs_to_a_row_and_to_a_profile():
    of_rows = {key for row in ROWS for key in read_settings(rows.HERE / "rows" / "table_2" / f"{row}.yaml")}
    of_profiles = {key for profile in PROFILES for key in read_settings(rows.HERE / "profiles" / f"{profile}.yaml")}
    assert of_rows & of_profiles == set()


@pytest.mark.parametrize("profile", PROFILES)
def test_every_setting_of_a_profile_has_a_reason(profile):
    settings = read_settings(rows.HERE / "profiles" / f"{profile}.yaml")
    assert set(settings) <= set(rows._reasons())
    changed = {key for key, value in settings.items() if value != flatten(Config())[key]}
    assert {one.setting for one in deviations(resolve("II", "full", profile).config)} == changed


def test_the_paper_profile_deviates_in_nothing():
    assert deviations(resolve("II", "full", "paper").config) == []
    assert resolve("II", "full", "paper").config == Config()


def test_what_a_row_is_about_is_no_deviation():
    laptop = deviations(resolve("II", "full", "laptop").config)
    assert {one.setting for one in laptop} >= {"optimizer.lr", "model.init_gain", "model.attention_mean"}
    assert all(deviations(resolve("II", row, "laptop").config) == laptop for row in ROWS)
    rate = next(one for one in laptop if one.setting == "optimizer.lr")
    assert (rate.authors, rate.ours) == (1e-4, 1e-3)


def test_the_five_mechanisms():
    found = {row: resolve("II", row, "laptop").config for row in LEARNING}
    assert {row: config.model.kind for row, config in found.items()} == {
        "baseline": "baseline",
        "global_attn": "global_attention",
        "local_attn": "gfla",
        "bi_sample": "gfla",
        "full": "gfla",
    }
    assert {row for row, config in found.items() if config.model.sampling == "bilinear"} == {"bi_sample"}
    assert {row for row, config in found.items() if config.stages == ("flow", "joint")} == {"bi_sample", "full"}
    assert {row for row, config in found.items() if config.joint.correctness} == {"bi_sample", "full"}
    assert {row for row, config in found.items() if config.joint.regularization} == {"bi_sample", "full"}
    assert len({config.joint.steps for config in found.values()}) == 1
    assert len({config.joint.style for config in found.values()}) == 1


def test_the_baseline_is_as_large_as_full_within_15_percent():
    sizes = {
        row: models.parameter_count(build_generator(resolve("II", row, "laptop").config.model, 0)) for row in LEARNING
    }
    assert abs(sizes["baseline"] / sizes["full"] - 1) < 0.15
    assert sizes["local_attn"] == sizes["full"]
    assert sizes["bi_sample"] < sizes["full"]


def test_changes_of_one_run_are_checked_too():
    assert resolve("II", "full", "smoke", changes={"joint.steps": 3}).config.joint.steps == 3
    with pytest.raises(ConfigError, match=r"did you mean 'joint\.steps'"):
        resolve("II", "full", "smoke", changes={"joint.step": 3})


def test_photographs_have_no_mask_and_the_notes_say_so():
    one = resolve("II", "full", "smoke", "deepfashion")
    assert not one.config.losses.foreground_mask
    assert "No masks" in " ".join(one.notes)
