"""Reproducible companion of "Deep Spatial Transformation for Pose-Guided Person Image Generation and Animation".

The package is a stack of rooms; a room imports only from rooms below it::

    cli > pages > experiments > training > metrics > models
        > losses > features > ops > data > records, config > paths, checks
"""

__version__ = "0.1.0"
