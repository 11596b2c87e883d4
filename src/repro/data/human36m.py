"""Human3.6M as VideoPose3D publishes it: two npz files of 2-D joints, true and detected; reader and writer."""

import hashlib
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from repro.checks import require_choice
from repro.data.clip import MotionSequence
from repro.data.joints import MISSING, SIGMA
from repro.data.layouts import SPLITS
from repro.data.npz_objects import read_npz_object
from repro.data.parts import require_absent
from repro.data.problems import DataError, Problem, Report, describe

CLEAN_FILE, NOISY_FILE = "data_2d_h36m_gt.npz", "data_2d_h36m_detectron_pt_coco.npz"
SUBJECTS = tuple(f"S{number}" for number in range(1, 12))
TEST_SUBJECTS = ("S9", "S11")
FPS = 50.0
SIZE = (1000, 1000)
TOLERANCE = 0.01
"""Sequences whose two lengths differ by more than this share are left out, as in the authors' code."""
_SYMMETRY = {
    CLEAN_FILE: ([4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]),
    NOISY_FILE: ([1, 3, 5, 7, 9, 11, 13, 15], [2, 4, 6, 8, 10, 12, 14, 16]),
}
_LAYOUTS = {CLEAN_FILE: "h36m", NOISY_FILE: "coco"}

Positions = dict[str, dict[str, list[NDArray]]]


@dataclass(frozen=True)
class Inspection:
    """What one split holds.

    Attributes:
        sequences: (subject, action, camera) of what can be used.
        dropped: what cannot and need not be repaired: lengths that differ, sequences of which one half is missing.
        problems: what is damaged.
    """

    sequences: list[tuple[str, str, int]]
    dropped: list[Problem]
    problems: list[Problem]

    @property
    def summary(self) -> str:
        """What was counted, in words."""
        subjects = ", ".join(dict.fromkeys(subject for subject, _, _ in self.sequences))
        return f"{len(self.sequences)} sequences of {subjects or 'nobody'}; {len(self.dropped)} left out"


class Human36M:
    """The sequences of one split of Human3.6M: ``dataset[i]`` is a :class:`~repro.data.clip.MotionSequence`.

    Split by subject: S9 and S11 are the test, everybody else who is in both files trains. True joints are the 17 of
    Human3.6M, detected ones the 17 of COCO. Of lengths that differ by up to 1 % both are cut to the shorter; sequences
    that differ more, or are in one file only, are left out, counted and named in ``dropped``.

    Args:
        split: "train" or "test".
        root: folder with ``data_2d_h36m_gt.npz`` and ``data_2d_h36m_detectron_pt_coco.npz``.
        size: None; the joints are those of videos 1000 pixels wide.

    Attributes:
        name, split, size, sigma: as asked for.
        sequences: (subject, action, camera) of each.
        dropped: problems of what is left out.
        hash: SHA-256 of both files and the split.

    Raises:
        FileNotFoundError: a file is missing.
        DataError: damaged files, unknown subjects, other than 17 joints, unequal numbers of cameras, numbers that are
            not finite: each finding counted and named.
    """

    name = "human36m"

    def __init__(
        self, split: str, root: str | Path, size: tuple[int, int] | None = None, *, sigma: float = SIGMA
    ) -> None:
        require_choice("split", split, SPLITS)
        if size not in (None, SIZE):
            raise ValueError(f"human36m has the joints of videos 1000 pixels wide and no images: leave out size={size}")
        self.split, self.root, self.size, self.sigma = split, Path(root), SIZE, sigma
        self._positions = _read(self.root)
        found = _inspect(*self._positions, split)
        if found.problems:
            raise DataError(
                f"{root}: human36m {split} cannot be used as it is:",
                found.problems,
                "Get both files of VideoPose3D anew, or remove these sequences from both.",
            )
        self.sequences, self.dropped = found.sequences, found.dropped
        self.hash = self._hash()
        if self.dropped:
            warnings.warn(
                f"human36m {split}: {len(self.dropped)} sequences are left out\n{describe(self.dropped)}", stacklevel=2
            )

    def __len__(self) -> int:
        return len(self.sequences)

    def __getitem__(self, index: int) -> MotionSequence:
        if not -len(self) <= index < len(self):
            raise IndexError(f"human36m {self.split} has {len(self)} sequences, got index {index}")
        subject, action, camera = self.sequences[index]
        clean, noisy = (positions[subject][action][camera] for positions in self._positions)
        frames = min(len(clean), len(noisy))
        found = torch.from_numpy(noisy[:frames, :, 1::-1].astype(np.float64))
        valid = (found != MISSING).all(-1)
        return MotionSequence(
            clean=torch.from_numpy(clean[:frames, :, 1::-1].astype(np.float64)),
            noisy=found.masked_fill(~valid[..., None], MISSING),
            valid=valid,
            fps=FPS,
            subject=subject,
            action=action,
            camera=camera,
            size=SIZE,
        )

    def __iter__(self) -> Iterator[MotionSequence]:
        return (self[index] for index in range(len(self)))

    def _hash(self) -> str:
        digest = hashlib.sha256(f"{self.name} {self.split}".encode())
        for name in (CLEAN_FILE, NOISY_FILE):
            with (self.root / name).open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return "sha256:" + digest.hexdigest()

    def __getstate__(self) -> dict[str, Any]:
        return {"split": self.split, "root": self.root, "sigma": self.sigma}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]


