"""One training example: two views of a person or thing, their joints or codes, and from the studio the exact flow."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from repro.data.joints import SIGMA, heatmaps


class GroundTruth(Protocol):
    """What only the studio knows about a pair; every call computes, so training does not pay for it."""

    def correspondence(self, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return flow (2, h, w), target -> source in pixels of an h x w map; visible (h, w); person (h, w)."""
        ...

    def albedo(self) -> tuple[Tensor, Tensor]:
        """Return the unshaded source and target, (3, H, W) in [0, 1]."""
        ...

    def parts(self) -> tuple[Tensor, Tensor]:
        """Return the part ids of source and target, (H, W) int8, -1 background."""
        ...


@dataclass
class Pair:
    """Source and target view of one person or thing; a batch of pairs has the same fields with a leading axis B.

    Heat maps, flow, albedo and parts are computed when first asked for.

    Attributes:
        source, target: images (3, H, W) in [0, 1].
        source_joints, target_joints: (18, 2) as (row, column), -1 missing; (0, 2) of things, which have none.
        identity: number of the person or thing (a tensor (B,) in a batch); -1 unknown.
        sigma: standard deviation of the heat maps in pixels.
        truth: the studio's knowledge; None for photographs.
        source_code, target_code: (21,) float32 of things (see ``view_code``): from where they are seen; None of people.
    """

    source: Tensor
    target: Tensor
    source_joints: Tensor
    target_joints: Tensor
    identity: int | Tensor
    sigma: float = SIGMA
    truth: GroundTruth | None = None
    source_code: Tensor | None = None
    target_code: Tensor | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the images."""
        return self.source.shape[-2], self.source.shape[-1]

    @cached_property
    def source_pose(self) -> Tensor:
        """Heat maps (18, H, W) of the source joints."""
        return heatmaps(self.source_joints, self.size, self.sigma)

    @cached_property
    def target_pose(self) -> Tensor:
        """Heat maps (18, H, W) of the target joints."""
        return heatmaps(self.target_joints, self.size, self.sigma)

    def flow_at(self, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Return the exact flow (2, h, w), target -> source in pixels of an h x w map, and where it is visible (h, w).

        ``visible`` is False where the target's surface point is hidden in the source, and on the background.
        """
        flow, visible, _ = self._known().correspondence(height, width)
        return flow.to(self.source.device), visible.to(self.source.device)

    def person_at(self, height: int, width: int) -> Tensor:
        """Return (h, w) bool: where the target shows the person, visible in the source or not."""
        return self._known().correspondence(height, width)[2].to(self.source.device)

    @property
    def flow(self) -> Tensor:
        """Exact flow (2, H, W), target -> source, in pixels of the image."""
        return self._correspondence[0]

    @property
    def visible(self) -> Tensor:
        """(H, W) bool: the target's surface point is seen in the source."""
        return self._correspondence[1]

    @property
    def person(self) -> Tensor:
        """(H, W) bool: the target shows the person."""
        return self._correspondence[2]

    @property
    def source_albedo(self) -> Tensor:
        """The source without light and shadow, (3, H, W) in [0, 1]."""
        return self._albedo[0]

    @property
    def target_albedo(self) -> Tensor:
        """The target without light and shadow, (3, H, W) in [0, 1]."""
        return self._albedo[1]

    @property
    def source_parts(self) -> Tensor:
        """Part ids (H, W) int8 of the source, -1 background."""
        return self._parts[0]

    @property
    def target_parts(self) -> Tensor:
        """Part ids (H, W) int8 of the target, -1 background."""
        return self._parts[1]

    def to(self, device: torch.device | str) -> "Pair":
        """Return the pair with images, joints and codes on ``device``; what is computed later follows them."""
        return replace(
            self,
            source=self.source.to(device),
            target=self.target.to(device),
            source_joints=self.source_joints.to(device),
            target_joints=self.target_joints.to(device),
            identity=self.identity.to(device) if isinstance(self.identity, Tensor) else self.identity,
            source_code=None if self.source_code is None else self.source_code.to(device),
            target_code=None if self.target_code is None else self.target_code.to(device),
        )

    @cached_property
    def _correspondence(self) -> tuple[Tensor, Tensor, Tensor]:
        flow, visible, person = (part.to(self.source.device) for part in self._known().correspondence(*self.size))
        return flow, visible, person

    @cached_property
    def _albedo(self) -> tuple[Tensor, Tensor]:
        source, target = (image.to(self.source.device) for image in self._known().albedo())
        return source, target

    @cached_property
    def _parts(self) -> tuple[Tensor, Tensor]:
        source, target = (part.to(self.source.device) for part in self._known().parts())
        return source, target

    def _known(self) -> GroundTruth:
        if self.truth is None:
            raise ValueError("this pair has no ground truth (flow, albedo, parts): only the studio's data sets know it")
        return self.truth


def stack_pairs(pairs: Sequence[Pair]) -> Pair:
    """Return one batched pair: every tensor gets a leading axis B = len(pairs), flow_at works on the whole batch.

    Args:
        pairs: single pairs of one image size and one sigma; usable as a DataLoader's ``collate_fn``.

    Raises:
        ValueError: no pairs, pairs whose sizes or sigmas differ, or people (joints) among things (codes).
    """
    if not pairs:
        raise ValueError("expected at least one pair to stack, got none")
    if len({(pair.size, pair.sigma) for pair in pairs}) > 1:
        kinds = sorted({f"{pair.size[0]}x{pair.size[1]} (sigma {pair.sigma:g})" for pair in pairs})
        raise ValueError(f"expected pairs of one size and sigma, got {', '.join(kinds)}: load them with one size")
    coded = sum(pair.source_code is not None for pair in pairs)
    if coded not in (0, len(pairs)):
        raise ValueError(f"expected pairs of one kind, got {coded} with codes and {len(pairs) - coded} with joints")
    truths = [pair.truth for pair in pairs if pair.truth is not None]
    return Pair(
        source=torch.stack([pair.source for pair in pairs]),
        target=torch.stack([pair.target for pair in pairs]),
        source_joints=torch.stack([pair.source_joints for pair in pairs]),
        target_joints=torch.stack([pair.target_joints for pair in pairs]),
        identity=torch.tensor([int(pair.identity) for pair in pairs]),
        sigma=pairs[0].sigma,
        truth=_Stacked(truths) if len(truths) == len(pairs) else None,
        source_code=_stacked([pair.source_code for pair in pairs]),
        target_code=_stacked([pair.target_code for pair in pairs]),
    )


def _stacked(codes: Sequence[Tensor | None]) -> Tensor | None:
    there = [code for code in codes if code is not None]
    return torch.stack(there) if there else None


@dataclass
class _Stacked:
    """The ground truths of a batch as one."""

    truths: Sequence[GroundTruth]

    def correspondence(self, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
        flow, visible, person = zip(*(truth.correspondence(height, width) for truth in self.truths))
        return torch.stack(flow), torch.stack(visible), torch.stack(person)

    def albedo(self) -> tuple[Tensor, Tensor]:
        source, target = zip(*(truth.albedo() for truth in self.truths))
        return torch.stack(source), torch.stack(target)

    def parts(self) -> tuple[Tensor, Tensor]:
        source, target = zip(*(truth.parts() for truth in self.truths))
        return torch.stack(source), torch.stack(target)
