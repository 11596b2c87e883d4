"""How procnet is made: parts, garment textures and identities of the studio's people; never their true flow."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from repro.data.studio.mesh import PART_MIRROR, PARTS
from repro.features.own_training import Making, nearest_is_own
from repro.features.procnet import WIDTHS, ProcNet
from repro.features.weights import fill

# Stages that learn the parts, the deeper ones through more context.
PART_STAGES = ("stage3", "stage4", "stage5")
# Stages whose means over the picture tell textures and identity.
POOLED_STAGES = ("stage4", "stage5")
EMBEDDING = 64
TEMPERATURE = 0.1
PEOPLE, VIEWS = 16, 2  # of a batch


class LabelledViews(Protocol):
    """Views of people with labels, as the studio's ``fashion`` set has them."""

    hash: str

    @property
    def images(self) -> NDArray[np.uint8]:
        """(N, 3, H, W)."""
        ...

    @property
    def parts(self) -> NDArray[np.int8]:
        """(N, H, W), -1 background."""
        ...

    @property
    def identity(self) -> Tensor:
        """(N,)."""
        ...

    @property
    def texture(self) -> Tensor:
        """(N, G) texture family of each garment, -1 not worn."""
        ...


class Learner(nn.Module):
    """procnet's convolutions with batch normalisation, and the heads that only training needs."""

    def __init__(self, families: int, garments: int, generator: torch.Generator):
        super().__init__()
        self.convolutions = nn.ModuleList(_convolutions(ProcNet()))
        self.norms = nn.ModuleList(nn.BatchNorm2d(layer.out_channels) for layer in _convolutions(ProcNet()))
        # Convolutions and ReLUs alternate in procnet, so the ReLU at layer i follows convolution i // 2.
        self.tap_after = {index // 2: tap for tap, index in ProcNet.layer_of_tap.items()}
        width = dict(zip(ProcNet.taps, WIDTHS, strict=True))
        self.parts = nn.ModuleDict({tap: nn.Conv2d(width[tap], 1 + len(PARTS), 1) for tap in PART_STAGES})
        pooled = sum(width[tap] for tap in POOLED_STAGES)
        self.texture = nn.Linear(pooled, families * garments)
        self.embedding = nn.Linear(pooled, EMBEDDING)
        self.families, self.garments = families, garments
        for name, parameter in self.named_parameters():
            if parameter.ndim > 1:
                nn.init.kaiming_normal_(parameter, nonlinearity="relu", generator=generator)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, images: Tensor) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """Return part logits per stage, texture logits (B, families, G) and unit identity vectors (B, EMBEDDING)."""
        maps, x = {}, images
        for index, (convolution, norm) in enumerate(zip(self.convolutions, self.norms)):
            x = norm(convolution(x)).relu()
            if index in self.tap_after:
                maps[self.tap_after[index]] = x
        pooled = torch.cat([maps[tap].mean((2, 3)) for tap in POOLED_STAGES], dim=1)
        texture = self.texture(pooled).view(-1, self.families, self.garments)
        parts = {tap: head(maps[tap]) for tap, head in self.parts.items()}
        return parts, texture, F.normalize(self.embedding(pooled), dim=1)

    @torch.no_grad()
    def folded(self) -> ProcNet:
        """Return procnet: each normalisation taken into the convolution before it."""
        network = ProcNet()
        for target, convolution, norm in zip(_convolutions(network), self.convolutions, self.norms, strict=True):
            target.load_state_dict(folded(convolution, norm))
        return network.eval()


@torch.no_grad()
def folded(convolution: nn.Module, norm: nn.Module) -> dict[str, Tensor]:
    r"""Return weight and bias of the convolution that equals a convolution followed by its batch normalisation.

    .. math:: \gamma \frac{W x + b - \mu}{\sigma} + \beta
              = \frac{\gamma}{\sigma} W x + \frac{\gamma}{\sigma} (b - \mu) + \beta
    """
    learnt, statistics = convolution.state_dict(), norm.state_dict()
    factor = statistics["weight"] / (statistics["running_var"] + norm.eps).sqrt()
    bias = (learnt["bias"] - statistics["running_mean"]) * factor + statistics["bias"]
    return {"weight": learnt["weight"] * factor.view(-1, *[1] * (learnt["weight"].ndim - 1)), "bias": bias}


