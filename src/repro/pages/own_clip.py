"""The page on own clips: files as the command reads them, a run that stops half way, cleaned skeletons against true."""

import json
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import torch
from torch import Tensor

from repro.data.clip import Clip
from repro.data.images import write_image
from repro.data.joints import is_missing
from repro.data.motion_source import read_motion
from repro.data.video_file import VideoFile
from repro.experiments.animation import Animator, Scene, prepare
from repro.metrics.motion import HUMAN36M_SHARED, acceleration_errors, joint_errors
from repro.metrics.motion_filters import median_gaussian
from repro.models import Frame
from repro.pages.motion_tables import POSITION, TREMBLE, values
from repro.pages.own_photograph import openpose_json
from repro.pages.tables import spread
from repro.records import Record

CLEANERS = {
    "as detected": "identity",
    "Motion Extraction Network": "men_adaln",
    "median, then Gaussian": "median_gaussian",
}
"""Ways to the driving skeletons, in the page's words -> their rows in the table of motion extraction."""


def write_source(clip: Clip, photo: Path) -> Path:
    """Write a clip's source picture, and its joints beside it; return the path of the joints."""
    write_image(photo, clip.source)
    joints = photo.with_suffix(".json")
    joints.write_text(json.dumps(openpose_json(clip.source_joints)))
    return joints


def write_folder(joints: Tensor, folder: Path) -> None:
    """Write joints (T, K, 2) as OpenPose does: one file per frame, its number in the name."""
    folder.mkdir()
    for number, frame in enumerate(joints):
        (folder / f"{number:06d}_keypoints.json").write_text(json.dumps(openpose_json(frame)))


def write_poses(joints: Tensor, file: Path, fps: float) -> None:
    """Write joints (T, K, 2) as one file with all frames and their rate."""
    file.write_text(json.dumps({"fps": fps, "frames": [openpose_json(frame) for frame in joints]}))


def smooth(motion: Path, file: Path, fps: float) -> None:
    """Write a motion of detected joints under a median and a Gaussian, gaps held: ``--skeletons given`` drives by it.

    Args:
        motion: any motion of a detector's joints, as the command takes it.
        file: a JSON file with all frames.
        fps: frames per second of the result.

    Raises:
        ValueError: the joints are none of a detector, or some were never found.
    """
    found = read_motion(motion).detected
    if found is None or bool(is_missing(found).any()):
        raise ValueError(f"{motion}: expected a detector's joints, each found at least once")
    write_poses(torch.from_numpy(median_gaussian(found.numpy(), fps)), file, fps)


def video_frames(path: Path) -> Tensor:
    """Return the frames of a video as a player shows them, (T, 3, H, W) in [0, 1]."""
    return torch.stack([torch.from_numpy(frame.copy()).permute(2, 0, 1) / 255 for frame in VideoFile(path)])


def drawn_skeletons(scene: Scene, sigma: float) -> Tensor:
    """Return the drawings (T, 3, S, S) in [0, 1] that are part of what the network gets for each frame."""
    return torch.stack([scene.pose(number, sigma)[0, -3:] for number in range(len(scene.joints))]) / 255


def stopped(animator: Animator, count: int) -> Animator:
    """Return an animator that is stopped, as by Ctrl-C, once it has made ``count`` frames; the weights are shared."""
    network = copy(animator.network)

    def frames(*given: object) -> Iterator[Frame]:
        yield from islice(animator.network.frames(*given), count)  # type: ignore[arg-type]
        raise KeyboardInterrupt(f"stopped after {count} frames")

    network.frames = frames  # type: ignore[method-assign, assignment]
    return Animator(network, animator.size, animator.sigma, animator.name)


def frame_files(clip: Path) -> list[bytes]:
    """Return the contents of the frames beside a clip, in order."""
    return [file.read_bytes() for file in sorted(Path(f"{clip}.frames").glob("*.png"))]


def driven_by(driver: Clip, motions: Mapping[str, tuple[Path, str]], size: int) -> dict[str, tuple[float, float]]:
    """Return how far the skeletons that drive are from the true ones of whoever made the motion.

    The driver's own first frame is the photograph, unfitted, so that all are in pixels of the driver's film.

    Args:
        driver: of the studio.
        motions: words -> file or folder, and the kind of skeletons.
        size: pixels a side, those of the driver's film.

    Returns:
        words -> mean error of a joint's place in pixels, and of its acceleration in pixels per frame², over the 12
        joints that COCO and Human3.6M share.
    """
    true, errors = driver.joints_clean[:, HUMAN36M_SHARED], {}
    with TemporaryDirectory() as folder:
        photo = Path(folder) / "driver.png"
        pose = write_source(driver, photo)
        for words, (motion, skeletons) in motions.items():
            scene = prepare(photo, motion, size, source_pose=pose, fitting="none", skeletons=skeletons)
            own = scene.joints[:, HUMAN36M_SHARED]
            errors[words] = (float(joint_errors(own, true).mean()), float(acceleration_errors(own, true).mean()))
    return errors


def cleaners(found: Sequence[Record], here: Mapping[str, tuple[float, float]]) -> pd.DataFrame:
    """Return what the ways to the driving skeletons are worth: recorded on many sequences, and on this page's motion.

    Args:
        found: records of the table of motion extraction, one data set and profile.
        here: from :func:`driven_by`.
    """
    lines = {}
    for words, row in CLEANERS.items():
        position, tremble = (values(found, row, "", metric) for metric in (POSITION, TREMBLE))
        lines[words] = {
            ("recorded, 1000-pixel pictures", "a joint is off by, px"): spread(position, 2) if position else "–",
            ("recorded, 1000-pixel pictures", "its acceleration, px/frame²"): spread(tremble, 2) if tremble else "–",
            ("this motion, 64 pixels", "a joint is off by, px"): f"{here[words][0]:.2f}",
            ("this motion, 64 pixels", "its acceleration, px/frame²"): f"{here[words][1]:.2f}",
        }
    return pd.DataFrame.from_dict(lines, orient="index")


def which_cleaner(found: Sequence[Record]) -> str:
    """Return in words whether the filter or the network does better by the records, in trembling and in position.

    Args:
        found: as for :func:`cleaners`.
    """
    network, filtered = CLEANERS["Motion Extraction Network"], CLEANERS["median, then Gaussian"]
    words = []
    for what, metric in (("acceleration", TREMBLE), ("place", POSITION)):
        own, other = (values(found, row, "", metric) for row in (filtered, network))
        if not own or not other:
            return "The table of motion extraction has no records of both."
        better = sum(own) / len(own) < sum(other) / len(other)
        words.append(f"Error of {what}: the filter does {'better' if better else 'worse'} than the network.")
    return "\n".join(words)
