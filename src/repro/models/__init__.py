"""Networks of the paper: GFLA and its parts, discriminators, ablation variants, the authors' checkpoints."""

from repro.models.discriminators import ImageDiscriminator
from repro.models.flow_estimator import FlowEstimator, FlowOutput
from repro.models.gfla import GFLA, Output
from repro.models.local_attention import BilinearSampling, LocalAttention
from repro.models.measure import flops, parameter_count

__all__ = [
    "GFLA",
    "BilinearSampling",
    "FlowEstimator",
    "FlowOutput",
    "ImageDiscriminator",
    "LocalAttention",
    "Output",
    "flops",
    "parameter_count",
]
