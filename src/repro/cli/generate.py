"""``repro generate``: the person of a photograph in another pose."""

import io
from argparse import Namespace
from pathlib import Path

from repro.cli.photograph import layout_and_fit
from repro.experiments import generation
from repro.pages.panel import panel
from repro.records import write_whole
from repro.training.host import find_device

DPI = 120


def run(options: Namespace) -> None:
    """Read and check everything, say what was found, write the picture and its panel and print their paths."""
    out = generation.require_writable(Path(options.out), options.source, options.pose, options.source_pose)
    layout, fitting = layout_and_fit(options)
    device = find_device(options.device)
    generator = generation.load_generator(options.weights, options.task)
    scene = generation.prepare(
        options.source,
        options.pose,
        generator,
        size=options.size,
        source_pose=options.source_pose,
        layout=layout,
        fitting=fitting,
    )
    print(f"network: {generator.name}, pictures of {scene.size[0]}x{scene.size[1]} pixels")
    for note in scene.notes:
        print(note)
    output = generation.generate(scene, generator, device)
    drawn = io.BytesIO()
    panel(scene, generator, output).savefig(drawn, format="png", dpi=DPI)
    generation.write_picture(out, generation.picture(scene, output))
    write_whole(generation.panel_file(out), drawn.getvalue())
    print(out)
    print(generation.panel_file(out))
