"""``repro table``, ``repro train``, ``repro evaluate``."""

import json
from argparse import Namespace
from pathlib import Path

import yaml

from repro import experiments, training
from repro.config import apply, from_mapping
from repro.experiments import run
from repro.experiments.rows import PROFILES, TABLES
from repro.records import Record


def table(options: Namespace) -> None:
    """Run what is missing of a table and print its records."""
    wanted = experiments.request(
        options.table,
        options.profile,
        rows=options.rows,
        seeds=options.seeds,
        dataset=options.dataset,
        root=options.root,
        out=options.out,
        device=options.device,
        annotation_size=options.annotation_size,
        exclude=options.exclude,
    )
    if options.jobs < 1:
        raise ValueError(f"expected at least one job, got {options.jobs}")
    found = experiments.run_table(wanted, jobs=options.jobs, reuse=options.reuse, record=options.record)
    if not found:
        print(f"nothing recorded for table {options.table} yet: repro table {options.table} --profile laptop")
    show(found)
    if wanted.profile == "smoke":
        print("A smoke run proves that everything works; its scores only count steps and rank nothing.")


def train(options: Namespace) -> None:
    """Train one row in a folder of its own and print its checkpoint."""
    wanted = experiments.request(
        options.table,
        options.profile,
        rows=options.row,
        seeds=options.seed,
        dataset=options.dataset,
        root=options.root,
        out=Path(options.out) / "start",  # of a row that goes on from another: that one
        device=options.device,
        annotation_size=options.annotation_size,
        exclude=options.exclude,
    )
    if len(wanted.rows) != 1 or len(wanted.seeds) > 1:
        raise ValueError("repro train trains one row with one seed: repro table takes several (--rows a,b --seeds 0,1)")
    if options.profile not in PROFILES:
        raise ValueError(f"profile {options.profile!r} trains nothing: choose one of {', '.join(PROFILES)}")
    row = experiments.resolve(options.table, wanted.rows[0], options.profile, options.dataset, changes(options.set))
    if not row.learns:
        raise ValueError(f"row {row.name!r} learns nothing: there is nothing to train")
    size = row.config.data.size
    if size < 64 or size % 32:
        raise ValueError(f"data.size: expected a multiple of 32 from 64 on, got {size}")
    training.host.make_fabric(options.device, row.config.precision)  # what is missing is said before data is prepared
    training.build_features(row.config)
    train_set, test_set = run.load_splits(row.config, wanted)
    run.prepare(train_set)
    start = run.starting_network(wanted, row, wanted.seeds[0])
    trained = training.train(
        row.config,
        train_set,  # type: ignore[arg-type]  # map-style, not a list
        seed=wanted.seeds[0],
        folder=Path(options.out),
        dataset_hash=run.data_hash(train_set, test_set),
        device=options.device,
        checkpoint_every=options.checkpoint_every,
        workers=options.workers,
        start=start.network if start else None,
        name=f"{row.name} seed {wanted.seeds[0]}",
    )
    print(trained.checkpoint)


def evaluate(options: Namespace) -> None:
    """Print the scores of a trained run on held-out pairs."""
    folder = Path(options.run_folder)
    found = training.checkpoint.load(folder) if folder.is_dir() else None
    if found is None:
        raise FileNotFoundError(f"no {training.checkpoint.NAME} in {folder}: expected the --out folder of repro train")
    tensors, rest = found
    config = from_mapping(rest["identity"]["config"])
    table, task = next((name, table.task) for name, table in TABLES.items() if table.task.name == config.task)
    generator = training.build_generator(config, seed=0)
    prefix = "generator/"
    generator.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
    device = training.host.make_fabric(options.device, "32-true").device
    wanted = experiments.request(
        table,
        "smoke",  # any profile that reads data: the settings are the run's own
        dataset=options.dataset,
        root=options.root,
        annotation_size=options.annotation_size,
        exclude=options.exclude,
    )
    train_set, test_set = run.load_splits(config, wanted)
    if run.data_hash(train_set, test_set) != rest["identity"]["dataset"] and not options.other_data:
        raise ValueError(
            f"{wanted.dataset} as it is read here is not what the run was trained on: give its --dataset, --root, "
            "--annotation-size and --exclude, or --other-data to score it on this one"
        )
    if options.pairs:
        config = apply(config, {"evaluation.pairs": options.pairs, "evaluation.clips": options.pairs})
    scores, _ = task.measure(config, generator.to(device), test_set, options.device, "run")
    place = rest["position"]
    print(
        json.dumps(
            {
                "dataset": wanted.dataset,
                "stage": place["stage"],
                "step": place["step"],
                "n": scores.n,
                **scores.metrics,
                **scores.needs,
            },
            indent=1,
        )
    )


def changes(settings: list[str]) -> dict[str, object]:
    """Return ``--set joint.steps=10`` as settings; values are read as YAML."""
    pairs = [setting.partition("=") for setting in settings]
    for setting, (_, equals, _) in zip(settings, pairs):
        if not equals:
            raise ValueError(f"expected --set KEY=VALUE, got {setting!r}")
    return {key.strip(): yaml.safe_load(value) for key, _, value in pairs}


def show(found: list[Record]) -> None:
    """Print one line per record."""
    columns = ("l1_person", "ssim_skimage_gaussian_person", "fd_procnet", "epe_visible_px", "l1")
    for one in found:
        scores = "  ".join(f"{name} {one.metrics[name]:.4g}" for name in columns if name in one.metrics)
        print(f"{one.row:12} {one.dataset} {one.profile} seed {one.seed}  n {one.n}  {scores}  ({one.seconds:.0f} s)")
