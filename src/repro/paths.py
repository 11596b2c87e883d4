"""Where everything lives on disk: the only module that knows paths.

The root is the folder that holds ``pyproject.toml``; the environment variable ``REPRO_ROOT`` overrides it (a page
executed from a copy, a test with its own records). Nothing here depends on the working directory, because nbval runs a
notebook in its own folder and papermill in the caller's.
"""

import os
from pathlib import Path


def root() -> Path:
    """Return the project's root folder (``REPRO_ROOT``, else the checkout that this file belongs to)."""
    override = os.environ.get("REPRO_ROOT")
    return Path(override).resolve() if override else Path(__file__).resolve().parents[2]


def data() -> Path:
    """Return ``data/``: published numbers, records, manifests, weights trained here."""
    return root() / "data"


def records() -> Path:
    """Return ``data/records``: one JSON-lines file per table and profile."""
    return data() / "records"


def published() -> Path:
    """Return ``data/published.yaml``: the papers' numbers."""
    return data() / "published.yaml"


def claims() -> Path:
    """Return ``data/claims.yaml``: what the papers claim."""
    return data() / "claims.yaml"


def manifests() -> Path:
    """Return ``data/manifests``: one description per real data set."""
    return data() / "manifests"


def weights() -> Path:
    """Return ``data/weights``: the small networks trained here that ship with the project."""
    return data() / "weights"


def user_weights() -> Path:
    """Return the folder for network files that the user brings (``REPRO_WEIGHTS``, else ``.cache/weights``)."""
    override = os.environ.get("REPRO_WEIGHTS")
    return Path(override).expanduser() if override else root() / ".cache" / "weights"


def cache() -> Path:
    """Return the folder for things that can be made again (``REPRO_CACHE``, else ``.cache``)."""
    override = os.environ.get("REPRO_CACHE")
    return Path(override).expanduser() if override else root() / ".cache"


def runs() -> Path:
    """Return the default folder of training runs (``REPRO_RUNS``, else ``runs``)."""
    override = os.environ.get("REPRO_RUNS")
    return Path(override).expanduser() if override else root() / "runs"


def build() -> Path:
    """Return ``_build``: executed copies of the pages and the HTML."""
    return root() / "_build"
