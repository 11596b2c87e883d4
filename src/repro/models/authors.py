"""The authors' checkpoints: their files into our modules, and our modules in their layout.

Nothing is executed from a file: ``.pth`` is read with ``weights_only=True``, ``.safetensors`` holds only tensors.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from repro.checks import require_choice, require_file
from repro.models.discriminators import LAYERS, ImageDiscriminator
from repro.models.face import FaceGFLA
from repro.models.flow_estimator import FlowEstimator, FlowPyramid
from repro.models.gfla import GFLA
from repro.models.motion_extraction import MotionExtractionNetwork
from repro.models.sequential import SequentialGFLA
from repro.models.settings import ATTENTION_LAYERS
from repro.models.spectral_norm import SpectralNorm
from repro.models.temporal_discriminator import TemporalDiscriminator
from repro.models.view import ViewFlowEstimator, ViewGFLA

# Task -> the network, not initialised. Animation and views have the layers and windows of "fashion".
TASKS: dict[str, Callable[[], nn.Module]] = {
    "fashion": lambda: GFLA(ATTENTION_LAYERS["fashion"]),
    "market": lambda: GFLA(ATTENTION_LAYERS["market"]),
    "fashion-flow": lambda: FlowEstimator(ATTENTION_LAYERS["fashion"]),
    "market-flow": lambda: FlowEstimator(ATTENTION_LAYERS["market"]),
    "dance": lambda: SequentialGFLA(ATTENTION_LAYERS["fashion"]),
    "face": lambda: FaceGFLA(ATTENTION_LAYERS["fashion"]),
    "shapenet": lambda: ViewGFLA(ATTENTION_LAYERS["fashion"]),
    "shapenet-flow": lambda: ViewFlowEstimator(ATTENTION_LAYERS["fashion"]),
    "keypoint": MotionExtractionNetwork,
    "discriminator": lambda: ImageDiscriminator(LAYERS["fashion"]),
    "discriminator-market": lambda: ImageDiscriminator(LAYERS["market"]),
    "discriminator-temporal": TemporalDiscriminator,
    "discriminator-face": lambda: ImageDiscriminator(LAYERS["fashion"], channels_in=6),
}

# Networks whose keys stand under a common prefix in the authors' files.
_PREFIXES: tuple[tuple[type[nn.Module], str], ...] = (
    (FlowPyramid, "flow_net."),
    (MotionExtractionNetwork, "kp_input."),
)

# Our names -> the authors'. Layer L is their index 3 - L in the target net and 4 - L in the flow net.
_RENAMES: tuple[tuple[str, Callable[[re.Match[str]], str]], ...] = (
    (r"\bencoder\.0\.", lambda m: "block0."),
    (r"\bencoder\.(\d)\.", lambda m: f"encoder{int(m[1]) - 1}."),
    (r"\btarget\.decoder\.(\d)\.0\.", lambda m: f"target.decoder{m[1]}.0.model.0."),
    (r"\bdecoder\.(\d)\.", lambda m: f"decoder{m[1]}."),
    (r"\bjump\.(\d)\.", lambda m: f"jump{m[1]}."),
    (r"\bmerge\.", lambda m: "cat.model.0."),
    (r"^expand\.(\d)\.", lambda m: f"target.block{m[1]}."),
    (r"^clip_encoder\.(\d)\.", lambda m: f"block{m[1]}."),
    (r"^image_encoder\.(\d)\.", lambda m: f"encoder{m[1]}."),
    (
        r"\battention\.(\d)\.(previous|reference)\.kernel_net\.",
        lambda m: f"attn_{m[2][0]}{3 - int(m[1])}.fully_connect_layer.",
    ),
    (r"\battention\.(\d)\.kernel_net\.", lambda m: f"attn{3 - int(m[1])}.fully_connect_layer."),
    (r"\btarget\.output\.", lambda m: "target.outconv."),
    (r"\bflow_head\.(\d)\.", lambda m: f"output{4 - int(m[1])}."),
    (r"\bmask_head\.(\d)\.", lambda m: f"mask{4 - int(m[1])}.0."),
    (r"^score\.1\.", lambda m: "conv."),
    (r"\bstatistics\.convolutions\.(\d)\.", lambda m: f"feature_conv_{int(m[1]) + 1}."),
    (r"\bentry\.", lambda m: "expand_conv."),
    (r"\bentry_norm\.", lambda m: "expand_ln."),
    (r"\bblocks\.(\d)\.(dilated|mix)\.", lambda m: f"layers_conv.{_half(m)}."),
    (r"\bblocks\.(\d)\.(dilated|mix)_norm\.", lambda m: f"layers_ln.{_half(m)}."),
    (r"\bshared\.0\.", lambda m: "mlp_shared.0."),
    (r"\b(gamma|beta)\.", lambda m: f"mlp_{m[1]}."),
    (r"\bexit\.", lambda m: "shrink."),
)


def _half(match: re.Match[str]) -> int:
    """Return the authors' number of a half of a temporal block: 2j for the dilated convolution, 2j + 1 after it."""
    return 2 * int(match[1]) + (match[2] == "mix")


