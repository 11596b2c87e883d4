"""A folder of motion capture, read completely."""

from dataclasses import dataclass, field
from pathlib import Path

from repro.data.mocap.asf_amc import read_asf_amc
from repro.data.mocap.bvh import read_bvh
from repro.data.mocap.capture import Capture
from repro.data.mocap.names import drivers
from repro.data.problems import DataError, Problem, Report
from repro.data.progress import progress_bar


@dataclass
class Motions:
    """The motions of a folder, and what is wrong with them."""

    problems: list[Problem] = field(default_factory=list)
    count: int = 0
    seconds: float = 0.0

    @property
    def summary(self) -> str:
        """How much there is."""
        return f"{self.count} motions, {self.seconds / 60:.1f} minutes"


def check_mocap(root: str | Path) -> Report:
    """Return what is right and wrong in a folder: every BVH and AMC file is read, and its bones must be known.

    Args:
        root: folder with ``*.bvh``, and ``*.amc`` beside their ``*.asf``, at any depth.

    Raises:
        FileNotFoundError: not a single motion is there.
    """
    root = Path(root)
    files = sorted([*root.glob("**/*.bvh"), *root.glob("**/*.amc")])
    if not files:
        raise FileNotFoundError(f"{root}: no motion capture: expected *.bvh, or *.amc beside their *.asf")
    found = Motions()
    with progress_bar(f"reading motions of {root.name}", len(files), "file") as bar:
        for file in files:
            try:
                capture = _read(file)
                drivers(capture)
            except DataError as error:
                found.problems += [_of_file(problem, file.relative_to(root)) for problem in error.problems]
            except FileNotFoundError as error:
                name = file.relative_to(root)
                found.problems.append(Problem("motion without a skeleton", f"file {name}", str(name), str(error)))
            else:
                found.count += 1
                found.seconds += len(capture) / capture.fps
            bar.update()
    return Report(root, "cmu_mocap", {"motions": found})


def _read(file: Path) -> Capture:
    return read_bvh(file) if file.suffix == ".bvh" else read_asf_amc(skeleton_of(file), file)


def skeleton_of(amc: Path) -> Path:
    """Return the ASF file of a motion: that of its subject, ``02.asf`` for ``02_01.amc``, or one of its own name."""
    subject = amc.with_name(amc.stem.partition("_")[0] + ".asf")
    return subject if subject.is_file() else amc.with_suffix(".asf")


def _of_file(problem: Problem, name: Path) -> Problem:
    where = problem.where if name.name in problem.where else f"{name}: {problem.where}"
    return Problem(problem.kind, f"file {name}", where, problem.detail)
