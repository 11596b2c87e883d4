"""Stages, the loop, checkpoints and curves."""
