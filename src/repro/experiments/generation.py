"""The person of a photograph in another pose: the network, what it is shown, the picture that it makes."""

import io
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from repro import checks, paths
from repro.checks import require_choice
from repro.data.fitting import FITS, fit
from repro.data.joints import SIGMA, heatmaps
from repro.data.own_photograph import read_photograph
from repro.data.person_joints import detect_person, file_and_row, read_person
from repro.data.skeletons import to_human36m17
from repro.experiments.animation.frames import to_bytes
from repro.experiments.outside_weights import load_authors
from repro.experiments.own_person import OwnPerson, count_joints, own_person
from repro.experiments.weights import load_exported
from repro.models import Output
from repro.records import write_whole

SHIPPED = "table_2-full-*-seed0-*.safetensors"
"""Names of the network that ships: Table II's row of the full model, seed 0."""
WIDE = 256 / 176
"""DeepFashion's pictures are 256 x 176 and become squares: networks that learned from them know people this wide."""
STRETCHED = ("deepfashion",)
"""Data sets whose pictures are read that way."""
TASKS = {"fashion": ((256, 256), WIDE), "market": ((128, 64), 1.0)}
"""Task of an authors' checkpoint that generates people -> size (H, W) of its pictures, and how these are stretched."""
FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
POSE_FILES = (".json", ".csv")


@dataclass(frozen=True)
class Generator:
    """A network that is ready to generate.

    Attributes:
        network: from (source, source pose, target pose) to :class:`~repro.models.Output`; in evaluation mode.
        size: (H, W) of the pictures that it was trained on.
        sigma: of the heat maps that it was trained on, in pixels.
        stretch: factor on the width of those pictures.
        name: where it comes from, in words.
    """

    network: nn.Module
    size: tuple[int, int]
    sigma: float
    stretch: float
    name: str


