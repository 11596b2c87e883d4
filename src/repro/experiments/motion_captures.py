"""Real motion capture as test input: a person of the studio moves so, four cameras film, a simulated detector finds."""

from pathlib import Path

import numpy as np
import torch

from repro.checks import require_choice
from repro.data.captured_track import read_capture
from repro.data.clip import MotionSequence
from repro.data.mocap import retarget
from repro.data.studio.detector import LEVELS, detect
from repro.data.studio.h36m import FPS, H36MSet, camera_rig, centred
from repro.data.studio.identity import Identity
from repro.data.studio.kinematics import clip_points, clip_transforms, hidden_joints
from repro.data.studio.people_set import person_mesh
from repro.data.studio.skeleton import COCO_17, HUMAN36M_17

PERSON = Identity(H36MSet.name, "test", 0)
"""The first test subject: a network has never seen this body."""


def captured_sequences(path: str | Path, level: str = "typical", draw: int = 0) -> list[MotionSequence]:
    """Return what a detector finds of a captured motion, and what is true, for each of four cameras.

    Everything but the motion is as in the set ``h36m``: a test subject's body, cameras 4 to 5 m away, 50 frames a
    second, the simulated detector. The middle of the walked path stands between the cameras; a person who walks far
    leaves the picture, as joints outside of it.

    Args:
        path: a BVH file, or an AMC file whose ASF lies beside it.
        level: of the detector's noise, "clean", "typical" or "hard".
        draw: another number, other errors of the same kind.

    Raises:
        FileNotFoundError, DataError: no such file; what is wrong in it.
        ValueError: an unknown level, or the person walks into or behind a camera.
    """
    require_choice("noise level", level, tuple(LEVELS))
    mesh = person_mesh(PERSON, "low")
    motion = retarget(read_capture(path), mesh, FPS, facing=None)
    transforms = centred(clip_transforms(mesh.skeleton, motion.poses), 0.0)
    world, coco = (clip_points(mesh.skeleton, transforms, names) for names in (HUMAN36M_17, COCO_17))
    sequences = []
    for number, camera in enumerate(camera_rig(PERSON)):
        screen, seen = (camera.project(points, H36MSet.SIZE) for points in (world, coco))
        if screen[..., 2].min() <= 0:
            raise ValueError(f"{path}: the person walks behind camera {number}: cut the motion to a part of the path")
        found = detect(
            seen[..., 1::-1] - 0.5,
            camera.focal * H36MSet.SIZE[0] * PERSON.body.height / screen[:, 0, 2],
            PERSON.rng("capture", Path(path).stem, number, draw),
            level,
            hidden_joints(mesh.skeleton, transforms, coco, camera.position),
        )
        sequences.append(
            MotionSequence(
                clean=torch.from_numpy(np.ascontiguousarray(screen[..., 1::-1]) - 0.5),
                noisy=torch.from_numpy(found.joints),
                valid=torch.from_numpy(found.score > 0),
                fps=FPS,
                subject="S9",
                action=Path(path).stem,
                camera=number,
                size=H36MSet.SIZE,
                faults={name: torch.from_numpy(where) for name, where in found.faults.items()},
            )
        )
    return sequences
