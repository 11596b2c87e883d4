"""Motion capture as a driver of photographs: retargeted to a person of the studio, seen through a long lens."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from repro.data.mocap import Capture, read_asf_amc, read_bvh, retarget
from repro.data.mocap.folder import skeleton_of
from repro.data.studio.camera import Camera
from repro.data.studio.garments import build_person
from repro.data.studio.identity import Identity
from repro.data.studio.mesh import Mesh
from repro.data.tracking import Track

ENDINGS = (".bvh", ".amc")
FPS = 25.0
DISTANCE, LONG = 4.0, 8.0
"""Metres to the camera, at least; and times the way that the person comes nearer or goes away, so that a walk towards
the camera changes the size of the picture by an eighth at most."""
ROWS = 1000
"""Height of the camera's picture; what is fitted to the source has no size of its own."""


def read_capture(path: str | Path) -> Capture:
    """Return the capture of a BVH file, or of an AMC file whose ASF lies beside it.

    Raises:
        FileNotFoundError, DataError: no such file; what is wrong in it, with the line.
    """
    path = Path(path)
    return read_bvh(path) if path.suffix.lower() == ".bvh" else read_asf_amc(skeleton_of(path), path)


def captured_track(capture: Capture, fps: float = FPS) -> Track:
    """Return a captured motion as a camera in front of the person sees it.

    The motion is retargeted to an average person of the studio, who faces the camera in the first frame with both feet
    on the ground; the joints are those that the studio's pictures are annotated with.

    Args:
        capture: from :func:`read_capture`.
        fps: frames per second of the result.

    Raises:
        DataError: joints without which nobody can be moved are missing.
    """
    mesh = _person()
    motion = retarget(capture, mesh, fps)
    joints = np.stack([mesh.skeleton.posed_joints(pose, "human36m17") for pose in motion.poses])
    depth = np.ptp(joints[:, 0, 2])
    camera = Camera(distance=max(DISTANCE, LONG * float(depth)), look_at=(0.0, 0.9, float(joints[0, 0, 2])))
    seen = camera.project(joints, (ROWS, ROWS))[..., 1::-1] - 0.5
    seconds = len(joints) / fps
    note = f"{len(joints)} frames of motion capture ({seconds:.1f} s), resampled from {capture.fps:g} to {fps:g} fps"
    return Track(torch.from_numpy(seen), fps, [note])


@lru_cache(1)
def _person() -> Mesh:
    """Whose proportions the motion gets, before it is fitted to the source."""
    return build_person(Identity("fashion", "train", 0), "low")
