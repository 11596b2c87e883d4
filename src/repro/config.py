"""Typed settings of a run: frozen, read from small YAML files, checked at the door, hashed into every record.

The defaults *are* the authors' recipe for DeepFashion (``Config()``), so a file only says how it differs:

    base: full
    model: {sampling: bilinear}

A file may name one ``base`` in its own folder. An unknown key is an error that names the nearest known one.
"""

import difflib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import yaml


class ConfigError(ValueError):
    """A setting that nobody knows, of the wrong type, or out of its range."""


@dataclass(frozen=True)
class ModelConfig:
    """Which generator is trained, and its options (``repro.models``)."""

    kind: Literal[
        "gfla", "baseline", "global_attention", "copy_source", "mean_colour", "bone_warp", "exact_flow",
        "sequential",
        "motion_extraction", "identity", "gaussian", "savitzky_golay", "one_euro", "median_gaussian",
    ] = "gfla"  # fmt: skip
    preset: Literal["fashion", "market"] = "fashion"
    width: float = 1.0  # multiplies every channel count
    sampling: Literal["attention", "bilinear"] = "attention"  # how the flow's source features are read (Eq. 9)
    attention_mean: bool = True  # the authors' 1/k² in Eq. 9; off: a convex combination
    init_gain: float = 0.02  # orthogonal initialisation of the generators
    start_from: str = ""  # row of the same table whose trained network this one continues from; "" = initial weights
    normalisation: Literal["adaptive", "adaptive-paper", "batch", "layer", "affine"] = "adaptive"  # motion extraction
    validity: bool = False  # motion extraction: an input channel per joint says whether it was found


@dataclass(frozen=True)
class DataConfig:
    """How the examples are read (``repro.data.load``)."""

    size: int = 256  # pixels a side
    scale: Literal["tiny", "default", "full"] = "full"  # of the procedural sets; real layouts have one scale
    heatmap_sigma: float = 6.0  # pixels of the image
    flips: bool = False  # mirror half of the pairs while training
    augmentation: bool = True  # clips: turned and shifted while training, as the authors do it
    # clips: the frames' skeletons as the set has them clean, as a detector finds them, or the latter cleaned by ours
    skeletons: Literal["clean", "noisy", "extracted"] = "clean"


@dataclass(frozen=True)
class LossConfig:
    """What the losses look through, and how (``repro.losses``)."""

    features: Literal["vgg19", "squeezenet1_1", "procnet", "none"] = "vgg19"  # none: no loss looks through any
    adversarial_mode: Literal["lsgan", "log"] = "lsgan"
    correctness_sampling: Literal["gaussian", "bilinear", "bilinear_exact"] = "gaussian"
    correctness_normaliser: bool = True  # mu_max of Eq. 3; off: 1 in its place
    regularization_direction: Literal["code", "paper"] = "code"  # of the affine fit
    foreground_mask: bool = False  # correctness only where the target shows a person


@dataclass(frozen=True)
class StageConfig:
    """One stage: its length and its weights (the lambdas of Eq. 15)."""

    steps: int = 0
    correctness: float = 0.0
    regularization: float = 0.0
    l1: float = 0.0
    perceptual: float = 0.0
    style: float = 0.0
    adversarial: float = 0.0


@dataclass(frozen=True)
class ClipConfig(StageConfig):
    """The stage of whole clips: its weights are those of each frame, and how a clip is cut."""

    temporal_adversarial: float = 0.0
    batch: int = 2  # clips at a time
    frames: int = 30  # of a training clip, taken in chunks of six with an optimiser step each


@dataclass(frozen=True)
class MotionConfig:
    """The stage of the Motion Extraction Network."""

    steps: int = 0
    batch: int = 32
    loss: Literal["mse", "l1"] = "mse"  # the code's; l1 is Eq. 16's
    dropout: float = 0.15
    missing: Literal["zero", "hold"] = "zero"  # a joint that was not found: the authors' zero, or where it last was
    skeleton_map: bool = False  # filters: through a linear map from COCO's joints, fitted on the training sequences


@dataclass(frozen=True)
class OptimizerConfig:
    """Adam, for the generator and for the discriminator."""

    lr: float = 1e-4
    discriminator_ratio: float = 0.1  # the discriminator's rate is lr times this
    flow_net_factor: float = 1.0  # in the joint stage the flow estimator's rate is lr times this
    beta1: float = 0.0
    beta2: float = 0.999
    decay_from: float = 1.0  # share of a stage after which the rate falls linearly to 0; 1 = constant


@dataclass(frozen=True)
class EvaluationConfig:
    """The fixed list of held-out examples; a smaller test set is taken whole."""

    pairs: int = 8570  # the test pairs of DeepFashion
    clips: int = 100  # the test videos of FashionVideo


@dataclass(frozen=True)
class Config:
    """Everything that decides a run, except its seed, its data's place and its device."""

    task: Literal["pairs", "clips", "motion", "flow"] = "pairs"  # what an example is; the table decides
    stages: tuple[Literal["flow", "joint", "clip", "motion"], ...] = ("flow", "joint")
    batch: int = 8
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    losses: LossConfig = field(default_factory=LossConfig)
    # 5,000,000 steps: the authors' default, that is, "stopped by hand" (they give no number)
    flow: StageConfig = field(default_factory=lambda: StageConfig(steps=5_000_000, correctness=20, regularization=0.01))
    joint: StageConfig = field(
        default_factory=lambda: StageConfig(
            steps=5_000_000, correctness=5, regularization=0.0025, l1=5, perceptual=0.5, style=500, adversarial=2
        )
    )
    clip: ClipConfig = field(
        default_factory=lambda: ClipConfig(
            steps=5_000_000,
            correctness=5,
            regularization=0.0025,
            l1=5,
            perceptual=0.5,
            style=500,
            adversarial=2,
            temporal_adversarial=2,
        )
    )
    motion: MotionConfig = field(default_factory=lambda: MotionConfig(steps=5_000_000))
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)

    def stage(self, name: str) -> StageConfig | MotionConfig:
        """Return the settings of the stage ``"flow"``, ``"joint"``, ``"clip"`` or ``"motion"``."""
        settings: StageConfig | MotionConfig = getattr(self, name)
        return settings

    @property
    def total_steps(self) -> int:
        """Optimiser steps of all stages together."""
        return sum(self.stage(name).steps for name in self.stages)


