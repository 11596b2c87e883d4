"""Tables of results: ours with spread, the paper's beside them, and the sentences that the numbers allow.

Everything here reads records and the published numbers; nothing is computed that a run should have stored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd
from IPython.display import HTML

from repro import records
from repro.config import from_mapping
from repro.experiments import deviations, learns, resolve
from repro.metrics.comparison import Interval, paired_t_interval, verdict
from repro.records import Record

# Metric -> (short label, +1 if more is better, digits). The names say the protocol; the labels repeat it.
METRICS = {
    "fd_procnet": ("FD (procnet)", -1, 2),
    "fd_squeezenet": ("FD (SqueezeNet)", -1, 2),
    "fid_torch_fidelity": ("FID (torch-fidelity)", -1, 2),
    "lpips_alex": ("LPIPS (alex)", -1, 4),
    "lpips_squeeze": ("LPIPS (squeeze)", -1, 4),
    "l1": ("L1", -1, 4),
    "l1_person": ("L1 on the person", -1, 4),
    "l1_person_visible": ("L1, visible part", -1, 4),
    "l1_person_hidden": ("L1, hidden part", -1, 4),
    "ssim_skimage_gaussian_person": ("SSIM on the person", +1, 4),
    "epe_visible_px": ("flow error, px", -1, 2),
    "epe_hidden_px": ("flow error where hidden, px", -1, 2),
    "affine_residual_px": ("from locally affine, px", -1, 3),
    "within_3px_visible": ("within 3 px", +1, 3),
    "visibility_f1": ("mask F1", +1, 3),
    "fid_video_i3d": ("FID-Video (I3D)", -1, 3),
    "fd_videonet": ("FD-Video (videonet)", -1, 3),
    "fd_videonet_seed1": ("FD-Video (videonet, other seed)", -1, 3),
    "aed_ms_i3d": ("AED, square per dimension (I3D)", -1, 4),
    "aed_sq_i3d": ("AED, square (I3D)", -1, 3),
    "aed_l2_i3d": ("AED, norm (I3D)", -1, 3),
    "aed_ms_videonet": ("distance, square per dimension (videonet)", -1, 4),
    "aed_sq_videonet": ("distance, square (videonet)", -1, 2),
    "aed_l2_videonet": ("distance, norm (videonet)", -1, 2),
    "warping_error_person_excess": ("warping error, excess", -1, 4),
    "warping_error_person_residual": ("warping error of the mistakes", -1, 4),
    "flicker_excess": ("flicker, excess", -1, 4),
    "flicker_residual": ("flicker of the mistakes", -1, 4),
    "mpjpe_px": ("MPJPE, px", -1, 2),
    "acceleration_px_frame2": ("acceleration error, px/frame²", -1, 3),
}


def show(frame: pd.DataFrame, caption: str = "", *, index: bool = True) -> HTML:
    """Return a table as a page shows it: plain HTML without addresses or random names, so that a rerun is equal."""
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return HTML(frame.to_html(index=index, border=0).replace("<thead>", f"{title}<thead>", 1))


def first_measured(found: Sequence[Record], metrics: Sequence[str]) -> str:
    """Return the first of the metrics that a record has; the last one if none has any."""
    return next((metric for metric in metrics if any(metric in one.metrics for one in found)), metrics[-1])


def by_row(found: Sequence[Record]) -> dict[str, dict[int, Record]]:
    """Return the records as row -> seed -> record."""
    table: dict[str, dict[int, Record]] = {}
    for record in found:
        table.setdefault(record.row, {})[record.seed] = record
    return table


def spread(values: Sequence[float], digits: int) -> str:
    """Return "mean ± standard deviation" of one number per seed; a single number stands alone."""
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return f"{np.mean(values):.{digits}f} ± {np.std(values, ddof=1):.{digits}f}"


def scores(found: Sequence[Record], metrics: Sequence[str] = tuple(METRICS)) -> pd.DataFrame:
    """Return one line per row of the table: mean and spread over seeds of every metric that was measured.

    Args:
        found: records of one table, data set and profile.
        metrics: names of ``METRICS``; those that no record has are left out.
    """
    labels = labels_of(found)
    rows = by_row(found)
    lines = {}
    for row in order(found):
        seeds = rows[row]
        line: dict[str, str] = {"seeds": str(len(seeds))}
        for metric in metrics:
            values = [record.metrics[metric] for record in seeds.values() if metric in record.metrics]
            label, _, digits = METRICS[metric]
            line[label] = spread(values, digits) if values else "–"
        lines[labels[row]] = line
    frame = pd.DataFrame.from_dict(lines, orient="index")
    return frame.loc[:, [column for column in frame if (frame[column] != "–").any()]]


def costs(found: Sequence[Record]) -> pd.DataFrame:
    """Return one line per row: parameters, flops of a forward pass on one pair, steps, seconds and memory."""
    labels, rows = labels_of(found), by_row(found)
    lines = {}
    for row in order(found):
        seeds = list(rows[row].values())
        lines[labels[row]] = {
            "parameters": f"{seeds[0].parameters:,}",
            "MFLOP a pair": f"{seeds[0].flops / 1e6:,.0f}",
            "steps": f"{seeds[0].steps:,}",
            "seconds": spread([record.seconds for record in seeds], 0),
            "peak memory, MiB": f"{max(record.peak_memory_mib for record in seeds):,.0f}",
        }
    return pd.DataFrame.from_dict(lines, orient="index")


def beside_the_paper(found: Sequence[Record], paper_metric: str, metric: str, reference: str = "full") -> pd.DataFrame:
    """Return the paper's numbers beside ours, and how far every row is from the reference row in both.

    The two metrics are related, not the same; what can be compared is the sign of the differences.

    Args:
        found: records of one table, data set and profile.
        paper_metric: column of the published table ("fid").
        metric: our metric.
        reference: the row that differences refer to.
    """
    paper = records.published(found[0].table)
    rows, labels = by_row(found), labels_of(found)
    paper_label = paper["metrics"][paper_metric]["label"]
    ours, _, digits = METRICS[metric]
    lines = {}
    for row, entry in paper["rows"].items():
        line = {
            f"paper: {paper_label}": f"{entry[paper_metric]}",
            "paper: row − full": f"{entry[paper_metric] - paper['rows'][reference][paper_metric]:+.4g}",
        }
        values = [record.metrics[metric] for record in rows.get(row, {}).values() if metric in record.metrics]
        if values:
            interval = None if row == reference else difference(found, row, reference, metric)
            line[f"ours: {ours}"] = spread(values, digits)
            line["ours: row − full, 95 %"] = str(interval) if interval else "–"
            line["n"] = f"{len(values)} seeds x {next(iter(rows[row].values())).n} pairs"
        lines[labels.get(row, entry["label"])] = line
    return pd.DataFrame.from_dict(lines, orient="index").fillna("not measured")


def difference(found: Sequence[Record], row: str, other: str, metric: str) -> Interval | None:
    """Return ``row`` minus ``other`` over the seeds that both have, with its 95 % t interval; None without any.

    A row that learns nothing is the same for every seed.
    """
    rows = by_row(found)
    other_seeds = rows.get(other, {})
    if other_seeds and not learns(found[0].table, other):
        other_seeds = dict.fromkeys(rows.get(row, {}), next(iter(other_seeds.values())))
    pairs = [(rows[row][seed], other_seeds[seed]) for seed in rows.get(row, {}) if seed in other_seeds]
    values = [a.metrics[metric] - b.metrics[metric] for a, b in pairs if metric in a.metrics and metric in b.metrics]
    return paired_t_interval(values) if values else None


@dataclass(frozen=True)
class Claim:
    """A claim of the paper about two rows of a table: ``better`` beats ``worse`` in ``metric``."""

    name: str
    words: str
    better: str
    worse: str
    metric: str


def compared(table: str, name: str | None = None) -> list[Claim]:
    """Return what the project's list of claims (``data/claims.yaml``) compares in a table.

    Args:
        table: the paper's number ("II").
        name: of one claim ("G9"); None = all.
    """
    return [
        Claim(key, one["says"], one["better"], one["worse"], metric)
        for key, claim in records.claims().items()
        for one in claim.get("compare", ())
        for metric in one["metrics"]
        if one["table"] == table and name in (None, key)
    ]


def claims(found: Sequence[Record], name: str | None = None) -> pd.DataFrame:
    """Return what holds of the paper's claims: per compared pair of rows the measured difference and a verdict.

    A verdict other than "open" needs three seeds and an interval that excludes zero.

    Args:
        found: records of one table, data set and profile.
        name: of one claim; None = all that compare rows of this table.
    """
    lines = []
    for claim in compared(found[0].table, name):
        label, sign, _ = METRICS[claim.metric]
        interval = difference(found, claim.better, claim.worse, claim.metric)
        if interval is None:
            continue
        seen = "as claimed" if interval.mean * sign > 0 else "the other way round"
        lines.append(
            {
                "claim": f"{claim.name}: {claim.words}",
                "metric": label,
                "difference, 95 %": str(interval),
                "direction": seen,
                "verdict": verdict(interval, sign),
            }
        )
    return pd.DataFrame(lines)


def sentence_on_bi_sample(found: Sequence[Record], metrics: Sequence[str] = ("fd_procnet", "l1_person")) -> str:
    """Return in words whether local attention beats bilinear sampling here, as the paper's Table II says."""
    words = []
    for metric in metrics:
        label, sign, digits = METRICS[metric]
        interval = difference(found, "full", "bi_sample", metric)
        if interval is None:
            continue
        how = "better" if interval.mean * sign > 0 else "worse"
        settled = {"confirmed": "the interval excludes zero", "contradicted": "the interval excludes zero"}
        says = settled.get(verdict(interval, sign), "not settled with these seeds")
        words.append(f"In {label}, Full is {how} than Bi-Sample by {abs(interval.mean):.{digits}f} ({says}).")
    return "\n".join(words)


