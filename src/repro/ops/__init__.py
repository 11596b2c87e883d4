"""Spatial operations: warps, patches, best matches, local attention. Any device; nothing to build."""

from repro.ops.attention import attend, attention_coefficients, local_attention
from repro.ops.patches import extract_patches
from repro.ops.similarity import max_cosine_similarity
from repro.ops.warp import bilinear_warp, gaussian_warp

__all__ = [
    "attend",
    "attention_coefficients",
    "bilinear_warp",
    "extract_patches",
    "gaussian_warp",
    "local_attention",
    "max_cosine_similarity",
]
