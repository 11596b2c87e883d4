"""Rows decide the mechanism, profiles decide size and budget, and every difference has a reason."""

import pytest

from repro import models, records
from repro.config import Config, ConfigError, digest, flatten, from_mapping, read_settings
from repro.experiments import PROFILES, TABLES, deviations, learns, resolve, rows
from repro.metrics import TRIVIAL
from repro.training import build_generator

ROWS = TABLES["II"].rows
LEARNING = [row for row in ROWS if row not in TRIVIAL]


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("profile", PROFILES)
def test_every_row_resolves_at_every_profile(row, profile):
    one = resolve("II", row, profile)
    assert one.learns == (row in LEARNING)
    assert one.title


def test_only_the_row_about_the_mean_sets_what_profiles_set_and_the_row_wins():
    of_rows = {row: set(read_settings(rows.HERE / "rows" / "table_2" / f"{row}.yaml")) for row in ROWS}
    of_profiles = {key for profile in PROFILES for key in read_settings(rows.HERE / "profiles" / f"{profile}.yaml")}
    assert {(row, key) for row, keys in of_rows.items() for key in keys & of_profiles} == {
        ("full_mean", "model.attention_mean")
    }
    for profile in PROFILES:
        full, mean = (flatten(resolve("II", row, profile).config) for row in ("full", "full_mean"))
        assert mean == full | {"model.attention_mean": True}


# Records name their settings by this hash: a row whose digest moves would have to be trained again.
@pytest.mark.parametrize(
    ("profile", "digests"),
    [
        ("smoke", {"baseline": "a66d29ff", "global_attn": "f86519e6", "local_attn": "89731601"}),
        ("smoke", {"bi_sample": "49bc9ae5", "full": "53e6323e", "copy_source": "18a45c9e"}),
        ("laptop", {"baseline": "d4beff10", "global_attn": "315cf325", "local_attn": "a19ad21d"}),
        ("laptop", {"bi_sample": "e46cb889", "full": "0d067b65", "copy_source": "eb78c02b"}),
    ],
)
def test_recorded_rows_keep_their_settings(profile, digests):
    assert {row: digest(resolve("II", row, profile).config)[:8] for row in digests} == digests


def test_every_record_of_the_project_is_found_by_the_settings_of_its_row():
    found = [one for table in TABLES for profile in PROFILES for one in records.read(table, profile)]
    assert found
    for one in found:
        config = resolve(one.table, one.row, one.profile, one.dataset).config
        assert records.find(one.fingerprint | {"config_hash": digest(config)}) == (one, [])
        assert digest(from_mapping(one.config)) == one.config_hash


def test_a_table_has_one_task_and_its_rows_know_it():
    for table, content in TABLES.items():
        for row in content.rows:
            one = resolve(table, row, "smoke")
            assert one.config.task == content.task.name
            assert one.learns == learns(table, row)


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
    assert all(deviations(resolve("II", row, "laptop").config) == laptop for row in ROWS if row != "full_mean")
    mean = deviations(resolve("II", "full_mean", "laptop").config)
    assert mean == [one for one in laptop if one.setting != "model.attention_mean"]  # back to the authors' setting
    rate = next(one for one in laptop if one.setting == "optimizer.lr")
    assert (rate.authors, rate.ours) == (1e-4, 1e-3)


def test_the_five_mechanisms():
    found = {row: resolve("II", row, "laptop").config for row in LEARNING if row != "full_mean"}
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
    sizes = {row: models.parameter_count(build_generator(resolve("II", row, "laptop").config, 0)) for row in LEARNING}
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