CHUNK = 6
"""Frames of a clip between two optimiser steps: what the temporal discriminator looks at."""
_POSITIVE = {"batch", "model.width", "model.init_gain", "data.size", "data.heatmap_sigma", "optimizer.lr"}
_POSITIVE |= {"evaluation.pairs", "evaluation.clips", "clip.batch", "clip.frames", "motion.batch"}
_SHARES = {"optimizer.beta1", "optimizer.beta2", "optimizer.decay_from", "motion.dropout"}


def read_settings(path: Path, above: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the settings of a YAML file as one flat mapping ``"section.key" -> value``, its base's first.

    Args:
        path: the file.
        above: names of the files that led here by their ``base``.

    Raises:
        ConfigError: the file is missing, is no mapping, or names a base that is not there or that leads back to it.
    """
    if path.name in above:
        raise ConfigError(f"{path.parent}: bases go in a circle: {' -> '.join((*above, path.name))}")
    if not path.is_file():
        raise ConfigError(f"no settings file {path.name} in {path.parent}")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not readable as YAML ({error})") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected 'key: value' lines, got {type(content).__name__}")
    base = content.pop("base", None)
    inherited = read_settings(path.with_name(f"{base}.yaml"), (*above, path.name)) if base else {}
    return inherited | flatten(content)


def apply(config: Config, settings: Mapping[str, Any]) -> Config:
    """Return ``config`` with flat settings (``{"joint.steps": 40}``) put in, each checked.

    Raises:
        ConfigError: an unknown key (the nearest known one is named), a wrong type, a value out of range.
    """
    nested: dict[str, dict[str, Any]] = {}
    direct: dict[str, Any] = {}
    hints = get_type_hints(Config)
    known = set(flatten(config))
    for key, value in settings.items():
        if key not in known:
            near = difflib.get_close_matches(key, sorted(known), n=1, cutoff=0)
            raise ConfigError(f"unknown setting {key!r}: did you mean {near[0]!r}?")
        section, _, name = key.partition(".")
        if name:
            nested.setdefault(section, {})[name] = value
        else:
            direct[key] = _checked(key, value, hints[key])
    for section, values in nested.items():
        kind = get_type_hints(hints[section])
        direct[section] = replace(
            getattr(config, section), **{k: _checked(f"{section}.{k}", v, kind[k]) for k, v in values.items()}
        )
    changed = replace(config, **direct)
    _check_ranges(changed)
    return changed


def flatten(settings: Any, prefix: str = "") -> dict[str, Any]:
    """Return nested settings (a mapping or a config) as one flat mapping ``"section.key" -> value``."""
    if is_dataclass(settings) and not isinstance(settings, type):
        settings = asdict(settings)
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def from_mapping(settings: Mapping[str, Any]) -> Config:
    """Return the config that :func:`to_mapping` wrote (a saved run, a record), every key checked."""
    return apply(Config(), flatten(settings))


def to_mapping(config: Config) -> dict[str, Any]:
    """Return the config as plain nested dictionaries, lists and numbers, ready for JSON."""
    mapping: dict[str, Any] = json.loads(json.dumps(asdict(config)))
    return mapping


def digest(config: Config) -> str:
    """Return the SHA-256 of the canonical JSON of what differs from the authors' recipe.

    Hashing the difference keeps old records valid when an option that defaults to the authors' value is added.
    """
    authors = flatten(to_mapping(Config()))
    own = {key: value for key, value in flatten(to_mapping(config)).items() if value != authors[key]}
    return hashlib.sha256(json.dumps(own, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _checked(key: str, value: Any, kind: Any) -> Any:
    """Return ``value`` as ``kind``, or say what was expected."""
    if get_origin(kind) is tuple:
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{key}: expected a list, got {value!r}")
        return tuple(_checked(key, item, get_args(kind)[0]) for item in value)
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise ConfigError(f"{key}: unknown value {value!r}: choose one of {', '.join(get_args(kind))}")
        return value
    if kind is float and isinstance(value, str):  # YAML reads 1e-3 as text, 1.0e-3 as a number
        try:
            return float(value)
        except ValueError:
            pass
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        raise ConfigError(f"{key}: expected {kind.__name__}, got {value!r}")
    return value


def _check_ranges(config: Config) -> None:
    if config.stages not in ((), ("flow",), ("joint",), ("flow", "joint"), ("clip",), ("motion",)):
        raise ConfigError(
            f"stages: expected flow, joint or both in this order, or clip or motion alone, got {list(config.stages)}"
        )
    if config.clip.frames % CHUNK:
        raise ConfigError(f"clip.frames: expected a multiple of {CHUNK} (a chunk), got {config.clip.frames}")
    for key, value in flatten(config).items():
        if isinstance(value, float | int) and not isinstance(value, bool):
            if key in _POSITIVE and not value > 0:
                raise ConfigError(f"{key}: expected a number above 0, got {value}")
            if key in _SHARES and not 0 <= value <= 1:
                raise ConfigError(f"{key}: expected a number in [0, 1], got {value}")
            if not 0 <= value < float("inf"):
                raise ConfigError(f"{key}: expected a finite number of at least 0, got {value}")
