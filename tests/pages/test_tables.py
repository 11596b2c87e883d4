"""Tables of results on constructed records: hand-computed cells, and every subset of rows that a reader may ask for."""

import dataclasses

import pytest

from repro import records
from repro.config import to_mapping
from repro.experiments import TABLES, resolve
from repro.metrics import TRIVIAL
from repro.pages import tables
from repro.pages.figures import METHOD_COLOURS
from repro.pages.parameters import refuse_unknown_parameters


def record(row, seed=0, dataset="fashion", **metrics):
    """Return a record of a row at profile laptop with these metrics."""
    config = resolve("II", row, "laptop", dataset).config
    values = {one.name: "" for one in dataclasses.fields(records.Record)}
    values |= dict.fromkeys(("seconds", "peak_memory_mib", "steps", "parameters", "flops"), 1)
    values |= {"versions": {"torch": "0"}, "needs": {}, "subsets": {}, "notes": [], "dirty": False, "n": 10}
    values |= {"table": "II", "row": row, "seed": seed, "dataset": dataset, "profile": "laptop"}
    return records.Record(**values | {"metrics": metrics, "config": to_mapping(config)})


FULL = [record("full", seed, fd_procnet=4.0 + seed, l1_person=0.10) for seed in (0, 1, 2)]
BI_SAMPLE = [record("bi_sample", seed, fd_procnet=3.0 + seed, l1_person=0.12) for seed in (0, 1, 2)]


def test_scores_are_mean_and_spread_over_seeds():
    frame = tables.scores(FULL)
    assert frame.loc["Full Model", "FD (procnet)"] == "5.00 ± 1.00"
    assert frame.loc["Full Model", "seeds"] == "3"


def test_a_score_that_nobody_measured_has_no_column():
    assert "flow error, px" not in tables.scores(FULL)


def test_difference_is_paired_by_seed():
    interval = tables.difference(FULL, "full", "full", "fd_procnet")
    assert (interval.mean, interval.n) == (0, 3)
    other = tables.difference([*FULL, *BI_SAMPLE[:2]], "full", "bi_sample", "fd_procnet")
    assert (other.mean, other.n) == (1, 2)


def test_claims_say_confirmed_contradicted_or_open():
    frame = tables.claims([*FULL, *BI_SAMPLE], "G11").set_index("metric")
    assert frame.loc["FD (procnet)", "verdict"] == "contradicted"  # always exactly 1 worse
    assert frame.loc["L1 on the person", "verdict"] == "confirmed"  # always exactly 0.02 better
    assert set(tables.claims([FULL[0], BI_SAMPLE[0]])["verdict"]) == {"open"}


def test_words_about_bi_sample():
    text = tables.sentence_on_bi_sample([*FULL, *BI_SAMPLE])
    assert "Full is worse than Bi-Sample by 1.00" in text
    assert "Full is better than Bi-Sample by 0.0200" in text


@pytest.mark.parametrize(
    "found",
    [
        FULL,
        BI_SAMPLE,
        [FULL[0], BI_SAMPLE[1]],
        [record("baseline", fd_procnet=1.0), FULL[0]],
        [record("full", dataset="deepfashion", fd_procnet=1.0, l1=0.1)],
        [record("copy_source", l1_person=0.3)],
        [record(row, l1_person=0.3) for row in TABLES["II"].rows],
    ],
    ids=["full", "bi_sample", "no common seed", "baseline and full", "photographs", "learns nothing", "all rows"],
)
def test_every_table_stands_on_every_subset(found):
    assert len(tables.scores(found)) == len({one.row for one in found})
    assert len(tables.costs(found)) == len({one.row for one in found})
    assert len(tables.provenance(found)) == len(found)
    metric = tables.first_measured(found, ("lpips_alex", "l1_person", "l1"))
    assert len(tables.beside_the_paper(found, "fid", metric)) == 5
    tables.claims(found)
    tables.sentence_on_bi_sample(found)
    assert "data.size" in set(tables.differs_from_the_recipe(found)["setting"])


def test_deviations_are_those_of_the_record_not_of_todays_profile():
    changed = FULL[0].config | {"batch": FULL[0].config["batch"], "data": FULL[0].config["data"] | {"size": 96}}
    frame = tables.differs_from_the_recipe([dataclasses.replace(FULL[0], config=changed)]).set_index("setting")
    assert frame.loc["data.size", "here"] == 96


def test_a_misspelt_parameter_is_refused_and_the_nearest_named():
    fine = {"__name__": "__main__", "_ih": [], "In": [], "profile": "smoke", "refuse_unknown_parameters": None}
    refuse_unknown_parameters(fine)
    with pytest.raises(NameError, match="unknown parameter 'profil': did you mean 'profile'"):
        refuse_unknown_parameters(fine | {"profil": "smoke"})


def test_every_trained_row_has_its_colour():
    assert {row for row in TABLES["II"].rows if row not in TRIVIAL} <= METHOD_COLOURS.keys()
