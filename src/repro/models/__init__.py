"""Networks of the paper: GFLA and its parts, its forms for clips, faces and views, the Motion Extraction Network,
discriminators, ablation variants, the authors' checkpoints."""

from repro.models.discriminators import ImageDiscriminator
from repro.models.face import FaceFlowEstimator, FaceGFLA
from repro.models.flow_estimator import FlowEstimator, FlowOutput
from repro.models.gfla import GFLA, Output
from repro.models.local_attention import BilinearSampling, LocalAttention
from repro.models.measure import flops, parameter_count
from repro.models.motion_extraction import MotionExtractionNetwork
from repro.models.sequential import Branches, ClipOutput, Frame, SequentialGFLA, State
from repro.models.temporal_discriminator import TemporalDiscriminator, frame_differences
from repro.models.view import ViewFlowEstimator, ViewGFLA

__all__ = [
    "GFLA",
    "BilinearSampling",
    "Branches",
    "ClipOutput",
    "FaceFlowEstimator",
    "FaceGFLA",
    "FlowEstimator",
    "FlowOutput",
    "Frame",
    "ImageDiscriminator",
    "LocalAttention",
    "MotionExtractionNetwork",
    "Output",
    "SequentialGFLA",
    "State",
    "TemporalDiscriminator",
    "ViewFlowEstimator",
    "ViewGFLA",
    "flops",
    "frame_differences",
    "parameter_count",
]