# The convolution of an output or jump block is registered twice in the authors' modules.
_DOUBLED = re.compile(r"(\b(?:outconv|jump\d)\.)model\.2\.")

# PyTorch's newer spectral norm -> the classic names of the authors' files.
_PARAMETRIZED = (
    ("parametrizations.weight.original", "weight_orig"),
    ("parametrizations.weight.0._u", "weight_u"),
    ("parametrizations.weight.0._v", "weight_v"),
)

_SHOWN = 5  # keys named per kind of complaint


def load(checkpoint: str | Path | Mapping[str, Tensor], task: str) -> nn.Module:
    """Return the network of ``task`` with the weights of an authors' checkpoint, in evaluation mode.

    Understood are the ``module.`` prefix of several-GPU runs, the doubled keys of output and jump blocks, spectral norm
    under its old (``weight_orig``) and new (``parametrizations.weight.original``) names, and old files without
    ``weight_v`` (then the normalised W^T u).

    Args:
        checkpoint: a ``.pth`` or ``.safetensors`` file, or a mapping with the authors' keys.
        task: "fashion", "market", "dance", "face", "shapenet" (generators), "fashion-flow", "market-flow",
            "shapenet-flow" (flow pre-training), "keypoint" (motion extraction), "discriminator",
            "discriminator-market", "discriminator-temporal" (of dance), "discriminator-face".

    Raises:
        FileNotFoundError, IsADirectoryError: there is no such file.
        ValueError: unknown task, a file that cannot be read, or keys that are unknown, missing, misshapen, not
            finite or contradictory: one message lists them.
    """
    build = TASKS[require_choice("task", task, tuple(TASKS))]
    given, origin = (checkpoint, "the mapping") if isinstance(checkpoint, Mapping) else _read(Path(checkpoint))
    for key in ("state_dict", "model"):
        if isinstance(given.get(key), Mapping):
            raise ValueError(f"{origin} holds its weights under {key!r}: pass checkpoint[{key!r}]")
    given = _classic(given)
    module = build()
    wanted = {theirs: (ours, value) for ours, value, names in _entries(module) for theirs in names}

    complaints = {
        "unknown": [name for name in given if name not in wanted],
        "missing": [name for name in wanted if name not in given],
        "misshapen": [
            f"{name} {_describe(given[name])} instead of {tuple(value.shape)}"
            for name, (_, value) in wanted.items()
            if name in given and not _fits(given[name], value)
        ],
        "not finite": [
            name
            for name, value in given.items()
            if name in wanted and _fits(value, wanted[name][1]) and not bool(value.isfinite().all())
        ],
    }
    if not any(complaints.values()):
        complaints["contradictory"] = [
            f"{name} differs from its copy {twin}"
            for name in wanted
            if (twin := _twin(name)) != name and not torch.equal(given[name], given[twin])
        ]
    if any(complaints.values()):
        raise ValueError(_message(complaints, origin, task, len(wanted)))

    module.load_state_dict({ours: given[theirs] for theirs, (ours, _) in wanted.items()})
    return module.eval()


