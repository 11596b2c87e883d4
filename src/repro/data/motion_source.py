"""Whatever a motion may come in, as the track of one person."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from repro.data import captured_track, pose_extra, pose_files, video_file
from repro.data.annotations import read_annotations
from repro.data.joints import MISSING
from repro.data.own_photograph import upright
from repro.data.pose_files import Detections
from repro.data.progress import progress_bar
from repro.data.skeletons import layout_of, to_coco17
from repro.data.tracking import Track, track

KINDS = "a folder of OpenPose files, poses.json, a .bvh file, an .amc file beside its .asf, or a video"
FEWEST = 2
"""Frames of a clip."""


def read_motion(path: str | Path, layout: str | None = None, fps: float | None = None) -> Track:
    """Return the motion of one person as joints of Human3.6M, without gaps.

    Args:
        path: a folder of OpenPose files, one JSON file with all frames, BVH, AMC beside its ASF, or a video.
        layout: of the joints in JSON files; None = recognised.
        fps: frames per second that are wanted; captured motion is resampled to it.

    Raises:
        FileNotFoundError: no such file or folder.
        DataError: damaged files, named with frame, line and column.
        MissingExtra: a video, but no pose extra.
        ValueError: something else, a layout that does not fit, or fewer than two frames.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if not path.exists():
        raise FileNotFoundError(f"no motion {path}: expected {KINDS}")
    if path.is_dir():
        found = track(pose_files.read_pose_folder(path), layout)
    elif ending == ".json":
        found = track(pose_files.read_pose_file(path), layout)
    elif ending in captured_track.ENDINGS:
        found = captured_track.captured_track(captured_track.read_capture(path), fps or captured_track.FPS)
    elif ending in video_file.ENDINGS:
        found = track(_detected(video_file.VideoFile(path)), "openpose18")
    else:
        raise ValueError(f"expected {KINDS}, got {path.name!r}")
    if len(found) < FEWEST:
        raise ValueError(f"{path}: expected a motion of at least {FEWEST} frames, got {len(found)}: a clip needs more")
    return found


def _detected(video: video_file.VideoFile) -> Detections:
    """What the pose extra finds in a video."""
    people = []
    with progress_bar(f"looking for a person in {video.path.name}", 0, "frame") as bar:
        for joints in pose_extra.found_in(video):
            people.append([] if joints is None or bool((joints == MISSING).all()) else [joints])
            bar.update()
    if not any(people):
        raise ValueError(f"{video.path}: nobody was found in its {len(people)} frames: give the poses as a file")
    return Detections(people, video.fps)


def read_source_joints(path: str | Path, photograph: str | Path) -> tuple[Tensor, list[str]]:
    """Return the joints (17, 2) of COCO of the person in a photograph, (row, column), -1 missing; and notes.

    Args:
        path: one JSON frame (:func:`~repro.data.pose_files.read_pose_file`), its layout recognised; or the authors'
            csv, which names pictures.
        photograph: the csv's row is that of its name.

    Raises:
        FileNotFoundError, DataError: no such file; what is wrong in it.
        ValueError: no or more than one frame for this photograph, or nobody in it.
    """
    path, name = Path(path), Path(photograph).name
    if path.suffix.lower() == ".csv":
        names, joints = read_annotations(path)
        if name not in names:
            raise ValueError(f"{path}: no row for {name}: expected `{name}: [18 rows]: [18 columns]`")
        return torch.from_numpy(to_coco17(joints[names.index(name)].numpy(), "openpose18")), []
    frames = pose_files.read_pose_file(path).people
    if len(frames) != 1:
        raise ValueError(f"{path}: expected the joints of one photograph, got {len(frames)} frames")
    person = max(frames[0], key=lambda joints: float(np.ptp(joints[(joints != MISSING).all(1)], axis=0).prod()))
    notes = [f"{len(frames[0])} people in {path.name}: the largest is taken"] if len(frames[0]) > 1 else []
    return torch.from_numpy(to_coco17(person, layout_of(person[None]))), notes


def detect_source_joints(photograph: str | Path) -> Tensor:
    """Return the joints (17, 2) of COCO that the pose extra finds in a photograph, -1 missing.

    Raises:
        MissingExtra: no pose extra.
        ValueError: nobody was found.
    """
    with pose_extra.Detector() as detect:
        joints = detect(np.asarray(upright(photograph)))
    if joints is None:
        raise ValueError(f"{photograph}: nobody was found: give the joints with --source-pose")
    return torch.from_numpy(to_coco17(joints, "openpose18"))
