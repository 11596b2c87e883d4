"""GFLA, the full network: flow estimator F and renderer G (global flow, local attention)."""

from collections.abc import Mapping
from typing import NamedTuple, Self

from torch import Tensor, nn

from repro.checks import require_choice
from repro.models import initialisation
from repro.models.flow_estimator import FlowEstimator, FlowOutput, FlowPyramid
from repro.models.local_attention import BilinearSampling, LocalAttention
from repro.models.renderer import CHANNELS, SourceNet, TargetNet, blend
from repro.models.settings import POSE_CHANNELS, attention_layers, scaled


class Output(NamedTuple):
    """What a generator returns; lists run coarse to fine and are empty for networks without flow.

    Attributes:
        image: the generated image, (B, 3, H, W) in [-1, 1].
        flows: displacement from target to source per attention layer, (B, 2, h, w), (x, y), in pixels of that map.
        masks: m in (0, 1) per attention layer, (B, 1, h, w): 1 takes the source's content.
        attention_inputs: per attention layer, what its attention was called with: source features, target features,
            each (B, C, h, w), and the flow if there is one. A picture of what it looked at comes from
            ``model.attention(layer).coefficients(*out.attention_inputs[layer])``.
    """

    image: Tensor
    flows: list[Tensor]
    masks: list[Tensor]
    attention_inputs: dict[int, tuple[Tensor, ...]]


class FlowGuidedRenderer(nn.Module):
    """A flow estimator, a source net and a target net that attends along the flow: the body of GFLA.

    Args:
        flow_net: the estimator; its layers and windows are those of the attention.
        structure_channels: channels that the target net's encoder starts from, None without encoder.
        width, attention_mean, sampling: see :class:`GFLA`.
    """

    flow_net: FlowPyramid

    def __init__(
        self,
        flow_net: FlowPyramid,
        structure_channels: int | None,
        width: float,
        attention_mean: bool = True,
        sampling: str = "attention",
    ) -> None:
        super().__init__()
        require_choice("sampling", sampling, ("attention", "bilinear"))
        self.flow_net = flow_net
        self.source = SourceNet(width)
        self.target = TargetNet(
            {
                layer: LocalAttention(scaled(CHANNELS[layer - 1], width), k, attention_mean)
                if sampling == "attention"
                else BilinearSampling()
                for layer, k in self.attention_layers.items()
            },
            width,
            structure_channels,
        )

    @property
    def attention_layers(self) -> dict[int, int]:
        """Attention layer -> window, coarse to fine: the order of ``flows`` and ``masks``."""
        return self.flow_net.attention_layers

    def attention(self, layer: int) -> nn.Module:
        """Return the attention module of ``layer``."""
        return self.target.attention[str(layer)]

    def render(self, source: Tensor, structure: Tensor, guides: FlowOutput) -> Output:
        """Return the image that the target net makes of ``structure`` and of the source, read along the flows."""
        features = self.source(source)
        by_layer = dict(zip(self.attention_layers, zip(*guides)))
        seen: dict[int, tuple[Tensor, ...]] = {}

        def attend(attention: nn.Module, layer: int, x: Tensor) -> Tensor:
            flow, mask = by_layer[layer]
            seen[layer] = features[layer], x, flow
            return blend(mask, x, attention(*seen[layer]))

        image = self.target(structure, attend)
        return Output(image, *guides, seen)


class GFLA(FlowGuidedRenderer):
    r"""Renders the person of a source image in a target pose.

    .. math::
        (\mathbf{w}, \mathbf{m}) = F(\mathbf{x}_s, \mathbf{p}_s, \mathbf{p}_t) \quad (1) \qquad
        \hat{\mathbf{x}}_t = G(\mathbf{x}_s, \mathbf{p}_t, \mathbf{w}, \mathbf{m}) \quad (7)

    Args:
        layers: attention layer -> odd window; layer L works at 1/2^L of the image's resolution (L = 1, 2, 3).
        width: factor on every channel count except inputs, outputs, windows and the kernel net's 128.
        attention_mean: the authors' pooling, a mean over the window; False = convex combination (no 1/k²).
        sampling: "attention" (Eq. 8-9), or "bilinear": the flow's own bilinear warp (Table II, row Bi-Sample).
        pose_channels: heat maps of one pose (S).
    """

    def __init__(
        self,
        layers: Mapping[int, int],
        width: float = 1.0,
        *,
        attention_mean: bool = True,
        sampling: str = "attention",
        pose_channels: int = POSE_CHANNELS,
    ) -> None:
        flow_net = FlowEstimator(layers, width, pose_channels)
        super().__init__(flow_net, pose_channels, width, attention_mean, sampling)

    @classmethod
    def preset(
        cls,
        task: str,
        width: float = 1.0,
        attention_mean: bool = True,
        init_gain: float = 0.02,
        sampling: str = "attention",
        seed: int | None = None,
        pose_channels: int = POSE_CHANNELS,
    ) -> Self:
        """Return the initialised network of ``task``.

        Args:
            task: "fashion" (attention at 1/8 with 3 x 3 and at 1/4 with 5 x 5 windows) or "market" (1/4, 3 x 3).
            width, attention_mean, sampling, pose_channels: see the class.
            init_gain: gain of the orthogonal initialisation; 0.02 in the authors' runs.
            seed: initial weights; None draws one number from torch's global generator.
        """
        seed = initialisation.seed_or_draw(seed)
        model = cls(
            attention_layers(task),
            width,
            attention_mean=attention_mean,
            sampling=sampling,
            pose_channels=pose_channels,
        )
        initialisation.orthogonal(model, init_gain, seed)
        return model

    def forward(self, source: Tensor, source_pose: Tensor, target_pose: Tensor) -> Output:
        """Return the generated image with its flows and masks.

        Args:
            source: image x_s, (B, 3, H, W) in [-1, 1]; sides multiples of 32, at least 64.
            source_pose: heat maps p_s, (B, 18, H, W).
            target_pose: heat maps p_t, (B, 18, H, W).

        Raises:
            TypeError, ValueError: an input does not fit (the message says which and how).
        """
        return self.render(source, target_pose, self.flow_net(source, source_pose, target_pose))
