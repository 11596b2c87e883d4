"""What ``repro generate`` and ``repro animate`` read alike from the command line."""

from argparse import Namespace

from repro.data.fitting import FITS
from repro.data.skeletons import ORDERS
from repro.experiments.request import choose


def layout_and_fit(options: Namespace) -> tuple[str | None, str]:
    """Return the layout of joints in files, None = recognised, and how they meet the person of the photograph.

    Raises:
        ValueError: an unknown one of either; the message lists the known ones.
    """
    layout = None if options.layout == "auto" else choose("joint layout", options.layout, tuple(ORDERS))
    return layout, choose("fit", options.fit, FITS)
