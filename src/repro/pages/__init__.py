"""Figures, tables and widgets: everything a notebook shows."""
