"""Manifests of the real sets, the audit of a folder against them, and all sets at a glance."""

import hashlib
from dataclasses import replace

import pytest
import yaml
from captures import t_pose_file
from test_layouts import FASHION, folder

from repro import paths
from repro.cli import main
from repro.data import exports, manifests, overview
from repro.data.sets import PROCEDURAL, REAL
from repro.data.studio.fashion import FashionSet


def whole(root):
    """A sound folder of both splits that share no person."""
    folder(root, "train")
    folder(root, "test", names=[name.replace("id0000000", "id0000001") for name in FASHION])
    return root


class TestManifests:
    def test_every_real_set_has_a_manifest_and_a_reader(self):
        assert set(REAL) <= set(manifests.names())
        assert set(manifests.CHECKS) <= set(manifests.names())
        assert set(REAL) <= set(manifests.CHECKS)

    def test_every_set_of_the_studio_stands_for_one(self):
        known = [manifests.manifest(name) for name in manifests.names()]
        imitated = [name for one in known for name in one.imitated_by]
        assert len(imitated) == len(set(imitated))
        assert set(PROCEDURAL) <= set(imitated)

    @pytest.mark.parametrize("name", manifests.names())
    def test_every_manifest_says_who_may_use_it_and_how_to_get_it(self, name):
        known = manifests.manifest(name)
        for text in (known.title, known.paper, known.source, known.licence, known.size, *known.steps):
            assert text.strip()
        assert known.steps
        assert known.files
        assert all(len(checksum) == 64 for checksum in known.checksums.values())
        # A figure that nobody could check against its makers says so.
        assert str(known).count("\n") >= 3 + len(known.steps)

    def test_unknown_names_and_entries_are_refused(self, monkeypatch, tmp_path):
        with pytest.raises(ValueError, match=r"choose one of .*deepfashion"):
            manifests.manifest("deepfasion")
        content = yaml.safe_load((paths.manifests() / "human36m.yaml").read_text())
        monkeypatch.setattr(paths, "manifests", lambda: tmp_path)
        for change, message in (
            ({"licens": "free"}, r"unknown: \['licens'\]"),
            ({"files": [{"path": "a.npz", "what": "joints", "cuont": 3}]}, r"unknown: \['cuont'\]"),
            ({"files": [{"path": "a.npz"}]}, r"missing: \['what'\]"),
        ):
            (tmp_path / "own.yaml").write_text(yaml.safe_dump(content | change))
            with pytest.raises(ValueError, match=message):
                manifests.manifest("own")


class TestAudit:
    def test_a_sound_folder_has_no_problems_and_says_what_part_it_is(self, tmp_path):
        found = manifests.audit("deepfashion", whole(tmp_path))
        assert found.problems == []
        assert found.found["train/*"] == "4 pictures"
        assert found.found["fasion-pairs-train.csv"] == "3 of 101,966 rows of pairs (unverified)"
        assert "train: 4 annotated images, 3 pairs" in str(found)

    def test_what_is_missing_is_named_with_what_should_be_there(self, tmp_path):
        root = whole(tmp_path)
        (root / "fasion-pairs-test.csv").unlink()
        found = manifests.audit("deepfashion", root)
        assert [(one.kind, one.where, one.detail) for one in found.missing] == [
            ("missing", "fasion-pairs-test.csv", "0 of 8,570 rows of pairs (unverified)"),
            ("not readable", "deepfashion", found.missing[1].detail),
        ]
        assert found.report is None
        assert "How to get the set" in str(found)

    def test_what_is_damaged_is_found_by_reading_everything(self, tmp_path):
        root = whole(tmp_path)
        image = root / "test" / FASHION[1].replace("id0000000", "id0000001")
        image.write_bytes(image.read_bytes()[:500])
        (root / "train" / FASHION[0]).unlink()
        found = manifests.audit("deepfashion", root)
        assert sorted((one.kind, one.where) for one in found.problems) == [
            ("damaged image", f"test/{image.name}"),
            ("missing image", f"train/{FASHION[0]}"),
        ]

    def test_what_cannot_be_read_at_all_is_a_finding(self, tmp_path):
        root = whole(tmp_path)
        (root / "fasion-pairs-test.csv").write_text("a;b\n")
        found = manifests.audit("deepfashion", root)
        assert [one.kind for one in found.problems] == ["wrong header"]

    def test_another_checksum_is_a_finding(self, tmp_path, monkeypatch):
        root = whole(tmp_path)
        known, file = manifests.manifest("deepfashion"), "fasion-pairs-test.csv"
        own = hashlib.sha256((root / file).read_bytes()).hexdigest()
        for checksum, kinds in ((own, []), ("0" * 64, ["other checksum"])):
            asked = replace(known, checksums={file: checksum})
            monkeypatch.setattr(manifests, "manifest", lambda name, asked=asked: asked)
            assert [one.kind for one in manifests.audit("deepfashion", root).problems] == kinds

    def test_no_folder_and_no_such_option(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="absent"):
            manifests.audit("deepfashion", tmp_path / "absent")
        with pytest.raises(ValueError, match="cmu_mocap takes no annotation_size"):
            manifests.audit("cmu_mocap", tmp_path, annotation_size=(8, 8))

    def test_any_of_an_entrys_spellings_will_do(self, tmp_path):
        for split in ("train", "test"):
            for kind in ("data", "keypoint"):
                (tmp_path / f"{split}_{kind}" / "video").mkdir(parents=True)
        assert manifests.audit("faceforensics", tmp_path).missing == ()

    def test_motion_capture_is_read_file_by_file(self, tmp_path):
        good = t_pose_file(tmp_path / "good.bvh", [{}] * 3)
        (tmp_path / "02").mkdir()
        (tmp_path / "02" / "02_01.amc").write_text("1\nroot 0\n")
        (tmp_path / "short.bvh").write_text(good.read_text().replace("Frames: 3", "Frames: 4"))
        (tmp_path / "strange.bvh").write_text(good.read_text().replace("LeftLeg", "LeftThing"))
        found = manifests.audit("cmu_mocap", tmp_path)
        assert found.found == {"**/*.bvh": "4 motions"}
        assert sorted((one.kind, one.key) for one in found.problems) == [
            ("bone without a joint", "file strange.bvh"),
            ("motion without a skeleton", "file 02/02_01.amc"),
            ("truncated file", "file short.bvh"),
        ]
        assert "1 motions, 0.0 minutes; 3 problems" in str(found)


