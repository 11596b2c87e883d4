"""``repro animate``: a photograph moves along a motion."""

from argparse import Namespace
from pathlib import Path

from repro.cli.photograph import layout_and_fit
from repro.experiments.animation import animate, load_animator, prepare, require_writable
from repro.experiments.animation.driving import SKELETONS
from repro.experiments.request import choose
from repro.training.host import find_device


def run(options: Namespace) -> None:
    """Read and check everything, say what was found, generate the clip and print its path."""
    out = require_writable(Path(options.out), options.source, options.source_pose, options.motion)
    layout, fitting = layout_and_fit(options)
    skeletons = choose("kind of skeletons", options.skeletons, SKELETONS)
    animator = load_animator(options.weights, options.task)
    scene = prepare(
        options.source,
        options.motion,
        animator.size if options.size is None else options.size,
        source_pose=options.source_pose,
        layout=layout,
        fps=options.fps,
        fitting=fitting,
        skeletons=skeletons,
    )
    print(f"network: {animator.name}, {scene.size} pixels a side")
    for note in scene.notes:
        print(note)
    device = find_device(options.device)
    print(animate(scene, animator, out, device=device, panel=options.panel))