def _convolutions(network: ProcNet) -> list[nn.Conv2d]:
    return [layer for layer in network.features if isinstance(layer, nn.Conv2d)]


@dataclass
class Batch:
    """Augmented views: images (B, 3, H, W) in [-1, 1], parts (B, H, W), 0 background, identity (B,), texture (B, G)."""

    images: Tensor
    parts: Tensor
    identity: Tensor
    texture: Tensor


def batches(data: LabelledViews, steps: int, rng: np.random.Generator) -> Iterator[Batch]:
    """Yield ``steps`` batches of ``PEOPLE`` people with ``VIEWS`` views each, augmented.

    Augmentation: mirror (parts change sides), a crop of 50 to 100 % of the sides enlarged to the full size (so that the
    network also knows larger pictures), light gain and offset per colour.
    """
    numbers = data.identity.numpy()
    views = {person: np.flatnonzero(numbers == person) for person in np.unique(numbers)}
    mirror = torch.from_numpy(np.concatenate([[0], PART_MIRROR + 1]))
    for _ in range(steps):
        people = rng.choice(list(views), min(PEOPLE, len(views)), replace=False)
        chosen = np.concatenate([rng.choice(views[p], VIEWS, replace=len(views[p]) < VIEWS) for p in people])
        images = torch.from_numpy(data.images[chosen]).float() / 127.5 - 1
        parts = torch.from_numpy(data.parts[chosen]).long() + 1
        flipped = torch.from_numpy(rng.random(len(chosen)) < 0.5).view(-1, 1, 1)
        images = torch.where(flipped[..., None], images.flip(-1), images)
        parts = torch.where(flipped, mirror[parts.flip(-1)], parts)
        images, parts = _crop(images, parts, rng)
        gain, offset = (torch.from_numpy(rng.uniform(-0.1, 0.1, (len(chosen), 3, 1, 1))).float() for _ in range(2))
        images = (images * (1 + gain) + offset).clamp(-1, 1)
        yield Batch(images, parts, data.identity[chosen], data.texture[chosen])


