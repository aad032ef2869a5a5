"""Judges drafts by anyone's impressions: every contender on the same reports, with intervals.

ROUGE never stands alone: whoever says "normal" most often wins it on chest radiographs, so the
missed and invented abnormals are in every part. Nothing here sets a threshold.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any, Protocol

from model.corpora.asking import findings_of
from model.evaluation.content import read_content
from model.evaluation.intervals import bootstrap, compare, holm
from model.evaluation.overlap import corpus_overlap, meteor, meteor_kind, rouge
from model.evaluation.reports import BY, on_same_reports, places_by, readable_draft, same_findings
from model.evaluation.words import cut_of, words_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from model.corpora.schema import CorpusRow
    from model.evaluation.intervals import Difference, Interval


MEANING = {
    "rouge_1": "ROUGE-1 F, no stemming; mean over reports",
    "rouge_2": "ROUGE-2 F, no stemming",
    "rouge_l": "ROUGE-L F, no stemming",
    "rouge_1_stemmed": "ROUGE-1 F of stems",
    "rouge_2_stemmed": "ROUGE-2 F of stems",
    "rouge_l_stemmed": "ROUGE-L F of stems",
    "bleu_1": "BLEU up to single words, of all reports together",
    "bleu_2": "BLEU up to pairs",
    "bleu_3": "BLEU up to runs of three",
    "bleu_4": "BLEU up to runs of four",
    "chrf": "chrF2 of all reports together",
    "meteor": "METEOR; the notes say what it matches by",
    "missed_abnormal": "share of the reports that are not short normal ones whose draft is one;"
    " in other regions than the chest and other languages than English: of those whose reference"
    " names a finding (model/labels), whose draft names none",
    "invented_abnormal": "share of the short normal reports whose draft is none; in those other"
    " regions and languages: of those whose reference names no finding, whose draft names one",
    "number_fault": "share of drafts with a number that the findings do not have",
    "side_fault": "share of drafts with a side that the findings do not have",
    "unsupported_finding": "share of drafts with a finding that the findings deny or do not state",
    "left_out": "share of drafts without a finding that cannot wait",
    "copied": "share of a draft's words in runs of 3 or more copied from the findings",
    "words": "mean length of a draft in words",
    "reference_words": "mean length of the reference in words",
}
"""What each number is. The faults are those that the draft checks find (``model/checks``)."""

TESTED = ("rouge_l", "missed_abnormal", "invented_abnormal")
PART_REPORTS_MIN = 5

Values = dict[str, list["float | None"]]


class WeightedMetric(Protocol):
    """A metric with weights of its own; a plug-in or an encoder."""

    @property
    def meaning(self) -> Mapping[str, str]:
        """What each of its numbers is, by name."""

    def score(self, references: Sequence[str], drafts: Sequence[str]) -> Mapping[str, list[float]]:
        """Return each number for each report."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers of one contender in one part: a mean with its interval, or a whole number."""

    means: Mapping[str, Interval | None]
    wholes: Mapping[str, float]

    def value(self, metric: str) -> float | None:
        """Return a metric's number, None where there was nothing to count."""
        told = self.means.get(metric)
        return self.wholes.get(metric) if told is None else told.mean


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the reports: all, those with findings unseen in training, those of a site..."""

    name: str
    reports: int
    contenders: Mapping[str, Numbers]


@dataclass(frozen=True, slots=True)
class Test:
    """One contender against the one that all are held against; ``p`` is Holm's corrected."""

    contender: str
    against: str
    metric: str
    difference: Difference
    randomisation_p: float
    wilcoxon_p: float


@dataclass(frozen=True, slots=True)
class Source:
    """The name of the data's file, and its digest."""

    name: str
    sha256: str

    @classmethod
    def of(cls, file: Path, name: str | None = None) -> Source:
        """Read a file's digest; without another name it has its own."""
        return cls(name or file.name, hashlib.sha256(file.read_bytes()).hexdigest())


@dataclass(frozen=True, slots=True)
class Comparison:
    """All numbers; nothing of a report's text but ``drafts``.

    ``left_out`` reports are judged for nobody: they are too long for one contender or more.
    """

    source: Source
    left_out: int
    parts: tuple[Part, ...]
    tests: tuple[Test, ...]
    notes: tuple[str, ...]
    meaning: Mapping[str, str]
    drafts: tuple[dict[str, Any], ...] = field(repr=False)