class TestOverview:
    def test_one_line_for_each_set(self, tmp_path, monkeypatch):
        monkeypatch.setenv("REPRO_CACHE", str(tmp_path))
        rows = {row.name: row for row in overview.overview()}
        assert set(rows) == set(PROCEDURAL) | set(manifests.names())
        assert rows["fashion"] == overview.Row(
            "fashion", "studio", "deepfashion", "256x256", "400 + 100 people", "nothing", "empty"
        )
        assert rows["iper_real"].splits == "164 clips + 42 clips"
        lines = overview.table(list(rows.values())).splitlines()
        assert len(lines) == len(rows) + 1
        assert lines[0].split() == ["name", "kind", "imitates", "size", "splits", "needs", "cache"]

    def test_the_state_of_the_cache(self, tmp_path, monkeypatch):
        monkeypatch.setenv("REPRO_CACHE", str(tmp_path))
        begun = FashionSet("train", (64, 64), "tiny")._cache.folder
        begun.mkdir(parents=True)
        for person in (0, 4):
            (begun / f"person-{person:05d}.npz").touch()
        (tmp_path / "studio" / "fashion-train-64x64-tiny-v0-00000000-00000000").mkdir()
        (tmp_path / "studio" / "fashion_video-train-64x64-tiny-v0-00000000-00000000").mkdir()
        (tmp_path / "studio" / "fashion-notes-v1").mkdir()
        assert overview.cached("fashion") == "64x64 tiny (train 2 of 6); 1 of other versions"


class TestCommands:
    def test_the_list(self, capsys):
        assert main(["data", "list"]) == 0
        said = capsys.readouterr().out.splitlines()
        assert len(said) == 1 + len(PROCEDURAL) + len(manifests.names())
        assert main(["data", "list", "shapenet"]) == 0
        assert "licence: the terms of ShapeNet" in capsys.readouterr().out

    def test_the_check_writes_exclusions(self, tmp_path, capsys):
        root = whole(tmp_path / "root")
        command = ["data", "check", "deepfashion", "--root", str(root)]
        assert main(command) == 0
        (root / "train" / FASHION[0]).unlink()
        assert main(command) == 2
        assert "1 problems: repair them, or record them" in capsys.readouterr().err
        file = tmp_path / "exclude.txt"
        assert main([*command, "--write-exclusions", str(file)]) == 0
        assert f"image {FASHION[0]}" in file.read_text().splitlines()

    def test_exclusions_are_not_written_where_nothing_reads_them(self, tmp_path, capsys):
        file = tmp_path / "exclude.txt"
        for name in ("human36m", "shapenet", "cmu_mocap"):
            command = ["data", "check", name, "--root", str(tmp_path), "--write-exclusions", str(file)]
            assert main(command) == 2
            assert f"{name} takes no exclusion list: only deepfashion" in capsys.readouterr().err
        assert not file.exists()

    def test_exclusions_do_not_answer_what_is_missing(self, tmp_path, capsys):
        root, file = tmp_path / "root", tmp_path / "exclude.txt"
        folder(root, "train")
        assert main(["data", "check", "deepfashion", "--root", str(root), "--write-exclusions", str(file)]) == 2
        assert "3 problems that no exclusion answers" in capsys.readouterr().err
        assert file.exists()

    def test_the_check_of_an_empty_folder_says_how_to_get_the_set(self, tmp_path, capsys):
        assert main(["data", "check", "market1501", "--root", str(tmp_path)]) == 2
        said = capsys.readouterr()
        assert "Rename bounding_box_train to train" in said.out
        assert "nothing that could be read" in said.err

    def test_an_export_is_what_the_check_wants(self, tmp_path, tmp_path_factory, capsys, monkeypatch):
        monkeypatch.setenv("REPRO_CACHE", str(tmp_path_factory.mktemp("cache")))
        command = "data export --splits test --size 32,24 --scale tiny --format png"
        assert main([*command.split(), str(tmp_path)]) == 0
        assert capsys.readouterr().out.strip() == str(tmp_path)
        found = manifests.audit("deepfashion", tmp_path)
        missing = {"train/*", "fasion-annotation-train.csv", "fasion-pairs-train.csv"}
        assert {one.where for one in found.problems} == missing
        assert found.found["fasion-pairs-test.csv"] == "72 of 8,570 rows of pairs (unverified)"

    def test_every_set_of_the_studio_can_be_written(self):
        assert set(exports.WRITERS) == set(PROCEDURAL)