def differs_from_the_recipe(found: Sequence[Record]) -> pd.DataFrame:
    """Return where the runs differ from the authors' recipe, setting by setting, with the reason."""
    listed = {one.setting: one for record in found for one in deviations(from_mapping(record.config))}
    lines = [
        {"setting": one.setting, "authors": one.authors, "here": one.ours, "why": one.why} for one in listed.values()
    ]
    return pd.DataFrame(lines)


def missing_files(found: Sequence[Record]) -> pd.DataFrame:
    """Return the scores that wait for a network file which the machine of the run did not have."""
    needs = {metric: need for record in found for metric, need in record.needs.items()}
    return pd.DataFrame([{"score": metric, "needs": need} for metric, need in needs.items()])


def provenance(found: Sequence[Record]) -> pd.DataFrame:
    """Return one line per record: seed, when, commit, data, hardware and the hash that finds it."""
    labels = labels_of(found)
    lines = [
        {
            "row": labels[record.row],
            "seed": record.seed,
            "started (UTC)": record.started,
            "commit": record.commit[:8] + (" + changes" if record.dirty else ""),
            "data": record.dataset_hash[:8],
            "config": record.config_hash[:8],
            "weights": record.weights_hash[:8],
            "device": record.device,
            "torch": record.versions["torch"],
        }
        for record in found
    ]
    return pd.DataFrame(lines)


def labels_of(found: Sequence[Record]) -> Mapping[str, str]:
    """Return row key -> its title."""
    return {record.row: resolve(record.table, record.row, record.profile).title for record in found}


def order(found: Sequence[Record]) -> list[str]:
    """Return the recorded rows in the paper's order; rows that the paper does not have come last."""
    paper = list(records.published(found[0].table)["rows"])
    recorded = list(by_row(found))
    return [row for row in paper if row in recorded] + [row for row in recorded if row not in paper]
