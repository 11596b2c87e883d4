"""The page on protocols: who computes which score how, what each choice is worth, and what it does to a picture."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor

from repro import data, features
from repro.data.pair import stack_pairs
from repro.data.photographs import astronaut
from repro.data.studio.people_set import PeopleSet
from repro.experiments import load_recorded_model
from repro.experiments.run import pairs_file
from repro.features import MissingWeights
from repro.metrics import quirks
from repro.metrics.choices import CHOICES, Answer, Pictures, Sight, direct, through_network
from repro.metrics.evaluate import fd_observers, lpips_distances
from repro.metrics.frechet import InceptionFeatures
from repro.metrics.inception import TorchvisionInception
from repro.metrics.masks import masked
from repro.metrics.protocol import PROTOCOLS, Observer
from repro.metrics.ssim import ssim_gaussian
from repro.pages.figures import image_row, show_image
from repro.records import Record

PEOPLE, PAIRS = 10, 13
"""130 pairs: two whole batches of the authors, and two pairs over."""
LARGE = 256
MORE_IS_BETTER = ("ssim", "mask_ssim", "is_torch_fidelity", "mask_is_torch_fidelity")
GREY, BLACK = 0.5, 0.0
"""Off the person: of mask-LPIPS, of mask-SSIM and mask-IS."""
CUT, AUTHORS_FILE = (choice.words for choice in CHOICES[1:3])
LABELS = {"full": "Full", "bi_sample": "Bi-Sample"}


def protocols() -> pd.DataFrame:
    """Return who computes which score how, one line per protocol, with the function that does it here."""
    lines = [
        {
            "score": one.score,
            "reported so by": one.used_by,
            "looks through": one.looks_through,
            "compared with": one.against,
            "pictures": one.pictures,
            "here": one.compute.__name__,
        }
        for one in PROTOCOLS
    ]
    return pd.DataFrame(lines)


@torch.no_grad()
def study_pictures(found: Mapping[str, Record]) -> Pictures:
    """Return what recorded networks make of 130 held-out pairs of the studio, with all that a protocol may ask for.

    Ten people evenly spaced over the test split, the first 13 pairs of each; all pictures of 43 training people.

    Args:
        found: row -> record, of one data set of the studio and one size.
    """
    one = next(iter(found.values()))
    settings = one.config["data"]
    small, large, training = (
        _people(one.dataset, split, size, settings)
        for split, size in (("test", settings["size"]), ("test", LARGE), ("train", settings["size"]))
    )
    per_person = len(small.pairs) // small.people
    places = [person * per_person + number for person in _spaced(small.people, PEOPLE) for number in range(PAIRS)]
    batches = [stack_pairs([small[place] for place in places[at : at + PAIRS]]) for at in range(0, len(places), PAIRS)]
    generated = {}
    for row, record in found.items():
        model = load_recorded_model(record)
        made = [model(2 * batch.source - 1, batch.source_pose, batch.target_pose).image for batch in batches]
        generated[row] = ((torch.cat(made) + 1) / 2).clamp(0, 1)
    views = training.views
    trained_on = _spaced(training.people, 2 * PEOPLE * PAIRS // views)
    return Pictures(
        generated=generated,
        target=torch.cat([batch.target for batch in batches]),
        large=torch.stack([large.image(view) for view in small.pairs[places, 1].tolist()]),
        training=torch.stack([training.image(person * views + view) for person in trained_on for view in range(views)]),
        joints=torch.cat([batch.target_joints for batch in batches]),
    )


def scores_here() -> tuple[dict[str, Observer], dict[str, Sight], dict[str, Answer], dict[str, str]]:
    """Return networks for Fréchet distances, scores of pairs, classifiers, and what waits for which file.

    ``fd_procnet``, ``pd_procnet`` and ``ssim`` are always there, the last two under a mask, too; ``fid_torchvision`` is
    what the authors' script looks through, here without its second normalisation, which is one of the choices.
    """
    needs: dict[str, str] = {}
    network = features.load("procnet")
    observers: dict[str, Observer] = {**fd_observers([network, "squeezenet1_1"], True, "", "cpu", needs)}
    try:
        observers["fid_torchvision"] = TorchvisionInception()
    except MissingWeights as missing:
        needs["fid_torchvision"] = missing.need
    sights = {"pd_procnet": through_network(network), "ssim": direct(ssim_gaussian)}
    sights |= {name: direct(distance) for name, distance in lpips_distances(("squeeze", "alex"), "cpu", needs).items()}
    for name, sight in list(sights.items()):
        sights[f"mask_{name}"] = sight._replace(background=BLACK if name == "ssim" else GREY)
    answers: dict[str, Answer] = {}
    try:
        look = InceptionFeatures(tap="logits")
        answers = {"is_torch_fidelity": Answer(look), "mask_is_torch_fidelity": Answer(look, BLACK)}
    except MissingWeights as missing:
        needs["is_torch_fidelity"] = missing.need
    needs |= {f"mask_{name}": need for name, need in needs.items() if name.startswith(("lpips", "is"))}
    return observers, sights, answers, needs


def table(frame: pd.DataFrame, row: str = "full") -> pd.DataFrame:
    """Return one row's values and their changes against the first choice, one line per choice, two columns per score.

    Args:
        frame: what :mod:`repro.metrics.choices` found: columns choice, score, row, value.
        row: whose values.
    """
    values = _by_choice(frame, row)
    columns = {}
    for score, own in values.items():
        change = 100 * (own / own.iloc[0] - 1)
        columns[score, LABELS[row]] = [_text(value, "#.4g") for value in own]
        columns[score, "change"] = ["–", *(_text(value, "+.1f", "\u00a0%") for value in change.iloc[1:])]
    return pd.DataFrame(columns, index=values.index)


def gaps(frame: pd.DataFrame, row: str = "full", other: str = "bi_sample") -> pd.DataFrame:
    """Return one row minus another one, one line per choice, one column per score.

    Args:
        frame: as for :func:`table`.
        row, other: who is compared.
    """
    differences = _by_choice(frame, row) - _by_choice(frame, other)
    name = f"{LABELS[row]} − {LABELS[other]}"
    columns = {(score, name): [_text(value, "+.2g") for value in own] for score, own in differences.items()}
    return pd.DataFrame(columns, index=differences.index)


def worth(frame: pd.DataFrame, row: str = "full", other: str = "bi_sample") -> pd.DataFrame:
    """Return what single choices are worth beside the difference between two rows, one line per score.

    Args:
        frame: of :func:`repro.metrics.choices.moved`.
        row, other: who is compared; the choices are those of ``row``.
    """
    values, others = _by_choice(frame, row), _by_choice(frame, other)
    reduced = values[values.index.str.startswith("targets reduced")]
    found = {
        f"{LABELS[row]} and {LABELS[other]} differ by": (values.iloc[0] - others.iloc[0]).abs(),
        "largest minus smallest over filters": reduced.max() - reduced.min(),
        "JPEG of the generated": (values.loc[AUTHORS_FILE] - values.loc[CUT]).abs(),
        "cut, not rounded": (values.loc[CUT] - values.iloc[0]).abs(),
    }
    return pd.DataFrame({words: [_text(value, ".2g") for value in own] for words, own in found.items()}, values.columns)


def leads(frame: pd.DataFrame, row: str = "full", other: str = "bi_sample") -> pd.DataFrame:
    """Return per score under how many choices a row is better than another one, and of how many.

    Args:
        frame: columns choice, score, row, value.
        row, other: who is compared.
    """
    differences = _by_choice(frame, row) - _by_choice(frame, other)
    signs = pd.Series({score: 1 if score in MORE_IS_BETTER else -1 for score in differences})
    counts = {f"{LABELS[row]} better under": (differences * signs > 0).sum(), "of choices": differences.notna().sum()}
    return pd.DataFrame(counts)


def pair_scores(record: Record) -> pd.DataFrame:
    """Return the scores of every single test pair of a recorded row, one line per pair, by the pair's number."""
    return pd.read_csv(pairs_file(record), index_col="pair")