def state_dict(module: nn.Module) -> dict[str, Tensor]:
    """Return the weights of a network of ours under the authors' keys, doubled ones included.

    Args:
        module: a network of one of the tasks of :func:`load`, of any width.
    """
    return {theirs: value for _, value, names in _entries(module) for theirs in names}


def _entries(module: nn.Module) -> list[tuple[str, Tensor, list[str]]]:
    """List our key, its value and the one or two names that it has in the authors' layout."""
    spectral = {name for name, layer in module.named_modules() if isinstance(layer, SpectralNorm)}
    prefix = next((prefix for kind, prefix in _PREFIXES if isinstance(module, kind)), "")
    entries = []
    for ours, value in module.state_dict().items():
        theirs = ours
        for pattern, name in _RENAMES:
            theirs = re.sub(pattern, name, theirs)
        if ours.endswith(".weight") and ours.removesuffix(".weight") in spectral:
            theirs += "_orig"
        entries.append((ours, value, [prefix + name for name in dict.fromkeys([_twin(theirs), theirs])]))
    return entries


def _twin(name: str) -> str:
    """Return the other key of a doubled convolution; any other name as it is."""
    return _DOUBLED.sub(r"\1conv1.", name)


def _classic(given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the checkpoint without ``module.``, spectral norm under its classic names and complete."""
    classic = {}
    for name, value in given.items():
        name = str(name).removeprefix("module.")
        for new, old in _PARAMETRIZED:
            name = re.sub(rf"\b{re.escape(new)}$", old, name)
        classic[name] = value
    for name in [n for n in classic if n.endswith(".weight_orig")]:
        stem = name.removesuffix("orig")
        weight, u, v = classic[name], classic.get(stem + "u"), stem + "v"
        if v not in classic and isinstance(u, Tensor) and u.shape == weight.shape[:1]:
            classic[v] = F.normalize(weight.flatten(1).T @ u, dim=0, eps=1e-12)
    return classic


def _read(path: Path) -> tuple[Mapping[str, Tensor], str]:
    require_file(path, "checkpoint")
    if path.suffix not in (".pth", ".safetensors"):
        raise ValueError(f"expected a .pth or .safetensors file, got {path}")
    if not path.stat().st_size:
        raise ValueError(f"cannot read {path}: the file is empty (0 bytes); get it again")
    try:
        if path.suffix == ".safetensors":
            content = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can raise anything
        reason = str(error).strip().split("\n")[0] or type(error).__name__  # some come without a word
        raise ValueError(
            f"cannot read {path} as a state dictionary of tensors ({reason}): it is damaged, or it holds more than "
            "tensors, which is never executed; get the file again"
        ) from error
    if not isinstance(content, Mapping):
        raise ValueError(f"expected {path} to hold a state dictionary, got {type(content).__name__}")
    return content, str(path)


def _fits(given: object, wanted: Tensor) -> bool:
    return isinstance(given, Tensor) and given.shape == wanted.shape and given.is_floating_point()


def _describe(given: object) -> str:
    if not isinstance(given, Tensor):
        return type(given).__name__
    return f"{tuple(given.shape)}" if given.is_floating_point() else f"{tuple(given.shape)} {given.dtype}"


def _message(complaints: Mapping[str, list[str]], origin: str, task: str, expected: int) -> str:
    parts = [
        f"{len(found)} {kind} ({', '.join(found[:_SHOWN])}{', ...' if len(found) > _SHOWN else ''})"
        for kind, found in complaints.items()
        if found
    ]
    return (
        f"{origin} does not fit task {task!r}, which expects {expected} keys at width 1: {'; '.join(parts)}. "
        f"Is it a checkpoint of another task? Known tasks: {', '.join(TASKS)}"
    )
