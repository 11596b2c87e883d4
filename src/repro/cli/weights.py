"""``repro weights``: what ships, what is missing, and procnet made again."""

from argparse import Namespace

from repro import data, experiments, features, paths


def show(options: Namespace) -> None:
    """List the networks that ship and, for feature networks, whether their file is found."""
    for path in experiments.exported():
        print(f"{path.name}  {path.stat().st_size / 2**20:.1f} MiB")
    for name in features.NETWORKS:
        try:
            network = features.load(name)
        except features.MissingWeights as missing:
            print(f"{name}: {missing}")
        else:
            print(f"{name}: {network.weights_file}, {network.weights_hash}")


def procnet(options: Namespace) -> None:
    """Train procnet on the studio's people and write it with its record."""
    from repro.features.train_procnet import train_procnet

    train, test = (data.prepare("fashion", split, 64) for split in ("train", "test"))
    steps = {} if options.steps is None else {"steps": options.steps}
    command = f"repro weights procnet --seed {options.seed}"
    if steps:
        command += f" --steps {options.steps}"
    record = train_procnet(options.out or paths.weights(), train, test, seed=options.seed, command=command, **steps)
    print(record)
