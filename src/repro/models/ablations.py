"""The rows of Table II that are other networks than GFLA: Baseline and Global-Attn.

Local-Attn and Full are ``GFLA.preset(task)``, trained without and with the flow losses; Bi-Sample is
``GFLA.preset(task, sampling="bilinear")``. The authors released no ablation models: what the paper leaves open is
decided here and said in each class.
"""

from collections.abc import Mapping
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import register_flop_formula, sdpa_flop_count

from repro.checks import require_shape
from repro.models import initialisation
from repro.models.gfla import GFLA, Output
from repro.models.measure import parameter_count
from repro.models.renderer import CHANNELS, SourceNet, TargetNet
from repro.models.settings import POSE_CHANNELS, attention_layers, coarse_to_fine, require_pair, scaled


class Baseline(nn.Module):
    """An auto-encoder on the source image and both poses, concatenated: no flow, no attention.

    It is the target net of G with more input channels and residual blocks at its bottleneck. ``preset`` takes as many
    of them as make up for the parameters of the source net, the flow estimator and the kernel nets: 8 at width 1
    (14.06M; GFLA has 14.05M), 12 at width 1/4, where the kernel nets, which do not narrow, weigh more.

    Args:
        width: factor on every channel count except inputs and outputs.
        bottleneck: number of residual blocks at the bottleneck.
        pose_channels: heat maps of one pose (S).
    """

    def __init__(self, width: float = 1.0, bottleneck: int = 8, pose_channels: int = POSE_CHANNELS) -> None:
        super().__init__()
        self.pose_channels = pose_channels
        self.target = TargetNet({}, width, channels_in=3 + 2 * pose_channels, bottleneck=bottleneck)

    @classmethod
    def preset(cls, task: str, width: float = 1.0, init_gain: float = 0.02, seed: int | None = None) -> Self:
        """Return the initialised network, of the size of ``GFLA.preset(task, width)``."""
        seed = initialisation.seed_or_draw(seed)
        model = cls(width, cls._matching_bottleneck(task, width))
        initialisation.orthogonal(model, init_gain, seed)
        return model

    @classmethod
    def _matching_bottleneck(cls, task: str, width: float) -> int:
        with torch.device("meta"):  # shapes only
            gfla, none, one = GFLA(attention_layers(task), width), cls(width, bottleneck=0), cls(width, bottleneck=1)
        missing, block = (parameter_count(more) - parameter_count(none) for more in (gfla, one))
        return round(missing / block)

    def forward(self, source: Tensor, source_pose: Tensor, target_pose: Tensor) -> Output:
        """Return the generated image; no flows, no masks. Arguments and errors as :meth:`GFLA.forward`."""
        require_pair(source, source_pose, target_pose, self.pose_channels)
        image = self.target(torch.cat([source, source_pose, target_pose], dim=1))
        return Output(image, [], [], {})


class GlobalAttentionLayer(nn.Module):
    r"""Attends from each target position to every source position.

    .. math::
        A = \mathrm{softmax}(Q K^\top),\quad Q = W_q \mathbf{f}_t,\; K = W_k \mathbf{f}_s,\; V = W_v \mathbf{f}_s
        \qquad \mathbf{f}_{out} = \mathbf{f}_t + \gamma\, A V

    The layer sizes (query and key C/8), the missing factor 1/sqrt(C/8) and the learnable gamma, 0 at the start, are
    those of a block that lies unused in the authors' code; gamma takes the place of the mask, which needs a flow
    estimator.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(1, channels // 8)
        self.query = nn.Conv2d(channels, inner, 1)
        self.key = nn.Conv2d(channels, inner, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Return f_out (B, C, H, W) from source features (B, C, S, T) and target features (B, C, H, W)."""
        query, key = self._query_and_key(source, target)
        value = _positions(self.value(source))
        # Filled up with zeros: where lengths differ, torch has no fused kernel on CPUs and stores the matrix.
        query, key = (F.pad(x, (0, value.shape[2] - x.shape[2])) for x in (query, key))
        attended = F.scaled_dot_product_attention(query[:, None], key[:, None], value[:, None], scale=1.0)[:, 0]
        return target + self.gamma * attended.transpose(1, 2).reshape(target.shape)

    def coefficients(self, source: Tensor, target: Tensor) -> Tensor:
        """Return the attention map A, (B, H * W, S, T): the weight of each source position for each target position.

        It is the whole matrix, which ``forward`` never stores: 64 MiB per image at 64 x 64 positions.
        """
        query, key = self._query_and_key(source, target)
        attention = (query @ key.transpose(1, 2)).softmax(dim=2)
        return attention.unflatten(2, source.shape[2:])

    def _query_and_key(self, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        sizes = require_shape("source", source, f"B {self.value.in_channels} S T")
        require_shape("target", target, f"B {self.value.in_channels} H W", sizes=sizes)
        return _positions(self.query(target)), _positions(self.key(source))


class GlobalAttention(nn.Module):
    """G without the flow estimator: the local attention blocks are replaced by attention to all source positions.

    The source pose enters GFLA through the flow estimator alone; so here it is checked but not used, and the attention
    has to recognise body parts by the features of the image.

    Args:
        layers: attention layer -> window, as in GFLA; the windows are not used.
        width: factor on every channel count except inputs and outputs.
        pose_channels: heat maps of one pose (S).
    """

    def __init__(self, layers: Mapping[int, int], width: float = 1.0, pose_channels: int = POSE_CHANNELS) -> None:
        super().__init__()
        self.pose_channels = pose_channels
        self.source = SourceNet(width)
        self.target = TargetNet(
            {layer: GlobalAttentionLayer(scaled(CHANNELS[layer - 1], width)) for layer in coarse_to_fine(layers)},
            width,
            channels_in=pose_channels,
        )

    @classmethod
    def preset(cls, task: str, width: float = 1.0, init_gain: float = 0.02, seed: int | None = None) -> Self:
        """Return the initialised network of ``task``, with attention at the layers where GFLA has it."""
        seed = initialisation.seed_or_draw(seed)
        model = cls(attention_layers(task), width)
        initialisation.orthogonal(model, init_gain, seed)
        return model

    def attention(self, layer: int) -> nn.Module:
        """Return the attention module of ``layer``."""
        return self.target.attention[str(layer)]

    def forward(self, source: Tensor, source_pose: Tensor, target_pose: Tensor) -> Output:
        """Return the generated image; no flows, no masks. Arguments and errors as :meth:`GFLA.forward`."""
        require_pair(source, source_pose, target_pose, self.pose_channels)
        features = self.source(source)
        seen: dict[int, tuple[Tensor, ...]] = {}

        def attend(attention: nn.Module, layer: int, x: Tensor) -> Tensor:
            seen[layer] = features[layer], x
            return attention(*seen[layer])

        image = self.target(target_pose, attend)
        return Output(image, [], [], seen)


@register_flop_formula(torch.ops.aten._scaled_dot_product_flash_attention_for_cpu)
def _fused_attention_flops(query, key, value, *_, out_shape=None, **__) -> int:  # type: ignore[no-untyped-def]
    """Return what torch's counter finds in the fused kernels of GPUs; it does not know the one of CPUs."""
    return sdpa_flop_count(query, key, value)


def _positions(features: Tensor) -> Tensor:
    return features.flatten(2).transpose(1, 2).contiguous()
