"""Spatial operations: warps, patches, local attention."""
