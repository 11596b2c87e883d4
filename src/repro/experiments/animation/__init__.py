"""A photograph made to move: the network, the folder of frames, and the run from one to the other."""

from repro.experiments.animation.animator import Animator, load_animator
from repro.experiments.animation.run import Scene, animate, prepare, require_writable

__all__ = ["Animator", "Scene", "animate", "load_animator", "prepare", "require_writable"]