@dataclass(frozen=True)
class Reposing:
    """Who, and in which pose.

    Attributes:
        person: of the source photograph.
        target: joints (18, 2) of OpenPose in pixels of the frame, (row, column), -1 missing.
        stretch: as the generator's.
        notes: what a person should know about it, in words.
    """

    person: OwnPerson
    target: Tensor
    stretch: float
    notes: list[str]

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the frame."""
        height, width = self.person.photograph.image.shape[-2:]
        return height, width


def load_generator(weights: str | Path | None = None, task: str | None = None) -> Generator:
    """Return the network that generates.

    Args:
        weights: None = the one that ships (of the largest pictures, if there are several); with ``task`` a checkpoint
            of the authors, None = the imported one; else an exported network of a run of Table II.
        task: "fashion" or "market".

    Raises:
        FileNotFoundError: no such file; what to run where nothing ships.
        ValueError: another task, a damaged file, or a network that does not make one picture of a pair of poses.
    """
    if task is not None:
        if task not in TASKS:
            known = " and ".join(map(repr, TASKS))
            raise ValueError(f"unknown task {task!r}: repro generate knows the authors' checkpoints of {known}")
        size, stretch = TASKS[task]
        name = Path(weights).name if weights else f"authors-{task}"
        return Generator(load_authors(task, weights), size, SIGMA, stretch, f"{name} (the authors')")
    if weights is not None:
        return _exported(Path(weights))
    found = [_exported(path) for path in sorted(paths.weights().glob(SHIPPED))]
    if not found:
        raise FileNotFoundError(
            f"no network that generates in {paths.weights()}: restore it (git checkout), or train one (repro table II "
            "--rows full --profile laptop) and give its file with --weights"
        )
    return max(found, key=lambda one: one.size)


def _exported(path: Path) -> Generator:
    found = load_exported(path)
    config = found.config
    if config.task != "pairs" or config.model.kind in ("sequential", "motion_extraction"):
        raise ValueError(
            f"{path} holds no network that makes a picture of a pair of poses (it is {config.model.kind!r}): expected "
            "a row of Table II, or --task with a checkpoint of the authors"
        )
    stretch = WIDE if found.dataset in STRETCHED else 1.0
    return Generator(found.network, (config.data.size,) * 2, config.data.heatmap_sigma, stretch, path.name)


def prepare(
    source: str | Path,
    pose: str | Path,
    generator: Generator,
    *,
    size: int | None = None,
    source_pose: str | Path | None = None,
    layout: str | None = None,
    fitting: str = "body",
) -> Reposing:
    """Return a person and the pose that they shall take, everything read and checked.

    Args:
        source: the photograph.
        pose: another photograph (joints by the pose extra), a JSON file, or the authors' csv, as ``FILE.csv:NAME``.
        generator: says size, stretch and what is worth a note.
        size: height of the network's picture, a multiple of 32 from 64 on; None = what it was trained on.
        source_pose: the source's joints in a file; None = found by the pose extra.
        layout: of the pose's joints in a JSON file; None = recognised.
        fitting: "body": as large as the source person and in the same place (:func:`repro.data.fitting.fit`); "none":
            joints of a file are pixels of the source, those of a photograph stay where they are in its own frame.

    Raises:
        FileNotFoundError, DataError, DamagedImage, TooLarge, MissingExtra, ValueError: what is missing, damaged or does
            not fit.
    """
    require_choice("fit", fitting, FITS)
    frame = generator.size if size is None else (size, size * generator.size[1] // generator.size[0])
    person = own_person(source, frame, source_pose, generator.stretch)
    file, row = file_and_row(pose)
    in_file = file.suffix.lower() in POSE_FILES
    joints, notes = read_person(file, row, layout) if in_file else detect_person(file)
    place = person.photograph.place
    if fitting == "body":
        try:
            way = fit(_human36m(joints)[None], _human36m(person.found))
        except ValueError as error:
            raise ValueError(f"{pose}: {error}; or --fit none takes the pose as it is") from error
        joints = way(joints)
        notes.append(f"fitted to the person: one pixel of the pose is {way.scale:.3g} pixels of the photograph")
    elif not in_file:
        place = read_photograph(file, frame, generator.stretch).place
    target = place(joints)
    notes.insert(0, count_joints(target, frame, f"the pose in {row or file.name}"))
    return Reposing(person, target, generator.stretch, [*person.notes, *notes, *_unusual(person, generator, frame)])


def generate(scene: Reposing, generator: Generator, device: torch.device | str = "cpu") -> Output:
    """Return what the network makes of a scene, on the CPU: image (1, 3, H, W) in [-1, 1], flows, masks."""
    source = (scene.person.photograph.image * 2 - 1)[None]
    poses = (heatmaps(joints, scene.size, generator.sigma)[None] for joints in (scene.person.joints, scene.target))
    network = generator.network.to(device)
    with torch.no_grad():
        made: Output = network(*(tensor.to(device) for tensor in (source, *poses)))
    network.cpu()
    return Output(
        made.image.cpu(),
        [flow.cpu() for flow in made.flows],
        [mask.cpu() for mask in made.masks],
        {layer: tuple(tensor.cpu() for tensor in seen) for layer, seen in made.attention_inputs.items()},
    )


def picture(scene: Reposing, output: Output) -> Tensor:
    """Return the generated picture (3, h, w) uint8: the part that the photograph fills, no longer stretched."""
    made = scene.person.photograph.cut(output.image)
    if scene.stretch != 1:
        size = made.shape[-2], round(made.shape[-1] / scene.stretch)
        made = F.interpolate(made, size, mode="bicubic", antialias=True)
    return to_bytes(made[0])


def require_writable(out: Path, *inputs: str | Path | None) -> Path:
    """Return ``out`` if a picture and its panel can be written there (:func:`repro.checks.require_writable`)."""
    return checks.require_writable(out, FORMATS, *inputs, also=panel_file(out))


def panel_file(out: Path) -> Path:
    """Return where the panel of a picture goes: ``out.panel.png`` beside ``out.png``."""
    return out.with_name(f"{out.stem}.panel.png")


def write_picture(path: Path, pixels: Tensor) -> None:
    """Write a picture (3, h, w) uint8, whole or not at all.

    Raises:
        OSError: disk full or folder not writable.
    """
    content, kind = io.BytesIO(), FORMATS[path.suffix.lower()]
    Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy()).save(content, kind, quality=95, subsampling=0)
    write_whole(path, content.getvalue())


def _human36m(joints: Tensor) -> Tensor:
    return torch.from_numpy(to_human36m17(joints.numpy(), "openpose18"))


def _unusual(person: OwnPerson, generator: Generator, frame: tuple[int, int]) -> list[str]:
    """What about the sizes is not as in training."""
    notes = []
    own, window = person.photograph.original, person.photograph.window[2:]
    if own[0] < window[0]:
        notes.append(f"the photograph has {_pixels(own)} pixels and is enlarged to {_pixels(window)}")
    if frame != generator.size:
        notes.append(
            f"the network was trained on {_pixels(generator.size)} pixels: people of another size are new to it"
        )
    if generator.stretch != 1:
        notes.append(
            f"the network knows people {generator.stretch:.3g} times as wide: stretched, and the result undone"
        )
    return notes


def _pixels(size: tuple[int, ...]) -> str:
    """Height x width, as the messages about shapes say it."""
    return f"{size[0]}x{size[1]}"
