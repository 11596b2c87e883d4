"""The sequential animation network: each frame is made of the source picture and of the frame generated before it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn

from repro.checks import require_shape
from repro.models import initialisation
from repro.models.flow_estimator import FlowEstimator, FlowOutput
from repro.models.gfla import GFLA
from repro.models.local_attention import LocalAttention
from repro.models.renderer import CHANNELS, SourceNet, TargetNet, blend
from repro.models.settings import SKELETON_CHANNELS, attention_layers, coarse_to_fine, require_pair, scaled


class State(NamedTuple):
    """What a clip is continued from, detached: the last generated frame and the pose it was generated for.

    Attributes:
        image: (B, 3, H, W) in [-1, 1].
        pose: (B, S, H, W).
    """

    image: Tensor
    pose: Tensor


class Branches(NamedTuple):
    """Flows or masks of one frame, per branch a list coarse to fine, as a pair network returns them.

    Attributes:
        previous: to the frame before (w_p, m_p of Eq. 18); for the first frame of a clip that is the source picture.
        reference: to the source picture (w_s, m_s of Eq. 17).
    """

    previous: list[Tensor]
    reference: list[Tensor]


class Frame(NamedTuple):
    """One generated frame.

    Attributes:
        image: (B, 3, H, W) in [-1, 1].
        flows: displacement from target to source, (B, 2, h, w) each, (x, y), in pixels of that map.
        masks: (B, 1, h, w) each, in (0, 1): 1 takes the branch's content.
        state: what the next frame is made from.
    """

    image: Tensor
    flows: Branches
    masks: Branches
    state: State


class ClipOutput(NamedTuple):
    """A generated clip.

    Attributes:
        images: (B, T, 3, H, W) in [-1, 1].
        flows, masks: of each frame, see :class:`Frame`.
        state: pass it to the next call to go on with the clip.
    """

    images: Tensor
    flows: list[Branches]
    masks: list[Branches]
    state: State


class TwoBranchAttention(nn.Module):
    """Looks into the previous frame and into the source picture with a local attention each."""

    def __init__(self, channels: int, k: int, mean: bool = True) -> None:
        super().__init__()
        self.previous = LocalAttention(channels, k, mean)
        self.reference = LocalAttention(channels, k, mean)

    def forward(
        self, x: Tensor, previous: tuple[Tensor, Tensor, Tensor], reference: tuple[Tensor, Tensor, Tensor]
    ) -> Tensor:
        """Return the sum of both branches' blends (Eq. 20), (B, C, h, w).

        Convention: a plain sum, so where neither branch looks (both masks 0) the decoder's features are doubled.

        Args:
            x: the decoder's features f_t, seen by both branches.
            previous, reference: source features (B, C, h, w), flow (B, 2, h, w), mask (B, 1, h, w) of the branch.
        """
        return self._branch(self.reference, x, *reference) + self._branch(self.previous, x, *previous)

    @staticmethod
    def _branch(attention: nn.Module, x: Tensor, features: Tensor, flow: Tensor, mask: Tensor) -> Tensor:
        return blend(mask, x, attention(features, x, flow))


class RecurrentRenderer(nn.Module):
    """Renders a clip frame by frame, each from the source picture and the frame before: the body of both networks.

    A subclass says in :meth:`estimate` where the flows come from.

    Args:
        layers: attention layer -> odd window.
        width: factor on every channel count except inputs, outputs, windows and the kernel nets' 128.
        pose_channels: channels of one pose (S).
        attention_mean: the authors' pooling, a mean over the window.
    """

    def __init__(self, layers: Mapping[int, int], width: float, pose_channels: int, attention_mean: bool) -> None:
        super().__init__()
        self.attention_layers = coarse_to_fine(layers)
        self.pose_channels = pose_channels
        self.source_previous = SourceNet(width)
        self.source_reference = SourceNet(width)
        self.target = TargetNet(
            {
                layer: TwoBranchAttention(scaled(CHANNELS[layer - 1], width), k, attention_mean)
                for layer, k in self.attention_layers.items()
            },
            width,
            pose_channels,
        )

    @classmethod
    def preset(
        cls, width: float = 1.0, attention_mean: bool = True, init_gain: float = 0.02, seed: int | None = None
    ) -> Self:
        """Return the initialised network with the authors' layers, windows and structure channels.

        Args:
            width, attention_mean: see the class.
            init_gain: gain of the orthogonal initialisation; 0.02 in the authors' runs.
            seed: initial weights; None draws one number from torch's global generator.
        """
        seed = initialisation.seed_or_draw(seed)
        model = cls(attention_layers("fashion"), width, attention_mean=attention_mean)  # type: ignore[call-arg]
        initialisation.orthogonal(model, init_gain, seed)
        return model

    def attention(self, layer: int) -> nn.Module:
        """Return the two attention modules of ``layer``: ``.previous`` and ``.reference``."""
        return self.target.attention[str(layer)]

    def estimate(
        self, previous: State, reference: Tensor, reference_pose: Tensor, pose: Tensor
    ) -> tuple[FlowOutput, FlowOutput]:
        """Return flows and masks to the previous frame and to the source picture (Eq. 18 and 17)."""
        raise NotImplementedError

    def forward(
        self, source: Tensor, source_pose: Tensor, target_poses: Tensor, state: State | None = None
    ) -> ClipOutput:
        """Return a generated clip.

        In training mode the gradient runs back through the generated frames to the first of this call, never into
        ``state``. In evaluation mode each frame is detached from those before. A clip in chunks, the state handed on,
        equals the clip in one call bit for bit. What a long clip would hold at once comes one by one from
        :meth:`frames`.

        Args:
            source: picture x_s, (B, 3, H, W) in [-1, 1]; sides multiples of 32, at least 64.
            source_pose: its pose p_s, (B, S, H, W).
            target_poses: poses of the frames, (B, T, S, H, W), T >= 1.
            state: where an earlier call ended; None starts a clip, with the source picture as previous frame.

        Raises:
            TypeError, ValueError: an input does not fit (the message says which and how).
        """
        sizes = require_shape("source", source, "B 3 H W", hint="images are (B, 3, H, W) in [-1, 1]")
        sizes = require_shape(
            "target_poses",
            target_poses,
            f"B T {self.pose_channels} H W",
            sizes=sizes,
            hint="one pose per frame, of the source's batch and size",
        )
        if sizes["T"] < 1:
            raise ValueError("expected target_poses with at least one frame, got none: leave the empty clip out")
        frames = list(self.frames(source, source_pose, target_poses.unbind(1), state))
        return ClipOutput(
            torch.stack([frame.image for frame in frames], dim=1),
            [frame.flows for frame in frames],
            [frame.masks for frame in frames],
            frames[-1].state,
        )

    def frames(
        self, source: Tensor, source_pose: Tensor, target_poses: Iterable[Tensor], state: State | None = None
    ) -> Iterator[Frame]:
        """Return an iterator over the frames of a clip, as :meth:`forward` makes them, each when it is asked for.

        In evaluation mode memory does not depend on the number of frames: it holds the source's features and one state.

        Args:
            target_poses: poses (B, S, H, W), one per frame; may be a generator that reads or draws them.
            source, source_pose, state: as in :meth:`forward`.

        Raises:
            TypeError, ValueError: an input does not fit; for a pose, when its frame is asked for.
        """
        require_pair(source, source_pose, source_pose, self.pose_channels)
        if state is not None:
            image, pose = state
            require_pair(image, pose, pose, self.pose_channels)
            if image.shape != source.shape:
                raise ValueError(
                    f"expected a state of the source's batch and size {tuple(source.shape)}, got {tuple(image.shape)}: "
                    "pass the state that this clip's last call returned"
                )
        return self._frames(source, source_pose, target_poses, state or State(source, source_pose))

    def _frames(
        self, reference: Tensor, reference_pose: Tensor, poses: Iterable[Tensor], previous: State
    ) -> Iterator[Frame]:
        reference_features = self.source_reference(reference)
        for pose in poses:
            require_pair(reference, reference_pose, pose, self.pose_channels)
            to_previous, to_reference = self.estimate(previous, reference, reference_pose, pose)
            image = self._render(
                pose, (self.source_previous(previous.image), to_previous), (reference_features, to_reference)
            )
            state = State(image.detach(), pose.detach())
            previous = State(image, pose) if self.training else state
            yield Frame(
                image,
                Branches(to_previous.flows, to_reference.flows),
                Branches(to_previous.masks, to_reference.masks),
                state,
            )

    def _render(self, pose: Tensor, *branches: tuple[dict[int, Tensor], FlowOutput]) -> Tensor:
        """Return the image (Eq. 19) from the features and guides of the branches: previous, reference."""
        layers = list(self.attention_layers)

        def attend(attention: nn.Module, layer: int, x: Tensor) -> Tensor:
            at = layers.index(layer)
            return attention(x, *((features[layer], guide.flows[at], guide.masks[at]) for features, guide in branches))

        return self.target(pose, attend)


class SequentialGFLA(RecurrentRenderer):
    r"""Animates the person of a source picture along a sequence of skeletons, with a flow estimator per branch.

    .. math::
        (\mathbf{w}_s^k, \mathbf{m}_s^k) = F_s(\mathbf{x}_s, \mathbf{p}_s, \mathbf{p}_t^k)\quad(17)\qquad
        (\mathbf{w}_p^k, \mathbf{m}_p^k) = F_p(\hat{\mathbf{x}}_t^{k-1}, \mathbf{p}_t^{k-1}, \mathbf{p}_t^k)\quad(18)

    Args:
        layers, width, attention_mean: see :class:`RecurrentRenderer`.
        pose_channels: 17 heat maps and the drawn skeleton.
    """

    def __init__(
        self,
        layers: Mapping[int, int],
        width: float = 1.0,
        *,
        attention_mean: bool = True,
        pose_channels: int = SKELETON_CHANNELS,
    ) -> None:
        super().__init__(layers, width, pose_channels, attention_mean)
        self.flow_net_previous = FlowEstimator(layers, width, pose_channels)
        self.flow_net_reference = FlowEstimator(layers, width, pose_channels)

    def estimate(
        self, previous: State, reference: Tensor, reference_pose: Tensor, pose: Tensor
    ) -> tuple[FlowOutput, FlowOutput]:
        """Return flows and masks of both branches, each from an estimator of its own."""
        return (
            self.flow_net_previous(previous.image, previous.pose, pose),
            self.flow_net_reference(reference, reference_pose, pose),
        )

    @torch.no_grad()
    def start_from(self, pair_network: GFLA) -> None:
        """Take over the weights of a network that animates frame by frame, in both branches, and what it draws.

        Eq. 20 adds the branches' blends, so equal branches hand the decoder twice what it was trained on. Its norms do
        not see a factor (but for their epsilon), its skip paths do: the first one's residual is doubled to go with it,
        the second one's weights are halved. The first frame, whose previous picture is the source, is then the pair
        network's.

        Args:
            pair_network: of the same width, layers and pose channels.

        Raises:
            RuntimeError: its shapes are others.
        """
        for branch in ("previous", "reference"):
            self.get_submodule(f"source_{branch}").load_state_dict(pair_network.source.state_dict())
            self.get_submodule(f"flow_net_{branch}").load_state_dict(pair_network.flow_net.state_dict())
        weights = {}
        for name, value in pair_network.target.state_dict().items():
            for branch in ("previous", "reference"):
                weights[name.replace(".kernel_net.", f".{branch}.kernel_net.")] = value
        self.target.load_state_dict(weights)
        for layer in self.attention_layers:
            step = self.target.after(layer)
            # The first block's last convolution makes what is added to its skip path.
            for parameter in step.get_submodule("0.model.5").parameters():
                parameter.mul_(2)
            step.get_parameter("1.shortcut.0.weight").div_(2)
