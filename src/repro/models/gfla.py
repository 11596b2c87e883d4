"""GFLA, the full network: flow estimator F and renderer G (global flow, local attention)."""

from collections.abc import Mapping
from typing import NamedTuple, Self

from torch import Tensor, nn

from repro.checks import require_choice
from repro.models import initialisation
from repro.models.flow_estimator import FlowEstimator
from repro.models.local_attention import BilinearSampling, LocalAttention
from repro.models.renderer import CHANNELS, SourceNet, TargetNet
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


class GFLA(nn.Module):
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
        super().__init__()
        require_choice("sampling", sampling, ("attention", "bilinear"))
        self.flow_net = FlowEstimator(layers, width, pose_channels)
        self.source = SourceNet(width)
        self.target = TargetNet(
            {
                layer: LocalAttention(scaled(CHANNELS[layer - 1], width), k, attention_mean)
                if sampling == "attention"
                else BilinearSampling()
                for layer, k in self.attention_layers.items()
            },
            width,
            pose_channels,
        )

    @classmethod
    def preset(
        cls,
        task: str,
        width: float = 1.0,
        attention_mean: bool = True,
        init_gain: float = 0.02,
        sampling: str = "attention",
        seed: int | None = None,
    ) -> Self:
        """Return the initialised network of ``task``.

        Args:
            task: "fashion" (attention at 1/8 with 3 x 3 and at 1/4 with 5 x 5 windows) or "market" (1/4, 3 x 3).
            width, attention_mean, sampling: see the class.
            init_gain: gain of the orthogonal initialisation; 0.02 in the authors' runs.
            seed: initial weights; None draws one number from torch's global generator.
        """
        seed = initialisation.seed_or_draw(seed)
        model = cls(attention_layers(task), width, attention_mean=attention_mean, sampling=sampling)
        initialisation.orthogonal(model, init_gain, seed)
        return model

    @property
    def attention_layers(self) -> dict[int, int]:
        """Attention layer -> window, coarse to fine: the order of ``flows`` and ``masks``."""
        return self.flow_net.attention_layers

    def attention(self, layer: int) -> nn.Module:
        """Return the attention module of ``layer``."""
        return self.target.attention[str(layer)]

    def forward(self, source: Tensor, source_pose: Tensor, target_pose: Tensor) -> Output:
        """Return the generated image with its flows and masks.

        Args:
            source: image x_s, (B, 3, H, W) in [-1, 1]; sides multiples of 32, at least 64.
            source_pose: heat maps p_s, (B, 18, H, W).
            target_pose: heat maps p_t, (B, 18, H, W).

        Raises:
            TypeError, ValueError: an input does not fit (the message says which and how).
        """
        flows, masks = self.flow_net(source, source_pose, target_pose)
        features = self.source(source)
        guides = dict(zip(self.attention_layers, zip(flows, masks)))
        seen: dict[int, tuple[Tensor, ...]] = {}

        def attend(attention: nn.Module, layer: int, x: Tensor) -> Tensor:
            flow, mask = guides[layer]
            seen[layer] = features[layer], x, flow
            return (1 - mask) * x + mask * attention(*seen[layer])  # Eq. 10

        image = self.target(target_pose, attend)
        return Output(image, flows, masks, seen)
