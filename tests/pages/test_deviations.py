"""The list of deviations names every setting that a profile changes, with its reason."""

import itertools

from repro.config import Config, flatten
from repro.experiments import PROFILES, TABLES, deviations, resolve
from repro.pages.deviations import page


def test_every_changed_setting_of_every_profile_is_listed_with_a_reason():
    text = page()
    for table, content in TABLES.items():
        for profile, row in itertools.product(PROFILES, content.rows):
            config = resolve(table, row, profile).config
            paper = flatten(resolve(table, row, "paper").config)
            changed = {key for key, value in flatten(config).items() if value != paper[key]}
            assert changed <= {one.setting for one in deviations(config)}, f"no reason is given at {profile}"
            assert [key for key in changed if f"| `{key}` |" not in text] == []


def test_every_row_is_listed_with_its_settings():
    text = page()
    for table, content in TABLES.items():
        for name in content.rows:
            assert f"(`{name}`)" in text
            config = flatten(resolve(table, name, "paper").config)
            changed = [k for k, v in flatten(Config()).items() if v != config[k]]
            if resolve(table, name, "paper").learns:
                assert [key for key in changed if f"`{key}: " not in text] == []
