"""The task of Table IV: a clip made of one picture and a sequence of skeletons, all of it in one go."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from repro import data, records
from repro.config import Config, from_mapping
from repro.data.clip import Clip
from repro.data.clip_layouts import CLIP_LAYOUTS
from repro.data.sets import DataSet
from repro.experiments.task import Scores, Splits, Task, TestList, scores_of
from repro.experiments.weights import load_recorded_model
from repro.metrics import TRIVIAL
from repro.metrics.evaluate_clips import evaluate_clips
from repro.models import MotionExtractionNetwork, SequentialGFLA
from repro.models.settings import SKELETON_CHANNELS
from repro.training.clip_batches import structures
from repro.training.host import make_fabric, progress
from repro.training.motion_inference import extract_motion

if TYPE_CHECKING:
    from repro.experiments.request import Request

FRAMES_AT_ONCE = 8  # of a network that makes every frame by itself
EXTRACTOR = ("motion", "men_adaln", "laptop")
"""The record whose network cleans skeletons: table, row, profile; seed 0."""


@dataclass
class Extracted:
    """A set of clips whose clean skeletons are those that the Motion Extraction Network makes of the noisy ones.

    Args:
        clips: the set.
        network: in eval mode.
        missing: how it was trained to take joints that were not found.
        weights_hash: of the network; part of the set's own hash.
    """

    clips: DataSet[Clip]
    network: MotionExtractionNetwork
    missing: str
    weights_hash: str

    def __post_init__(self) -> None:
        clips = self.clips
        self.name, self.split, self.size, self.sigma = clips.name, clips.split, clips.size, clips.sigma
        self.hash = f"{clips.hash} {self.weights_hash}"

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> Clip:
        clip = self.clips[index]
        cleaned = extract_motion(self.network, clip.joints_noisy, clip.size[1], missing=self.missing)
        return replace(clip, joints_clean=cleaned)

    def __iter__(self) -> Iterator[Clip]:
        return (self[index] for index in range(len(self)))

    def __getattr__(self, name: str) -> Any:  # what only some sets have: prepare, held_out, excluded
        if name in ("prepare", "held_out", "excluded"):
            return getattr(self.clips, name)
        raise AttributeError(name)


def splits(config: Config, request: "Request") -> Splits:
    """Return the training and the test clips of a config."""
    train_set, test_set = (
        data.load(
            request.dataset,
            split,
            config.data.size,
            config.data.scale,
            request.root,
            sigma=config.data.heatmap_sigma,
            exclude=request.exclude,
        )
        for split in ("train", "test")
    )
    if config.data.skeletons != "extracted":
        return train_set, test_set
    own = extractor()
    return Extracted(train_set, *own), Extracted(test_set, *own)


def extractor() -> tuple[MotionExtractionNetwork, str, str]:
    """Return the network that cleans skeletons, how it takes missing joints, and its hash.

    Raises:
        FileNotFoundError: it was not trained yet; the message says what to run.
    """
    table, row, profile = EXTRACTOR
    found = [one for one in records.read(table, profile) if one.row == row and one.seed == 0]
    if not found:
        raise FileNotFoundError(
            f"no Motion Extraction Network is recorded, which cleans the skeletons of this row: "
            f"repro table {table} --profile {profile} --rows {row} --record"
        )
    network = load_recorded_model(found[0])
    assert isinstance(network, MotionExtractionNetwork)
    return network, from_mapping(found[0].config).motion.missing, found[0].weights_hash


@torch.no_grad()
def animate(network: nn.Module, clip: Clip, skeletons: str) -> Tensor:
    """Return all frames of a clip made from its source, (T, 3, H, W) in [0, 1] on the source's device.

    Args:
        network: on the clip's device; a sequential one goes on from its own frames, a pair network makes each alone.
        clip: source picture and skeletons.
        skeletons: what the network was trained on, see :func:`~repro.training.clip_batches.structures`.
    """
    if isinstance(network, SequentialGFLA):
        return animate_together(network, [clip], skeletons)[0]
    source, source_pose = clip.source[None] * 2 - 1, clip.source_pose[None]
    frames = [
        network(source.expand(len(some), -1, -1, -1), source_pose.expand(len(some), -1, -1, -1), some).image
        for some in structures(clip, skeletons).split(FRAMES_AT_ONCE)
    ]
    return ((torch.cat(frames) + 1) / 2).clamp(0, 1)


@torch.no_grad()
def animate_together(network: SequentialGFLA, clips: Sequence[Clip], skeletons: str) -> Tensor:
    """Return all frames of B clips of one length, made side by side, (B, T, 3, H, W) in [0, 1]; see :func:`animate`."""
    source = torch.stack([clip.source for clip in clips]) * 2 - 1
    source_pose = torch.stack([clip.source_pose for clip in clips])
    poses = torch.stack([structures(clip, skeletons) for clip in clips], 1)
    frames = [frame.image for frame in network.frames(source, source_pose, poses.unbind())]
    return ((torch.stack(frames, 1) + 1) / 2).clamp(0, 1)


def without_learning(kind: str, clip: Clip) -> Tensor:
    """Return the frames of a row that learns nothing: each as the row of that name in Table II makes a picture."""
    if kind == "copy_source":  # asks for no ground truth, which real clips have not
        return clip.source.expand_as(clip.frames)
    frames = SimpleNamespace(
        source=clip.source.expand_as(clip.frames),
        target=clip.frames,
        flow=clip.flow_to_source,
        visible=clip.visible_in_source,
        person=clip.person,
    )
    return ((TRIVIAL[kind](frames).image + 1) / 2).clamp(0, 1)  # type: ignore[arg-type]  # what it reads of a batch


class TestClips(TestList[Clip]):
    """The fixed list of held-out clips: the same for all rows and seeds."""

    def subsets(self) -> dict[str, list[int]]:
        """Return parts of the list that are reported on their own: name -> places in the list."""
        held_out = getattr(self.dataset, "held_out", None)
        if held_out is None:
            return {}
        return {"held_out": [place for place, index in enumerate(self.indices) if held_out[index]]}


def measure(config: Config, network: nn.Module | None, test_set: Any, device: str, label: str) -> Scores:
    """Return the scores of a row on whole test clips, each made from one picture in one go."""
    clips = TestClips.of(test_set, config.evaluation.clips)

    def generate(clip: Clip) -> Tensor:
        if network is None:
            return without_learning(config.model.kind, clip)
        return animate(network, clip, config.data.skeletons)

    with progress(f"{label}: evaluate", 0, len(clips)) as bar:
        bar.unit = "clip"
        evaluation = evaluate_clips(
            generate,
            clips,
            device=make_fabric(device, "32-true").device,
            progress=lambda done, total: bar.update(done - bar.n) and None,
        )
    return evaluation, scores_of(evaluation, clips.subsets())


def flops(network: nn.Module, config: Config) -> int:
    """Return the floating-point operations of one frame that follows another."""
    like, size = next(network.parameters()), (config.data.size,) * 2
    image, pose = (like.new_zeros(1, channels, *size) for channels in (3, SKELETON_CHANNELS))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        if isinstance(network, SequentialGFLA):
            network(image, pose, pose[:, None])
        else:
            network(image, pose, pose)
    return counter.get_total_flops()


TASK = Task(
    name="clips",
    unit="clip",
    datasets=("fashion_video", "iper", *CLIP_LAYOUTS),
    studio_only=frozenset({"exact_flow"}),
    splits=splits,
    measure=measure,
    flops=flops,
)
