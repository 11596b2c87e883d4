"""The claims page: every claim of the papers with its evidence from the records, and the verdict it allows."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from IPython.display import HTML

from repro import records
from repro.experiments import PROFILES, TABLES
from repro.models import GFLA, SequentialGFLA, parameter_count
from repro.pages.tables import claims as verdicts
from repro.records import Record

# The generators whose size the papers' tables print, and the share of every rival's size that each is said to have.
COUNTED = {
    "generator": (lambda: GFLA.preset("fashion", seed=0), 1 / 2),
    "sequential generator": (lambda: SequentialGFLA.preset(seed=0), 1 / 4),
}
COLOURS = {"confirmed": "#0b7a4b", "contradicted": "#b3261e", "open": "#8a6100", "not testable here": "#5f6368"}


@dataclass(frozen=True)
class Judged:
    """A claim with what we know of it.

    Attributes:
        verdict: "confirmed", "contradicted", "open" or "not testable here".
        evidence: sentences, one per comparison or count.
        waits: what has to be measured for it, or for more of it, and what cannot be had here; empty if nothing.
        pages: that measure what no record holds, beside this one in the folder of notebooks: path -> title.
    """

    name: str
    claim: str
    place: str
    test: str
    verdict: str
    evidence: tuple[str, ...]
    waits: str
    pages: dict[str, str]


def judge_all(dataset: str = "") -> list[Judged]:
    """Return all claims of ``data/claims.yaml``, each judged by the project's own records.

    Args:
        dataset: data set whose records are asked, at the largest profile that has any; "" = each table's own.
    """
    return [judge(name, claim, dataset) for name, claim in records.claims().items()]


def judge(name: str, claim: dict[str, Any], dataset: str = "") -> Judged:
    """Return one claim with its evidence and verdict.

    A claim with several comparisons is confirmed if all of them are, and contradicted if one of them is. While
    something still waits to be measured a claim that holds so far stays open.

    Args:
        name: id of the claim.
        claim: its entry in ``data/claims.yaml``.
        dataset: data set whose records are asked.
    """
    found: list[str] = []
    evidence: list[str] = []
    for table in dict.fromkeys(one["table"] for one in claim.get("compare", ())):
        if measured := largest(table, dataset or TABLES[table].task.datasets[0]):
            frame = verdicts(measured, name)
            found += list(frame.get("verdict", ()))
            evidence += [
                f"{line['claim'].partition(': ')[2]}: {line['metric']} {line['difference, 95 %']}, {line['direction']} "
                f"(Table {table}, {measured[0].profile}: {line['verdict']})"
                for _, line in frame.iterrows()
            ]
    if "counts" in claim:
        verdict, words = _counted(**claim["counts"])
        found.append(verdict)
        evidence.append(words)
    lacks = [claim["waits"]] if "waits" in claim else []
    if "missing" in claim:
        lacks.append(f"cannot be had here: {claim['missing']}")
    return Judged(
        name,
        claim["claim"],
        claim["place"],
        claim["test"],
        _together(found, unsettled="waits" in claim, missing="missing" in claim),
        tuple(evidence),
        "; ".join(lacks),
        claim.get("pages", {}),
    )


def largest(table: str, dataset: str) -> list[Record]:
    """Return the project's records of a table at the largest profile that has any; smoke runs prove nothing."""
    for profile in reversed([one for one in PROFILES if one != "smoke"]):
        if found := [one for one in records.read(table, profile) if one.dataset == dataset]:
            return found
    return []


def show(judged: Sequence[Judged]) -> HTML:
    """Return the claims as a page shows them: a table with the verdict in words and colour."""
    lines = []
    for one in judged:
        said = "".join(f"<li>{escape(words)}</li>" for words in one.evidence)
        evidence = f"<ul style='margin:0;padding-left:1.1em'>{said}</ul>" if said else ""
        links = ", ".join(f"<a href='{page}.html'>{escape(title)}</a>" for page, title in one.pages.items())
        seen = f"<p style='margin:.3em 0 0'>Measured on a page: {links}.</p>" if links else ""
        waits = f"<p style='margin:.3em 0 0'><em>Waits for: {escape(one.waits)}.</em></p>" if one.waits else ""
        badge = f"<span style='color:{COLOURS[one.verdict]};font-weight:600'>{one.verdict}</span>"
        lines.append(
            f"<tr id='claim-{one.name}' style='vertical-align:top'><th>{one.name}</th>"
            f"<td>{escape(one.claim)} <small>({escape(one.place)})</small></td>"
            f"<td>{escape(one.test)}{evidence}{seen}{waits}</td><td>{badge}</td></tr>"
        )
    head = "<tr><th></th><th>claim</th><th>test and evidence</th><th>verdict</th></tr>"
    return HTML(f"<table class='claims'><thead>{head}</thead><tbody>{''.join(lines)}</tbody></table>")


def _counted(ours: str, table: str) -> tuple[str, str]:
    """Return whether our network is as small beside every rival as the paper says, and the numbers in words."""
    build, share = COUNTED[ours]
    count = parameter_count(build()) / 1e6
    rivals = [row for key, row in records.published(table)["rows"].items() if key != "full"]
    smallest = min(rivals, key=lambda row: row["parameters_millions"])
    theirs = smallest["parameters_millions"]
    words = (
        f"{count:.2f}M here; the smallest rival in print, {smallest['label']}, has {theirs}M: "
        f"{count / theirs:.2f} of it (claimed: less than {share:.2g})"
    )
    return ("confirmed" if count < share * theirs else "contradicted"), words


def _together(found: Sequence[str], *, unsettled: bool, missing: bool) -> str:
    """Return the verdict over all comparisons of a claim."""
    if "contradicted" in found:
        return "contradicted"
    if found and not unsettled and not missing and set(found) == {"confirmed"}:
        return "confirmed"
    return "not testable here" if missing and not found else "open"