def check_human36m(root: str | Path) -> Report:
    """Return what is right and wrong in a folder with the two files, split by split.

    Raises:
        FileNotFoundError, DataError: a file is missing or cannot be read at all.
    """
    positions = _read(Path(root))
    return Report(Path(root), "human36m", {split: _inspect(*positions, split) for split in SPLITS})


def export_human36m(sequences: Iterable[MotionSequence], folder: str | Path) -> Path:
    """Write sequences as VideoPose3D's two npz files and return their folder.

    ``load("human36m", split, root=folder)`` reads them back, joints rounded to float32. Both splits share the files:
    pass the sequences of both at once. Convention of the files: (x, y); the third channel of the detections is 1 for a
    joint that was found, 0 for a missing one, whose place is (-1, -1).

    Args:
        sequences: with subjects ``S1`` to ``S11``; the cameras of an action in order.
        folder: made if need be.

    Raises:
        FileExistsError: one of the files is there already, maybe with the other split.
        ValueError: no sequences, an unknown subject, a camera out of order.
    """
    folder = Path(folder)
    files = (folder / CLEAN_FILE, folder / NOISY_FILE)
    require_absent(files, "export both splits at once into a new folder, or remove it")
    clean: Positions = {}
    noisy: Positions = {}
    for sequence in sequences:
        require_choice("subject", sequence.subject, SUBJECTS)
        cameras = clean.setdefault(sequence.subject, {}).setdefault(sequence.action, [])
        if sequence.camera != len(cameras):
            raise ValueError(
                f"expected camera {len(cameras)} of {sequence.subject} {sequence.action!r}, got camera "
                f"{sequence.camera}: pass each action's cameras in order, once"
            )
        cameras.append(sequence.clean.flip(-1).float().numpy())
        found = torch.cat([sequence.noisy.flip(-1), sequence.valid[..., None]], -1)
        noisy.setdefault(sequence.subject, {}).setdefault(sequence.action, []).append(found.float().numpy())
    if not clean:
        raise ValueError("expected at least one sequence to write, got none")
    folder.mkdir(parents=True, exist_ok=True)
    for name, positions in ((CLEAN_FILE, clean), (NOISY_FILE, noisy)):
        metadata = {"layout_name": _LAYOUTS[name], "num_joints": 17, "keypoints_symmetry": list(_SYMMETRY[name])}
        _save(folder / name, {"positions_2d": positions, "metadata": metadata})
    return folder


def _save(path: Path, objects: Mapping[str, Any]) -> None:
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        arrays: dict[str, Any] = {name: np.array(value, dtype=object) for name, value in objects.items()}
        np.savez_compressed(file, **arrays)
    os.replace(part, path)


