"""Requests come as text; what nobody knows is refused with the choices, before anything starts."""

import pytest

from repro.experiments import TABLES, RequestError, request


def test_text_and_lists_mean_the_same():
    text = request("II", "smoke", rows="full, bi_sample", seeds="0,1")
    assert text == request("II", "smoke", rows=["full", "bi_sample"], seeds=[0, 1])
    assert (text.rows, text.seeds) == (("full", "bi_sample"), (0, 1))


def test_papermill_gives_a_single_seed_as_a_number():
    assert request("II", "smoke", seeds=3).seeds == (3,)


def test_defaults_are_all_rows_and_seed_0():
    assert request("II", "smoke").rows == TABLES["II"].rows
    assert request("II", "smoke").seeds == (0,)
    assert request("II").seeds == ()  # recorded: every seed


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"table": "2"}, "unknown table '2': choose from II"),
        ({"profile": "smok"}, "unknown profile 'smok': did you mean 'smoke'.*laptop"),
        ({"rows": "full,bisample"}, "unknown row 'bisample': did you mean 'bi_sample'"),
        ({"seeds": "0,x"}, "unknown seed 'x': expected whole numbers"),
        ({"seeds": "-1"}, "unknown seed '-1'"),
        ({"seeds": 1.5}, "unknown seed"),
        ({"dataset": "fasion"}, "unknown dataset 'fasion': did you mean 'fashion'"),
        ({"dataset": "deepfashion"}, "give its folder as root"),
        ({"dataset": "deepfashion", "root": "/no/such/folder"}, "no folder /no/such/folder"),
        ({"root": "/somewhere"}, "takes no root"),
        ({"exclude": "list.txt"}, "takes no exclude"),
        ({"dataset": "market1501", "root": "."}, "can be read, checked and loaded"),
        ({"dataset": "deepfashion", "root": ".", "annotation_size": "256"}, "expected height,width"),
        ({"dataset": "deepfashion", "root": ".", "exclude": "nowhere.txt"}, "no exclusion list nowhere.txt"),
        ({"device": "tpu"}, "unknown device 'tpu'"),
        ({"dataset": "deepfashion", "rows": "bone_warp"}, "unknown row 'bone_warp'"),
    ],
)
def test_unknown_names_are_refused_with_the_choices(wish, message, tmp_path):
    if "rows" in wish and "dataset" in wish:
        wish = {**wish, "root": tmp_path}
    with pytest.raises(RequestError, match=message):
        request(**({"table": "II", "profile": "smoke"} | wish))


def test_the_frame_and_the_exclusion_list_of_real_data(tmp_path):
    wish = {"dataset": "deepfashion", "root": tmp_path}
    assert request("II", "smoke", **wish).exclude is None
    assert request("II", "smoke", **wish, annotation_size="256, 176").annotation_size == (256, 176)
    (tmp_path / "exclude.txt").write_text("image a.jpg\n")
    assert request("II", "smoke", **wish).exclude == tmp_path / "exclude.txt"
    (tmp_path / "other.txt").write_text("")
    assert request("II", "smoke", **wish, exclude=tmp_path / "other.txt").exclude == tmp_path / "other.txt"
