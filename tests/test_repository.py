"""The tree keeps its promises: one lock, no hosts, no paths of one machine, two commands."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]


def tracked() -> list[Path]:
    """Return the files that git knows; skip where the tree is no checkout."""
    done = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in done.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def texts() -> dict[Path, str]:
    binary = {".safetensors", ".png", ".jpg", ".npz", ".gif", ".pdf"}
    return {f: f.read_text(encoding="utf-8") for f in tracked() if f.suffix not in binary}


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_environment_file_agrees_with_pyproject():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    python, pip, pips = environment["dependencies"]
    assert python == f"python {project()['project']['requires-python']}"
    assert pip == "pip"
    assert pips == {"pip": ["-r requirements.lock", "-e ."]}
    assert environment["name"] == project()["project"]["name"]


LOCKS = ("requirements.lock", "requirements-pose.lock")


def pins(name: str) -> dict[tuple[str, str], str]:
    """Return the version of each package of a lock, by its name and the Python it is for."""
    lines = re.findall(r"^([a-z0-9._-]+)==(\S+) (?:; (.*?) )?\\$", (ROOT / name).read_text(), flags=re.MULTILINE)
    return {(package, marker): version for package, version, marker in lines}


def test_the_pose_extra_adds_to_the_environment_and_changes_nothing_in_it():
    """Its lock has the same versions of what both need; what it adds, and what mediapipe holds back, is its own."""
    main, pose = (pins(name) for name in LOCKS)
    shared = main.keys() & pose.keys()
    assert {key: pose[key] for key in shared} == {key: main[key] for key in shared}
    added = {name for name, _ in pose} - {name for name, _ in main}
    assert added == {"absl-py", "flatbuffers", "mediapipe", "opencv-python-headless", "protobuf"}


@pytest.mark.parametrize("lock_name", LOCKS)
def test_lock_pins_and_hashes_everything_that_pyproject_asks_for(lock_name):
    lock = (ROOT / lock_name).read_text()
    pinned = dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", lock, flags=re.MULTILINE))
    entries = re.split(r"^(?=[a-z0-9._-]+==)", lock, flags=re.MULTILINE)[1:]
    assert [e.split("==")[0] for e in entries if "--hash=sha256:" not in e] == []
    groups = project()["dependency-groups"]
    pose = groups.pop("pose")
    asked = [*project()["project"]["dependencies"], *(r for group in groups.values() for r in group)]
    asked = pose if "pose" in lock_name else asked
    names = {re.match(r"[A-Za-z0-9._-]+", requirement)[0].lower() for requirement in asked}
    assert names - set(pinned) == set()
    exact = dict(re.fullmatch(r"([a-z0-9._-]+)==([\d.]+(?:post\d+)?)", r).groups() for r in asked if _is_exact(r))
    assert {name: pinned[name] for name in exact} == exact


def _is_exact(requirement: str) -> bool:
    return "==" in requirement and "*" not in requirement


@pytest.mark.parametrize("name", LOCKS)
def test_lock_names_no_host(name):
    lock = (ROOT / name).read_text()
    assert re.findall(r"https?://\S+", lock) == []
    assert "index-url" not in lock


def test_no_path_of_one_machine_in_tracked_files():
    private = re.compile(r"/(?:work|farm|root|home/\w+|tmp|opt|Users)/[A-Za-z._-]{2,}")
    found = {str(f.relative_to(ROOT)): m[0] for f, text in texts().items() if (m := private.search(text))}
    found.pop("tests/test_repository.py", None)
    assert found == {}


def test_files_that_a_visitor_looks_for():
    names = ["README.md", "Makefile", "LICENSE", "CITATION.cff", "environment.yml", "requirements.lock", "_config.yml"]
    assert [n for n in names if not (ROOT / n).is_file()] == []
    assert "Apache License" in (ROOT / "LICENSE").read_text()
    assert project()["project"]["license"] == "Apache-2.0"


def test_citation_agrees_with_the_package():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == project()["project"]["version"]
    assert citation["license"] == project()["project"]["license"]
    assert citation["preferred-citation"]["authors"][0]["family-names"] == "Ren"


def test_ci_is_make_test():
    run = ROOT / ".ci" / "run"
    assert run.stat().st_mode & 0o111
    assert run.read_text().splitlines()[-1] == "exec make test"


@pytest.mark.parametrize("target", ["env", "book", "test", "test-all", "bench", "lint"])
def test_make_knows_its_commands(target):
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["_build/html/index.html", ".cache/x", "runs/x", ".venv/x", "a/__pycache__/x.pyc"])
def test_what_the_commands_write_is_ignored_by_git(name):
    done = subprocess.run(["git", "-C", str(ROOT), "check-ignore", name], capture_output=True, check=False)
    if done.returncode == 128:
        pytest.skip("not a git checkout")
    assert done.returncode == 0