def filters_figure(amplified: float = 4.0) -> Figure:
    """Return one photograph reduced to a quarter by every filter, and written as JPEG; below, how each differs.

    Args:
        amplified: factor of the differences from the bicubic picture, drawn around mid-grey.
    """
    photograph = astronaut()[0][None]
    small = {how: quirks.resized(photograph, (128, 128), how) for how in quirks.FILTERS}
    bicubic = small.pop("bicubic")
    columns: dict[str, Tensor] = {"bicubic": bicubic}
    columns |= {how.replace("_", ", "): own for how, own in small.items()}
    columns["bicubic, JPEG 75"] = quirks.jpeg(bicubic)
    columns["bicubic, JPEG 95,\nfull colour"] = quirks.jpeg(bicubic, 95, thin_colours=False)
    figure, axes = plt.subplots(2, len(columns), figsize=(1.35 * len(columns), 3.1))
    face = (slice(4, 68), slice(28, 92))
    for (above, below), (title, own) in zip(axes.T, columns.items()):
        show_image(above, own[0][:, *face], title)
        show_image(below, 0.5 + amplified * (own - bicubic)[0][:, *face])
    axes[1][0].set_ylabel(f"difference x {amplified:g}", fontsize=8)
    figure.tight_layout(pad=0.3)
    return figure


def seen_figure(pictures: Pictures, row: str = "full", place: int = 0) -> Figure:
    """Return one generated picture as it is, and as each protocol shows it to its score.

    Args:
        pictures: of the study.
        row: whose picture.
        place: which pair.
    """
    part = slice(place, place + 1)
    made = pictures.generated[row][part]
    mask = pictures.mask[part]
    return image_row(
        {
            "target": pictures.target[place],
            "generated": made[0],
            "JPEG (GFLA)": quirks.saved_by_authors(made)[0],
            "normalised twice\n(GFLA's FID)": quirks.doubly_normalised(made)[0],
            "grey off the person\n(mask-LPIPS)": masked(made, mask, 0.5)[0],
            "black off the person\n(mask-SSIM, mask-IS)": masked(made, mask, 0.0)[0],
            "white columns\n(Pose-Attn)": quirks.with_white_columns(made, pictures.white_columns)[0],
        },
        height=1.5,
    )


def _by_choice(frame: pd.DataFrame, row: str) -> pd.DataFrame:
    """Return a row's values, choices down and scores across, both in the order in which they were found."""
    own = frame[frame["row"] == row].pivot(index="choice", columns="score", values="value")
    ordered = own.reindex(frame["choice"].unique())[list(frame["score"].unique())]
    return ordered.rename_axis(index=None, columns=None)


def _text(value: float, form: str, unit: str = "") -> str:
    return "–" if pd.isna(value) else f"{value:{form}}{unit}"


def _spaced(count: int, wanted: int) -> list[int]:
    return [number * count // wanted for number in range(wanted)]


def _people(name: str, split: str, size: int, settings: Mapping[str, object]) -> PeopleSet:
    return data.load(name, split, size, settings["scale"], sigma=settings["heatmap_sigma"])  # type: ignore[arg-type]
