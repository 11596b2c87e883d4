"""What is said of scores through a video network follows from the record and from the printed numbers."""

import copy

import pytest

from repro.pages import video_scores


@pytest.fixture
def record():
    def moved(shuffle, frozen):
        return {"shuffle": {"moved": shuffle}, "frozen": {"moved": frozen}} | {
            kind: {"moved": 5.0} for kind in ("jitter", "twice_as_fast")
        }

    sets = {"weights_hash": "", "fashion_video": moved(4.04, -0.01), "all": moved(6.0, 0.1)}
    return {"bar": 3.0, "sees_time": True, "networks": {"videonet": sets, "videonet_seed1": copy.deepcopy(sets)}}


def test_a_line_per_network_and_set(record):
    table = video_scores.sensitivity_table(record)
    assert table.shape == (4, 4)
    assert table.index[1] == ("FD-Video (videonet)", "both sets")
    assert table["frames in random order"].tolist() == [4.0, 6.0, 4.0, 6.0]
    assert str(table["the first frame all the time"].iloc[0]) == "0.0"  # not -0.0


def test_words_follow_the_record(record):
    assert "they see the order of frames" in video_scores.sensitivity_words(record)
    assert "Neither sees that a clip stands still" in video_scores.sensitivity_words(record)
    blind = video_scores.sensitivity_words(record | {"sees_time": False})
    assert "by warping error and flicker alone" in blind
    record["networks"]["videonet"]["all"]["frozen"]["moved"] = 4.0
    assert "stands still" not in video_scores.sensitivity_words(record)


def test_the_project_s_record_has_what_the_page_shows():
    record = video_scores.sensitivity()
    assert video_scores.sensitivity_table(record).notna().all(axis=None)


def test_no_printed_aed_is_a_plain_norm():
    """3.426 / 0.0126² = 21,580 clips would be needed; the test set has 100 videos, some 2,200 windows of 16 frames."""
    table = video_scores.aed_table()
    ours = table[(table["table"] == "IV") & (table["row"] == "Ours-Animation")].iloc[0]
    assert ours["clips needed, if a norm"] == "21,580"
    assert (table["possible, if a square"] == "no").all()
