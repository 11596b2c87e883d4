"""From a photograph and a motion to a clip: fitted, generated frame by frame, encoded at the end."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from repro import checks
from repro.data.fitting import fit
from repro.data.joints import is_missing
from repro.data.motion_source import read_motion
from repro.data.own_photograph import Photograph
from repro.data.progress import progress_bar
from repro.data.skeletons import to_human36m17
from repro.data.structures import FARTHEST, skeleton_structure
from repro.data.video_file import FORMATS, write_video
from repro.experiments.animation.animator import Animator
from repro.experiments.animation.driving import driving_skeletons
from repro.experiments.animation.frames import FrameFolder, to_bytes
from repro.experiments.own_person import own_person
from repro.models import SequentialGFLA, State
from repro.training.host import only_process, stop_requested

FPS = 25.0


@dataclass(frozen=True)
class Scene:
    """What a clip shows: who, and along which skeletons.

    Attributes:
        photograph: the person, in a square.
        source_joints: (17, 2) COCO, in pixels of the square.
        joints: (T, 17, 2) Human3.6M of each frame, in pixels of the square.
        fps: frames per second.
        notes: what a person should know about it, in words.
    """

    photograph: Photograph
    source_joints: Tensor
    joints: Tensor
    fps: float
    notes: list[str]

    @property
    def size(self) -> int:
        """Pixels a side."""
        return self.photograph.image.shape[-1]

    def source_pose(self, sigma: float) -> Tensor:
        """Return the structure (1, 20, S, S) of the source."""
        return skeleton_structure(self.source_joints, (self.size, self.size), "coco17", sigma)[None]

    def pose(self, number: int, sigma: float) -> Tensor:
        """Return the structure (1, 20, S, S) of a frame."""
        return skeleton_structure(self.joints[number], (self.size, self.size), "human36m17", sigma)[None]


def prepare(
    source: str | Path,
    motion: str | Path,
    size: int,
    *,
    source_pose: str | Path | None = None,
    layout: str | None = None,
    fps: float | None = None,
    fitting: str = "body",
    skeletons: str = "auto",
) -> Scene:
    """Return the scene of a photograph and a motion, everything read and checked.

    Args:
        source: the photograph.
        motion: as :func:`~repro.data.motion_source.read_motion` takes it.
        size: pixels a side of the network's picture, a multiple of 32 from 64 on.
        source_pose: the photograph's joints; None = found by the pose extra.
        layout: of the motion's joints in JSON files; None = recognised.
        fps: frames per second of the clip; None = what the motion says, else 25.
        fitting: "body" (:func:`repro.data.fitting.fit`), or "none": the motion's joints are pixels of the photograph.
        skeletons: cleaned or not (:func:`~repro.experiments.animation.driving.driving_skeletons`).

    Raises:
        FileNotFoundError, DataError, DamagedImage, MissingExtra, ValueError: what is missing, damaged or does not fit.
    """
    if fps is not None and not 0 < fps <= 1000:
        raise ValueError(f"expected between 0 and 1000 frames per second, got {fps:g}")
    person = own_person(source, (size, size), source_pose)
    own, track = person.coco17, read_motion(motion, layout, fps)
    notes = [*person.notes, *track.notes]
    place: Callable[[Tensor], Tensor] = person.photograph.place
    if fitting == "body":
        place = way = fit(track.joints, torch.from_numpy(to_human36m17(own.numpy(), "coco17")))
        notes.append(f"fitted to the person: one pixel of the motion is {way.scale:.3g} pixels of the clip")
    joints, origin = driving_skeletons(track, place, size, skeletons)
    notes.append(origin)
    if float(joints.abs().max()) > FARTHEST:
        raise ValueError(f"{motion}: joints up to {float(joints.abs().max()):.0f} pixels away: remove these outliers")
    outside = (((joints < 0) | (joints >= size)).any(-1) & ~is_missing(joints)).float().mean(1) > 0.5
    if outside.any():
        notes.append(f"in {int(outside.sum())} of {len(joints)} frames most joints lie outside of the picture")
    return Scene(person.photograph, own, joints, fps or track.fps or FPS, notes)


def animate(
    scene: Scene, animator: Animator, out: Path, *, device: torch.device | str = "cpu", panel: bool = False
) -> Path:
    """Generate what is missing of a clip, write it and return its path.

    Frames are PNG files in ``OUT.frames``; stopped or killed and called again, it continues to the same bits. Memory
    does not depend on the number of frames (but for 272 bytes of joints each).

    Args:
        scene: from :func:`prepare`.
        animator: the network.
        out: a name that ends in .mp4 or .gif.
        device: where the network runs.
        panel: the clip shows the source, the drawn pose and the result side by side.

    Raises:
        BlockingIOError: another process works on this clip.
        ValueError: ``OUT.frames`` belongs to another clip.
        OSError: disk full or folder not writable; frames that were made are kept.
        KeyboardInterrupt: stopped; the state is saved.
    """
    require_writable(out)
    folder = frames_folder(out)
    with only_process(folder), stop_requested() as stop:
        frames = FrameFolder(folder, _identity(scene, animator))
        total = len(scene.joints)
        if frames.done < total:
            network = animator.network.to(device)
            try:
                with progress_bar("frames", total, "frame", frames.done) as bar:
                    for image in _generated(network, scene, animator.sigma, frames, device):
                        frames.add(scene.photograph.cut(to_bytes(image)), image.cpu())
                        bar.update()
                        if stop.is_set():
                            raise KeyboardInterrupt(
                                f"stopped after {frames.done} of {total} frames: repeat to continue"
                            )
            finally:
                frames.save()
        write_video(out, _panels(scene, frames, animator.sigma) if panel else frames.pictures(total), scene.fps)
    return out


def require_writable(out: Path, *inputs: str | Path | None) -> Path:
    """Return ``out`` if a clip and its frames can be written there (:func:`repro.checks.require_writable`)."""
    return checks.require_writable(out, FORMATS, *inputs, folder=frames_folder(out))


def frames_folder(out: Path) -> Path:
    """Return where the frames of a clip gather: ``OUT.frames`` beside it."""
    return out.with_name(f"{out.name}.frames")


def _generated(
    network: SequentialGFLA, scene: Scene, sigma: float, frames: FrameFolder, device: torch.device | str
) -> Iterator[Tensor]:
    """The frames (3, S, S) in [-1, 1] that are not there yet."""
    source = (scene.photograph.image * 2 - 1)[None].to(device)
    poses = (scene.pose(number, sigma).to(device) for number in range(frames.done, len(scene.joints)))
    state = None
    if frames.state is not None:
        state = State(frames.state[None].to(device), scene.pose(frames.done - 1, sigma).to(device))
    for frame in network.frames(source, scene.source_pose(sigma).to(device), poses, state):
        yield frame.image[0]


def _panels(scene: Scene, frames: FrameFolder, sigma: float) -> Iterator[Tensor]:
    """Source, drawn pose and result side by side, (3, h, 3 w) uint8."""
    cut = scene.photograph.cut
    source = (cut(scene.photograph.image) * 255).round().byte()
    for number, picture in enumerate(frames.pictures(len(scene.joints))):
        drawing = cut(scene.pose(number, sigma)[0, -3:]).byte()
        yield torch.cat([source, drawing, picture], -1)


def _identity(scene: Scene, animator: Animator) -> dict[str, str]:
    """What decides the frames."""
    parts = {
        "photograph": scene.photograph.image,
        "source pose": scene.source_joints,
        "motion": scene.joints,
    }
    hashes = {name: hashlib.sha256(value.contiguous().numpy().tobytes()).hexdigest() for name, value in parts.items()}
    return {"size": str(scene.size), "weights": animator.hash, "sigma": str(animator.sigma)} | hashes
