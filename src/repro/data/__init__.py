"""Pairs, joints and heat maps, the procedural studio, readers of the real layouts."""
