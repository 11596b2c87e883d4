"""The page on Table I: who moves what, by which means, and what each means does to one person."""

import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from repro import models, records
from repro.data import Pair
from repro.data.pair import stack_pairs
from repro.metrics import TRIVIAL
from repro.pages.figures import image_row

# Which of the table's methods live in this project, and under which name.
HERE = {"gfla": models.GFLA, "sequential_gfla": models.SequentialGFLA}
HOLE = torch.tensor([0.85, 0.0, 0.55])[:, None, None]  # a colour that no picture of the studio has


def methods() -> pd.DataFrame:
    """Return the paper's Table I, one line per method, with a column that says where it lives here."""
    table = records.published("I")
    words = {True: "yes", False: "no", None: "–"}
    lines = {}
    for key, row in table["rows"].items():
        line = {label: words.get(row[name], row[name]) for name, label in table["properties"].items() if name != "cite"}
        lines[row["label"]] = line | {"here": f"repro.models.{HERE[key].__name__}" if key in HERE else "not yet"}
    return pd.DataFrame.from_dict(lines, orient="index")


def deformed(pair: Pair, generator: nn.Module) -> dict[str, Tensor]:
    """Return one pair as each kind of deformation sees it: title -> (3, H, W) in [0, 1].

    Pixel flow is given the true flow, the best that any method of its kind can find; what the source does not show is
    marked.

    Args:
        pair: of the studio, with exact flow.
        generator: a trained GFLA for this size.
    """
    batch = stack_pairs([pair])
    bones, flow = (TRIVIAL[name](batch) for name in ("bone_warp", "exact_flow"))
    hidden = pair.person & ~pair.visible
    with torch.no_grad():
        made = generator(2 * batch.source - 1, batch.source_pose, batch.target_pose)
    return {
        "source": pair.source,
        "target": pair.target,
        "several affine\ntransformations": (bones.image[0] + 1) / 2,
        "pixel flow (true);\nhidden: marked": torch.where(hidden, HOLE, (flow.image[0] + 1) / 2),
        "feature flow\n(GFLA, trained here)": (made.image[0] + 1) / 2,
    }


def deformation_figure(pair: Pair, generator: nn.Module) -> Figure:
    """Return the pictures of :func:`deformed` side by side."""
    return image_row(deformed(pair, generator))
