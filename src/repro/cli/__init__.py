"""The ``repro`` command."""
