"""The papers' numbers: complete, typed, and in agreement with what the text says about them."""

from itertools import chain

import pytest
import yaml

from repro import paths


@pytest.fixture(scope="module")
def tables():
    return yaml.safe_load(paths.published().read_text())["tables"]


def test_every_row_has_every_column(tables):
    assert list(tables) == ["I", "II", "III", "IV", "V"]
    for number, table in tables.items():
        columns = {"label", *table["metrics"], *table.get("properties", {})}
        for key, row in table["rows"].items():
            assert set(row) == columns, (number, key)
            assert all(isinstance(row[m], float) for m in table["metrics"]), (number, key)


def test_keys_of_our_tables_are_the_projects_rows(tables):
    assert list(tables["II"]["rows"]) == ["baseline", "global_attn", "local_attn", "bi_sample", "full"]
    assert list(tables["IV"]["rows"]) == ["naive_animation", "seq_animation", "ours_animation"]


def test_numbers_printed_twice_agree(tables):
    """The full model stands in two tables each time."""
    two, three, five = (tables[t]["rows"]["full"] for t in ("II", "III", "V"))
    four = tables["IV"]["rows"]["ours_animation"]
    assert (two["fid"], two["lpips"]) == (three["deepfashion_fid"], three["deepfashion_lpips"])
    assert (four["fid_video"], four["aed"]) == (five["fashionvideo_fid_video"], five["fashionvideo_aed"])


def test_best_values_are_the_ones_the_paper_prints_bold(tables):
    bold = {
        "I": {},
        "II": {"fid": "full", "lpips": "local_attn"},
        "III": {
            "deepfashion_fid": "full",
            "deepfashion_lpips": "intr_flow",
            "deepfashion_jnd": "full",
            "market_fid": "full",
            "market_lpips": "full",
            "market_mask_lpips": "intr_flow",
            "market_jnd": "intr_flow",
        },
        "IV": {"fid_video": "ours_animation", "aed": "ours_animation"},
        "V": dict.fromkeys(tables["V"]["metrics"], "full"),
    }
    for number, table in tables.items():
        best = {
            name: (min if metric["better"] == "lower" else max)(
                table["rows"], key=lambda r, t=table, n=name: t["rows"][r][n]
            )
            for name, metric in table["metrics"].items()
        }
        assert best == bold[number]


def test_counts_are_the_printed_ones(tables):
    counts = {
        row["label"]: row["parameters_millions"]
        for row in chain(tables["III"]["rows"].values(), tables["V"]["rows"].values())
    }
    assert counts["Ours"] == 14.04  # 14,047,395 truncated
    assert counts["Ours-Animation"] == 23.51