def _read(root: Path) -> tuple[Any, Any]:
    missing = [name for name in (CLEAN_FILE, NOISY_FILE) if not (root / name).is_file()]
    if missing:
        raise FileNotFoundError(
            f"{root}: no {' and no '.join(missing)}: expected the two files of 2-D joints that VideoPose3D publishes"
        )
    clean, noisy = (read_npz_object(root / name, "positions_2d") for name in (CLEAN_FILE, NOISY_FILE))
    return clean, noisy


def _inspect(clean: Any, noisy: Any, split: str) -> Inspection:
    """Compare the two files for one split."""
    found = Inspection([], [], [])
    for name, positions in ((CLEAN_FILE, clean), (NOISY_FILE, noisy)):
        shaped = isinstance(positions, dict) and all(isinstance(actions, dict) for actions in positions.values())
        if not shaped:
            found.problems.append(
                Problem("wrong structure", f"file {name}", name, "expected subject -> action -> list of cameras")
            )
            return found
        unknown = [str(subject) for subject in positions if subject not in SUBJECTS]
        found.problems.extend(
            Problem("unknown subject", f"subject {subject}", f"{name}, {subject}", "expected S1 to S11")
            for subject in unknown
        )
    wanted = [subject for subject in SUBJECTS if (subject in TEST_SUBJECTS) == (split == "test")]
    for subject in wanted:
        pair = clean.get(subject, {}), noisy.get(subject, {})
        for action in dict.fromkeys([*pair[0], *pair[1]]):
            _inspect_action(subject, str(action), pair[0].get(action), pair[1].get(action), found)
    if not found.sequences and not found.problems:
        found.problems.append(
            Problem("no sequences", "", f"{split} split", f"expected some of {', '.join(wanted)} in both files")
        )
    return found


def _inspect_action(subject: str, action: str, clean: Any, noisy: Any, found: Inspection) -> None:
    where, key = f"{subject}, {action}", f"action {subject} {action}"
    if clean is None or noisy is None:
        absent = CLEAN_FILE if clean is None else NOISY_FILE
        found.dropped.append(Problem("in one file only", key, where, f"not in {absent}"))
        return
    if not (isinstance(clean, list | tuple) and isinstance(noisy, list | tuple)):
        found.problems.append(Problem("wrong structure", key, where, "expected a list with one array per camera"))
        return
    if len(clean) != len(noisy):
        detail = f"{len(clean)} cameras in {CLEAN_FILE}, {len(noisy)} in {NOISY_FILE}"
        found.problems.append(Problem("unequal numbers of cameras", key, where, detail))
        return
    for camera, both in enumerate(zip(clean, noisy)):
        place, entry = f"{where}, camera {camera}", f"sequence {subject} {action} {camera}"
        damage = [
            (kind, f"{name}: {detail}")
            for name, joints in zip((CLEAN_FILE, NOISY_FILE), both)
            for kind, detail in [_damage(joints)]
            if kind
        ]
        found.problems.extend(Problem(kind, entry, place, detail) for kind, detail in damage)
        if damage:
            continue
        lengths = [len(joints) for joints in both]
        if abs(lengths[0] - lengths[1]) > TOLERANCE * max(lengths):
            detail = f"{lengths[0]} true and {lengths[1]} detected frames"
            found.dropped.append(Problem("lengths differ by more than 1 %", entry, place, detail))
        else:
            found.sequences.append((subject, action, camera))


def _damage(joints: Any) -> tuple[str, str]:
    """What is wrong with an array of joints: kind and detail, empty where nothing is."""
    if not isinstance(joints, np.ndarray) or joints.ndim != 3 or joints.dtype.kind not in "fiu":
        came = f"{joints.dtype} {joints.shape}" if isinstance(joints, np.ndarray) else type(joints).__name__
        return "no array of joints", f"expected numbers (frames, 17, 2 or 3), got {came}"
    if joints.shape[1] != 17:
        return "wrong number of joints", f"expected 17 joints, got {joints.shape[1]}"
    if joints.shape[2] < 2:
        return "no array of joints", f"expected x and y, got {joints.shape[2]} channels"
    if not len(joints):
        return "no frames", "expected at least one frame"
    if not np.isfinite(joints[..., :2]).all():
        return "numbers that are not finite", f"{int((~np.isfinite(joints[..., :2])).sum())} of them"
    return "", ""