def _crop(images: Tensor, parts: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Enlarge one random crop per image to the full size: images bilinearly, parts by nearest."""
    count = len(images)
    scale = np.where(rng.random(count) < 0.5, 1, rng.uniform(0.5, 1, count))
    corner = rng.uniform(-1, 1, (2, count)) * (1 - scale)
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = torch.from_numpy(scale)
    theta[:, :, 2] = torch.from_numpy(corner.T)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    cropped = F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    labels = F.grid_sample(parts[:, None].float(), grid, mode="nearest", padding_mode="border", align_corners=False)
    return cropped, labels[:, 0].round().long()


def part_shares(parts: Tensor, size: tuple[int, int]) -> Tensor:
    """Return how much of each cell each part covers, (B, 1 + parts, h, w), for labels (B, H, W)."""
    return F.adaptive_avg_pool2d(F.one_hot(parts, 1 + len(PARTS)).movedim(-1, 1).float(), size)


def part_loss(logits: dict[str, Tensor], parts: Tensor) -> Tensor:
    """Return the cross-entropy to the shares of the parts, mean over stages; cells of the person weigh five times."""
    losses = []
    for x in logits.values():
        shares = part_shares(parts, (x.shape[2], x.shape[3]))
        weight = 0.2 + 0.8 * (1 - shares[:, 0])
        losses.append((F.cross_entropy(x, shares, reduction="none") * weight).sum() / weight.sum())
    return torch.stack(losses).mean()


def identity_loss(vectors: Tensor, identity: Tensor) -> Tensor:
    r"""Return the supervised contrastive loss (Khosla et al. 2020): views of a person attract, others repel.

    .. math:: -\operatorname{mean}_{i, p} \log \frac{\exp(v_i v_p / \tau)}{\sum_{a \ne i} \exp(v_i v_a / \tau)},
              \quad p \text{ another view of } i
    """
    own = torch.eye(len(vectors), dtype=torch.bool)
    similarity = (vectors @ vectors.mT / TEMPERATURE).masked_fill(own, -torch.inf)
    positive = (identity[:, None] == identity[None]) & ~own
    return -similarity.log_softmax(1)[positive].mean()


def train_procnet(
    out: str | Path, train: LabelledViews, test: LabelledViews, *, steps: int = 1500, seed: int = 0, command: str = ""
) -> dict[str, Any]:
    """Train procnet, write ``procnet.safetensors`` (half precision) and its record ``procnet.json``; return the record.

    Args:
        out: folder for both files, each written whole or not at all.
        train: labelled views (the studio's set, split "train").
        test: views of other people, for the scores in the record.
        steps: Adam steps of 16 people x 2 views, one cycle of the learning rate.
        seed: of initial weights, order and augmentation.
        command: what a reader types to do it again; goes into the record.

    Raises:
        ValueError: sets that share people, or a loss that is not a number (it names the step).
    """
    shared = set(train.identity.tolist()) & set(test.identity.tolist())
    if shared:
        raise ValueError(f"expected no person in both sets, got {len(shared)} shared, first {min(shared)}")
    making = Making(steps, seed, command)
    families = int(max(train.texture.max(), test.texture.max())) + 1
    learner = Learner(families, train.texture.shape[1], torch.Generator().manual_seed(seed))

    def terms_of(batch: Batch) -> dict[str, Tensor]:
        parts, texture, vectors = learner(batch.images)
        return {
            "parts": part_loss(parts, batch.parts),
            "texture": F.cross_entropy(texture, batch.texture, ignore_index=-1),
            "identity": identity_loss(vectors, batch.identity),
        }

    rng = np.random.default_rng(np.random.SeedSequence([seed, 0x70726F63]))
    making.train(learner, batches(train, steps, rng), terms_of, "procnet")
    network = _shipped(learner.eval().folded(), train)
    data = {"train": train.hash, "test": test.hash, "views": [len(train.identity), len(test.identity)]}
    return making.store(out, network, data, held_out_scores(learner, test, known=train.texture.unique()))


def _shipped(network: ProcNet, data: LabelledViews, count: int = 512) -> ProcNet:
    """Return the network as its file will give it back: half precision, taps divided by their mean over ``data``."""
    fill(network, {key: tensor.half() for key, tensor in network.state_dict().items()}, origin="half precision")
    sample = np.linspace(0, len(data.images) - 1, min(count, len(data.images))).astype(int)
    images = torch.from_numpy(np.array(data.images[sample])).float() / 127.5 - 1
    with torch.inference_mode():
        sizes = [
            [x.abs().mean() for x in network(chunk, taps=tuple(network.taps)).values()] for chunk in images.split(64)
        ]
        network.tap_mean.copy_(torch.tensor(sizes).mean(0).half())
    return network


@torch.inference_mode()
def held_out_scores(learner: Learner, data: LabelledViews, known: Tensor) -> dict[str, float]:
    """Return what the heads know about people never seen.

    ``part_iou``: mean over parts of intersection over union, stage 3 against the part that covers most of a cell;
    ``texture_accuracy``: share of worn garments of the ``known`` families whose family is named; ``identity_top1``:
    share of views whose nearest other view, by the angle of their vectors, is of the same person.
    """
    learner.eval()
    classes = 1 + len(PARTS)
    confusion = torch.zeros(classes, classes)
    textures, vectors = [], []
    for chosen in torch.arange(len(data.identity)).split(64):
        images = torch.from_numpy(np.array(data.images[chosen.numpy()])).float() / 127.5 - 1
        parts, texture, vector = learner(images)
        logits = parts[PART_STAGES[0]]
        labels = torch.from_numpy(np.array(data.parts[chosen.numpy()])).long() + 1
        truth = part_shares(labels, (logits.shape[2], logits.shape[3])).argmax(1)
        pairs = (truth * classes + logits.argmax(1)).flatten()
        confusion += torch.bincount(pairs, minlength=classes**2).view(classes, classes)
        worn = (data.texture[chosen] >= 0) & torch.isin(data.texture[chosen], known)
        textures.append((texture.argmax(1) == data.texture[chosen])[worn])
        vectors.append(vector)
    hits = confusion.diag()
    union = confusion.sum(0) + confusion.sum(1) - hits
    return {
        "part_iou": round((hits / union)[union > 0].mean().item(), 4),
        "texture_accuracy": round(torch.cat(textures).float().mean().item(), 4),
        "identity_top1": round(nearest_is_own(torch.cat(vectors), data.identity), 4),
    }
