"""What drafts for one institution are worth, body system by body system: words and findings.

Words are compared by the metrics of ``model/evaluation``; findings by the labels of draft and
reference impression, counted over all findings of all reports (micro average).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from model.evaluation.by_reference import Numbers, score_drafts
from model.evaluation.overlap import corpus_overlap
from model.labels.labeller import has_labels, labels_of
from model.transfer.ratios import interval_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from model.corpora.schema import CorpusRow
    from model.transfer.institutions import Institution

REPORTS_MIN = 5
"""A cell of fewer reports tells no number."""
WHOLE = "all"
WORDS = {
    "rouge_1": "ROUGE-1 F, no stemming; mean over reports",
    "rouge_2": "ROUGE-2 F, no stemming",
    "rouge_l": "ROUGE-L F, no stemming",
    "meteor": "METEOR as model/evaluation has it (without WordNet: exact and stem only)",
}
OVERLAPS = {
    "bleu_4": "BLEU up to runs of four, of all reports of the cell together",
    "chrf": "chrF2 of all reports of the cell together",
}
FINDINGS = {
    "precision": "share of the draft's findings that the reference impression names",
    "recall": "share of the reference impression's findings that the draft names",
    "f1": "harmonic mean of both, over all findings of the cell",
    "same_findings": "share of drafts that name just the findings of the reference",
    "called_normal": "share of reports with a finding in the reference whose draft names none",
    "invented": "share of reports with no finding in the reference whose draft names one",
}
MEANING = {**WORDS, **OVERLAPS, **FINDINGS}

Parts = dict[str, list[tuple[float, float]]]
"""For each metric the numerator and denominator of each report."""


@dataclass(frozen=True, slots=True)
class Cell(Numbers):
    """A writer's numbers on an institution's reports of one body system: none under 5 reports."""

    reports: int


@dataclass(frozen=True, slots=True)
class Scored:
    """One writer on one institution.

    Attributes:
        cells: By body system, and ``all``.
        parts: What each report adds to each ratio, in the order of the institution's reports.
    """

    cells: Mapping[str, Cell]
    parts: Parts = field(repr=False)


def score_institution(institution: Institution, drafts: Sequence[str]) -> Scored:
    """Score a draft for each report of an institution.

    Args:
        institution: One or more reports.
        drafts: In their order.
    """
    rows = institution.test
    values = score_drafts(rows, drafts)
    parts: Parts = {
        metric: [(0.0, 0.0) if one is None else (one, 1.0) for one in values[metric]]
        for metric in WORDS
    }
    for row, draft in zip(rows, drafts, strict=True):
        for metric, part in finding_parts(row, draft).items():
            parts.setdefault(metric, []).append(part)
    places = {WHOLE: list(range(len(rows)))}
    for at, system in enumerate(institution.systems):
        places.setdefault(system, []).append(at)
    return Scored({name: _cell(rows, drafts, parts, at) for name, at in places.items()}, parts)


def finding_parts(row: CorpusRow, draft: str) -> dict[str, tuple[float, float]]:
    """Return what a draft adds to each ratio of ``FINDINGS``; (0, 0) where it counts nothing."""
    if not has_labels(row.language):
        return dict.fromkeys(FINDINGS, (0.0, 0.0))
    due, said = labels_of(row.impression, row.language), labels_of(draft, row.language)
    right = len(due & said)
    return {
        "precision": (right, len(said)),
        "recall": (right, len(due)),
        "f1": (2 * right, len(said) + len(due)),
        "same_findings": (due == said, 1),
        "called_normal": (bool(due) and not said, bool(due)),
        "invented": (bool(said) and not due, not due),
    }


def _cell(
    rows: Sequence[CorpusRow], drafts: Sequence[str], parts: Parts, places: Sequence[int]
) -> Cell:
    if len(places) < REPORTS_MIN:
        return Cell({}, {}, len(places))
    told = corpus_overlap(
        [rows[at].impression for at in places],
        [drafts[at] for at in places],
        [rows[at].language for at in places],
    )
    return Cell(
        {metric: interval_of([each[at] for at in places]) for metric, each in parts.items()},
        {metric: told[metric] for metric in OVERLAPS},
        len(places),
    )
