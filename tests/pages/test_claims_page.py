"""The claims page: every claim of the list is there, and verdicts follow from records alone."""

import dataclasses

import pytest
from test_tables import record

from repro import paths, records
from repro.experiments import TABLES
from repro.pages import claims, tables

FULL_WINS = [record("full", seed, fd_procnet=4.0 + seed, l1_person=0.1) for seed in range(3)]
BASELINE_LOSES = [record("baseline", seed, fd_procnet=9.0 + seed, l1_person=0.2) for seed in range(3)]
ONE_PAIR = {
    "claim": "c",
    "place": "p",
    "test": "t",
    "compare": [
        {"table": "II", "better": "full", "worse": "baseline", "metrics": ["fd_procnet", "l1_person"], "says": "s"}
    ],
}


@pytest.fixture
def listed(monkeypatch):
    """Let the list hold one claim and the records what the test says; return a function that judges it."""

    def judge(found, **changes):
        claim = ONE_PAIR | changes
        monkeypatch.setattr(records, "claims", lambda: {"G9": claim})
        monkeypatch.setattr(records, "read", lambda table, profile, folder=None: found if profile == "laptop" else [])
        return claims.judge("G9", claim)

    return judge


def test_three_seeds_that_agree_confirm(listed):
    judged = listed([*FULL_WINS, *BASELINE_LOSES])
    assert judged.verdict == "confirmed"
    assert len(judged.evidence) == 2
    assert "FD (procnet) -5.0000" in judged.evidence[0]


def test_one_comparison_the_other_way_round_contradicts(listed):
    turned = [dataclasses.replace(one, metrics=one.metrics | {"l1_person": 0.05}) for one in BASELINE_LOSES]
    assert listed([*FULL_WINS, *turned]).verdict == "contradicted"


def test_two_seeds_leave_it_open(listed):
    assert listed([*FULL_WINS[:2], *BASELINE_LOSES[:2]]).verdict == "open"


def test_what_still_waits_is_not_confirmed(listed):
    judged = listed([*FULL_WINS, *BASELINE_LOSES], waits="another measurement")
    assert (judged.verdict, judged.waits) == ("open", "another measurement")


def test_without_records_there_is_no_evidence(listed):
    assert listed([]).verdict == "open"
    judged = listed([], missing="raters")
    assert (judged.verdict, judged.evidence) == ("not testable here", ())
    assert "cannot be had here: raters" in judged.waits


def test_a_row_that_learns_nothing_stands_beside_every_seed():
    found = [record("full", seed, visibility_f1=0.9 + seed / 100) for seed in range(3)]
    interval = tables.difference(
        [*found, record("copy_source", visibility_f1=0.8)], "full", "copy_source", "visibility_f1"
    )
    assert interval.n == 3
    assert interval.mean == pytest.approx(0.11)


def test_the_project_s_list():
    listed = records.claims()
    assert list(listed) == [f"G{i}" for i in range(1, 28)] + ["S1", "S2", "S3", "D1", "D2", "D3"]
    for name, claim in listed.items():
        assert {"claim", "place", "test"} <= set(claim), name
        assert {"compare", "counts", "waits"} & set(claim), f"{name} has neither evidence nor what it waits for"
        for one in claim.get("compare", ()):
            assert {one["better"], one["worse"]} <= set(TABLES[one["table"]].rows), name
            assert set(one["metrics"]) <= set(tables.METRICS), name


def test_pages_that_measure_are_there_and_linked():
    judged = [one for one in claims.judge_all() if one.pages]
    assert judged
    for one in judged:
        for page in one.pages:
            assert (paths.root() / "notebooks" / f"{page}.ipynb").is_file(), one.name
            assert f"href='{page}.html'" in claims.show([one]).data


def test_sizes_are_counted_on_our_networks():
    judged = claims.judge("G15", records.claims()["G15"])
    assert judged.verdict == "confirmed"
    assert "14.05M here" in judged.evidence[0]
    assert "41.36M" in judged.evidence[0]