def run_comparison(
    reports: Sequence[CorpusRow],
    drafts: Mapping[str, Sequence[str | None]],
    *,
    source: Source,
    train: Sequence[CorpusRow] = (),
    metrics: Sequence[WeightedMetric] = (),
    notes: Sequence[str] = (),
    against: str | None = None,
) -> Comparison:
    """Score every contender.

    Args:
        reports: One or more.
        drafts: Contender and its text for each report; None for one that is too long for it.
        source: Where the reports are from.
        train: What "unseen" means; without it there is no such part.
        metrics: With weights of their own.
        notes: What the reader must know of the numbers, such as why a metric is not computed.
        against: The contender that all others are held against; None takes the first.

    Returns:
        The numbers. A part with fewer than 5 reports is left out.

    Raises:
        PromptRefusedError: No report is short enough for all.
    """
    judged, texts_of = on_same_reports(reports, drafts, source.name)
    references = [report.impression for report in judged]
    values = {who: score_drafts(judged, texts) for who, texts in texts_of.items()}
    for who, texts in texts_of.items():
        for metric in metrics:
            values[who] |= {key: [*each] for key, each in metric.score(references, texts).items()}
    return Comparison(
        source=source,
        left_out=len(reports) - len(judged),
        parts=tuple(
            _part(part, places, judged, texts_of, values)
            for part, places in parts_of(judged, train).items()
            if part == "all" or len(places) >= PART_REPORTS_MIN
        ),
        tests=_tests(values, against or next(iter(values))),
        notes=(*_too_long(drafts), *_notes(judged), *notes),
        meaning=MEANING | {key: why for each in metrics for key, why in each.meaning.items()},
        drafts=tuple(
            readable_draft(report, who, text)
            for who, texts in texts_of.items()
            for report, text in zip(judged, texts, strict=True)
        ),
    )


def score_drafts(reports: Sequence[CorpusRow], drafts: Sequence[str]) -> Values:
    """Return each metric's value for each report; None where it does not count the report."""
    values: Values = {}
    for report, draft in zip(reports, drafts, strict=True):
        reference, language = report.impression, report.language
        stemmed = rouge(reference, draft, language, is_stemmed=True)
        scores = (
            rouge(reference, draft, language)
            | {f"{metric}_stemmed": value for metric, value in stemmed.items()}
            | {"meteor": meteor(reference, draft, language)}
            | {"reference_words": float(len(words_of(reference, language)))}
            | read_content(findings_of(report), reference, draft)
        )
        for metric, value in scores.items():
            values.setdefault(metric, []).append(value)
    return values


def parts_of(reports: Sequence[CorpusRow], train: Sequence[CorpusRow]) -> dict[str, list[int]]:
    """Return the places of each part's reports; one value of a field alone makes no part."""
    parts = {"all": list(range(len(reports)))}
    if train:
        seen = {same_findings(row.findings) for row in train}
        parts["unseen findings"] = [
            at for at, report in enumerate(reports) if same_findings(report.findings) not in seen
        ]
    for name in BY:
        found = places_by(name, reports)
        if len(found) > 1:
            parts |= {f"{name} {value}": places for value, places in found.items()}
    return parts


def _part(
    name: str,
    places: Sequence[int],
    reports: Sequence[CorpusRow],
    drafts: Mapping[str, Sequence[str]],
    values: Mapping[str, Values],
) -> Part:
    references = [reports[at].impression for at in places]
    languages = [reports[at].language for at in places]
    return Part(
        name,
        len(places),
        {
            who: Numbers(
                {
                    metric: _mean([each[at] for at in places])
                    for metric, each in values[who].items()
                },
                corpus_overlap(references, [texts[at] for at in places], languages),
            )
            for who, texts in drafts.items()
        },
    )


def _mean(values: Sequence[float | None]) -> Interval | None:
    counted = [value for value in values if value is not None]
    return bootstrap(counted) if counted else None


def _tests(values: Mapping[str, Values], against: str) -> tuple[Test, ...]:
    """Hold every other contender against one; all tests are one family."""
    found: list[tuple[str, str, Difference]] = []
    for who, metric in product((who for who in values if who != against), TESTED):
        pairs = [
            (one, other)
            for one, other in zip(values[who][metric], values[against][metric], strict=True)
            if one is not None and other is not None
        ]
        if pairs:
            first, second = zip(*pairs, strict=True)
            found.append((who, metric, compare(first, second)))
    by_chance = holm([difference.randomisation_p for *_, difference in found])
    by_rank = holm([difference.wilcoxon_p for *_, difference in found])
    return tuple(
        Test(who, against, metric, difference, chance, rank)
        for (who, metric, difference), chance, rank in zip(found, by_chance, by_rank, strict=True)
    )


def _too_long(drafts: Mapping[str, Sequence[str | None]]) -> list[str]:
    counts = {who: sum(text is None for text in texts) for who, texts in drafts.items()}
    return [
        f"Reports too long for {who}, left out of all: {count}."
        for who, count in counts.items()
        if count
    ]


def _notes(reports: Sequence[CorpusRow]) -> tuple[str, ...]:
    languages = sorted({report.language for report in reports})
    return (
        *(f"METEOR ({language}): {meteor_kind(language)}" for language in languages),
        *(f"BLEU ({language}): tokeniser {cut_of(language)}" for language in languages),
    )
