"""Whatever a motion may come in, as the track of one person."""

from pathlib import Path

from repro.data import captured_track, pose_extra, pose_files, video_file
from repro.data.joints import MISSING
from repro.data.pose_files import Detections
from repro.data.progress import progress_bar
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
