"""Procedural people with exact ground-truth flow."""
