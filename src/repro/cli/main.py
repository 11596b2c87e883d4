"""``repro``: tables, training, data, weights, and a look at the machine. ``repro COMMAND --help`` says more.

Only the standard library is imported here, so that help appears at once; a command imports what it needs.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

from repro import __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit status: 0 done, 2 refused with one line, 130 stopped."""
    options = parser().parse_args(arguments)
    # Repeatable and, two rows side by side, faster than the libraries' own threads; set before they are loaded.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("MKL_NUM_THREADS", "1")
    module, _, function = options.run.partition(".")
    try:
        getattr(importlib.import_module(f"repro.cli.{module}"), function)(options)
    except KeyboardInterrupt as stop:
        print(f"repro: {stop or 'stopped: run again to continue'}", file=sys.stderr)
        return 130
    except (ValueError, OSError, FloatingPointError) as error:  # names, values, files, disks: the message says it all
        if options.traceback:
            raise
        print(f"repro: {_words(error)}", file=sys.stderr)
        return 2
    return 0


def _words(error: Exception) -> str:
    """What an error says, without the system's number."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


class Parser(argparse.ArgumentParser):
    """Refuses abbreviated options: ``--profil smoke`` must not start a training. Subparsers are of the same class."""

    def __init__(self, *words: Any, **options: Any) -> None:
        super().__init__(*words, **(options | {"allow_abbrev": False}))


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    top = Parser("repro", description="Reproducible companion of GFLA.")
    top.add_argument("--version", action="version", version=f"repro {__version__}")
    top.add_argument("--traceback", action="store_true", help="show where an error arose")
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")

    table = _command(commands, "table", "experiments.table", "rebuild a table: train, evaluate and record its rows")
    table.add_argument("table", help="the paper's number: II, IV")
    table.add_argument("--profile", default="recorded", help="recorded (default), smoke, laptop, gpu, paper")
    table.add_argument("--rows", default="", metavar="A,B", help="names of rows; default all")
    table.add_argument("--seeds", default="", metavar="0,1", help="default 0")
    _data(table)
    table.add_argument("--out", metavar="DIR", help="folder for runs, records and weights; default runs")
    _device(table)
    table.add_argument("--jobs", type=int, default=1, metavar="N", help="rows at a time, each with one thread")
    table.add_argument("--reuse", default="all", help="finished work: all (default), training (scores anew), nothing")
    table.add_argument("--record", action="store_true", help="write into the project's data folder too (maintainers)")

    train = _command(commands, "train", "experiments.train", "train one row; killed and repeated, it continues")
    train.add_argument("--table", default="II", help="the paper's number: II, IV")
    train.add_argument("--row", default="full", help="name of the row")
    train.add_argument("--profile", default="smoke", help="smoke, laptop, gpu, paper")
    train.add_argument("--seed", default="0", metavar="N")
    _data(train)
    train.add_argument("--out", required=True, metavar="DIR", help="folder of this run")
    _device(train)
    train.add_argument("--checkpoint-every", type=float, default=60.0, metavar="SECONDS")
    train.add_argument("--workers", type=int, default=0, metavar="N", help="processes that read and decode pairs")
    train.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change a setting: --set joint.steps=10"
    )

    evaluate = _command(commands, "evaluate", "experiments.evaluate", "print the scores of a trained run as JSON")
    evaluate.add_argument("run_folder", metavar="DIR", help="the --out folder of repro train")
    _data(evaluate)
    evaluate.add_argument("--other-data", action="store_true", help="score on other data than it was trained on")
    evaluate.add_argument("--pairs", type=int, metavar="N", help="held-out examples; default as in the run's settings")
    _device(evaluate)

    generate = _command(commands, "generate", "generate.run", "show the person of a photograph in another pose")
    _photograph(generate)
    generate.add_argument("--pose", required=True, metavar="FILE", help="a photograph, pose.json or FILE.csv:NAME")
    generate.add_argument("--out", required=True, metavar="FILE", help="out.png or out.jpg; the panel: out.panel.png")
    generate.add_argument("--weights", metavar="FILE", help="a network of Table II; default the one that ships")
    generate.add_argument("--task", metavar="NAME", help="fashion, market: the authors' checkpoint, imported or given")
    generate.add_argument("--size", type=int, metavar="PIXELS", help="height; default what the network was trained on")
    generate.add_argument("--layout", default="auto", help="of pose.json: auto, body25, openpose18, coco17, human36m17")
    _device(generate)

    animate = _command(commands, "animate", "animate.run", "make the person of a photograph move; killed, it continues")
    _photograph(animate)
    animate.add_argument("--motion", required=True, metavar="PATH", help=".bvh, .amc, poses.json, folder, video")
    animate.add_argument("--out", required=True, metavar="FILE", help="clip.mp4 or clip.gif; frames in FILE.frames")
    animate.add_argument("--weights", metavar="FILE", help="a network of Table IV; default the one that ships")
    animate.add_argument("--task", metavar="NAME", help="dance: the weights are the authors' checkpoint")
    animate.add_argument("--size", type=int, metavar="PIXELS", help="a side; default what the network was trained on")
    animate.add_argument("--fps", type=float, metavar="N", help="frames per second; default the motion's own, else 25")
    animate.add_argument("--layout", default="auto", help="auto (default), body25, openpose18, coco17, human36m17")
    animate.add_argument("--skeletons", default="auto", help="auto (default), extracted (cleaned), given")
    animate.add_argument("--panel", action="store_true", help="show source, pose and result side by side")
    _device(animate)

    data = commands.add_parser("data", help="list, prepare, check and export data sets")
    actions = data.add_subparsers(title="actions", required=True, metavar="ACTION")
    listed = _command(actions, "list", "data.show", "list the data sets, or say how to get a real one")
    listed.add_argument("name", nargs="?", default="", metavar="NAME", help="a real data set; default all, one a line")
    prepare = _command(actions, "prepare", "data.prepare", "render a procedural set into the cache")
    prepare.add_argument("--workers", type=int, default=2, metavar="N")
    check = _command(actions, "check", "data.check", "say what is there, missing and damaged of a real data set")
    check.add_argument("name", metavar="NAME", help="as repro data list names it: deepfashion, iper_real, ...")
    check.add_argument("--root", required=True, metavar="DIR", help="its folder; every file in it is read")
    check.add_argument("--annotation-size", metavar="H,W", help="what the joints of pictures refer to: 256,176")
    check.add_argument("--write-exclusions", metavar="FILE", help="record what to leave out")
    export = _command(
        actions, "export", "data.export", "write a procedural set in the layout of the real set it imitates"
    )
    export.add_argument("folder", metavar="DIR")
    export.add_argument("--format", default="jpg", help="jpg or png, of single pictures of people")
    for action in (prepare, export):
        action.add_argument("--dataset", default="fashion")
        action.add_argument("--splits", default="train,test", metavar="A,B")
        action.add_argument("--size", metavar="PIXELS", help="or H,W; default 64, market 128,64, h36m 1000")
        action.add_argument("--scale", default="default", help="tiny, default, full")

    weights = commands.add_parser("weights", help="list networks, train those that losses and metrics look through")
    actions = weights.add_subparsers(title="actions", required=True, metavar="ACTION")
    _command(actions, "list", "weights.show", "list the networks that ship and the files that are missing")
    for name, text in (("procnet", "of pictures"), ("videonet", "of clips (seeds 0 and 1)")):
        network = _command(actions, name, f"weights.{name}", f"train the small feature network of our own, {text}")
        network.add_argument("--out", metavar="DIR", help="default: the project's data/weights")
        network.add_argument("--steps", type=int, metavar="N")
        network.add_argument("--seed", type=int, default=0, metavar="N")
    sensitivity = _command(actions, "sensitivity", "weights.sensitivity", "measure whether the video networks see time")
    sensitivity.add_argument("--out", metavar="DIR", help="default: the project's data/records")

    fetch = _command(actions, "fetch", "outside_weights.fetch", "fetch a published network's file; resumes")
    fetch.add_argument("name", metavar="NAME", help="as repro weights list names it: vgg19, alexnet, inception, ...")
    bring = _command(actions, "import", "outside_weights.import_file", "take in a network's file that you have")
    bring.add_argument("file", metavar="PATH")
    bring.add_argument("--as", dest="name", metavar="NAME", help="which network; default told from the file's name")
    bring.add_argument("--replace", action="store_true", help="in place of another file of the same network")
    checked = _command(actions, "check", "outside_weights.check", "read, compare and try the networks' files")
    checked.add_argument("names", nargs="*", metavar="NAME", help="default all")

    _command(commands, "doctor", "doctor.show", "show versions, device, threads, cache and weights of this machine")
    return top


def _command(commands: argparse._SubParsersAction, name: str, run: str, text: str) -> argparse.ArgumentParser:
    """Add a command that calls ``repro.cli.MODULE.FUNCTION``, written "MODULE.FUNCTION"."""
    added: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    added.set_defaults(run=run)
    return added


def _device(command: argparse.ArgumentParser) -> None:
    command.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N")


def _photograph(command: argparse.ArgumentParser) -> None:
    command.add_argument("--source", required=True, metavar="FILE", help="the photograph")
    command.add_argument("--source-pose", metavar="FILE", help="its joints, .json or .csv; else the pose extra")
    command.add_argument("--fit", default="body", help="body (default): as large as the source; none: its own pixels")


def _data(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--dataset", default="", help="default the table's own: fashion, fashion_video; with --root deepfashion, ..."
    )
    command.add_argument("--root", metavar="DIR", help="folder of a real data set")
    command.add_argument("--annotation-size", metavar="H,W", help="what a real set's joints refer to: 256,176")
    command.add_argument("--exclude", metavar="FILE", help="exclusion list; default exclude.txt in the root, if there")
