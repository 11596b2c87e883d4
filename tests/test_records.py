"""Records: whole or absent, one per key, reused by fingerprint, safe with two processes."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from repro import records
from repro.records import Record, RecordError, append, file_of, find, read, write_whole


def a_record(**changes) -> Record:
    base = Record(
        table="II",
        row="full",
        dataset="fashion",
        dataset_hash="d" * 64,
        profile="smoke",
        seed=0,
        metrics={"epe_visible_64": 4.0},
        n=200,
        config={"batch": 8},
        config_hash="c" * 64,
        features={"procnet": "f" * 64},
        weights_hash="w" * 64,
        steps=140,
        seconds=12.5,
        peak_memory_mib=300.0,
        parameters=1000,
        flops=2000,
        device="cpu",
        started="2026-01-02T03:04:05Z",
        commit="1a2b3c4",
        dirty=False,
        code_hash="e" * 64,
        versions={"torch": "2.11.0"},
    )
    return replace(base, **changes)


def test_a_record_comes_back_as_it_was(tmp_path):
    append(a_record(), tmp_path)
    append(a_record(seed=1), tmp_path)
    assert read("II", "smoke", tmp_path) == [a_record(), a_record(seed=1)]
    assert file_of("II", "smoke", tmp_path).name == "table_2.smoke.jsonl"
    assert read("II", "laptop", tmp_path) == []


def test_a_rerun_replaces_its_own_line_only(tmp_path):
    append(a_record(), tmp_path)
    append(a_record(row="baseline"), tmp_path)
    append(a_record(n=100), tmp_path)
    assert [(one.row, one.n) for one in read("II", "smoke", tmp_path)] == [("baseline", 200), ("full", 100)]


def test_the_same_fingerprint_is_found_and_a_changed_one_says_what_changed(tmp_path):
    append(a_record(), tmp_path)
    assert find(a_record(commit="other", seconds=1.0).fingerprint, tmp_path) == (a_record(), [])
    found, changes = find(a_record(config_hash="9" * 64, features={"procnet": "8" * 64}).fingerprint, tmp_path)
    assert found is None
    assert changes == [
        "config_hash: recorded cccccccccccc, now 999999999999",
        "features: recorded procnet ffffffffffff, now procnet 888888888888",
    ]
    assert find(a_record(seed=7).fingerprint, tmp_path) == (None, [])


def test_two_processes_add_rows_without_losing_any(tmp_path):
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[3])\n"
        "from test_records import a_record; from repro.records import append\n"
        "for seed in range(20): append(a_record(row=sys.argv[1], seed=seed), Path(sys.argv[2]))\n"
    )
    here = os.path.dirname(__file__)
    processes = [
        subprocess.Popen([sys.executable, "-c", code, row, str(tmp_path), here]) for row in ("full", "baseline")
    ]
    assert [process.wait() for process in processes] == [0, 0]
    assert len(read("II", "smoke", tmp_path)) == 40
    assert [path.name for path in tmp_path.iterdir()] == ["table_2.smoke.jsonl"]  # no lock, no temporary file


@pytest.mark.parametrize("damage", ["{", '{"schema": 99}', '{"schema": 1, "row": "full"}', "[1]"])
def test_a_damaged_line_names_file_line_and_remedy(tmp_path, damage):
    path = append(a_record(), tmp_path)
    path.write_text(path.read_text() + damage + "\n")
    with pytest.raises(RecordError, match=r"table_2\.smoke\.jsonl, line 2.*run the row again"):
        read("II", "smoke", tmp_path)


def test_a_number_that_is_none_cannot_be_recorded(tmp_path):
    append(a_record(), tmp_path)
    with pytest.raises(ValueError, match="JSON"):
        append(a_record(metrics={"epe_visible_64": float("nan")}), tmp_path)
    assert read("II", "smoke", tmp_path) == [a_record()]


def test_a_full_disk_leaves_the_old_file_and_nothing_half_written(tmp_path, monkeypatch):
    target = tmp_path / "file.json"
    write_whole(target, b"old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(records.os, "fsync", full)
    with pytest.raises(OSError, match=r"cannot write .*file\.json: No space left on device; free space"):
        write_whole(target, b"new")
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_another_reason_than_a_full_disk_is_told_as_it_is(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"cannot write .*new\.json: .*; choose another folder") as refused:
        write_whole(tmp_path / "file" / "new.json", b"new")
    assert "free space" not in str(refused.value)


def test_provenance_names_code_and_versions():
    found = records.provenance()
    assert set(found) == {"commit", "dirty", "code_hash", "versions"}
    assert found["versions"]["torch"].startswith("2.")
    assert len(found["code_hash"]) == 64


def test_a_file_that_is_no_text_is_named(tmp_path):
    append(a_record(), tmp_path)
    path = file_of("II", "smoke", tmp_path)
    path.write_bytes(path.read_bytes() + b"\xff\xfe\n")
    with pytest.raises(RecordError, match=r"table_2\.smoke\.jsonl: not UTF-8 text .*restore the file"):
        read("II", "smoke", tmp_path)
